"""What a person's word does to a job: retry, cancel, pause, resume. Told once, for a running daemon and a stopped one.

Touches: the ledger; inbox, rejects and archive (looking for an original). Each lever is one transaction: whatever is to
be done with files or at the backend is done by the job's next worker, so that a kill in between leaves nothing half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from nemo_watch.errors import CloudError, OperatorError
from nemo_watch.ledger import Ledger, turning
from nemo_watch.ledger.turning import RETRY
from nemo_watch.model import OPEN_STATES, Failure, Job, Step
from nemo_watch.pipeline.budget import credits_of
from nemo_watch.pipeline.first_run import FIRST_RUN, resume_command
from nemo_watch.pipeline.following import is_of_another
from nemo_watch.pipeline.holds import PAUSED
from nemo_watch.pipeline.house import House, InboxRules, log, now, paid_so_far
from nemo_watch.pipeline.returning import find_original
from nemo_watch.policy import Paid

CANCELLED = "cancelled"
STARTS = ("session", "upload", "edit", "render", "download", "deliver")
"""From which steps a job can be told to go on."""
ORDER = ("session", "upload", "edit", "draft", "render", "download", "deliver", "archive", "reject")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a lever is pulled with; `inboxes` are those of the config, `backend` the one it names.

    `is_running` tells whether a daemon will do at once what is left to its workers.
    """

    ledger: Ledger
    inboxes: Mapping[str, InboxRules]
    backend: str
    is_running: bool

    @property
    def when(self) -> str:
        """Say when a job goes on."""
        return "now" if self.is_running else "when the daemon runs"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a lever did. `changed` is False if everything was so already; `messages` are sent to the editor (again)."""

    job_id: str
    sentence: str
    changed: bool = True
    messages: int = 0


# ---------------------------------------------------------------- retry


async def retry(desk: Desk, job_id: str, *, start: str = "", fresh: bool = False) -> Pulled:
    """Let a job go on from its last good step, from the step `start`, or as a new run that is paid again.

    Raises: OperatorError if that cannot be, with what to do. Repeat: safe.
    """
    job = await _job(desk, job_id)
    steps = await desk.ledger.steps(job.job_id)
    _refuse_strangers(desk, job)
    if job.work.kind == "ask" and job.state not in OPEN_STATES:
        raise OperatorError(
            f"Job {job.job_id} is a question, and it was answered.",
            code="delivered",
            hint="To ask once more, drop the file into the inbox again.",
        )
    if job.work.kind == "refine" and fresh:
        raise OperatorError(
            f"Job {job.job_id} goes on in the session of its clip, and cannot have one of its own.",
            code="step",
            hint="Drop its text into the inbox once more, or the clip itself with the whole instruction.",
        )
    if job.sha256 == "":
        return await _look_anew(desk, job, steps, told=start or ("--fresh" if fresh else ""))
    if fresh:
        return await _begin_anew(desk, job, steps)
    if start:
        return await _go_back(desk, job, steps, forgotten(job, steps, start))
    match job.state:
        case "ready" | "waiting" | "held" if job.failure is not None:  # it was to be rejected, and goes on instead
            return await _go_back(desk, job, steps, ("reject", "archive"))
        case "ready" | "waiting" | "held":
            return await _hurry(desk, job)
        case "rejected" | "cancelled":
            return await _go_back(desk, job, steps, ("reject", "archive"))
        case "delivered":
            raise OperatorError(
                f"Job {job.job_id} has delivered {_name(job)}: there is nothing left to be done.",
                code="delivered",
                hint=f"nemo-watch retry {job.job_id} --from render exports it again, which is free; --fresh has it "
                "edited anew, which is paid again.",
            )


def forgotten(job: Job, steps: Sequence[Step], start: str) -> tuple[str, ...]:
    """Name the recorded steps from `start` on: "edit" begins with the message in doubt if there is one, "edit-2" there.

    Raises: OperatorError if there is no such step. Source: product.md 9, `edit_no_effect`.
    """
    head, _, tail = start.partition("-")
    if head not in STARTS or (tail and (head != "edit" or not tail.isdigit())):
        raise OperatorError(
            f'A job cannot go on from "{start}".', code="step", hint=f"The steps are {', '.join(STARTS)} (or edit-2)."
        )
    first = int(tail) if tail else 1
    if tail and not 1 <= first <= len(job.work.messages):
        raise OperatorError(
            f"Job {job.job_id} has no message {first}.", code="step", hint=f"It has {len(job.work.messages)}."
        )
    if job.reuses and head in ("session", "upload", "edit"):
        raise OperatorError(
            f"Job {job.job_id} only uses the edit of job {job.reuses} once more.",
            code="step",
            hint=f"Retry job {job.reuses}, or let this one go on from render.",
        )
    if start == "edit":
        doubts = [_number(step) for step in steps if _head(step) == "edit" and step.state == "intent"]
        first = min(doubts, default=1)
    at = ORDER.index(head)
    return tuple(
        step.name
        for step in steps
        if _head(step) in ORDER
        and (ORDER.index(_head(step)) > at or (_head(step) == head and (head != "edit" or _number(step) >= first)))
    )


def _head(step: Step) -> str:
    return step.name.partition("-")[0]


def _number(step: Step) -> int:
    tail = step.name.partition("-")[2]
    return int(tail) if tail.isdigit() else 0


async def _go_back(desk: Desk, job: Job, steps: Sequence[Step], forget: Sequence[str]) -> Pulled:
    kept = [step for step in steps if step.name not in forget]
    needed = not job.reuses and all(step.name != "edit-1" for step in kept)
    messages = len(job.work.messages) - sum(_head(step) == "edit" for step in kept) if not job.reuses else 0
    note = await find_original(desk.inboxes[job.inbox], job, steps, needed=needed)
    note["paid"] = _worse(_paid_by([step for step in steps if step.name in forget]), _paid_before(steps))
    if not await turning.turn_back(desk.ledger, job, forget=forget, note=note):
        raise _changed_meanwhile(job)
    words = f"Job {job.job_id} ({_name(job)}) goes on {desk.when}"
    if messages and any(_head(step) == "edit" for step in steps if step.name in forget):
        again = "its message is sent" if messages == 1 else f"{messages} of its messages are sent"
        return Pulled(job.job_id, f"{words}: {again} again, which may be charged again.", messages=messages)
    if messages:
        return Pulled(job.job_id, f"{words}; no message was sent for it so far.", messages=messages)
    if any(_head(step) == "edit" and step.state == "intent" for step in kept):
        return Pulled(job.job_id, f"{words}: its session is looked at once more, nothing is sent again.")
    return Pulled(job.job_id, f"{words}: its edit is kept and not paid again.")


async def _hurry(desk: Desk, job: Job) -> Pulled:
    if job.reason in (FIRST_RUN, PAUSED):
        command = resume_command(job.inbox) if job.reason == FIRST_RUN else "nemo-watch resume"
        raise OperatorError(
            f"Job {job.job_id} is held: {job.sentence}", code=job.reason, hint=f"{command} lets it go on."
        )
    if desk.is_running and job.active:
        return Pulled(job.job_id, f"Job {job.job_id} ({_name(job)}) is being worked on already.", changed=False)
    if not await turning.hurry(desk.ledger, job):
        raise _changed_meanwhile(job)
    return Pulled(job.job_id, f"Job {job.job_id} ({_name(job)}) is tried again {desk.when}.")


async def _look_anew(desk: Desk, job: Job, steps: Sequence[Step], *, told: str) -> Pulled:
    """Have a file that was refused before anything began looked at like a new drop, as its files are now."""
    if told:
        raise OperatorError(
            f"Nothing was begun for {_name(job)}: job {job.job_id} was refused as it was dropped.",
            code="step",
            hint=f"nemo-watch retry {job.job_id} alone has the files looked at anew.",
        )
    if job.state in OPEN_STATES:
        return await _hurry(desk, job)
    if job.work.kind == "batch":  # alone, without its project.toml, it would be taken for another work
        raise OperatorError(
            f"{_name(job)} is a part of a batch, and was refused before anything was begun for it.",
            code="step",
            hint="Put it and its project.toml into their folder in the inbox again; what is delivered is left out.",
        )
    note = await find_original(desk.inboxes[job.inbox], job, steps, needed=True)
    note["as_drop"] = True
    if not await turning.turn_back(desk.ledger, job, forget=("reject", "archive"), note=note):
        raise _changed_meanwhile(job)
    return Pulled(job.job_id, f"{_name(job)} is looked at anew {desk.when}, like a new drop.")


async def _begin_anew(desk: Desk, job: Job, steps: Sequence[Step]) -> Pulled:
    if job.state in OPEN_STATES:
        raise OperatorError(
            f"Job {job.job_id} is under way: it would be paid beside its new run.",
            code="under_way",
            hint=f"Wait for its end, or end it first: nemo-watch cancel {job.job_id}.",
        )
    runs = [one for one in await desk.ledger.jobs_of_edit(job.edit_id) if not one.reuses]
    under_way = next((run for run in runs if run.state in OPEN_STATES), None)
    if under_way is not None:
        raise OperatorError(
            f"A run of this edit is under way already, as job {under_way.job_id}.",
            code="under_way",
            hint=f"Look at it with nemo-watch show {under_way.job_id}.",
        )
    note = await find_original(desk.inboxes[job.inbox], job, steps, needed=True)
    number = max(int(run.job_id.rsplit("-", 1)[1].split(".")[0]) for run in (*runs, job)) + 1
    moment = now()
    fresh = Job(
        job_id=f"{job.edit_id}-{number}",
        edit_id=job.edit_id,
        inbox=job.inbox,
        clip=job.clip,
        sha256=job.sha256,
        work=job.work,
        state="ready",
        priority=job.priority,
        created_at=moment,
        updated_at=moment,
    )
    if not await turning.begin_anew(desk.ledger, fresh, note=note):
        raise _changed_meanwhile(job)
    words = (
        f"{_name(job)} is edited anew {desk.when}, as job {fresh.job_id}: that is about {credits_of(job.work)} credits."
    )
    return Pulled(fresh.job_id, words, messages=len(job.work.messages))


def _refuse_strangers(desk: Desk, job: Job) -> None:
    if job.inbox not in desk.inboxes:
        raise OperatorError(
            f'Job {job.job_id} is of the inbox "{job.inbox}", which the config does not know any more.',
            code="inbox_unknown",
            hint="Name that inbox in the config again, or drop the file into another one.",
        )
    if is_of_another(job, desk.backend):
        raise OperatorError(
            f"Job {job.job_id} was made for the backend {job.work.backend}, and the config names {desk.backend}.",
            code="other_backend",
            hint=f'Set [backend] url = "{job.work.backend}" to go on with it, or drop the clip again.',
        )


# ---------------------------------------------------------------- what was paid


def _paid_by(steps: Sequence[Step]) -> Paid:
    edits = [step for step in steps if _head(step) == "edit"]
    if any(step.state == "done" and step.data.get("changed") for step in edits):
        return "yes"
    return "unknown" if any(step.state == "intent" for step in edits) else "no"


def _paid_before(steps: Sequence[Step]) -> Paid:
    note = next((step for step in steps if step.name == RETRY), None)
    paid: Paid = note.data["paid"] if note is not None else "no"
    return paid


def _worse(one: Paid, other: Paid) -> Paid:
    return max(one, other, key=("no", "unknown", "yes").index)


async def with_what_was_paid(ledger: Ledger, job: Job, failure: Failure) -> Failure:
    """Let a failure tell of payments whose steps a retry has forgotten."""
    note = await ledger.step(job.job_id, RETRY)
    return failure if note is None else replace(failure, paid=_worse(failure.paid, note.data["paid"]))


def paid_in_all(steps: Sequence[Step]) -> Paid:
    """Tell whether anything was paid for a job, for edits that a retry has given up, too. Pure."""
    return _worse(_paid_by(steps), _paid_before(steps))


# ---------------------------------------------------------------- cancel


async def cancel(desk: Desk, job_id: str) -> Pulled:
    """End a job. Nothing paid: its file stays and is not taken again. Paid: it is rejected, and can be retried free.

    Raises: OperatorError if it has ended by itself. Repeat: safe.
    """
    job = await _job(desk, job_id)
    if job.state == "cancelled" or (job.failure is not None and job.failure.code == CANCELLED):
        return Pulled(job.job_id, f"Job {job.job_id} ({_name(job)}) was cancelled already.", changed=False)
    if job.state not in OPEN_STATES or job.failure is not None:
        what = "has delivered its result" if job.state == "delivered" else "was rejected"
        raise OperatorError(
            f"Job {job.job_id} ({_name(job)}) {what}: there is nothing left to cancel.",
            code="ended",
            hint=f"nemo-watch show {job.job_id} tells what came of it.",
        )
    steps = await desk.ledger.steps(job.job_id)
    if any(step.name == "deliver" and step.state == "done" for step in steps):
        raise OperatorError(
            f"Job {job.job_id} has delivered {_name(job)}; only its original still has to leave the inbox.",
            code="ended",
            hint=f"nemo-watch show {job.job_id} tells what it waits for.",
        )
    paid, before = await paid_so_far(desk.ledger, job), _paid_before(steps)
    if paid == "no" and before == "no":
        sentence = (
            "A person cancelled it. The file stays where it is and is not taken again until it changes; "
            f"nemo-watch retry {job.job_id} goes on with it."
        )
        if not await turning.call_off(desk.ledger, job, reason=CANCELLED, sentence=sentence):
            raise _changed_meanwhile(job)
        return Pulled(
            job.job_id,
            f"Job {job.job_id} is cancelled, nothing was paid. {_name(job)} stays where it is and is not taken again "
            "until it changes.",
        )
    if not await turning.condemn(desk.ledger, job, cancelled(job, paid if paid != "no" else before)):
        raise _changed_meanwhile(job)
    if paid == "no":
        was = "was paid" if before == "yes" else "may have been paid"
        return Pulled(
            job.job_id,
            f"Job {job.job_id} is cancelled. The edit that it had before {was}, and is given up; the next one was not "
            f"begun. {_name(job)} is moved to rejects {desk.when}.",
        )
    lost = "What was paid for its edit is lost" if paid == "yes" else "Its edit may have been paid, and that is lost"
    return Pulled(
        job.job_id,
        f"Job {job.job_id} is cancelled. {lost} unless you go on with nemo-watch retry {job.job_id}, which does not "
        f"pay again. {_name(job)} is moved to rejects {desk.when}.",
    )


def cancelled(job: Job, paid: Paid) -> Failure:
    """Describe the end of a job that a person cancelled after its edit was paid, or may have been."""
    what = "was paid" if paid == "yes" else "may have been paid"
    return Failure(
        code=CANCELLED,
        message=f"A person cancelled it after its edit {what}.",
        action="Nothing, if that was meant. To go on, put the file back into the inbox or run: nemo-watch retry "
        f"{job.job_id} (nemo-watch show {job.job_id} tells what is kept: that is not paid again)",
        paid=paid,
        step=job.step,
    )


async def call_off_renders(house: House, job: Job) -> None:
    """Ask the backend to stop the exports of a cancelled job; what it stopped is forgotten: a retry makes it anew.

    Whether it can is not certain, and nothing depends on it: exports are free. Repeat: safe. Source: contract.md 8.4.
    """
    for step in await house.ledger.steps(job.job_id):
        if _head(step) != "render" or step.state != "intent":
            continue
        try:
            await house.client.cancel_render(step.data["render_id"], house.skill(job))
        except CloudError as error:
            log.info("render.not_cancelled", job=job.job_id, step=step.name, why=error.message)
        else:
            await house.ledger.clear(job.job_id, step.name)
            log.info("render.cancelled", job=job.job_id, step=step.name, render=step.data["render_id"])


# ---------------------------------------------------------------- pause and resume


async def pause(ledger: Ledger) -> bool:
    """Hold all work that is not paid for yet until `resume`; False if it was held already. Repeat: safe."""
    mine = {"since": now().isoformat(), "by": "person"}
    is_new = await turning.once(ledger, PAUSED, mine) == mine
    await ledger.hold(PAUSED, "A person paused all paid work; nemo-watch resume lets it go on.", "", None)
    return is_new


async def unpause(ledger: Ledger) -> bool:
    """End the pause; False if there was none. Repeat: safe."""
    was = await ledger.recall(PAUSED)
    await ledger.remember(PAUSED, None)
    await ledger.lift(PAUSED)
    return was is not None


async def look_again(ledger: Ledger) -> list[str]:
    """Have every hold of all paid work looked at again at once; give their reasons. Repeat: safe."""
    reasons = [hold.reason for hold in await ledger.holds()]
    for reason in reasons:
        await ledger.looked(reason, now() - timedelta(seconds=1))
    return reasons


# ---------------------------------------------------------------- below


async def _job(desk: Desk, job_id: str) -> Job:
    job = await desk.ledger.job(job_id)
    if job is None:
        raise OperatorError(
            f"There is no job {job_id}.", code="job_unknown", hint="nemo-watch status --json lists the jobs."
        )
    return job


def _name(job: Job) -> str:
    return job.clip.rel.rpartition("/")[2]


def _changed_meanwhile(job: Job) -> OperatorError:
    return OperatorError(
        f"Job {job.job_id} went on in this very moment.",
        code="changed",
        hint=f"Look at it with nemo-watch show {job.job_id}, then try again.",
    )
