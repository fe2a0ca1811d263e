"""The ledger on a real database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.errors import LedgerError
from nemo_watch.ledger import Ledger, database
from nemo_watch.ledger.rows import work_from_text, work_to_text
from nemo_watch.model import Export, Failure, FileRef, FileStamp, Job, Work

START = datetime(2026, 1, 1, tzinfo=UTC)
STRANGE = b"d/caf\xe9\n.mp4".decode("utf-8", "surrogateescape")


def make_job(number: int, *, rel: str | None = None, priority: int = 0, state: str = "ready") -> Job:
    ref = FileRef(rel or f"clip{number}.mp4", FileStamp(2**64 - 1, number, 1_700_000_000_123_456_789))
    work = Work(("cut",), (Export(name="x"),), "en", "s", "t", "archive", sidecar=FileRef(STRANGE, ref.stamp))
    moment = START + timedelta(seconds=number)
    return Job(f"e{number}-1", f"e{number}", "videos", ref, "aa", work, state, priority, moment, moment)  # type: ignore[arg-type]  # a test's keyword arguments


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger(str(tmp_path / "ledger.db"))
    yield opened
    await opened.close()


async def test_a_job_comes_back_as_it_was_entered(ledger: Ledger) -> None:
    job = make_job(1, rel=STRANGE)
    await ledger.enter(job)
    assert await ledger.job("e1-1") == job
    assert await ledger.known_files("videos") == [job.clip]


def test_work_survives_its_text() -> None:
    work = make_job(1).work
    assert work_from_text(work_to_text(work)) == work


async def test_entering_twice_changes_nothing(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    await ledger.update("e1-1", state="held", sentence="why")
    known = await ledger.enter(make_job(1))
    assert (known.state, known.sentence) == ("held", "why")


async def test_what_was_committed_is_there_after_a_crash(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    first = Ledger(path)
    await first.enter(make_job(1))
    await first.intend("e1-1", "edit-1", "token-a", {"before": {"draft": {"big": 2**70}}})
    # No close: the second one sees what a killed process left.
    second = Ledger(path)
    step = await second.step("e1-1", "edit-1")
    assert step is not None
    assert (step.state, step.token, step.data["before"]["draft"]["big"]) == ("intent", "token-a", 2**70)
    assert second.ledger_id == first.ledger_id
    await second.close()
    await first.close()


async def test_steps_keep_their_beginning_and_can_be_cleared(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    await ledger.intend("e1-1", "edit-1", "t", {})
    begun = (await ledger.steps("e1-1"))[0].started_at
    await ledger.done("e1-1", "edit-1", "t", {"changed": True})
    step = await ledger.step("e1-1", "edit-1")
    assert step is not None
    assert (step.state, step.started_at, step.data) == ("done", begun, {"changed": True})
    await ledger.clear("e1-1", "edit-1", "nothing")
    assert await ledger.step("e1-1", "edit-1") is None


async def test_next_ready_goes_by_priority_then_age_by_turns(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        await ledger.enter(make_job(number))
    await ledger.enter(make_job(4, priority=5))
    order = []
    newest = False
    for _ in range(4):
        job = await ledger.next_ready(START, exclude=order, newest=newest)
        assert job is not None
        order.append(job.job_id)
        newest = not newest
    assert order == ["e4-1", "e3-1", "e1-1", "e2-1"]
    assert await ledger.next_ready(START, exclude=order, newest=False) is None


async def test_waiting_jobs_are_due_at_their_moment(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    due = START + timedelta(hours=1)
    await ledger.update("e1-1", state="waiting", next_try_at=due)
    assert await ledger.next_ready(due - timedelta(seconds=1), exclude=[], newest=False) is None
    assert await ledger.next_due_at(exclude=[]) == due
    assert await ledger.next_ready(due, exclude=[], newest=False) is not None


async def test_a_lifted_hold_makes_its_jobs_due(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    await ledger.enter(make_job(2))
    await ledger.hold("credits", "none left", "https://x", None)
    await ledger.hold("credits", "still none", "https://x", START)
    assert [(h.reason, h.sentence) for h in await ledger.holds()] == [("credits", "still none")]
    await ledger.update("e1-1", state="held", reason="credits")
    await ledger.update("e2-1", state="held", reason="token")
    await ledger.lift("credits")
    assert await ledger.holds() == []
    now = datetime.now(UTC) + timedelta(seconds=1)
    job = await ledger.next_ready(now, exclude=[], newest=False)
    assert job is not None
    assert job.job_id == "e1-1"
    assert await ledger.next_ready(now, exclude=["e1-1"], newest=False) is None


async def test_a_reopened_job_keeps_what_was_paid(ledger: Ledger) -> None:
    job = make_job(1)
    await ledger.enter(job)
    await ledger.done("e1-1", "edit-1", "t", {"changed": True})
    await ledger.intend("e1-1", "reject", "t", {})
    await ledger.update("e1-1", state="rejected", failure=Failure("x", "m", "a"))
    moved = FileRef("b/clip.mp4", replace(job.clip.stamp, inode=7))
    await ledger.reopen("e1-1", replace(job, clip=moved))
    fresh = await ledger.job("e1-1")
    assert fresh is not None
    assert (fresh.state, fresh.clip, fresh.failure) == ("ready", moved, None)
    assert [step.name for step in await ledger.steps("e1-1")] == ["edit-1"]


async def test_a_released_file_is_forgotten(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    await ledger.release("e1-1", "removed")
    assert await ledger.known_files("videos") == []
    job = await ledger.job("e1-1")
    assert job is not None
    assert job.state == "cancelled"


async def test_others_need_a_shared_sidecar(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    assert not await ledger.others_need("e1-1", "videos", STRANGE)
    await ledger.enter(make_job(2))
    assert await ledger.others_need("e1-1", "videos", STRANGE)
    await ledger.update("e2-1", state="delivered")
    assert not await ledger.others_need("e1-1", "videos", STRANGE)


async def test_writers_do_not_lose_each_others_commits(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    ledgers = [Ledger(path), Ledger(path)]
    await asyncio.gather(*(ledgers[n % 2].enter(make_job(n)) for n in range(60)))
    assert await ledgers[0].counts() == {"ready": 60}
    for one in ledgers:
        await one.close()


def test_a_damaged_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"not a database, but somebody's file" * 100)
    with pytest.raises(LedgerError, match="damaged") as caught:
        Ledger(str(path))
    assert "Do not delete" in caught.value.hint
    assert path.read_bytes().startswith(b"not a database")


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    asyncio.run(Ledger(path).close())
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(LedgerError, match="newer version"):
        Ledger(path)


def test_a_missing_ledger_is_not_made_by_a_command(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger(path, create=False)
    assert not os.path.exists(path)


# ---------------------------------------------------------------- several commits at once


async def test_who_is_told_finds_it_on_the_disk_and_one_that_fails_fails_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    ledger = Ledger(path)
    go = threading.Event()
    ledger._thread.submit(go.wait)  # all that follows is asked for before any of it is done

    def fail(_connection: Connection) -> None:
        raise ValueError("this one alone")

    async def entered(number: int) -> bool:
        await ledger.enter(make_job(number))
        with contextlib.closing(sqlite3.connect(path)) as other:
            return other.execute("SELECT count(*) FROM jobs WHERE job_id = ?", (f"e{number}-1",)).fetchone() == (1,)

    asked = [asyncio.create_task(entered(number)) for number in (1, 2)]
    failing = asyncio.create_task(ledger.transact(fail))
    asked += [asyncio.create_task(entered(number)) for number in (3, 4)]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*asked) == [True] * 4
    with pytest.raises(ValueError, match="this one alone"):
        await failing
    await ledger.close()


async def test_a_locked_ledger_is_told_to_all_who_wait_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 1.0)
    path = str(tmp_path / "ledger.db")
    ledger = Ledger(path)
    begun: list[float] = []
    sa.event.listen(ledger._engine, "begin", lambda _c: begun.append(time.monotonic()))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = await asyncio.gather(*(ledger.enter(make_job(n)) for n in range(9)), return_exceptions=True)
        assert [type(one) for one in told] == [LedgerError] * 9
        assert len(begun) <= 2, "the first one, and then all the others together"
    await ledger.enter(make_job(1))
    await ledger.close()


# ---------------------------------------------------------------- a start, an end


async def test_after_a_start_nothing_fails_for_long_and_nothing_waits_for_years(tmp_path: Path, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    years = now + timedelta(days=3650)
    for number in (1, 2):
        await ledger.enter(make_job(number))
    await ledger.update("e1-1", state="waiting", reason="retry", attempts=3, next_try_at=years)
    await ledger.update("e2-1", state="waiting", reason="not_before", next_try_at=years)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as db:  # ten minutes of failing, a month ago
        month_ago_ms = int((now - timedelta(days=30)).timestamp() * 1000)
        db.execute("UPDATE jobs SET first_failed_at = ?, updated_at = ?", (month_ago_ms - 600_000, month_ago_ms))
        db.commit()
    await ledger.calm()
    await ledger.calm()  # as two starts one after the other
    job, asked = await ledger.job("e1-1"), await ledger.job("e2-1")
    assert job is not None
    assert asked is not None
    assert job.first_failed_at is not None
    assert job.next_try_at is not None
    assert abs(now - job.first_failed_at - timedelta(minutes=10)) < timedelta(minutes=1)
    assert job.next_try_at <= datetime.now(UTC) + timedelta(days=1)
    assert asked.next_try_at is not None
    assert abs(asked.next_try_at - years) < timedelta(seconds=1), "a sidecar's own moment"


async def test_a_job_under_way_is_not_opened_again(ledger: Ledger) -> None:
    await ledger.enter(make_job(1))
    await ledger.update("e1-1", active=True)
    assert not await ledger.reopen("e1-1", make_job(1, rel="other.mp4"))
    job = await ledger.job("e1-1")
    assert job is not None
    assert (job.active, job.clip.rel) == (True, "clip1.mp4")


@pytest.mark.parametrize("state", ["delivered", "rejected", "cancelled"])
async def test_the_end_of_a_job_wakes_those_that_wait_for_it(ledger: Ledger, state: str) -> None:
    await ledger.enter(make_job(1))
    await ledger.enter(replace(make_job(2), job_id="e1-1.1", edit_id="e1", reuses="e1-1"))
    later = datetime.now(UTC) + timedelta(hours=1)
    await ledger.update("e1-1.1", state="waiting", reason="reuse", next_try_at=later)
    await ledger.update("e1-1", state="waiting", next_try_at=later)
    assert await ledger.next_ready(datetime.now(UTC), exclude=[], newest=False) is None
    await ledger.update("e1-1", state=state)
    woken = await ledger.next_ready(datetime.now(UTC), exclude=[], newest=False)
    assert woken is not None
    assert woken.job_id == "e1-1.1"
