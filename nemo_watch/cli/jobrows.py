"""A job as a row of `status`: what kind of work, what is done with it, how far it is, what comes next. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from nemo_watch.cli.pictures import left_words, size_words, step_words
from nemo_watch.model import Job, Json, Work, WorkKind
from nemo_watch.reports import printable

STALE_S = 15.0
"""A rate that was told so long ago is no news: the daemon hangs, or the machine slept."""
KINDS: dict[WorkKind, str] = {
    "edit": "clip",
    "refine": "refinement",
    "generate": "text to video",
    "url": "by URL",
    "batch": "part of a batch",
    "ask": "question",
}


def kind_words(work: Work) -> str:
    """Say what kind of work a job is."""
    if work.kind == "refine" and work.version > 1:
        return f"{KINDS[work.kind]} {work.version}"
    return KINDS[work.kind]


def job_row(job: Job, told: Json | None, now_at: datetime, *, running: bool) -> dict[str, Any]:
    """Put a job into a row for programs and people; `told` is what the running daemon says of its worker."""
    told = told if running else None
    progress = how_far(job, told, now_at)
    is_on_it = running and (job.active or told is not None)
    row: dict[str, Any] = {
        "job": job.job_id,
        "file": printable(job.clip.rel),
        "inbox": job.inbox,
        "kind": job.work.kind,
        "work": kind_words(job.work),
        "state": "running" if is_on_it else job.state,
        "step": str(told["step"]) if told else job.step,
        **progress,
        "since": str(told["since"]) if told and "since" in told else _since(job).isoformat(),
        "reason": job.reason,
        "why": printable(job.sentence),
        "doing": "",
        "next": _next(job, told, is_on_it=is_on_it, running=running),
        "next_try": job.next_try_at.isoformat() if job.next_try_at else None,
        "updated": job.updated_at.isoformat(),
        "code": job.failure.code if job.failure else None,
        "action": printable(job.failure.action) if job.failure else None,
    }
    return row | {"doing": _doing(job, row, running=running)}


def how_far(job: Job, told: Json | None, now_at: datetime) -> dict[str, Any]:
    """Tell how much of a step is done, how fast it goes on and how long the rest takes; None where nobody can tell.

    Units: `done`, `total`, `rate` (a second) in bytes; `progress` in percent, `left_s` in seconds from now.
    """
    found: dict[str, Any] = dict.fromkeys(("progress", "done", "total", "rate", "left_s"))
    if told is None:
        if job.step.startswith("render") and job.state in ("ready", "waiting", "held"):
            found["progress"] = round(job.progress, 1)
        return found
    if told.get("fraction") is not None:
        found["progress"] = round(100 * float(told["fraction"]), 1)
    if told.get("unit") == "bytes":
        found["done"], found["total"] = int(told["done"]), int(told["total"]) or None
        found["rate"] = told.get("rate")
    if told.get("ends"):
        left_s = (datetime.fromisoformat(told["ends"]) - now_at).total_seconds()
        if left_s > -STALE_S:
            found["left_s"] = round(max(0.0, left_s))
        else:
            found["rate"] = None
    return found


def far_words(row: Json) -> str:
    """Say how far a step is, as "41 %, 3.2 MB/s, about 2 min left"; "" if that is not known."""
    parts: list[str] = []
    if row["progress"] is not None:
        parts.append(f"{row['progress']:.0f} %")
    elif row["done"]:
        parts.append(size_words(row["done"]))
    if row["rate"]:
        parts.append(f"{size_words(row['rate'])}/s")
    if row["left_s"] is not None:
        parts.append(f"{left_words(row['left_s'])} left")
    return ", ".join(parts)


def state_words(row: Json) -> str:
    """Say a row's state in one word for people."""
    return "working" if row["state"] == "running" else str(row["state"])


def _since(job: Job) -> datetime:
    return job.first_failed_at or job.updated_at


def _doing(job: Job, row: Json, *, running: bool) -> str:
    """Say what is being done, or why nothing is."""
    if row["state"] == "running":
        far = far_words(row)
        return f"{step_words(row['step']) or 'it begins'}{f', {far}' if far else ''}"
    if job.active and not running:
        return f"stopped: {step_words(job.step) or 'it had begun'}"
    return str(row["why"])


def _next(job: Job, told: Json | None, *, is_on_it: bool, running: bool) -> str:
    if job.state in ("delivered", "rejected", "cancelled"):
        return ""
    if not running:
        return "goes on when the daemon runs" if job.state != "ready" or job.step else "starts when the daemon runs"
    if is_on_it:
        return _then(job.work, str(told["step"]) if told else job.step)
    if job.state == "ready":
        return "starts as soon as a worker is free"
    if job.next_try_at is not None:
        return f"{'looked at again' if job.state == 'held' else 'tried again'} at {at_words(job.next_try_at)}"
    return ""


def at_words(moment: datetime) -> str:
    """Write a moment as the local clock shows it, short."""
    return moment.astimezone().strftime("%m-%d %H:%M")


def _then(work: Work, step: str) -> str:
    """Say which step follows."""
    head, _, tail = step.partition(":")[0].partition("-")
    number = int(tail) if tail.isdecimal() else 1
    match head:
        case "session":
            return "then editing" if work.kind in ("refine", "generate") else "then uploading"
        case "upload":
            return "then editing"
        case "edit":
            return f"then editing ({number + 1})" if number < len(work.messages) else "then exporting"
        case "render":
            return "then fetching the result"
        case "download":
            return f"then exporting ({number + 1})" if number < len(work.exports) else "then delivering"
        case "deliver":
            return "then it is done"
        case _:
            return ""


def ended_note(row: Json, name: str) -> str:
    """Say what came of a job that has ended; `name` is what its code is called."""
    if row["results"]:
        return ", ".join(row["results"])
    return f"{row['code']} ({name}): {row['action']}" if row["state"] == "rejected" and row["code"] else str(row["why"])
