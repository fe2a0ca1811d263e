"""Memory: what every job is, what of it is done, and what was about to be paid when the light went out.

Touches: one SQLite database (WAL, synchronous=FULL), on a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.errors import LedgerError
from nemo_watch.ledger.database import Reading, errors_named, identity, open_engine, upgrade
from nemo_watch.ledger.rows import (
    FILES,
    HOLDS,
    JOBS,
    META,
    NOTICES,
    STEPS,
    failure_to_text,
    job_from_row,
    job_to_row,
    moment,
    pack_stamp,
    step_from_row,
    to_moment,
    to_ms,
    unpack_stamp,
    work_to_text,
)
from nemo_watch.model import OPEN_STATES, Failure, FileRef, Job, JobState, Json, Step, Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HoldNotice:
    """Why paid work as a whole stands still; `look_at` is when its cause is looked at again."""

    reason: str
    sentence: str
    link: str
    since_at: datetime
    look_at: datetime | None


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The database of one state folder.

    Every public method is one transaction, durable when it returns. Methods are coroutines and run on the ledger's own
    thread, so that a hung folder never stops a commit.
    """

    def __init__(self, path: str, *, create: bool = True, reading: Reading | None = None) -> None:
        """Open or create the database and bring its schema up to date.

        With `reading` nothing is written, not even beside the file: not the schema, and every change fails.
        Raises: LedgerError if it is missing (with `create=False`), damaged, locked, or from a newer version.
        Effects: creates the file and upgrades the schema. Repeat: safe.
        """
        self.path = path
        create = create and reading is None
        if not create and not os.path.exists(path):
            raise LedgerError(
                f"There is no ledger at {path}.",
                hint="Start the daemon once, or name its state folder in the config ([state] path); "
                "if it runs as another user, run this command as that user.",
            )
        self._engine = open_engine(path, reading)
        try:
            with errors_named(path), self._engine.connect() as connection:
                if reading is None:
                    upgrade(connection)
                self.ledger_id = identity(connection)
        except LedgerError:
            self._engine.dispose()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def close(self) -> None:
        """Finish what was asked for and close the database. Repeat: safe."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._thread.shutdown)
        self._engine.dispose()

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Run something in one transaction on the ledger's thread, for the tables' own modules. Raises: LedgerError."""

        def transaction() -> T:
            with errors_named(self.path), self._engine.begin() as connection:
                return work(connection)

        # Shielded: a cancelled job must not leave its caller unsure whether the commit happened while it still runs.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, transaction))

    # ------------------------------------------------------------ jobs

    async def enter(self, job: Job) -> Job:
        """Write a new job and remember its file; one already there under this id is returned as it is. Repeat: safe."""

        def work(c: Connection) -> Job:
            there = c.execute(sa.select(JOBS).where(JOBS.c.job_id == job.job_id)).mappings().first()
            if there is not None:
                return job_from_row(there)
            run = int(job.job_id.rsplit("-", 1)[1].split(".")[0])
            c.execute(JOBS.insert().values(job_to_row(job, run)))
            _know_file(c, job.inbox, job.clip, job.job_id)
            return job

        return await self.transact(work)

    async def reopen(self, job_id: str, inbox: str, clip: FileRef, work: Work, failure: Failure | None = None) -> None:
        """Let an ended job go on from its last good step, with the file where it lies now. Repeat: safe."""

        def transact(c: Connection) -> None:
            c.execute(
                JOBS.update()
                .where(JOBS.c.job_id == job_id)
                .values(
                    inbox=inbox,
                    rel=os.fsencode(clip.rel),
                    stamp=pack_stamp(clip.stamp),
                    work=work_to_text(work),
                    state="ready",
                    active=False,
                    reason="",
                    sentence="",
                    next_try_at=None,
                    attempts=0,
                    first_failed_at=None,
                    failure=failure_to_text(failure),
                    updated_at=to_ms(_now()),
                )
            )
            # The endings of the last time moved files that are no longer there.
            c.execute(
                STEPS.delete().where(STEPS.c.job_id == job_id, STEPS.c.name.in_(("reject", "deliver", "archive")))
            )
            _know_file(c, inbox, clip, job_id)

        await self.transact(transact)

    async def move_clip(self, job_id: str, inbox: str, clip: FileRef) -> None:
        """Remember that an open job's file now lies elsewhere (it was renamed before it was read). Repeat: safe."""

        def work(c: Connection) -> None:
            values: dict[str, Any] = {"inbox": inbox, "rel": os.fsencode(clip.rel), "stamp": pack_stamp(clip.stamp)}
            here = JOBS.update().where(JOBS.c.job_id == job_id)
            c.execute(here.values(updated_at=to_ms(_now()), **values))
            c.execute(here.where(JOBS.c.reason == "inbox_unknown").values(next_try_at=to_ms(_now())))
            _know_file(c, inbox, clip, job_id)

        await self.transact(work)

    async def job(self, job_id: str) -> Job | None:
        """Read one job, None if there is none of this id."""

        def work(c: Connection) -> Job | None:
            row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
            return None if row is None else job_from_row(row)

        return await self.transact(work)

    async def jobs(self, states: Sequence[JobState] | None = None, *, limit: int = 1000) -> list[Job]:
        """Read jobs, the last changed first."""

        def work(c: Connection) -> list[Job]:
            query = sa.select(JOBS).order_by(JOBS.c.updated_at.desc(), JOBS.c.job_id).limit(limit)
            if states is not None:
                query = query.where(JOBS.c.state.in_(states))
            return [job_from_row(row) for row in c.execute(query).mappings()]

        return await self.transact(work)

    async def counts(self) -> dict[str, int]:
        """Count the jobs by state."""

        def work(c: Connection) -> dict[str, int]:
            rows = c.execute(sa.select(JOBS.c.state, sa.func.count()).group_by(JOBS.c.state)).all()
            return {str(state): int(count) for state, count in rows}

        return await self.transact(work)

    async def jobs_of_edit(self, edit_id: str) -> list[Job]:
        """Read every job of one edit, the first run first."""

        def work(c: Connection) -> list[Job]:
            query = sa.select(JOBS).where(JOBS.c.edit_id == edit_id).order_by(JOBS.c.run, JOBS.c.created_at)
            return [job_from_row(row) for row in c.execute(query).mappings()]

        return await self.transact(work)

    async def next_ready(self, now: datetime, *, exclude: Sequence[str], newest: bool) -> Job | None:
        """Read the job to start next: highest priority first, among equals the oldest or the newest by turns."""

        def work(c: Connection) -> Job | None:
            order = JOBS.c.created_at.desc() if newest else JOBS.c.created_at.asc()
            query = (
                sa.select(JOBS)
                .where(
                    JOBS.c.state.in_(OPEN_STATES),
                    sa.or_(
                        sa.and_(JOBS.c.state == "ready", JOBS.c.next_try_at.is_(None)),
                        JOBS.c.next_try_at <= to_ms(now),
                    ),
                    JOBS.c.job_id.not_in(exclude),
                )
                .order_by(JOBS.c.priority.desc(), order, JOBS.c.job_id)
                .limit(1)
            )
            row = c.execute(query).mappings().first()
            return None if row is None else job_from_row(row)

        return await self.transact(work)

    async def next_due_at(self, *, exclude: Sequence[str]) -> datetime | None:
        """Read when the next waiting or held job is due, None if none is."""

        def work(c: Connection) -> datetime | None:
            query = sa.select(sa.func.min(JOBS.c.next_try_at)).where(
                JOBS.c.state.in_(OPEN_STATES), JOBS.c.job_id.not_in(exclude)
            )
            return to_moment(c.execute(query).scalar())

        return await self.transact(work)

    async def update(self, job_id: str, **values: Any) -> None:
        """Change fields of a job, by the names of `Job`. Moments are given as datetimes. Repeat: safe."""
        for name in ("next_try_at", "first_failed_at"):
            if name in values:
                values[name] = to_ms(values[name])
        if "failure" in values:
            values["failure"] = failure_to_text(values["failure"])
        values["updated_at"] = to_ms(_now())
        await self.transact(lambda c: c.execute(JOBS.update().where(JOBS.c.job_id == job_id).values(values)) and None)

    async def release(self, job_id: str, sentence: str) -> None:
        """End a job of which nothing was paid and forget its file, so that the file is a new drop. Repeat: safe."""

        def work(c: Connection) -> None:
            values = {"state": "cancelled", "active": False, "sentence": sentence, "next_try_at": None, "step": ""}
            c.execute(JOBS.update().where(JOBS.c.job_id == job_id).values(updated_at=to_ms(_now()), **values))
            c.execute(FILES.delete().where(FILES.c.job_id == job_id))

        await self.transact(work)

    async def wake(self, reason: str, *, inbox: str | None = None) -> int:
        """Make every job (of one inbox) that is held for this reason due now; return how many. Repeat: safe."""

        def work(c: Connection) -> int:
            due = JOBS.update().where(JOBS.c.state == "held", JOBS.c.reason == reason)
            if inbox is not None:
                due = due.where(JOBS.c.inbox == inbox)
            return c.execute(due.values(next_try_at=to_ms(_now()))).rowcount

        return await self.transact(work)

    async def calm(self) -> None:
        """Mark every job as in nobody's hands: at the start, before any worker runs. Repeat: safe."""
        await self.transact(lambda c: c.execute(JOBS.update().where(JOBS.c.active).values(active=False)) and None)

    # ------------------------------------------------------------ steps and fences

    async def step(self, job_id: str, name: str) -> Step | None:
        """Read one step, None if it was never begun."""

        def work(c: Connection) -> Step | None:
            query = sa.select(STEPS).where(STEPS.c.job_id == job_id, STEPS.c.name == name)
            row = c.execute(query).mappings().first()
            return None if row is None else step_from_row(row)

        return await self.transact(work)

    async def steps(self, job_id: str) -> list[Step]:
        """Read a job's steps in the order in which they began."""

        def work(c: Connection) -> list[Step]:
            query = sa.select(STEPS).where(STEPS.c.job_id == job_id).order_by(STEPS.c.started_at, STEPS.c.name)
            return [step_from_row(row) for row in c.execute(query).mappings()]

        return await self.transact(work)

    async def intend(self, job_id: str, name: str, token: str, data: Json) -> None:
        """Write that a step is about to happen, with what is needed to find its effect again: the fence.

        Source: house.md 3.3. Repeat: safe; the last intent counts.
        """

        def work(c: Connection) -> None:
            _put_step(c, job_id, name, "intent", token, data)
            c.execute(JOBS.update().where(JOBS.c.job_id == job_id).values(step=name, updated_at=to_ms(_now())))

        await self.transact(work)

    async def done(self, job_id: str, name: str, token: str, data: Json, *, started_at: datetime | None = None) -> None:
        """Write that a step has happened and what it gave; `started_at` counts if it had no intent. Repeat: safe."""
        await self.transact(lambda c: _put_step(c, job_id, name, "done", token, data, started_at=started_at))

    async def clear(self, job_id: str, *names: str) -> None:
        """Forget steps: the request was refused before it had any effect, or its effect is gone. Repeat: safe."""
        await self.transact(
            lambda c: c.execute(STEPS.delete().where(STEPS.c.job_id == job_id, STEPS.c.name.in_(names))) and None
        )

    # ------------------------------------------------------------ files, holds, notices

    async def known_files(self, inbox: str) -> list[FileRef]:
        """Read every file of an inbox that already has a job, with the stamp it had then."""

        def work(c: Connection) -> list[FileRef]:
            rows = c.execute(sa.select(FILES.c.rel, FILES.c.stamp).where(FILES.c.inbox == inbox)).all()
            return [FileRef(os.fsdecode(rel), unpack_stamp(stamp)) for rel, stamp in rows]

        return await self.transact(work)

    async def others_need(self, job_id: str, inbox: str, rel: str) -> bool:
        """Tell whether another job of this inbox uses the same sidecar or subtitle and has not planned its end yet."""

        def work(c: Connection) -> bool:
            query = sa.select(JOBS).where(JOBS.c.inbox == inbox, JOBS.c.job_id != job_id, JOBS.c.state.in_(OPEN_STATES))
            for row in c.execute(query).mappings():
                other = job_from_row(row).work
                if rel in (ref.rel for ref in (*other.companions, *((other.sidecar,) if other.sidecar else ()))):
                    return True
            return False

        return await self.transact(work)

    async def forget_file(self, inbox: str, rel: str) -> None:
        """Forget a file that was moved out of the inbox. Repeat: safe."""
        where = (FILES.c.inbox == inbox, FILES.c.rel == os.fsencode(rel))
        await self.transact(lambda c: c.execute(FILES.delete().where(*where)) and None)

    async def hold(self, reason: str, sentence: str, link: str, look_at: datetime | None) -> None:
        """Write that paid work stands still for this reason; the first moments of a hold are kept. Repeat: safe."""

        def work(c: Connection) -> None:
            values = {"sentence": sentence, "link": link}
            if c.execute(HOLDS.update().where(HOLDS.c.reason == reason).values(values)).rowcount == 0:
                moments = {"since_at": to_ms(_now()), "look_at": to_ms(look_at)}
                c.execute(HOLDS.insert().values(reason=reason, **moments, **values))

        await self.transact(work)

    async def looked(self, reason: str, look_at: datetime) -> None:
        """Write that a hold's cause is still there, and when it is looked at next. Repeat: safe."""
        await self.transact(
            lambda c: c.execute(HOLDS.update().where(HOLDS.c.reason == reason).values(look_at=to_ms(look_at))) and None
        )

    async def lift(self, reason: str) -> None:
        """Write that paid work goes on, and make the jobs held for this reason due. Repeat: safe."""

        def work(c: Connection) -> None:
            c.execute(HOLDS.delete().where(HOLDS.c.reason == reason))
            due = JOBS.update().where(JOBS.c.state == "held", JOBS.c.reason == reason)
            c.execute(due.values(next_try_at=to_ms(_now())))

        await self.transact(work)

    async def holds(self) -> list[HoldNotice]:
        """Read what holds paid work as a whole, the oldest first."""

        def work(c: Connection) -> list[HoldNotice]:
            rows = c.execute(sa.select(HOLDS).order_by(HOLDS.c.since_at)).mappings()
            return [
                HoldNotice(r["reason"], r["sentence"], r["link"], moment(r["since_at"]), to_moment(r["look_at"]))
                for r in rows
            ]

        return await self.transact(work)

    async def notice(self, key: str, value: Json) -> None:
        """Write what the daemon has to say of itself under a key, for commands to read. Repeat: safe."""

        def work(c: Connection) -> None:
            values = {"value": json.dumps(value), "updated_at": to_ms(_now())}
            if c.execute(NOTICES.update().where(NOTICES.c.key == key).values(values)).rowcount == 0:
                c.execute(NOTICES.insert().values(key=key, **values))

        await self.transact(work)

    async def notices(self) -> dict[str, Json]:
        """Read what the daemon last said of itself."""

        def work(c: Connection) -> dict[str, Json]:
            return {str(r.key): json.loads(r.value) for r in c.execute(sa.select(NOTICES))}

        return await self.transact(work)

    # ------------------------------------------------------------ memory of places

    async def remember(self, key: str, value: Json | None) -> None:
        """Keep a fact about the world under a key, or forget it (None). Repeat: safe."""

        def work(c: Connection) -> None:
            c.execute(META.delete().where(META.c.key == f"fact:{key}"))
            if value is not None:
                c.execute(META.insert().values(key=f"fact:{key}", value=json.dumps(value)))

        await self.transact(work)

    async def recall(self, key: str) -> Json | None:
        """Read a fact that was kept, None if there is none."""

        def work(c: Connection) -> Json | None:
            text = c.execute(sa.select(META.c.value).where(META.c.key == f"fact:{key}")).scalar()
            return None if text is None else dict(json.loads(text))

        return await self.transact(work)


def _know_file(c: Connection, inbox: str, clip: FileRef, job_id: str) -> None:
    c.execute(FILES.delete().where(FILES.c.inbox == inbox, FILES.c.rel == os.fsencode(clip.rel)))
    c.execute(
        FILES.insert().values(inbox=inbox, rel=os.fsencode(clip.rel), stamp=pack_stamp(clip.stamp), job_id=job_id)
    )


def _put_step(
    c: Connection,
    job_id: str,
    name: str,
    state: Literal["intent", "done"],
    token: str,
    data: Json,
    *,
    started_at: datetime | None = None,
) -> None:
    now = _now()
    ended_at = to_ms(now) if state == "done" else None
    values = {"state": state, "token": token, "data": json.dumps(data), "ended_at": ended_at}
    here = (STEPS.c.job_id == job_id, STEPS.c.name == name)
    if c.execute(STEPS.update().where(*here).values(values)).rowcount == 0:
        c.execute(STEPS.insert().values(job_id=job_id, name=name, started_at=to_ms(started_at or now), **values))
