"""Why no paid work may start now: the one place that knows every hold of the whole account, and when it is over.

Touches: the ledger, the backend (looking whether a cause is gone), the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from nemo_watch.client import Client
from nemo_watch.config import SESSION_CREDITS, Hours
from nemo_watch.errors import CloudError, ConfigError, OperatorError
from nemo_watch.ledger import HoldNotice, Ledger
from nemo_watch.model import OPEN_STATES, Job, SkillHeaders
from nemo_watch.pipeline.budget import ALL, Budget, credits_of
from nemo_watch.pipeline.house import Patience, later, needs_session, now
from nemo_watch.policy import Hold

PAUSED = "paused"
"""The fact that a person paused all paid work: {"since": moment, "by": "person"}. Kept in the ledger until `resume`."""

ANY_JOB = ""
"""No job has taken the trial yet."""

log = structlog.get_logger("nemo_watch.holds")


class HeldError(Exception):
    """Stand still until a cause that concerns the whole account is gone. Not a failure."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Asking:
    """What the holds ask elsewhere. `export_passes` tries one export that was refused: None if none is kept."""

    skill: Callable[[], SkillHeaders]
    export_passes: Callable[[], Awaitable[bool | None]]
    wake: Callable[[], None]


class Holds:
    """All holds of the account. Each is a row in the ledger that lasts until its cause is gone, over every restart.

    Some causes are seen at once (paused, hours, budget), the others by asking the backend when it is time to look.
    """

    def __init__(
        self,
        ledger: Ledger,
        client: Client,
        budget: Budget,
        asking: Asking,
        *,
        hours: Hours | None = None,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.budget = budget
        self._ledger = ledger
        self._client = client
        self._asking = asking
        self._hours = hours
        self._patience = patience or Patience()
        self._clock = clock
        self._turn = asyncio.Lock()
        self._credits: float | None = None
        self._trial: str | None = None
        self._token = self._given()

    # ------------------------------------------------------------ before a payment

    async def ensure_token(self) -> None:
        """Take a token that lives long enough for a new session, before anything of it is paid.

        A new anonymous token is another account, to which the sessions of the old one are unknown: while paid work of
        the old one is under way none is asked for before the old one ends.
        Raises: HeldError, CloudError, ConfigError, FolderError. Repeat: safe.
        """
        ends_at = await self._token_in_use_until()
        if ends_at is not None:
            sentence = (
                f"The anonymous token ends at {ends_at:%Y-%m-%d %H:%M} UTC, and paid work of it is under way; with the "
                "next token, which is another account, new work begins."
            )
            await self._begin("token_quota", sentence, later(self._patience.hold_looks.account_s))
        await self._client.ensure_token(self._patience.token_life_s)

    async def _token_in_use_until(self) -> datetime | None:
        """Tell when a token ends that is too old to begin with and too much in use to be replaced; None if none is."""
        credentials = self._client.credentials
        ends_at = credentials.expires_at
        if ends_at is None or ends_at <= now() or not credentials.expires_within(self._patience.token_life_s):
            return None
        return ends_at if await self._paid_under_way() else None

    async def _paid_under_way(self) -> str | None:
        """Name a job whose edit is paid, or may be, and whose result is not downloaded yet."""
        for job in await self._ledger.jobs(OPEN_STATES, limit=ALL):
            if await needs_session(self._ledger, job):
                return job.job_id
        return None

    async def refuse(self, job_id: str, *, begun: bool) -> None:
        """Begin nothing that leads to a payment while paid work is held.

        `begun`: the session is paid for already, so that hours, budget and the life of the token (with which it ends)
        have nothing to say about what is left.
        Raises: HeldError, which makes this job held as well; CloudError.
        """
        is_paused = await self._show_pause()
        for hold in await self._ledger.holds():
            # What can be seen at once is not believed to the row, which lasts until the next look.
            if begun and hold.reason == "token_quota":
                continue
            if hold.reason == "export_blocked" and self._is_trial(job_id):
                continue
            if hold.reason not in ("hours", "budget", PAUSED) or (hold.reason == PAUSED and is_paused):
                raise HeldError(hold.reason, hold.sentence)
        if begun:
            return
        if self._hours is not None and not self._hours.is_open(self._clock()):
            opens_at = self._hours.opens_at(self._clock())
            sentence = f"Paid work starts at {self._hours} only; it goes on at {opens_at.astimezone():%Y-%m-%d %H:%M}."
            await self._begin("hours", sentence, opens_at)
        if why := await self.budget.why_not():
            await self._begin("budget", why, self.budget.goes_on_at())

    async def reserve(self, job: Job) -> None:
        """Reserve what a first message will cost. Raises: HeldError if the day's budget has no room, CloudError."""
        if why := await self.budget.reserve(job.job_id, credits_of(job.work)):
            await self._begin("budget", why, self.budget.goes_on_at())

    async def hold(self, hold: Hold) -> None:
        """Write that a failure holds all paid work. Repeat: safe; the first moments are kept."""
        self._trial = None if hold.reason == "export_blocked" else self._trial
        await self._ledger.hold(hold.reason, hold.sentence, hold.link, later(hold.look_after_s))

    async def is_held(self, reason: str) -> bool:
        """Tell whether a hold is still there."""
        return any(hold.reason == reason for hold in await self._ledger.holds())

    async def _begin(self, reason: str, sentence: str, look_at: datetime | None) -> None:
        await self._ledger.hold(reason, sentence, "", look_at)
        raise HeldError(reason, sentence)

    async def _show_pause(self) -> bool:
        is_paused = await self._ledger.recall(PAUSED) is not None
        if is_paused:
            sentence = "A person paused all paid work; nemo-watch resume lets it go on."
            await self._ledger.hold(PAUSED, sentence, "", None)
        return is_paused

    # ------------------------------------------------------------ when it is over

    async def look(self, *, at_once: bool = False) -> None:
        """End every hold whose cause is gone; `at_once` does not wait until it is time to ask the backend.

        To be called every few seconds, and at once when a person or a start may have changed something.
        Raises: LedgerError. Repeat: safe. Source: product.md 9.
        """
        async with self._turn:
            await self._show_pause()
            token = self._given()
            at_once = at_once or token != self._token  # another token may be another account
            self._token = token
            for hold in await self._ledger.holds():
                if await self._is_over(hold, at_once=at_once):
                    await self._end(hold.reason)

    async def resume(self) -> list[str]:
        """Do what `resume` means for the holds: end the pause, and look at once whether the others are over.

        Returns the reasons that ended. Raises: LedgerError. Repeat: safe.
        """
        before = [hold.reason for hold in await self._ledger.holds()]
        await self._ledger.remember(PAUSED, None)
        await self.look(at_once=True)
        if await self.is_held("export_blocked") and self._trial is not None:  # nothing but the person's word can tell
            await self._end("export_blocked")
        still = {hold.reason for hold in await self._ledger.holds()}
        return [reason for reason in before if reason not in still]

    async def export_passed(self) -> None:
        """Take note of an export that the backend took: the plan allows it. Repeat: safe."""
        if await self.is_held("export_blocked"):
            await self._end("export_blocked")

    def _is_trial(self, job_id: str) -> bool:
        """Let one job try whether exports are allowed again, where no session is kept that could tell."""
        if self._trial == ANY_JOB:
            self._trial = job_id
        return self._trial == job_id

    async def _end(self, reason: str) -> None:
        self._trial = None if reason == "export_blocked" else self._trial
        await self._ledger.lift(reason)
        log.info("hold.over", reason=reason)
        self._asking.wake()

    async def _is_over(self, hold: HoldNotice, *, at_once: bool) -> bool:
        match hold.reason:
            case reason if reason == PAUSED:
                return await self._ledger.recall(PAUSED) is None
            case "hours":
                return self._hours is None or self._hours.is_open(self._clock())
            case "token_quota" if self._lives_long_enough():
                return True
        if hold.reason != "budget" and not at_once and hold.look_at is not None and hold.look_at > self._clock():
            return False
        try:
            over, why = await self._ask(hold.reason), "the cause is still there"
        except (CloudError, OperatorError) as error:
            over, why = False, error.message
        if not over and hold.reason != "budget":
            looks = self._patience.hold_looks
            after_s = looks.export_s if hold.reason == "export_blocked" else looks.account_s
            await self._ledger.looked(hold.reason, later(after_s))
            log.info("hold.stays", reason=hold.reason, why=why)
        return over

    async def _ask(self, reason: str) -> bool:
        match reason:
            case "budget":
                return not await self.budget.why_not()
            case "token_quota" if await self._token_in_use_until() is not None:
                return False
            case "token_quota":
                await self._client.ensure_token(self._patience.token_life_s)
                return True
            case "export_blocked":
                passes = await self._asking.export_passes()
                # One that is paid already can tell for nothing.
                self._trial = (await self._paid_under_way() or ANY_JOB) if passes is None else None
                if passes is None:
                    await self._ledger.wake(reason)  # the first of them tries, the others are held again at once
                    self._asking.wake()
                return passes is True
        balance = await self._client.balance(self._asking.skill())
        if reason != "credits":
            return True
        before, self._credits = self._credits, balance.available
        return balance.available >= SESSION_CREDITS or (before is not None and balance.available > before)

    def _lives_long_enough(self) -> bool:
        """Tell whether there is a token by now, however it came."""
        credentials = self._client.credentials
        ends_at = credentials.expires_at
        return ends_at is not None and not credentials.expires_within(self._patience.token_life_s)

    def _given(self) -> str:
        try:
            return self._client.credentials.given()
        except ConfigError:
            return ""
