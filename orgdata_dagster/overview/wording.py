"""The figures of the overview as text, the same on the page and in Markdown.

Here: the rows of its tables as text. Keep out: HTML (html_page.py), Markdown (markdown.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from orgdata_dagster.counting import counted
from orgdata_dagster.http.waiting import span
from orgdata_dagster.orchestration.pictures.plots import bars
from orgdata_dagster.overview.state import Overview, VendorSummary, gaps_of

VENDORS = ("vendor", "tables", "rows", "complete until", "behind", "loaded", "gaps", "requests today",
           "of the daily limit", "waited today", "failed requests")  # fmt: skip
TABLES = ("table", "rows", "days", "complete until", "behind", "loaded", "gaps")
FAILURES = ("what", "since", "why", "what to do")
LIMITS = ("vendor", "points spent", "points allowed", "in seconds")
_NAMED = 5


def vendors(seen: Overview) -> Iterator[Sequence[str]]:
    """One row per vendor, with the columns VENDORS."""
    for each in seen.vendors:
        yield (
            _name(each),
            f"{each.tables:,}",
            f"{each.rows:,}",
            instant(each.complete_until),
            behind(each.complete_until, seen.now),
            ago(each.last_loaded, seen.now),
            f"{each.gaps:,}" if each.gaps else "-",
            f"{each.today.requests:,}",
            "no limit" if each.share is None else f"{each.share:.2%}",
            span(each.today.waited),
            f"{each.today.failed:,}" if each.today.failed else "-",
        )


def _name(vendor: VendorSummary) -> str:
    if vendor.off:
        return f"{vendor.name} (not configured)"
    return f"{vendor.name} (no requests now)" if vendor.paused else vendor.name


def tables(seen: Overview) -> Iterator[Sequence[str]]:
    """One row per table, with the columns TABLES."""
    for each in seen.tables:
        yield (
            each.table,
            f"{each.rows:,}",
            f"{each.days_complete:,}" if each.first_day else "-",
            instant(each.complete_until),
            behind(each.complete_until, seen.now),
            ago(each.last_loaded, seen.now),
            f"{gaps_of(each):,}" if gaps_of(each) else "-",
        )


def failures(seen: Overview) -> Iterator[Sequence[str]]:
    """One row per failure, with the columns FAILURES."""
    for each in seen.failures:
        since = f"{instant(each.since)} ({ago(each.since, seen.now)})" if each.since else "-"
        yield (each.name, since, each.what, each.remedy)


def limits(seen: Overview) -> Iterator[Sequence[str]]:
    """A row per window of a rate limit that was used today, in the columns LIMITS."""
    for row in seen.windows:
        yield (row["vendor"], f"{row['spent']:,g}", f"{row['points']:,g}", f"{row['seconds']:g}")


def gaps(seen: Overview) -> Iterator[tuple[str, str]]:
    """Table or vendor, and text: its days that are not complete, and its notes."""
    for vendor in seen.vendors:
        if vendor.off:
            yield vendor.name, f"is {vendor.off}"
    for each in seen.tables:
        days = [*(f"{day} (missing)" for day in each.missing_partitions), *(f"{day}" for day in each.incomplete)]
        more = f" and {len(days) - _NAMED} more" if len(days) > _NAMED else ""
        if days:
            yield each.table, f"not complete: {', '.join(days[:_NAMED])}{more}"
        for note in each.notes:
            yield each.table, note


def headline(seen: Overview) -> str:
    """One sentence that summarises everything."""
    rows, errors = sum(each.rows for each in seen.tables), sum(each.error for each in seen.failures)
    warnings = len(seen.failures) - errors
    parts = [f"{counted(len(seen.tables), 'table')} of {counted(len(seen.vendors), 'vendor')}", counted(rows, "row")]
    parts.append(f"{counted(seen.gaps, 'partition', 'are')} missing or incomplete" if seen.gaps else "no gaps")
    parts.append(f"{errors:,} failing" if errors else "nothing fails")
    return ", ".join(parts + ([counted(warnings, "warning")] if warnings else []))


def plot(seen: Overview) -> str | None:
    """Requests and waits per day, of all vendors together, as SVG; None without matplotlib."""
    days = sorted({each.day for each in seen.use})
    return bars(
        days,
        {
            "requests": [sum(each.requests for each in seen.use if each.day == day) for day in days],
            "failed requests": [sum(each.failed for each in seen.use if each.day == day) for day in days],
            "seconds of waiting for rate limits": [
                sum(each.waited for each in seen.use if each.day == day) for day in days
            ],
        },
    )


def instant(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if at else "-"


def behind(until: datetime | None, now: datetime) -> str:
    """How far the proven data is behind now."""
    return span(max(0.0, (now - until).total_seconds())) if until else "-"


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago."""
    return f"{span(max(0.0, (now - at).total_seconds()))} ago" if at else "never"
