"""Hands drops over to whoever makes jobs of them, a few at once; one that cannot be taken now is offered again later.

Touches: the clock of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from nemo_watch.errors import NemoWatchError
from nemo_watch.intake import Intake
from nemo_watch.model import Drop

AGAIN_S = 30.0

log = structlog.get_logger("nemo_watch.watcher")


class Handing:
    """The queue between an intake and `on_drop`. `again(rel)` starts afresh with a file, `done()` follows each drop."""

    def __init__(
        self,
        intake: Intake,
        on_drop: Callable[[Drop], Awaitable[None]],
        *,
        root: str,
        at_once: int,
        again: Callable[[str], None],
        done: Callable[[], None],
    ) -> None:
        self._intake = intake
        self._on_drop = on_drop
        self._root = root
        self._at_once = at_once
        self._again = again
        self._done = done
        self._drops: asyncio.Queue[Drop] = asyncio.Queue()
        self._under_way = 0

    def put(self, drop: Drop) -> None:
        """Queue a drop."""
        self._drops.put_nowait(drop)

    @property
    def idle(self) -> bool:
        """Whether nothing is queued or under way."""
        return self._under_way == 0 and self._drops.empty()

    async def keep(self) -> None:
        """Hand over until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._at_once):
                tasks.create_task(self._keep_one())

    async def _keep_one(self) -> None:
        while True:
            drop = await self._drops.get()
            self._under_way += 1
            try:
                await self._hand_over(drop)
            finally:
                self._under_way -= 1
                self._done()

    async def _hand_over(self, drop: Drop) -> None:
        rel, stamp = drop.clip.rel, drop.clip.stamp
        if not self._intake.is_offered(rel, stamp):
            self._withdraw(drop)
            return  # it changed or went while it stood in the queue
        try:
            await self._on_drop(drop)
        except NemoWatchError as error:  # a folder or the ledger that cannot be used just now
            log.warning("drop.not_accepted", path=self._root, file=rel, why=error.message, again_s=AGAIN_S)
            self._intake.not_accepted(rel, stamp, error.message)
            self._offer_later(drop)
        except Exception as error:  # one file that cannot be accepted must not stop the others
            log.exception("drop.not_accepted", path=self._root, file=rel, again_s=AGAIN_S)
            self._intake.not_accepted(
                rel, stamp, f"an error inside nemo-watch ({type(error).__name__}); its log says more"
            )
            self._offer_later(drop)
        else:
            if drop.kind == "batch" or self._intake.is_offered(rel, stamp):
                self._intake.taken(rel, stamp)

    def _offer_later(self, drop: Drop) -> None:
        asyncio.get_running_loop().call_later(AGAIN_S, self._offer_again, drop)

    def _offer_again(self, drop: Drop) -> None:
        rel, stamp = drop.clip.rel, drop.clip.stamp
        self._withdraw(drop)
        if self._intake.is_offered(rel, stamp):
            self._again(rel)

    def _withdraw(self, drop: Drop) -> None:
        """Let the parts of a drop that was not taken come again."""
        if drop.kind == "batch":
            for rel in self._intake.withdrawn(drop.clip.rel, drop.clip.stamp):
                self._again(rel)
