"""What a report says: the tables written beside a result and beside a reject.

Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nemo_watch.model import Failure, Job
from nemo_watch.policy import name_of

RESULT_REPORT = ".report.toml"
ERROR_REPORT = ".error.toml"
_TURNS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that change the direction of what follows: `evil\u202e4pm.exe` reads as a video."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One exported file as it lies in the outbox."""

    name: str
    duration_s: float
    size_bytes: int
    sha256: str


def printable(name: str) -> str:
    """Make a file name fit for a person and for TOML: bytes that are not UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def printable_name(name: str) -> str:
    """Make a file name fit for one line: what steers a terminal or turns the text around becomes U+FFFD, too."""
    return "".join("\ufffd" if _steers(sign) else sign for sign in printable(name))


def _steers(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in _TURNS


def source_table(rel: str) -> dict[str, Any]:
    """Name the source: as text, and byte for byte where the text cannot."""
    table: dict[str, Any] = {"source": printable_name(rel)}
    raw = rel.encode("utf-8", "surrogateescape")
    if table["source"].encode() != raw:
        table["source_bytes"] = quote(raw, safe="/")
    return table


def result_report(
    job: Job,
    *,
    backend: str,
    session_id: str,
    render_ids: Sequence[str],
    skill: str,
    reply: str,
    timeline: str,
    delivered: Sequence[Delivered],
    credits_before: float | None,
    credits_after: float | None,
    credits_alone: bool,
    times: Mapping[str, float],
    notes: Sequence[str],
    finished_at: datetime,
) -> dict[str, Any]:
    """Tell what was made, from what, by which words and for how many credits. Units: times in seconds.

    `credits_alone` is True if no other paid call of this account overlapped: only then can a difference be named.
    Source: product.md 9.
    """
    report: dict[str, Any] = {
        "backend": backend,
        "job": job.job_id,
        **source_table(job.clip.rel),
        "source_sha256": job.sha256,
        "source_size": job.clip.stamp.size_bytes,
        "instruction": printable(job.work.instruction),
        "messages": [printable(message) for message in job.work.messages],
        "skill": skill,
        "session": session_id,
        "renders": list(render_ids),
        "reply": printable(reply),
        "timeline": printable(timeline),
        "finished": finished_at,
    }
    report |= _kind_table(job)
    if job.reuses:
        report["reused_from"] = job.reuses
    if notes:
        report["notes"] = [printable(note) for note in notes]
    account = {"before": credits_before, "after": credits_after}
    report["account_credits"] = {when: value for when, value in account.items() if value is not None}
    if credits_alone and credits_before is not None and credits_after is not None:
        report["credits_spent"] = credits_before - credits_after
    report["times"] = {step: round(seconds, 3) for step, seconds in times.items()}
    report["export"] = [
        {
            "file": printable_name(one.name),
            "duration": round(one.duration_s, 3),
            "size": one.size_bytes,
            "sha256": one.sha256,
        }
        for one in delivered
    ]
    return report


def _kind_table(job: Job) -> dict[str, Any]:
    """Tell how the work was given, where it was not simply a clip."""
    work = job.work
    table: dict[str, Any] = {} if work.kind == "edit" else {"kind": work.kind}
    if work.kind == "refine":
        table |= {"refines": work.parent, "version": work.version}
    if work.kind == "batch":
        table |= {"batch": work.chain.removeprefix("batch-"), "position": work.position + 1}
    if work.url:
        table["url"] = work.url
    return table


def error_report(job: Job, failure: Failure, *, backend: str, when: datetime) -> dict[str, Any]:
    """Tell why a file was rejected, whether it was paid, and what to do now. Source: product.md 9."""
    report: dict[str, Any] = {
        "code": failure.code,
        "name": name_of(failure.code),
        "message": printable(failure.message),
        "action": printable(failure.action),
        "paid": failure.paid,
        "step": failure.step,
        "attempts": max(1, job.attempts),
        "job": job.job_id,
        "when": when,
        "backend": backend,
        **source_table(job.clip.rel),
        **_kind_table(job),
    }
    if failure.line:
        report["line"] = failure.line
        report["column"] = failure.column
    if failure.link:
        report["link"] = failure.link
    return report
