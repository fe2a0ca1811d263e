"""How fast something goes on and how long it will take, told from what was seen of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

WINDOW_S = 20.0
"""So far back it is looked: long enough to be calm, short enough to see a network that got better or worse."""
APART_S = 0.5
"""Observations that are closer than this are one: a chunk of a megabyte may take a millisecond."""
LEAST_SPAN_S = 1.0
MOST_LEFT_S = 99 * 3600.0
"""What would take longer than this is not told: nobody can know it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """So much was done at this moment. Units: `at_s` monotonic, `done` whatever is counted."""

    at_s: float
    done: float


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen of one piece of work; `total` is 0 where it is not known."""

    total: float = 0.0
    seen: tuple[Seen, ...] = ()

    @property
    def done(self) -> float:
        """How much was done when it was last looked at."""
        return self.seen[-1].done if self.seen else 0.0

    def rate(self, now_s: float) -> float | None:
        """Tell how much is done in a second, None where that cannot be told: too little was seen, or it stands still.

        What is looked at rarely is not slow for that: only a silence longer than the longest one before it counts.
        """
        if len(self.seen) < 2:
            return None
        first, last = self.seen[0], self.seen[-1]
        moments = [one.at_s for one in self.seen]
        longest_s = max(later - earlier for earlier, later in pairwise(moments))
        span_s = max(last.at_s, now_s - max(longest_s, 2 * APART_S)) - first.at_s
        if span_s < LEAST_SPAN_S or last.done <= first.done:
            return None
        # A minute of silence at a window of seconds: whatever was seen before is no news about now.
        return None if now_s - last.at_s > longest_s + WINDOW_S else (last.done - first.done) / span_s

    def left_s(self, now_s: float) -> float | None:
        """Tell how long the rest will take at this rate, None where that cannot be told. Units: seconds, never < 0."""
        rate = self.rate(now_s)
        if rate is None or not self.done < self.total:
            return None
        left_s = (self.total - self.done) / rate - max(0.0, now_s - self.seen[-1].at_s)
        return max(0.0, left_s) if left_s <= MOST_LEFT_S else None


def observe(pace: Pace | None, at_s: float, done: float, total: float) -> Pace:
    """Add what is seen now. What goes back, or is of another size, is another try: it is begun anew."""
    now = Seen(at_s, max(0.0, done))
    if pace is None or not pace.seen or now.done < pace.done or pace.total not in (0.0, total):
        return Pace(total, (now,))
    kept = pace.seen
    if len(kept) > 1 and at_s - kept[-2].at_s < APART_S:
        kept = kept[:-1]
    # The two before it stay however old they are: an export is looked at every half minute.
    old = [one for one in kept[:-2] if at_s - one.at_s > WINDOW_S]
    return Pace(total, (*kept[len(old) :], now))
