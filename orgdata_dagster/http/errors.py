"""The errors of requests to vendors, classified by how to recover from them.

Here: the exceptions that leave `http/`, and the function that decides which statuses are retryable.
Add here when: a caller has to recover in a way that none of these classes covers.
Keep out: sending and retrying (client.py, retry.py); the meaning of one vendor's error bodies (its client.py).

| class            | recovery                                                                        |
|------------------|---------------------------------------------------------------------------------|
| TransientError   | the same request may work later; the client retries it                           |
| BadBody          | as above: the answer is truncated, is HTML, or does not parse                    |
| Unreachable      | as above: there was no connection; its remedy says what to check                 |
| RetriesExhausted | the client gave up; a later run may work                                         |
| TooLongAPause    | as above, and no other request is to be tried before                            |
| PermanentError   | the same request always fails: a user changes the request or the credentials     |
| UnsafeUrl        | as above: a link leads to a host that must not receive the credentials           |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from orgdata_dagster.http.redaction import excerpt, redact

MESSAGE_CAP = 500

# Statuses that may pass. Every other 5xx is retryable too (CDNs answer 520 to 530 if the origin is unreachable), except
# the two that mean that the server never supports the request.
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
_NEVER_IMPLEMENTED = frozenset({501, 505})

# Repeating these can get a key revoked; no vendor may add them to the retryable statuses.
NEVER_RETRIED = frozenset({400, 401, 403, 404})


class VendorError(Exception):
    """A failed request to a vendor. `str()` is one line that ends with what to do.

    message, code: from the vendor, redacted and limited to 500 characters.
    endpoint: path without the query. `status`: HTTP status, None without an answer.
    request_ids: header -> value, for a support ticket with the vendor.
    remedy: what to do.
    """

    remedy = "See the vendor's message."

    def __init__(
        self,
        message: str,
        *,
        vendor: str = "",
        endpoint: str = "",
        status: int | None = None,
        code: str = "",
        request_ids: Mapping[str, str] | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message = one_line(message)
        super().__init__(self.message)
        self.vendor = vendor
        self.endpoint = redact(endpoint)
        self.status = status
        self.code = one_line(code)
        self.request_ids = {name: one_line(value) for name, value in (request_ids or {}).items()}
        if remedy is not None:
            self.remedy = remedy

    def about(
        self, *, vendor: str, endpoint: str, status: int | None, request_ids: Mapping[str, str] | None = None
    ) -> Self:
        """Fill in fields that are still empty; returns itself. A parser, for example, does not know the vendor."""
        self.vendor = self.vendor or vendor
        self.endpoint = self.endpoint or redact(endpoint)
        self.status = status if self.status is None else self.status
        for name, value in (request_ids or {}).items():
            self.request_ids.setdefault(name, one_line(value))
        return self

    @property
    def reason(self) -> str:
        """What happened, without vendor, endpoint and remedy."""
        status = f"HTTP {self.status}" if self.status is not None and not 200 <= self.status < 300 else ""
        code = f"[{self.code}]" if self.code and self.code != str(self.status) else ""
        return " ".join(part for part in (status, code, self.message) if part)

    def __str__(self) -> str:
        where = " ".join(part for part in (self.vendor, self.endpoint) if part)
        ids = ", ".join(f"{name}={value}" for name, value in self.request_ids.items())
        message = f"{self.reason} ({ids})" if ids else self.reason
        return f"{where}: {message.rstrip('.')}. {self.remedy}" if where else f"{message.rstrip('.')}. {self.remedy}"


class TransientError(VendorError):
    """The same request may work later: network errors, 408, 425, 429, most 5xx.

    retry_after: seconds that the vendor asks to wait, None if it does not say.
    is_waited_for: the rate limit holds all requests back until they are over.
    """

    remedy = "It may work later: try again."
    retry_after: float | None = None
    is_waited_for: bool = False


class Unreachable(TransientError):
    """There was no connection, because of the address, the network, a proxy, or TLS."""

    remedy = "Check the base URL and this machine's network."


class BadBody(TransientError):
    """A 2xx answer without usable data: it is truncated, is HTML, or does not parse."""

    remedy = "Try again. If the error stays, check what the vendor answers at this endpoint."


class RetriesExhausted(TransientError):
    """The client gave up after `attempts` requests in `seconds`; `reasons`: why they failed, oldest first."""

    remedy = "Try again later. If the error stays, give the request ids to the vendor."
    attempts: int = 0
    seconds: float = 0.0
    reasons: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The message, which contains the statuses and codes of the attempts."""
        return self.message


class TooLongAPause(RetriesExhausted):
    """The vendor asks for a longer pause than `longest_pause`. No request is sent until the pause ends."""


class PermanentError(VendorError):
    """The same request will always fail; it is never retried."""

    remedy = "Correct the request; repeating it cannot help."


class UnsafeUrl(PermanentError):
    """A link or redirect that leaves the vendor's origin. Nothing was sent there."""

    remedy = "Check the base URL. If the vendor has moved, set the new address yourself."


@dataclass(frozen=True)
class ErrorDetail:
    """The vendor's description of a failure. `recovery`: whether its code allows a retry, regardless of the status."""

    code: str = ""
    message: str = ""
    recovery: Literal["", "retry", "permanent"] = ""


def classify(status: int, extra_retryable: frozenset[int] = frozenset()) -> type[TransientError] | type[PermanentError]:
    """The error class of a status that is not 2xx. `extra_retryable`: further retryable statuses of one vendor."""
    if status in NEVER_RETRIED:
        return PermanentError
    if status in RETRYABLE or status in extra_retryable:
        return TransientError
    return TransientError if 500 <= status < 600 and status not in _NEVER_IMPLEMENTED else PermanentError


def refusal(
    status: int, detail: ErrorDetail, phrase: str, *, retryable: frozenset[int], credentials_from: Sequence[str]
) -> TransientError | PermanentError:
    """The error of an answer that is not 2xx. `retryable`: further retryable statuses of one vendor."""
    kind = classify(status, retryable)
    if detail.recovery:
        kind = TransientError if detail.recovery == "retry" else PermanentError
    remedy = remedy_for(status, credentials_from)
    return kind(detail.message or phrase, status=status, code=detail.code, remedy=remedy)


def remedy_for(status: int, credentials_from: Sequence[str] = ()) -> str | None:
    """What to do about a 401, 403 or 404, with the variables of the credentials; None for other statuses."""
    variables = " and ".join(credentials_from) or "the credentials"
    if status == 401:
        return f"Check {variables}: the vendor does not accept these credentials."
    if status == 403:
        return f"Check {variables}: these credentials are not allowed to read this."
    if status == 404:
        return "Check the base URL and the endpoint's name."
    return None


def one_line(text: str) -> str:
    """A vendor's text for display: redacted, on one line, limited to 500 characters."""
    # Redacted before and after, because white space may hide a secret or be part of one.
    return excerpt(" ".join(redact(text).split()), MESSAGE_CAP)
