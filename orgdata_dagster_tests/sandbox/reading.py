"""Reading the sandbox's answers in tests: a CSV parser that tells "" from missing, and a paged walk of everything.

Here: what several of these tests need to read an answer. Add here when: another test reads answers in a new way.
Keep out: orgdata's own client; these tests must fail when the sandbox is wrong, whatever the client does.
"""

import re

import httpx

from orgdata_dagster.sandbox.institution_analytics.api import DEFAULT_KEY
from orgdata_dagster.sandbox.server import Sandbox

_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)')


def parse(body: str) -> list[dict[str, str | None]]:
    """The rows of an RFC 4180 text; an unquoted empty field is None. Raises ValueError for invalid CSV."""
    records: list[list[str | None]] = [[]]
    at = 0
    while at < len(body):
        field = _FIELD.match(body, at)
        if not field:
            raise ValueError(f"no CSV at {at}: {body[at : at + 40]!r}")
        quoted, plain, end = field.groups()
        records[-1].append(quoted.replace('""', '"') if quoted is not None else plain or None)
        if end != ",":
            records.append([])
        at = field.end()
    header, *rows = records[:-1]
    names = [name or "" for name in header]
    return [dict(zip(names, row, strict=True)) for row in rows]


def connect(sandbox: Sandbox, key: str = DEFAULT_KEY) -> httpx.Client:
    """A client with the key. It verifies nothing over http, and loading authorities takes longer than most tests."""
    return httpx.Client(base_url=sandbox.url, headers={"api-key": key}, verify=False)


def ask(client: httpx.Client, data_set: str, **params: str) -> httpx.Response:
    """One request for a page."""
    return client.get("/institution_analytics/analytics", params={"data_set": data_set, **params})


def page(client: httpx.Client, data_set: str, **params: str) -> list[dict[str, str | None]]:
    """The rows of one page."""
    return parse(ask(client, data_set, **params).raise_for_status().text)
