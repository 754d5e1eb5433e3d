"""`orgdata doctor`: find the problems that keep orgdata from working, and the command that fixes each.

Here: the order of the groups of findings, printing and fixing them, and resetting circuit breakers.
Add here when: there is a new group of findings (in a module of its own).
Keep out: the state of tables (overview/); circuit breakers themselves (http/circuit_breaker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import dagster as dg
from rich.console import Console

from orgdata_dagster.cli import loaded_project
from orgdata_dagster.cli.doctor import alerting, completeness, instance, machine, vendors
from orgdata_dagster.cli.doctor.finding import Finding
from orgdata_dagster.cli.errors import UserError
from orgdata_dagster.cli.layout import hanging
from orgdata_dagster.cli.loaded_project import LoadedProject
from orgdata_dagster.http.circuit_breaker import CircuitBreaker
from orgdata_dagster.http.waiting import span
from orgdata_dagster.orchestration.instance.setup import shared_instance
from orgdata_dagster.orchestration.reasons import reason
from orgdata_dagster.orchestration.shared_state import shared_state


@dataclass
class Opened:
    """The project and its instance. Each is None if it cannot be opened; `troubles` has the reasons."""

    loaded: LoadedProject | None = None
    instance: dg.DagsterInstance | None = None
    troubles: list[Finding] = field(default_factory=list)


@contextmanager
def opened() -> Iterator[Opened]:
    """Open the project and its Dagster instance, as far as possible."""
    made = Opened()
    with ExitStack() as stack:
        try:
            made.loaded = loaded_project.load()
        except UserError as error:
            made.troubles += [Finding("definitions", line, False) for line in str(error).splitlines()]
        except Exception as error:  # noqa: BLE001 - becomes a finding, and the other groups are still examined
            made.troubles.append(Finding("definitions", reason(error), False))
        try:
            made.instance = stack.enter_context(shared_instance())
        except Exception as error:  # noqa: BLE001 - as above
            made.troubles.append(Finding("dagster", reason(error), False))
        yield made


def examine(one: Opened, *, ask: bool) -> Iterator[Finding]:
    """Yield every finding, good or bad; each problem once.

    ask: whether to send each vendor one cheap request.
    """
    seen = set[str]()
    for finding in _all(one, ask=ask):
        if finding.good or finding.what not in seen:
            yield finding
        if not finding.good:
            seen.add(finding.what)


def _all(one: Opened, *, ask: bool) -> Iterator[Finding]:
    yield from machine.findings()
    yield from alerting.findings()
    yield from one.troubles
    loaded, dagster = one.loaded, one.instance
    if loaded is not None:
        yield from vendors.findings(loaded, ask=ask)
    if loaded is not None and dagster is not None:
        yield from instance.findings(loaded, dagster)
        yield from completeness.findings(loaded, dagster)
        yield from completeness.checks(loaded)


def apply_fixes(findings: Iterable[Finding]) -> Iterator[str]:
    """Apply the safe fixes; yields one sentence per fix."""
    for finding in findings:
        if not finding.good and finding.fix:
            try:
                yield f"fixed: {finding.fix()}"
            except Exception as error:  # noqa: BLE001 - is printed, and the other fixes are still applied
                yield f"not fixed: {finding.about}: {reason(error)}"


def clear(loaded: LoadedProject, vendor: str) -> str:
    """Reset a vendor's circuit breaker and lift its pause; returns what was done, in one or two sentences.

    Raises UserError if there is no such vendor.
    """
    known = vendors.of(loaded)
    resource = next((resource for resource in known if resource.vendor == vendor), None)
    if resource is None:
        raise UserError(f"unknown vendor {vendor!r}; known: {', '.join(one.vendor for one in known)}")
    notice = CircuitBreaker(vendor, shared_state()).clear()
    pause = resource.rate_limit().resume()
    lifted = f"Requests to {vendor} are allowed again: its pause had {span(pause.seconds)} left." if pause else ""
    if notice is None:
        return lifted or f"{vendor}: no circuit breaker was open, and there was no pause"
    same = "the same as" if notice.fingerprint == vendors.credentials(resource) else "not the same as"
    return f"Requests to {vendor} are allowed again: {notice}. The credentials in the environment are {same} then." + (
        f" {lifted}" if lifted else ""
    )


def show(console: Console, findings: Iterable[Finding]) -> bool:
    """Print findings as they are yielded; returns whether all are good."""
    healthy = True
    for finding in findings:
        mark, style = ("WARN ", "yellow") if finding.warning else ("ok   ", "") if finding.good else ("WRONG", "red")
        healthy = healthy and finding.good
        hanging(console, f"{mark} ", f"{finding.about}: {finding.what}", style=style)
        if (finding.warning or not finding.good) and finding.remedy:
            hanging(console, "      ", finding.remedy)
    return healthy
