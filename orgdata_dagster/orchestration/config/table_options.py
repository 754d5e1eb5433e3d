"""YAML options shared by the tables of all vendors.

Here: `Table`, the frozen model of one entry of `tables:`. Add here when: an option makes sense for every table.
Keep out: options of one vendor (its component.py), and the effects of the options (vendors/base/).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal, NamedTuple

import dagster as dg
from pydantic import AfterValidator, ConfigDict, Field, field_validator

from orgdata_dagster.orchestration.config.column_types import checked_types
from orgdata_dagster.orchestration.config.cron import Cron
from orgdata_dagster.warehouse.names import TableName


def checked_day(text: str) -> str:
    """The day as YYYY-MM-DD. Raises ValueError for anything that is not a day."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(f"{text!r} is not a day; write YYYY-MM-DD") from None


def checked_start(text: str) -> str:
    """Like `checked_day`, for a first day. Raises ValueError for a day in the future."""
    day, today = checked_day(text), datetime.now(UTC).date().isoformat()
    if day > today:
        raise ValueError(f"{day} is in the future; write a day up to today ({today}, UTC)")
    return day


def checked_owner(text: str) -> str:
    """An owner as Dagster accepts it. Raises ValueError for any other text."""
    if re.fullmatch(r"team:.+|[^@\s]+@[^@\s]+\.[^@\s.]+", text):
        return text
    raise ValueError(f"{text!r} is not an owner; write an e-mail address, or a team as team:{text}")


Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Day = Annotated[str, AfterValidator(checked_day)]
StartDate = Annotated[str, AfterValidator(checked_start)]
Owner = Annotated[str, AfterValidator(checked_owner)]


class Claim(NamedTuple):
    """A name that a Component uses in the warehouse or for an asset.

    what: the use of the name, for messages.
    location: the entry in the Component's YAML.
    """

    table: TableName
    what: str
    location: tuple[int | str, ...]


class Table(dg.Model, dg.Resolvable):
    """One entry of `tables:`: one asset, one table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="The table's name.")
    key: list[str] = Field(
        default=[], description="Columns that identify a row. A table with a key has the view `<name>_current`."
    )
    columns: dict[str, str] = Field(
        default={}, description="Column: DuckDB type. Without an entry, orgdata infers a lossless type."
    )
    column_descriptions: dict[str, str] = Field(default={}, description="Column: its description.")
    contract: Literal["evolve", "freeze"] = Field(
        default="evolve",
        description="freeze: a new or changed column fails the pull. evolve: it changes the table.",
    )
    description: str = Field(default="", description="Shown in the UI and as the table's comment.")
    owners: list[Owner] = Field(default=[], description="E-mail addresses, or teams as `team:name`.")
    cron: Cron | None = Field(default=None, description="Cron of this table (UTC), if it differs from the vendor's.")

    @field_validator("columns")
    @classmethod
    def _known_types(cls, columns: dict[str, str]) -> dict[str, str]:
        return checked_types(columns)
