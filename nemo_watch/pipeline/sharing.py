"""Sessions that several jobs share: one of them speaks at a time, in their order, when all have uploaded.

A draft belongs to its session, and so does the state by which the effect of a message is found. Two jobs that spoke or
uploaded at the same time would take each other's effect for their own.

Touches: the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nemo_watch import folders
from nemo_watch.errors import CloudError, MediaError
from nemo_watch.ledger import chains
from nemo_watch.ledger.chains import TURN, Standing
from nemo_watch.model import OPEN_STATES, Failure, Job, Json, Session, Step
from nemo_watch.pipeline.house import House, RejectedError, StepAsideError, now
from nemo_watch.pipeline.refining import may_be_refined
from nemo_watch.policy import session_ended

LOOK_S = 30.0
"""How often a job looks by itself whether it is its turn; whoever is done with the session wakes it."""


def chain_of(job: Job) -> str:
    """Name the chain of a job; that of an ordinary clip is its own id, for its refinements."""
    return job.work.chain or job.reuses or job.job_id


@contextlib.asynccontextmanager
async def alone(house: House, job: Job) -> AsyncIterator[None]:
    """Be the only one in this process that uploads into a session or speaks in it. Raises: StepAsideError."""
    lock = house.turns.setdefault(chain_of(job), asyncio.Lock())
    if lock.locked():
        raise _not_yet("Another job is at work in the session that they share.")
    async with lock:
        yield


async def may_upload(house: House, job: Job) -> None:
    """Wait while the effect of somebody's message is not known yet. Raises: StepAsideError. Repeat: safe."""
    for other in await _others(house, job):
        if other.speaks and other.is_open:
            raise _not_yet(f"{_name(other.job)} is being edited in the session that they share.")


async def may_speak(house: House, job: Job) -> None:
    """Wait for whoever is before this job in the session, and until each part of a batch is uploaded.

    Who has begun goes on to its end. Raises: StepAsideError. Repeat: safe.
    """
    everyone = await chains.standings(house.ledger, chain_of(job))
    if any(one.has_begun for one in everyone if one.job.job_id == job.job_id):
        return
    mine = chains.in_order(job)
    for other in everyone:
        if other.job.job_id == job.job_id or not other.is_open:
            continue
        if other.has_begun:
            raise _not_yet(f"{_name(other.job)} is being edited in the session that they share.")
        if chains.in_order(other.job) < mine:
            raise _not_yet(f"{_name(other.job)} comes first in the session that they share.")
        if job.work.kind == other.job.work.kind == "batch" and not other.has_uploaded:
            raise _not_yet(f"{_name(other.job)} of the same batch is to be uploaded first.")


async def is_turn(house: House, job: Job) -> bool:
    """Tell whether nobody is before a job any more. Repeat: safe."""
    try:
        await may_upload(house, job)
        await may_speak(house, job)
    except StepAsideError:
        return False
    return True


async def has_been_used_since(house: House, job: Job, step: Step) -> bool:
    """Tell whether another job spoke in the session after a step of this one: what it holds may be that one's."""
    return await chains.has_been_used_since(house.ledger, chain_of(job), job.job_id, step)


async def draft_to_export(house: House, job: Job) -> Json | None:
    """Take over the timeline that a refinement only exports, which is free; None if it is to be edited."""
    if job.work.kind != "refine" or job.work.messages:
        return None
    parent = await house.ledger.job(job.work.parent)
    known = await house.ledger.step(parent.reuses or parent.job_id, "draft") if parent is not None else None
    if known is None or known.state != "done":
        raise RejectedError(session_ended())
    await house.done(job, "draft", known.data)
    return known.data


async def pass_on(house: House, job: Job) -> None:
    """Wake whoever can go on now that this job is further: who has to upload yet, else the first one. Repeat: safe."""
    waiting = [one for one in await _others(house, job) if one.is_open and one.job.reason == TURN]
    for one in sorted(waiting, key=lambda one: one.has_uploaded):
        if await chains.wake(house.ledger, one.job.job_id, now()):
            house.on_enter()
            return


async def _others(house: House, job: Job) -> list[Standing]:
    everyone = await chains.standings(house.ledger, chain_of(job))
    return [one for one in everyone if one.job.job_id != job.job_id]


def _name(job: Job) -> str:
    return folders.last_part(job.clip.rel)


def _not_yet(why: str) -> StepAsideError:
    return StepAsideError(LOOK_S, TURN, f"{why} It waits for that.")


async def uploads_of_others(house: House, job: Job, session: Session) -> list[Step]:
    """List what the others have uploaded into a session that they share with a job, as far as is known."""
    found: list[Step] = []
    for other in await _others(house, job):
        steps = await house.ledger.steps(other.job.job_id)
        theirs = next((step.data for step in steps if step.name == "session" and step.state == "done"), {})
        if theirs.get("session_id") == session.session_id:
            found += [step for step in steps if step.name.startswith("upload-") and step.state == "done"]
    return found


# ---------------------------------------------------------------- whose session


async def parents_session(house: House, job: Job) -> Session:
    """Find the session that a refinement goes on in. Raises: RejectedError if it cannot be gone on in. Repeat: safe."""
    parent = await house.ledger.job(job.work.parent)
    if parent is None:
        raise RejectedError(session_ended())
    if parent.state not in OPEN_STATES and not may_be_refined(parent):
        # Understood anew it goes on from the last one that came to a good end, or is told that there is none.
        raise MediaError(f"Job {parent.job_id}, whose clip it refines, was ended.", code="changed")
    known = await house.ledger.step(parent.reuses or parent.job_id, "session")
    if parent.state in OPEN_STATES and (known is None or known.state != "done" or parent.failure is not None):
        raise _not_yet(f"{_name(parent)} is to be edited first.")
    if known is None or known.state != "done":
        raise RejectedError(session_ended())
    if parent.work.backend != house.backend_key:
        raise RejectedError(_elsewhere(parent, house.backend_key))
    return Session(known.data["session_id"], known.data["task_id"], known.data["user_id"])


def _elsewhere(parent: Job, backend: str) -> Failure:
    return Failure(
        "1002",
        f"Its clip was edited at the backend {parent.work.backend}, and the config names {backend} now.",
        f'Set [backend] url = "{parent.work.backend}" to go on there, or drop the clip with the whole instruction.',
        step="session",
    )


async def batch_session(house: House, job: Job, language: str) -> Session:
    """Find the session of a batch, or open it. To be called `alone`. Raises: CloudError. Repeat: safe."""
    known = await chains.shared_session(house.ledger, job.work.chain)
    if known is not None:
        return known
    session = await house.client.open_session(job.work.title, language, house.skill(job))
    await chains.share_session(house.ledger, job.work.chain, session)
    return session


async def forget_lost_session(house: House, job: Job, error: CloudError) -> None:
    """Have the parts of a batch open a session anew, after the backend forgot the one they had. Repeat: safe."""
    mine = await house.recorded(job, "session")
    if error.code != "1002" or job.work.kind != "batch" or mine is None:
        return
    await chains.lose_session(house.ledger, job.work.chain, mine["session_id"])
    for other in await _others(house, job):
        if other.is_open and not other.has_begun:
            steps = [step for step in await house.ledger.steps(other.job.job_id) if step.name != "session"]
            theirs = await house.recorded(other.job, "session")
            if theirs is not None and theirs["session_id"] == mine["session_id"]:
                names = [step.name for step in steps if step.name.startswith("upload-")]
                await house.ledger.clear(other.job.job_id, "session", *names)
