"""Every HTTP fault that the sandbox can play, as JSON for its control endpoint.

Here: the variants of each kind, which are found in the sandbox, so that a new kind is tried without a change here. Keep
out: when they are played (faults.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from itertools import product
from typing import Any, get_args, get_type_hints

from orgdata_dagster.sandbox.faults import KINDS

# values of fields whose type does not list them
_VALUES: dict[str, list[dict[str, Any]]] = {
    "status": [
        {"status": 500}, {"status": 503, "retry_after": 0.2}, {"status": 429, "retry_after": 0.2}, {"status": 400},
        {"status": 404},
    ],
    "slow": [{"seconds": 0.4}, {"seconds": 0.4, "part": 0.5}],
    "redirect": [{"url": "http://127.0.0.1:9/elsewhere"}],
    "reset": [{}, {"part": 0.5}],
}  # fmt: skip
CHANGES_A_ROW = "bad_character"


def variants() -> dict[str, dict[str, Any]]:
    """Name of a fault -> the fault. Raises TypeError if a value is neither in the type of a field nor in _VALUES."""
    return {_named(fault): fault for kind in KINDS for fault in _of(kind)}


def _of(kind: str) -> Iterator[dict[str, Any]]:
    if kind in _VALUES:
        yield from ({"kind": kind, **values} for values in _VALUES[kind])
        return
    hints = get_type_hints(KINDS[kind])
    choices: dict[str, tuple[Any, ...]] = {}
    for each in fields(KINDS[kind]):
        literals = tuple(value for value in get_args(hints[each.name]) if isinstance(value, str))
        if literals:
            choices[each.name] = literals
        elif each.default is MISSING and each.default_factory is MISSING:
            raise TypeError(f"the fault {kind!r} needs {each.name}: add its values in {__name__}")
    for values in product(*choices.values()):
        yield {"kind": kind, **dict(zip(choices, values, strict=True))}


def _named(fault: dict[str, Any]) -> str:
    shown = [str(value) for name, value in fault.items() if name not in ("kind", "url", "retry_after", "seconds")]
    return " ".join([fault["kind"], *shown])
