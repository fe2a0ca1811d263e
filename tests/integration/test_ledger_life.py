"""The ledger over the years: older schemas, what it forgets and what never, and what it refuses to be opened as."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from nemo_watch.errors import LedgerError
from nemo_watch.ledger import Ledger, database
from nemo_watch.ledger.chains import of_chain
from nemo_watch.ledger.finding import reading
from nemo_watch.ledger.levers import Levers
from nemo_watch.ledger.retention import DETAILS, DRAFTS, forget
from nemo_watch.ledger.rows import job_to_row
from nemo_watch.model import Failure, Job, JobState
from tests.integration.test_ledger import make_job

FIRST_SCHEMA = Path(__file__).parent.parent / "data" / "ledger_0001.sql"
"""Written by the program when that schema was its last one: one job rejected, one delivered, one killed."""
DAY = timedelta(days=1)
DRAFT = {"d": 3500, "t": [{"tt": 0, "sg": [{"id": "a"}]}]}


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = Ledger(str(tmp_path / "ledger.db"))
    yield opened
    await opened.close()


# ---------------------------------------------------------------- older schemas


async def test_a_ledger_of_the_first_schema_goes_on_as_if_nothing_had_changed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST_SCHEMA.read_text())
    ledger = Ledger(str(path))
    try:
        assert ledger.ledger_id == "14847aad05484176ab8c7c17099fda11"
        jobs = {job.clip.rel: job for job in await ledger.jobs()}
        strange = os.fsdecode(b"caf\xe9.mp4")
        assert {rel: job.state for rel, job in jobs.items()} == {
            "broken.mp4": "rejected",
            "talk.mp4": "delivered",
            strange: "ready",
        }
        assert jobs["broken.mp4"].failure is not None
        assert jobs["broken.mp4"].failure.code == "sidecar_invalid"
        assert jobs["talk.mp4"].work.messages == ("trim 0.5s off the start", 'add the title "Hello"')
        assert [job.job_id for job in await ledger.jobs_of_edit("2fdfab29b684c6b1")] == ["2fdfab29b684c6b1-1"]
        steps = {step.name: step for step in await ledger.steps("2fdfab29b684c6b1-1")}
        assert steps["draft"].data["draft"]["d"] == 3500
        assert steps["deliver"].data["files"][0]["target"] == "/srv/nemo-watch/outbox/talk.mp4"
        # The one that was killed after its first edit is the next to go on, and its edit is known as paid.
        ready = await ledger.next_ready(datetime.now(UTC), exclude=[], newest=False)
        assert ready is not None
        assert ready.clip.rel == strange
        edit = await ledger.step(ready.job_id, "edit-1")
        assert edit is not None
        assert (edit.state, edit.data["changed"]) == ("done", True)
        assert [ref.rel for ref in await ledger.known_files("videos")] == [strange]
        # What came with later schemas works on it.
        assert await Levers(ledger).pull("why", {}) == 1
        await ledger.enter(make_job(1))
    finally:
        await ledger.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        head = db.execute("SELECT version_num FROM alembic_version").fetchone()
        fresh = tmp_path / "fresh.db"
        await Ledger(str(fresh)).close()
        with contextlib.closing(sqlite3.connect(fresh)) as other:
            assert head == other.execute("SELECT version_num FROM alembic_version").fetchone()
            tables = "SELECT name, sql FROM sqlite_master WHERE name != 'alembic_version' ORDER BY name"
            assert db.execute(tables).fetchall() == other.execute(tables).fetchall()


# ---------------------------------------------------------------- what it forgets


async def ended_job(ledger: Ledger, number: int, state: JobState, *, in_doubt: bool = False) -> Job:
    """Enter a job that has gone its whole way, with everything that a real one leaves behind."""
    job = make_job(number)
    await ledger.enter(job)
    report = "reply = 'the words of a person'"
    steps = {
        "session": {"session_id": "77", "task_id": "t", "user_id": "anon_1", "credits_before": 100.0},
        "upload-0": {"filename": "clip.mp4", "sha256": "aa"},
        "edit-1": {"changed": True, "text": "the words of a person", "summary": "what it did"},
        "draft": {"draft": DRAFT, "timeline": "the words of a person"},
        "render-1": {"render_id": "render_1", "ids": ["render_1"], "url": "http://x", "bad": 0},
        "download-1": {"path": "/spool/1.mp4", "sha256": "bb", "size_bytes": 1, "duration_s": 1.0},
    }
    if state == "delivered":
        files = [{"source": "/spool/1.mp4", "target": "/out/clip.mp4", "sha256": "bb"}]
        steps["deliver"] = {"files": files, "report_target": "/out/clip.report.toml", "report": report, "temp": "m"}
    moves = [{"rel": job.clip.rel, "stamp": "1:2:3", "target": "/archive/clip.mp4"}]
    ending = "archive" if state == "delivered" else "reject"
    steps[ending] = {"moves": moves, "report": report if ending == "reject" else "", "report_target": "", "temp": "m"}
    for name, data in steps.items():
        await ledger.done(job.job_id, name, "token", data)
    if in_doubt:
        looked = {"before": {"draft": {}}, "looks": [], "look_at": None, "message": "cut"}
        await ledger.intend(job.job_id, "edit-2", "token", looked)
    failure = Failure("render_failed", "m", "a", paid="yes") if state == "rejected" else None
    await ledger.update(job.job_id, state=state, failure=failure)
    return job


async def test_details_go_after_their_time_and_what_was_paid_never(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    for number, state in ((1, "delivered"), (2, "rejected"), (3, "cancelled")):
        await ended_job(ledger, number, state)  # type: ignore[arg-type]  # the three states above
    before = {job.job_id: job for job in await ledger.jobs()}
    files = await ledger.known_files("videos")
    assert await forget(ledger, now + DETAILS - DAY) == 0
    assert await forget(ledger, now + DETAILS + DAY) == 3
    # Edit id, outcome, failure with its paid mark, and (path, size, time) are as they were.
    assert {job.job_id: job for job in await ledger.jobs()} == before
    assert await ledger.known_files("videos") == files
    delivered = {step.name: step.data for step in await ledger.steps("e1-1")}
    assert delivered == {
        "session": {"session_id": "77", "task_id": "t", "user_id": "anon_1"},
        "edit-1": {"changed": True},
        "draft": {"draft": DRAFT},
        "deliver": {
            "files": [{"source": "/spool/1.mp4", "target": "/out/clip.mp4", "sha256": "bb"}],
            "report_target": "/out/clip.report.toml",
            "report": "",
            "temp": "m",
        },
        "archive": delivered["archive"],
    }
    rejected = {step.name: step.data for step in await ledger.steps("e2-1")}
    assert rejected["edit-1"] == {"changed": True}
    assert set(rejected) == {"session", "upload-0", "edit-1", "draft", "render-1", "download-1", "reject"}
    assert rejected["reject"]["report"]  # the report that was put beside the file is known again by its text
    assert await forget(ledger, now + DETAILS + DAY) == 0


async def test_a_doubt_is_never_forgotten(ledger: Ledger) -> None:
    job = await ended_job(ledger, 1, "rejected", in_doubt=True)
    fence = await ledger.step(job.job_id, "edit-2")
    await forget(ledger, datetime.now(UTC) + 10 * DRAFTS)
    assert await ledger.step(job.job_id, "edit-2") == fence


async def test_drafts_stay_longer_and_those_of_rejects_for_ever(ledger: Ledger) -> None:
    delivered, rejected = await ended_job(ledger, 1, "delivered"), await ended_job(ledger, 2, "rejected")
    await forget(ledger, datetime.now(UTC) + DRAFTS - DAY)
    assert await ledger.step(delivered.job_id, "draft") is not None
    await forget(ledger, datetime.now(UTC) + DRAFTS + DAY)
    assert await ledger.step(delivered.job_id, "draft") is None
    assert await ledger.step(delivered.job_id, "deliver") is not None
    assert await ledger.step(rejected.job_id, "draft") is not None


async def test_jobs_under_way_keep_everything_and_one_put_back_is_gone_through_again(ledger: Ledger) -> None:
    await ledger.enter(make_job(9))
    await ledger.done("e9-1", "edit-1", "t", {"changed": True, "text": "hello"})
    job = await ended_job(ledger, 1, "rejected")
    now = datetime.now(UTC) + DETAILS + DAY
    assert await forget(ledger, now) == 1
    assert (await ledger.steps("e9-1"))[0].data["text"] == "hello"
    await ledger.reopen(job.job_id, replace(job, state="ready", failure=None))
    await ledger.done(job.job_id, "edit-2", "t", {"changed": True, "text": "again"})
    assert await forget(ledger, now) == 0
    await ledger.update(job.job_id, state="delivered")
    assert await forget(ledger, now) == 1
    assert {step.name: step.data for step in await ledger.steps(job.job_id)}["edit-2"] == {"changed": True}


async def test_many_jobs_are_gone_through_in_small_pieces(ledger: Ledger) -> None:
    for number in range(25):
        await ledger.enter(make_job(number))
        await ledger.done(f"e{number}-1", "edit-1", "t", {"changed": True, "text": "hello"})
        await ledger.update(f"e{number}-1", state="delivered")
    assert await forget(ledger, datetime.now(UTC) + DETAILS + DAY, at_once=4) == 25
    for number in range(25):
        assert [step.data for step in await ledger.steps(f"e{number}-1")] == [{"changed": True}]


# ---------------------------------------------------------------- what it refuses


def test_a_ledger_with_a_torn_page_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    asyncio.run(_filled(path))
    data = bytearray(path.read_bytes())
    middle = len(data) // 8192 * 4096
    data[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(data)
    with pytest.raises(LedgerError, match="damaged") as caught:
        Ledger(str(path))
    assert "Do not delete" in caught.value.hint
    assert path.read_bytes() == bytes(data)


async def _filled(path: Path) -> None:
    ledger = Ledger(str(path))
    for number in range(40):
        await ended_job(ledger, number, "delivered")
    await ledger.close()


def test_a_ledger_that_lost_its_main_file_is_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    (tmp_path / "ledger.db-wal").write_bytes(b"the last commits" * 1000)
    for make in (lambda: None, path.touch):
        make()
        with pytest.raises(LedgerError, match="missing or empty") as caught:
            Ledger(str(path))
        assert "put the other one back" in caught.value.hint
        assert (tmp_path / "ledger.db-wal").stat().st_size == 16_000


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipes (name TEXT)")
        db.commit()
    for create in (True, False):  # a command must not make one of it, either
        with pytest.raises(LedgerError, match="no ledger"):
            Ledger(str(path), create=create)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


@pytest.mark.parametrize("left", [b"", None], ids=["no byte", "no table"])
@pytest.mark.parametrize("sign", ["ledger.id", "client_id"])
def test_an_emptied_ledger_is_never_made_anew(tmp_path: Path, left: bytes | None, sign: str) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    with pytest.raises(LedgerError, match="is empty") as caught:
        Ledger(str(path), create=False)
    assert "restore it from a backup" in caught.value.hint
    assert path.stat().st_size == 0
    # A first start that was killed before its first commit leaves this behind: the daemon goes on.
    asyncio.run(Ledger(str(path)).close())
    if sign == "client_id":  # as an earlier version leaves a state folder
        (tmp_path / "ledger.id").unlink()
        (tmp_path / sign).write_text("one")
    if left is None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f"DROP TABLE {table}")
            db.commit()
    else:
        path.write_bytes(left)
    if left is None and sign == "client_id":
        return  # nothing tells it from a first start that was killed
    for _start in range(3):
        for create in (True, False):
            with pytest.raises(LedgerError, match="is empty"):
                Ledger(str(path), create=create)
        with pytest.raises(LedgerError, match="is empty"):
            Ledger(str(path), reading="still")


def test_a_locked_ledger_says_who_must_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "ledger.db")
    asyncio.run(Ledger(path).close())
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="locked by another program") as caught:
            Ledger(path)
        assert "copy or a database tool" in caught.value.hint
    asyncio.run(Ledger(path).close())


def test_a_ledger_that_was_opened_is_locked_and_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    path = str(tmp_path / "ledger.db")

    async def commit_while_locked() -> None:
        ledger = Ledger(path)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="locked"):
                await ledger.enter(make_job(1))
        await ledger.enter(make_job(1))
        await ledger.close()

    asyncio.run(commit_while_locked())


@pytest.mark.parametrize("fs_type", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_ledger_on_a_network_file_system_is_refused(tmp_path: Path, fs_type: str) -> None:
    mountinfo = f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / {tmp_path} rw - {fs_type} nas:/export rw\n"
    path = str(tmp_path / "state" / "ledger.db")
    with pytest.raises(LedgerError, match=f"network file system \\({fs_type}\\)") as caught:
        database.refuse_place(path, mountinfo)
    assert "disk of this machine" in caught.value.hint
    database.refuse_place("/var/lib/nemo-watch/ledger.db", mountinfo)


def test_the_newest_schema_is_the_last_revision() -> None:
    scripts = alembic.config.Config()
    scripts.set_main_option("script_location", "nemo_watch:migrations")
    assert ScriptDirectory.from_config(scripts).get_current_head() == database.NEWEST


def test_a_ledger_of_an_earlier_version_is_read_as_it_is_and_brought_up_to_date_by_the_daemon(tmp_path: Path) -> None:
    path = str(tmp_path / "ledger.db")
    config = alembic.config.Config()
    config.set_main_option("script_location", "nemo_watch:migrations")
    engine = database.open_engine(path)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "0003")
        connection.commit()
        row = job_to_row(make_job(1), 1)
        del row["chain"]
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(sa.text(f"INSERT INTO jobs ({names}) VALUES ({marks})"), row)
        connection.commit()
    engine.dispose()
    before = Path(path).read_bytes()

    async def look() -> list[Job]:
        async with reading(path, in_use=False) as ledger:
            assert ledger is not None
            return await ledger.jobs()

    assert [job.job_id for job in asyncio.run(look())] == [make_job(1).job_id]
    assert Path(path).read_bytes() == before, "looking changes nothing"

    async def daemon() -> list[Job]:
        ledger = Ledger(path)
        try:
            return await of_chain(ledger, make_job(1).job_id)
        finally:
            await ledger.close()

    assert [job.job_id for job in asyncio.run(daemon())] == [make_job(1).job_id]
