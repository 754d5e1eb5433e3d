"""Findings about the vendors: variables, circuit breakers, rate limits, whether they answer, and their clocks.

Here: findings about one vendor. Keep out: tables (completeness.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from orgdata_dagster.cli.doctor.finding import Finding, isolated
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.counting import counted
from orgdata_dagster.http.circuit_breaker import CircuitBreaker, fingerprint
from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.http.rate_limit import RateLimitTimeout
from orgdata_dagster.orchestration.automation.gaps import covered
from orgdata_dagster.orchestration.resources import VendorResource, WarehouseResource
from orgdata_dagster.orchestration.shared_state import shared_state
from orgdata_dagster.overview.pauses import lift, pause_in_words

PATIENCE = 15.0  # seconds to wait for the rate limit, and for the answer
_SKEW = 30.0  # seconds by which the clocks may differ


def of(loaded: LoadedProject) -> list[VendorResource]:
    """The vendors' resources, sorted by name."""
    found = [resource for resource in loaded.resources.values() if isinstance(resource, VendorResource)]
    return sorted(found, key=lambda resource: resource.vendor)


def credentials(resource: VendorResource) -> str:
    """The fingerprint of the credentials in the environment; the resource has only the names of the variables."""
    return fingerprint(os.environ.get(resource.environment[name], "") for name in resource.secret_fields)


def findings(loaded: LoadedProject, *, ask: bool) -> Iterator[Finding]:
    """Yield all findings, vendor by vendor.

    ask: whether to send each vendor one cheap request.
    """
    for resource in of(loaded):
        if resource.not_configured():
            yield from isolated(resource.vendor, partial(_off, loaded, resource))
        else:
            yield from isolated(resource.vendor, partial(_of, resource, ask=ask))


def _off(loaded: LoadedProject, resource: VendorResource) -> Iterator[Finding]:
    """A vendor without credentials: a problem only if some of them are set, or if its tables were pulled before."""
    unset, remedy = resource.not_configured(), "Set them in the environment or in .env; see .env.example."
    keys = [key for key in loaded.keys if key.path[0] == resource.vendor]
    some = set(resource.needed_variables()) > set(resource.missing_variables())
    pulled = any(covered(WarehouseResource(patience=PATIENCE, queue_patience=PATIENCE), keys).values())
    if some or pulled:
        why = "its tables have been pulled before" if pulled else "its other variables are set"
        yield Finding(resource.vendor, f"{unset}; {why}", False, remedy)
    else:
        yield Finding(resource.vendor, f"{unset}; its tables are skipped")


def _of(resource: VendorResource, *, ask: bool) -> Iterator[Finding]:
    yield _rate_limit(resource)
    for notice_text in resource.notices():
        yield Finding(resource.vendor, notice_text, False, "Set a new one in the environment or in .env.")
    circuit_breaker = CircuitBreaker(resource.vendor, shared_state())
    if notice := circuit_breaker.read():
        yield Finding(resource.vendor, f"STOPPED: {notice}", False, circuit_breaker.remedy)
    elif ask and resource.rate_limit().paused() is None:
        yield _answer(resource)


def _rate_limit(resource: VendorResource) -> Finding:
    rate_limit = resource.rate_limit()
    facts = [
        f"{round(used.spent, 1):g} of {counted(used.points, 'point')} spent in {used.window.seconds:g} s"
        for used in rate_limit.usage()
    ]
    if (at_once := resource.rule().in_flight) is not None:
        facts.append(counted(at_once, "concurrent request"))
    if pause := rate_limit.paused():
        facts.append(pause_in_words(pause, datetime.now(UTC)))
        return Finding(resource.vendor, f"PAUSED: {', '.join(reversed(facts))}", False, lift(resource.vendor))
    return Finding(resource.vendor, ", ".join(facts) or "no limit")


def _answer(resource: VendorResource) -> Finding:
    """Whether the vendor accepts the credentials, by one request, which counts towards the rate limit."""
    fields = {name: value for name, value in resource.model_dump().items() if name not in resource.environment}
    ready = type(resource).from_environment(**{**fields, "patience": PATIENCE})
    try:
        download = ready.probe()
    except RateLimitTimeout as error:
        return Finding(resource.vendor, f"no request sent: {error}")
    except VendorError as error:
        return Finding(resource.vendor, str(error), False)  # the message includes the remedy
    if download is None:
        return Finding(resource.vendor, "no request sent: defs.yaml lists no table to read")
    if download.server_time is None:
        return Finding(resource.vendor, "answers, and accepts the credentials")
    skew = (download.server_time - datetime.now(UTC)).total_seconds()
    text = f"answers, and accepts the credentials; its clock differs by {abs(skew):.0f} s"
    remedy = (
        "Compare both with a third clock. If this machine's is wrong: timedatectl set-ntp true. "
        "Otherwise tell the vendor."
    )
    return Finding(resource.vendor, text, abs(skew) < _SKEW, remedy)
