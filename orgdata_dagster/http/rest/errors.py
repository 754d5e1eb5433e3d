"""A vendor's error format: the places of code and message, and the meaning of codes.

Here: `ErrorRules`, for refusals and for errors with status 200. Add here when: errors have another part that matters.
Keep out: what statuses mean in general (http/errors.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from orgdata_dagster.http import body
from orgdata_dagster.http.errors import BadBody, ErrorDetail, PermanentError
from orgdata_dagster.http.rest.paths import MISSING, find


class NoData(PermanentError):
    """A code of the vendor means that there are no rows."""


@dataclass(frozen=True)
class ErrorRules:
    """The places of an error in an answer, and the meaning of its codes. Codes are text.

    code_at, message_at: paths in the answer.
    success: codes that are not errors.
    retryable, permanent: codes of errors that are, or are not, worth a retry.
    no_data: codes that mean that there are no rows.
    remedies: code -> advice for the user.
    """

    code_at: str = ""
    message_at: str = ""
    success: frozenset[str] = frozenset()
    retryable: frozenset[str] = frozenset()
    permanent: frozenset[str] = frozenset()
    no_data: frozenset[str] = frozenset()
    remedies: Mapping[str, str] = field(default_factory=dict)

    def read(self, content: bytes, headers: httpx.Headers) -> ErrorDetail:
        """Code, message and recovery of a refusal, in the common shapes if the rules find nothing."""
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            return body.read_error(content, headers)
        usual = body.read_error(content, headers)
        code, message = self._code(document), find(document, self.message_at) if self.message_at else MISSING
        code = code or usual.code
        recovery: Literal["", "retry", "permanent"] = (
            "retry" if code in self.retryable else "permanent" if code in self.permanent else ""
        )
        return ErrorDetail(code, usual.message if message is MISSING else str(message), recovery)

    def check(self, document: Any) -> None:
        """Raise the error in an answer with status 200, if there is one. A BadBody is retried."""
        code = self._code(document)
        if not code or code in self.success:
            return
        message = find(document, self.message_at) if self.message_at else MISSING
        message = str(message) if message is not MISSING else "an error with status 200"
        if code in self.no_data:
            raise NoData(message, code=code)
        if code in self.permanent:
            raise PermanentError(message, code=code)
        raise BadBody(message, code=code)

    def says_success(self, document: Any) -> bool:
        """Whether the answer has a code that is not an error."""
        return self._code(document) in self.success

    def _code(self, document: Any) -> str:
        found = find(document, self.code_at) if self.code_at else MISSING
        if found is MISSING or found is None or found == "" or isinstance(found, Mapping | list):
            return ""
        return json.dumps(found) if isinstance(found, bool) else str(found)
