"""A drop whose work is known: nothing is paid, at most the kept draft is exported once more.

Touches: the outbox (looking), the ledger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from nemo_watch import folders
from nemo_watch.folders.names import split
from nemo_watch.model import Failure, Job, Json, Session
from nemo_watch.pipeline.editing import RejectedError
from nemo_watch.pipeline.ending import archive
from nemo_watch.pipeline.house import House, StepAsideError, log

LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class Source:
    """The paid edit that is used again: its job, session and draft."""

    job: Job
    session: Session
    draft: Json


async def reused_source(house: House, job: Job) -> Source:
    """Find the paid edit that a job uses again, waiting while it is under way.

    Raises: StepAsideError while it is not delivered, RejectedError if it was rejected or is not kept. Repeat: safe.
    """
    paying = await house.ledger.job(job.reuses)
    if paying is None or paying.state == "cancelled":
        raise RejectedError(_not_kept(job))
    if paying.state == "rejected":
        failure = paying.failure or _not_kept(job)
        raise RejectedError(failure)
    if paying.state != "delivered":
        raise StepAsideError(LOOK_S, "reuse", f"The same work is under way as job {paying.job_id}; it waits for that.")
    session = await house.recorded(paying, "session")
    draft = await house.recorded(paying, "draft")
    if session is None or draft is None:
        raise RejectedError(_not_kept(job))
    return Source(paying, Session(session["session_id"], session["task_id"], session["user_id"]), draft["draft"])


async def take_over(house: House, job: Job, source: Source) -> bool:
    """If the result already lies in the outbox under the name this drop would get, archive the drop; else False."""
    delivered = await house.recorded(source.job, "deliver")
    if delivered is None or job.work.exports != source.job.work.exports:
        return False
    if (job.inbox, _result_stem(job)) != (source.job.inbox, _result_stem(source.job)):
        return False
    for one in delivered["files"]:
        there = await house.rules(job).call(os.path.exists, one["target"])
        if not there or await house.rules(job).call(folders.hash_file, one["target"]) != one["sha256"]:
            return False
    log.info("job.known", job=job.job_id, file=job.clip.rel, result=delivered["files"][0]["target"])
    await archive(house, job)
    return True


def _result_stem(job: Job) -> str:
    folder, stem, _suffix = split(job.clip.rel)
    return f"{folder}/{stem}"


def _not_kept(job: Job) -> Failure:
    return Failure(
        "1002",
        f"The same work was done before as job {job.reuses}, but neither its result nor its draft is kept any more.",
        f"Run `nemo-watch retry {job.job_id} --fresh` to pay for the edit again.",
        paid="no",
        step="reuse",
    )
