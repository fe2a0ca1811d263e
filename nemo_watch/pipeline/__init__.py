"""The whole way of a dropped file, told once: accept it, then run its job from session to archive.

Touches: through the rooms below it everything that the product touches.
"""

from __future__ import annotations

from nemo_watch.errors import CloudError, MediaError, NemoWatchError
from nemo_watch.ledger.turning import RETRY
from nemo_watch.model import Drop, Failure, Job, Json, Session
from nemo_watch.pipeline.accepting import enter_drop, make_edit_id
from nemo_watch.pipeline.answering import answer
from nemo_watch.pipeline.batching import drop_of, understand_batch
from nemo_watch.pipeline.editing import edit, remember_draft
from nemo_watch.pipeline.ending import archive, deliver, reject
from nemo_watch.pipeline.exporting import download, kept_export_passes, render
from nemo_watch.pipeline.first_run import FIRST_RUN
from nemo_watch.pipeline.following import follow_files, turn_to
from nemo_watch.pipeline.giving import content_of
from nemo_watch.pipeline.holds import HeldError
from nemo_watch.pipeline.house import (
    EndedError,
    House,
    InboxRules,
    Patience,
    Progress,
    RejectedError,
    StepAsideError,
    chance,
    later,
    log,
    now,
    paid_so_far,
)
from nemo_watch.pipeline.levers import CANCELLED, call_off_renders, with_what_was_paid
from nemo_watch.pipeline.opening import ensure_session, upload_files
from nemo_watch.pipeline.returning import bring_back, remove_void_report
from nemo_watch.pipeline.reusing import kept_source, paid_job, take_over
from nemo_watch.pipeline.sharing import alone, forget_lost_session, may_speak, may_upload, pass_on
from nemo_watch.pipeline.understanding import understand
from nemo_watch.policy import Again, Hold, Reject, Situation, after_failure

__all__ = [
    "House",
    "InboxRules",
    "Patience",
    "Progress",
    "accept",
    "content_of",
    "drop_of",
    "follow_files",
    "kept_export_passes",
    "make_edit_id",
    "run_job",
    "turn_to",
    "understand",
    "understand_batch",
]

UNKNOWN_INBOX = "inbox_unknown"


async def accept(house: House, drop: Drop) -> None:
    """Turn a whole file with a settled instruction into a job in the ledger, a batch into one for each of its parts.

    A file that changed or vanished meanwhile is given back to the intake. Raises: LedgerError. Repeat: safe, the job id
    is made from the content.
    """
    try:
        jobs = await enter_drop(house, drop)
    except MediaError as error:
        if error.code not in ("changed", "gone"):
            raise
        for rel in (drop.clip.rel, *(part.clip.rel for part in drop.parts)):
            house.on_release(drop.inbox, rel)
        return
    for job in jobs:
        log.info("job.entered", job=job.job_id, inbox=drop.inbox, file=job.clip.rel)
    house.on_enter()


async def run_job(house: House, job: Job) -> None:
    """Take a job as far as it goes now: to its end, to a wait, or to a hold; every step is in the ledger.

    Raises: LedgerError, and whatever is a bug. Effects: paid calls, each behind its fence. Repeat: safe.
    """
    if job.inbox not in house.inboxes:
        sentence = (
            f'The config knows no inbox "{job.inbox}" any more; name it again, or drop the file into another one.'
        )
        await house.ledger.update(job.job_id, state="held", reason=UNKNOWN_INBOX, sentence=sentence, next_try_at=None)
        fresh = await house.ledger.job(job.job_id)
        if fresh is not None and fresh.inbox in house.inboxes:  # its clip was moved meanwhile
            await house.ledger.update(job.job_id, next_try_at=now())
        return
    if await _is_held_at_first_run(house, job):
        return
    await house.ledger.update(job.job_id, active=True, state="ready", reason="", sentence="", next_try_at=None)
    watched = is_aside = False
    try:
        if job.failure is not None:
            if job.failure.code == CANCELLED:
                await call_off_renders(house, job)
                await remove_void_report(house, job)
            await reject(house, job, job.failure)
        else:
            await _whole_way(house, await bring_back(house, job))
    except StepAsideError as aside:
        watched, is_aside = aside.reason == "render", True
        await _wait(house, job, aside.after_s, aside.reason, aside.sentence)
    except HeldError as held:
        is_aside = True
        await _hold(house, job, held.reason, held.sentence)
    except EndedError:
        log.info("job.released", job=job.job_id, file=job.clip.rel)
    except RejectedError as rejected:
        await _reject(house, job, rejected.failure)
    except NemoWatchError as error:
        await _after(house, job, error)
    finally:
        if not is_aside:
            await pass_on(house, job)
        if not watched:  # an export goes on without a worker, and people want to see how far it is
            house.progress.pop(job.job_id, None)
        await house.ledger.update(job.job_id, active=False)


async def _is_held_at_first_run(house: House, job: Job) -> bool:
    """Hold a job whose inbox waits for a person's word; what was begun before goes on. Source: product.md 4.7."""
    if job.work.kind == "ask":  # it costs nothing
        return False
    steps = await house.ledger.steps(job.job_id)
    if any(not step.name.startswith(("session", "upload", RETRY)) for step in steps):  # those cost nothing
        return False
    sentence = await house.why_not(job.inbox)
    if sentence:
        await house.ledger.update(
            job.job_id, state="held", reason=FIRST_RUN, sentence=sentence, next_try_at=None, active=False
        )
        sentence = await house.why_not(job.inbox)  # whoever let the inbox go meanwhile has not seen this job
    return bool(sentence)


async def _whole_way(house: House, job: Job) -> None:
    if job.work.kind == "ask":
        await answer(house, job)
        return
    if job.reuses:
        paying = await paid_job(house, job)
        if await take_over(house, job):
            return
        source = await kept_source(house, job, paying)
        session, draft = source.session, source.draft
    else:
        session, draft = await _edited(house, job)
    for number, export in enumerate(job.work.exports, start=1):
        while True:
            made = await render(house, job, session, draft, number, export)
            if await download(house, job, number, made):
                break
    await deliver(house, job, session, draft)
    await archive(house, job)


async def _edited(house: House, job: Job) -> tuple[Session, Json]:
    """Come as far as the draft that is exported. A session that several jobs share is used by one at a time."""
    known = await house.recorded(job, "draft")
    if known is not None:
        return await ensure_session(house, job), known["draft"]
    async with alone(house, job):
        await may_upload(house, job)
        session = await ensure_session(house, job)
        if await upload_files(house, job, session):
            await pass_on(house, job)
        await may_speak(house, job)
        for number, message in enumerate(job.work.messages, start=1):
            await edit(house, job, session, number, message)
        draft = await remember_draft(house, job, session)
    await pass_on(house, job)
    return session, draft


async def _after(house: House, job: Job, error: NemoWatchError) -> None:
    """Do what the policy says about a failure."""
    if isinstance(error, MediaError) and error.code in ("changed", "gone"):
        await _release(house, job, error)
        return
    fresh = await house.ledger.job(job.job_id) or job
    first_failed_at = fresh.first_failed_at or now()
    until = getattr(error, "until", None)
    verdict = after_failure(
        error,
        Situation(
            step=fresh.step,
            paid=await paid_so_far(house.ledger, job),
            attempts=fresh.attempts,
            failing_s=(now() - first_failed_at).total_seconds(),
            give_up_after_s=house.patience.give_up_after_s,
            chance=chance(),
            reuses=bool(job.reuses),
            continues=job.work.kind == "refine",
            until_s=None if until is None else max(0.0, (until - now()).total_seconds()),
            submitted=await _is_submitted(house, fresh),
            job_id=job.job_id,
            looks=house.patience.hold_looks,
        ),
    )
    match verdict:
        case Again(after_s, sentence, anew, counts):
            if anew:
                # What was said in the lost session was not paid for, and nothing of it is in the next one.
                if isinstance(error, CloudError):
                    await forget_lost_session(house, job, error)
                names = [step.name for step in await house.ledger.steps(job.job_id)]
                await house.ledger.clear(job.job_id, *(n for n in names if n.startswith(("session", "upload", "edit"))))
            if counts:
                await house.ledger.update(job.job_id, attempts=fresh.attempts + 1, first_failed_at=first_failed_at)
            await _wait(house, job, after_s, "retry", sentence)
        case Hold(reason, sentence, look_after_s, account):
            if account:
                await house.holds.hold(verdict)
            await _hold(house, job, reason, sentence, after_s=None if account else look_after_s)
        case Reject(failure, hold):
            if hold is not None:
                await house.holds.hold(hold)
            await _reject(house, job, failure)


async def _is_submitted(house: House, job: Job) -> bool:
    """Tell whether the backend took the export that the job is at."""
    step = await house.ledger.step(job.job_id, job.step) if job.step.startswith("render") else None
    return step is not None and bool(step.data.get("acknowledged"))


async def _hold(house: House, job: Job, reason: str, sentence: str, *, after_s: float | None = None) -> None:
    """Let a job stand still, until a moment of its own or until the hold of the whole account is lifted."""
    next_try_at = None if after_s is None else later(after_s)
    # Standing still is no failing: what fails afterwards has its whole time again.
    calm = {"attempts": 0, "first_failed_at": None}
    await house.ledger.update(
        job.job_id, state="held", reason=reason, sentence=sentence, next_try_at=next_try_at, **calm
    )
    log.warning("job.held", job=job.job_id, file=job.clip.rel, reason=reason, why=sentence)
    if after_s is None and not await house.holds.is_held(reason):
        # It was lifted meanwhile, and whoever did that has not seen this job.
        await house.ledger.update(job.job_id, next_try_at=now())


async def _reject(house: House, job: Job, failure: Failure) -> None:
    failure = await with_what_was_paid(house.ledger, job, failure)
    # First the verdict, then the move: if the rejects folder is away, only the move waits for it.
    await house.ledger.update(job.job_id, failure=failure)
    try:
        await reject(house, job, failure)
    except NemoWatchError as error:
        await _after(house, job, error)


async def _release(house: House, job: Job, error: MediaError) -> None:
    """Give the file back to the intake, as nothing was paid for it yet."""
    await house.ledger.release(job.job_id, error.message)
    # Its clip may have been renamed since the worker began.
    fresh = await house.ledger.job(job.job_id) or job
    for inbox, rel in {(job.inbox, job.clip.rel), (fresh.inbox, fresh.clip.rel)}:
        if inbox in house.inboxes:
            house.on_release(inbox, rel)
    log.info("job.released", job=job.job_id, file=job.clip.rel, why=error.message)


async def _wait(house: House, job: Job, after_s: float, reason: str, sentence: str) -> None:
    values = {"state": "waiting", "reason": reason, "sentence": sentence, "next_try_at": later(after_s)}
    if reason in ("render", "looking"):  # the backend has answered: whatever failed before is over
        values |= {"attempts": 0, "first_failed_at": None}
    await house.ledger.update(job.job_id, **values)
    event = log.warning if reason == "retry" else log.debug
    event("job.waiting", job=job.job_id, file=job.clip.rel, reason=reason, why=sentence, after_s=round(after_s, 1))
