"""The running daemon's answers to people's levers: the rules of the stopped one, with the worker out of the way.

Touches: through the pipeline the ledger; the backend (the balance).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import structlog

from nemo_watch.answers import Answer
from nemo_watch.dispatch import Dispatch
from nemo_watch.errors import LedgerError, UnreachableError
from nemo_watch.ledger.turning import RETRY
from nemo_watch.model import Json
from nemo_watch.pipeline import levers
from nemo_watch.pipeline.first_run import FirstRuns
from nemo_watch.pipeline.house import House
from nemo_watch.pipeline.levers import Desk, Pulled

MOVING = ("deliver", "archive", "reject", RETRY)
"""A worker at one of these steps has its hands on users' files: it is not stopped there."""
BACKEND_WITHIN_S = 10.0
"""So long an answer waits for the backend: less than a command waits for the answer."""


log = structlog.get_logger("nemo_watch.obeying")


def backend_silent() -> UnreachableError:
    """Describe a backend that a person waits for in vain."""
    return UnreachableError(f"The backend has not answered for {BACKEND_WITHIN_S:g} s.", hint="Try again in a moment.")


class Obeying:
    """Does what people ask of a running daemon. Every answer comes at once; `busy` in it asks to be asked again."""

    def __init__(self, house: House, dispatch: Dispatch, first_runs: FirstRuns) -> None:
        self._house = house
        self._dispatch = dispatch
        self._first_runs = first_runs
        self._looking: asyncio.Task[list[str]] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._desk = Desk(house.ledger, house.inboxes, house.backend_key, is_running=True)

    @property
    def kinds(self) -> dict[str, Answer]:
        """What can be asked for, by the command's word."""
        return {
            "retry": self._retry,
            "cancel": self._cancel,
            "pause": self._pause,
            "resume": self._resume,
            "credits": self._credits,
        }

    async def _retry(self, asked: Json) -> Json:
        start, fresh = asked["start"], asked["fresh"]
        if not start and not fresh and asked["job"] in self._dispatch.running:
            job = asked["job"]
            return asdict(Pulled(job, f"Job {job} is being worked on already.", changed=False))
        return await self._alone(asked, lambda: levers.retry(self._desk, asked["job"], start=start, fresh=fresh))

    async def _cancel(self, asked: Json) -> Json:
        return await self._alone(asked, lambda: levers.cancel(self._desk, asked["job"]))

    async def _alone(self, asked: Json, pull: Callable[[], Awaitable[Pulled]]) -> Json:
        job_id = asked["job"]
        async with self._dispatch.without(job_id, lambda: self._may_stop(job_id)) as is_free:
            if not is_free:
                paid = job_id in self._house.paying
                if paid:
                    self._house.ask_aside(job_id)
                what = "a paid message is in flight" if paid else "its files are being moved"
                return {"busy": f"Job {job_id} cannot be stopped at this moment: {what}."}
            pulled = await pull()
            # Nothing of it is in flight any more; the answer does not wait for the balance that tells what it spent.
            settling = asyncio.create_task(self._settle(job_id), name=f"settle {job_id}")
            self._settling.add(settling)
            settling.add_done_callback(self._settling.discard)
            self._house.progress.pop(job_id, None)
            self._house.asked_s.pop(job_id, None)
        log.info("lever.pulled", **asked, did=pulled.sentence)
        return asdict(pulled)

    async def _settle(self, job_id: str) -> None:
        try:
            await self._house.holds.budget.settle(job_id)
        except LedgerError as error:
            log.warning("ledger.failed", job=job_id, why=error.message, then=error.hint)

    def _may_stop(self, job_id: str) -> bool:
        progress = self._house.progress.get(job_id)
        return job_id not in self._house.paying and (progress is None or progress.step not in MOVING)

    async def _pause(self, _asked: Json) -> Json:
        return {"paused": True, "changed": await levers.pause(self._house.ledger)}

    async def _resume(self, asked: Json) -> Json:
        """End the holds that wait for a person's word, of one inbox or of all (""); then those of the account, too."""
        names = [asked["inbox"]] if asked["inbox"] else list(self._house.inboxes)
        resumed = {name: jobs for name in names if (jobs := await self._first_runs.resume(name)) is not None}
        told: Json = {"resumed": resumed, "ended": [], "held": []}
        if not asked["inbox"]:
            before = {hold.reason for hold in await self._house.ledger.holds()}
            await levers.unpause(self._house.ledger)
            self._looking = asyncio.create_task(self._house.holds.resume())
            await asyncio.wait({self._looking}, timeout=BACKEND_WITHIN_S)  # it goes on looking after that
            told["held"] = [hold.reason for hold in await self._house.ledger.holds()]
            told["ended"] = sorted(before - {*told["held"]})
        self._dispatch.wake()
        return told

    async def _credits(self, asked: Json) -> Json:
        skill = self._house.skill_headers(asked["skill"])
        try:
            async with asyncio.timeout(BACKEND_WITHIN_S):
                balance = await self._house.client.balance(skill)
        except TimeoutError as error:
            raise backend_silent() from error
        credentials = self._house.client.credentials
        return asdict(balance) | {
            "source": credentials.source,
            "link": self._house.client.link if credentials.is_anonymous else "",
        }
