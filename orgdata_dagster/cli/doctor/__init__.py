"""`orgdata doctor`: everything that may keep orgdata from working, each with the command that mends it.

Here: the order of the groups, showing, mending, and closing circuit breakers.
Add here: a group, in a module of its own.
Keep out: what landed (cli/status_report.py); what a circuit breaker is (http/circuit_breaker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import dagster as dg
from rich.console import Console

from orgdata_dagster import settings
from orgdata_dagster.cli import catalog as catalogs
from orgdata_dagster.cli.catalog import Catalog
from orgdata_dagster.cli.doctor import completeness, instance, machine, vendors
from orgdata_dagster.cli.doctor.finding import Finding
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.http.waiting import span
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.reasons import reason


@dataclass
class Opened:
    """What is looked at. `catalog` and `instance` are None where they cannot be opened; `troubles` say why."""

    catalog: Catalog | None = None
    instance: dg.DagsterInstance | None = None
    troubles: list[Finding] = field(default_factory=list)


@contextmanager
def opened() -> Iterator[Opened]:
    """The project and its Dagster instance, as far as they can be opened."""
    made = Opened()
    with ExitStack() as stack:
        try:
            made.catalog = catalogs.load()
        except UserError as error:
            made.troubles += [Finding("definitions", line, False) for line in str(error).splitlines()]
        except Exception as error:  # noqa: BLE001 - it is told, and all else is looked at
            made.troubles.append(Finding("definitions", reason(error), False))
        try:
            made.instance = stack.enter_context(shared_instance())
        except Exception as error:  # noqa: BLE001 - as above
            made.troubles.append(Finding("dagster", reason(error), False))
        yield made


def examine(one: Opened, *, ask: bool) -> Iterator[Finding]:
    """Every finding, good ones too, each reason once. `ask`: send each vendor one cheap request."""
    told = set[str]()
    for finding in _all(one, ask=ask):
        if finding.good or finding.what not in told:
            yield finding
        if not finding.good:
            told.add(finding.what)


def _all(one: Opened, *, ask: bool) -> Iterator[Finding]:
    yield from machine.findings()
    yield from one.troubles
    catalog, dagster = one.catalog, one.instance
    if catalog is not None:
        yield from vendors.findings(catalog, ask=ask)
    if catalog is not None and dagster is not None:
        yield from instance.findings(catalog, dagster)
        yield from completeness.findings(catalog, dagster)


def mend(findings: Iterable[Finding]) -> Iterator[str]:
    """Mend what is safe to mend; what was done, in a sentence each."""
    for finding in findings:
        if not finding.good and finding.fix:
            try:
                yield f"mended: {finding.fix()}"
            except Exception as error:  # noqa: BLE001 - it is told, and all else is mended
                yield f"not mended: {finding.about}: {reason(error)}"


def clear(catalog: Catalog, vendor: str) -> str:
    """Take a vendor's circuit breaker down and lift its pause; returns what that means, in a sentence or two.

    Raises UserError where there is no such vendor.
    """
    known = vendors.of(catalog)
    resource = next((resource for resource in known if resource.vendor == vendor), None)
    if resource is None:
        raise UserError(f"there is no vendor {vendor!r}; there are: {', '.join(one.vendor for one in known)}")
    notice = CircuitBreaker(vendor, settings.circuit_breakers()).clear()
    pause = resource.rate_limit().resume()
    lifted = f"{vendor} may be asked again: its pause had {span(pause.seconds)} to go." if pause else ""
    if notice is None:
        return lifted or f"{vendor}: there was no circuit breaker and no pause"
    same = "the same" if notice.fingerprint == vendors.credentials(resource) else "not the same"
    return f"{vendor} may be asked again: {notice}. The credentials in the environment are {same} ones." + (
        f" {lifted}" if lifted else ""
    )


def show(console: Console, findings: Iterable[Finding]) -> bool:
    """Print findings as they come; returns whether all are good."""
    healthy = True
    for finding in findings:
        mark, style = ("ok   ", "") if finding.good else ("WRONG", "red")
        healthy = healthy and finding.good
        line = f"{mark} {finding.about}: {finding.what}"
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)
        if not finding.good and finding.remedy:
            console.print(f"      {finding.remedy}", highlight=False, markup=False, soft_wrap=True)
    return healthy
