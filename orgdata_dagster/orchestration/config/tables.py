"""What a person may say of any table in YAML, whichever vendor it is of.

Here: the fields that all vendors' data sets share, checked (`TableModel`), and what assets are built of
(`TableSettings`). Add here: a field that makes sense for every table. Keep out: what only one vendor has (its
component.py), what happens with the fields (assets.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Literal

import dagster as dg
from pydantic import AfterValidator, ConfigDict, Field, field_validator

from orgdata_dagster.orchestration.config.column_types import checked_types
from orgdata_dagster.warehouse.commit.evolution import Contract


def checked_day(text: str) -> str:
    """The day, as YYYY-MM-DD. Raises ValueError for what is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text!r} is not a day; write YYYY-MM-DD") from None


Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Day = Annotated[str, AfterValidator(checked_day)]


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """A table as a person configured it; `cron` is when it is pulled, by which its freshness is judged."""

    columns: Mapping[str, str] = field(default_factory=dict)
    contract: Contract = "evolve"
    description: str = ""
    column_descriptions: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    cron: str | None = None

    def configured(self, **more: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """The names of columns that a person wrote, by field; `more`: those of the vendor's own fields."""
        return {**more, "columns": list(self.columns), "column_descriptions": list(self.column_descriptions)}


class TableModel(dg.Model, dg.Resolvable):
    """The same as YAML fields, but for `cron`, which is the vendor's unless a vendor says else."""

    model_config = ConfigDict(extra="forbid")

    columns: dict[str, str] = Field(
        default={}, description="Column: DuckDB type. Left out, a type is found that loses nothing."
    )
    column_descriptions: dict[str, str] = Field(default={}, description="Column: what it means.")
    contract: Literal["evolve", "freeze"] = Field(
        default="evolve",
        description="freeze: a new or changed column fails the pull instead of changing the table.",
    )
    description: str = Field(default="", description="Shown in the UI and as the table's comment.")
    owners: list[str] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")

    @field_validator("columns")
    @classmethod
    def _known_types(cls, columns: dict[str, str]) -> dict[str, str]:
        return checked_types(columns)

    def settings(self, cron: str | None) -> dict[str, Any]:
        """The arguments of a TableSettings."""
        return {
            "columns": self.columns,
            "contract": self.contract,
            "description": self.description,
            "column_descriptions": self.column_descriptions,
            "owners": tuple(self.owners),
            "cron": cron,
        }
