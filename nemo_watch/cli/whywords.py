"""What `why` says: what is known of a file, as a sentence for people and as a table for programs.

Touches: an error report (reading it).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nemo_watch import reports
from nemo_watch.cli.fates import Fate
from nemo_watch.cli.jobwords import clock, job_words
from nemo_watch.cli.places import Spot
from nemo_watch.cli.plan import fate_words
from nemo_watch.intake.names import name_key, split_name, split_rel
from nemo_watch.model import OPEN_STATES, FileRef, Job

REPORT_MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What is known of a file. `state` is a job's state, a waiting file's rule, or a word for why there is nothing.

    `found` is False if there is no such file or no rule for it. `tells_when`: the sentence says since when itself.
    """

    state: str
    sentence: str
    found: bool = True
    since_at: datetime | None = None
    next_at: datetime | None = None
    job: Job | None = None
    code: str = ""
    action: str = ""
    note: str = ""
    tells_when: bool = False


def in_words(said: Said) -> str:
    """Put the rule, since when and what comes next into one sentence."""
    parts = []
    if said.since_at is not None and not said.tells_when:
        parts.append(f"since {clock(said.since_at)}")
    if said.next_at is not None and not said.tells_when:
        parts.append(f"next look at {clock(said.next_at)}")
    when = f" ({'; '.join(parts)})" if parts else ""
    note = f"; {said.note}" if said.note else ""
    return f"{said.sentence}{when}{note}"


def as_table(file: str, spot: Spot | None, said: Said) -> dict[str, Any]:
    """Say it for programs."""
    named = reports.source_table(file)
    told: dict[str, Any] = {
        "file": named["source"],
        "folder": spot.role if spot is not None else "",
        "inbox": spot.inbox.name if spot is not None else "",
        "found": said.found,
        "state": said.state,
        "why": reports.printable(said.sentence),
        "note": said.note,
        "since": said.since_at.isoformat() if said.since_at else None,
        "next": said.next_at.isoformat() if said.next_at else None,
        "job": said.job.job_id if said.job is not None else "",
        "code": said.code,
        "action": said.action,
    }
    if "source_bytes" in named:
        told["file_bytes"] = named["source_bytes"]
    return told


def of_folder(which: str) -> Said:
    """Speak of a folder: only files have a fate."""
    sentence = f"it is {which}: name a file in an inbox, or look at all of them with nemo-watch plan"
    return Said("folder", sentence, found=False)


def of_job(job: Job, results: list[str], *, running: bool) -> Said:
    """Speak of a file by its job."""
    failure = job.failure
    goes_on = running and job.state in OPEN_STATES and not job.active
    return Said(
        job.state,
        job_words(job, results, running=running),
        since_at=job.updated_at,
        next_at=job.next_try_at if goes_on else None,
        job=job,
        code=failure.code if failure is not None else job.reason if job.state == "held" else "",
        action=failure.action if failure is not None else "",
    )


def would(fate: Fate) -> str:
    """Say what would become of a file."""
    match fate.action:
        case "edit":
            return f"it would be edited: {fate_words(fate)}"
        case "reject":
            return f"it would be rejected with {fate_words(fate)}"
        case "ignored":
            return f"it is ignored: {fate_words(fate)}"
        case _:
            return fate_words(fate)


def late(job: Job, clip: FileRef, name: str) -> Said:
    """Speak of an instruction that came after its clip was paid for."""
    stem, extension = split_name(name)
    base = (
        stem[: -len(split_name(stem)[1]) - 1]
        if split_name(stem)[1] and name_key(stem) == name_key(split_rel(clip.rel)[1])
        else stem
    )
    sentence = (
        f"it came after {split_rel(clip.rel)[1]} was paid for as job {job.job_id}, so it stays where it is; "
        f"rename it to {base}.refine.{extension} to go on from there"
    )
    return Said("late", sentence, job=job)


def read_report(path: str) -> Said | None:
    """Read the error report beside a reject (or the one that is asked about), as far as it is one of ours."""
    target = path if path.endswith(reports.ERROR_REPORT) else path + reports.ERROR_REPORT
    try:
        with open(target, "rb") as source:
            table = tomllib.loads(source.read(REPORT_MOST_BYTES).decode())
        code, message, action = str(table["code"]), str(table["message"]), str(table["action"])
    except (OSError, ValueError, KeyError):
        return None
    sentence = f"it was rejected with {code}: {message.removesuffix('.')}. What to do: {action.removesuffix('.')}"
    return Said("rejected", sentence, code=code, action=action)
