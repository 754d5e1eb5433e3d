"""Partitions that seem to have been emptied at the vendor: which ones, and the command that accepts it."""

import pytest

from orgdata_dagster.orchestration.assets.contradictions import until_accepted
from orgdata_dagster.overview.emptied import ACCEPT, acceptance, in_words


def test_the_reason_of_such_a_partition_is_recognized() -> None:
    assert ACCEPT in until_accepted("no rows")
    assert in_words(["2026-11-01", "2026-11-03"]).endswith("2 partitions, 2026-11-01 to 2026-11-03")


@pytest.mark.parametrize(
    ("partitions", "days"),
    [
        ([None], ""),
        (["2026-11-01"], " --from 2026-11-01 --to 2026-11-01"),
        (["2026-11-01", "2026-11-02"], " --from 2026-11-01 --to 2026-11-02"),
        (["2026-11-01", "2026-11-03"], " --from 2026-11-01 --to 2026-11-01"),  # the day between is not accepted unseen
    ],
)
def test_the_command_accepts_these_partitions_and_no_others(partitions: list[str | None], days: str) -> None:
    assert acceptance("octolis/contacts", partitions).endswith(f": orgdata pull octolis/contacts{days} --accept-shrink")
