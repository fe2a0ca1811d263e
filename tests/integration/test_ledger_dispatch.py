"""Who is started next, with a real ledger: a backlog never starves what comes new, nor the other way round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nemo_watch.dispatch import Dispatch
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job
from tests.integration.test_ledger import make_job

WORKERS = 4
BACKLOG = 1000


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger(str(tmp_path / "ledger.db"))
    yield opened
    await opened.close()


class Crew:
    """Trivial work: every job is noted and ended; `limit` starts are done, and each waits for `go`."""

    def __init__(self, ledger: Ledger, limit: int) -> None:
        self.ledger, self.limit = ledger, limit
        self.started: list[str] = []
        self.drops: dict[int, Job] = {}
        self.done = asyncio.Event()
        self.dispatch = Dispatch(ledger, self.run_job, WORKERS)

    async def run_job(self, job: Job) -> None:
        self.started.append(job.job_id)
        drop = self.drops.get(len(self.started))
        if drop is not None:
            await self.ledger.enter(drop)
            self.dispatch.wake()
        await self.ledger.update(job.job_id, state="delivered")
        if len(self.started) >= self.limit:
            self.done.set()

    async def work(self) -> None:
        running = asyncio.create_task(self.dispatch.run())
        await asyncio.wait_for(self.done.wait(), 60)
        await self.dispatch.stop(frozenset, 0)
        await running


async def backlog(ledger: Ledger, count: int) -> None:
    for number in range(count):
        await ledger.enter(make_job(number))


async def test_behind_a_backlog_of_a_thousand_a_new_drop_starts_soon(ledger: Ledger) -> None:
    await backlog(ledger, BACKLOG)
    crew = Crew(ledger, 60)
    now = datetime.now(UTC)
    # Three come one after the other, the last two in the same moment.
    for at, number in ((10, BACKLOG), (30, BACKLOG + 1), (31, BACKLOG + 2)):
        crew.drops[at] = replace(make_job(number), created_at=now + timedelta(seconds=number))
    await crew.work()
    for at, drop in crew.drops.items():
        behind = crew.started.index(drop.job_id) + 1 - at
        assert behind <= 2 * WORKERS, (drop.job_id, behind)
    # The backlog goes on meanwhile, the oldest first.
    old = [job_id for job_id in crew.started if job_id in {f"e{number}-1" for number in range(40)}]
    assert len(old) >= 25
    assert old == [f"e{number}-1" for number in range(len(old))]


async def test_a_stream_of_new_drops_does_not_starve_the_oldest(ledger: Ledger) -> None:
    await backlog(ledger, 10)
    crew = Crew(ledger, 40)
    now = datetime.now(UTC)
    for at in range(1, 60):
        crew.drops[at] = replace(make_job(1000 + at), created_at=now + timedelta(seconds=at))
    await crew.work()
    assert {f"e{number}-1" for number in range(10)} <= set(crew.started[:30])


async def test_what_is_more_urgent_goes_first_whenever_it_came(ledger: Ledger) -> None:
    await backlog(ledger, 30)
    for number in (100, 101, 102):
        await ledger.enter(make_job(number, priority=5))
    crew = Crew(ledger, 10)
    await crew.work()
    assert set(crew.started[:3]) == {"e100-1", "e101-1", "e102-1"}
