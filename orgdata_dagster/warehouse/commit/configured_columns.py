"""Resolving the column names in the configuration to columns of the table.

Here: `resolved`, called in the commit's transaction before anything is changed.
Keep out: the columns of the vendor's names (pages/column_names.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orgdata_dagster.warehouse.commit.target import Target
from orgdata_dagster.warehouse.errors import UnknownColumns
from orgdata_dagster.warehouse.names import unknown
from orgdata_dagster.warehouse.pages.stage import Stage


def resolved(target: Target, stage: Stage, columns: Iterable[str]) -> Target:
    """Replace the configured names in `target` by the names of existing columns.

    columns: columns of the table. Columns of the staged rows are added. Without any staged row the columns are not
        known yet, and names that match no column are kept.

    Raises UnknownColumns if a configured name matches no column.
    """
    there = list(dict.fromkeys([*columns, *stage.columns]))
    if not stage.columns:
        return _with(target, stage, there)
    missing = {
        field: [name for name in names if stage.names.find(name, there) is None]
        for field, names in target.configured.items()
    }
    problems = [f"`{field}`: {unknown(name, there)}" for field, names in missing.items() for name in names]
    if problems:
        raise UnknownColumns(
            f"{target.table}: {'. '.join(problems)}. Nothing was stored. Correct the name in defs.yaml, or remove it "
            "until the vendor sends the column.",
            keys="key" in [field for field, names in missing.items() if names],
        )
    return _with(target, stage, there)


def _with(target: Target, stage: Stage, there: Sequence[str]) -> Target:
    def found(name: str) -> str:
        return stage.names.find(name, there) or name

    return replace(
        target,
        key=tuple(map(found, target.key)),
        cursor=None if target.cursor is None else found(target.cursor),
        column_descriptions={found(name): text for name, text in target.column_descriptions.items()},
    )
