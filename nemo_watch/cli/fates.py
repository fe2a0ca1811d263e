"""What would become of the files in an inbox, found out with the daemon's own rules and without writing anything.

Touches: the inboxes and the ledger, reading only.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from nemo_watch import folders, media, pipeline, routing, sidecar
from nemo_watch.building import build_intake, inbox_rules
from nemo_watch.cli.jobwords import job_words
from nemo_watch.config import Config, Inbox
from nemo_watch.errors import MediaError, SidecarError
from nemo_watch.guarded import unguarded
from nemo_watch.intake import SettleRules, settle_rules
from nemo_watch.intake.words import NOT_USED, age
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.finding import job_of_file, known_sizes
from nemo_watch.model import (
    OPEN_STATES,
    Drop,
    Export,
    Failure,
    FileRef,
    FileStamp,
    Instructions,
    Job,
    Part,
    Waiting,
    Work,
)
from nemo_watch.mounts import FileSystem
from nemo_watch.pipeline.budget import credits_of
from nemo_watch.pipeline.following import ALL, is_of_another
from nemo_watch.pipeline.house import paid_so_far
from nemo_watch.watcher import disk
from nemo_watch.watcher.guard import NOT_ENTERED
from nemo_watch.watcher.rehearsal import Rehearsal, rehearse

Action = Literal["edit", "known", "wait", "reject", "serve", "ignored"]
"""`serve` is a file that belongs to others: an instruction, a subtitle, an asset."""
CHANGING = "settling: it is changing right now"
WRITTEN = "somebody has it open for writing"
UNSURE = "whether it is whole is found out by reading it to its end, before anything is paid"
_UNTIL = {
    "control": "that file goes or this one changes",
    "incomplete": "it changes",
    "no_instruction": "one comes",
    "placeholder": "its content is there",
    "settled": "one comes",
    "clip": "that clip is a job, or gone",
    "member": "all clips of the batch are there and whole",
    "batch": "that clip is ready",
    "missing": "it comes",
    "broken": "it changes",
    "sidecar": "that file stands still",
    "writer": "that one has closed it",
}
"""What a waiting file waits for, by its rule."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What would happen to one file and why; the rest is only told where it applies.

    `phase` is the rule's short word, `mend` what a person can do, `credits` what it would cost at about. `unchanged_at`
    is the file's own time stamp, `upcoming` says what would happen next and when. `work` is what there is to do, and
    `left_out` what of the words is not sent, each with the sentence that says why.
    """

    inbox: str
    rel: str
    action: Action
    why: str
    phase: str = ""
    code: str = ""
    mend: str = ""
    line: int = 0
    column: int = 0
    sidecar: str = ""
    messages: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()
    language: str = ""
    assets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    not_before_at: datetime | None = None
    credits: int = 0
    job: str = ""
    unchanged_at: datetime | None = None
    upcoming: str = ""
    work: Work | None = None
    left_out: tuple[tuple[str, str], ...] = ()


def _failure(error: SidecarError | MediaError) -> Failure:
    line, column = (error.line, error.column) if isinstance(error, SidecarError) else (0, 0)
    return Failure(error.code, error.message, error.hint, line=line, column=column)


class Oracle:
    """Tells the fates of one inbox's files; `ledger` is None if there is none yet, `running` whether a daemon is.

    `about` is the one file or folder that will be asked about, "" for all. Raises: OSError from `listen` if the inbox
    cannot be listed.
    """

    def __init__(self, config: Config, inbox: Inbox, ledger: Ledger | None, *, running: bool, about: str = "") -> None:
        self._config = config
        self._inbox = inbox
        self._ledger = ledger
        self._running = running
        self._about = about
        self._rules = inbox_rules(inbox, unguarded)
        self._sizes: frozenset[int] = frozenset()
        self._intake = build_intake(inbox)
        self.seen = Rehearsal()

    async def listen(self) -> None:
        """Look at the inbox and play through what the watcher and the intake would do."""
        known: list[FileRef] = []
        if self._ledger is not None:
            left = await _left_behind(self._ledger, self._inbox.name, self._config.backend.url)
            known = [ref for ref in await self._ledger.known_files(self._inbox.name) if ref.rel not in left]
            self._sizes = await known_sizes(self._ledger)
        self.seen = await asyncio.to_thread(self._play, known)

    def _play(self, known: list[FileRef]) -> Rehearsal:
        ground = disk.ground_of(self._inbox.path)
        self._intake = build_intake(self._inbox, _windows(self._inbox, ground.file_system))
        return rehearse(
            self._inbox.path, self._intake, sniff=media.sniff, facts_of=sidecar.facts, known=known, about=self._about
        )

    async def fate(self, ref: FileRef) -> Fate:
        """Tell what would become of a file; one that was not listed is ignored by its name, or only just came."""
        if ref.rel in self.seen.known and self._ledger is not None:
            job = await job_of_file(self._ledger, self._inbox.name, ref)
            if job is not None:
                words = job_words(job, running=self._running)
                return Fate(self._inbox.name, ref.rel, "known", words, phase=job.state, job=job.job_id)
        drop = self.seen.drops.get(ref.rel) or self.seen.parts.get(ref.rel)
        if drop is not None:
            fate = await self._of_drop(drop, ref)
        else:
            fate = self._of_waiting(ref.rel, self.seen.waits.get(ref.rel) or self._intake.why(ref.rel, 0.0))
        return replace(fate, unchanged_at=_moment(ref.stamp), upcoming=self._upcoming(fate))

    def _upcoming(self, fate: Fate) -> str:
        """Say what would come next: without a daemon nothing does."""
        match fate.action:
            case "edit" | "known" | "reject" if fate.rel in self.seen.after_s:
                after = age(self.seen.after_s[fate.rel])
                when = f"within {after}" if self._running else f"{after} after the daemon starts"
                what = "is" if self._running else "would be"
                return f"it {what} entered as a job {when}, unless it changes"
            case "wait":
                until = _UNTIL.get(fate.phase, "it stands still")
                return f"it goes on when {until}" if self._running else f"with a daemon it would go on when {until}"
            case _:
                return ""

    def _of_waiting(self, rel: str, said: Waiting | None) -> Fate:
        name = self._inbox.name
        if rel in self.seen.busy:
            return Fate(name, rel, "wait", WRITTEN, phase="writer")
        inside = disk.target_over(self._inbox.path, rel) if said is None else ""
        if inside:
            return Fate(name, rel, "ignored", f"it lies in {inside}, and {NOT_ENTERED}", phase="ignored")
        if said is None:
            return Fate(name, rel, "wait", CHANGING, phase="settling")
        rule = said.rule or said.sentence
        match said.reason:
            case "ignored":
                return Fate(name, rel, "ignored", rule.removeprefix("it is ignored: "), phase=said.reason)
            case "asset":
                return Fate(name, rel, "serve", rule, phase=said.reason)
            case "settled" if rule.endswith(NOT_USED):
                return Fate(name, rel, "ignored", rule, phase=said.reason)
            case "settled":
                action: Action = "wait" if rule.startswith("no clip") else "serve"
                return Fate(name, rel, action, rule, phase=said.reason)
            case "incomplete":
                return Fate(name, rel, "wait", "it is not whole: its end or its index is missing", phase=said.reason)
            case "settling" | "inspecting" | "reading":
                return Fate(name, rel, "wait", CHANGING, phase="settling")
            case _:
                return Fate(name, rel, "wait", rule, phase=said.reason)

    async def _of_drop(self, drop: Drop, ref: FileRef) -> Fate:
        """Tell the fate of a drop, or of one clip of a batch."""
        inbox, part = self._inbox.name, next((part for part in drop.parts if part.clip == ref), None)
        own = drop.clip.rel if part is not None else drop.sidecar.rel if drop.sidecar is not None else ""
        refusal = part.refusal if part is not None else drop.refusal
        if refusal is not None:
            return self._refused(ref, refusal, own)
        try:
            if drop.kind == "batch":
                return await self._of_batch(drop, part)
            instructions, work = await pipeline.understand(self._rules, drop, self._ledger)
            known = await self._known(drop, instructions, work)
        except (SidecarError, MediaError) as error:
            if error.code in ("changed", "gone"):
                return Fate(inbox, ref.rel, "wait", CHANGING, phase="settling")
            return self._refused(ref, _failure(error), own)
        return self._told(drop, instructions, work) if known is None else known

    def _refused(self, ref: FileRef, said: Failure, own: str) -> Fate:
        refused = Fate(
            self._inbox.name, ref.rel, "reject", said.message, "offered", said.code, said.action, sidecar=own
        )
        return replace(refused, line=said.line, column=said.column)

    async def _of_batch(self, drop: Drop, part: Part | None) -> Fate:
        """Tell what would become of one clip of a batch, or of its `project.toml`. Raises: SidecarError, MediaError."""
        parts = await pipeline.understand_batch(self._rules, drop)
        if part is None:
            return Fate(
                self._inbox.name, drop.clip.rel, "serve", f"it is a batch: {len(parts)} clips that share one session"
            )
        for other, instructions, work in parts:
            if other.clip == part.clip:
                if not isinstance(work, Work):
                    return self._refused(part.clip, _failure(work), drop.clip.rel)
                own = pipeline.drop_of(drop, part)
                known = await self._known(own, instructions, work)
                return self._told(own, instructions, work) if known is None else known
        return Fate(self._inbox.name, part.clip.rel, "wait", CHANGING, phase="settling")

    def _told(self, drop: Drop, instructions: Instructions, work: Work) -> Fate:
        origin = {
            "sidecar": "its own sidecar says what to do",
            "default": "the default instruction of its folder holds",
            "inbox": "the inbox's instruction holds",
        }
        given = {
            "refine": "it goes on from what was made of its clip, without another upload",
            "generate": "a clip is made from its text alone",
            "url": "the clip is uploaded from the address it names",
            "batch": "it is a clip of a batch",
            "ask": "it is a question, and nothing is paid",
        }
        return Fate(
            self._inbox.name,
            drop.clip.rel,
            "edit",
            given.get(work.kind) or origin[drop.source],
            phase="offered",
            sidecar=drop.sidecar.rel if drop.sidecar is not None else "",
            messages=work.messages,
            exports=work.exports,
            language=work.language,
            assets=tuple(ref.rel for ref in work.assets),
            notes=(*work.notes, *((UNSURE,) if drop.clip.rel in self.seen.unsure else ())),
            not_before_at=instructions.not_before_at,
            credits=credits_of(work),
            work=work,
            left_out=() if work.kind == "generate" else routing.taken_out(instructions.steps),
        )

    async def _known(self, drop: Drop, instructions: Instructions, work: Work) -> Fate | None:
        """Look whether the ledger knows this work. Only a file as long as a known one is hashed. Raises: MediaError."""
        is_file = work.kind in ("edit", "batch")
        if self._ledger is None or work.kind == "ask" or (is_file and drop.clip.stamp.size_bytes not in self._sizes):
            return None
        root = self._inbox.path
        sha256 = await self._rules.inbox.call(folders.fingerprint, root, drop.clip)
        content = pipeline.content_of(instructions, work, sha256)
        extras = [
            await self._rules.inbox.call(folders.fingerprint, root, ref) for ref in (*work.companions, *work.assets)
        ]
        edit_id = pipeline.make_edit_id(self._config.backend.url, [content, *sorted(extras)], work)
        runs = [job for job in await self._ledger.jobs_of_edit(edit_id) if not job.reuses]
        return await self._as_run_before(self._ledger, drop, work, runs[-1]) if runs else None

    async def _as_run_before(self, ledger: Ledger, drop: Drop, work: Work, before: Job) -> Fate | None:
        known = Fate(self._inbox.name, drop.clip.rel, "known", "", phase="offered", job=before.job_id)
        if before.state in ("rejected", "cancelled"):
            if await paid_so_far(ledger, before) == "no":
                return None
            return replace(
                known, why=f"it goes on from the last good step of job {before.job_id}; nothing is paid again"
            )
        if work.duplicates == "process":
            return None
        if work.duplicates == "reject":
            why = f"the same clip with the same instruction was already given as job {before.job_id}"
            mend = 'Change the instruction, or allow it with duplicates = "reuse" or "process".'
            return replace(known, action="reject", why=why, code="duplicate", mend=mend)
        if before.state == "delivered":
            why = f"the same work was delivered as job {before.job_id}; its result is used again, nothing is paid"
        else:
            why = f"the same work is under way as job {before.job_id}; nothing is paid twice"
        return replace(known, why=why)

    def close(self) -> None:
        """End the threads. Repeat: safe."""
        for folder in (self._rules.inbox, self._rules.outbox, self._rules.rejects, self._rules.archive):
            folder.threads.close()


def _windows(inbox: Inbox, file_system: FileSystem) -> SettleRules:
    """Give the waiting times of a file that lies there already; nobody was seen to close it."""
    rules = settle_rules(
        settle_s=None if inbox.settle == "auto" else float(inbox.settle), sidecar_wait_s=inbox.sidecar_wait
    )
    watch = file_system.watch if inbox.watch == "auto" else inbox.watch
    if watch == "native":
        return rules
    polled_s = max(rules.polled_s, rules.polls * inbox.poll)
    return replace(rules, open_s=polled_s, closed_s=polled_s)


async def _left_behind(ledger: Ledger, inbox: str, backend: str) -> frozenset[str]:
    """Name the files that a start with this backend takes for new: their jobs paid nothing at another one."""
    left = set()
    for job in await ledger.jobs(OPEN_STATES, limit=ALL, inbox=inbox):
        if await is_left_behind(ledger, job, backend):
            left.add(job.clip.rel)
    return frozenset(left)


async def is_left_behind(ledger: Ledger, job: Job, backend: str) -> bool:
    """Tell whether an open job was made for another backend than this one and paid nothing there."""
    another = job.state in OPEN_STATES and is_of_another(job, backend) and job.failure is None
    return another and await paid_so_far(ledger, job) == "no"


def _moment(stamp: FileStamp) -> datetime | None:
    """Read a file's own time stamp, None if it is not yet, or none that a calendar knows."""
    try:
        seen_at = datetime.fromtimestamp(stamp.mtime_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return seen_at if seen_at <= datetime.now(UTC) else None
