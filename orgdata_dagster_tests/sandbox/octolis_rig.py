"""A small octolis and a client of it, for the tests of its endpoints.

Here: datasets, webhooks and shortcuts that more than one of these files needs.
Add here when: another file needs them too. Keep out: orgdata's own client, as in `reading`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from orgdata_dagster.sandbox.limits import UNLIMITED, Limits
from orgdata_dagster.sandbox.octolis import Column, Dataset, Octolis, Webhook
from orgdata_dagster.sandbox.octolis.api import DEFAULT_KEY
from orgdata_dagster.sandbox.server import Sandbox

HEADERS = {"accept": "*/*", "content-type": "application/json"}
COLUMNS = [
    Column("email"), Column("firstname"), Column("sms", "boolean", default=False), Column("n", "integer"),
    Column("tags", "list"), Column("origin", default="import", protected=True),
]  # fmt: skip


def make(limits: Limits = UNLIMITED) -> Octolis:
    """`people`, a SQL dataset `sql`, and a webhook `hook`."""
    people = Dataset("people", COLUMNS, [("email",)])
    return Octolis(
        [people, Dataset("sql", COLUMNS, [("email",)], read_only=True)],
        [Webhook("hook", frozenset({"PUT"}), {"X-Source": "orgdata"})],
        api_keys=[DEFAULT_KEY, "second key"],
        limits=limits,
    )


@contextmanager
def running(vendor: Octolis) -> Iterator[tuple[Sandbox, httpx.Client]]:
    """The vendor served, and a client with its key and the mandatory headers."""
    with Sandbox(vendor) as sandbox:
        base = f"{sandbox.url}/octolis/v1/data"
        with httpx.Client(base_url=base, headers=HEADERS, params={"api-key": DEFAULT_KEY}, verify=False) as client:
            yield sandbox, client


def records(client: httpx.Client, dataset: str = "people", **params: object) -> list[dict[str, Any]]:
    """The records of one page."""
    answer = client.get(f"/datasets/{dataset}/records", params={k: str(v) for k, v in params.items()})
    found: list[dict[str, Any]] = answer.raise_for_status().json()["records"]
    return found
