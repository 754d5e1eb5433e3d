"""Upserts and updates by requests: of one payload, or of a batch with one result per row.

Here: the shapes of bodies and answers of the four writing endpoints.
Add here when: the document says more about answers to writes.
Keep out: changing records (`dataset`), routes (`api`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from orgdata_dagster.sandbox.octolis import problems
from orgdata_dagster.sandbox.octolis.columns import MASTERID
from orgdata_dagster.sandbox.octolis.dataset import Dataset, Written
from orgdata_dagster.sandbox.octolis.problems import Doing, Problem

MAX_BATCH = 500

Answer = dict[str, Any]


def upsert(dataset: Dataset, payload: Any, at: datetime) -> Answer:
    """`POST records`. This and the other three raise Problem if nothing is written."""
    return _answer(dataset.upsert(_object(payload, "upsertion"), at))


def update(dataset: Dataset, masterid: str, payload: Any, at: datetime) -> Answer:
    """`PATCH records/{masterid}`."""
    return _answer(dataset.update(masterid, _object(payload, "update"), at))


def upsert_batch(dataset: Dataset, payload: Any, at: datetime, *, all_or_none: bool = False) -> Answer:
    """`POST records/batch`.

    all_or_none: whether the problem of one row is the answer to the whole batch, and no row is written.
    """
    rows = _rows(payload, "upsertion")
    if all_or_none:
        _check(dataset, rows, "upsertion")
    return _batch(rows, lambda row: dataset.upsert(row, at))


def update_batch(dataset: Dataset, payload: Any, at: datetime, *, all_or_none: bool = False) -> Answer:
    """`PATCH records/batch`; each row has its `__masterid__`."""
    rows = _rows(payload, "update")
    if all_or_none:
        _check(dataset, rows, "update")

    def write(row: Mapping[str, Any]) -> Written:
        if not isinstance(row.get(MASTERID), str):
            raise problems.missing("update", [MASTERID])
        return dataset.update(row[MASTERID], row, at)

    return _batch(rows, write)


def _batch(rows: list[dict[str, Any]], write: Callable[[Mapping[str, Any]], Written]) -> Answer:
    results: list[Answer] = []
    for row in rows:
        try:
            results.append({"written": True, **_answer(write(row))})
        except Problem as problem:
            results.append({"written": False, "error": problem.body})
    return {"results": results}


def _answer(written: Written) -> Answer:
    answer: Answer = {"record": written.record}
    if written.protected:
        answer["warnings"] = {"protected_columns": written.protected}
    return answer


def _check(dataset: Dataset, rows: list[dict[str, Any]], doing: Doing) -> None:
    for row in rows:
        dataset.schema.accept(row, doing)


def _object(payload: Any, doing: Doing) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise problems.invalid(doing, payload, ["(#/type) - must be object"])
    return payload


def _rows(payload: Any, doing: Doing) -> list[dict[str, Any]]:
    if not isinstance(payload, list):
        raise problems.invalid(f"batch {doing}", None, ["(#/type) - must be array"])
    if len(payload) > MAX_BATCH:
        raise problems.invalid(f"batch {doing}", None, [f"(#/maxItems) - must NOT have more than {MAX_BATCH} items"])
    return [_object(row, doing) for row in payload]
