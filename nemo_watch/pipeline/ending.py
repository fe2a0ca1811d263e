"""The last steps: the result appears in the outbox, the original goes to archive or rejects.

Touches: outbox, archive, rejects, inbox (moving what was read), spool, ledger. Every move has an intent of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace

import tomli_w

from nemo_watch import folders, reply, reports
from nemo_watch.errors import FolderError, MediaError
from nemo_watch.folders import Plan
from nemo_watch.folders.names import folder_key, key, split
from nemo_watch.folders.targets import is_below
from nemo_watch.guarded import GuardedFolder
from nemo_watch.ledger.finding import planned_targets
from nemo_watch.ledger.rows import pack_stamp, unpack_stamp
from nemo_watch.ledger.turning import RETRY
from nemo_watch.model import Failure, FileRef, Job, Json, Session, Step
from nemo_watch.pipeline.giving import result_stem
from nemo_watch.pipeline.house import House, InboxRules, StepAsideError, log, now
from nemo_watch.pipeline.opening import read_credits
from nemo_watch.pipeline.returning import left_elsewhere

FETCH_AGAIN_S = 5.0
STAYS = "The inbox is mounted read-only: the original stays where it is."


async def deliver(house: House, job: Job, session: Session, draft: Json) -> None:
    """Publish every export and the report beside them.

    Final names, hashes and the report's text are committed first, so that a kill after a rename makes no second copy.
    Raises: FolderError (the result stays in the spool until the outbox can take it), StepAsideError (it is to be
    fetched again, as the spool has lost it). Repeat: safe.
    """
    name = "deliver"
    step = await house.ledger.step(job.job_id, name)
    if step is not None and step.state == "done":
        return
    house.show(job, name)
    plan = step.data if step is not None else None
    if plan is None or plan.get("again") or not await _is_as_downloaded(house, job, plan):
        plan = await _plan_delivery(house, job, session, draft, plan)
    rules = house.rules(job)
    while True:
        mark = mark_of(plan, job)
        taken = False
        for number, one in enumerate(plan["files"], start=1):
            way = Plan(one["source"], one["target"], one["sha256"])
            try:
                published = await rules.outbox.call_with(house.spool, folders.publish, rules.places.outbox, way, mark)
            except MediaError as error:
                await house.ledger.clear(job.job_id, f"download-{number}")
                log.warning("spool.damaged", job=job.job_id, why=error.message)
                raise StepAsideError(FETCH_AGAIN_S, "retry", f"{error.message} It is fetched again.") from error
            taken = taken or not published
        if not taken:
            content = plan["report"].encode()
            taken = not await rules.outbox.call(
                folders.write_new, rules.places.outbox, plan["report_target"], content, mark
            )
        if not taken:
            break
        # Somebody else's file took a name since it was chosen: choose again for what is not there yet.
        plan = await _plan_delivery(house, job, session, draft, plan)
    await house.done(job, name, plan)
    log.info("job.delivered", job=job.job_id, file=job.clip.rel, result=plan["files"][0]["target"])


async def _is_as_downloaded(house: House, job: Job, plan: Json) -> bool:
    """Tell whether a plan is about what lies in the spool: what was fetched again may have other bytes."""
    for number, one in enumerate(plan["files"], start=1):
        made = await house.recorded(job, f"download-{number}")
        if not one.get("is_there") and (made is None or made["sha256"] != one["sha256"]):
            return False
    return True


async def _plan_delivery(house: House, job: Job, session: Session, draft: Json, before: Json | None) -> Json:
    """Choose names and write the report, and commit both."""
    credits_after = await read_credits(house, job)
    # One after the other: two results of the same name and content would be taken for one.
    async with house.leaving[house.rules(job).places.outbox]:
        plan = await _choose_delivery(house, job, session, draft, before, credits_after)
        await house.ledger.intend(job.job_id, "deliver", house.token, plan)
    return plan


async def _choose_delivery(
    house: House, job: Job, session: Session, draft: Json, before: Json | None, credits_after: float | None
) -> Json:
    """Choose names and write the report. The inbox is not touched: a result is delivered though it is away."""
    rules = house.rules(job)
    if before is not None:  # it speaks of an earlier plan, and its name is free for the next one
        await rules.outbox.call(folders.remove_own, before["report_target"], before["report"].encode())
    files: list[Json] = []
    delivered: list[reports.Delivered] = []
    render_ids: list[str] = []
    targets, report_target, there = await _result_names(house, job, before)
    for number, target in enumerate(targets, start=1):
        made = await house.recorded(job, f"download-{number}") or {}
        rendered = await house.recorded(job, f"render-{number}") or {}
        if number - 1 in there:  # published already, whatever was fetched since
            made = {**made, **there[number - 1]}
        figures = {key: made[key] for key in ("sha256", "size_bytes", "duration_s")}
        files.append({"source": made["path"], "target": target, "is_there": number - 1 in there, **figures})
        render_ids.append(rendered["render_id"])
        delivered.append(
            reports.Delivered(os.path.basename(target), made["duration_s"], made["size_bytes"], made["sha256"])
        )
    notes = [STAYS] if _would_go(job) and folders.is_mounted_read_only(rules.places.inbox) else []
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
        credits_after=credits_after,
        credits_alone=begun is not None and _spent_alone(house, job, begun),
        times={
            s.name: (s.ended_at - s.started_at).total_seconds()
            for s in steps
            if s.started_at and s.ended_at and s.name not in ("draft", RETRY)
        },
        notes=[*job.work.notes, *refused, *notes],
        finished_at=now(),
    )
    return {
        "files": files,
        "report_target": report_target,
        "report": tomli_w.dumps(report),
        "temp": mark_of(before, job) if before is not None else folders.temp_mark(house.ledger.ledger_id),
    }


async def _result_names(house: House, job: Job, before: Json | None) -> tuple[list[str], str, dict[int, Json]]:
    """Choose the paths of the results and of their report together: `talk-2.mp4` has `talk-2.report.toml`.

    What was published under the names chosen `before` keeps them, and is given as it was planned by its number (from
    0); only what is not there yet gets others.
    """
    outbox, root = house.rules(job).outbox, house.rules(job).places.outbox
    folder, stem = split(job.clip.rel)[0], result_stem(job)
    parts = [(export.name or stem, f".{export.format}") for export in job.work.exports]
    there: dict[int, Json] = {}
    for number, one in enumerate(before["files"] if before is not None else ()):
        if before is not None and before.get("again") and not _fits(one["target"], root, folder, parts, number):
            continue  # put back elsewhere or under another name: all of it goes there
        if await outbox.call(folders.is_content, one["target"], one["sha256"]):
            there[number] = one
    planned = await planned_targets(house.ledger, but=job.job_id)

    async def choose(wanted: list[tuple[str, str]]) -> list[str]:
        return await outbox.call(folders.plan_names, root, folder, wanted, planned=planned) if wanted else []

    wanted = [part for number, part in enumerate(parts) if number not in there]
    if 0 in there:
        # The first result has its name: the report is named after that, whatever the others are called.
        (report_target,) = await choose([(split(os.path.basename(there[0]["target"]))[1], reports.RESULT_REPORT)])
        chosen = await choose(wanted)
    else:
        *chosen, report_target = await choose([*wanted, (parts[0][0], reports.RESULT_REPORT)])
    fresh = iter(chosen)
    names = [there[number]["target"] if number in there else next(fresh) for number in range(len(parts))]
    return names, report_target, there


def _fits(target: str, root: str, folder: str, parts: list[tuple[str, str]], number: int) -> bool:
    """Tell whether a published file lies where it would go now, but for a number behind its name."""
    if number >= len(parts) or not is_below(root, target):
        return False
    stem = split(os.path.basename(target))[1]
    at = os.path.relpath(os.path.dirname(target), root)
    name = parts[number][0]
    return folder_key("" if at == "." else at) == folder_key(folder) and (
        key(stem) == key(name) or (key(stem).startswith(f"{key(name)}-") and stem.rpartition("-")[2].isdigit())
    )


def mark_of(plan: Json, job: Job) -> str:
    """Give the mark of a plan's temporary files; plans of earlier versions had none but the job's id."""
    return str(plan.get("temp", job.job_id))


def _spent_alone(house: House, job: Job, begun: Step) -> bool:
    """Tell whether no other job's paid call lies between the two looks at the balance, as far as this process knows."""
    others = house.paid_calls - house.own_calls[job.job_id]
    return begun.token == house.token and others == begun.data.get("others_calls") and not house.paying


# ---------------------------------------------------------------- originals


async def archive(house: House, job: Job) -> None:
    """Put the original and its sidecar where `originals` says, and end the job. Raises: FolderError. Repeat: safe."""
    job = await _as_it_lies(house, job)
    rules = house.rules(job)
    house.show(job, "archive")
    if await _stays(job, rules):
        if _would_go(job):
            log.info("file.kept", job=job.job_id, file=job.clip.rel, why=STAYS)
    else:
        place = None if job.work.originals == "delete" else rules.archive
        job = await _move_away(house, job, "archive", place, None)
    await house.ledger.update(
        job.job_id, state="delivered", reason="", sentence="", step="", progress=100.0, next_try_at=None
    )
    await _see_what_came(house, job)
    # Everything is in its place: the spool copy has done its duty.
    try:
        await house.spool.call(shutil.rmtree, os.path.join(house.spool.root, job.job_id), ignore_errors=True)
    except FolderError as error:
        log.info("spool.left", job=job.job_id, why=error.message)


async def _as_it_lies(house: House, job: Job) -> Job:
    """Read a job again before its files leave: its clip may have been renamed or touched since the worker began."""
    fresh = await house.ledger.job(job.job_id)
    if fresh is None or fresh.inbox not in house.inboxes:
        return job
    return replace(job, inbox=fresh.inbox, clip=fresh.clip, work=fresh.work)


async def _see_what_came(house: House, job: Job) -> None:
    """After the end of a job: the same clip, dropped again while its files were leaving, was taken for the job's own.

    It lies in the inbox still, and nobody would ever look at it: it is a drop of its own now. Repeat: safe.
    """
    fresh = await house.ledger.job(job.job_id)
    if fresh is not None and (fresh.inbox, fresh.clip) != (job.inbox, job.clip):
        log.info("file.again", job=job.job_id, file=fresh.clip.rel)
        await house.ledger.forget_file(fresh.inbox, fresh.clip.rel)
        if fresh.inbox in house.inboxes:
            house.on_release(fresh.inbox, fresh.clip.rel)


async def _stays(job: Job, rules: InboxRules) -> bool:
    """Tell whether nothing leaves the inbox: as the job says, or as its file system is mounted read-only."""
    return not _would_go(job) or await rules.inbox.call(rules.inbox.is_read_only)


def _would_go(job: Job) -> bool:
    return job.work.originals != "keep"


async def reject(house: House, job: Job, failure: Failure) -> None:
    """Move the original to rejects with its error report beside it, and end the job.

    Raises: FolderError (the job is held until the folder can take it). Repeat: safe.
    """
    job = await _as_it_lies(house, job)
    house.show(job, "reject")
    job = await _move_away(house, job, "reject", house.rules(job).rejects, failure)
    await house.ledger.update(
        job.job_id,
        state="rejected",
        failure=failure,
        reason=failure.code,
        sentence=failure.message,
        step=failure.step,
        next_try_at=None,
    )
    await _see_what_came(house, job)
    log.warning("job.rejected", job=job.job_id, file=job.clip.rel, code=failure.code, why=failure.message)


async def _move_away(house: House, job: Job, name: str, place: GuardedFolder | None, failure: Failure | None) -> Job:
    """Carry out the plan of the last moves, made and committed first; a name taken meanwhile is chosen again.

    Without a place to move them to the files are deleted. Gives the job with the clip that the plan was made for.
    """
    rules = house.rules(job)
    step = await house.ledger.step(job.job_id, name)
    if step is not None and step.state == "done":
        return _as_planned(job, step.data)
    plan = step.data if step is not None else None
    is_first_try = False
    while plan is None or not await _carry_out(house, job, rules, place, plan, is_first_try=is_first_try):
        async with contextlib.AsyncExitStack() as turns:
            # One job after the other: of two that share a sidecar the second one sees that the first has planned its
            # end, and of two inboxes with one archive the second one sees which names are chosen. Always in this order.
            await turns.enter_async_context(house.leaving[job.inbox])
            if place is not None:
                await turns.enter_async_context(house.leaving[place.root])
            plan = await _plan_leaving(house, job, place, failure, plan)
            await house.ledger.intend(job.job_id, name, house.token, plan)
        is_first_try = True
    await house.ledger.done(job.job_id, name, house.token, plan)
    return _as_planned(job, plan)


def _as_planned(job: Job, plan: Json) -> Job:
    if not plan["moves"] or "place" in plan:
        return job
    first = plan["moves"][0]
    return replace(job, clip=FileRef(first["rel"], unpack_stamp(first["stamp"])))


async def _plan_leaving(
    house: House, job: Job, place: GuardedFolder | None, failure: Failure | None, before: Json | None
) -> Json:
    """Choose where everything goes; what was moved by the plan `before` keeps its target."""
    rules = house.rules(job)
    planned = await planned_targets(house.ledger, but=job.job_id)
    kept = await _moved_already(rules, place, before)
    mark = folders.temp_mark(house.ledger.ledger_id)
    plan: Json = {"moves": [], "report": "", "report_target": "", "temp": mark}
    elsewhere = await left_elsewhere(house.ledger, job)
    if elsewhere is not None:
        # A retry that needed no file left them where they were: a reject stays there, everything else leaves rejects.
        if elsewhere.place == "rejects" and failure is None:
            plan["place"] = elsewhere.place
            root = rules.rejects.root
            files = {os.path.relpath(path, root): (path, stamp, own) for path, stamp, own in elsewhere.files}
            there = replace(rules.places, inbox=root)
            targets = await _targets(there, place, list(files), planned, kept)
            for rel, (path, stamp, own) in files.items():
                move = {"rel": rel, "stamp": pack_stamp(stamp), "target": targets.get(path, ""), "clip": own}
                plan["moves"].append(move)
    elif not await _stays(job, rules):
        leaving = {os.path.join(rules.places.inbox, ref.rel): ref for ref in await _leaving(house, job)}
        targets = await _targets(rules.places, place, [ref.rel for ref in leaving.values()], planned, kept)
        for source, ref in leaving.items():
            plan["moves"].append({"rel": ref.rel, "stamp": pack_stamp(ref.stamp), "target": targets.get(source, "")})
    if failure is not None and place is not None:
        folder, stem, suffix = split(job.clip.rel)
        # The report is named after the clip as it lies in rejects: clip-2.mp4 has clip-2.mp4.error.toml.
        clip_name = os.path.basename(plan["moves"][0]["target"]) if plan["moves"] else stem + suffix
        if elsewhere is not None and elsewhere.clip_path:
            clip_name = os.path.basename(elsewhere.clip_path)
        table = reports.error_report(job, failure, backend=house.backend, when=now())
        plan["report"] = tomli_w.dumps(table)
        plan["report_target"] = await place.call(
            folders.plan_name, place.root, folder, clip_name, reports.ERROR_REPORT, planned=planned
        )
    return plan


def _source_of(rules: InboxRules, plan: Json) -> GuardedFolder:
    return rules.rejects if plan.get("place") == "rejects" else rules.inbox


async def _targets(
    places: folders.Places, place: GuardedFolder | None, rels: list[str], planned: list[str], kept: dict[str, str]
) -> dict[str, str]:
    """Choose the target of each file by its absolute path; there are none if the files are deleted."""
    if place is None:
        return {}
    moves = await place.call(folders.plan_moves, places, place.root, rels, planned=planned, kept=kept)
    return {move.source: move.target for move in moves}


async def _moved_already(rules: InboxRules, place: GuardedFolder | None, before: Json | None) -> dict[str, str]:
    """Find what an earlier plan has moved, by what it was called before."""
    kept: dict[str, str] = {}
    if place is None or before is None:
        return kept
    source = _source_of(rules, before)
    for move in before["moves"]:
        ref = FileRef(move["rel"], unpack_stamp(move["stamp"]))
        if move["target"] and await source.call_with(place, folders.has_moved, source.root, ref, move["target"]):
            kept[ref.rel] = move["target"]
    return kept


async def _carry_out(
    house: House, job: Job, rules: InboxRules, place: GuardedFolder | None, plan: Json, *, is_first_try: bool
) -> bool:
    source = _source_of(rules, plan)
    root, mark = source.root, mark_of(plan, job)
    if (
        place is not None
        and plan["report"]
        and not await place.call(folders.write_new, place.root, plan["report_target"], plan["report"].encode(), mark)
    ):
        return False
    for move in plan["moves"]:
        ref = FileRef(move["rel"], unpack_stamp(move["stamp"]))
        if place is None:
            result = await source.call(folders.delete_original, root, ref, mark)
        else:
            result = await source.call_with(
                place, folders.move_original, root, ref, place.root, move["target"], mark, is_first_try=is_first_try
            )
        if result == "taken":
            if place is not None and plan["report"]:
                await place.call(folders.remove_own, plan["report_target"], plan["report"].encode())
            return False
        if source is rules.inbox:
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
    (house.on_release if result == "changed" else house.on_leave)(job.inbox, ref.rel)
