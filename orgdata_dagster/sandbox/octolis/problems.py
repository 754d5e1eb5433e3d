"""What octolis says when it does not do what was asked: the error objects of its document, word for word.

Here: the one exception that is such an object, and one function for each kind of it.
Add here when: the document (`vendor_apis/octolis.md`, "Errors handling") shows another error.
Keep out: deciding that something is wrong (`columns`, `dataset`, `query`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Doing = Literal["upsertion", "update"]
"""What a payload is for, in the document's words."""


class Problem(Exception):
    """An answer that is an error; inside a batch the same object is a row's `error`."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body: dict[str, Any] = {"title": title, "detail": detail, "status": status, **more}


def invalid(doing: str, values: object, errors: Sequence[str]) -> Problem:
    """Values of the wrong type, range or name."""
    title, detail = "Validation failed for the provided data", f"Validation for {doing} request failed"
    return Problem(400, title, detail, values=values, errors=list(errors))


def missing(doing: Doing, names: Sequence[str]) -> Problem:
    """Columns without which no record can be told from another."""
    title = f"Missing mandatory columns from the {doing} data"
    detail = f"Missing the following mandatory columns: {', '.join(names)}"
    return Problem(400, title, detail, missing=list(names))


def not_unique(values: Mapping[str, Any], key: Sequence[str]) -> Problem:
    """An update that would give two records one key."""
    title = "Unique constraint violated by the provided data"
    return Problem(400, title, f"Another record has the same {', '.join(key)}", values=dict(values))


def not_found(what: str) -> Problem:
    """No such route, dataset, record or webhook."""
    return Problem(404, "Not found", f"{what} not found")


def read_only() -> Problem:
    """A write to a SQL dataset: its document says "you can't write to a SQL Dataset", not with which status."""
    return Problem(403, "Dataset is read-only", "You can't write to a SQL Dataset, only read from it")


def busy() -> Problem:
    """The dataset is being changed by somebody else; the document advises to try again after 5 seconds."""
    return Problem(423, "Dataset is busy", "The Dataset is busy due to a user action, please retry in a few seconds")
