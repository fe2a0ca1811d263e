"""The ledger's tables and how the nouns become rows and come back.

Pure. Paths are stored as bytes and stamps as text: a file name need not be UTF-8, and an inode may exceed 63 bits.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from nemo_watch.model import Export, Failure, FileRef, FileStamp, Job, Json, Step, Work

METADATA = sa.MetaData()
META = sa.Table("meta", METADATA, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text))
JOBS = sa.Table(
    "jobs",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("edit_id", sa.Text),
    sa.Column("run", sa.Integer),
    sa.Column("reuses", sa.Text),
    sa.Column("inbox", sa.Text),
    sa.Column("rel", sa.LargeBinary),
    sa.Column("stamp", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("work", sa.Text),
    sa.Column("state", sa.Text),
    sa.Column("active", sa.Boolean),
    sa.Column("reason", sa.Text),
    sa.Column("sentence", sa.Text),
    sa.Column("priority", sa.Integer),
    sa.Column("next_try_at", sa.BigInteger),
    sa.Column("attempts", sa.Integer),
    sa.Column("first_failed_at", sa.BigInteger),
    sa.Column("step", sa.Text),
    sa.Column("progress", sa.Float),
    sa.Column("failure", sa.Text),
    sa.Column("created_at", sa.BigInteger),
    sa.Column("updated_at", sa.BigInteger),
    sa.Column("chain", sa.Text),
)
STEPS = sa.Table(
    "steps",
    METADATA,
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("state", sa.Text),
    sa.Column("token", sa.Text),
    sa.Column("data", sa.Text),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("ended_at", sa.BigInteger),
)
FILES = sa.Table(
    "files",
    METADATA,
    sa.Column("inbox", sa.Text, primary_key=True),
    sa.Column("rel", sa.LargeBinary, primary_key=True),
    sa.Column("stamp", sa.Text),
    sa.Column("job_id", sa.Text),
)
HOLDS = sa.Table(
    "holds",
    METADATA,
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("sentence", sa.Text),
    sa.Column("link", sa.Text),
    sa.Column("since_at", sa.BigInteger),
    sa.Column("look_at", sa.BigInteger),
)
NOTICES = sa.Table(
    "notices",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text),
    sa.Column("updated_at", sa.BigInteger),
)
LEVERS = sa.Table(
    "levers",
    METADATA,
    sa.Column("lever_id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text),
    sa.Column("argument", sa.Text),
    sa.Column("pulled_at", sa.BigInteger),
    sa.Column("answer", sa.Text),
)


_OPEN = "state IN ('ready', 'waiting', 'held') AND job_id NOT IN :exclude"
_READY = f"{_OPEN} AND ((state = 'ready' AND next_try_at IS NULL) OR next_try_at <= :now)"


def _first(column: str, index: str, where: str, order: str) -> sa.TextClause:
    """Ask for the first row of an index: left to itself SQLite reads and sorts the whole backlog for every start."""
    text = f"SELECT {column} FROM jobs INDEXED BY {index} WHERE {where} ORDER BY {order} LIMIT 1"  # noqa: S608 - fixed texts
    return sa.text(text).bindparams(sa.bindparam("exclude", expanding=True))


PUT_STEP = sa.text(
    "INSERT INTO steps (job_id, name, state, token, data, started_at, ended_at) "
    "VALUES (:job_id, :name, :state, :token, :data, :started_at, :ended_at) ON CONFLICT (job_id, name) DO UPDATE "
    "SET state = excluded.state, token = excluded.token, data = excluded.data, ended_at = excluded.ended_at"
)
"""Write a step, or what became of it; the moment in which it began stays."""
NEXT_OLDEST = _first("job_id", "jobs_oldest", _READY, "priority DESC, created_at, job_id")
NEXT_NEWEST = _first("job_id", "jobs_newest", _READY, "priority DESC, created_at DESC, job_id")
NEXT_DUE = _first("next_try_at", "jobs_due", f"{_OPEN} AND next_try_at IS NOT NULL", "next_try_at")


def to_ms(moment: datetime | None) -> int | None:
    """Turn an aware moment into milliseconds since 1970, UTC."""
    return None if moment is None else round(moment.timestamp() * 1000)


def moment(ms: int) -> datetime:
    """Turn milliseconds since 1970 back into an aware UTC moment."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_moment(ms: int | None) -> datetime | None:
    """Turn milliseconds since 1970 back into a moment, None staying None."""
    return None if ms is None else moment(ms)


def pack_stamp(stamp: FileStamp) -> str:
    """Write a stamp as text, the same for equal stamps."""
    return f"{stamp.inode}:{stamp.size_bytes}:{stamp.mtime_ns}"


def unpack_stamp(text: str) -> FileStamp:
    """Read what `pack_stamp` wrote."""
    inode, size_bytes, mtime_ns = (int(part) for part in text.split(":"))
    return FileStamp(inode, size_bytes, mtime_ns)


def _ref_to_json(ref: FileRef) -> list[str]:
    return [ref.rel, pack_stamp(ref.stamp)]


def _ref_from_json(pair: list[str]) -> FileRef:
    return FileRef(pair[0], unpack_stamp(pair[1]))


def work_to_text(work: Work) -> str:
    """Write a job's work as JSON in ASCII, so that names with bytes that are not UTF-8 survive."""
    fields: Json = {name: getattr(work, name) for name in work.__slots__}
    fields["exports"] = [asdict(export) for export in work.exports]
    fields["sidecar"] = None if work.sidecar is None else _ref_to_json(work.sidecar)
    fields["companions"] = [_ref_to_json(ref) for ref in work.companions]
    fields["assets"] = [_ref_to_json(ref) for ref in work.assets]
    return json.dumps(fields)


def work_from_text(text: str) -> Work:
    """Read what `work_to_text` wrote."""
    fields: Json = json.loads(text)
    fields["messages"] = tuple(fields["messages"])
    fields["notes"] = tuple(fields["notes"])
    fields["fingerprints"] = tuple(fields.get("fingerprints", ()))
    fields["exports"] = tuple(Export(**export) for export in fields["exports"])
    fields["sidecar"] = None if fields["sidecar"] is None else _ref_from_json(fields["sidecar"])
    fields["companions"] = tuple(_ref_from_json(pair) for pair in fields["companions"])
    fields["assets"] = tuple(_ref_from_json(pair) for pair in fields["assets"])
    return Work(**fields)


def failure_to_text(failure: Failure | None) -> str | None:
    """Write a failure as JSON, None if there is none."""
    return None if failure is None else json.dumps(asdict(failure))


def failure_from_text(text: str | None) -> Failure | None:
    """Read what `failure_to_text` wrote."""
    return None if text is None else Failure(**json.loads(text))


def job_to_row(job: Job, run: int) -> dict[str, Any]:
    """Write a job as a row; `run` is the run number inside its id."""
    return {
        "job_id": job.job_id,
        "edit_id": job.edit_id,
        "run": run,
        "reuses": job.reuses,
        "inbox": job.inbox,
        "rel": os.fsencode(job.clip.rel),
        "stamp": pack_stamp(job.clip.stamp),
        "sha256": job.sha256,
        "work": work_to_text(job.work),
        "state": job.state,
        "active": job.active,
        "reason": job.reason,
        "sentence": job.sentence,
        "priority": job.priority,
        "next_try_at": to_ms(job.next_try_at),
        "attempts": job.attempts,
        "first_failed_at": to_ms(job.first_failed_at),
        "step": job.step,
        "progress": job.progress,
        "failure": failure_to_text(job.failure),
        "created_at": to_ms(job.created_at),
        "updated_at": to_ms(job.updated_at),
        "chain": job.work.chain,
    }


def job_from_row(row: RowMapping) -> Job:
    """Read a job from its row."""
    return Job(
        job_id=row["job_id"],
        edit_id=row["edit_id"],
        inbox=row["inbox"],
        clip=FileRef(os.fsdecode(row["rel"]), unpack_stamp(row["stamp"])),
        sha256=row["sha256"],
        work=work_from_text(row["work"]),
        state=row["state"],
        priority=row["priority"],
        created_at=moment(row["created_at"]),
        updated_at=moment(row["updated_at"]),
        reuses=row["reuses"],
        active=row["active"],
        reason=row["reason"],
        sentence=row["sentence"],
        next_try_at=to_moment(row["next_try_at"]),
        attempts=row["attempts"],
        first_failed_at=to_moment(row["first_failed_at"]),
        step=row["step"],
        progress=row["progress"],
        failure=failure_from_text(row["failure"]),
    )


def step_from_row(row: RowMapping) -> Step:
    """Read a step from its row."""
    return Step(
        job_id=row["job_id"],
        name=row["name"],
        state=row["state"],
        token=row["token"],
        data=json.loads(row["data"]),
        started_at=to_moment(row["started_at"]),
        ended_at=to_moment(row["ended_at"]),
    )
