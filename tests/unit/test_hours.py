"""Windows of the day by the clock on the wall, over midnight and when the clock is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.config import Hours, local_day, next_midnight, parse_hours

NIGHT, DAY = "22:00-06:00", "08:00-17:30"


def hours(text: str, offset_h: int = 0) -> Hours:
    found = parse_hours(text, timezone(timedelta(hours=offset_h)))
    assert found is not None
    return found


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def berlin() -> Iterator[None]:
    """Let this machine live in Berlin, by a rule that needs no files."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "at", "is_open", "opens_at"),
    [
        (NIGHT, "2026-11-21T23:00", True, "2026-11-21T23:00"),
        (NIGHT, "2026-11-21T05:59", True, "2026-11-21T05:59"),
        (NIGHT, "2026-11-21T06:00", False, "2026-11-21T22:00"),
        (NIGHT, "2026-11-21T21:59", False, "2026-11-21T22:00"),
        (NIGHT, "2026-11-21T22:00", True, "2026-11-21T22:00"),
        (DAY, "2026-11-21T08:00", True, "2026-11-21T08:00"),
        (DAY, "2026-11-21T17:30", False, "2026-11-22T08:00"),
        (DAY, "2026-11-21T00:10", False, "2026-11-21T08:00"),
        (DAY, "2026-12-31T23:00", False, "2027-01-01T08:00"),
    ],
)
def test_a_window_is_open_from_its_beginning_to_before_its_end(
    text: str, at: str, *, is_open: bool, opens_at: str
) -> None:
    assert hours(text).is_open(utc(at)) is is_open
    assert hours(text).opens_at(utc(at)) == utc(opens_at)


def test_the_clock_on_the_wall_is_what_counts() -> None:
    assert hours(NIGHT, 9).is_open(utc("2026-11-21T13:00"))
    assert hours(DAY, -5).opens_at(utc("2026-11-21T03:00")) == utc("2026-11-21T13:00")


def test_none_is_any_time() -> None:
    assert parse_hours("") is None
    assert str(parse_hours(" 22:00 - 06:00 ")) == NIGHT


@pytest.mark.parametrize("text", ["22-6", "22:00", "24:00-06:00", "22:00-22:00", "22:60-06:00", "night"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_hours(text)


@pytest.mark.usefixtures("berlin")
class TestClockChanges:
    """In Berlin 02:00 is followed by 03:00 on 2026-03-29, and 02:59 by 02:00 on 2026-10-25."""

    def test_a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn(self) -> None:
        night = parse_hours(NIGHT)
        assert night is not None
        for begins, ends in (("2026-03-28T21:00", "2026-03-29T04:00"), ("2026-10-24T20:00", "2026-10-25T05:00")):
            assert night.opens_at(utc(begins) - timedelta(hours=3)) == utc(begins)
            assert night.is_open(utc(ends) - timedelta(minutes=1))
            assert not night.is_open(utc(ends))

    def test_a_beginning_that_is_left_out_is_where_the_clock_goes_on(self) -> None:
        early = parse_hours("02:30-05:00")
        assert early is not None
        assert early.opens_at(utc("2026-03-28T23:00")) == utc("2026-03-29T01:00")

    def test_a_beginning_that_comes_twice_is_the_first(self) -> None:
        early = parse_hours("02:30-02:45")
        assert early is not None
        assert early.opens_at(utc("2026-10-24T23:00")) == utc("2026-10-25T00:30")

    def test_a_day_has_as_many_hours_as_it_has(self) -> None:
        assert next_midnight(utc("2026-03-28T23:00")) == utc("2026-03-29T22:00")
        assert next_midnight(utc("2026-10-24T22:00")) == utc("2026-10-25T23:00")
        assert local_day(utc("2026-10-24T22:00")).isoformat() == "2026-10-25"

    @given(
        st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
        st.times(),
        st.times(),
    )
    def test_the_next_opening_is_open_and_nothing_before_it_is(self, at: datetime, begins: Any, ends: Any) -> None:
        moment = at.replace(tzinfo=UTC)
        window = Hours(begins.replace(second=0, microsecond=0), ends.replace(second=0, microsecond=0))
        if window.begins == window.ends:
            return
        opens_at = window.opens_at(moment)
        assert window.is_open(opens_at)
        assert moment <= opens_at < moment + timedelta(hours=49)
        if opens_at > moment:
            assert not window.is_open(opens_at - timedelta(seconds=1))
