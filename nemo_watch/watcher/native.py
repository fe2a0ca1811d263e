"""Native events of one inbox, as hints where to look. Touches: inotify, through watchdog and its threads."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable
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
from watchdog.observers.inotify import InotifyObserver

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
_OVERFLOW_LOGGER = "watchdog.observers.inotify_c"
_STOP_WAIT_S = 5.0


# Folders made inside new folders are found twice by watchdog 7.1, which it takes for a fault of its caller.
warnings.filterwarnings("ignore", message="Callback with id", category=RuntimeWarning)


def _matters(record: logging.LogRecord) -> bool:
    """Drop the complaint of an emitter that is asked for events once more while it stops."""
    return "called when the thread is inactive" not in record.getMessage()


logging.getLogger("watchdog.observers.inotify").addFilter(_matters)


class _Observer(InotifyObserver):
    """An observer that can tell whether it still sees: its threads die one by one, and silently."""

    def sees(self) -> bool:
        """Tell whether the reader of the kernel's queue and every emitter are alive."""
        reader = getattr(self, "_inotify_fd", None)  # watchdog 6 has one reader an emitter instead
        threads = [self, *self.emitters, *([reader] if isinstance(reader, threading.Thread) else [])]
        return all(thread.is_alive() for thread in threads)


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
        self._overflow = _OverflowHook(on_overflow)
        self._observer: _Observer | None = None
        self._turn = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Begin to watch, unless stopped already. Raises: OSError if the folder is gone or a limit is reached."""
        with self._turn:
            if self._stopped:
                return
            observer = _Observer(generate_full_events=True)
            try:
                observer.schedule(self, self._root, recursive=self._recursive, event_filter=_EVENTS)
                observer.start()
            except BaseException:
                observer.stop()
                raise
            self._observer = observer
            # An overflow loses events silently but for this warning; it does not say whose, so everybody looks again.
            logging.getLogger(_OVERFLOW_LOGGER).addHandler(self._overflow)

    def stop(self) -> None:
        """Stop watching for good and end the threads, after a start that is under way. Repeat: safe."""
        with self._turn:
            self._stopped = True
            logging.getLogger(_OVERFLOW_LOGGER).removeHandler(self._overflow)
            observer, self._observer = self._observer, None
            if observer is not None:
                observer.stop()
                observer.join(_STOP_WAIT_S)

    def is_alive(self) -> bool:
        """Tell whether events can still come: the emitter dies with the folder while the observer lives on."""
        observer = self._observer
        return observer is not None and observer.sees()

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


class _OverflowHook(logging.Handler):
    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_overflow = on_overflow

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in str(record.msg):
            self._on_overflow()
