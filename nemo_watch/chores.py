"""The clock: harmless work that comes round by itself.

Touches: through the chores it is given whatever they touch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from nemo_watch.errors import NemoWatchError

NOTICE_S = 2.0

log = structlog.get_logger("nemo_watch.chores")


class Chores:
    """Periodic work on the daemon's own loop; a chore that is still busy is not started a second time."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}, timezone=UTC
        )

    def every(self, seconds: float, name: str, chore: Callable[[], Awaitable[None]]) -> None:
        """Do something every so many seconds; a failure is logged and the next time comes all the same."""

        async def guarded() -> None:
            try:
                await chore()
            except asyncio.CancelledError:
                return  # the daemon stops; the scheduler would report it as a failure
            except NemoWatchError as error:
                log.warning("chore.failed", chore=name, why=error.message)

        self._scheduler.add_job(guarded, "interval", seconds=seconds, id=name)

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """End at once; a chore under way is left to the loop. Repeat: safe."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
