"""What every step of the pipeline needs: the rooms it calls, the inbox it works for, and how it steps aside.

Touches: the ledger.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import structlog

from nemo_watch.client import Client
from nemo_watch.errors import NemoWatchError
from nemo_watch.folders import Places
from nemo_watch.folderthreads import HUNG_S
from nemo_watch.guarded import GuardedFolder
from nemo_watch.ledger import Ledger
from nemo_watch.media import MediaInfo
from nemo_watch.model import Duplicates, Failure, FileRef, FileStamp, Job, Json, Originals, SkillHeaders
from nemo_watch.pace import Pace, observe
from nemo_watch.policy import HoldLooks, Paid

if TYPE_CHECKING:
    from nemo_watch.pipeline.holds import Holds

ASKED_S = 5.0
"""So long a job stands aside for a person's word: longer than the command that brings it rests between two tries."""

log = structlog.get_logger("nemo_watch.pipeline")


def now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Patience:
    """The waiting times of the pipeline. Units: seconds.

    `looks_s` are the pauses before each look at a session whose edit is in doubt, `settle_reads_s` the moments after a
    silent turn at which the state is read. A folder is hung after `folder_s` without a sign of life. A turn under way
    is told of every `working_s`. The causes of holds are looked at after `hold_looks`, every `hold_tick_s` it is seen
    whose time has come. Nothing paid begins with an anonymous token that ends within `token_life_s`.
    Source: contract.md 6.6, 6.7, 8.2, house.md 3.1, product.md 9.
    """

    render_poll_s: float = 30.0
    first_poll_s: float = 5.0
    slow_after_s: float = 300.0
    slow_poll_s: float = 300.0
    give_up_after_s: float = 86400.0
    looks_s: tuple[float, ...] = (30.0, 60.0, 60.0, 60.0, 60.0)
    settle_reads_s: tuple[float, ...] = (0.0, 3.0, 3.0)
    folder_s: float = HUNG_S
    working_s: float = 120.0
    hold_tick_s: float = 5.0
    hold_looks: HoldLooks = field(default_factory=HoldLooks)
    token_life_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class InboxRules:
    """One inbox as the pipeline sees it: its folders are touched through their guards alone."""

    name: str
    places: Places
    inbox: GuardedFolder
    outbox: GuardedFolder
    rejects: GuardedFolder
    archive: GuardedFolder
    language: str = "en"
    skill: str = ""
    instruction: str = ""
    originals: Originals = "archive"
    duplicates: Duplicates = "reuse"


@dataclass(slots=True)
class Progress:
    """What a worker is doing right now, for people who look, and since when.

    `fraction` is None where it cannot be told. `pace` is None where nothing is counted; it counts bytes if `in_bytes`,
    else the percents of an export.
    """

    job_id: str
    name: str
    inbox: str
    step: str
    fraction: float | None = None
    detail: str = ""
    since_at: datetime = field(default_factory=now)
    pace: Pace | None = None
    in_bytes: bool = False


class StepAsideError(Exception):
    """Leave the worker to others: go on with this job at a later moment. Not a failure."""

    def __init__(self, after_s: float, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.after_s = after_s
        self.reason = reason
        self.sentence = sentence


class RejectedError(NemoWatchError):
    """The job ends here, with this failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, code=failure.code, hint=failure.action)
        self.failure = failure


class EndedError(Exception):
    """The job came to its end on the way (released or cancelled); there is nothing more to do. Not a failure."""


@dataclass(slots=True)
class House:
    """The rooms and rules that the pipeline works with, built once by the daemon.

    `skill_headers(skill)` and `session_language(skill, language)` are the attribution of a job's calls.
    `on_release(inbox, rel)` gives a file back to the intake, `on_leave(inbox, rel)` tells it that the job of a file has
    ended and moved it away, `on_return(inbox, clip)` tells it that a clip which a job knows comes back into the inbox;
    `still_wanted(inbox, rel, but)` tells whether a clip in the inbox other than `but`, not a job yet, is paired with
    the file `rel`. `is_known(inbox, rel)` tells whether an inbox was gone through since the start, so that all is known
    of a file that is needed for its instruction; `own_sidecar(inbox, rel)` is a clip's own sidecar as the intake sees
    it now, `seen_as(inbox, rel)` any file's stamp. `why_not(inbox)` says why no job of an inbox may begin, "" if it
    may; `holds` are those of the whole account. `entering` lets one drop after the other of the same edit ask whether
    its work is known, `leaving` one job of an inbox, or of an outbox, after the other plan what goes where, `turns` one
    job after the other use a session that several share. `paying` are the jobs with a paid call in flight, `asked_s`
    tells until when (on the loop's clock) a job stands aside for a person's word, `own_calls` counts each job's paid
    calls in this process,
    `paid_calls` all of them.
    """

    ledger: Ledger
    client: Client
    backend: str
    backend_key: str
    inboxes: dict[str, InboxRules]
    spool: GuardedFolder
    skill_headers: Callable[[str], SkillHeaders]
    session_language: Callable[[str, str], str]
    verify: Callable[[str, float | None, int | None], Awaitable[MediaInfo]]
    on_release: Callable[[str, str], None]
    on_leave: Callable[[str, str], None]
    on_return: Callable[[str, FileRef], None]
    on_enter: Callable[[], None]
    still_wanted: Callable[[str, str, str], bool]
    is_known: Callable[[str, str], bool]
    own_sidecar: Callable[[str, str], FileRef | None]
    seen_as: Callable[[str, str], FileStamp | None]
    why_not: Callable[[str], Awaitable[str]]
    holds: Holds
    patience: Patience = field(default_factory=Patience)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    entering: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    leaving: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    paying: set[str] = field(default_factory=set)
    own_calls: Counter[str] = field(default_factory=Counter)
    progress: dict[str, Progress] = field(default_factory=dict)
    asked_s: dict[str, float] = field(default_factory=dict)
    stopping: bool = False
    paid_calls: int = 0

    def ask_aside(self, job_id: str) -> None:
        """Have a job leave its worker after the step under way, as a person waits to decide about it. Repeat: safe."""
        self.asked_s[job_id] = asyncio.get_running_loop().time() + ASKED_S

    def skill(self, job: Job) -> SkillHeaders:
        """Look up the attribution headers of a job."""
        return self.skill_headers(job.work.skill)

    def rules(self, job: Job) -> InboxRules:
        """Look up a job's inbox."""
        return self.inboxes[job.inbox]

    def show(self, job: Job, step: str, fraction: float | None = None, detail: str = "") -> None:
        """Say what is being done for a job right now."""
        before = self.progress.get(job.job_id)
        shown = self.progress[job.job_id] = Progress(job.job_id, job.clip.rel, job.inbox, step, fraction, detail)
        if before is not None and before.step == step:
            shown.since_at, shown.pace, shown.in_bytes = before.since_at, before.pace, before.in_bytes

    def count(self, job: Job, step: str, done: float, total: float, *, in_bytes: bool = True) -> None:
        """Say how much of a step is done; `total` 0 is not known. In percents where not `in_bytes`."""
        self.show(job, step, min(1.0, done / total) if total else None)
        shown = self.progress[job.job_id]
        shown.pace = observe(shown.pace, time.monotonic(), done, total)
        shown.in_bytes = in_bytes

    async def done(self, job: Job, name: str, data: Json, *, started_at: datetime | None = None) -> None:
        """Record a finished step; a step that worked ends the row of failures before it."""
        await self.ledger.done(job.job_id, name, self.token, data, started_at=started_at)
        if job.attempts:
            await self.ledger.update(job.job_id, attempts=0, first_failed_at=None)
        if self.stopping:
            raise StepAsideError(0.0, "stopping", "The daemon is stopping; the job goes on at the next start.")
        if asyncio.get_running_loop().time() < self.asked_s.get(job.job_id, 0.0):
            raise StepAsideError(ASKED_S, "asked", "A person's word about it comes first.")

    async def recorded(self, job: Job, name: str) -> Json | None:
        """Read what a finished step gave, None if it is not finished."""
        step = await self.ledger.step(job.job_id, name)
        return step.data if step is not None and step.state == "done" else None


async def paid_so_far(ledger: Ledger, job: Job) -> Paid:
    """Tell whether the job's edits were paid: a changed draft was, an intent without an answer may have been."""
    paid: Paid = "no"
    for step in await ledger.steps(job.job_id):
        if step.name.startswith("edit-"):
            if step.state == "done" and step.data.get("changed"):
                return "yes"
            if step.state == "intent":
                paid = "unknown"
    return paid


async def needs_session(ledger: Ledger, job: Job) -> bool:
    """Tell whether what was paid for a job is not downloaded yet, so that its account is still needed."""
    if await paid_so_far(ledger, job) == "no":
        return False
    names = {step.name for step in await ledger.steps(job.job_id) if step.state == "done"}
    return not all(f"download-{number}" in names for number in range(1, len(job.work.exports) + 1))


def later(seconds: float) -> datetime:
    """Compute the moment so many seconds from now."""
    return now() + timedelta(seconds=seconds)


def chance() -> float:
    """Draw the random number for a jitter."""
    return random.random()  # noqa: S311 - a jitter needs no secret
