"""The clock: harmless work that comes round by itself.

Touches: the ledger and, for looking at the balance, the backend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from nemo_watch.client import Client
from nemo_watch.errors import CloudError, NemoWatchError, OperatorError
from nemo_watch.ledger import HoldNotice, Ledger
from nemo_watch.model import SkillHeaders

HOLD_LOOK_S = 5.0
NOTICE_S = 2.0
LOOK_AGAIN_S = 600.0

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


async def look_at_holds(
    ledger: Ledger, client: Client, skill: SkillHeaders, wake: Callable[[], None], *, at_start: bool = False
) -> None:
    """Look whether the causes of account-wide holds are gone, each when its time has come, and all at the start.

    Repeat: safe.

    Source: product.md 9, rows 1001, token_quota and 2001.
    """
    for hold in await ledger.holds():
        if not at_start and hold.look_at is not None and hold.look_at > datetime.now(UTC):
            continue
        if await _is_over(client, skill, hold):
            await ledger.lift(hold.reason)
            log.info("hold.over", reason=hold.reason)
            wake()
        else:
            await ledger.looked(hold.reason, datetime.now(UTC) + timedelta(seconds=LOOK_AGAIN_S))


async def _is_over(client: Client, skill: SkillHeaders, hold: HoldNotice) -> bool:
    try:
        balance = await client.balance(skill)
    except (CloudError, OperatorError) as error:
        log.info("hold.stays", reason=hold.reason, why=error.message)
        return False
    return balance.available > 0 if hold.reason == "credits" else True
