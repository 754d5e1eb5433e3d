"""The check results of a run, for partitions that landed and for partitions that the commit rejected.

Here: `of_landed`, `of_refused`, `of_unanswered`. Add here when: every table gets another check (specs.py).
Keep out: rejecting (warehouse/errors.py), volume (volume.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from orgdata_dagster.counting import counted
from orgdata_dagster.http.errors import VendorError
from orgdata_dagster.http.rest.walk import NOT_PROVEN
from orgdata_dagster.orchestration.assets.completeness import is_unproven
from orgdata_dagster.orchestration.checks import specs, volume
from orgdata_dagster.warehouse.commit.commit_result import CommitResult
from orgdata_dagster.warehouse.commit.keys import KeyProblems
from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.errors import (
    ContractViolation,
    KeysViolated,
    Refused,
    RowCountMismatch,
    UnknownColumns,
    WarehouseError,
)
from orgdata_dagster.warehouse.ledger.intervals import Interval
from orgdata_dagster.warehouse.names import TableName

_SHOWN = 50
_CHECK_OF: tuple[tuple[type[WarehouseError], str], ...] = (
    (RowCountMismatch, specs.ROW_COUNT),
    (ContractViolation, specs.SCHEMA),
    (KeysViolated, specs.KEYS),
    (Refused, specs.VOLUME),
)


@dataclass
class Landed:
    """The figures of a run's commits, summed up.

    received: number of rows in the pages.
    rows: number of inserted rows.
    gaps: the intervals that are not complete, with their partitions.
    unproven: whether only the vendor's word shows that an interval is complete.
    """

    received: int = 0
    rows: int = 0
    keys: KeyProblems = field(default_factory=KeyProblems)
    changes: list[str] = field(default_factory=list)
    gaps: list[tuple[str | None, Interval]] = field(default_factory=list)
    unproven: bool = False
    shrunk: list[str] = field(default_factory=list)
    partitions: set[str | None] = field(default_factory=set)

    def add(self, done: CommitResult, received: int) -> None:
        """Add the figures of one commit; `received`: number of rows in its pages."""
        self.received += received
        self.rows += done.inserted
        self.keys += done.key_problems
        self.changes += [str(change) for change in done.changes]
        self.partitions |= set(done.rows)

    def cover(self, partition: str | None, coverage: Sequence[Interval]) -> None:
        """Add the coverage of one partition."""
        self.gaps += [(partition, interval) for interval in coverage if not interval.complete]
        self.unproven |= any(map(is_unproven, coverage))


def not_yet(why: str) -> str:
    """The description of a check that passes because there is nothing to compare with yet."""
    return f"not comparable yet: {why}"


def of_landed(
    found: Landed, target: Target, volumes: Sequence[volume.Volume], without: str
) -> list[dg.AssetCheckResult]:
    """The check results of a run in which every partition landed.

    without: the reason if `volumes` is empty, so that the volume cannot be compared.
    """
    unusual = [*(str(each) for each in volumes if each.is_unusual), *found.shrunk]
    gaps = [f"- {partition or ''} {gap.start.isoformat()}: {gap.reason}" for partition, gap in found.gaps]
    results = [
        _result(specs.COVERAGE, not gaps, {"partitions": len(found.partitions), "gaps": len(gaps),
                                           **_listed("incomplete", gaps)},
                gaps or ([NOT_PROVEN] if found.unproven else [])),
        _result(specs.ROW_COUNT, found.received == found.rows, {"received": found.received, "read": found.rows},
                error=True),
        _result(specs.SCHEMA, not found.changes, {"changes": len(found.changes),
                                                  **_listed("changed", [f"- {each}" for each in found.changes])},
                found.changes),
        _result(specs.VOLUME, not unusual, {"partitions": len(volumes), "unusual_partitions": len(unusual),
                                            **_listed("unusual", [f"- {each}" for each in unusual])},
                unusual or ([] if volumes else [not_yet(without)])),
    ]  # fmt: skip
    if target.key:
        figures = {
            "rows": found.rows,
            "without_key": found.keys.missing,
            "duplicates": found.keys.duplicates,
            "differ_only_in_case": found.keys.case_only,
            "differ_only_in_type": found.keys.type_only,
        }
        odd = found.keys.good and found.keys.type_only > 0
        passed, why = found.keys.good and not odd, _kept_apart(found, target.table)
        results.append(_result(specs.KEYS, passed, figures, why, error=not odd))
    return results


def _kept_apart(found: Landed, table: TableName) -> list[str]:
    """Sentences about keys that the vendor may consider equal. The most suspicious ones come first."""
    pull = f"orgdata pull {table.schema}/{table.name}"
    remedy = f"`{pull} --full`" if None in found.partitions else f"pulling their days again (`{pull} --from DAY`)"
    type_only = f"If the vendor has changed the type of its ids, {remedy} removes the old rows"
    differing = {
        'in JSON type, as 1 and "1" do': (found.keys.type_only, f". {type_only}"),
        "in case": (found.keys.case_only, ""),
    }
    return [
        f"{counted(count, 'key')} {'differs' if count == 1 else 'differ'} from another one only {how}; both rows are "
        f"kept{remark}"
        for how, (count, remark) in differing.items()
        if count
    ]


def of_refused(key: dg.AssetKey, errors: Collection[BaseException]) -> list[dg.AssetCheckEvaluation]:
    """The failed checks for partitions that the commit rejected; nothing of them was stored."""
    failed: dict[str, list[str]] = {}
    for error in errors:
        name = next((name for kind, name in _CHECK_OF if isinstance(error, kind)), None)
        if isinstance(error, UnknownColumns):
            name = specs.KEYS if error.keys else specs.SCHEMA
        if name:
            failed.setdefault(name, []).append(str(error))
    return [
        dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=name,
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"nothing was stored: {reasons[0]}",
            metadata={"refused_partitions": len(reasons)},
        )
        for name, reasons in failed.items()
    ]


def of_unanswered(error: VendorError) -> dg.AssetCheckResult:
    """The result of a reconciliation if the vendor did not answer: a warning, because the table is not at fault."""
    text = f"could not be compared: {error}"
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description=text)


def _result(
    name: str, passed: bool, figures: Mapping[str, Any], why: Sequence[str] = (), *, error: bool = False
) -> dg.AssetCheckResult:
    more = f" (and {len(why) - 1} more)" if len(why) > 1 else ""
    description = why[0].removeprefix("- ") + more if why else None
    severity = dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=severity, description=description, metadata=dict(figures)
    )


def _listed(name: str, lines: Sequence[str]) -> dict[str, dg.MetadataValue]:
    return {name: dg.MetadataValue.md("\n".join(lines[:_SHOWN]))} if lines else {}
