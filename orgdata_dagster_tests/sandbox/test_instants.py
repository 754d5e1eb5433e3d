from datetime import UTC, datetime

import pytest

from orgdata_dagster.sandbox import instants


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00.000000Z"),
        ("2026-03-01T00:00:00.25Z", "2026-03-01T00:00:00.250000Z"),
        ("2026-03-01T01:00:00.123456+01:00", "2026-03-01T00:00:00.123456Z"),
        ("2026-02-28T19:00:00-05:00", "2026-03-01T00:00:00.000000Z"),
    ],
)
def test_one_instant_has_one_number_whatever_its_spelling(text: str, same: str) -> None:
    assert instants.to_text(instants.from_text(text)) == same


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-03-01", "2026-03-01T00:00:00", "2026-03-01T00:00:00 00:00", "2026-03-01T00:00:00.1234567Z",
     "2026-02-30T00:00:00Z", "2026-03-01 00:00:00Z", "2026-03-01T00:00:00.Z"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        instants.from_text(text)


def test_no_microsecond_is_lost() -> None:
    at = datetime(2026, 12, 31, 23, 59, 59, 999_999, UTC)
    assert instants.to_datetime(instants.from_datetime(at)) == at
    assert instants.to_text(instants.from_datetime(at), 3) == "2026-12-31T23:59:59.999Z"
    assert instants.to_text(instants.from_datetime(at), 0) == "2026-12-31T23:59:59Z"


def test_a_datetime_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        instants.from_datetime(datetime(2026, 1, 1))
