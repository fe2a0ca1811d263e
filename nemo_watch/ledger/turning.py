"""What a person's word changes in a job, each in one transaction; and finding the job that was meant.

Touches: the ledger.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger import RETRY, Ledger, wait_anew, wake_twins
from nemo_watch.ledger.rows import JOBS, META, STEPS, failure_to_text, job_from_row, job_to_row, to_ms
from nemo_watch.model import Failure, Job, Json

__all__ = ["RETRY", "begin_anew", "call_off", "condemn", "hurry", "named", "of_clip", "once", "turn_back"]

MOST_NAMED = 200


async def named(ledger: Ledger, prefix: str) -> list[Job]:
    """List the jobs whose id is this, or else begins with it, the last changed first."""

    def work(c: Connection) -> list[Job]:
        row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == prefix)).mappings().first()
        if row is not None:
            return [job_from_row(row)]
        begins = sa.func.substr(JOBS.c.job_id, 1, len(prefix)) == prefix
        query = sa.select(JOBS).where(begins).order_by(JOBS.c.updated_at.desc(), JOBS.c.job_id).limit(MOST_NAMED)
        return [job_from_row(row) for row in c.execute(query).mappings()]

    return await ledger.transact(work)


async def of_clip(ledger: Ledger, rel: str, *, inbox: str | None = None) -> list[Job]:
    """List the jobs whose clip has this path below an inbox, or this name in any folder, the last changed first."""
    wanted = os.fsencode(rel)

    def work(c: Connection) -> list[Job]:
        tail = b"/" + wanted
        is_named = sa.or_(JOBS.c.rel == wanted, sa.func.substr(JOBS.c.rel, -len(tail)) == tail)
        query = sa.select(JOBS).where(JOBS.c.rel == wanted if inbox is not None else is_named)
        if inbox is not None:
            query = query.where(JOBS.c.inbox == inbox)
        query = query.order_by(JOBS.c.updated_at.desc(), JOBS.c.job_id).limit(MOST_NAMED)
        return [job_from_row(row) for row in c.execute(query).mappings()]

    return await ledger.transact(work)


async def turn_back(ledger: Ledger, job: Job, *, forget: Sequence[str], note: Json) -> bool:
    """Let a job go on from an earlier step: forget the later ones and keep `note` as its step "retry".

    False if the job is not as it was read any more: then nothing is written. Repeat: safe.
    """

    def work(c: Connection) -> bool:
        if not _change(c, job, state="ready", attempts=0, first_failed_at=None, failure=None):
            return False
        c.execute(STEPS.delete().where(STEPS.c.job_id == job.job_id, STEPS.c.name.in_((*forget, RETRY))))
        _note(c, job.job_id, note)
        wait_anew(c, job.job_id)
        return True

    return await ledger.transact(work)


async def begin_anew(ledger: Ledger, fresh: Job, *, note: Json) -> bool:
    """Enter a new run of a known edit with `note` as its step "retry"; False if its id is taken. Repeat: safe."""

    def work(c: Connection) -> bool:
        if c.execute(sa.select(JOBS.c.job_id).where(JOBS.c.job_id == fresh.job_id)).first() is not None:
            return False
        c.execute(JOBS.insert().values(job_to_row(fresh, int(fresh.job_id.rsplit("-", 1)[1]))))
        _note(c, fresh.job_id, note)
        return True

    return await ledger.transact(work)


async def call_off(ledger: Ledger, job: Job, *, reason: str, sentence: str) -> bool:
    """End a job of which nothing was paid; its file stays known, so that it is not taken. False: as `turn_back`."""

    def work(c: Connection) -> bool:
        if not _change(c, job, state="cancelled", reason=reason, sentence=sentence, step=""):
            return False
        wake_twins(c, job.job_id)
        return True

    return await ledger.transact(work)


async def condemn(ledger: Ledger, job: Job, failure: Failure) -> bool:
    """Have a job rejected by its next worker. False: as `turn_back`."""
    return await ledger.transact(lambda c: _change(c, job, state="ready", failure=failure_to_text(failure)))


async def hurry(ledger: Ledger, job: Job) -> bool:
    """Make a job that waits or is held due now. False: as `turn_back`."""
    now_ms = to_ms(datetime.now(UTC))

    def work(c: Connection) -> bool:
        query = JOBS.update().where(*_as_read(job)).values(next_try_at=now_ms, attempts=0, first_failed_at=None)
        return c.execute(query).rowcount > 0

    return await ledger.transact(work)


async def once(ledger: Ledger, key: str, value: Json) -> Json:
    """Keep a fact under a key unless there is one already; give the one that counts. Repeat: safe."""

    def work(c: Connection) -> Json:
        text = c.execute(sa.select(META.c.value).where(META.c.key == f"fact:{key}")).scalar()
        if text is not None:
            return dict(json.loads(text))
        c.execute(META.insert().values(key=f"fact:{key}", value=json.dumps(value)))
        return value

    return await ledger.transact(work)


def _as_read(job: Job) -> tuple[sa.ColumnElement[bool], ...]:
    return (JOBS.c.job_id == job.job_id, JOBS.c.state == job.state, JOBS.c.updated_at == to_ms(job.updated_at))


def _change(c: Connection, job: Job, **values: object) -> bool:
    always = {
        "active": False,
        "reason": "",
        "sentence": "",
        "next_try_at": None,
        "updated_at": to_ms(datetime.now(UTC)),
    }
    return c.execute(JOBS.update().where(*_as_read(job)).values(always | values)).rowcount > 0


def _note(c: Connection, job_id: str, note: Json) -> None:
    now_ms = to_ms(datetime.now(UTC))
    values = {"job_id": job_id, "name": RETRY, "token": "", "data": json.dumps(note), "started_at": now_ms}
    # Done at once where nothing is to be done with files.
    is_done = not (note["files"] or note["report"] or note["needed"])
    c.execute(
        STEPS.insert().values(state="done" if is_done else "intent", ended_at=now_ms if is_done else None, **values)
    )
