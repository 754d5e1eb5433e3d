"""The figures on docs/running.md match the code: retention times, and the memory of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orgdata_dagster.orchestration.instance import lake_maintenance, retention
from orgdata_dagster.warehouse.storage import memory

PAGE = (Path(__file__).parent.parent / "docs" / "running.md").read_text()
KEPT = {**retention.KEPT.defaults, **lake_maintenance.KEPT.defaults}


@pytest.mark.parametrize("variable", KEPT)
def test_how_long_things_are_kept(variable: str) -> None:
    (row,) = re.findall(rf"^\| .+ \| (\d+) days?\b.* \| `{variable}` \|$", PAGE, re.MULTILINE)
    assert f"{row}d" == KEPT[variable]


def test_the_memory_of_a_run() -> None:
    share = f"at most {memory.PART:.0%} of the memory".replace("%", " %")
    each = f"between {memory.LEAST >> 20} and {memory.ENOUGH >> 20} MB"
    most = f"at most\n{memory.LARGEST >> 30} GB"
    assert [text for text in (share, each, most) if text not in PAGE] == []
    assert memory.RUNS == 8, "an eighth"
