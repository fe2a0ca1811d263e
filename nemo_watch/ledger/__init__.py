"""Memory: what every job is, what of it is done, and what was about to be paid when the light went out.

Touches: one SQLite database (WAL, synchronous=FULL), on a thread of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger.notes import HoldNotice, Notes
from nemo_watch.ledger.rows import (
    FILES,
    JOBS,
    NEXT_DUE,
    NEXT_NEWEST,
    NEXT_OLDEST,
    PUT_STEP,
    STEPS,
    failure_to_text,
    job_from_row,
    job_to_row,
    pack_stamp,
    step_from_row,
    to_moment,
    to_ms,
    unpack_stamp,
    work_to_text,
)
from nemo_watch.model import OPEN_STATES, FileRef, Job, JobState, Json, Step, Work

__all__ = ["RETRY", "HoldNotice", "Ledger", "wait_anew", "wake_twins"]

RETRY = "retry"
"""The step that keeps what a person's `retry` decided; it is no work by itself."""
ENDED_STATES = ("delivered", "rejected", "cancelled")


def _now() -> datetime:
    return datetime.now(UTC)


class Ledger(Notes):
    """The memory of one state folder: the jobs, their steps and files, and what is noted beside them.

    Every public method is one transaction, durable when it returns. Methods are coroutines and run on the ledger's own
    thread, so that a hung folder never stops a commit.
    """

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

    async def reopen(self, job_id: str, fresh: Job) -> bool:
        """Let an ended job go on from its last good step, with the file and the wishes of the drop `fresh`.

        Exports that were made for other wishes are forgotten: made again they cost nothing; so are uploads that stood
        in another order, if nothing was paid. False if the job is under way again: nothing is changed. Repeat: safe.
        """
        row_now = job_to_row(fresh, 0)
        wishes = (
            "inbox",
            "rel",
            "stamp",
            "work",
            "chain",
            "state",
            "priority",
            "reason",
            "sentence",
            "next_try_at",
            "failure",
        )

        def transact(c: Connection) -> bool:
            row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
            if row is None or row["state"] not in ENDED_STATES:
                return False
            before = job_from_row(row).work
            if before.exports != fresh.work.exports:
                _forget_steps(c, job_id, "render-", "download-", "deliver")
            if before.fingerprints != fresh.work.fingerprints and not _has_step(c, job_id, "edit-"):
                _forget_steps(c, job_id, "session", "upload-")
            wait_anew(c, job_id)
            c.execute(
                JOBS.update()
                .where(JOBS.c.job_id == job_id)
                .values(
                    active=False,
                    attempts=0,
                    first_failed_at=None,
                    updated_at=to_ms(_now()),
                    **{name: row_now[name] for name in wishes},
                )
            )
            # The endings of the last time moved files that are no longer there. What was published is still there.
            _forget_steps(c, job_id, "reject", "archive")
            plan = c.execute(
                sa.select(STEPS.c.data).where(STEPS.c.job_id == job_id, STEPS.c.name == "deliver")
            ).scalar()
            if plan is not None:
                _put_step(c, job_id, "deliver", "intent", "", json.loads(plan) | {"again": True})
            _settle_note(c, job_id)
            _know_file(c, fresh.inbox, fresh.clip, job_id)
            return True

        return await self.transact(transact)

    async def move_clip(self, job_id: str, inbox: str, clip: FileRef, work: Work, *, is_dropped: bool = False) -> bool:
        """Remember that an open job's file, and what goes with it in `work`, now lies elsewhere: it was renamed.

        `is_dropped`: a person brought it, so that what a retry was to bring back is not needed any more. False if the
        job has come to its end meanwhile: it takes no file any more. Repeat: safe.
        """

        def moved(c: Connection) -> bool:
            values: dict[str, Any] = {"inbox": inbox, "rel": os.fsencode(clip.rel), "stamp": pack_stamp(clip.stamp)}
            values["work"] = work_to_text(work)
            here = JOBS.update().where(JOBS.c.job_id == job_id, JOBS.c.state.in_(OPEN_STATES))
            if c.execute(here.values(updated_at=to_ms(_now()), **values)).rowcount == 0:
                return False
            c.execute(here.where(JOBS.c.reason == "inbox_unknown").values(next_try_at=to_ms(_now())))
            if is_dropped:
                _settle_note(c, job_id)
            _know_file(c, inbox, clip, job_id)
            return True

        return await self.transact(moved)

    async def job(self, job_id: str) -> Job | None:
        """Read one job, None if there is none of this id."""

        def work(c: Connection) -> Job | None:
            row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
            return None if row is None else job_from_row(row)

        return await self.transact(work)

    async def jobs(
        self, states: Sequence[JobState] | None = None, *, inbox: str | None = None, limit: int = 1000
    ) -> list[Job]:
        """Read jobs (of one inbox), the last changed first."""

        def work(c: Connection) -> list[Job]:
            query = sa.select(JOBS).order_by(JOBS.c.updated_at.desc(), JOBS.c.job_id).limit(limit)
            if states is not None:
                query = query.where(JOBS.c.state.in_(states))
            if inbox is not None:
                query = query.where(JOBS.c.inbox == inbox)
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
            asked = {"now": to_ms(now), "exclude": list(exclude)}
            job_id = c.execute(NEXT_NEWEST if newest else NEXT_OLDEST, asked).scalar()
            row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
            return None if row is None else job_from_row(row)

        return await self.transact(work)

    async def next_due_at(self, *, exclude: Sequence[str]) -> datetime | None:
        """Read when the next waiting or held job is due, None if none is."""

        def work(c: Connection) -> datetime | None:
            return to_moment(c.execute(NEXT_DUE, {"exclude": list(exclude)}).scalar())

        return await self.transact(work)

    async def update(self, job_id: str, **values: Any) -> None:
        """Change fields of a job, by the names of `Job`. Moments are given as datetimes. Repeat: safe."""
        for name in ("next_try_at", "first_failed_at"):
            if name in values:
                values[name] = to_ms(values[name])
        if "failure" in values:
            values["failure"] = failure_to_text(values["failure"])
        values["updated_at"] = to_ms(_now())

        def work(c: Connection) -> None:
            c.execute(JOBS.update().where(JOBS.c.job_id == job_id).values(values))
            if values.get("state") in ENDED_STATES:
                wake_twins(c, job_id)

        await self.transact(work)

    async def release(self, job_id: str, sentence: str) -> None:
        """End a job of which nothing was paid and forget its file, so that the file is a new drop. Repeat: safe."""

        def work(c: Connection) -> None:
            values = {"state": "cancelled", "active": False, "sentence": sentence, "next_try_at": None, "step": ""}
            c.execute(JOBS.update().where(JOBS.c.job_id == job_id).values(updated_at=to_ms(_now()), **values))
            c.execute(FILES.delete().where(FILES.c.job_id == job_id))
            wake_twins(c, job_id)

        await self.transact(work)

    async def release_held(self, job_id: str, sentence: str) -> bool:
        """Do as `release`, but only if nobody works on the job and nothing paid was begun; tell if so. Repeat: safe."""

        def work(c: Connection) -> bool:
            begun = sa.exists().where(STEPS.c.job_id == job_id, STEPS.c.name.startswith("edit-"))
            values = {"state": "cancelled", "sentence": sentence, "next_try_at": None, "step": ""}
            free = JOBS.update().where(JOBS.c.job_id == job_id, JOBS.c.state == "held", ~JOBS.c.active, ~begun)
            if c.execute(free.values(updated_at=to_ms(_now()), **values)).rowcount == 0:
                return False
            c.execute(FILES.delete().where(FILES.c.job_id == job_id))
            wake_twins(c, job_id)
            return True

        return await self.transact(work)

    async def newest_held(self, inbox: str) -> tuple[int, int]:
        """Tell how many jobs of an inbox are held, and when the last of them changed (milliseconds since 1970)."""

        def work(c: Connection) -> tuple[int, int]:
            query = sa.select(sa.func.count(), sa.func.max(JOBS.c.updated_at))
            count, last = c.execute(query.where(JOBS.c.inbox == inbox, JOBS.c.state == "held")).one()
            return int(count), int(last or 0)

        return await self.transact(work)

    async def wake(self, reason: str, *, inbox: str | None = None) -> int:
        """Make every job (of one inbox) that is held for this reason due now; return how many. Repeat: safe."""

        def work(c: Connection) -> int:
            due = JOBS.update().where(JOBS.c.state == "held", JOBS.c.reason == reason)
            if inbox is not None:
                due = due.where(JOBS.c.inbox == inbox)
            return c.execute(due.values(next_try_at=to_ms(_now()))).rowcount

        return await self.transact(work)

    async def calm(self, *, at_most: timedelta = timedelta(days=1)) -> None:
        """Mark every job as in nobody's hands: at the start, before any worker runs. Repeat: safe.

        The time in which nobody worked is no time of failing. No wait is longer than `at_most`, but for a moment that a
        sidecar names: a clock that was wrong when it was computed would else hold a job for years.
        """
        now_ms, latest_ms = to_ms(_now()), to_ms(_now() + at_most)

        def work(c: Connection) -> None:
            c.execute(JOBS.update().where(JOBS.c.active).values(active=False))
            failing = JOBS.update().where(JOBS.c.state.in_(OPEN_STATES), JOBS.c.first_failed_at.is_not(None))
            failed_for = JOBS.c.updated_at - JOBS.c.first_failed_at
            c.execute(failing.values(first_failed_at=now_ms - failed_for, updated_at=now_ms))
            far = JOBS.update().where(JOBS.c.next_try_at > latest_ms, JOBS.c.reason != "not_before")
            c.execute(far.values(next_try_at=latest_ms))

        await self.transact(work)

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

        A job that has ended stays as it is. Source: house.md 3.3. Repeat: safe; the last intent counts.
        """

        def work(c: Connection) -> None:
            _put_step(c, job_id, name, "intent", token, data)
            here = JOBS.update().where(JOBS.c.job_id == job_id, JOBS.c.state.in_(OPEN_STATES))
            c.execute(here.values(step=name, updated_at=to_ms(_now())))

        await self.transact(work)

    async def done(self, job_id: str, name: str, token: str, data: Json, *, started_at: datetime | None = None) -> None:
        """Write that a step has happened and what it gave; `started_at` counts if it had no intent. Repeat: safe."""
        await self.transact(lambda c: _put_step(c, job_id, name, "done", token, data, started_at=started_at))

    async def clear(self, job_id: str, *names: str) -> None:
        """Forget steps: the request was refused before it had any effect, or its effect is gone. Repeat: safe."""
        await self.transact(
            lambda c: c.execute(STEPS.delete().where(STEPS.c.job_id == job_id, STEPS.c.name.in_(names))) and None
        )

    # ------------------------------------------------------------ files

    async def known_files(self, inbox: str) -> list[FileRef]:
        """Read every file of an inbox that already has a job, with the stamp it had then."""

        def work(c: Connection) -> list[FileRef]:
            rows = c.execute(sa.select(FILES.c.rel, FILES.c.stamp).where(FILES.c.inbox == inbox)).all()
            return [FileRef(os.fsdecode(rel), unpack_stamp(stamp)) for rel, stamp in rows]

        return await self.transact(work)

    async def others_need(self, job_id: str, inbox: str, rel: str) -> bool:
        """Tell whether another job of this inbox uses the same sidecar or subtitle and has not planned its end yet."""

        def work(c: Connection) -> bool:
            planned = sa.select(STEPS.c.job_id).where(STEPS.c.name.in_(("archive", "reject")))
            query = sa.select(JOBS).where(
                JOBS.c.inbox == inbox,
                JOBS.c.job_id != job_id,
                JOBS.c.state.in_(OPEN_STATES),
                JOBS.c.job_id.not_in(planned),
            )
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


def _settle_note(c: Connection, job_id: str) -> None:
    """The files lie in the inbox, and need no bringing back from where a retry found them."""
    note = c.execute(sa.select(STEPS.c.data).where(STEPS.c.job_id == job_id, STEPS.c.name == RETRY)).scalar()
    if note is not None:
        _put_step(c, job_id, RETRY, "done", "", json.loads(note) | {"files": [], "report": None, "needed": False})


def _forget_steps(c: Connection, job_id: str, *heads: str) -> None:
    named = sa.or_(*(STEPS.c.name.startswith(head) for head in heads))
    c.execute(STEPS.delete().where(STEPS.c.job_id == job_id, named))


def _has_step(c: Connection, job_id: str, head: str) -> bool:
    query = sa.select(STEPS.c.name).where(STEPS.c.job_id == job_id, STEPS.c.name.startswith(head))
    return c.execute(query.limit(1)).first() is not None


def wake_twins(c: Connection, job_id: str) -> None:
    """Make the jobs due that wait for the end of this one to use its edit."""
    waiting = JOBS.update().where(JOBS.c.state == "waiting", JOBS.c.reason == "reuse", JOBS.c.reuses == job_id)
    c.execute(waiting.values(next_try_at=to_ms(_now())))


def wait_anew(c: Connection, job_id: str) -> None:
    """A render that is asked for again by a person's wish is waited for as long as a new one."""
    rows = c.execute(
        sa.select(STEPS.c.name, STEPS.c.data).where(
            STEPS.c.job_id == job_id, STEPS.c.name.startswith("render-"), STEPS.c.state == "intent"
        )
    ).all()
    for name, text in rows:
        data = json.loads(text)
        if "submitted_at" in data:
            data["submitted_at"] = _now().isoformat()
            here = (STEPS.c.job_id == job_id, STEPS.c.name == name)
            c.execute(STEPS.update().where(*here).values(data=json.dumps(data)))


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
    values = {"job_id": job_id, "name": name, "state": state, "token": token, "data": json.dumps(data)}
    moments = {"started_at": to_ms(started_at or now), "ended_at": to_ms(now) if state == "done" else None}
    c.execute(PUT_STEP, values | moments)
