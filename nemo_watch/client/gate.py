"""One gate for the account: after a rate limit no call goes out before it opens.

Touches: the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from nemo_watch import policy
from nemo_watch.errors import RefusedError


class Gate:
    """Open, or closed until a moment. A call that meets it closed is refused here, so nobody stands and waits.

    A paid call in flight is not touched: only what has not gone out yet passes here.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opens_s = 0.0
        self._in_a_row = 0

    def pass_through(self) -> float:
        """Let a call go out; the moment is to be told to `seen`.

        Raises: RefusedError with code "429" and status 0, which is known to have had no effect.
        """
        now_s = self._clock()
        left_s = self._opens_s - now_s
        if left_s <= 0:
            return now_s
        opens_at = (datetime.now(UTC) + timedelta(seconds=left_s)).astimezone()
        raise RefusedError(
            f"The backend asked to slow down: no call is made for this account before {opens_at:%H:%M:%S}.",
            code="429",
            hint="It goes on by itself then.",
            refused=True,
            retry_after_s=left_s,
        )

    def closed_by(self, error: RefusedError, went_s: float) -> None:
        """Close after a rate limit of a call that went out at `went_s`: as long as was asked for, or longer each time.

        Calls that were under way together are one limit, not several in a row. Source: product.md 9, row 429.
        """
        if went_s >= self._opens_s:
            self._in_a_row += 1
        wait_s = error.retry_after_s
        if wait_s is None:
            wait_s = min(policy.RATE_LIMIT_S * 2.0 ** (self._in_a_row - 1), policy.LONGEST_BACKOFF_S)
        self._opens_s = max(self._opens_s, self._clock() + min(wait_s, policy.LONGEST_RATE_LIMIT_S))

    def passed(self, went_s: float) -> None:
        """Take note of an answer that was no rate limit."""
        if went_s >= self._opens_s:
            self._in_a_row = 0
