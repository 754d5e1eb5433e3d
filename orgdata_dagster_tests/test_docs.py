"""The documents are true: their commands parse, their targets and files exist, their YAML loads.

These tests fail when a command is renamed, an option removed, or a YAML attribute no longer accepted.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path

import click
import pytest
import yaml

import orgdata_dagster
from orgdata_dagster.cli import orgdata
from orgdata_dagster.project.configured_tables import FoundComponent, components
from orgdata_dagster.vendors.base.component import VendorComponent

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("deploy/**/README.md")),
    *sorted(ROOT.glob("orgdata_dagster/vendors/*/README.md")),
]
VENDORS = [path.parent.name for path in (ROOT / "orgdata_dagster" / "defs").glob("*/defs.yaml")]
_NO_FILE = re.compile(
    rf"N/A|\.\.\.|\.orgdata|\.venv|[A-Z_]+/|[a-z.]+\.io/"
    rf"|({'|'.join(VENDORS)}|orgdata)/"  # `together/users` is an asset
    r"|(mine|dbt|models|defs/tracker)/"  # in a user's project
)
COMPONENTS = [getattr(orgdata_dagster, name) for name in orgdata_dagster.__all__]
_LINK = re.compile(r"\]\(([^)#:\s]+)|srcset=\"([^\"]+)|src=\"([^\"]+)")
_OF_TESTS = re.compile(r"ORGDATA_(TEST_\w+|COMPLETE|ALERT_URL_)")


def _commands(text: str, program: str) -> list[str]:
    """Every line or code span that begins with a program's name (after a prompt or a path)."""
    found = re.findall(rf"`(?:\.venv/bin/)?({program} [^`\n]+)`", text)
    found += re.findall(rf"^\$ (?:\.venv/bin/)?({program} .+)$", text, re.MULTILINE)
    return sorted(set(found))


ORGDATA = sorted({(path.name, line) for path in DOCUMENTS for line in _commands(path.read_text(), "orgdata")})
MAKE = sorted({(path.name, line) for path in DOCUMENTS for line in _commands(path.read_text(), "make")})
YAML = [
    (str(path.relative_to(ROOT)), block)
    for path in DOCUMENTS
    for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
]


def _is_vendor(each: object) -> bool:
    return isinstance(each, type) and issubclass(each, VendorComponent)


def test_there_is_something_to_check() -> None:
    assert len(ORGDATA) >= 7
    assert len(MAKE) >= 5
    assert YAML


@pytest.mark.parametrize(("document", "line"), ORGDATA)
def test_a_command_in_the_documents_parses(document: str, line: str) -> None:
    words = shlex.split(line.split(" # ")[0])[1:]
    command = orgdata.commands.get(words[0])
    assert command is not None, f"{document}: there is no `orgdata {words[0]}`"
    # `orgdata show --json` speaks of the option, and --help ends the command
    with suppress(click.MissingParameter, click.exceptions.Exit):
        command.make_context(words[0], words[1:])  # raises on an unknown option or argument


@pytest.mark.parametrize(("document", "line"), MAKE)
def test_a_make_target_in_the_documents_exists(document: str, line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    words = [word for word in shlex.split(line)[1:] if "=" not in word]
    assert set(words) <= targets, f"{document}: `{line}`"


@pytest.mark.parametrize(("document", "block"), YAML)
def test_yaml_in_the_documents_loads(document: str, block: str) -> None:
    for part in yaml.safe_load_all(block):
        module, _, name = part["type"].partition(".")
        if module == "mine":  # the reader's own code, which test_add_a_vendor.py runs
            continue
        assert module == "orgdata_dagster", document
        getattr(orgdata_dagster, name).resolve_from_yaml(yaml.safe_dump(part["attributes"]))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_the_documents_name_exist(path: Path) -> None:
    spans = re.findall(r"`([A-Za-z_.]+/[A-Za-z0-9_./-]*)`", path.read_text())
    for span in spans:
        if _NO_FILE.match(span):
            continue
        candidates = [ROOT / span, ROOT / "orgdata_dagster" / span, *ROOT.glob(f"{span}*")]
        assert any(candidate.exists() for candidate in candidates), f"{path.name} names {span}"


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_links_between_the_documents_lead_somewhere(path: Path) -> None:
    """mkdocs checks the links of the site's own pages (test_site.py)."""
    for link in filter(None, (part for found in _LINK.findall(path.read_text()) for part in found)):
        assert (path.parent / link).exists(), link


def test_every_variable_is_on_the_page_of_a_project() -> None:
    code = "".join(path.read_text() for path in (ROOT / "orgdata_dagster").rglob("*.py"))
    used = {name for name in re.findall(r"\bORGDATA_[A-Z_]+", code) if not _OF_TESTS.fullmatch(name)}
    page = (ROOT / "docs" / "project.md").read_text()
    assert used == set(re.findall(r"\bORGDATA_[A-Z_]+", page)), "docs/project.md lists them"


@pytest.mark.parametrize("component", list(filter(_is_vendor, COMPONENTS)), ids=lambda each: each.__name__)
def test_every_vendor_takes_retries(component: type[VendorComponent]) -> None:
    """docs/project.md says so for every vendor."""
    options = set(component.model_fields["retries"].annotation.model_fields)  # type: ignore[union-attr]
    together = component is orgdata_dagster.Together
    assert options == {"attempts", "longest_pause"} | (set() if together else {"first_wait"})


@pytest.mark.parametrize("found", list(components(ROOT)), ids=lambda found: found.file.parent.name)
def test_every_vendor_is_documented_and_its_variables_are_where_they_are_set(found: FoundComponent) -> None:
    assert isinstance(found.component, VendorComponent)
    assert (ROOT / "orgdata_dagster" / "vendors" / found.component.kind / "README.md").exists()
    for name in (".env.example", "deploy/compose/compose.yaml", "deploy/compose/dagster.yaml"):
        text = (ROOT / name).read_text()
        assert [each for each in found.component.resource().needed_variables() if each not in text] == [], name
