"""Watches one inbox: gathers hints, looks, lists and inspects for the intake, and hands its drops over.

Touches: the inbox (reading only, in two threads of its own), inotify, the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from nemo_watch.intake import Decision, Inspection, Intake
from nemo_watch.model import Drop, FileRef, FileStamp, Sighting, TomlFacts, Waiting
from nemo_watch.watcher import disk, inspecting
from nemo_watch.watcher.guard import Guard, WatchSetting
from nemo_watch.watcher.handing import Handing
from nemo_watch.watcher.native import HintKind
from nemo_watch.watcher.threads import PULSE_S, InboxThreads

JUDGED_AT_ONCE = 500
LOOKS_AT_ONCE = 200
INSPECTIONS_AT_ONCE = 16
ENDINGS_AT_ONCE = 2
ASKED_AT_ONCE = 40
"""With so many questions not answered yet nothing more is judged: a full inbox must not pile them up in memory. Folders
that rest between two listings, and files that are read to their ends, hold nobody up."""
LISTING_REST = 5.0
"""After a listing its folder rests for so many times what the listing took: a burst must not list it for every file."""

_T = TypeVar("_T")
_UNSEEN = FileStamp(0, 0, 0)

log = structlog.get_logger("nemo_watch.watcher")


def _no_facts(_data: bytes, _name: str) -> TomlFacts:
    return TomlFacts()


class Watcher:
    """The eyes on one inbox. `run` until cancelled; everything else is called from the same loop."""

    def __init__(
        self,
        root: str,
        intake: Intake,
        on_drop: Callable[[Drop], Awaitable[None]],
        *,
        sniff: inspecting.Sniffer,
        ends: inspecting.EndReader | None = None,
        facts_of: inspecting.FactsOf = _no_facts,
        rescan_s: float = 60.0,
        watch: WatchSetting = "auto",
        poll_s: float = 5.0,
        guard_s: float = 5.0,
        hung_s: float = 30.0,
        drops_at_once: int = 2,
        trust: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Remember what to watch; nothing is touched before `run`.

        `ends` reads files to their ends where `sniff` cannot tell whether they are whole; without it they pass.
        `facts_of(data, name)` tells what a TOML text says that decides what it is, and which files it names.
        `on_drop` makes a job of a drop; if it fails, the drop is offered again later. `trust` is asked in the inbox's
        own threads before anything that was seen is believed: "", or the sentence why the inbox must not be believed.
        """
        self.root = root
        self._intake = intake
        self._inspector = inspecting.Inspector(root, sniff)
        self._ends = ends
        self._facts_of = facts_of
        self._hung_s = hung_s
        self._clock = clock
        self._turned_s = clock()
        self._threads = InboxThreads(hung_s=hung_s, clock=clock, on_change=self._answering)
        self._guard = Guard(
            root,
            intake,
            self._threads,
            rescan_s=rescan_s,
            watch=watch,
            poll_s=poll_s,
            guard_s=guard_s,
            clock=clock,
            on_hint=self._hint_from_thread,
            on_listed=self._wake,
            trust=trust,
        )
        self._changed = asyncio.Event()
        self._hints: deque[tuple[str, HintKind]] = deque()
        self._hinted = False
        self._busy = self._asked = self._readers = 0
        self._listing = asyncio.Semaphore(1)  # the other thread is for looks: on a slow share a listing takes its time
        self._unread: deque[tuple[str, str]] = deque()
        self._resting: dict[str, float] = {}
        self._handing = Handing(intake, on_drop, root=root, at_once=drops_at_once, again=self.forget, done=self._wake)

    # ------------------------------------------------------------ what others ask

    @property
    def state(self) -> str:
        """One word, or a word and a reason: "starting", "watching", "paused: ...", "hung: ..."."""
        if self._guard.paused:
            return f"paused: {self._guard.paused}"
        if self._threads.is_hung:
            return f"hung: {self.root} has not answered for {self._hung_s:g} s"
        return "watching" if self._guard.started else "starting"

    @property
    def is_listed(self) -> bool:
        """Whether the whole inbox was listed once."""
        return self._guard.started

    @property
    def mode(self) -> str:
        """How the inbox is watched, and why if it is not the usual way."""
        return self._guard.mode

    @property
    def not_entered(self) -> list[str]:
        """The folders inside that are not looked into, as results or originals are put there."""
        return sorted(self._guard.targets)

    @property
    def last_alive_s(self) -> float:
        """When the watcher last turned, on its clock: proof of life, of one that waits for a hung inbox too."""
        return max(self._turned_s, self._threads.last_alive_s)

    def waiting(self, most: int | None = None) -> list[Waiting]:
        """List the files that may still become drops (the first `most` of them), and why they are not."""
        return self._intake.waiting(self._clock(), most)

    @property
    def waiting_count(self) -> int:
        """How many files may still become drops."""
        return self._intake.waiting_count

    @property
    def changes(self) -> int:
        """A number that grows whenever there is something else to be said of the files that wait."""
        return self._intake.changes

    def why(self, rel: str) -> Waiting | None:
        """Say why a file of the inbox is not a job, None if it was never seen."""
        return self._intake.why(rel, self._clock())

    def idle(self) -> bool:
        """Tell whether nothing is on its way: what still waits, waits for somebody (or the inbox is not there)."""
        if self._guard.paused or self._threads.is_hung:
            return self._handing.idle
        still = not self._hints and not self._busy and self._handing.idle
        return self._guard.started and still and self._intake.idle()

    def known(self, rel: str, stamp: FileStamp) -> None:
        """Note that the ledger knows this file: not a drop until it changes."""
        self._intake.known(rel, stamp)
        self._wake()

    def taken(self, rel: str, stamp: FileStamp) -> None:
        """Note that a drop became a job. Repeat: safe."""
        self._intake.taken(rel, stamp)
        self._wake()

    def forget(self, rel: str, *, is_done: bool = False) -> None:
        """Look at a file again as if it were new: it changed while it was read, or it is gone or back.

        `is_done`: its job has ended and moved it away, so that nobody misses it.
        """
        self._intake.forget(rel, self._clock(), is_done=is_done)
        self._hints.append((rel, "created"))
        self._wake()

    def is_known(self, rel: str) -> bool:
        """Tell whether the inbox was listed, and no `project.toml` waits to be read that may name this file."""
        return self.is_listed and self._intake.is_read_above(rel)

    def serves(self, rel: str, *, but: str = "") -> bool:
        """Tell whether a sidecar or subtitle belongs to a clip that is not a job yet, other than the clip `but`."""
        return self._intake.serves(rel, but=but)

    def sidecar_of(self, rel: str) -> FileRef | None:
        """Find the own sidecar beside a clip as it is now."""
        return self._intake.sidecar_of(rel)

    def seen_as(self, rel: str) -> FileStamp | None:
        """Give the stamp that a file of the inbox was last seen with, None if it is not there."""
        return self._intake.seen_as(rel)

    async def rescan(self) -> None:
        """List the whole inbox now and take it for the truth. Repeat: safe."""
        await self._guard.rescan()

    # ------------------------------------------------------------ life

    async def run(self) -> None:
        """Watch until cancelled. Repeat: once. Effects: two threads and those of inotify, ended when it returns."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._guard.keep())
                tasks.create_task(self._keep_deciding())
                tasks.create_task(self._handing.keep())
        finally:
            eyes = self._guard.eyes
            await self._threads.close(eyes.stop if eyes is not None else None)

    def _answering(self, hung: bool) -> None:  # noqa: FBT001  # a callback's only argument
        if hung:
            log.warning("inbox.hung", path=self.root, seconds=self._hung_s)
        else:
            log.info("inbox.answers", path=self.root)
            self._guard.look_soon(rescan=True)

    def _ask(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Start to find out what the intake waits for to go on; of this there is a bound."""
        self._asked += 1

        async def counted() -> None:
            try:
                await work(*args)
            finally:
                self._asked -= 1

        self._spawn(counted)

    def _spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Start something that is counted as under way until it ends."""
        self._busy += 1

        async def counted() -> None:
            try:
                await work(*args)
            finally:
                self._busy -= 1
                self._wake()

        self._tasks.create_task(counted())

    def _wake(self) -> None:
        self._changed.set()

    # ------------------------------------------------------------ hints from other threads

    def _hint_from_thread(self, rel: str, kind: HintKind) -> None:
        # The loop is woken once for a whole burst.
        self._hints.append((rel, kind))
        if not self._hinted:
            self._hinted = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: the watcher has ended
                self._loop.call_soon_threadsafe(self._wake)

    # ------------------------------------------------------------ deciding and acting

    async def _keep_deciding(self) -> None:
        while True:
            self._turned_s = self._clock()
            self._changed.clear()
            wait_s = PULSE_S
            if self._guard.paused:
                if not self._guard.is_listing:
                    self._forget_hints()
            elif self._guard.identity is not None:
                self._follow_hints()
                if self._asked < ASKED_AT_ONCE:
                    decision = self._intake.decide(self._clock(), most=JUDGED_AT_ONCE)
                    self._act(decision)
                    if decision.next_check_s is not None:
                        wait_s = min(wait_s, max(0.0, decision.next_check_s - self._clock()))
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _forget_hints(self) -> None:
        """Let go of what was told: the listing that ends the pause begins later, and will tell."""
        self._hinted = False
        self._hints.clear()

    def _follow_hints(self) -> None:
        self._hinted = False
        hints: dict[str, HintKind] = {}
        while self._hints:
            rel, kind = self._hints.popleft()
            hints[rel] = kind  # the last event of a name tells how it was left
        now_s = self._clock()
        files: list[tuple[str, HintKind]] = []
        for rel, kind in hints.items():
            if kind == "folder":
                if self._guard.enters(rel):
                    self._spawn(self._scan_below, rel)
            elif self._intake.names.classify(rel).role == "ignored":
                if kind != "gone":  # not worth a look, but its folder is not quiet
                    self._intake.see(Sighting(rel, kind, _UNSEEN, now_s))
            else:
                files.append((rel, kind))
        for part in _parts(files, LOOKS_AT_ONCE):
            self._ask(self._look, part)

    def _act(self, decision: Decision) -> None:
        for drop in decision.drops:
            self._handing.put(drop)
        for part in _parts(decision.look, LOOKS_AT_ONCE):
            self._ask(self._look, [(rel, None) for rel in part])
        for refs in _parts(decision.inspect, INSPECTIONS_AT_ONCE):
            self._ask(self._inspect, refs, decision.to_end)
        for refs in _parts(decision.read, LOOKS_AT_ONCE):
            self._ask(self._read, refs)
        for folder in decision.listings:
            self._spawn(self._list, folder)

    async def _look(self, wanted: Sequence[tuple[str, HintKind | None]]) -> None:
        kinds = dict(wanted)
        try:
            looks, blind = await self._threads.call(
                disk.look_at, self.root, list(kinds), self._known_identity, self._clock
            )
        except OSError:
            looks, blind = [], list(kinds)
            self._guard.look_soon()
        for look in looks:
            kind = kinds[look.rel]
            seen = kind if kind in ("created", "closed", "moved") else "scanned"
            self._intake.see(Sighting(look.rel, seen, look.stamp, look.at_s, look.kind))
        for rel in blind:
            self._intake.missed(rel, self._clock())

    async def _inspect(self, refs: Sequence[FileRef], to_end: Collection[FileRef]) -> None:
        leases, blocks = self._guard.file_system.leases, self._guard.file_system.blocks
        into = self._inspector.look_into
        founds = await self._threads.call(lambda: [into(ref, leases=leases, blocks=blocks) for ref in refs])
        answers: list[tuple[FileRef, Inspection]] = []
        for ref, found in zip(refs, founds, strict=True):
            seen = found.inspection
            if seen.verdict != "unread":
                answers.append((ref, seen))
            elif self._ends is None:
                answers.append((ref, replace(seen, verdict="unchecked")))
            elif seen.writer in ("none", "untried") or ref in to_end:
                self._unread.append((ref.rel, found.container))
                if self._readers < ENDINGS_AT_ONCE:
                    self._readers += 1
                    self._spawn(self._read_ends, self._ends)
            else:
                answers.append((ref, seen))
        await self._answer(answers)

    async def _read_ends(self, ends: inspecting.EndReader) -> None:
        """Read files to their ends, one after the other: of this inbox, as one that hangs must not keep the others."""
        try:
            while self._unread:
                rel, container = self._unread.popleft()
                stamp = self._intake.seen_as(rel)
                if stamp is not None:
                    await self._read_to_end(ends, FileRef(rel, stamp), container)
        finally:
            self._readers -= 1

    async def _read_to_end(self, ends: inspecting.EndReader, ref: FileRef, container: str) -> None:
        fd = await self._threads.call(self._inspector.open, ref)
        if isinstance(fd, Inspection):
            await self._answer([(ref, fd)])
            return
        conclude = partial(self._inspector.conclude, fd, ref, leases=self._guard.file_system.leases)
        try:
            verdict = await ends.read(fd, container)
        except BaseException:
            self._threads.later(conclude, "unchecked")
            raise
        await self._answer([(ref, await self._threads.call(conclude, verdict))])

    async def _answer(self, answers: Iterable[tuple[FileRef, Inspection]]) -> None:
        now_s = self._clock()
        changed = []
        for ref, inspection in answers:
            self._intake.inspected(ref.rel, ref.stamp, inspection, now_s)
            if inspection.verdict == "changed":
                changed.append((ref.rel, None))
        if changed:
            await self._look(changed)

    async def _read(self, refs: Sequence[FileRef]) -> None:
        leases, facts_of = self._guard.file_system.leases, self._facts_of
        texts = await self._threads.call(
            lambda: [inspecting.read_text(self.root, ref, facts_of, leases=leases) for ref in refs]
        )
        now_s = self._clock()
        for ref, (facts, writer) in zip(refs, texts, strict=True):
            self._intake.text_answered(ref.rel, ref.stamp, facts, writer, now_s)

    async def _list(self, folder: str) -> None:
        await asyncio.sleep(max(0.0, self._resting.get(folder, 0.0) - self._clock()))
        async with self._listing:
            await self._list_now(folder)

    async def _list_now(self, folder: str) -> None:
        started_s = self._clock()
        parts = disk.list_in_parts(self.root, folder, self._known_identity)
        listed: set[str] = set()
        took_s, gone = 0.0, False

        def next_part() -> tuple[disk.Listing | None, float]:
            begun_s = self._clock()
            return next(parts, None), self._clock() - begun_s  # of the folder itself: the wait for a thread is not its

        try:
            while True:
                part, part_s = await self._threads.call(next_part)
                took_s += part_s
                if part is None:
                    break
                self._intake.listed_part(folder, part, started_s=started_s)
                listed.update(part)
        except disk.GONE:
            gone = True
        except OSError:
            self._intake.missed_listing(folder, self._clock())
            self._guard.look_soon()
            return
        except BaseException:
            self._threads.later(parts.close)
            raise
        if len(self._resting) > 1000:  # folders that come and go must not grow this for ever
            self._resting = {}
        self._resting[folder] = self._clock() + LISTING_REST * took_s
        if gone:
            self._intake.scanned({}, started_s=started_s, under=folder)
        else:
            self._intake.listing_ended(folder, listed, started_s=started_s)

    async def _scan_below(self, folder: str) -> None:
        started_s = self._clock()
        try:
            found = await self._threads.call(disk.scan, self.root, folder, self._guard.enters)
        except OSError:
            self._guard.look_soon()
            return
        if found.identity == self._guard.identity:
            self._intake.scanned(found.tree, started_s=started_s, under=folder, unread=found.unread)

    @property
    def _known_identity(self) -> disk.Identity:
        if self._guard.identity is None:  # nothing is decided before the first listing
            raise AssertionError("looked before the first listing")
        return self._guard.identity


def _parts(items: Sequence[_T], size: int) -> Iterable[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
