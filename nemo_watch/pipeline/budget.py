"""What was spent today: how far the balance fell since local midnight, and what is reserved for work under way.

Touches: the ledger (one fact), the backend (the balance), the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import structlog

from nemo_watch.client import Client
from nemo_watch.config import GENERATION_CREDITS, SESSION_CREDITS, local_day, next_midnight
from nemo_watch.errors import CloudError, ConfigError, FolderError
from nemo_watch.ledger import Ledger
from nemo_watch.model import OPEN_STATES, SkillHeaders, Work
from nemo_watch.pipeline.house import now, paid_so_far

FACT = "budget"
ALL = 1_000_000

log = structlog.get_logger("nemo_watch.budget")


@dataclass(frozen=True, slots=True)
class Spent:
    """A day's count. `total` is the balance as it was last read, frozen credits included, None before the first time.

    `is_new`: no balance was read on this day yet.
    """

    day: str
    account: str
    spent: float = 0.0
    total: float | None = None
    is_new: bool = True


def credits_of(work: Work) -> int:
    """Tell about how many credits work costs. Source: contract.md 7."""
    return {"generate": GENERATION_CREDITS, "ask": 0}.get(work.kind, SESSION_CREDITS)


def _called(credits: int) -> str:  # noqa: A002 - the word of the contract
    return "another session" if credits == SESSION_CREDITS else "a generated clip"


class Budget:
    """Counts for one account; made and used inside one event loop. With `limit` 0 nothing is read, nothing is kept.

    A session counts as 50, a generated clip as 100, from before its first message goes out until a balance was read
    after its turn ended. What a daemon that was stopped did not see is counted when the balance is read next on the
    same day. Over midnight only as much is counted for the new day as was under way: what was spent elsewhere in the
    night belongs to the day before.
    """

    def __init__(
        self,
        ledger: Ledger,
        client: Client,
        skill: Callable[[], SkillHeaders],
        *,
        limit: int,
        account: str,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._ledger = ledger
        self._client = client
        self._skill = skill
        self._limit = limit
        self._account = account
        self._clock = clock
        self._turn = asyncio.Lock()
        self._reserved: dict[str, int] = {}
        self._ended: set[str] = set()

    async def load(self) -> None:
        """Reserve for messages that an earlier process sent and whose fate is not known yet. Repeat: safe."""
        if not self._limit:
            return
        for job in await self._ledger.jobs(OPEN_STATES, limit=ALL):
            if job.step.startswith("edit-") and await paid_so_far(self._ledger, job) == "unknown":
                self._reserved[job.job_id] = credits_of(job.work)

    async def reserve(self, job_id: str, credits: int = SESSION_CREDITS) -> str:  # noqa: A002 - the word of the contract
        """Reserve what a job may cost; if the day has not as many credits left, say so and reserve nothing.

        Raises: CloudError if the balance cannot be read. Repeat: safe.
        """
        if not self._limit:
            return ""
        async with self._turn:
            # One whose last message could not be counted is counted first: it goes out once more.
            is_known = job_id in self._reserved and job_id not in self._ended
            why = "" if is_known else self._why_not(await self._read(), credits)
            if not why:
                self._reserved[job_id] = credits
            return why

    async def settle(self, job_id: str) -> None:
        """Count what a job spent, as nothing of it is in flight any more. Repeat: safe.

        While the balance cannot be read, what was reserved for the job stays reserved.
        """
        if job_id not in self._reserved:
            return
        self._ended.add(job_id)
        try:
            async with self._turn:
                await self._read()
        except (CloudError, ConfigError, FolderError) as error:
            log.info("budget.unread", job=job_id, why=error.message)

    async def why_not(self) -> str:
        """Say why no other session fits into the day, "" if one does; the balance is read only if it must have changed.

        Raises: CloudError.
        """
        if not self._limit:
            return ""
        async with self._turn:
            return self._why_not(await self._read() if self._ended else await self._today())

    def goes_on_at(self) -> datetime:
        """Give the moment at which the next day begins."""
        return next_midnight(self._clock())

    def _why_not(self, today: Spent, wanted: int = SESSION_CREDITS) -> str:
        reserved = sum(self._reserved.values())
        if today.spent + reserved + wanted <= self._limit:
            return ""
        under_way = f" and {reserved} are reserved for what is under way" if reserved else ""
        return (
            f"The budget of {self._limit} credits a day has no room for {_called(wanted)} of about {wanted}: "
            f"{today.spent:g} were spent today{under_way}. It goes on after midnight, or with a higher "
            "[budget] credits_per_day in the config."
        )

    async def _today(self) -> Spent:
        fact = await self._ledger.recall(FACT)
        day = local_day(self._clock()).isoformat()
        if fact is None or fact["account"] != self._account:
            return Spent(day, self._account)
        kept = Spent(**fact)
        return kept if kept.day == day else Spent(day, self._account, total=kept.total)

    async def _read(self) -> Spent:
        """Read the balance and count how far it fell; a balance that rose was topped up, and takes nothing back."""
        ended = frozenset(self._ended)
        total = (await self._client.balance(self._skill())).total
        today = await self._today()
        fell = max(0.0, today.total - total) if today.total is not None else 0.0
        if today.is_new:
            fell = min(fell, float(sum(self._reserved.values())))
        counted = replace(today, spent=today.spent + fell, total=total, is_new=False)
        if counted != today:
            await self._ledger.remember(FACT, asdict(counted))
        self._reserved = {job_id: kept for job_id, kept in self._reserved.items() if job_id not in ended}
        self._ended -= ended
        return counted
