"""A key in the query and in a header never appears in any output, whatever fails."""

import io
import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import asdict

import httpx
import pytest

from orgdata_dagster.http.errors import BadBody, PermanentError, VendorError
from orgdata_dagster.http.records import Download
from orgdata_dagster.http.retry import RetryPolicy
from orgdata_dagster_tests.http.loopback import Loopback, Reply
from orgdata_dagster_tests.http.rig import Rig

CANARY = "-".join(["can/ary+", "7f3a", "&tweet=1"])
SPELLINGS = [CANARY, "7f3a", "ary%2B-7f3a", "ary+-7f3a"]


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """What a handler at the root prints with httpx, httpcore and ours at DEBUG."""
    stream, names = io.StringIO(), ["", "httpx", "httpcore", "orgdata"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


ECHO = json.dumps({"title": CANARY, "detail": f"unknown key {CANARY}"}).encode()
SCENES = {
    "success": Reply(200, b"fine"),
    "refused, the key quoted in the answer": Reply(401, ECHO, {"x-request-id": CANARY}),
    "failing, the key quoted in the answer": Reply(503, ECHO),
    "a key at the cap of the message": Reply(400, b"x" * 490 + CANARY.encode()),
    "cut short": Reply(200, b"x", length=9),
    "a redirect that carries the key away": Reply(302, headers={"Location": f"https://evil.example/{CANARY}?{CANARY}"}),
    "a redirect with a wrong header": Reply(302, headers={"Location": "https://[" + CANARY}),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("as_through_a_proxy", [False, True])
def test_the_key_appears_nowhere(
    rig: Rig, everything_logged: io.StringIO, scene: str, as_through_a_proxy: bool
) -> None:
    rig.server.answer(SCENES[scene])
    transport = httpx.HTTPTransport() if as_through_a_proxy else None
    message = play(rig, f"/x/{scene[:3]}?cursor={'7f3b'}", transport)
    assert rig.server.requests[0].headers["api-key"] == CANARY  # it was sent, as itself
    check(rig, everything_logged, message)
    headers_logged = "httpcore.http11 DEBUG send_request_headers.started" in everything_logged.getvalue()
    assert headers_logged == as_through_a_proxy
    assert "orgdata.http DEBUG RequestRecord" in everything_logged.getvalue()
    assert "HTTP Request" not in everything_logged.getvalue()  # httpx's own line per request


@pytest.mark.parametrize("kind", [BadBody, PermanentError])
def test_the_key_appears_nowhere_if_a_reader_quotes_it(
    rig: Rig, everything_logged: io.StringIO, kind: type[VendorError]
) -> None:
    def read(_download: Download) -> None:
        raise kind(f"row 1 is {CANARY}") from ValueError(CANARY)

    check(rig, everything_logged, play(rig, "/x", read=read))


def test_the_key_appears_nowhere_if_the_server_is_down(
    rig: Rig, server: Loopback, everything_logged: io.StringIO
) -> None:
    server.url = "http://127.0.0.1:1"  # a reserved port, refused
    message = play(rig, "/x")
    assert "refused the connection" in message
    check(rig, everything_logged, message)


def play(rig: Rig, endpoint: str, transport: httpx.BaseTransport | None = None, **options: object) -> str:
    """Fetch with the canary in the query and a header; returns everything that the result or the error shows."""
    client = rig.client(
        params={"api-key": CANARY},
        headers={"api-key": CANARY},
        secrets=(CANARY,),
        retry=RetryPolicy(attempts=2),
        transport=transport,
    )
    try:
        return repr(rig.fetch(client, endpoint, **options))
    except VendorError as error:
        logging.getLogger("somebody").exception("it failed: %s", error)
        caught = error
    # Forgotten, not only suppressed: error reporters follow both.
    assert (caught.__cause__, caught.__context__) == (None, None)
    return "".join(traceback.format_exception(caught)) + repr(caught) + repr(vars(caught)) + str(caught)


def check(rig: Rig, logged: io.StringIO, message: str) -> None:
    records = repr([asdict(record) for record in rig.records])
    assert len(rig.records) == len(rig.rate_limit.paid) > 0
    assert "cursor" not in records
    for place in (logged.getvalue(), message, records, str(rig.left_over())):
        for spelling in SPELLINGS:
            assert spelling not in place
