"""Native events of one inbox, as hints where to look. Touches: inotify, through watchdog and its threads; /proc."""

from __future__ import annotations

import errno
import logging
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Literal

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import DEFAULT_OBSERVER_TIMEOUT, BaseObserver
from watchdog.observers.inotify import InotifyEmitter, InotifyFullEmitter, InotifyObserver, InotifyWatchGroup
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

HintKind = Literal["created", "closed", "moved", "gone", "folder"]

# With every event watched, bursts lose files that are found with these few (Source: measured, arrivals.md 3).
_EVENTS: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_STOP_WAIT_S = 5.0
_MODEST_WATCHES = 524288
_MODEST_INSTANCES = 512


# Folders made inside new folders are found twice by watchdog 7.1, which it takes for a fault of its caller.
warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)


def _matters(record: logging.LogRecord) -> bool:
    """Drop the complaint of an emitter that is asked for events once more while it stops."""
    return "called when the thread is inactive" not in record.getMessage()


logging.getLogger("watchdog.observers.inotify").addFilter(_matters)


class _Reader(InotifyFD):
    """Reads the kernel's queue, and tells of an overflow when the watches that watchdog then renews are there again."""

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__()
        self._on_overflow = on_overflow

    def handle_event(self, event: InotifyEvent) -> None:
        """Handle an event; one of an overflow is lost for everybody else."""
        super().handle_event(event)
        if event.is_queue_overflow:
            self._on_overflow()

    def live_watches(self) -> dict[int, int] | None:
        """Ask the kernel which watches there are: watch descriptor to inode; None if it does not tell."""
        try:
            with open(f"/proc/self/fdinfo/{self._inotify_fd}", encoding="ascii", errors="replace") as info:
                fields = [line.split() for line in info if line.startswith("inotify wd:")]
            return {int(words[1][3:], 16): int(words[2][4:], 16) for words in fields}
        except (OSError, ValueError, IndexError):
            return None


class _Observer(InotifyObserver):
    """An observer that can tell whether it still sees: its threads die one by one, and silently."""

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        self._inotify_fd: _Reader = _Reader(on_overflow)
        self._inotify_fd.start()
        # Not InotifyObserver's own, which would begin with a reader that tells nobody of an overflow.
        BaseObserver.__init__(self, InotifyFullEmitter, timeout=DEFAULT_OBSERVER_TIMEOUT, inotify_fd=self._inotify_fd)

    def sees(self, root: bytes) -> bool:
        """Tell whether the reader of the kernel's queue and every emitter are alive, and the root is watched.

        After an unmount all threads live on; only the watches are gone.
        """
        threads = [self, *self.emitters, self._inotify_fd]
        is_watched = any(group._active_callbacks_by_path.get(root, -1) >= 0 for group in self._groups())  # noqa: SLF001
        return is_watched and all(thread.is_alive() for thread in threads)

    def watched(self) -> dict[bytes, int]:
        """Give the watch descriptor of every path that is believed to be watched; negative: it could not be.

        Blocking: whoever holds the lock may be walking a folder that hangs.
        """
        found: dict[bytes, int] = {}
        for group in self._groups():
            with group._lock:  # noqa: SLF001
                found.update(group._active_callbacks_by_path)  # noqa: SLF001
        return found

    def _groups(self) -> list[InotifyWatchGroup]:
        """Give what maps paths to watches: watchdog tells it nowhere else, hence the version in pyproject."""
        emitters = [emitter for emitter in self.emitters if isinstance(emitter, InotifyEmitter)]
        return [emitter._inotify for emitter in emitters if emitter._inotify is not None]  # noqa: SLF001

    def live_watches(self) -> dict[int, int] | None:
        return self._inotify_fd.live_watches()


class NativeEyes(FileSystemEventHandler):
    """Watches a folder by inotify and tells what to look at.

    `on_hint(rel, kind)` and `on_overflow()` are called from threads of watchdog. Blocking; `stop` ends every thread.
    """

    def __init__(
        self, root: str, *, recursive: bool, on_hint: Callable[[str, HintKind], None], on_overflow: Callable[[], None]
    ) -> None:
        self._root = os.path.abspath(root)
        self._prefix = self._root.rstrip("/") + "/"
        self._recursive = recursive
        self._on_hint = on_hint
        self._on_overflow = on_overflow
        self._observer: _Observer | None = None
        self._turn = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Begin to watch, unless stopped already. Raises: OSError if the folder is gone or a limit is reached."""
        with self._turn:
            if self._stopped:
                return
            observer = _Observer(self._on_overflow)
            try:
                observer.schedule(self, self._root, recursive=self._recursive, event_filter=_EVENTS)
                observer.start()
            except BaseException:
                observer.stop()
                raise
            self._observer = observer

    def stop(self) -> None:
        """Stop watching for good and end the threads, after a start that is under way. Repeat: safe."""
        with self._turn:
            self._stopped = True
            observer, self._observer = self._observer, None
            if observer is not None:
                observer.stop()
                observer.join(_STOP_WAIT_S)

    def is_alive(self) -> bool:
        """Tell whether events can still come: the emitter dies with the folder while the observer lives on."""
        observer = self._observer
        return observer is not None and observer.sees(os.fsencode(self._root))

    def unwatched(self, inodes: Mapping[str, int], *, by_inode: bool) -> frozenset[str]:
        """Tell which of these folders (with the inodes they have) no watch is on: watchdog loses them silently.

        `by_inode`: a watch counts only if it is on that very folder, not on one that lay there before.
        """
        observer = self._observer
        if observer is None:
            return frozenset()
        watched, live = observer.watched(), observer.live_watches()

        def is_watched(rel: str, inode: int) -> bool:
            watch = watched.get(os.fsencode(self._prefix + rel if rel else self._root), -1)
            if watch < 0 or live is None:
                return watch >= 0
            return watch in live and (not by_inode or live[watch] == inode)

        return frozenset(rel for rel, inode in inodes.items() if not is_watched(rel, inode))

    def dispatch(self, event: FileSystemEvent) -> None:
        """Turn an event into hints; which of its paths are inside the inbox decides."""
        source, target = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        if event.is_directory:
            self._hint(source, "folder")
            self._hint(target, "folder")
        elif isinstance(event, FileMovedEvent):
            self._hint(source, "gone")
            self._hint(target, "moved")
        elif isinstance(event, FileClosedEvent):
            self._hint(source, "closed")
        else:
            self._hint(source, "gone" if isinstance(event, FileDeletedEvent) else "created")

    def _hint(self, path: str, kind: HintKind) -> None:
        if path.startswith(self._prefix):
            self._on_hint(path[len(self._prefix) :], kind)


def watch_limit_sentence(wanted: int) -> str:
    """Name the limit of watches that is reached, and the command that raises it."""
    return _limit_sentence("max_user_watches", "max_inotify_watches", max(wanted * 2, _MODEST_WATCHES))


def instance_limit_sentence() -> str:
    """Name the limit of inotify instances that is reached, and the command that raises it."""
    return _limit_sentence("max_user_instances", "max_inotify_instances", _MODEST_INSTANCES)


def limit_sentence(error: OSError) -> str:
    """Name the limit that an error of `start` is about; "" if it is about none."""
    if error.errno == errno.ENOSPC:
        return watch_limit_sentence(0)
    return instance_limit_sentence() if error.errno == errno.EMFILE else ""


def _limit_sentence(of_kernel: str, of_namespace: str, modest: int) -> str:
    # In a user namespace (a rootless container) its own limit may be the lower one.
    limits = {f"fs.inotify.{of_kernel}": _number(f"/proc/sys/fs/inotify/{of_kernel}")}
    limits[f"user.{of_namespace}"] = _number(f"/proc/sys/user/{of_namespace}")
    name, limit = min(limits.items(), key=lambda item: item[1])
    return f"{name} is {limit}: raise it with `sysctl {name}={max(limit * 2, modest)}`"


def _number(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 2**31
