"""The folders of all inboxes, each guarded and with threads of its own; inboxes that share a folder share both.

Touches: the folders, on their own threads; what the ledger remembers of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError as FutureCancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog

from nemo_watch.config.layout import Identity, identity
from nemo_watch.errors import LedgerError, MediaError
from nemo_watch.folders.marker import Owner, Role
from nemo_watch.folders.presence import Presence
from nemo_watch.folderthreads import HUNG_S, FolderThreads, NoAnswerError, answer_within
from nemo_watch.ledger import Ledger
from nemo_watch.model import Json

P = ParamSpec("P")
T = TypeVar("T")

LEDGER_WAIT_S = 20.0
START_WAIT_S = 3.0

log = structlog.get_logger("nemo_watch.folders")


def real_path(path: str) -> str:
    """Resolve the links in a path; one that hangs is taken as it is, and waits like every hung folder."""
    try:
        return answer_within(START_WAIT_S, os.path.realpath, path)
    except NoAnswerError:
        log.warning("folder.hung", path=path, seconds=START_WAIT_S, then="it is used under the name it was given")
        return path


def is_mount(path: str) -> bool:
    """Tell whether something is mounted on a folder; what hangs is a mount."""
    try:
        return answer_within(START_WAIT_S, os.path.ismount, path)
    except NoAnswerError:
        return True


def identify(path: str) -> Identity | None:
    """Tell which folder lies at a path, None if none can be seen: there is none, or it hangs."""
    try:
        return answer_within(START_WAIT_S, identity, path)
    except NoAnswerError:
        return None


class LoopMemory:
    """What the ledger remembers, for the threads of folders while the loop runs."""

    def __init__(self, ledger: Ledger, loop: asyncio.AbstractEventLoop, *, wait_s: float = LEDGER_WAIT_S) -> None:
        self._ledger = ledger
        self._loop = loop
        self._wait_s = wait_s

    def recall(self, key: str) -> Json | None:
        """Read a fact, None if there is none. Raises: LedgerError."""
        return self._wait(self._ledger.recall(key))

    def remember(self, key: str, value: Json) -> None:
        """Keep a fact; durable when it returns. Raises: LedgerError. Repeat: safe."""
        self._wait(self._ledger.remember(key, value))

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        """Wait in a folder's thread for what the loop does. Raises: LedgerError."""
        try:
            answer = asyncio.run_coroutine_threadsafe(asked, self._loop)
        except RuntimeError as error:  # the loop is closed: the daemon has ended
            asked.close()
            raise LedgerError("The ledger is closed: the daemon is stopping.") from error
        try:
            return answer.result(self._wait_s)
        except FutureCancelledError as error:
            raise LedgerError("The ledger was not asked: the daemon is stopping.") from error
        except FutureTimeoutError as error:
            if answer.done():
                raise  # it is the ledger's own
            answer.cancel()  # by the loop: closed from here, what it has begun would be torn out of its hands
            if self._loop.is_closed():
                asked.close()
            raise LedgerError(
                f"The ledger did not answer for {self._wait_s:g} s: the daemon is stopping, or very busy.",
                hint="It is asked again by itself; look at the load of this machine and at the state folder's disk.",
            ) from error


class GuardedFolder:
    """One folder: every call runs on its own threads, and only while it is the folder it was."""

    def __init__(self, threads: FolderThreads, presence: Presence | None, on_back: Callable[[], None]) -> None:
        """Bring both together. Without a presence (a local folder of ours) nothing is guarded but hanging."""
        self.threads = threads
        self.root = threads.root
        self.presence = presence
        self._on_back = on_back

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on the folder.

        Raises: FolderError if the folder hangs, is away or was replaced; whatever `work` raises.
        """
        return await self.threads.call(partial(self._guarded, partial(work, *args, **kwargs)))

    async def call_with(self, other: GuardedFolder, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on two folders: the threads are ours, but the other one must answer, too."""
        await other.call(_nothing)
        about = f"{self.root} or {other.root}"
        return await self.threads.call_about(about, partial(self._guarded, partial(work, *args, **kwargs)))

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something on a descriptor that is open already: it cannot be another folder's. Raises: as `call`."""
        return await self.threads.call(partial(self._converted, partial(work, *args, **kwargs)))

    def is_read_only(self) -> bool:
        """Tell whether the folder lies on a file system that is mounted read-only; blocking. Raises: OSError."""
        return bool(os.statvfs(self.root).f_flag & os.ST_RDONLY)

    def trust(self) -> str:
        """Say "" if the folder can be believed, else why not; blocking, for the watcher's own threads."""
        if self.presence is None:
            return ""
        was, said = self.presence.sentence, self.presence.refusal()
        if was and not said:
            self._on_back()
        return said

    def _guarded(self, work: Callable[[], T]) -> T:
        if self.presence is None:
            return work()
        self.presence.insist()
        if self.presence.role == "target":
            return self._converted(work)
        try:
            result = self._converted(work)
        except MediaError:
            self.presence.insist()  # below an unmounted share every file seems to be gone
            raise
        try:
            self.presence.insist()
        except BaseException:
            close = getattr(result, "close", None)
            if callable(close):
                close()
            raise
        return result

    def _converted(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            if self.presence is None:
                raise
            self.presence.insist()
            raise self.presence.unavailable(error) from error


def unguarded(root: str, _role: Role | None = None) -> GuardedFolder:
    """Give a folder that is only looked at: nothing is written there, and whose it is does not matter."""
    return GuardedFolder(FolderThreads(root), None, _nothing)


def _nothing() -> None:
    """Only the guard is wanted."""


class GuardedFolders:
    """Gives each folder its guard and threads, once; made on the loop, for as long as it runs.

    `let_go_on(reason)` is called when what held jobs is over: a folder answers again, an inbox is back.
    """

    def __init__(
        self,
        ledger: Ledger,
        state_path: str,
        let_go_on: Callable[[str], Coroutine[Any, Any, None]],
        *,
        hung_s: float = HUNG_S,
    ) -> None:
        """Remember whose they are; nothing is touched yet."""
        self._loop = asyncio.get_running_loop()
        self._owner = Owner.here(ledger.ledger_id, state_path)
        self._memory = LoopMemory(ledger, self._loop)
        self._let_go_on = let_go_on
        self._hung_s = hung_s
        self._folders: dict[str, GuardedFolder] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def folder(self, root: str, role: Role | None) -> GuardedFolder:
        """Give the folder at a path; `role` None is a local one of ours. Repeat: safe, the same one."""
        if root not in self._folders:
            threads = FolderThreads(root, hung_s=self._hung_s, on_change=partial(self._changed, root))
            presence = Presence(root, role, self._owner, self._memory) if role is not None else None
            self._folders[root] = GuardedFolder(threads, presence, self._back)
        return self._folders[root]

    def close(self) -> None:
        """Take nothing more; a call that is stuck is left behind. Repeat: safe."""
        for folder in self._folders.values():
            folder.threads.close()
        for task in self._telling:
            task.cancel()

    def _changed(self, root: str, hung: bool) -> None:  # noqa: FBT001  # a callback's only argument
        if hung:
            log.warning("folder.hung", path=root, seconds=self._hung_s, then="what needs it waits; the rest goes on")
        else:
            log.info("folder.answers", path=root)
            self._tell("folder_hung")

    def _back(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the daemon has ended
            self._loop.call_soon_threadsafe(self._tell, "inbox_unavailable")

    def _tell(self, reason: str) -> None:
        async def tell() -> None:
            try:
                await self._let_go_on(reason)
            except LedgerError as error:  # they are looked at again by themselves a little later
                log.warning("ledger.failed", why=error.message, then=error.hint)

        task = self._loop.create_task(tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
