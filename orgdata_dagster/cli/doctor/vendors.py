"""Findings about the vendors: variables, circuit breakers, rate limits, and whether they answer, with what clock.

Here: what concerns one vendor. Keep out: tables (tables.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from orgdata_dagster import settings
from orgdata_dagster.cli.catalog import Catalog
from orgdata_dagster.cli.doctor.finding import Finding, isolated
from orgdata_dagster.cli.pauses import lift, pause_in_words
from orgdata_dagster.http.circuit_breaker import CircuitBreaker, fingerprint
from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.http.rate_limit import RateLimitTimeout
from orgdata_dagster.orchestration.resources import VendorResource

PATIENCE = 15.0  # seconds for a rate limit's room and for an answer
_SKEW = 30.0  # seconds between the clocks that nothing here minds


def of(catalog: Catalog) -> list[VendorResource]:
    """The vendors in order."""
    found = [resource for resource in catalog.resources.values() if isinstance(resource, VendorResource)]
    return sorted(found, key=lambda resource: resource.vendor)


def credentials(resource: VendorResource) -> str:
    """The fingerprint of those in the environment; the resource itself has only the variables' names."""
    return fingerprint(os.environ.get(resource.environment[name], "") for name in resource.secret_fields)


def findings(catalog: Catalog, *, ask: bool) -> Iterator[Finding]:
    """All of them, vendor by vendor."""
    for resource in of(catalog):
        yield from isolated(resource.vendor, partial(_of, resource, ask=ask))


def _of(resource: VendorResource, *, ask: bool) -> Iterator[Finding]:
    yield _rate_limit(resource)
    for told in resource.notices():
        yield Finding(resource.vendor, told, False, "Put a new one into the environment or into .env.")
    circuit_breaker = CircuitBreaker(resource.vendor, settings.circuit_breakers())
    if notice := circuit_breaker.read():
        yield Finding(resource.vendor, f"STOPPED: {notice}", False, circuit_breaker.remedy)
    elif missing := resource.missing_variables():
        remedy = "Put them into the environment or into .env; see .env.example"
        yield Finding(resource.vendor, f"not set: {', '.join(missing)}", False, remedy)
    elif ask and resource.rate_limit().paused() is None:
        yield _answer(resource)


def _rate_limit(resource: VendorResource) -> Finding:
    rate_limit = resource.rate_limit()
    facts = [
        f"{round(used.spent, 1):g} of {used.points:g} points spent in {used.window.seconds:g} s"
        for used in rate_limit.usage()
    ]
    if (at_once := resource.rule().in_flight) is not None:
        facts.append(f"{at_once} at a time")
    if pause := rate_limit.paused():
        facts.append(pause_in_words(pause, datetime.now(UTC)))
        return Finding(resource.vendor, f"PAUSED: {', '.join(reversed(facts))}", False, lift(resource.vendor))
    return Finding(resource.vendor, ", ".join(facts) or "no limit")


def _answer(resource: VendorResource) -> Finding:
    """Whether it answers with these credentials: one request, which pays like any other."""
    fields = {name: value for name, value in resource.model_dump().items() if name not in resource.environment}
    ready = type(resource).from_environment(**{**fields, "patience": PATIENCE})
    try:
        download = ready.probe()
    except RateLimitTimeout as error:
        return Finding(resource.vendor, f"not asked: {error}")
    except VendorError as error:
        return Finding(resource.vendor, str(error), False)  # it ends with what to do
    if download is None:
        return Finding(resource.vendor, "not asked: nothing in defs.yaml that could be read")
    if download.server_time is None:
        return Finding(resource.vendor, "answers, credentials are good")
    skew = (download.server_time - datetime.now(UTC)).total_seconds()
    told = f"answers, credentials are good, its clock differs by {abs(skew):.0f} s"
    remedy = (
        "Compare both with a third clock. If this machine's is wrong: timedatectl set-ntp true. Else tell the vendor."
    )
    return Finding(resource.vendor, told, abs(skew) < _SKEW, remedy)
