"""A watcher on a real folder, and what the tests of it share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from nemo_watch import media
from nemo_watch.intake import InboxRules, Intake, SettleRules
from nemo_watch.model import Drop
from nemo_watch.sidecar import facts
from nemo_watch.watcher import Watcher

QUICK = SettleRules(
    closed_s=0.15,
    open_s=0.6,
    sidecar_s=0.15,
    polled_s=0.4,
    sidecar_wait_s=0.3,
    empty_grace_s=0.5,
    not_media_grace_s=0.3,
    unreadable_grace_s=0.3,
    link_grace_s=0.3,
)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4(filling: int = 2000) -> bytes:
    """The smallest bytes that walk as a whole mp4."""
    moov = box(b"moov", box(b"mvhd", bytes(100)))
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + moov + box(b"mdat", os.urandom(filling))


def run(*command: str | Path) -> None:
    """Let a real program write; it is done when this returns."""
    subprocess.run(command, check=True)


class Watched:
    """A running watcher and what it dropped."""

    def __init__(self, root: Path, rules: SettleRules, **more: object) -> None:
        self.root = root
        self.drops: list[Drop] = []
        self.fail = 0
        inbox = InboxRules("videos", instruction="cut the pauses", ignore=("*.wip.mp4",))
        self.watcher = Watcher(
            str(root),
            Intake(inbox, rules),
            self._take,
            sniff=media.sniff,
            facts_of=facts,
            **more,  # type: ignore[arg-type]  # keyword arguments of the test
        )

    async def _take(self, drop: Drop) -> None:
        if self.fail:
            self.fail -= 1
            raise RuntimeError("the ledger is locked")
        self.drops.append(drop)

    def names(self) -> list[str]:
        return sorted(drop.clip.rel for drop in self.drops)

    def codes(self) -> dict[str, str]:
        return {drop.clip.rel: drop.refusal.code if drop.refusal else "" for drop in self.drops}

    def reason(self, rel: str) -> str:
        waiting = self.watcher.why(rel)
        return waiting.reason if waiting else ""

    async def until(self, true: Callable[[], bool], timeout_s: float = 20.0) -> None:
        end_s = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < end_s, f"{self.names()} {self.watcher.waiting()} {self.watcher.state}"
            await asyncio.sleep(0.01)

    async def idle(self) -> None:
        """Wait until everything that is there was judged: what was written before must have been seen by now."""
        await self.watcher.rescan()
        await self.until(self.watcher.idle)


@contextlib.asynccontextmanager
async def watching(root: Path, rules: SettleRules = QUICK, **more: object) -> AsyncIterator[Watched]:
    watched = Watched(root, rules, **more)
    task = asyncio.create_task(watched.watcher.run())
    try:
        await watched.until(lambda: watched.watcher.state != "starting" or task.done())
        if task.done():
            task.result()
        yield watched
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
