"""What the ledger forgets in time: the detail of jobs that ended long ago, never what keeps them from being paid twice.

Touches: the ledger.

Kept for ever: every job with its edit id, run, outcome, failure, instruction and (path, size, time); the files that are
known; of each edit message whether it was sent and whether it changed anything (the paid mark); every intent that never
came to its end; where results and originals were put; what a person's `retry` decided. Of a rejected or cancelled job
everything but the replies is kept, as its file may be put back and then goes on from its last good step.

After `DETAILS` go: replies and what they changed, uploads, renders, downloads, the text of reports, credits. After
`DRAFTS` goes the rendered draft of a delivered job. Until then a further export of a known edit is free; afterwards a
clip that comes again is archived if its result still lies in the outbox, else rejected with how to pay again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger import Ledger
from nemo_watch.ledger.rows import JOBS, META, STEPS, to_ms
from nemo_watch.model import Json

DETAILS = timedelta(days=90)
DRAFTS = timedelta(days=365)
FORGET_EVERY_S = 3600.0
"""How often it is looked for jobs whose time has come."""
AT_ONCE = 100
"""So many jobs are gone through in one transaction: a worker's commit waits for no more."""

_SESSION = ("session_id", "task_id", "user_id")
_DELIVERED = ("upload-", "render-", "download-")
_SPOKEN = ("text", "summary", "message")


async def forget(
    ledger: Ledger, now: datetime, *, details: timedelta = DETAILS, drafts: timedelta = DRAFTS, at_once: int = AT_ONCE
) -> int:
    """Remove the detail of jobs that ended long enough ago; return how many jobs it was taken from.

    What was gone through before is not read again. Raises: LedgerError. Repeat: safe.
    """
    taken = 0
    for key, before, take in (
        ("forgot:details", now - details, _forget_details),
        ("forgot:drafts", now - drafts, _forget_drafts),
    ):
        while count := await _next(ledger, key, before, take, at_once):
            taken += count
    return taken


async def _next(
    ledger: Ledger, key: str, before: datetime, take: Callable[[Connection, str, str], None], at_once: int
) -> int:
    """Go through the next jobs in the order in which they ended, and remember how far that was."""

    def work(c: Connection) -> int:
        known = c.execute(sa.select(META.c.value).where(META.c.key == f"fact:{key}")).scalar()
        done: Json = {"until_ms": 0, "job_id": ""} if known is None else json.loads(known)
        query = (
            sa.select(JOBS.c.job_id, JOBS.c.state, JOBS.c.updated_at)
            .where(
                JOBS.c.state.in_(("delivered", "rejected", "cancelled")),
                JOBS.c.updated_at < to_ms(before),
                sa.tuple_(JOBS.c.updated_at, JOBS.c.job_id) > sa.tuple_(done["until_ms"], done["job_id"]),
            )
            .order_by(JOBS.c.updated_at, JOBS.c.job_id)
            .limit(at_once)
        )
        rows = c.execute(query).all()
        for row in rows:
            take(c, row.job_id, row.state)
        if rows:
            value = json.dumps({"until_ms": rows[-1].updated_at, "job_id": rows[-1].job_id})
            c.execute(META.delete().where(META.c.key == f"fact:{key}"))
            c.execute(META.insert().values(key=f"fact:{key}", value=value))
        return len(rows)

    return await ledger.transact(work)


def _forget_details(c: Connection, job_id: str, state: str) -> None:
    query = sa.select(STEPS.c.name, STEPS.c.data).where(STEPS.c.job_id == job_id, STEPS.c.state == "done")
    for name, text in c.execute(query).all():
        here = (STEPS.c.job_id == job_id, STEPS.c.name == name)
        if state == "delivered" and name.startswith(_DELIVERED):
            c.execute(STEPS.delete().where(*here))
            continue
        data = json.loads(text)
        kept = _kept(name, data, state)
        if kept != data:
            c.execute(STEPS.update().where(*here).values(data=json.dumps(kept)))


def _kept(name: str, data: Json, state: str) -> Json:
    """Compute what is kept of a step that came to its end."""
    if name.startswith("edit-"):
        return {key: value for key, value in data.items() if key not in _SPOKEN}
    if name == "draft":
        return {key: value for key, value in data.items() if key != "timeline"}
    if state != "delivered":
        return data
    if name == "session":
        return {key: data[key] for key in _SESSION if key in data}
    if name in ("deliver", "archive"):
        return {**data, "report": ""} if "report" in data else data
    return data


def _forget_drafts(c: Connection, job_id: str, state: str) -> None:
    if state == "delivered":
        c.execute(STEPS.delete().where(STEPS.c.job_id == job_id, STEPS.c.name == "draft", STEPS.c.state == "done"))
