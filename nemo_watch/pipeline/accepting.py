"""The first step: read the instruction, take the fingerprint, and find out whether this work is known.

Touches: the inbox (reading only) and the ledger.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from dataclasses import replace

from nemo_watch import folders, reports
from nemo_watch.errors import FolderError, MediaError, SidecarError
from nemo_watch.folders.names import split
from nemo_watch.ledger.chains import of_chain
from nemo_watch.ledger.finding import job_that_put, last_job_at
from nemo_watch.model import (
    ANY_INODE,
    OPEN_STATES,
    Drop,
    Failure,
    Instructions,
    Job,
    JobState,
    Part,
    Work,
    same_file,
)
from nemo_watch.pipeline import batching, giving, understanding
from nemo_watch.pipeline.house import House, InboxRules, log, now
from nemo_watch.pipeline.returning import remove_void_report


async def enter_drop(house: House, drop: Drop) -> list[Job]:
    """Make a job of a drop and enter it in the ledger, or wake the job that already stands for this work.

    A batch gives a job for each of its parts. Raises: MediaError with code "changed" or "gone" if the file is not what
    it was; LedgerError. Repeat: safe.
    """
    rules = house.inboxes[drop.inbox]
    await _remove_returned_report(house, drop)
    if drop.refusal is not None:
        return [await _enter_refused(house, drop, _bare_work(rules, drop), drop.refusal)]
    try:
        if drop.kind == "batch":
            return await _enter_parts(house, drop, await batching.understand_batch(rules, drop))
        if drop.kind == "refine":
            # One at a time: the second one goes on from the first one, and is numbered after it.
            place = f"refine\0{drop.inbox}\0{split(drop.clip.rel)[0]}"
            async with house.entering.setdefault(place, asyncio.Lock()):
                instructions, work = await understanding.understand(rules, drop, house.ledger)
                return [await _enter_understood(house, drop, instructions, work)]
        instructions, work = await understanding.understand(rules, drop, house.ledger)
    except (SidecarError, MediaError) as error:
        if error.code in ("changed", "gone"):
            raise
        return [await _enter_refused(house, drop, _bare_work(rules, drop), _refusal(error))]
    return [await _enter_understood(house, drop, instructions, work)]


def _refusal(error: SidecarError | MediaError) -> Failure:
    if isinstance(error, MediaError):
        return Failure(error.code, error.message, error.hint, step="fingerprint")
    return Failure(error.code, error.message, error.hint, line=error.line, column=error.column, step="sidecar")


async def _enter_understood(house: House, drop: Drop, instructions: Instructions, work: Work) -> Job:
    """Take the fingerprints of what a drop brings, and enter it under the identity that they make."""
    rules = house.inboxes[drop.inbox]
    work = replace(work, backend=house.backend_key)
    try:
        sha256 = await rules.inbox.call(folders.fingerprint, rules.places.inbox, drop.clip)
        extras = [
            await rules.inbox.call(folders.fingerprint, rules.places.inbox, ref)
            for ref in (*work.companions, *work.assets)
        ]
    except MediaError as error:
        if error.code in ("changed", "gone"):
            raise
        return await _enter_refused(house, drop, work, _refusal(error))
    work = replace(work, fingerprints=tuple(extras))
    if work.kind == "batch":
        work = batching.told_apart(work, sha256, await of_chain(house.ledger, work.chain))
    if work.kind == "ask":
        return await _enter_question(house, drop, work, sha256)
    content = giving.content_of(instructions, work, sha256)
    edit_id = make_edit_id(house.backend_key, [content, *sorted(extras)], work)
    # One at a time: of two drops of the same work that come together, one pays and the other one knows of it.
    async with house.entering.setdefault(edit_id, asyncio.Lock()):
        return await _enter(house, drop, work, edit_id, sha256, instructions)


async def _enter_parts(
    house: House, drop: Drop, parts: list[tuple[Part, Instructions, Work | SidecarError | MediaError]]
) -> list[Job]:
    """Enter a job for each part of a batch, in their order. Repeat: safe, what is entered already is found again."""
    rules = house.inboxes[drop.inbox]
    jobs: list[Job] = []
    released = False
    for part, instructions, work in parts:
        own = batching.drop_of(drop, part)
        await _remove_returned_report(house, own)
        if part.refusal is None and isinstance(work, Work):
            try:
                jobs.append(await _enter_understood(house, own, instructions, work))
            except MediaError:  # this one changed, or is gone: it comes again, the others need not wait for it
                house.on_release(drop.inbox, part.clip.rel)
                released = True
            continue
        if part.refusal is not None and await _was_delivered(house, drop, part, work):
            continue
        failure = part.refusal or _refusal(work)  # type: ignore[arg-type]  # one of the two is there
        refused = work if isinstance(work, Work) else _bare_work(rules, own)
        jobs.append(await _enter_refused(house, own, refused, failure))
    if not jobs and not released and not await house.ledger.others_need("", drop.inbox, drop.clip.rel):
        told = Failure(
            "duplicate",
            "Every clip that it names was delivered before, or told to be missing.",
            "Nothing, if that was meant. To have them edited anew, put the clips and their project.toml back together.",
            step="sidecar",
        )
        return [await _enter_refused(house, drop, _bare_work(rules, replace(drop, parts=())), told)]
    return jobs


async def _was_delivered(house: House, drop: Drop, part: Part, work: Work | SidecarError | MediaError) -> bool:
    """Tell whether a part that is missing was done before: its project was put back for the sake of the others."""
    known = await last_job_at(house.ledger, drop.inbox, part.clip.rel)
    is_missing = part.clip.stamp.size_bytes == 0 and part.clip.stamp.mtime_ns == 0
    if not is_missing or known is None or not isinstance(work, Work):
        return False
    if known.state == "delivered":
        return known.work.messages == work.messages
    # It was missing before by the same project, which is kept where it lies: that is told once.
    project = known.work.sidecar
    if project is None or known.failure is None or known.failure.code != "asset_missing":
        return False
    return same_file(project.stamp, replace(drop.clip.stamp, inode=ANY_INODE))


async def _enter_question(house: House, drop: Drop, work: Work, sha256: str) -> Job:
    """Enter a question: it is nobody's work again, so its identity is the file."""
    stamp = drop.clip.stamp
    identity = json.dumps(["ask", drop.inbox, drop.clip.rel, stamp.size_bytes, stamp.mtime_ns, sha256])
    edit_id = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    job = _job(drop, work, edit_id, f"{edit_id}-1", sha256)
    known = await house.ledger.enter(job)
    if known.state not in OPEN_STATES:
        await house.ledger.clear(job.job_id, "answer", "deliver")
        await house.ledger.reopen(job.job_id, job)
    return job


def make_edit_id(backend: str, contents: list[str], work: Work) -> str:
    """Compute what makes two drops the same paid work. Source: product.md 4.2."""
    identity = json.dumps([backend, contents, list(work.messages), work.language])
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _bare_work(rules: InboxRules, drop: Drop) -> Work:
    return Work(
        messages=(),
        exports=(),
        language=rules.language,
        skill=rules.skill,
        title=split(drop.clip.rel)[1],
        originals=rules.originals,
        source=drop.source,
        sidecar=drop.sidecar,
        companions=drop.companions or tuple(part.clip for part in drop.parts),
        kind=drop.kind,
    )


async def _remove_old_report(house: House, job: Job, drop: Drop) -> None:
    """Remove the error report of a job that goes on, where we wrote it and where it was put back with its file."""
    step = await house.ledger.step(job.job_id, "reject")
    if step is None or not step.data["report"]:
        return
    target, content = step.data["report_target"], step.data["report"].encode()
    rules = house.inboxes[drop.inbox]
    folder = os.path.dirname(os.path.join(rules.places.inbox, drop.clip.rel))
    beside = os.path.join(folder, os.path.basename(target))
    for place, path in ((rules.rejects, target), (rules.inbox, beside)):
        try:
            await place.call(folders.remove_own, path, content)
        except FolderError as error:
            log.info("report.left", path=path, why=error.message)


async def _remove_returned_report(house: House, drop: Drop) -> None:
    """Remove an error report that was put back with its file, of whatever job it was."""
    rules = house.inboxes[drop.inbox]
    folder, stem, suffix = split(drop.clip.rel)
    name = f"{stem}{suffix}{reports.ERROR_REPORT}"
    beside = os.path.join(rules.places.inbox, folder, name)
    try:
        if not await rules.inbox.call(os.path.lexists, beside):
            return
        at_rejects = os.path.join(rules.places.rejects, folder, name)
        of_place = await last_job_at(house.ledger, drop.inbox, drop.clip.rel)
        by_name = await job_that_put(house.ledger, at_rejects)
        for job in (of_place, by_name[0] if by_name is not None else None):
            step = await house.ledger.step(job.job_id, "reject") if job is not None else None
            if step is not None and step.data["report"]:
                await rules.inbox.call(folders.remove_own, beside, step.data["report"].encode())
    except FolderError as error:
        log.info("report.left", path=beside, why=error.message)


async def _enter_refused(house: House, drop: Drop, work: Work, failure: Failure) -> Job:
    """Enter a drop that can only be rejected: its identity is the file, as its content may not be readable."""
    stamp = drop.clip.stamp
    identity = json.dumps([drop.inbox, drop.clip.rel, stamp.size_bytes, stamp.mtime_ns, failure.code])
    edit_id = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    job = _job(drop, work, edit_id, f"{edit_id}-1", "", failure=failure)
    known = await house.ledger.enter(job)
    if known.state not in OPEN_STATES:
        await _remove_old_report(house, known, drop)
        if not await house.ledger.reopen(job.job_id, job):  # somebody had it go on in this very moment
            return await _enter_refused(house, drop, work, failure)
    return job


async def _enter(house: House, drop: Drop, work: Work, edit_id: str, sha256: str, instructions: Instructions) -> Job:
    """Enter a job, or find the one that this work already has. Source: product.md 4.2."""
    known = await house.ledger.jobs_of_edit(edit_id)
    runs = [job for job in known if not job.reuses]
    fresh = _job(drop, work, edit_id, f"{edit_id}-{len(runs) + 1}", sha256, instructions=instructions)
    if not runs:
        return await house.ledger.enter(fresh)
    own = await _same_drop(house, drop, [job for job in known if job.state in OPEN_STATES])
    if own is not None:
        await remove_void_report(house, own)
        followed = _followed(own.work, work)
        if await house.ledger.move_clip(own.job_id, drop.inbox, drop.clip, followed, is_dropped=True):
            return own
        # It came to its end in this very moment; now it is known how.
        return await _enter(house, drop, work, edit_id, sha256, instructions)
    # A run that was called off before anything was paid does not hide one that was.
    paying = next((run for run in reversed(runs) if run.state != "cancelled"), runs[-1])
    if paying.state in ("rejected", "cancelled"):
        await _remove_old_report(house, paying, drop)
        if not await house.ledger.reopen(paying.job_id, fresh):  # somebody had it go on in this very moment
            return await _enter(house, drop, work, edit_id, sha256, instructions)
        return replace(fresh, job_id=paying.job_id)
    match work.duplicates:
        case "process":
            return await house.ledger.enter(fresh)
        case "reject":
            failure = Failure(
                "duplicate",
                f"The same clip with the same instruction was already given as job {paying.job_id}.",
                'Change the instruction, or allow it with duplicates = "reuse" or "process".',
            )
            return await _enter_refused(house, drop, work, failure)
        case "reuse":
            log.info("job.reuses", job=paying.job_id, file=drop.clip.rel)
            job_id = f"{paying.job_id}.{len(known) - len(runs) + 1}"
            return await house.ledger.enter(replace(fresh, job_id=job_id, reuses=paying.job_id))


async def _same_drop(house: House, drop: Drop, under_way: list[Job]) -> Job | None:
    """Find the job under way whose clip this is: it was touched, or renamed and lies elsewhere now."""
    for job in under_way:
        if (job.inbox, job.clip.rel) == (drop.inbox, drop.clip.rel):
            return job
    for job in under_way:
        if await _has_left(house, job):
            return job
    return None


async def _has_left(house: House, job: Job) -> bool:
    """Tell whether a job's clip is not where it was any more; of an inbox that is away nothing can be told."""
    owner = house.inboxes.get(job.inbox)
    if owner is None:
        return True
    try:
        return not await owner.inbox.call(folders.is_unchanged, owner.places.inbox, job.clip)
    except FolderError as error:
        log.info("drop.elsewhere", job=job.job_id, file=job.clip.rel, why=error.message)
        return False


def _followed(known: Work, found: Work) -> Work:
    """Let a job under way take along the files that lie beside its renamed clip now, where they say the same."""
    if (known.instruction, known.exports, known.fingerprints) != (found.instruction, found.exports, found.fingerprints):
        return known
    return replace(known, source=found.source, sidecar=found.sidecar, companions=found.companions, assets=found.assets)


def _job(
    drop: Drop,
    work: Work,
    edit_id: str,
    job_id: str,
    sha256: str,
    *,
    instructions: Instructions | None = None,
    failure: Failure | None = None,
) -> Job:
    moment = now()
    not_before_at = instructions.not_before_at if instructions else None
    state: JobState = "waiting" if not_before_at is not None and not_before_at > moment else "ready"
    return Job(
        job_id=job_id,
        edit_id=edit_id,
        inbox=drop.inbox,
        clip=drop.clip,
        sha256=sha256,
        work=work,
        state=state,
        priority=instructions.priority if instructions else 0,
        created_at=moment,
        updated_at=moment,
        reason="not_before" if state == "waiting" else "",
        sentence=f"It waits for {not_before_at:%Y-%m-%d %H:%M %Z}, as its sidecar says." if state == "waiting" else "",
        next_try_at=not_before_at if state == "waiting" else None,
        failure=failure,
    )
