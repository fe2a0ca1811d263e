"""Questions that come as a file: the answer is written into the outbox, nothing is paid or sent to the editor.

For people who reach the daemon through a synced folder only. Source: product.md 3, Ask.

Touches: the backend (the balance), the ledger, the outbox.
"""

from __future__ import annotations

from datetime import datetime

from nemo_watch import folders, routing
from nemo_watch.config import SESSION_CREDITS
from nemo_watch.folders.names import key, split
from nemo_watch.ledger import chains
from nemo_watch.model import OPEN_STATES, Job, Json
from nemo_watch.pipeline.ending import archive, mark_of
from nemo_watch.pipeline.giving import given_name, result_stem
from nemo_watch.pipeline.house import House, log, now
from nemo_watch.reports import printable_name

ANSWER = ".answer.txt"
MOST_LINES = 40
_HELP = (
    'I can tell of three things: "credits" (what the account has left), "status" (what is being done and what waits) '
    'and "show tracks" (the timeline of the clip that the file is named after). Put one or more of these words into '
    "the file and drop it again. In Chinese: 积分, 状态, 显示轨道."
)


async def answer(house: House, job: Job) -> None:
    """Answer a question and put its file into the archive. Raises: CloudError, FolderError. Repeat: safe."""
    name = "answer"
    known = await house.recorded(job, name)
    if known is None:
        house.show(job, name)
        asked = routing.asked(job.work.instruction)
        parts = [f"{now().astimezone():%Y-%m-%d %H:%M %Z}"]
        parts += [await _ANSWERS[kind](house, job) for kind in asked] or [_HELP]
        known = {"text": "\n\n".join(parts) + "\n", "asked": list(asked)}
        await house.done(job, name, known)
    await _publish(house, job, str(known["text"]))
    await archive(house, job)


async def _publish(house: House, job: Job, text: str) -> None:
    """Write the answer under a free name; the name is committed first, so that a kill makes no second answer."""
    step = await house.ledger.step(job.job_id, "deliver")
    if step is not None and step.state == "done":
        return
    plan: Json | None = step.data if step is not None and "report_target" in step.data else None
    rules = house.rules(job)
    content = text.encode("utf-8", "replace")
    while True:
        if plan is None:
            folder, stem = split(job.clip.rel)[0], given_name(job.clip.rel)
            (target,) = await rules.outbox.call(folders.plan_names, rules.places.outbox, folder, [(stem, ANSWER)])
            mark = folders.temp_mark(house.ledger.ledger_id)
            plan = {"files": [], "report_target": target, "report": "", "temp": mark}
            await house.ledger.intend(job.job_id, "deliver", house.token, plan)
        if await rules.outbox.call(
            folders.write_new, rules.places.outbox, plan["report_target"], content, mark_of(plan, job)
        ):
            break
        plan = None  # somebody else's file took the name
    await house.done(job, "deliver", plan)
    log.info("job.answered", job=job.job_id, file=job.clip.rel, result=plan["report_target"])


# ---------------------------------------------------------------- the answers


async def _credits(house: House, job: Job) -> str:
    balance = await house.client.balance(house.skill(job))
    frozen = f", {balance.frozen:g} of them reserved for what is under way" if balance.frozen else ""
    clips = int(balance.available // SESSION_CREDITS)
    said = f"Credits: {balance.available:g} available{frozen}. That is enough for about {clips} clips."
    return f"{said} Backend: {house.backend}."


async def _status(house: House, job: Job) -> str:
    lines = ["Status:"]
    counts = await house.ledger.counts()
    lines.append(
        f"{sum(counts.get(state, 0) for state in OPEN_STATES) - 1} under way or waiting, "
        f"{counts.get('delivered', 0)} delivered, {counts.get('rejected', 0)} rejected, all inboxes together."
    )
    lines += [f"Everything paid is held: {hold.sentence}" for hold in await house.ledger.holds()]
    # Others may share this folder: the names in another inbox are not theirs to see.
    under_way = await house.ledger.jobs(OPEN_STATES, inbox=job.inbox, limit=MOST_LINES + 2)
    rows = [other for other in under_way if other.job_id != job.job_id]
    for other in rows[:MOST_LINES]:
        says = other.sentence or ("it is being worked on" if other.active else "it waits for a worker")
        lines.append(f"- {printable_name(other.clip.rel)}: {says}")
    if len(rows) > MOST_LINES:
        lines.append("- and more")
    ended = await house.ledger.jobs(("rejected",), inbox=job.inbox, limit=5)
    if ended:
        lines.append("Rejected last:")
    for other in ended:
        why = other.failure.message if other.failure is not None else other.sentence
        lines.append(f"- {printable_name(other.clip.rel)} ({_when(other.updated_at)}): {why}")
    return "\n".join(lines)


async def _tracks(house: House, job: Job) -> str:
    name = given_name(job.clip.rel)
    wanted, found = key(name), []
    for other in await chains.jobs_in_folder(house.ledger, job.inbox, split(job.clip.rel)[0]):
        names = {key(result_stem(other)), key(folders.last_part(other.clip.rel)), key(split(other.clip.rel)[1])}
        if other.work.kind != "ask" and (wanted in names or key(result_stem(other).rpartition("-v")[0]) == wanted):
            found.append(other)
    for other in reversed(found):
        draft = await house.recorded(other, "draft")
        if draft is not None and draft.get("timeline"):
            return f"{printable_name(result_stem(other))}: {draft['timeline']}"
    if found:
        return f'"{printable_name(name)}" has no timeline yet: {found[-1].sentence or "it is under way"}'
    return (
        f'There is no clip named "{printable_name(name)}" in this folder. Name the file after a clip to see its '
        "tracks: talk.ask.txt for talk.mp4."
    )


def _when(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


_ANSWERS = {"credits": _credits, "status": _status, "tracks": _tracks}
