"""Who works on what, on one host: so many jobs at once, priority first, new and old by turns.

Touches: the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from nemo_watch.errors import LedgerError
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job

LONGEST_NAP_S = 5.0
"""Commands from other processes change the ledger without waking us: look at it at least this often."""

AFTER_A_BUG_S = 900.0

log = structlog.get_logger("nemo_watch.dispatch")


class Dispatch:
    """Gives ready jobs to at most `workers` tasks; a job that waits or is held occupies none."""

    def __init__(self, ledger: Ledger, run_job: Callable[[Job], Awaitable[None]], workers: int) -> None:
        self._ledger = ledger
        self._run_job = run_job
        self._workers = workers
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._barred: Counter[str] = Counter()
        self._stopping = False
        self._newest = False
        self._ledger_away = False

    def wake(self) -> None:
        """Look for ready jobs at once: one was entered or woken."""
        self._wake.set()

    @property
    def running(self) -> frozenset[str]:
        """The ids of the jobs that workers are on now."""
        return frozenset(self._running)

    async def run(self) -> None:
        """Start jobs until `stop`; while the ledger cannot be used (its disk is full, say), rest and try again."""
        while not self._stopping:
            self._wake.clear()
            try:
                await self._start_what_is_ready()
                await self._nap()
            except LedgerError as error:
                log.warning("ledger.failed", why=error.message, then=error.hint)
                self._ledger_away = True
            if self._ledger_away:
                # A job whose failure cannot be noted is ready again at once: rest, or it would be tried without end.
                self._ledger_away = False
                await asyncio.sleep(LONGEST_NAP_S)

    async def _start_what_is_ready(self) -> None:
        while len(self._running) < self._workers:
            # Every second start goes to the newest drop, so that a backlog never starves it (product.md 4.6).
            exclude = [*self._running, *self._barred]
            job = await self._ledger.next_ready(datetime.now(UTC), exclude=exclude, newest=self._newest)
            if job is None or self._stopping or self._ledger_away:
                break
            if job.job_id in self._barred:
                continue  # since it was asked for
            self._newest = not self._newest
            self._running[job.job_id] = asyncio.create_task(self._one(job), name=f"job {job.job_id}")

    async def _nap(self) -> None:
        due_at = await self._ledger.next_due_at(exclude=[*self._running, *self._barred])
        nap_s = LONGEST_NAP_S
        if due_at is not None and len(self._running) < self._workers:
            nap_s = min(nap_s, max(0.01, (due_at - datetime.now(UTC)).total_seconds()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), nap_s)

    async def _one(self, job: Job) -> None:
        try:
            await self._run_job(job)
        except LedgerError as error:
            # Nothing can be noted now; what was committed before decides how the job goes on.
            log.warning("ledger.failed", job=job.job_id, why=error.message, then=error.hint)
            self._ledger_away = True
        except Exception as error:  # a bug met by one job must never stop the others
            log.exception("job.bug", job=job.job_id, file=job.clip.rel)
            await self._set_aside(job, type(error).__name__)
        finally:
            self._running.pop(job.job_id, None)
            self._wake.set()

    async def _set_aside(self, job: Job, kind: str) -> None:
        next_try_at = datetime.now(UTC) + timedelta(seconds=AFTER_A_BUG_S)
        sentence = f"An error inside nemo-watch stopped it ({kind}); please report the log's lines."
        try:
            await self._ledger.update(
                job.job_id, state="waiting", active=False, reason="bug", sentence=sentence, next_try_at=next_try_at
            )
        except LedgerError as error:
            log.warning("ledger.failed", job=job.job_id, why=error.message, then=error.hint)

    @contextlib.asynccontextmanager
    async def without(self, job_id: str, may_stop: Callable[[], bool]) -> AsyncIterator[bool]:
        """Keep workers off a job meanwhile: the one that is on it is stopped, if that may be now.

        Gives False if it may not: then it works on. Repeat: safe.
        """
        self._barred[job_id] += 1
        try:
            task = self._running.get(job_id)
            is_free = task is None
            if task is not None and may_stop():
                task.cancel()
                await asyncio.wait([task])
                is_free = True
            yield is_free
        finally:
            self._barred -= Counter([job_id])
            self._wake.set()

    async def stop(self, paying: Callable[[], frozenset[str]], wait_s: float) -> None:
        """Take no more work, park what pays nothing at once, wait for paid calls in flight up to `wait_s` seconds.

        Repeat: safe.
        """
        self._stopping = True
        self._wake.set()
        deadline = asyncio.get_running_loop().time() + wait_s
        while self._running:
            left_s = deadline - asyncio.get_running_loop().time()
            busy = paying() if left_s > 0 else frozenset()
            for job_id, task in list(self._running.items()):
                if job_id not in busy:
                    task.cancel()
            await asyncio.wait(list(self._running.values()), timeout=min(1.0, max(left_s, 0.1)))
