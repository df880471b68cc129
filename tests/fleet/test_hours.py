from datetime import datetime

import pytest

from rocm_pipeline.fleet.hours import WHOLE_DAY, Hours

MONDAY, TUESDAY, SATURDAY = 23, 24, 28


def at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{day}T{clock}")


@pytest.mark.parametrize(
    ("clock", "held"),
    [("08:59", False), ("09:00", True), ("16:59", True), ("17:00", False), ("00:00", False)],
)
def test_hours_hold_from_their_start_and_end_before_their_end(clock: str, held: bool) -> None:
    assert Hours.parse("09:00-17:00").hold(at(MONDAY, clock)) is held


@pytest.mark.parametrize(
    ("clock", "held"),
    [("19:59", False), ("20:00", True), ("23:59", True), ("00:00", True), ("08:00", False)],
)
def test_hours_may_pass_midnight(clock: str, held: bool) -> None:
    assert Hours.parse("20:00-08:00").hold(at(MONDAY, clock)) is held


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = Hours.parse("20:00-08:00")
    assert night.hold(at(TUESDAY, "03:00"), ("mon",))
    assert not night.hold(at(MONDAY, "03:00"), ("mon",))
    assert not night.hold(at(TUESDAY, "21:00"), ("mon",))


def test_the_whole_day_may_be_one_of_the_week() -> None:
    assert WHOLE_DAY.hold(at(SATURDAY, "23:59"), ("sat", "sun"))
    assert not WHOLE_DAY.hold(at(MONDAY, "00:00"), ("sat", "sun"))


@pytest.mark.parametrize("text", ["", "20-8", "24:00-08:00", "20:00-20:00", "9:00-17:00", "1200"])
def test_what_is_no_span_of_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="hours"):
        Hours.parse(text)


@pytest.mark.parametrize("text", ["20:00-08:00", "00:00-24:00", "09:30-17:15"])
def test_hours_are_shown_as_they_are_written(text: str) -> None:
    assert str(Hours.parse(text)) == text
