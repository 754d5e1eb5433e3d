"""DuckDB's errors in one sentence."""

import duckdb

from orgdata_dagster.warehouse.storage.causes import explained

LONG = (
    "Serialization Error: Failed to deserialize: field id mismatch, expected: 100, got: 51966 while reading the row "
    "groups of table institution_analytics.events, block 8192, offset 262144, of the file that was opened read-only"
)


def test_the_reason_of_damage_is_not_shortened() -> None:
    """A shortened reason loses its figures, and a secret that is cut could not be redacted any more."""
    meant = explained(duckdb.SerializationException(LONG), "/data/warehouse.duckdb")
    assert f"is damaged ({LONG.removeprefix('Serialization Error: ')})" in str(meant)
