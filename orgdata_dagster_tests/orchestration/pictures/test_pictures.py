"""Pictures are well-formed, small, and self-contained."""

import base64
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest

from orgdata_dagster.orchestration.pictures import plots
from orgdata_dagster.orchestration.pictures.svg import COLOURS, calendar_svg, days_per_state, markdown_of
from orgdata_dagster.warehouse.ledger.calendar import DayState

TODAY = date(2026, 11, 27)
YEARS: dict[date, DayState] = {TODAY - timedelta(days=back): "complete" for back in range(2 * 365)}
STATES: dict[date, DayState] = YEARS | {
    TODAY: "unfinished",
    TODAY - timedelta(days=1): "incomplete",
    TODAY - timedelta(days=2): "missing",
}


def test_a_calendar_of_several_years_shows_the_last_one_and_is_small() -> None:
    svg = calendar_svg(STATES, TODAY)
    assert len(svg) < 10_000
    shapes = [each for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("path")]
    legend = len(COLOURS)
    assert 360 <= sum((each.get("d") or "").count("M") for each in shapes) - legend <= 380
    assert sum((each.get("d") or "").count("M") for each in shapes if each.get("fill") == COLOURS["missing"]) == 2
    assert "http://" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_days_that_were_not_requested_look_different_from_missing_ones() -> None:
    svg = calendar_svg({TODAY: "unfinished", TODAY - timedelta(days=3): "missing"}, TODAY)
    assert svg.count("m4 4h2v2h-2z") >= 2  # the days between, and the legend
    assert svg.count("zm2 2v6h6v-6z") == 2


def test_the_text_counts_the_states() -> None:
    assert days_per_state(STATES.values()) == "727 complete, 1 unfinished, 1 incomplete, 1 missing"


def test_markdown_contains_the_picture() -> None:
    text = markdown_of("<svg/>", "a [b]")
    assert text.startswith("![a (b)](data:image/svg+xml;base64,")
    assert base64.b64decode(text[text.index("base64,") + 7 : -1]) == b"<svg/>"


def test_without_matplotlib_there_is_no_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    assert plots.bars(["2026-01-01"], {"rows": [1]}) is None


def test_a_plot_is_an_svg_with_a_transparent_background() -> None:
    pytest.importorskip("matplotlib")
    days = [str(TODAY - timedelta(days=back)) for back in range(60)]
    svg = plots.bars(days, {"rows": list(range(60)), "requests": [3.0] * 60})
    assert svg is not None
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert len(svg) < 25_000
    assert ">requests<" in svg  # text is text
    assert "fill: #ffffff" not in svg
    assert plots.bars([], {"rows": []}) is None
