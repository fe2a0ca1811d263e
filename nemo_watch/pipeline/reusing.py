"""A drop whose work is known: nothing is paid, at most the kept draft is exported once more.

Touches: the outbox (looking), the ledger.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from nemo_watch import folders
from nemo_watch.errors import MediaError
from nemo_watch.folders.names import folder_key, key, split
from nemo_watch.model import Failure, Job, Json, Session
from nemo_watch.pipeline.ending import archive
from nemo_watch.pipeline.giving import result_stem
from nemo_watch.pipeline.house import House, RejectedError, StepAsideError, log

LOOK_S = 120.0
"""How often a job looks by itself whether the one it waits for has ended; whoever ends that one wakes it."""


@dataclass(frozen=True, slots=True)
class Source:
    """The paid edit that is used again: its job, session and draft."""

    job: Job
    session: Session
    draft: Json


async def paid_job(house: House, job: Job) -> Job:
    """Find the job that paid for the edit that another one uses again, waiting while it is under way.

    Raises: StepAsideError while it is not delivered, RejectedError if it was rejected or is not known. Repeat: safe.
    """
    paying = await house.ledger.job(job.reuses)
    if paying is None:
        raise RejectedError(_not_kept(job))
    if paying.state == "cancelled":
        # Nothing was paid there: this drop takes the work over, as if it had come first.
        raise MediaError(f"Job {paying.job_id}, whose result it waited for, was ended.", code="changed")
    if paying.state == "rejected":
        failure = paying.failure or _not_kept(job)
        raise RejectedError(failure)
    if paying.state != "delivered":
        raise StepAsideError(LOOK_S, "reuse", f"The same work is under way as job {paying.job_id}; it waits for that.")
    return paying


async def kept_source(house: House, job: Job, paying: Job) -> Source:
    """Read what a further export of a known edit is made from. Raises: RejectedError if it is not kept any more."""
    session = await house.recorded(paying, "session")
    draft = await house.recorded(paying, "draft")
    if session is None or draft is None:
        raise RejectedError(_not_kept(job))
    return Source(paying, Session(session["session_id"], session["task_id"], session["user_id"]), draft["draft"])


async def take_over(house: House, job: Job) -> bool:
    """If the result already lies in the outbox under the name this drop would get, archive the drop; else False.

    What counts is where the result lies, not what the inbox was called when it was put there.
    """
    for other in await house.ledger.jobs_of_edit(job.edit_id):
        delivered = await house.recorded(other, "deliver")
        if delivered is None or other.job_id == job.job_id or other.work.exports != job.work.exports:
            continue
        if not _is_where_it_would_be(house, job, other, delivered):
            continue
        if await _all_there(house, job, delivered):
            log.info("job.known", job=job.job_id, file=job.clip.rel, result=delivered["files"][0]["target"])
            await archive(house, job)
            return True
    return False


async def _all_there(house: House, job: Job, delivered: Json) -> bool:
    rules = house.rules(job)
    for one in delivered["files"]:
        if not await rules.outbox.call(folders.is_content, one["target"], one["sha256"]):
            return False
    return True


def _is_where_it_would_be(house: House, job: Job, other: Job, delivered: Json) -> bool:
    outbox = house.rules(job).places.outbox
    folder = split(job.clip.rel)[0]
    if key(result_stem(other)) != key(result_stem(job)):
        return False
    folders_of = {os.path.relpath(os.path.dirname(one["target"]), outbox) for one in delivered["files"]}
    return all(folder_key("" if path == "." else path) == folder_key(folder) for path in folders_of)


def _not_kept(job: Job) -> Failure:
    return Failure(
        "1002",
        f"The same work was done before as job {job.reuses}, but neither its result nor its draft is kept any more.",
        "Change the instruction and drop the clip again to pay for a new edit.",
        paid="no",
        step="reuse",
    )
