"""Every column that a vendor's document names has a description, in the UI and in the database."""

from typing import Any

import pytest

from orgdata_dagster.vendors.accutics.component import Accutics
from orgdata_dagster.vendors.base.component import VendorComponent
from orgdata_dagster.vendors.channel_reports.component import ChannelReports
from orgdata_dagster.vendors.institution_analytics.component import InstitutionAnalytics
from orgdata_dagster.vendors.octolis.component import Octolis

SINCE = {"start_date": "2026-01-01"}
ENTITIES = [{"name": "records", "path": "/records", "paging": "cursor", "key": ["id"], "cursor_column": "updated_at"}]
NAMED: list[tuple[type[VendorComponent], dict[str, object], set[str]]] = [
    (
        Accutics,
        {**SINCE, "tables": ENTITIES},
        {"id", "record_id", "created_at", "updated_at", "submission", "author", "updater", "match_status"},
    ),
    (InstitutionAnalytics, {**SINCE, "tables": [{"name": "users"}]}, {"updated_date"}),
    (
        Octolis,
        {"tables": [{"name": "contacts", "id": "x"}]},
        {"__masterid__", "__all_masterids__", "__modified_at__", "__created_at__", "__updated_at__"},
    ),
]


@pytest.mark.parametrize(("component", "yaml", "columns"), NAMED)
def test_documented_columns_are_described(
    component: type[VendorComponent], yaml: dict[str, object], columns: set[str]
) -> None:
    [stream] = component(**yaml).streams()
    assert stream.target.column_descriptions.keys() == columns
    assert all(text.endswith(".") for text in stream.target.column_descriptions.values())


def test_every_column_of_every_report_is_described() -> None:
    for stream in ChannelReports(**SINCE, channels=[1]).streams():
        assert stream.target.column_descriptions.keys() == stream.declared.keys()


def test_a_description_in_yaml_takes_precedence_and_keeps_the_others() -> None:
    table: Any = {**ENTITIES[0], "column_descriptions": {"author": "Who wrote it.", "team": "Their team."}}
    [stream] = Accutics(**SINCE, tables=[table]).streams()
    shown = stream.target.column_descriptions
    assert (shown["author"], shown["team"]) == ("Who wrote it.", "Their team.")
    assert "updater" in shown
    assert stream.target.configured["column_descriptions"] == ["author", "team"]  # only these must exist
