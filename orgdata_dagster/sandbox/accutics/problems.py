"""The error envelope of accutics: a code that decides, a message that does not.

Here: the exception that is such an answer.
Add here when: the document's envelope grows.
Keep out: finding errors (`search`, `paging`, `api`). Codes of wrong options are ours; the document lists none.
"""

from typing import Any


class Problem(Exception):
    """An answer that is an error; `data` is for people who look into its cause."""

    def __init__(self, status: int, code: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, "data": data or {}}
