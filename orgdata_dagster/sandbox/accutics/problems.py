"""The error envelope of accutics. Its code decides what an error means; its message does not.

Here: the exception that becomes such an answer. The codes of wrong options are ours, because the document lists none.
Add here when: the document's envelope has another member.
Keep out: finding errors (`search`, `paging`, `api`).
"""

from typing import Any


class Problem(Exception):
    """An error answer. `data`: details for people who examine its cause."""

    def __init__(self, status: int, code: str, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, "data": data or {}}
