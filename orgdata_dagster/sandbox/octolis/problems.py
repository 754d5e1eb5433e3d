"""The error objects of octolis, word for word as in its document.

Here: the exception that becomes such an object, and one function per kind of error.
Add here when: the document (`vendor_apis/octolis.md`, "Errors handling") shows another error.
Keep out: finding errors (`columns`, `dataset`, `query`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Doing = Literal["upsertion", "update"]
"""The kind of write, in the document's words."""


class Problem(Exception):
    """An error answer; in the result of a batch, the same object is a row's `error`."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body: dict[str, Any] = {"title": title, "detail": detail, "status": status, **more}


def invalid(doing: str, values: object, errors: Sequence[str]) -> Problem:
    """Values of the wrong type, range or name."""
    title, detail = "Validation failed for the provided data", f"Validation for {doing} request failed"
    return Problem(400, title, detail, values=values, errors=list(errors))


def missing(doing: Doing, names: Sequence[str]) -> Problem:
    """Mandatory columns are missing."""
    title = f"Missing mandatory columns from the {doing} data"
    detail = f"Missing the following mandatory columns: {', '.join(names)}"
    return Problem(400, title, detail, missing=list(names))


def not_unique(values: Mapping[str, Any], key: Sequence[str]) -> Problem:
    """An update would give two records the same key."""
    title = "Unique constraint violated by the provided data"
    return Problem(400, title, f"Another record has the same {', '.join(key)}", values=dict(values))


def not_found(what: str) -> Problem:
    """There is no such route, dataset, record or webhook."""
    return Problem(404, "Not found", f"{what} not found")


def read_only() -> Problem:
    """A write to a SQL dataset. The document says "you can't write to a SQL Dataset", but not the status."""
    return Problem(403, "Dataset is read-only", "You can't write to a SQL Dataset, only read from it")


def busy() -> Problem:
    """Somebody else is changing the dataset; the document advises to try again after 5 seconds."""
    return Problem(423, "Dataset is busy", "The Dataset is busy due to a user action, please retry in a few seconds")
