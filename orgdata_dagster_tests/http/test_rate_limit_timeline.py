"""Logical time, also if somebody changes the machine's clocks."""

from __future__ import annotations

import time

import pytest

from orgdata_dagster.http.clock import SYSTEM
from orgdata_dagster.http.rate_limit.timeline import Anchor, ClockReading, advance, boot_id

ANCHOR = Anchor(500.0, ClockReading(wall=1000.0, monotonic=10.0, boot="a"))


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        pytest.param(ClockReading(1003.0, 13.0, "a"), (503.0, True), id="time goes by"),
        pytest.param(ClockReading(9003.0, 13.0, "a"), (503.0, True), id="set forward: nothing moves"),
        pytest.param(ClockReading(1002.5, 13.0, "a"), (503.0, True), id="half a second back: no harm"),
        pytest.param(ClockReading(903.0, 13.0, "a"), (503.0, False), id="set back: who knows what else was"),
        pytest.param(ClockReading(1060.0, 2.0, "b"), (560.0, False), id="reboot"),
        pytest.param(ClockReading(1060.0, 2.0, "a"), (560.0, False), id="reboot where boots have no name"),
        pytest.param(ClockReading(900.0, 99.0, "b"), (500.0, False), id="reboot, wall clock behind"),
    ],
)
def test_time_advances_with_the_clocks(reading: ClockReading, expected: tuple[float, bool]) -> None:
    assert advance(ANCHOR, reading) == expected


def test_without_an_anchor_the_past_is_unknown() -> None:
    assert advance(None, ClockReading(1000.0, 10.0, "a")) == (1000.0, False)


def test_the_id_of_the_boot_is_stable() -> None:
    assert boot_id() == boot_id()


def test_the_system_clock() -> None:
    began = SYSTEM.monotonic()
    SYSTEM.sleep(-1)
    SYSTEM.sleep(0.01)
    assert 0.009 < SYSTEM.monotonic() - began < 5
    assert abs(SYSTEM.wall() - time.time()) < 5
