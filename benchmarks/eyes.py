"""The real watcher and intake as a process, for the other benchmarks: says on standard output what it sees.

Touches: the folder named (reading only), standard input and output.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable

from nemo_watch import log, media
from nemo_watch.intake import InboxRules, Intake, SettleRules
from nemo_watch.model import Drop, FileStamp, Sighting
from nemo_watch.watcher import Watcher


class TimedIntake(Intake):
    """An intake that notes when a closed file was entered."""

    def __init__(self, inbox: InboxRules, settle: SettleRules) -> None:
        super().__init__(inbox, settle)
        self.entered_ns: dict[str, int] = {}

    def see(self, sighting: Sighting) -> None:
        """Take in one look, and note when."""
        super().see(sighting)
        if sighting.kind == "closed":
            self.entered_ns.setdefault(sighting.rel, time.monotonic_ns())


def say(**said: object) -> None:
    """Tell the benchmark."""
    print(json.dumps(said), flush=True)


async def main() -> None:
    """Watch until standard input ends; answer what is asked there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root")
    parser.add_argument("--watch", default="auto")
    parser.add_argument("--poll", type=float, default=5.0)
    parser.add_argument("--rescan", type=float, default=60.0)
    parser.add_argument("--known", action="store_true", help="what lies there is known to the ledger")
    parser.add_argument("--instruction", default="")
    args = parser.parse_args()
    log.configure()
    drops: Counter[str] = Counter()

    async def on_drop(drop: Drop) -> None:
        drops[drop.clip.rel] += 1

    intake = TimedIntake(InboxRules("bench", instruction=args.instruction), SettleRules(sidecar_wait_s=5.0))
    watcher = Watcher(
        args.root,
        intake,
        on_drop,
        sniff=media.sniff,
        watch=args.watch,
        poll_s=args.poll,
        rescan_s=args.rescan,
    )
    if args.known:
        with os.scandir(args.root) as found:
            for item in found:
                seen = item.stat()
                watcher.known(item.name, FileStamp(seen.st_ino, seen.st_size, seen.st_mtime_ns))
    begun_s = time.monotonic()
    longest = asyncio.create_task(_longest_turn())
    watching = asyncio.create_task(watcher.run())
    await _until(lambda: watcher.state != "starting")
    say(ready=True, start_ms=(time.monotonic() - begun_s) * 1000, mode=watcher.mode, state=watcher.state)
    await _until(watcher.idle)
    longest.cancel()
    say(idle=True, settled_s=time.monotonic() - begun_s, blocked_ms=LONGEST[0] * 1000)
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line == "drops":
            say(drops=len(drops), twice=sum(count > 1 for count in drops.values()), idle=watcher.idle())
        elif line == "entered":
            say(entered=intake.entered_ns)
    watching.cancel()


async def _until(true: Callable[[], bool], timeout_s: float = 600.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end_s:
            raise TimeoutError
        await asyncio.sleep(0.005)


LONGEST = [0.0]


async def _longest_turn() -> None:
    """Measure for how long the loop served nobody else."""
    while True:
        begun_s = time.monotonic()
        await asyncio.sleep(0.005)
        LONGEST[0] = max(LONGEST[0], time.monotonic() - begun_s - 0.005)


if __name__ == "__main__":
    asyncio.run(main())
