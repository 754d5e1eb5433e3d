"""A registered value shows up nowhere, however it is spelled and wherever it is said."""

import base64
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgdata_dagster.http import redaction
from orgdata_dagster.http.redaction import REDACTED, install, redact, redact_exception, register

# Put together, so that a traceback's source lines do not hold it.
HUSH = "-".join(["hush", "hush"])
SECRET = "ca/na+ry é&=%s\"'\\x"


@pytest.fixture(autouse=True)
def _only_these_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_values", set())
    monkeypatch.setattr(redaction, "_pattern", None)


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What a plain handler prints of a logger, and install() done."""
    install()
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    LOG.addHandler(handler)
    yield stream
    LOG.removeHandler(handler)


# Outside the tree of loggers: pytest's own handler turns a wrong format into an exception.
LOG = logging.Logger("orgdata.test", logging.DEBUG)


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").replace("%2F", "%2f"),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        httpx.QueryParams({"k": SECRET}).__str__()[2:],
    ],
)
def test_spellings(spelled: str) -> None:
    register(SECRET)
    assert redact(f"a {spelled} b") == f"a {REDACTED} b"


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user"])
def test_base64_of_more_than_the_secret(user: str) -> None:
    register("correct-horse")
    basic = base64.b64encode(f"{user}:correct-horse".encode()).decode()
    assert REDACTED in redact(basic)
    assert len(redact(basic).replace(REDACTED, "")) <= len(user) * 2 + 8


def test_longest_first() -> None:
    register("secret", "secret-and-more")
    assert redact("secret-and-more, secret") == f"{REDACTED}, {REDACTED}"


def test_short_values_are_ignored() -> None:
    register("", "abc")
    assert redact("abcabc") == "abcabc"


def test_a_value_that_is_not_utf8() -> None:
    value = os.fsdecode(b"caf\xe9-key")
    register(value)
    assert redact(f"{value} {value!r}") == f"{REDACTED} '{REDACTED}'"


@given(secret=st.text(min_size=4, max_size=20), before=st.text(max_size=10), after=st.text(max_size=10))
def test_never_left_standing(secret: str, before: str, after: str) -> None:
    register(secret)
    assert secret not in redact(before + secret + after).replace(REDACTED, "\0")


def test_registering_from_many_threads() -> None:
    names = [f"thread-secret-{i:03}" for i in range(200)]
    threads = [threading.Thread(target=register, args=names[i::8]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redact(" ".join(names)) == " ".join([REDACTED] * 200)


def test_messages_and_arguments(logged: StringIO) -> None:
    register(SECRET)
    LOG.info("%s %d %5.1f %r", f"x{SECRET}", 7, 1.25, SECRET)
    LOG.info("plain " + SECRET)
    LOG.info("%(key)s %(n)03d", {"key": SECRET, "n": 5})
    LOG.info("%s", httpx.URL("https://h/", params={"k": SECRET}))
    LOG.info("%s", {"header": [SECRET.encode()]})
    LOG.info("untouched %s %d", "text", 3)
    assert logged.getvalue().splitlines() == [
        f"INFO x{REDACTED} 7   1.2 '{REDACTED}'",
        f"INFO plain {REDACTED}",
        f"INFO {REDACTED} 005",
        f"INFO https://h/?k={REDACTED}",
        f"INFO {{'header': [b'{REDACTED}']}}",
        "INFO untouched text 3",
    ]


@pytest.mark.usefixtures("logged")
def test_arguments_keep_their_number() -> None:
    """uvicorn's access log unpacks five arguments: collapsing them into the message would break its formatter."""
    register(HUSH)
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    LOG.addHandler(handler)
    LOG.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "GET", f"/x?api-key={HUSH}", "1.1", 200)
    LOG.removeHandler(handler)
    assert seen[0].args == ("127.0.0.1", "GET", f"/x?api-key={REDACTED}", "1.1", 200)


def test_a_wrong_format_does_not_leak(logged: StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    register(HUSH)
    LOG.info("%d %d", object(), HUSH)
    LOG.info(f"{HUSH} %d", "x", {"k": HUSH.encode()})
    assert HUSH not in logged.getvalue() + "".join(capsys.readouterr())


class Stubborn(Exception):
    def __str__(self) -> str:
        return f"stubborn {HUSH}"


@pytest.mark.parametrize("error", [ValueError(HUSH), Stubborn(), OSError(2, "no", f"/{HUSH}"), KeyError(HUSH)])
def test_tracebacks(logged: StringIO, error: Exception) -> None:
    register(HUSH)
    try:
        raise RuntimeError("outer") from error
    except RuntimeError:
        LOG.exception("failed", stack_info=True)
    text = logged.getvalue()
    assert REDACTED in text
    assert "RuntimeError: outer" in text
    assert HUSH not in text


def test_exceptions_are_rewritten_with_all_they_come_from() -> None:
    register(HUSH)
    inner = ValueError(HUSH, 7, HUSH.encode(), {"k": HUSH})
    group = ExceptionGroup("several", [KeyError(HUSH)])
    group.__context__ = inner
    outer = RuntimeError(f"outer {HUSH}")
    outer.add_note(f"note {HUSH}")
    outer.__cause__ = group
    inner.__cause__ = outer  # a ring must not hang
    assert redact_exception(outer) is outer
    assert outer.args == (f"outer {REDACTED}",)
    assert outer.__notes__ == [f"note {REDACTED}"]
    assert inner.args[:2] == (REDACTED, 7)
    assert HUSH not in repr((inner.args, group.exceptions))


def test_install_is_idempotent() -> None:
    install()
    hooks = logging.getLogRecordFactory(), sys.excepthook, threading.excepthook
    install()
    assert (logging.getLogRecordFactory(), sys.excepthook, threading.excepthook) == hooks


UNCAUGHT = """
import sys, threading
from orgdata_dagster.http.redaction import install, register
secret = sys.stdin.read()
register(secret); install()
class Stubborn(Exception):
    def __str__(self): return "stubborn " + secret
def fall(kind): raise kind("thread " + secret)
for kind in (ValueError, Stubborn):
    thread = threading.Thread(target=fall, args=[kind]); thread.start(); thread.join()
fall(Stubborn if sys.argv[1:] else ValueError)
"""


@pytest.mark.parametrize("args", [[], ["stubborn"]])
def test_uncaught_exceptions(args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCAUGHT, *args], input=HUSH, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert HUSH not in done.stdout + done.stderr
    assert done.stderr.count(REDACTED) == 3
