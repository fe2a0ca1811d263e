"""The last steps: the result appears in the outbox, the original goes to archive or rejects.

Touches: outbox, archive, rejects, inbox (moving what was read), spool, ledger. Every move has an intent of its own.
"""

from __future__ import annotations

import os
import shutil

import tomli_w

from nemo_watch import folders, reply, reports
from nemo_watch.folders import Plan
from nemo_watch.folders.names import split
from nemo_watch.guarded import GuardedFolder
from nemo_watch.ledger.rows import pack_stamp, unpack_stamp
from nemo_watch.model import Failure, FileRef, Job, Json, Session, Step
from nemo_watch.pipeline.editing import read_credits
from nemo_watch.pipeline.house import House, InboxRules, log, now

STAYS = "The inbox is mounted read-only: the original stays where it is."


async def deliver(house: House, job: Job, session: Session, draft: Json) -> None:
    """Publish every export and the report beside them.

    Final names, hashes and the report's text are committed first, so that a kill after a rename makes no second copy.
    Raises: FolderError (the result stays in the spool until the outbox can take it). Repeat: safe.
    """
    name = "deliver"
    step = await house.ledger.step(job.job_id, name)
    if step is not None and step.state == "done":
        return
    house.show(job, name)
    plan = step.data if step is not None else await _plan_delivery(house, job, session, draft)
    rules = house.rules(job)
    while True:
        await house.ledger.intend(job.job_id, name, house.token, plan)
        taken = False
        for one in plan["files"]:
            way = Plan(one["source"], one["target"], one["sha256"])
            published = await rules.outbox.call(folders.publish, rules.places.outbox, way, job.job_id)
            taken = taken or not published
        if not taken:
            content = plan["report"].encode()
            taken = not await rules.outbox.call(
                folders.write_new, rules.places.outbox, plan["report_target"], content, job.job_id
            )
        if not taken:
            break
        # Somebody else's file took a name since it was chosen: choose again for what is not there yet.
        plan = await _plan_delivery(house, job, session, draft, before=plan)
    await house.done(job, name, plan)
    log.info("job.delivered", job=job.job_id, file=job.clip.rel, result=plan["files"][0]["target"])


async def _plan_delivery(house: House, job: Job, session: Session, draft: Json, *, before: Json | None = None) -> Json:
    rules = house.rules(job)
    folder, stem, _suffix = split(job.clip.rel)
    files: list[Json] = []
    delivered: list[reports.Delivered] = []
    render_ids: list[str] = []
    for number, export in enumerate(job.work.exports, start=1):
        made = await house.recorded(job, f"download-{number}") or {}
        rendered = await house.recorded(job, f"render-{number}") or {}
        published = before["files"][number - 1] if before is not None else None
        is_there = published is not None and await rules.outbox.call(
            folders.is_content, published["target"], published["sha256"]
        )
        if published is not None and is_there:
            target = published["target"]
        else:
            target = await rules.outbox.call(
                folders.plan_name,
                rules.places.outbox,
                folder,
                export.name or stem,
                f".{export.format}",
                also_taken=[os.path.basename(one["target"]) for one in files],
            )
        files.append({"source": made["path"], "target": target, "sha256": made["sha256"]})
        render_ids.append(rendered["render_id"])
        delivered.append(
            reports.Delivered(os.path.basename(target), made["duration_s"], made["size_bytes"], made["sha256"])
        )
    first_stem = split(delivered[0].name)[1]
    report_target = await rules.outbox.call(
        folders.plan_name, rules.places.outbox, folder, first_stem, reports.RESULT_REPORT
    )
    steps = await house.ledger.steps(job.job_id)
    paid_steps = await house.ledger.steps(job.reuses) if job.reuses else steps
    edits = [step for step in paid_steps if step.name.startswith("edit-") and step.state == "done"]
    begun = next((step for step in steps if step.name == "session"), None)
    refused = [str(step.data["refused"]) for step in steps if "refused" in step.data]
    report = reports.result_report(
        job,
        backend=house.backend,
        session_id=session.session_id,
        render_ids=render_ids,
        skill=job.work.skill,
        reply="\n".join(str(step.data["text"]) for step in edits if step.data.get("text")),
        timeline=reply.timeline_summary(draft),
        delivered=delivered,
        credits_before=begun.data.get("credits_before") if begun is not None else None,
        credits_after=await read_credits(house, job),
        credits_alone=begun is not None and _spent_alone(house, job, begun),
        times={
            s.name: (s.ended_at - s.started_at).total_seconds()
            for s in steps
            if s.started_at and s.ended_at and s.name != "draft"
        },
        notes=[*job.work.notes, *refused, *([STAYS] if await _stays(job, rules) and _would_go(job) else [])],
        finished_at=now(),
    )
    return {"files": files, "report_target": report_target, "report": tomli_w.dumps(report)}


def _spent_alone(house: House, job: Job, begun: Step) -> bool:
    """Tell whether no other job's paid call lies between the two looks at the balance, as far as this process knows."""
    others = house.paid_calls - house.own_calls[job.job_id]
    return begun.token == house.token and others == begun.data.get("others_calls") and not house.paying


# ---------------------------------------------------------------- originals


async def archive(house: House, job: Job) -> None:
    """Put the original and its sidecar where `originals` says, and end the job. Raises: FolderError. Repeat: safe."""
    rules = house.rules(job)
    house.show(job, "archive")
    if await _stays(job, rules):
        if _would_go(job):
            log.info("file.kept", job=job.job_id, file=job.clip.rel, why=STAYS)
    elif job.work.originals == "delete":
        for ref in await _leaving(house, job):
            result = await rules.inbox.call(folders.delete_original, rules.places.inbox, ref, job.job_id)
            await _left(house, job, ref, result)
            if result == "changed" and ref.rel == job.clip.rel:
                break  # its instruction and subtitles stay with the new version
    else:
        await _move_away(house, job, "archive", rules.archive, None)
    await house.ledger.update(
        job.job_id, state="delivered", reason="", sentence="", step="", progress=100.0, next_try_at=None
    )
    # Everything is in its place: the spool copy has done its duty.
    await house.spool.call(shutil.rmtree, os.path.join(house.spool.root, job.job_id), ignore_errors=True)


async def _stays(job: Job, rules: InboxRules) -> bool:
    """Tell whether nothing leaves the inbox: as the job says, or as its file system is mounted read-only."""
    return not _would_go(job) or await rules.inbox.call(rules.inbox.is_read_only)


def _would_go(job: Job) -> bool:
    return job.work.originals != "keep"


async def reject(house: House, job: Job, failure: Failure) -> None:
    """Move the original to rejects with its error report beside it, and end the job.

    Raises: FolderError (the job is held until the folder can take it). Repeat: safe.
    """
    house.show(job, "reject")
    await _move_away(house, job, "reject", house.rules(job).rejects, failure)
    await house.ledger.update(
        job.job_id,
        state="rejected",
        failure=failure,
        reason=failure.code,
        sentence=failure.message,
        step=failure.step,
        next_try_at=None,
    )
    log.warning("job.rejected", job=job.job_id, file=job.clip.rel, code=failure.code, why=failure.message)


async def _move_away(house: House, job: Job, name: str, place: GuardedFolder, failure: Failure | None) -> None:
    """Carry out the plan of the last moves, made and committed first; a name taken meanwhile is chosen again."""
    rules = house.rules(job)
    step = await house.ledger.step(job.job_id, name)
    if step is not None and step.state == "done":
        return
    plan = step.data if step is not None else None
    while plan is None or not await _carry_out(house, job, rules, place, plan):
        # One job after the other: of two that share a sidecar the second one sees that the first has planned its end.
        async with house.leaving:
            plan = await _plan_leaving(house, job, place, failure)
            await house.ledger.intend(job.job_id, name, house.token, plan)
    await house.ledger.done(job.job_id, name, house.token, plan)


async def _plan_leaving(house: House, job: Job, place: GuardedFolder, failure: Failure | None) -> Json:
    rules = house.rules(job)
    plan: Json = {"moves": [], "report": "", "report_target": ""}
    if not await _stays(job, rules):
        leaving = {os.path.join(rules.places.inbox, ref.rel): ref for ref in await _leaving(house, job)}
        rels = [ref.rel for ref in leaving.values()]
        for move in await place.call(folders.plan_moves, rules.places, place.root, rels):
            ref = leaving[move.source]
            plan["moves"].append({"rel": ref.rel, "stamp": pack_stamp(ref.stamp), "target": move.target})
    if failure is not None:
        folder, stem, suffix = split(job.clip.rel)
        # The report is named after the clip as it lies in rejects: clip-2.mp4 has clip-2.mp4.error.toml.
        clip_name = os.path.basename(plan["moves"][0]["target"]) if plan["moves"] else stem + suffix
        table = reports.error_report(job, failure, backend=house.backend, when=now())
        plan["report"] = tomli_w.dumps(table)
        plan["report_target"] = await place.call(folders.plan_name, place.root, folder, clip_name, reports.ERROR_REPORT)
    return plan


async def _carry_out(house: House, job: Job, rules: InboxRules, place: GuardedFolder, plan: Json) -> bool:
    if plan["report"] and not await place.call(
        folders.write_new, place.root, plan["report_target"], plan["report"].encode(), job.job_id
    ):
        return False
    for move in plan["moves"]:
        ref = FileRef(move["rel"], unpack_stamp(move["stamp"]))
        result = await rules.inbox.call_with(
            place, folders.move_original, rules.places.inbox, ref, place.root, move["target"], job.job_id
        )
        if result == "taken":
            if plan["report"]:
                await place.call(folders.remove_own, plan["report_target"], plan["report"].encode())
            return False
        await _left(house, job, ref, result)
        if result == "changed" and ref.rel == job.clip.rel:
            break  # its instruction and subtitles stay with the new version
    return True


async def _leaving(house: House, job: Job) -> list[FileRef]:
    """Name the files that leave the inbox with this job: the clip, its subtitles, and its own sidecar with the last."""
    leaving = [job.clip]
    own = [*job.work.companions]
    if job.work.sidecar is not None and job.work.source == "sidecar":
        own.append(job.work.sidecar)
    for ref in own:
        needed = await house.ledger.others_need(job.job_id, job.inbox, ref.rel)
        if not needed and not house.still_wanted(job.inbox, ref.rel, job.clip.rel):
            leaving.append(ref)
    return leaving


async def _left(house: House, job: Job, ref: FileRef, result: folders.MoveResult) -> None:
    """Take note of what became of a file that was to leave the inbox."""
    if result == "kept":
        # Nothing can be taken out of a read-only inbox: the ledger alone remembers that this file is done.
        log.info("file.kept", job=job.job_id, file=ref.rel)
        return
    if result == "changed":
        # A new version was saved over it: it stays, and is a new drop.
        log.info("file.changed", job=job.job_id, file=ref.rel)
    await house.ledger.forget_file(job.inbox, ref.rel)
    house.on_release(job.inbox, ref.rel)
