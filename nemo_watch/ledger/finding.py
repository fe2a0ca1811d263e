"""Finding a job by what a person can point at: a file in an inbox, or one that a job put somewhere.

Touches: the ledger, reading only.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nemo_watch.ledger import Ledger
from nemo_watch.ledger.database import is_older
from nemo_watch.ledger.rows import FILES, JOBS, STEPS, job_from_row, unpack_stamp
from nemo_watch.model import OPEN_STATES, FileRef, Job


@contextlib.asynccontextmanager
async def reading(path: str, *, in_use: bool) -> AsyncIterator[Ledger | None]:
    """Open a ledger without writing anything in its folder; None if there is none.

    `in_use` tells that a daemon holds it. What a killed daemon left in its log can only be read by a database that may
    write, and a ledger of an earlier version only with today's schema: such a one is copied to a private folder first.
    Raises: LedgerError. Effects: none on the ledger.
    """
    if not os.path.exists(path):
        yield None
        return
    with contextlib.ExitStack() as stack:
        if not in_use and (_has_log(path) or is_older(path)):
            private = stack.enter_context(tempfile.TemporaryDirectory(prefix="nemo-watch-"))
            copy = os.path.join(private, os.path.basename(path))
            shutil.copyfile(path, copy)
            if _has_log(path):
                shutil.copyfile(path + "-wal", copy + "-wal")
            ledger = Ledger(copy, create=False)
        else:
            ledger = Ledger(path, reading="live" if in_use else "still")
        try:
            yield ledger
        finally:
            await ledger.close()


def _has_log(path: str) -> bool:
    try:
        return os.stat(path + "-wal").st_size > 0
    except FileNotFoundError:
        return False


async def job_of_file(ledger: Ledger, inbox: str, ref: FileRef) -> Job | None:
    """Find the job that a file of an inbox stands for as it is now, None if it is nobody's: new, or changed since."""

    def work(c: Connection) -> Job | None:
        query = sa.select(FILES.c.job_id, FILES.c.stamp).where(
            FILES.c.inbox == inbox, FILES.c.rel == os.fsencode(ref.rel)
        )
        known = c.execute(query).first()
        # The inode is not compared: it is another one on a share that was mounted again.
        if known is None or unpack_stamp(known.stamp).mtime_ns != ref.stamp.mtime_ns:
            return None
        row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == known.job_id)).mappings().first()
        same = row is not None and unpack_stamp(known.stamp).size_bytes == ref.stamp.size_bytes
        return job_from_row(row) if row is not None and same else None

    return await ledger.transact(work)


async def last_job_at(ledger: Ledger, inbox: str, rel: str) -> Job | None:
    """Find the last job whose clip lay at this place, None if there never was one."""

    def work(c: Connection) -> Job | None:
        query = sa.select(JOBS).where(JOBS.c.inbox == inbox, JOBS.c.rel == os.fsencode(rel))
        row = c.execute(query.order_by(JOBS.c.updated_at.desc()).limit(1)).mappings().first()
        return None if row is None else job_from_row(row)

    return await ledger.transact(work)


async def clips_of(ledger: Ledger, inbox: str) -> list[tuple[str, FileRef]]:
    """List every job of an inbox with its clip, the last changed first."""

    def work(c: Connection) -> list[tuple[str, FileRef]]:
        query = sa.select(JOBS.c.job_id, JOBS.c.rel, JOBS.c.stamp).where(JOBS.c.inbox == inbox)
        rows = c.execute(query.order_by(JOBS.c.updated_at.desc())).all()
        return [(str(job_id), FileRef(os.fsdecode(rel), unpack_stamp(stamp))) for job_id, rel, stamp in rows]

    return await ledger.transact(work)


async def job_that_put(ledger: Ledger, path: str) -> tuple[Job, str] | None:
    """Find the job that put a file at this absolute path, and the step in which it did; None if none is known."""
    fragment = json.dumps(path)[1:-1]

    def work(c: Connection) -> tuple[Job, str] | None:
        query = sa.select(STEPS.c.job_id, STEPS.c.name, STEPS.c.data).where(
            STEPS.c.name.in_(("deliver", "archive", "reject")), sa.func.instr(STEPS.c.data, fragment) > 0
        )
        for job_id, name, text in c.execute(query.order_by(STEPS.c.started_at.desc())):
            data = json.loads(text)
            targets = [one["target"] for one in (*data.get("files", ()), *data.get("moves", ()))]
            if path in (*targets, data.get("report_target")):
                row = c.execute(sa.select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
                if row is not None:
                    return job_from_row(row), str(name)
        return None

    return await ledger.transact(work)


async def known_sizes(ledger: Ledger) -> frozenset[int]:
    """List the sizes of all clips whose content is known, so that others need not be hashed to be told apart."""

    def work(c: Connection) -> frozenset[int]:
        rows = c.execute(sa.select(JOBS.c.stamp).where(JOBS.c.sha256 != "")).all()
        return frozenset(unpack_stamp(stamp).size_bytes for (stamp,) in rows)

    return await ledger.transact(work)


async def unpaid_clips(ledger: Ledger, inbox: str) -> frozenset[str]:
    """Name the clips of an inbox whose open jobs will cost something yet: no message was sent for any of them.

    A job that only takes over another one's result, or that can only be rejected, costs nothing.
    """

    def work(c: Connection) -> frozenset[str]:
        sent = sa.select(STEPS.c.job_id).where(STEPS.c.name.startswith("edit-"))
        query = sa.select(JOBS.c.rel).where(
            JOBS.c.inbox == inbox,
            JOBS.c.state.in_(OPEN_STATES),
            JOBS.c.reuses == "",
            JOBS.c.failure.is_(None),
            sa.func.coalesce(sa.func.json_extract(JOBS.c.work, "$.kind"), "edit") != "ask",
            JOBS.c.job_id.not_in(sent),
        )
        return frozenset(os.fsdecode(rel) for (rel,) in c.execute(query))

    return await ledger.transact(work)


async def marks_in_use(ledger: Ledger) -> frozenset[str]:
    """List the marks of the temporary files that a plan under way may have made, or may go on with."""

    def work(c: Connection) -> frozenset[str]:
        query = sa.select(STEPS.c.data).where(
            STEPS.c.name.in_(("deliver", "archive", "reject")), STEPS.c.state == "intent"
        )
        return frozenset(str(json.loads(data).get("temp", "")) for (data,) in c.execute(query))

    return await ledger.transact(work)


async def planned_targets(ledger: Ledger, *, but: str) -> list[str]:
    """List the paths that the open jobs other than one have chosen for their files, and may not have taken yet."""

    def work(c: Connection) -> list[str]:
        query = (
            sa.select(STEPS.c.data)
            .join(JOBS, JOBS.c.job_id == STEPS.c.job_id)
            .where(
                STEPS.c.name.in_(("deliver", "archive", "reject")),
                STEPS.c.state == "intent",
                STEPS.c.job_id != but,
                JOBS.c.state.in_(OPEN_STATES),
            )
        )
        plans = [json.loads(data) for (data,) in c.execute(query)]
        ways = [one["target"] for plan in plans for one in (*plan.get("files", ()), *plan.get("moves", ()))]
        return [path for path in (*ways, *(plan["report_target"] for plan in plans)) if path]

    return await ledger.transact(work)
