"""One gate for the account: closed as long as was asked for, longer each time, and only for what has not gone out."""

from __future__ import annotations

import pytest

from nemo_watch.client.gate import Gate
from nemo_watch.errors import RefusedError


class Clock:
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def limit(retry_after_s: float | None = None) -> RefusedError:
    return RefusedError("Slow down.", code="429", status=429, refused=True, retry_after_s=retry_after_s)


def closed_for(gate: Gate) -> float:
    with pytest.raises(RefusedError) as refused:
        gate.pass_through()
    assert (refused.value.code, refused.value.status, refused.value.refused) == ("429", 0, True)
    assert refused.value.retry_after_s is not None
    return refused.value.retry_after_s


def test_it_opens_when_the_backend_said() -> None:
    clock = Clock()
    gate = Gate(clock)
    gate.closed_by(limit(12.0), gate.pass_through())
    assert closed_for(gate) == 12.0
    clock.now_s += 11.5
    assert closed_for(gate) == pytest.approx(0.5)
    clock.now_s += 0.5
    gate.pass_through()


def test_without_a_word_it_is_thirty_seconds_once_and_then_longer() -> None:
    clock = Clock()
    gate = Gate(clock)
    waits = []
    for _ in range(8):
        gate.closed_by(limit(), gate.pass_through())
        waits.append(closed_for(gate))
        clock.now_s += waits[-1]
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]
    gate.passed(gate.pass_through())
    gate.closed_by(limit(), gate.pass_through())
    assert closed_for(gate) == 30


def test_calls_that_were_under_way_together_are_one_limit() -> None:
    clock = Clock()
    gate = Gate(clock)
    together = [gate.pass_through() for _ in range(4)]
    for went_s in together:
        clock.now_s += 1
        gate.closed_by(limit(), went_s)
    assert closed_for(gate) == 30
    gate.passed(together[0])  # an answer to what went out before the limit says nothing of it
    clock.now_s += 30
    gate.closed_by(limit(), gate.pass_through())
    assert closed_for(gate) == 60


def test_a_shorter_wish_does_not_open_it_earlier() -> None:
    clock = Clock()
    gate = Gate(clock)
    one, other = gate.pass_through(), gate.pass_through()
    gate.closed_by(limit(60.0), one)
    gate.closed_by(limit(5.0), other)
    assert closed_for(gate) == 60
