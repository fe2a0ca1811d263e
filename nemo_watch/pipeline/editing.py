"""Edit messages: the paid part, each message behind its fence, and the draft that they leave.

Touches: the backend, the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from nemo_watch import policy, reply
from nemo_watch.errors import CloudError, ConfigError, FolderError, RefusedError
from nemo_watch.model import Job, Json, Session, SessionState, Step, Turn
from nemo_watch.pipeline import sharing
from nemo_watch.pipeline.budget import credits_of
from nemo_watch.pipeline.giving import refinement_name
from nemo_watch.pipeline.house import House, RejectedError, StepAsideError, later, log, now, paid_so_far
from nemo_watch.pipeline.opening import see_that_nothing_changed

MOST_LOOKS = 20
"""Of a session that is another one at every look, so many digests are kept."""


async def edit(house: House, job: Job, session: Session, number: int, message: str) -> None:
    """Send one message, at most once, and record what it did.

    The intent with the state before is durable before the first byte goes out. A complete refusal takes it back;
    anything else that is not a clean end is decided by looking at the state, never by sending again.
    Raises: CloudError, RejectedError, StepAsideError. Repeat: safe. Source: product.md 4.3, contract.md 6.6, 6.7.
    """
    name = f"edit-{number}"
    step = await house.ledger.step(job.job_id, name)
    if step is not None and step.state == "done":
        await house.holds.budget.settle(job.job_id)
        return
    try:
        if step is not None:
            await _see_that_it_is_its_own(house, job, step)
        if step is None:
            step = await _send(house, job, session, name, message)
        elif await _is_answered(house, job, session, step):
            step = None
        if step is not None:
            await _look(house, job, session, step)
    except StepAsideError:
        # What was reserved for a message that is not answered yet may still be charged.
        if await house.recorded(job, name) is not None:
            await house.holds.budget.settle(job.job_id)
        raise
    except Exception:
        await house.holds.budget.settle(job.job_id)
        raise
    await house.holds.budget.settle(job.job_id)


async def _see_that_it_is_its_own(house: House, job: Job, step: Step) -> None:
    """Of a message in doubt the state tells nothing once another job has spoken there. Raises: RejectedError."""
    if await sharing.has_been_used_since(house, job, step):
        raise RejectedError(policy.session_went_on(step.name, job.job_id, paid="unknown"))


async def _send(house: House, job: Job, session: Session, name: str, message: str) -> Step | None:
    """Send a message that was never sent; None if it is settled what came of it, else the fence that stands."""
    begun = await paid_so_far(house.ledger, job) != "no"
    await house.holds.refuse(job.job_id, begun=begun)
    if not begun:
        # With the new token of another account the session is gone, and as nothing was paid there is a new one.
        await house.holds.ensure_token()
    if name == "edit-1":
        await see_that_nothing_changed(house, job)
    before = await house.client.state(session.session_id, house.skill(job))
    if not begun:
        await house.holds.reserve(job)
    if house.stopping:
        raise StepAsideError(0.0, "stopping", "The daemon is stopping; the job goes on at the next start.")
    # The call counts as in flight until its answer is recorded: stopping waits for that.
    house.paying.add(job.job_id)
    try:
        turn = await _say(house, job, session, name, message, before)
        if turn is not None and await _settled(house, job, session, name, before, turn):
            return None
    finally:
        house.paying.discard(job.job_id)
    step = await house.ledger.step(job.job_id, name)
    if step is None:
        raise RuntimeError(f"the fence of {name} of {job.job_id} is gone")
    return step


async def _say(house: House, job: Job, session: Session, name: str, message: str, before: SessionState) -> Turn | None:
    """Raise the fence and send; None if nobody can say whether the message was accepted.

    A whole answer is durable before the state is read, as it may be the only sign of what the message did.
    """
    house.show(job, name, detail=message)
    house.paid_calls += 1
    house.own_calls[job.job_id] += 1
    fence: Json = {"before": _state_to_json(before), "looks": [], "message": message}
    try:
        await house.ledger.intend(job.job_id, name, house.token, fence)
        async with _told_while_it_lasts(house, job, name):
            turn = await house.client.say(
                session.session_id,
                message,
                house.skill(job),
                lambda text: house.show(job, name, detail=text or message),
            )
    except CloudError as error:
        if error.refused:
            await house.ledger.clear(job.job_id, name)
            raise
        log.warning("edit.doubt", job=job.job_id, step=name, why=error.message)
        return None
    except (ConfigError, FolderError):
        # The token could not be read or kept: nothing went out, or only what was refused for its token.
        await house.ledger.clear(job.job_id, name)
        raise
    if not turn.ended:
        log.warning("edit.doubt", job=job.job_id, step=name, why="The stream broke off.")
        told = reply.plain_words(turn.text) or turn.error_message
        await house.ledger.intend(job.job_id, name, house.token, {**fence, "told": told})
        return None
    answer = {
        "text": turn.text,
        "error_code": turn.error_code,
        "error_message": turn.error_message,
        "tools": list(turn.tools),
    }
    await house.ledger.intend(job.job_id, name, house.token, {**fence, "answer": answer})
    return turn


@contextlib.asynccontextmanager
async def _told_while_it_lasts(house: House, job: Job, name: str) -> AsyncIterator[None]:
    """Log every two minutes that a turn is still under way. Source: contract.md 6.7."""

    async def tell() -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            await asyncio.sleep(house.patience.working_s)
            log.info(
                "edit.working", job=job.job_id, file=job.clip.rel, step=name, for_s=round(loop.time() - began_s, 1)
            )

    teller = asyncio.create_task(tell())
    try:
        yield
    finally:
        teller.cancel()


async def _is_answered(house: House, job: Job, session: Session, step: Step) -> bool:
    """See once more what an answer that was heard to its end has changed, if its reading was interrupted."""
    if "answer" not in step.data or "look_at" in step.data:
        return False
    turn = Turn(**{**step.data["answer"], "tools": tuple(step.data["answer"].get("tools", ()))})
    return await _settled(house, job, session, step.name, _state_from_json(step.data["before"]), turn)


async def _settled(house: House, job: Job, session: Session, name: str, before: SessionState, turn: Turn) -> bool:
    """After a stream that ended: see what it changed. False if it must be treated as a doubt."""
    digest = reply.state_digest(before)
    after = before
    for pause_s in house.patience.settle_reads_s:  # words are no sign that nothing changed: the state may come later
        await asyncio.sleep(pause_s)
        after = await house.client.state(session.session_id, house.skill(job))
        if reply.state_digest(after) != digest:
            break
    if turn.error_code == reply.NO_CREDITS_SAID:
        turn = replace(turn, error_code="2001" if await _has_no_credits(house, job) else "", error_message="")
    changed = reply.state_digest(after) != digest
    if changed or (turn.text and not turn.error_code and not turn.error_message):
        await _record(house, job, name, before, after, turn)
        return True
    if turn.error_code == "2001":
        # The turn itself said that there are no credits, and nothing changed: that is a refusal, not a doubt.
        await house.ledger.clear(job.job_id, name)
        raise RefusedError(
            "The account has no credits left.",
            code="2001",
            hint="Top up the account; it goes on by itself then.",
            refused=True,
            link=house.client.link,
        )
    log.warning("edit.doubt", job=job.job_id, step=name, why=turn.error_message or "No text and no change.")
    return False


async def _has_no_credits(house: House, job: Job) -> bool:
    """See whether words about exhausted credits are true. Raises: CloudError, ConfigError, FolderError."""
    return (await house.client.balance(house.skill(job))).available < credits_of(job.work)


async def _record(house: House, job: Job, name: str, before: SessionState, after: SessionState, turn: Turn) -> None:
    changed = reply.state_digest(after) != reply.state_digest(before)
    summary = reply.what_changed(before, after) if changed else ""
    told = reply.plain_words(turn.text)
    if told and (both := reply.both_stages(before, after, turn.tools)):
        told = f"{told}\n{both}"
    data: Json = {"changed": changed, "text": told or summary, "summary": summary}
    data["before"] = reply.state_digest(before)
    data["draft_before"] = reply.draft_digest(before)
    log.info("edit.done", job=job.job_id, step=name, changed=changed)
    await house.done(job, name, data)


async def _look(house: House, job: Job, session: Session, step: Step) -> None:
    """Decide a doubt by the state alone: changed and two looks agree, or five looks and nothing. Repeat: safe."""
    waits = house.patience.looks_s
    looks: list[str] = list(step.data.get("looks", []))
    due_at = step.data.get("look_at")
    if due_at is None:
        await _plan_look(house, job, step, looks, waits[0])
    wait_s = (datetime.fromisoformat(str(due_at)) - now()).total_seconds()
    if wait_s > 0:
        raise _look_later(wait_s)
    house.show(job, f"{step.name}: looking")
    before = _state_from_json(step.data["before"])
    state = await house.client.state(session.session_id, house.skill(job))
    digest = reply.state_digest(state)
    looks.append(digest)
    if digest != reply.state_digest(before) and len(looks) > 1 and looks[-2] == digest:
        await _record(house, job, step.name, before, state, Turn(""))
        return
    since_at = step.data.get("look_from") or now().isoformat()
    step = replace(step, data={**step.data, "look_from": since_at})
    has_waited_s = (now() - datetime.fromisoformat(since_at)).total_seconds()
    never_rests = has_waited_s >= house.patience.give_up_after_s
    if (len(looks) >= len(waits) and digest == reply.state_digest(before)) or never_rests:
        # Put back into the inbox later, the job looks again from the first look on.
        kept = {**step.data, "looks": [], "look_at": None, "look_from": None}
        await house.ledger.intend(job.job_id, step.name, step.token, kept)
        raise RejectedError(policy.edit_no_effect(step.name, job.job_id, _told(step), never_rests=never_rests))
    await _plan_look(house, job, step, looks, waits[min(len(looks), len(waits) - 1)])


def _told(step: Step) -> str:
    """Give the last words of the turn whose effect was not found."""
    answer = step.data.get("answer") or {}
    told = step.data.get("told") or answer.get("error_message") or answer.get("text") or ""
    return reply.without_secrets(str(told))


async def _plan_look(house: House, job: Job, step: Step, looks: list[str], wait_s: float) -> None:
    data = {**step.data, "looks": looks[-MOST_LOOKS:], "look_at": later(wait_s).isoformat()}
    await house.ledger.intend(job.job_id, step.name, step.token, data)
    raise _look_later(wait_s)


def _look_later(wait_s: float) -> StepAsideError:
    return StepAsideError(
        wait_s,
        "looking",
        "The answer to the edit message was lost; the session is looked at again, the message is not sent twice.",
    )


def _state_to_json(state: SessionState) -> Json:
    return {
        "draft": state.draft,
        "video_infos": list(state.video_infos),
        "generated_media": state.generated_media,
        "canvas_config": state.canvas_config,
    }


def _state_from_json(data: Json) -> SessionState:
    return SessionState(data["draft"], tuple(data["video_infos"]), data["generated_media"], data["canvas_config"])


# ---------------------------------------------------------------- the draft


def _came_late(first: Step, state: SessionState, digest: str) -> bool:
    """Tell whether the draft is another one than before the first message, though no turn seemed to change it.

    Where several jobs share a session, what was uploaded since may be another one's.
    """
    if "draft_before" in first.data:
        return bool(first.data["draft_before"] != reply.draft_digest(state))
    return bool(first.data.get("before", digest) != digest)


async def remember_draft(house: House, job: Job, session: Session) -> Json:
    """Read the draft that the edits left and keep it: it is what is rendered, now and for any later export.

    Raises: RejectedError with `no_edit_made` if the turns changed nothing that can be exported. Repeat: safe.
    """
    known = await house.recorded(job, "draft") or await sharing.draft_to_export(house, job)
    if known is not None:
        draft: Json = known["draft"]
        return draft
    state = await house.client.state(session.session_id, house.skill(job))
    steps = [s for s in await house.ledger.steps(job.job_id) if s.name.startswith("edit-") and s.state == "done"]
    has_changed = any(s.data.get("changed") for s in steps)
    digest = reply.state_digest(state)
    is_used = bool(steps) and await sharing.has_been_used_since(house, job, steps[-1])
    if has_changed and is_used:
        raise RejectedError(policy.session_went_on(steps[-1].name, job.job_id, paid="yes"))
    if not has_changed and steps and not is_used and _came_late(steps[0], state, digest):
        # The effect of a turn that seemed to have none came later than the last look.
        await house.ledger.done(job.job_id, steps[-1].name, house.token, {**steps[-1].data, "changed": True})
        has_changed = True
    if not reply.exportable(state.draft) or not has_changed:
        words = " ".join(str(s.data["text"]) for s in steps if s.data.get("text"))
        raise RejectedError(policy.no_edit_made(steps[-1].name if steps else "edit", words, refinement_name(job)))
    await house.done(job, "draft", {"draft": state.draft, "timeline": reply.timeline_summary(state.draft)})
    return state.draft
