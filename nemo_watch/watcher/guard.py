"""Guards one inbox: that it is there, how it is watched, and that it is listed often enough.

Touches: the inbox (reading only), mountinfo, inotify, the clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal

import structlog

from nemo_watch import mounts
from nemo_watch.intake import Intake
from nemo_watch.watcher import disk
from nemo_watch.watcher.native import HintKind, NativeEyes, limit_sentence, watch_limit_sentence
from nemo_watch.watcher.threads import InboxThreads

WatchSetting = Literal["auto", "native", "polling"]

QUIET_POLLS = 3
"""After so many polls without any change, and with nothing on its way, each further one waits one `poll` longer."""
SLOWEST_POLL = 6
"""... up to so many times `poll`, and never longer than `rescan` (both are judgements)."""
FULL_EVERY = 10
"""Where events are trusted, a rescan lists only folders in which a name came or went, and each so many all of them."""
NOT_ENTERED = (
    "a nemo-watch puts results or originals there, as the marker .nemo-watch in it says: it is not watched. If none "
    "does that any more, remove that file"
)

log = structlog.get_logger("nemo_watch.watcher")


class Guard:
    """Feeds the listings of an inbox to its intake, and stops believing them while the inbox is not there.

    `on_hint(rel, kind)` comes from other threads; `on_listed()` after each listing of the whole inbox. `trust()` is
    asked in the inbox's own threads before anything is believed: "" or the sentence why nothing must be.
    """

    def __init__(
        self,
        root: str,
        intake: Intake,
        threads: InboxThreads,
        *,
        watch: WatchSetting,
        rescan_s: float,
        poll_s: float,
        guard_s: float,
        clock: Callable[[], float],
        on_hint: Callable[[str, HintKind], None],
        on_listed: Callable[[], None],
        trust: Callable[[], str] | None,
    ) -> None:
        self.file_system = mounts.classify(None)
        self.mode = "not looked at yet"
        self.paused = ""
        self.started = False
        self.is_listing = False
        self.identity: disk.Identity | None = None
        self.eyes: NativeEyes | None = None
        self._root = root
        self._intake = intake
        self._threads = threads
        self._watch = watch
        self._rescan_s = rescan_s
        self._poll_s = poll_s
        self._guard_s = guard_s
        self._clock = clock
        self._on_hint = on_hint
        self._on_listed = on_listed
        self._trust = trust
        self._eyes_on: disk.Identity | None = None
        self._eyes_again_s = 0.0
        self._limit = ""
        self._unwatched: frozenset[str] = frozenset()
        self._is_half_blind = False
        self._listed_s = 0.0
        self._list_all = True
        self._light_rescans = 0
        self._quiet_polls = 0
        self._outline: dict[str, disk.Outline] = {}
        self.targets: frozenset[str] = frozenset()
        self._tree: dict[str, disk.Listing] = {}
        self._now = asyncio.Event()
        self._turning = asyncio.Lock()

    def look_soon(self, *, rescan: bool = False) -> None:
        """Look after the inbox now instead of at the next turn."""
        if rescan:
            self._list_all = True
        self._now.set()

    def enters(self, folder: str) -> bool:
        """Tell whether a folder below the inbox is looked into at all."""
        return not self._intake.names.folder_rule(folder)

    async def keep(self) -> None:
        """Look after the inbox until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._now.clear()
            await self._turn()
            rest_s = self._guard_s
            if not self.paused:
                rest_s = min(rest_s, max(0.0, self._due_s() - self._clock()))
            try:
                async with asyncio.timeout(rest_s):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def rescan(self) -> None:
        """List the whole inbox now and take it for the truth. Repeat: safe."""
        self._list_all = True
        await self._turn()

    # ------------------------------------------------------------ one turn

    async def _turn(self) -> None:
        async with self._turning:
            ground = await self._threads.call(_survey, self._root, self._trust)
            if isinstance(ground, str):
                await self._pause(ground)
                return
            self.file_system = ground.file_system
            try:
                await self._see_to_eyes(ground.identity)
                if self.paused or self._clock() >= self._due_s():
                    await self._list(ground.identity)
            except OSError as error:
                await self._pause(_why_not(self._root, error))

    def _due_s(self) -> float:
        if self._list_all:
            return 0.0
        interval_s = self._rescan_s
        if self.eyes is None:
            extra = max(0, self._quiet_polls - QUIET_POLLS) if self._intake.idle() else 0
            slowest_s = max(self._poll_s, min(self._rescan_s, SLOWEST_POLL * self._poll_s))
            interval_s = min(self._poll_s * (1 + extra), slowest_s)
        elif self._unwatched:
            interval_s = min(self._poll_s, self._rescan_s)
        return self._listed_s + interval_s

    async def _pause(self, reason: str) -> None:
        """Believe nothing of what is seen until the inbox is back: what lay there is not gone."""
        if self.paused != reason:
            log.warning("inbox.paused", path=self._root, why=reason)
        self.paused = reason
        self._outline, self._tree, self._list_all = {}, {}, True
        await self._shut_eyes()

    # ------------------------------------------------------------ listings

    async def _list(self, identity: disk.Identity) -> None:
        """List what is due. Raises: OSError if the inbox cannot be listed."""
        self.is_listing = True  # what is told from now on is newer than the listing
        try:
            await self._list_and_feed(identity)
        finally:
            self.is_listing = False

    async def _list_and_feed(self, identity: disk.Identity) -> None:
        started_s = self._listed_s = self._clock()
        outline = self._outline_to_trust(identity)
        self._list_all = False
        scan = partial(disk.scan, self._root, "", self.enters, before=self._tree, outline=outline)
        found = await self._threads.call(scan)
        if found.identity != identity:
            raise disk.RootChangedError
        if self._trust is None and self.identity not in (None, identity) and found.is_empty and self._intake.count():
            # A share that is not mounted leaves an empty folder behind: its files are not gone.
            await self._pause(f"{self._root} is another, empty folder now; is the share mounted?")
            return
        if found.unread:
            log.warning("inbox.unreadable_folders", path=self._root, folders=found.unread[:10])
        for folder in found.targets:
            if folder not in self.targets:
                log.warning("inbox.target_inside", path=disk.below(self._root, folder), then=NOT_ENTERED)
        # What was not listed, as nothing changed in it or as it could not be, is what it was.
        self.targets = frozenset(found.targets) | self.targets & {*found.same, *found.unread}
        self._remember(found)
        steps = self._intake.scan_in_steps(
            found.tree,
            started_s=started_s,
            unread=found.unread,
            same=found.same,
            comes_again=self.eyes is None,
            used_up=self.eyes is not None,
        )
        for _ in steps:
            await asyncio.sleep(0)
        if self.paused:
            log.info("inbox.back", path=self._root)
        self.identity, self.paused, self.started = identity, "", True
        for rel in self._intake.incomplete() if found.same else ():
            self._on_hint(rel, "created")  # what grows again without a close may have grown in a folder not listed
        self._on_listed()
        if self.eyes is not None:
            await self._count_watches(self.eyes, found)

    def _outline_to_trust(self, identity: disk.Identity) -> dict[str, disk.Outline] | None:
        """Choose what need not be listed: nothing, unless events told of every change in place since."""
        trusted = self.eyes is not None and self.file_system.leases and not self._list_all and not self.paused
        if not trusted or identity != self.identity or self._light_rescans + 1 >= FULL_EVERY:
            self._light_rescans = 0
            return None
        if not self._unwatched:
            self._light_rescans += 1
        return {rel: outline for rel, outline in self._outline.items() if rel not in self._unwatched}

    def _remember(self, found: disk.Scan) -> None:
        self._outline = found.outline
        if self.eyes is not None:
            self._tree = {}
            return
        is_quiet = len(found.tree) == len(self._tree) and all(
            listing is self._tree.get(rel) for rel, listing in found.tree.items()
        )
        self._quiet_polls = self._quiet_polls + 1 if is_quiet else 0
        self._tree = found.tree

    # ------------------------------------------------------------ the eyes

    async def _see_to_eyes(self, identity: disk.Identity) -> None:
        """Have the eyes open where events tell the truth, and shut elsewhere. Raises: OSError."""
        if self._watch == "polling" or (self._watch == "auto" and self.file_system.watch == "polling"):
            await self._shut_eyes()
            self._poll(self.file_system.why if self._watch == "auto" else "as the config says")
            return
        if self._limit and self._clock() < self._eyes_again_s:
            self._poll(f"as the limit {self._limit}")
            return
        if self.eyes is None or identity != self._eyes_on or not self.eyes.is_alive():
            await self._open_eyes(identity)
        self._say_native()

    async def _open_eyes(self, identity: disk.Identity) -> None:
        await self._shut_eyes()
        self._list_all = True  # nobody looked since they were shut
        self._eyes_again_s = self._clock() + self._rescan_s
        eyes = NativeEyes(
            self._root, recursive=self.enters("any"), on_hint=self._on_hint, on_overflow=self._overflow_from_thread
        )
        self.eyes, self._eyes_on = eyes, identity  # before they open: whoever ends this must be able to shut them
        try:
            await self._threads.call(eyes.start)
            self._limit = ""
        except OSError as error:
            self.eyes, self._eyes_on = None, None
            self._limit = limit_sentence(error)
            if not self._limit:
                raise

    async def _shut_eyes(self) -> None:
        eyes, self.eyes, self._eyes_on = self.eyes, None, None
        self._unwatched, self._is_half_blind = frozenset(), False
        if eyes is not None:
            await self._threads.call(eyes.stop)

    async def _count_watches(self, eyes: NativeEyes, found: disk.Scan) -> None:
        """Find folders that no watch is on; one that is so twice in a row is no race: open the eyes anew."""
        inodes = {rel: outline.inode for rel, outline in found.outline.items()}
        count = partial(eyes.unwatched, inodes, by_inode=self.file_system.leases)
        before, self._unwatched = self._unwatched, await self._threads.call(count)
        if before & self._unwatched and self._clock() >= self._eyes_again_s:
            was_half_blind = self._is_half_blind
            log.info("inbox.eyes_anew", path=self._root, unwatched=len(self._unwatched), folders=len(inodes))
            await self._open_eyes(found.identity)
            if self.eyes is not None:
                again = partial(self.eyes.unwatched, inodes, by_inode=self.file_system.leases)
                self._unwatched = before & await self._threads.call(again)
                self._is_half_blind = bool(self._unwatched) or was_half_blind
        elif not self._unwatched:
            self._is_half_blind = False
        self._say_native(len(inodes))

    # ------------------------------------------------------------ what is said

    def _poll(self, why: str) -> None:
        self._intake.polled = True
        self._say(f"polling every {self._poll_s:g} s, {why}", is_usual=not self._limit)

    def _say_native(self, folders: int = 0) -> None:
        if self.eyes is None:
            self._poll(f"as the limit {self._limit}")
            return
        self._intake.polled = False
        if not self._is_half_blind:
            but = "" if self.file_system.watch == "native" else f", as the config says, but {self.file_system.why}"
            self._say(f"native events (inotify) and a rescan every {self._rescan_s:g} s{but}")
        elif folders:
            self._say(
                f"native events (inotify) and a listing every {min(self._poll_s, self._rescan_s):g} s, as "
                f"{len(self._unwatched)} of {folders} folders cannot be watched: {watch_limit_sentence(folders)}",
                is_usual=False,
            )

    def _say(self, mode: str, *, is_usual: bool = True) -> None:
        if mode != self.mode:
            self.mode = mode
            (log.info if is_usual else log.warning)("inbox.watched", path=self._root, mode=mode)

    def _overflow_from_thread(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._overflowed)
        except RuntimeError:
            return  # the loop is closed: the watcher has ended

    def _overflowed(self) -> None:
        log.warning("inbox.overflow", path=self._root, then="the whole inbox is listed again")
        self.look_soon(rescan=True)


def _survey(root: str, trust: Callable[[], str] | None) -> disk.Ground | str:
    """See what lies there and whether it may be believed; if not, say why. Blocking."""
    try:
        ground = disk.ground_of(root)
    except OSError as error:
        return (trust() if trust is not None else "") or _why_not(root, error)
    return (trust() if trust is not None else "") or ground


def _why_not(root: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{root} is not there"
    if isinstance(error, disk.RootChangedError):
        return f"{root} was replaced by another folder while it was listed"
    return f"{root} cannot be listed: {error.strerror or error}"
