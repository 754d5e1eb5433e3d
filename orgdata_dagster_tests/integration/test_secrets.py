"""A key must appear nowhere: in no file, output or event, whatever failed."""

import base64
import socket
from collections.abc import Iterator
from urllib.parse import quote

from orgdata_dagster.sandbox import faults
from orgdata_dagster.sandbox.server import Sandbox
from orgdata_dagster_tests.integration.command import Done
from orgdata_dagster_tests.integration.home import Home
from orgdata_dagster_tests.integration.project import institution_analytics, today

# letters that every encoding changes, so that no spelling of it is overlooked by chance
CANARY = 'can/ary+"key"=51 f3?&%\\9a'


def spellings() -> Iterator[bytes]:
    yield from (CANARY.encode(), quote(CANARY).encode(), quote(CANARY, safe="").encode())
    yield from (base64.b64encode(CANARY.encode()).rstrip(b"="), CANARY.replace('"', '\\"').encode())
    yield b"can/ary"  # a cut through it is not better
    yield b"51 f3"


def failures(sandbox: Sandbox) -> list[list[faults.Fault]]:
    echo = f'{{"error": "the key {CANARY} ({quote(CANARY)}) is unknown"}}'
    return [
        [faults.Status(401, body=echo)],
        [faults.Status(403, body=echo * 100)],  # longer than an error message may be: capped somewhere inside
        [faults.Redirect(f"http://localhost:1/?api-key={quote(CANARY)}")],
        [faults.Redirect(f"{sandbox.url}/elsewhere?api-key={quote(CANARY)}")],
        [faults.Status(500, body=echo)] * 4,
        [faults.Html(f"<html>{CANARY}</html>")] * 4,
        [faults.CutCsv()] * 4,
        [faults.Reset(0.5)] * 4,
    ]


def test_the_key_is_nowhere(home: Home, sandbox: Sandbox) -> None:
    vendor = sandbox.institution_analytics
    vendor.api_key = CANARY
    home.set(INSTITUTION_ANALYTICS_API_KEY=CANARY)
    home.write_project(institution_analytics=institution_analytics(tables=[{"name": "users", "key": ["id"]}]))
    outputs = [home.orgdata("pull", "--json"), home.orgdata("status")]
    assert [done.status for done in outputs] == [0, 0], outputs

    for queued in failures(sandbox):
        for fault in queued:
            vendor.faults.add(fault)
        assert not home.materialize("institution_analytics/users").success
        vendor.faults.clear()
    vendor.faults.add(faults.Status(401, body=CANARY), times=9)
    outputs += [home.orgdata("pull", "institution_analytics"), refused(home), with_a_bad_key(home)]
    assert [done.status for done in outputs[-3:]] == [1, 1, 1], outputs[-3:]
    assert "HTTP 401 [redacted]" in outputs[-3].err

    assert sum(path.name == "warehouse.duckdb" for path, _ in home.everything()) == 1
    assert any(path.suffix == ".db" for path, _ in home.everything())  # Dagster's event log
    for spelling in spellings():
        assert [done for done in outputs if spelling in done.everything.encode()] == []
        assert [path for path, content in home.everything() if spelling in content] == []
    # not only the bytes: what is compressed in the warehouse is read too
    text = home.sql("SELECT string_agg(request::VARCHAR, ' ') FROM _orgdata.requests AS request")[0][0]
    assert today() in text
    assert [spelling for spelling in spellings() if spelling.decode() in text] == []


def refused(home: Home) -> Done:
    """No server listens at the vendor's address."""
    with socket.socket() as reserved:  # bound and not listening: refused, and nobody else's
        reserved.bind(("127.0.0.1", 0))
        home.set(INSTITUTION_ANALYTICS_BASE_URL=f"http://127.0.0.1:{reserved.getsockname()[1]}/x")
        return home.orgdata("pull", "institution_analytics/users")


def with_a_bad_key(home: Home) -> Done:
    """A key with a line break, as if read from a file: httpx would quote it in its exception."""
    home.set(INSTITUTION_ANALYTICS_API_KEY=f"{CANARY}\n")
    return home.orgdata("pull", "institution_analytics/users")
