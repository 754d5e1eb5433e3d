"""A registered value appears nowhere, in whatever spelling or output."""

import base64
import hashlib
import html
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import StringIO
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgdata_dagster.http import redaction
from orgdata_dagster.http.redaction import REDACTED, excerpt, install, redact, redact_exception, register

# Put together, so that a traceback's source lines do not hold it.
HUSH = "-".join(["hush", "hush"])
SECRET = "ca/na+ry é&=%s\"'\\x"


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
def test_every_spelling_is_redacted(spelled: str) -> None:
    register(SECRET)
    assert redact(f"a {spelled} b") == f"a {REDACTED} b"


def escaped_html(value: str, how: str) -> str:
    return "".join(how.format(ord(character)) for character in value)


def units(value: str) -> list[int]:
    data = value.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]


NAMED = {
    "amp": "&", "quot": '"', "apos": "'", "sol": "/", "plus": "+", "percnt": "%", "equals": "=", "bsol": "\\",
    "eacute": "é",
}  # fmt: skip
ENCODERS: dict[str, Callable[[str], str]] = {
    "percent": lambda value: quote(value, safe=""),
    "percent, every character": lambda value: "".join(f"%{octet:02x}" for octet in value.encode()),
    "percent twice": lambda value: quote(quote(value, safe=""), safe=""),
    "percent three times": lambda value: quote(quote(quote(value))),
    "plus": quote_plus,
    "plus, then percent": lambda value: quote(quote_plus(value)),
    "html": html.escape,
    "html twice": lambda value: html.escape(html.escape(value)),
    "html, decimal": lambda value: escaped_html(value, "&#{};"),
    "html, decimal with zeros": lambda value: escaped_html(value, "&#{:07d};"),
    "html, hex": lambda value: escaped_html(value, "&#x{:X};"),
    "html, named": lambda value: value.translate({ord(each): f"&{name};" for name, each in NAMED.items()}),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "u": lambda value: "".join(f"\\u{unit:04x}" for unit in units(value)),
    "u in JSON": lambda value: json.dumps("".join(f"\\u{unit:04X}" for unit in units(value)))[1:-1],
    "x": lambda value: "".join(f"\\x{octet:02x}" for octet in value.encode()),
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)[1:-1])[1:-1],
    "JSON, slash escaped": lambda value: json.dumps(value)[1:-1].replace("/", "\\/"),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64url": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "every other percent": lambda value: "".join(
        f"%{ord(each):02X}" if at % 2 and each.isascii() else each for at, each in enumerate(value)
    ),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("secret", [SECRET, "sk_live_51HqYt0Jk2eXAMPLEq9", "x1" * 30 + "-/+=" + "y2" * 30])
def test_every_encoding_is_redacted(encoder: str, secret: str) -> None:
    register(secret)
    shown = redact(f"<a href='{ENCODERS[encoder](secret)}'>")
    assert shown == f"<a href='{REDACTED}'>"


TOKENS = st.text(st.sampled_from("abcXYZ019-_.+/=&%\\\"' é€"), min_size=8, max_size=40)


@settings(deadline=None)
@given(secret=TOKENS, name=st.sampled_from(sorted(ENCODERS)), before=st.text(max_size=6), after=st.text(max_size=6))
def test_no_encoding_hides_the_secret_from_redaction(secret: str, name: str, before: str, after: str) -> None:
    redaction.forget()
    register(secret)
    spelled = ENCODERS[name](secret)
    shown = redact(f"{before}\n{spelled}\n{after}")
    assert spelled not in shown.replace(REDACTED, "\0")
    assert REDACTED in shown


@settings(deadline=None)
@given(
    data=st.data(), secret=st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789"), min_size=20, max_size=200)
)
def test_at_most_a_few_characters_of_a_cut_secret_remain(data: st.DataObject, secret: str) -> None:
    """Some other program cut the text: a long enough piece of a secret is recognized wherever it stands."""
    redaction.forget()
    register(secret)
    begin = data.draw(st.integers(0, len(secret) - 1))
    end = data.draw(st.integers(begin + 1, len(secret)))
    shown = redact(f"it is '{secret[begin:end]}' here")
    assert end - begin < 16 or shown == f"it is '{REDACTED}' here"


@settings(deadline=None)
@given(room=st.integers(4, 80), at=st.integers(0, 90), secret=st.text(st.sampled_from("ABCDEFGH23456789"), min_size=9))
def test_an_excerpt_shows_no_part_of_a_secret(room: int, at: int, secret: str) -> None:
    redaction.forget()
    register(secret)
    for text in ("." * at + secret + "." * 50, "." * at + secret[: max(4, len(secret) // 2)]):
        shown = excerpt(text, room)
        assert len(shown) <= max(room, at + len(REDACTED))
        assert secret[:4] not in shown


def test_a_base64_text_folded_into_lines() -> None:
    secret = "a-rather-long-secret-of-" + "0123456789" * 5
    register(secret)
    folded = base64.encodebytes(f"user:{secret}:and more".encode()).decode()
    assert len("".join(redact(folded).replace(REDACTED, "").split())) < 40


def test_other_text_stays() -> None:
    register("sandbox-key", "sandbox-token", "sandbox-client")
    text = "GET http://127.0.0.1:8099/public/sandbox-organization/reports?key=value%20of&amp;x=1 \\u0061 sandbox"
    assert redact(text) == text
    assert redaction.redact_end("the sand") == f"the {REDACTED}"


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user"])
def test_base64_of_a_longer_text_with_the_secret(user: str) -> None:
    register("correct-horse")
    basic = base64.b64encode(f"{user}:correct-horse".encode()).decode()
    assert REDACTED in redact(basic)
    assert len(redact(basic).replace(REDACTED, "")) <= len(user) * 2 + 8


def test_longer_secrets_are_redacted_first() -> None:
    register("secret", "secret-and-more")
    assert redact("secret-and-more, secret") == f"{REDACTED}, {REDACTED}"


def test_the_latest_tokens_are_redacted_and_older_ones_are_given_up() -> None:
    """A process that renews a token every hour for a year must not search for thousands of them."""
    register(SECRET)
    tokens = [hashlib.sha256(bytes([number])).hexdigest()[:12] for number in range(redaction.MOST_TOKENS + 2)]
    for token in tokens:
        redaction.register_token(token)
    kept = tokens[2:]
    assert redact(" ".join([SECRET, *kept])) == " ".join([REDACTED] * (1 + len(kept)))
    assert redact(tokens[0]) == tokens[0]


def test_short_values_are_ignored() -> None:
    register("", "abc")
    assert redact("abcabc") == "abcabc"


def test_a_secret_that_is_not_utf8() -> None:
    value = os.fsdecode(b"caf\xe9-key")
    register(value)
    assert redact(f"{value} {value!r}") == f"{REDACTED} '{REDACTED}'"


@given(secret=st.text(min_size=4, max_size=20), before=st.text(max_size=10), after=st.text(max_size=10))
def test_a_secret_between_any_texts_is_redacted(secret: str, before: str, after: str) -> None:
    redaction.forget()  # each registered value makes the next one slower
    register(secret)
    assert secret not in redact(before + secret + after).replace(REDACTED, "\0")


def test_registering_from_many_threads() -> None:
    names = [f"thread-secret-{i:03}" for i in range(80)]
    threads = [threading.Thread(target=register, args=names[i::8]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redact(" ".join(names)) == " ".join([REDACTED] * 80)


def test_log_messages_and_their_arguments_are_redacted(logged: StringIO) -> None:
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
def test_log_arguments_keep_their_number() -> None:
    """uvicorn's access log unpacks five arguments. Merging them into the message would break its formatter."""
    register(HUSH)
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[assignment, method-assign]
    LOG.addHandler(handler)
    LOG.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1", "GET", f"/x?api-key={HUSH}", "1.1", 200)
    LOG.removeHandler(handler)
    assert seen[0].args == ("127.0.0.1", "GET", f"/x?api-key={REDACTED}", "1.1", 200)


def test_a_log_message_with_a_wrong_format_does_not_leak(logged: StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    register(HUSH)
    LOG.info("%d %d", object(), HUSH)
    LOG.info(f"{HUSH} %d", "x", {"k": HUSH.encode()})
    assert HUSH not in logged.getvalue() + "".join(capsys.readouterr())


class Stubborn(Exception):
    def __str__(self) -> str:
        return f"stubborn {HUSH}"


@pytest.mark.parametrize("error", [ValueError(HUSH), Stubborn(), OSError(2, "no", f"/{HUSH}"), KeyError(HUSH)])
def test_tracebacks_are_redacted(logged: StringIO, error: Exception) -> None:
    register(HUSH)
    try:
        raise RuntimeError("outer") from error
    except RuntimeError:
        LOG.exception("failed", stack_info=True)
    text = logged.getvalue()
    assert REDACTED in text
    assert "RuntimeError: outer" in text
    assert HUSH not in text


def test_exceptions_are_redacted_with_their_causes() -> None:
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
def test_uncaught_exceptions_are_redacted(args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNCAUGHT, *args], input=HUSH, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert HUSH not in done.stdout + done.stderr
    assert done.stderr.count(REDACTED) == 3
