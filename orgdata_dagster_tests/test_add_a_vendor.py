"""`docs/add_a_vendor.md` works as it is written: every block is run, against the sandbox's tracker."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import yaml

from orgdata_dagster.sandbox.limits import UNLIMITED
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster.sandbox.tracker import demo
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import today

PAGE = Path(__file__).parent.parent / "docs" / "add_a_vendor.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_every_block_runs_and_the_tables_equal_the_vendors_lists(home: Home, tmp_path: Path) -> None:
    vendor = demo(days=2, rows=60, limits=UNLIMITED)
    with Sandbox(vendor) as sandbox:
        for kind, text in BLOCKS:
            if kind == "sh":
                pairs = (line.removeprefix("export ").split("=", 1) for line in text.splitlines())
                home.set(**{name: value.replace("http://127.0.0.1:8099", sandbox.url) for name, value in pairs})
            elif kind == "python":
                code = text
            elif kind == "yaml":
                [package] = (path.parent for path in home.write_project(tracker=text).glob("*/defs"))
                if "mine.tracker" in text:
                    (package / "tracker.py").write_text(code)
                    (package / "defs/tracker/defs.yaml").write_text(
                        text.replace("mine.tracker", f"{package.name}.tracker")
                    )
            else:
                for line in re.findall(r"^\$ orgdata (.+)$", text, re.MULTILINE):
                    words = [
                        today(back=2) if re.fullmatch(r"\d{4}-\d\d-\d\d", word) else word for word in shlex.split(line)
                    ]
                    if words[0] == "sandbox":
                        continue  # it runs already, on another port
                    done = home.orgdata(*words)
                    assert done.status == 0, f"orgdata {line}: {done.out} {done.err}"
                    if words[0] == "preview":
                        assert "data: {items: [3 x " in done.out, line
                        assert "projects" in done.out
    for name in ("projects", "issues"):
        found = home.sql(f"SELECT id FROM tracker.{name} ORDER BY id")
        assert [row[0] for row in found] == [row["id"] for row in vendor.lists[name].all()]
    where = tmp_path / "schema.json"
    assert home.orgdata("schema", str(where)).status == 0
    schema = json.loads(where.read_text())
    assert "records" in schema["$defs"]["RestApi.RestTable"]["properties"]
    described = [yaml.safe_load(text)["type"] for kind, text in BLOCKS if kind == "yaml"]
    assert described[0] in json.dumps(schema)
