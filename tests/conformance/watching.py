"""The watcher under test, the naive rules beside it, and a sampler of how long files stood still.

Touches: the inbox (reading only), threads, inotify.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

from nemo_watch import folders, media
from nemo_watch.errors import MediaError
from nemo_watch.intake import InboxRules, Intake, SettleRules
from nemo_watch.model import Drop
from nemo_watch.sidecar import facts
from nemo_watch.watcher import Watcher
from tests.conformance import clips
from tests.conformance.scoring import Sent, Take

VIDEO = (".mp4", ".mov", ".mkv", ".avi", ".webm")
SIDECAR_WAIT_S = 6.0
RULES = SettleRules(sidecar_wait_s=SIDECAR_WAIT_S)
"""The windows of the product; only the wait for a sidecar is shorter, as nobody is tested by it."""


class Settled:
    """A running watcher whose drops are read at once, as the pipeline reads them."""

    def __init__(self, inbox: Path) -> None:
        self.takes: list[Take] = []
        self._inbox = str(inbox)
        rules = InboxRules("videos", instruction="cut the pauses")
        self.watcher = Watcher(
            self._inbox,
            Intake(rules, RULES),
            self._take,
            sniff=media.sniff,
            ends=media.EndReader(),
            facts_of=facts,
        )

    async def _take(self, drop: Drop) -> None:
        try:
            take = await asyncio.to_thread(self._read, drop)
        except MediaError as error:
            if error.code not in ("changed", "gone"):
                raise
            self.watcher.forget(drop.clip.rel)
            return
        self.takes.append(take)

    def _read(self, drop: Drop) -> Take:
        rel, at_s = drop.clip.rel, time.monotonic()
        if drop.refusal is not None:
            return Take(rel, "", at_s, refusal=drop.refusal.code)
        text = folders.read_small(self._inbox, drop.sidecar, 65536).decode() if drop.sidecar is not None else None
        return Take(rel, folders.fingerprint(self._inbox, drop.clip), at_s, text)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch during the block."""
        task = asyncio.create_task(self.watcher.run())
        try:
            while True:
                await asyncio.sleep(0.02)
                if self.watcher.state != "starting" or task.done():
                    break
            if task.done():
                task.result()
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def lacks(self, sent: list[Sent]) -> bool:
        """Tell whether something that was sent was not taken as it is in the end."""
        taken = {(take.rel, take.sha256) for take in self.takes}
        return any((file.rel, file.sha256) not in taken for file in sent)


class Naive(FileSystemEventHandler):
    """What programs do that believe one event: they take a file whenever it is closed, or whenever it is renamed in."""

    def __init__(self, inbox: Path) -> None:
        self.closed: list[Take] = []
        self.moved: list[Take] = []
        self._inbox = inbox

    def takes(self, rule: str) -> list[Take]:
        """Give what a rule took."""
        by_rule = {"CLOSE_WRITE alone": self.closed, "MOVED_TO alone": self.moved}
        return list(by_rule.get(rule, sorted(self.closed + self.moved, key=lambda take: take.at_s)))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Watch during the block."""
        observer = InotifyObserver(generate_full_events=True)
        observer.schedule(self, str(self._inbox), recursive=True, event_filter=[FileClosedEvent, FileMovedEvent])
        observer.start()
        try:
            yield
        finally:
            observer.stop()
            observer.join(10)

    def dispatch(self, event: FileSystemEvent) -> None:
        """Take at once what the event names."""
        if isinstance(event, FileClosedEvent):
            self._take(os.fsdecode(event.src_path), self.closed)
        elif isinstance(event, FileMovedEvent):
            self._take(os.fsdecode(event.dest_path), self.moved)

    def _take(self, path: str, takes: list[Take]) -> None:
        if path.startswith(f"{self._inbox}/") and path.endswith(VIDEO) and not os.path.basename(path).startswith("."):
            with contextlib.suppress(FileNotFoundError):
                takes.append(Take(os.path.relpath(path, self._inbox), clips.sha256(Path(path)), time.monotonic()))


class Stillness:
    """How long each file stood unchanged under its final name, to be asked up to the moment it was final."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self._since: dict[str, list[tuple[float, tuple[int, int, int]]]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="stillness")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Sample during the block."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join()

    def longest_s(self, file: Sent) -> float:
        """Give the longest time a file stood still before it was final; what it was in the end does not count."""
        seen = self._since.get(file.rel, [])
        ends = [at_s for at_s, _ in seen[1:]] + [file.done_s]
        spans = (
            min(end_s, file.done_s) - at_s
            for (at_s, stamp), end_s in zip(seen, ends, strict=True)
            if stamp != file.stamp
        )
        return max(spans, default=0.0)

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            now_s = time.monotonic()
            for folder, _, names in os.walk(self._inbox):
                for name in names:
                    if name.endswith(VIDEO) and not name.startswith("."):
                        self._look(os.path.join(folder, name), now_s)

    def _look(self, path: str, now_s: float) -> None:
        with contextlib.suppress(FileNotFoundError):
            stamp = clips.stamp(path)
            seen = self._since.setdefault(os.path.relpath(path, self._inbox), [])
            if not seen or seen[-1][1] != stamp:
                seen.append((now_s, stamp))
