"""The inbox's own two threads: what touches the inbox runs there, so that a hung mount stops nothing else.

Touches: threads, the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from nemo_watch.folderthreads import DaemonPool

_T = TypeVar("_T")
PULSE_S = 5.0
STOP_WAIT_S = 10.0


class InboxThreads:
    """Runs blocking calls; the inbox is hung if calls wait and none has returned for `hung_s`.

    `on_change(hung)` is called when it hangs and when it answers again.
    """

    def __init__(self, *, hung_s: float, clock: Callable[[], float], on_change: Callable[[bool], None]) -> None:
        self.is_hung = False
        self.last_alive_s = clock()
        self._hung_s = hung_s
        self._clock = clock
        self._on_change = on_change
        self._returned_s = clock()
        self._pool = DaemonPool(2, "inbox")

    async def call(self, work: Callable[..., _T], *args: Any) -> _T:
        """Run something in one of the threads and wait for it, however long it takes."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        begun_s = self._clock()
        try:
            while not (await asyncio.wait({future}, timeout=min(PULSE_S, self._hung_s)))[0]:
                self.last_alive_s = self._clock()
                if self.last_alive_s - max(begun_s, self._returned_s) >= self._hung_s and not self.is_hung:
                    self.is_hung = True
                    self._on_change(True)  # noqa: FBT003  # a callback's only argument
        except asyncio.CancelledError:
            future.cancel()
            raise
        self._returned_s = self._clock()
        if self.is_hung:
            self.is_hung = False
            self._on_change(False)  # noqa: FBT003  # a callback's only argument
        return future.result()

    def later(self, work: Callable[..., object], *args: Any) -> None:
        """Have something done in one of the threads that nobody waits for, such as the closing of a file."""
        self._pool.submit(work, *args)

    async def close(self, last: Callable[[], object] | None = None) -> None:
        """Run one last thing and end the threads; one that hangs is left behind after a while."""
        if last is not None:
            stopping = asyncio.get_running_loop().run_in_executor(self._pool, last)
            await asyncio.wait({stopping}, timeout=STOP_WAIT_S)
        self._pool.shutdown(wait=False, cancel_futures=True)
