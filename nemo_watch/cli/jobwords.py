"""How a job is spoken of: its state as one sentence that follows the file's name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from nemo_watch.cli.pictures import step_words
from nemo_watch.model import OPEN_STATES, Job
from nemo_watch.pipeline.levers import CANCELLED
from nemo_watch.policy import name_of


def clock(moment: datetime) -> str:
    """Write a moment as the local clock shows it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def job_words(job: Job, results: Sequence[str] = (), *, running: bool = True) -> str:
    """Say what a job is doing, or what came of it; `results` are where its files were put.

    With no daemon `running` nothing goes on, whatever the ledger says: it tells what was, and what would be.
    """
    who = f"job {job.job_id}"
    if not running and job.state in OPEN_STATES:
        return _resting(job, who)
    match job.state:
        case "ready" | "waiting" | "held" if job.active:
            done = f", {job.progress:.0f} %" if job.step.startswith("render") else ""
            return f"it is being worked on as {who}: {step_words(job.step) or 'it begins'}{done}"
        case "ready":
            return f"it is {who} and starts as soon as a worker is free"
        case "waiting":
            return f"it waits as {who}: {_end(job.sentence)}"
        case "held":
            return f"it is held as {who}: {_end(job.sentence)}"
        case "delivered":
            where = f" to {', '.join(results)}" if results else ""
            return f"it was delivered as {who}{where}"
        case "rejected":
            if job.failure is None:
                return f"it was rejected as {who}"
            failure = job.failure
            return (
                f"it was rejected as {who} with {failure.code} ({name_of(failure.code)}): {_end(failure.message)}. "
                f"What to do: {_end(failure.action)}"
            )
        case "cancelled" if job.reason == CANCELLED:
            return f"it was cancelled as {who}: {_end(job.sentence)}"
        case "cancelled":
            return f"{who} was ended before anything was paid: {_end(job.sentence)}"
        case _:
            assert_never(job.state)


def _resting(job: Job, who: str) -> str:
    if job.active:
        step = step_words(job.step) or "it had begun"
        return f"it was being worked on as {who} ({step}) when the daemon ended, and goes on when it runs again"
    if job.state == "ready":
        return f"it is {who} and starts when the daemon runs"
    if job.state == "waiting":
        return f"it waits as {who}: {_end(job.sentence)}; nothing goes on before the daemon runs"
    return f"it is held as {who}: {_end(job.sentence)}; the daemon is not running either"


def _end(text: str) -> str:
    """Take the full stop from a sentence that goes on."""
    return text.strip().removesuffix(".")
