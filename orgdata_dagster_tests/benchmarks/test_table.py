"""The table that both harnesses print."""

from benchmarks.outside.table import text


def test_words_stand_to_the_left_and_figures_to_the_right() -> None:
    assert text(["condition", "lost"], [["kills", 0], ["big", 12]]) == (
        "| condition | lost |\n|-----------|-----:|\n| kills     |    0 |\n| big       |   12 |"
    )
