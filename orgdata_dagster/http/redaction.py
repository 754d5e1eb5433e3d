"""Redaction: keep the values of secrets out of logs, tracebacks and errors.

Here: the secrets of this process, `redact` for a text, and the hooks that redact every log record and every uncaught
exception. Values are searched for, because they appear in many places: connection.py logs whole URLs and httpcore
logs headers at DEBUG, exceptions quote both.
Add here when: text leaves the process in another way.
Keep out: how a value may be spelled (spellings.py), which values are secret (the vendors' clients register theirs).
"""

import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from orgdata_dagster.http.spellings import REDACTED, Finder

# A shorter value would redact half of every log and protect nothing.
SHORTEST_SECRET = 4
# If a cut text ends with this many characters of the beginning of a secret, they are redacted.
_HEAD = 4
# The number of tokens that are redacted; the oldest one is given up for a new one.
MOST_TOKENS = 100
# An excerpt is made from this many characters of a text.
_EXCERPT_OF = 1 << 16

__all__ = [
    "REDACTED", "excerpt", "forget", "install", "redact", "redact_end", "redact_exception", "register",
    "register_token",
]  # fmt: skip

_E = TypeVar("_E", bound=BaseException)

_lock = threading.Lock()
_values: set[str] = set()
_tokens: deque[str] = deque(maxlen=MOST_TOKENS)
_finder: Finder | None = None


def register(*values: str) -> None:
    """Redact these values in this process from now on. Values under 4 characters are ignored."""
    global _finder
    with _lock:
        fresh = {value for value in values if len(value) >= SHORTEST_SECRET} - _values
        if fresh:
            _values.update(fresh)
            _finder = Finder(_values.union(_tokens))


def register_token(token: str) -> None:
    """Redact a token that expires. Only the latest 100 are redacted, because each value makes every text slower."""
    global _finder
    with _lock:
        if len(token) >= SHORTEST_SECRET and token not in _tokens:
            _tokens.append(token)
            _finder = Finder(_values.union(_tokens))


def forget() -> None:
    """Redact no value any more. For a process that continues with other secrets."""
    global _finder
    with _lock:
        _values.clear()
        _tokens.clear()
        _finder = None


def redact(text: str) -> str:
    """The text with every registered value, however it is encoded, replaced by `[redacted]`."""
    return _finder.redact(text) if _finder is not None else text


def redact_end(text: str, least: int = _HEAD) -> str:
    """Redact a text that was cut, including the start of a value at its end, of at least `least` characters."""
    return _finder.redact_end(_finder.redact(text), least) if _finder is not None else text


def excerpt(text: str, longest: int) -> str:
    """The redacted start of a text, of at most `longest` characters.

    Use this and never a slice: after a cut through a secret, its rest is not recognised any more.
    """
    clean = redact_end(text[:_EXCERPT_OF])
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def redact_exception(exc: _E) -> _E:
    """Redact the exception and its causes in place, as far as attributes allow; returns it."""
    if _finder is None:
        return exc
    for each in _chain(exc):
        each.args = tuple(_redact_value(arg) for arg in each.args)
        state = vars(each)
        state |= {name: _redact_value(value) for name, value in state.items() if isinstance(value, str | list | tuple)}
        if isinstance(each, OSError) and isinstance(each.filename, str):
            each.filename = redact(each.filename)
    return exc


def install() -> None:
    """Redact every log record when it is created, and every uncaught exception. May be called several times."""
    with _lock:
        factory = logging.getLogRecordFactory()
        if not isinstance(factory, _RecordFactory):
            logging.setLogRecordFactory(_RecordFactory(factory))
        if not isinstance(sys.excepthook, _ExceptHook):
            sys.excepthook = _ExceptHook(sys.excepthook)
        if not isinstance(threading.excepthook, _ThreadExceptHook):
            threading.excepthook = _ThreadExceptHook(threading.excepthook)


def _redact_value(value: Any) -> Any:
    """The value itself if it contains no secret, otherwise its redacted text."""
    if isinstance(value, str):
        return redact(value)
    if type(value) in (list, tuple):
        return type(value)(_redact_value(item) for item in value)
    try:
        text = str(value)
        clean = redact(text) == text and redact(repr(value)) == repr(value)
    except Exception:  # noqa: BLE001 - a failing __repr__ must not replace the error
        return f"<{type(value).__name__}>"
    return value if clean else redact(text)


def _chain(exc: BaseException) -> Iterable[BaseException]:
    seen: dict[int, BaseException] = {}
    waiting: list[BaseException | None] = [exc]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen[id(each)] = each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions
    return seen.values()


class _RecordFactory:
    """Creates the records of all loggers in the process, so that no handler sees an unredacted one."""

    def __init__(self, inner: Callable[..., logging.LogRecord]) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._inner(*args, **kwargs)
        if _finder is not None:
            _clean_message(record)
            _clean_traceback(record)
        return record


def _clean_message(record: logging.LogRecord) -> None:
    # Arguments keep their number and types where possible: some formatters (uvicorn's) unpack them.
    if isinstance(record.msg, str):
        record.msg = redact(record.msg)
    if isinstance(record.args, tuple):
        record.args = tuple(redact(arg) if isinstance(arg, str) else arg for arg in record.args)
    elif record.args:
        record.args = {name: redact(arg) if isinstance(arg, str) else arg for name, arg in record.args.items()}
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - after a wrong %-format logging would print template and arguments unredacted
        message = f"{record.msg} {record.args}"
    if redact(message) != message:
        record.msg, record.args = redact(message), ()


def _clean_traceback(record: logging.LogRecord) -> None:
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    if not record.exc_info or record.exc_info[1] is None:
        return
    redact_exception(record.exc_info[1])
    rendered = logging.Formatter().formatException(record.exc_info)
    if redact(rendered) != rendered:
        # Removed, because handlers that render exc_info themselves would show the secret.
        record.exc_text, record.exc_info = redact(rendered), None


class _ExceptHook:
    def __init__(self, inner: Callable[[type[BaseException], BaseException, TracebackType | None], Any]) -> None:
        self._inner = inner

    def __call__(self, kind: type[BaseException], exc: BaseException, trace: TracebackType | None) -> None:
        if not _printed_redacted(exc, trace):
            self._inner(kind, exc, trace)


class _ThreadExceptHook:
    def __init__(self, inner: Callable[[threading.ExceptHookArgs], Any]) -> None:
        self._inner = inner

    def __call__(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or not _printed_redacted(args.exc_value, args.exc_traceback):
            self._inner(args)


def _printed_redacted(exc: BaseException, trace: TracebackType | None) -> bool:
    """Print the redacted traceback if it still shows a secret; returns whether it was printed."""
    redact_exception(exc)
    rendered = "".join(traceback.format_exception(type(exc), exc, trace))
    if redact(rendered) == rendered:
        return False
    sys.stderr.write(redact(rendered))
    return True
