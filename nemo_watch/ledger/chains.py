"""The jobs that share one session: the parts of a batch, or a clip and its refinements.

Touches: the ledger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger import Ledger
from nemo_watch.ledger.rows import JOBS, STEPS, job_from_row, to_ms
from nemo_watch.model import OPEN_STATES, Job, Json, Session, Step

TURN = "turn"
"""Why a job waits that shares its session: another one is to be done with it first."""


async def of_chain(ledger: Ledger, chain: str) -> list[Job]:
    """List the jobs of a chain in their order; the first job of a clip's own chain is found by its id."""

    def work(c: Connection) -> list[Job]:
        query = sa.select(JOBS).where(_of(chain))
        return sorted((job_from_row(row) for row in c.execute(query).mappings()), key=in_order)

    return await ledger.transact(work)


def _of(chain: str) -> sa.ColumnElement[bool]:
    """Ask for a chain in words that its index answers: that one leaves out all jobs that share nothing."""
    return sa.or_(sa.and_(JOBS.c.chain == chain, sa.text("jobs.chain <> ''")), JOBS.c.job_id == chain)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a job of a chain is with the session that it shares.

    `uploads` counts its finished uploads, `has_begun`: a message was sent, `speaks`: what became of one is not known
    yet, `has_draft`: it is done with the session.
    """

    job: Job
    uploads: int
    has_begun: bool
    speaks: bool
    has_draft: bool

    @property
    def is_open(self) -> bool:
        """Whether it will want the session: not ended, not to be rejected, and no other one's edit that it uses."""
        job = self.job
        return job.state in OPEN_STATES and job.failure is None and not job.reuses and not self.has_draft

    @property
    def has_uploaded(self) -> bool:
        """Whether all of its files are in the session."""
        own = 0 if self.job.work.kind in ("refine", "generate") else 1
        return self.uploads >= own + len(self.job.work.assets) + len(self.job.work.companions)


async def standings(ledger: Ledger, chain: str) -> list[Standing]:
    """Tell of all jobs of a chain, in their order, how far they are."""

    def work(c: Connection) -> list[Standing]:
        here = _of(chain)
        jobs = sorted((job_from_row(row) for row in c.execute(sa.select(JOBS).where(here)).mappings()), key=in_order)
        steps: dict[str, list[tuple[str, str]]] = {job.job_id: [] for job in jobs}
        query = sa.select(STEPS.c.job_id, STEPS.c.name, STEPS.c.state).join(JOBS, JOBS.c.job_id == STEPS.c.job_id)
        for job_id, name, state in c.execute(query.where(here)):
            steps[job_id].append((name, state))
        return [_standing(job, steps[job.job_id]) for job in jobs]

    return await ledger.transact(work)


def _standing(job: Job, steps: list[tuple[str, str]]) -> Standing:
    return Standing(
        job=job,
        uploads=sum(name.startswith("upload-") and state == "done" for name, state in steps),
        has_begun=any(name.startswith("edit-") for name, _state in steps),
        speaks=any(name.startswith("edit-") and state == "intent" for name, state in steps),
        has_draft=("draft", "done") in steps,
    )


def in_order(job: Job) -> tuple[datetime, int, str]:
    """Give what the jobs of a chain are sorted by: the order in which they may speak."""
    return job.created_at, job.work.position, job.job_id


async def ended_parts(ledger: Ledger, inbox: str) -> list[str]:
    """List the clips that have left an inbox, or never came, of batches whose other parts are under way."""

    def work(c: Connection) -> list[str]:
        here = (sa.text("jobs.chain <> ''"), JOBS.c.chain.startswith("batch-"), JOBS.c.inbox == inbox)
        under_way = sa.select(JOBS.c.chain).where(*here, JOBS.c.state.in_(OPEN_STATES))
        query = sa.select(JOBS.c.rel).where(*here, JOBS.c.state.not_in(OPEN_STATES), JOBS.c.chain.in_(under_way))
        return [os.fsdecode(rel) for (rel,) in c.execute(query)]

    return await ledger.transact(work)


async def has_been_used_since(ledger: Ledger, chain: str, job_id: str, step: Step) -> bool:
    """Tell whether another job of a chain sent a message after a step of this one began: its state proves nothing."""

    def work(c: Connection) -> bool:
        query = sa.select(STEPS.c.name).join(JOBS, JOBS.c.job_id == STEPS.c.job_id)
        here = _of(chain)
        later = (STEPS.c.name.startswith("edit-"), STEPS.c.started_at > to_ms(step.started_at))
        return c.execute(query.where(here, JOBS.c.job_id != job_id, *later).limit(1)).first() is not None

    return await ledger.transact(work)


async def wake(ledger: Ledger, job_id: str, now: datetime) -> bool:
    """Make a job due that waits for its turn; False if it does not wait for that (any more). Repeat: safe."""

    def work(c: Connection) -> bool:
        waiting = JOBS.update().where(JOBS.c.job_id == job_id, JOBS.c.state == "waiting", JOBS.c.reason == TURN)
        return c.execute(waiting.values(next_try_at=to_ms(now))).rowcount > 0

    return await ledger.transact(work)


async def jobs_in_folder(ledger: Ledger, inbox: str, folder: str) -> list[Job]:
    """List the jobs whose file lay directly in a folder of an inbox ("" for the inbox itself), the oldest first."""
    head = os.fsencode(f"{folder}/" if folder else "")

    def work(c: Connection) -> list[Job]:
        query = sa.select(JOBS.c.job_id, JOBS.c.rel).where(JOBS.c.inbox == inbox)
        here = [one.job_id for one in c.execute(query) if one.rel.startswith(head) and b"/" not in one.rel[len(head) :]]
        found: list[Job] = []
        for start in range(0, len(here), 500):
            rows = c.execute(sa.select(JOBS).where(JOBS.c.job_id.in_(here[start : start + 500]))).mappings()
            found += [job_from_row(row) for row in rows]
        return sorted(found, key=in_order)

    return await ledger.transact(work)


# ---------------------------------------------------------------- the session that they share


async def shared_session(ledger: Ledger, chain: str) -> Session | None:
    """Read the session that the parts of a batch speak in, None if none was opened or it is lost."""
    known = await ledger.recall(_key(chain))
    return None if known is None else Session(known["session_id"], known["task_id"], known["user_id"])


async def share_session(ledger: Ledger, chain: str, session: Session) -> None:
    """Keep a session for all parts of a batch. Repeat: safe."""
    data: Json = {"session_id": session.session_id, "task_id": session.task_id, "user_id": session.user_id}
    await ledger.remember(_key(chain), data)


async def lose_session(ledger: Ledger, chain: str, session_id: str) -> None:
    """Forget a session that the backend does not know any more, if it is still the one that is shared. Repeat: safe."""
    known = await ledger.recall(_key(chain))
    if known is not None and known["session_id"] == session_id:
        await ledger.remember(_key(chain), None)


def _key(chain: str) -> str:
    return f"session:{chain}"
