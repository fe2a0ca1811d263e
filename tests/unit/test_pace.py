"""How fast something goes on, and how long it will take: told only where it can be known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.pace import MOST_LEFT_S, Pace, observe

MB = 1_000_000.0


def seen(*looks: tuple[float, float], total: float = 100 * MB) -> Pace:
    pace: Pace | None = None
    for at_s, done in looks:
        pace = observe(pace, at_s, done, total)
    assert pace is not None
    return pace


def test_a_steady_upload_has_its_rate_and_the_time_that_is_left() -> None:
    pace = seen(*((second, second * 2 * MB) for second in range(11)))
    assert pace.rate(10.0) == pytest.approx(2 * MB)
    assert pace.left_s(10.0) == pytest.approx(40.0)
    assert pace.left_s(10.8) == pytest.approx(39.2), "time goes on between two looks"


@pytest.mark.parametrize(
    "looks",
    [
        [(0.0, 5 * MB)],
        [(0.0, 5 * MB), (0.2, 9 * MB)],
        [(0.0, 5 * MB), (8.0, 5 * MB)],
        [(0.0, 5 * MB), (8.0, 3 * MB)],
    ],
    ids=["one look", "too short", "it stands still", "it went back"],
)
def test_where_it_cannot_be_told_it_is_not(looks: Sequence[tuple[float, float]]) -> None:
    pace = seen(*looks)
    assert pace.rate(looks[-1][0]) is None
    assert pace.left_s(looks[-1][0]) is None


def test_what_a_download_found_there_already_is_no_speed() -> None:
    pace = seen((0.0, 60 * MB), (1.0, 61 * MB), (2.0, 62 * MB))
    assert pace.rate(2.0) == pytest.approx(MB)
    assert pace.left_s(2.0) == pytest.approx(38.0)


def test_another_try_begins_anew() -> None:
    pace = seen((0.0, 0.0), (10.0, 50 * MB), (11.0, 0.0), (12.0, MB), (13.0, 2 * MB))
    assert pace.rate(13.0) == pytest.approx(MB)
    other = observe(pace, 14.0, 3 * MB, 7 * MB)
    assert other.rate(14.0) is None


def test_without_a_total_there_is_a_rate_and_no_time_left() -> None:
    pace = seen((0.0, 0.0), (2.0, 4 * MB), total=0.0)
    assert pace.rate(2.0) == pytest.approx(2 * MB)
    assert pace.left_s(2.0) is None
    assert observe(pace, 4.0, 8 * MB, 10 * MB).left_s(4.0) == pytest.approx(1.0), "its size was told late"


def test_it_forgets_what_is_long_ago() -> None:
    slow = [(float(second), second * MB) for second in range(60)]
    fast = [(60.0 + second, 60 * MB + second * 5 * MB) for second in range(1, 41)]
    assert seen(*slow, *fast, total=1000 * MB).rate(100.0) == pytest.approx(5 * MB)


def test_an_export_that_is_asked_for_every_half_minute_is_no_slower_between_two_looks() -> None:
    pace = seen((5.0, 4.0), (35.0, 14.0), (65.0, 24.0), total=100.0)
    assert pace.rate(65.0) == pytest.approx(1 / 3)
    assert pace.rate(94.0) == pytest.approx(1 / 3)
    assert pace.left_s(94.0) == pytest.approx(76 * 3 - 29)


def test_what_stands_still_gets_slower_and_then_has_no_rate() -> None:
    pace = seen(*((second, second * MB) for second in range(11)))
    rates = [pace.rate(now_s) for now_s in (10.0, 15.0, 25.0)]
    assert rates[0] is not None
    assert rates[1] is not None
    assert rates[2] is not None
    assert rates[0] > rates[1] > rates[2]
    assert pace.rate(40.0) is None
    assert pace.left_s(40.0) is None


def test_nobody_is_told_a_time_of_weeks() -> None:
    assert seen((0.0, 0.0), (10.0, 1.0)).left_s(10.0) is None


numbers = st.floats(min_value=0, max_value=1e13)


@given(st.lists(st.tuples(st.floats(min_value=0, max_value=1e5), numbers, numbers), min_size=1), numbers)
def test_whatever_is_seen_nothing_is_negative_or_endless(
    looks: list[tuple[float, float, float]], after_s: float
) -> None:
    pace: Pace | None = None
    at_s = 0.0
    for pause_s, done, total in looks:
        at_s += pause_s
        pace = observe(pace, at_s, done, total)
    assert pace is not None
    rate, left_s = pace.rate(at_s + after_s), pace.left_s(at_s + after_s)
    assert rate is None or (math.isfinite(rate) and rate > 0)
    assert left_s is None or 0 <= left_s <= MOST_LEFT_S
