"""Large pages that are not well-formed are noticed, wherever they are first parsed, and pulled again."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import duckdb
import pytest

from orgdata_dagster.orchestration.tags import FULL_WALK_TAG
from orgdata_dagster.sandbox.exchange import Exchange
from orgdata_dagster.warehouse.commit import ready_rows
from orgdata_dagster.warehouse.pages import extents, json_bytes, json_values
from orgdata_dagster.warehouse.types import column_types
from orgdata_dagster_tests.vendors.octolis.rig import OPTIONS, Rig, people


@dataclass(frozen=True)
class Misspelled:
    """The true answer, of the same length, but one `true` is no JSON."""

    kind: ClassVar[str] = "misspelled"

    async def play(self, exchange: Exchange) -> None:
        start, body = await exchange.true_answer()
        await exchange.send(start)
        await exchange.send_body(b"trux".join(body.rsplit(b"true", 1)))


def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat small pages like large ones: if their records are alike, only the conversion of their rows parses them."""
    monkeypatch.setattr(json_values, "SMALL", 0)
    monkeypatch.setattr(json_bytes, "CHUNK", 1 << 12)
    for module in (extents, ready_rows):
        monkeypatch.setattr(module, "LARGE", 100)


@pytest.mark.parametrize("times", [1, 10])
def test_a_large_page_that_is_malformed_is_pulled_again(
    people_rig: Rig, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    small_is_large(monkeypatch)
    monkeypatch.setattr(extents, "_measured", lambda *_: pytest.fail("it was parsed to be measured"))
    people_rig.vendor.faults.add(Misspelled(), times=times)
    pulled = people_rig.pull("people")
    assert pulled.success == (times == 1)
    assert times == 1 or "not well-formed" in pulled.failure
    assert times > 1 or people_rig.difference("people") == {}


@pytest.mark.parametrize("times", [1, 10])
def test_a_malformed_page_that_only_the_commit_parses_is_pulled_again(
    own_home: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Its rows were not converted before, because memory was short, and the sample for its types ended before."""

    def short(*_: object, **__: object) -> int:
        raise duckdb.OutOfMemoryException

    assert own_home
    rig, large = Rig(stack, people(2_600)), replace(OPTIONS, page_size=2_600)
    assert rig.pull("people", large).success
    small_is_large(monkeypatch)
    monkeypatch.setattr(column_types, "SAMPLE", 10)
    monkeypatch.setattr(ready_rows, "insert", short)
    rig.vendor.faults.add(Misspelled(), times=times)
    pulled = rig.pull("people", large, tags={FULL_WALK_TAG: "true"})
    assert pulled.success == (times == 1), pulled.failure
    assert times == 1 or pulled.failure.count("not well-formed") == 1
    assert rig.difference("people") == {}
