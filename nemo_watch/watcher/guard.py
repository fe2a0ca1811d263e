"""Guards one inbox: that it is there, that the eyes are on it, and that it is listed as a whole often enough.

Touches: the inbox (reading only), inotify, the clock.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import structlog

from nemo_watch.intake import Intake
from nemo_watch.watcher import disk
from nemo_watch.watcher.native import HintKind, NativeEyes
from nemo_watch.watcher.threads import InboxThreads

log = structlog.get_logger("nemo_watch.watcher")


class Guard:
    """Feeds the listings of an inbox to its intake, and stops believing them while the inbox is not there.

    `on_hint(rel, kind)` comes from other threads; `on_listed()` after each listing of the whole inbox.
    """

    def __init__(
        self,
        root: str,
        intake: Intake,
        threads: InboxThreads,
        *,
        rescan_s: float,
        native: bool,
        poll_s: float,
        guard_s: float,
        clock: Callable[[], float],
        on_hint: Callable[[str, HintKind], None],
        on_listed: Callable[[], None],
    ) -> None:
        self.mode = f"native events (inotify) and a rescan every {rescan_s:g} s"
        self.paused = ""
        self.started = False
        self.identity: disk.Identity | None = None
        self.eyes: NativeEyes | None = None
        self._root = root
        self._intake = intake
        self._threads = threads
        self._rescan_s = rescan_s
        self._native = native
        self._poll_s = poll_s
        self._guard_s = guard_s
        self._clock = clock
        self._on_hint = on_hint
        self._on_listed = on_listed
        self._eyes_on: disk.Identity | None = None
        self._next_rescan_s = 0.0
        self._now = asyncio.Event()
        self._listing = asyncio.Lock()
        if not native:
            self._poll_instead("as the config says")

    def look_soon(self, *, rescan: bool = False) -> None:
        """Look after the inbox now instead of at the next turn."""
        if rescan:
            self._next_rescan_s = 0.0
        self._now.set()

    def enters(self, folder: str) -> bool:
        """Tell whether a folder below the inbox is looked into at all."""
        return not self._intake.names.folder_rule(folder)

    async def keep(self) -> None:
        """Look after the inbox until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._now.clear()
            await self._look_after()
            rest_s = self._guard_s
            if not self.paused:
                rest_s = min(rest_s, max(0.0, self._next_rescan_s - self._clock()))
            try:
                async with asyncio.timeout(rest_s):
                    await self._now.wait()
            except TimeoutError:
                continue

    async def _look_after(self) -> None:
        try:
            identity = await self._threads.call(disk.identity_of, self._root)
            if self._native and (self.eyes is None or identity != self._eyes_on or not self.eyes.is_alive()):
                await self._open_eyes(identity)
                self._next_rescan_s = 0.0
        except OSError as error:
            await self._pause(_why_not(self._root, error))
            return
        if self.paused or self._clock() >= self._next_rescan_s:
            await self.rescan()

    async def rescan(self) -> None:
        """List the whole inbox now and take it for the truth. Repeat: safe."""
        async with self._listing:
            started_s = self._clock()
            self._next_rescan_s = started_s + self._rescan_s
            try:
                found = await self._threads.call(disk.scan, self._root, "", self.enters)
            except OSError as error:
                await self._pause(_why_not(self._root, error))
                return
            if self.identity not in (None, found.identity) and found.is_empty and self._intake.count():
                # A share that is not mounted leaves an empty folder behind: its files are not gone.
                await self._pause(f"{self._root} is another, empty folder now; is the share mounted?")
                return
            if self.paused:
                log.info("inbox.back", path=self._root)
            if found.unread:
                log.warning("inbox.unreadable_folders", path=self._root, folders=found.unread[:10])
            self.identity, self.paused, self.started = found.identity, "", True
            self._intake.scanned(found.tree, started_s=started_s, unread=found.unread)
            self._on_listed()

    async def _pause(self, reason: str) -> None:
        """Believe nothing of what is seen until the inbox is back: what lay there is not gone."""
        if self.paused != reason:
            log.warning("inbox.paused", path=self._root, why=reason)
        self.paused = reason
        await self._shut_eyes()

    # ------------------------------------------------------------ the eyes

    async def _open_eyes(self, identity: disk.Identity) -> None:
        await self._shut_eyes()
        eyes = NativeEyes(
            self._root, recursive=self.enters("any"), on_hint=self._on_hint, on_overflow=self._overflow_from_thread
        )
        self.eyes, self._eyes_on = eyes, identity  # before they open: whoever ends this must be able to shut them
        try:
            await self._threads.call(eyes.start)
        except OSError as error:
            self.eyes, self._eyes_on = None, None
            if error.errno not in (errno.ENOSPC, errno.EMFILE):
                raise
            limit = "max_user_watches" if error.errno == errno.ENOSPC else "max_user_instances"
            self._native = False
            self._poll_instead(f"as the limit fs.inotify.{limit} is reached: raise it with sysctl")
            log.warning("inbox.polled", path=self._root, mode=self.mode)

    async def _shut_eyes(self) -> None:
        eyes, self.eyes, self._eyes_on = self.eyes, None, None
        if eyes is not None:
            await self._threads.call(eyes.stop)

    def _poll_instead(self, why: str) -> None:
        self.mode = f"polling every {self._poll_s:g} s, {why}"
        self._intake.polled = True
        self._rescan_s = self._poll_s

    def _overflow_from_thread(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._overflowed)
        except RuntimeError:
            return  # the loop is closed: the watcher has ended

    def _overflowed(self) -> None:
        log.warning("inbox.overflow", path=self._root, then="the whole inbox is listed again")
        self.look_soon(rescan=True)


def _why_not(root: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{root} is not there"
    if isinstance(error, disk.RootChangedError):
        return f"{root} was replaced by another folder while it was listed"
    return f"{root} cannot be listed: {error.strerror or error}"
