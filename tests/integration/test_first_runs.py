"""What is counted at the first start on an inbox, and what a kill inside `resume` leaves: on a real ledger."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy.engine import Connection

from nemo_watch.errors import LedgerError
from nemo_watch.ledger import Ledger
from nemo_watch.model import Export, Failure, FileRef, FileStamp, Job, Work
from nemo_watch.pipeline.first_run import FIRST_RUN, MOST_DROPS, FirstRuns, recall

T = TypeVar("T")
PAID = "http://127.0.0.1:1"
START = datetime(2026, 1, 1, tzinfo=UTC)
WORK = Work(("cut",), (Export(),), "en", "s", "t", "archive")

DYING = """
import asyncio, os, signal, sys
from nemo_watch.ledger import Ledger
from nemo_watch.pipeline.first_run import FirstRuns, let_go

class Dying(Ledger):
    commits_left = None

    async def transact(self, work):
        if self.commits_left is not None:
            if self.commits_left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.commits_left -= 1
        return await super().transact(work)

async def main(path, backend, way, commits):
    ledger = Dying(path)
    runs = FirstRuns(
        ledger, backend, {"videos": "/in"}, expected=lambda inbox: (), reads_sidecars=lambda inbox: False
    )
    await runs.load()
    ledger.commits_left = commits
    if way == "daemon":
        await runs.resume("videos")
    else:
        await let_go(ledger, "videos", "/in", backend)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


def job(number: int) -> Job:
    ref = FileRef(f"old{number}.mp4", FileStamp(number, number, number))
    return Job(f"e{number}-1", f"e{number}", "videos", ref, "aa", WORK, "ready", 0, START, START)


def first_runs(ledger: Ledger, *files: str, reads: bool = False, patience_s: float = 60.0) -> FirstRuns:
    return FirstRuns(
        ledger,
        PAID,
        {"videos": "/in"},
        expected=lambda _inbox: files,
        reads_sidecars=lambda _inbox: reads,
        patience_s=patience_s,
    )


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger(str(tmp_path / "ledger.db"))
    yield opened
    await opened.close()


async def test_jobs_that_will_cost_something_count_with_the_files_and_each_once(ledger: Ledger) -> None:
    for number in range(15):
        await ledger.enter(job(number))
    await ledger.enter(replace(job(50), job_id="e50-1.1", reuses="e50-1"))
    await ledger.enter(replace(job(51), failure=Failure("4001", "no", "do")))
    await ledger.enter(replace(job(52), state="delivered"))
    await ledger.enter(replace(job(53), inbox="others"))
    await ledger.enter(job(54))
    await ledger.intend("e54-1", "edit-1", "token", {})
    files = [f"old{number}.mp4" for number in range(10, 10 + MOST_DROPS + 1 - 10)]  # 5 of them are jobs already
    runs = first_runs(ledger, *files)
    await runs.decide()
    fact = await recall(ledger, "videos", "/in", PAID)
    assert fact is not None
    assert (fact.count, fact.state) == (MOST_DROPS + 1, "held")
    assert "21 files" in await runs.why_not("videos")


async def test_what_costs_nothing_is_no_backlog(ledger: Ledger) -> None:
    for number in range(MOST_DROPS + 5):
        await ledger.enter(replace(job(number), failure=Failure("4001", "no", "do")))
    runs = first_runs(ledger, "one.mp4")
    await runs.decide_for("videos")
    assert await runs.why_not("videos") == ""


async def test_sidecars_that_name_assets_are_waited_for_but_not_for_ever(ledger: Ledger) -> None:
    runs = first_runs(ledger, "one.mp4", reads=True)
    await runs.decide()
    assert await recall(ledger, "videos", "/in", PAID) is None
    assert "counted first" in await runs.why_not("videos")
    impatient = first_runs(ledger, "one.mp4", reads=True, patience_s=0.1)
    await asyncio.wait_for(impatient.decide_for("videos"), 30)
    assert await impatient.why_not("videos") == ""


async def test_a_drop_waits_until_the_sidecars_are_read(ledger: Ledger) -> None:
    reading = True
    runs = FirstRuns(
        ledger,
        PAID,
        {"videos": "/in"},
        expected=lambda _inbox: [f"{n}.mp4" for n in range(22 if reading else 17)],
        reads_sidecars=lambda _inbox: reading,
    )
    dropping = asyncio.create_task(runs.decide_for("videos"))
    await runs.decide()
    assert not dropping.done()
    reading = False
    await asyncio.wait_for(dropping, 30)
    fact = await recall(ledger, "videos", "/in", PAID)
    assert fact is not None
    assert (fact.count, fact.state) == (17, "passed")


async def hold_all(ledger: Ledger) -> None:
    for number in range(MOST_DROPS + 1):
        await ledger.enter(job(number))
        await ledger.update(f"e{number}-1", state="held", reason=FIRST_RUN)
    await first_runs(ledger).decide()


@pytest.mark.parametrize("way", ["daemon", "command"])
@pytest.mark.parametrize("commits", range(4))
async def test_a_kill_inside_resume_leaves_it_held_or_passed_and_no_job_behind(
    tmp_path: Path, way: str, commits: int
) -> None:
    path = str(tmp_path / "ledger.db")
    before = Ledger(path)
    await hold_all(before)
    await before.close()
    argv = [sys.executable, "-c", DYING, path, PAID, way, str(commits)]
    killed = await asyncio.to_thread(subprocess.run, argv, timeout=60, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    after = Ledger(path)
    try:
        runs = first_runs(after)
        await runs.load()
        is_held = bool(await runs.why_not("videos"))
        due = [one.next_try_at is not None for one in await after.jobs(("held",))]
        assert len(due) == MOST_DROPS + 1
        assert all(due) is not is_held
        assert any(due) is not is_held
        if is_held:
            assert await runs.resume("videos") == MOST_DROPS + 1
    finally:
        await after.close()


class Full(Ledger):
    """A ledger whose disk is full from some moment on."""

    is_full = False

    async def transact(self, work: Callable[[Connection], T]) -> T:
        if self.is_full:
            raise LedgerError("The disk is full.")
        return await super().transact(work)


async def test_an_inbox_is_not_let_go_in_memory_before_it_is_in_the_ledger(tmp_path: Path) -> None:
    ledger = Full(str(tmp_path / "ledger.db"))
    try:
        await hold_all(ledger)
        runs = first_runs(ledger)
        await runs.load()
        ledger.is_full = True
        with pytest.raises(LedgerError):
            await runs.resume("videos")
        assert await runs.why_not("videos") != ""
        ledger.is_full = False
        assert await runs.resume("videos") == MOST_DROPS + 1
        assert await runs.why_not("videos") == ""
    finally:
        await ledger.close()
