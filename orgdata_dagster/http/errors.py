"""Every way a call to a vendor can fail, named by how one recovers from it.

What lives here: the exceptions that leave `http/`, and the one function that decides what may work later.
Add here when: a caller has to recover in a way that none of these classes says.
Keep out: sending, waiting and counting (`client`, `retry`); what one vendor's body means (its own
`client.py`).

| class            | recovery                                                                        |
|------------------|---------------------------------------------------------------------------------|
| TransientError   | the same request may work later; the client has not given up yet                 |
| BadBody          | as above: the answer came, but it is cut short, is HTML, or does not parse       |
| Unreachable      | as above: there was no connection; its remedy says what to check                 |
| RetriesExhausted | the client gave up; a later run may work                                         |
| TooLongAPause    | as above, and no other request is to be tried before                            |
| PermanentError   | the same request fails for ever: a person changes the request or the credentials |
| UnsafeUrl        | as above: the answer points where credentials must not go                        |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from orgdata_dagster.http.redaction import excerpt, redact

MESSAGE_CAP = 500

# The statuses that promise to pass. Every other 5xx counts too (CDNs answer 520 to 530 when the origin is
# away), except the two that say the server will never do it.
RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})
_NEVER_IMPLEMENTED = frozenset({501, 505})

# Repeating these gets keys revoked; no vendor setting may add them to the retryable ones.
NEVER_RETRIED = frozenset({400, 401, 403, 404})


class VendorError(Exception):
    """A failed call to a vendor; `str()` is one line that ends with what to do next.

    `code` and `message` are the vendor's own words, redacted and capped at 500 characters; `request_ids`
    holds the headers the vendor asks for in a support ticket.
    """

    remedy = "Look at the vendor's message."

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
        """Fill in what the raiser could not know: a parser knows only its file. Returns itself."""
        self.vendor = self.vendor or vendor
        self.endpoint = self.endpoint or redact(endpoint)
        self.status = status if self.status is None else self.status
        for name, value in (request_ids or {}).items():
            self.request_ids.setdefault(name, one_line(value))
        return self

    @property
    def reason(self) -> str:
        """What happened, without vendor, endpoint and remedy: for a list of reasons or a request's record."""
        status = f"HTTP {self.status}" if self.status is not None and not 200 <= self.status < 300 else ""
        code = f"[{self.code}]" if self.code else ""
        return " ".join(part for part in (status, code, self.message) if part)

    def __str__(self) -> str:
        where = " ".join(part for part in (self.vendor, self.endpoint) if part)
        ids = ", ".join(f"{name}={value}" for name, value in self.request_ids.items())
        told = f"{self.reason} ({ids})" if ids else self.reason
        return f"{where}: {told.rstrip('.')}. {self.remedy}" if where else f"{told.rstrip('.')}. {self.remedy}"


class TransientError(VendorError):
    """The same request may work later: the network, 408, 425, 429, most 5xx.

    `retry_after` is the number of seconds the vendor asks to wait, None where it does not say. `is_waited_for`: the
    rate limit lets nobody send before they are over.
    """

    remedy = "It may work later: run it again."
    retry_after: float | None = None
    is_waited_for: bool = False


class Unreachable(TransientError):
    """No connection: the address, the network, a proxy, or TLS. No matter for the vendor."""

    remedy = "Check the base URL and this machine's network."


class BadBody(TransientError):
    """An answer of 2xx that is no data: cut short, HTML, or it does not parse."""

    remedy = "Run it again; if it stays so, look at what the vendor answers at this endpoint."


class RetriesExhausted(TransientError):
    """The client gave up: `attempts` requests in `seconds`, failed for `reasons` (oldest first)."""

    remedy = "Run it again later; if it stays so, give the vendor the request ids."
    attempts: int = 0
    seconds: float = 0.0
    reasons: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The message alone: it quotes the statuses and codes of the attempts."""
        return self.message


class TooLongAPause(RetriesExhausted):
    """The vendor wants no request for longer than anybody here waits; until then none is sent."""


class PermanentError(VendorError):
    """The same request will fail for ever; never retried."""

    remedy = "Correct the request: repeating it cannot help."


class UnsafeUrl(PermanentError):
    """A link or a redirect that leaves the vendor's origin; nothing was sent there."""

    remedy = "Check the base URL; if the vendor moved, set the new address yourself."


@dataclass(frozen=True)
class ErrorDetail:
    """The vendor's own words about a failure. `recovery`: what its code says of trying again, whatever the status."""

    code: str = ""
    message: str = ""
    recovery: Literal["", "retry", "permanent"] = ""


def classify(status: int, extra_retryable: frozenset[int] = frozenset()) -> type[TransientError] | type[PermanentError]:
    """Which error a status that is not 2xx means; `extra_retryable` holds what one vendor adds."""
    if status in NEVER_RETRIED:
        return PermanentError
    if status in RETRYABLE or status in extra_retryable:
        return TransientError
    return TransientError if 500 <= status < 600 and status not in _NEVER_IMPLEMENTED else PermanentError


def refusal(
    status: int, detail: ErrorDetail, phrase: str, *, retryable: frozenset[int], credentials_from: Sequence[str]
) -> TransientError | PermanentError:
    """The error of an answer that is not 2xx; `retryable` holds the statuses that one vendor adds."""
    kind = classify(status, retryable)
    if detail.recovery:
        kind = TransientError if detail.recovery == "retry" else PermanentError
    remedy = remedy_for(status, credentials_from)
    return kind(detail.message or phrase, status=status, code=detail.code, remedy=remedy)


def remedy_for(status: int, credentials_from: Sequence[str] = ()) -> str | None:
    """What to do about a refusal, naming the credentials' variables; None where the class says it."""
    variables = " and ".join(credentials_from) or "the credentials"
    if status == 401:
        return f"Check {variables}: the vendor does not know these credentials."
    if status == 403:
        return f"Check {variables}: the vendor knows them, but they may not read this."
    if status == 404:
        return "Check the base URL and the endpoint's name."
    return None


def one_line(text: str) -> str:
    """A vendor's words as they may be shown: redacted, on one line, capped at 500 characters."""
    # Redacted before and after: white space may hide a secret, or be a part of it.
    return excerpt(" ".join(redact(text).split()), MESSAGE_CAP)
