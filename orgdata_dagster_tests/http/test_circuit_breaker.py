"""After a refusal that opens the circuit breaker, no process sends a request until a person closes it."""

import json
from pathlib import Path

import pytest

from orgdata_dagster.http.circuit_breaker import CircuitBreaker, CircuitOpen, fingerprint
from orgdata_dagster.http.errors import PermanentError
from orgdata_dagster.state import FileState
from orgdata_dagster_tests.http.loopback import Reply
from orgdata_dagster_tests.http.rig import Rig

KEY = "canary-key-0815"


def circuit_breaker(folder: Path, statuses: tuple[int, ...] = (401,)) -> CircuitBreaker:
    return CircuitBreaker("acme", FileState(folder), fingerprint=fingerprint([KEY]), statuses=statuses)


def test_refused_credentials_stop_every_process(rig: Rig, tmp_path: Path) -> None:
    rig.server.answer(Reply(401, b'{"error": {"code": 401, "message": "who are you"}}'), Reply(200, b"data"))
    client = rig.client(circuit_breaker=circuit_breaker(tmp_path), secrets=[KEY])
    with pytest.raises(PermanentError, match=r"who are you.*may have been revoked.*orgdata doctor --clear acme"):
        rig.fetch(client)
    for other in (client, rig.client(circuit_breaker=circuit_breaker(tmp_path))):
        with pytest.raises(CircuitOpen, match=r"no request was sent: on 2.* HTTP 401 .*who are you"):
            rig.fetch(other)
    assert len(rig.server.requests) == len(rig.rate_limit.paid) == 1
    notice = circuit_breaker(tmp_path).clear()
    assert notice is not None
    assert notice.fingerprint == fingerprint([KEY])
    assert notice.reason == "HTTP 401 who are you"  # its code is the status: once is enough
    assert rig.fetch(client) == b"data"


def test_a_queued_request_checks_the_circuit_breaker_again(rig: Rig, tmp_path: Path) -> None:
    """The circuit breaker opened while the request waited for the rate limit."""
    sign = circuit_breaker(tmp_path)
    rig.rate_limit.wait, sleep = 1, rig.clock.sleep
    rig.clock.sleep = lambda seconds: (sleep(seconds), sign.set("HTTP 401"))  # type: ignore[method-assign,assignment,return-value]
    with pytest.raises(CircuitOpen):
        rig.fetch(rig.client(circuit_breaker=sign))
    assert rig.server.requests == []


@pytest.mark.parametrize("status", [400, 403, 404])
def test_other_refusals_do_not_open_it(rig: Rig, tmp_path: Path, status: int) -> None:
    rig.server.answer(Reply(status), Reply(200, b"data"))
    client = rig.client(circuit_breaker=circuit_breaker(tmp_path))
    with pytest.raises(PermanentError):
        rig.fetch(client)
    assert rig.fetch(client) == b"data"


def test_the_first_refusal_is_reported(tmp_path: Path) -> None:
    circuit_breaker(tmp_path).set("first")
    circuit_breaker(tmp_path).set("second")
    notice = circuit_breaker(tmp_path).read()
    assert notice is not None
    assert notice.reason == "first"


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"at": "now"})])
def test_an_unreadable_file_counts_as_open(tmp_path: Path, content: str) -> None:
    circuit_breaker(tmp_path).set("HTTP 401")
    (file,) = (tmp_path / "circuit_breakers").iterdir()
    file.write_text(content)
    with pytest.raises(CircuitOpen):
        circuit_breaker(tmp_path).check()


def test_the_file_does_not_contain_the_key(tmp_path: Path) -> None:
    circuit_breaker(tmp_path).set("HTTP 401")
    (file,) = (tmp_path / "circuit_breakers").iterdir()
    assert KEY not in file.read_text()
    assert fingerprint([KEY]) != fingerprint(["another"])
