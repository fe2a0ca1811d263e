"""The matrix: every profile of the backend times every fault that applies, one job each through the daemon.

`python -m tests.matrix [--profile NAME]... [--only TEXT] [--at-once N]` prints it; it ends with 1 if a cell is not as
promised. What must come of each is in `tests.matrix_cases`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import imageio_ffmpeg
import structlog

from nemo_watch import config as configuration
from nemo_watch.client import Timeouts
from nemo_watch.daemon import Daemon
from nemo_watch.model import Job
from nemo_watch.policy import HoldLooks
from nemo_watch.sandbox.faults import Faults
from nemo_watch.sandbox.profiles import PROFILES
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.matrix_cases import Case, Promise, cases
from tests.program import IMPATIENT, QUICK, Place

CELL_S = 60.0
"""A cell that has not ended by then hangs; the longest wait of a case is the half minute after a rate limit."""
SETTLE = replace(QUICK, closed_s=0.05, open_s=0.1, sidecar_s=0.05)
PATIENCE = replace(
    IMPATIENT,
    looks_s=(0.2, 0.5, 1.0, 2.0, 4.0),  # on a busy machine the edit itself takes a while
    hold_tick_s=0.3,
    hold_looks=HoldLooks(account_s=0.3, export_s=3600.0),
    working_s=0.5,
)
AT_ONCE = 6
PACE = 100.0
"""The sandbox's own half minutes pass in 0.3 s."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One job: what was promised of it and what came of it."""

    profile: str
    case: str
    promised: Promise
    found: Promise

    @property
    def is_kept(self) -> bool:
        """Tell whether it came as promised."""
        return self.promised == self.found


async def cell(root: Path, profile: str, case: Case) -> Cell:
    """Run one job against a backend of its own. Effects: files below `root`. Repeat: with another `root`."""
    script = Faults(case.faults)
    server = SandboxServer(
        root / "backend",
        profile=profile,
        faults=script,
        heartbeat_s=10.0,
        pace=PACE,
        reissues_unused=True,
    )
    promised, job = case.promise(profile), None
    with server:
        place = Place(root / "place", backend=f'url = "{server.url}"')
        config = configuration.load(str(place.config_path), {})
        patience = replace(PATIENCE, give_up_after_s=case.give_up_after_s)
        place.drop("talk.mp4", mute_clip(), case.instruction)
        env = {"HOME": str(place.root / "home")}
        timeouts = Timeouts(silent_s=case.silent_s, after_done_s=1.0)
        async with Daemon(config, env=env, settle=SETTLE, patience=patience, timeouts=timeouts).running() as daemon:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CELL_S):
                    while not _has_ended(job, promised):
                        await asyncio.sleep(0.05)
                        job = next(iter(await daemon.ledger.jobs()), None)
    with Records(root / "backend") as records:
        found = Promise(
            ends=job.state if job is not None else "nothing",
            code=_code(job),
            charged=len(records.charges()),
            edits=sum(turn.changed_draft for turn in records.turns()),
            lost=(*_lost(place, job, case), *_unplayed(script)),
        )
    return Cell(profile, case.name, promised, found)


def _has_ended(job: Job | None, promised: Promise) -> bool:
    if job is None or job.active:
        return False
    return job.state in ("delivered", "rejected") or (job.state, job.reason) == (promised.ends, promised.code)


def _code(job: Job | None) -> str:
    if job is None or job.state == "delivered":
        return ""
    return job.failure.code if job.failure is not None else job.reason


def _lost(place: Place, job: Job | None, case: Case) -> Iterator[str]:
    """Name what is not where it should be."""
    state = job.state if job is not None else ""
    where = {"delivered": "archive", "rejected": "rejects"}.get(state, "inbox")
    kept = place.root / where / "talk.mp4"
    if not kept.exists() or kept.read_bytes() != mute_clip():
        yield f"the original is not in {where}"
    if state == "delivered":
        result = place.root / "outbox" / "talk.mp4"
        if not result.exists() or result.read_bytes()[4:8] != b"ftyp":
            yield "no result"
        told = str(place.report("talk.report.toml"))
        yield from (f'"{words}" is told' for words in case.unsaid if words in told)
    if state == "rejected":
        report = place.report("talk.mp4.error.toml", "rejects")
        yield from (f"no {key} in the report" for key in ("message", "action", "paid") if not report.get(key))


def _unplayed(script: Faults) -> Iterator[str]:
    yield from (f"fault {number} never came" for number, times in enumerate(script.played, 1) if not times)


@functools.cache
def mute_clip() -> bytes:
    """Make the smallest clip that can be edited: a second of a grey picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mute.mp4"
        program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "color=gray:s=128x72:r=10:d=1"]
        subprocess.run([*program, "-pix_fmt", "yuv420p", str(path)], check=True)
        return path.read_bytes()


async def _profile(profile: str, names: Collection[str], at_once: int, done: Callable[[Cell], None]) -> None:
    slots = asyncio.Semaphore(at_once)

    async def one(case: Case) -> None:
        async with slots:
            with tempfile.TemporaryDirectory() as root:
                done(await cell(Path(root), profile, case))

    async with asyncio.TaskGroup() as group:
        for case in cases(profile):
            if case.name in names:
                group.create_task(one(case))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Log nothing but disasters, and leave the logging as it was: others in this process read theirs."""
    before = structlog.get_config()
    loggers = [logging.getLogger(name) for name in ("nemo_watch", "apscheduler")]
    levels = [logger.level for logger in loggers]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def run(profile: str, names: Collection[str], at_once: int = AT_ONCE) -> list[Cell]:
    """Run these cases in a profile, `at_once` of them side by side, and list what came in the order of the cases."""
    found: dict[str, Cell] = {}
    with _silence():
        asyncio.run(_profile(profile, names, at_once, lambda one: found.update({one.case: one})))
    return [found[case.name] for case in cases(profile) if case.name in found]


def table(cells: Iterable[Cell]) -> str:
    """Draw a line for each case, a column for each profile: what came of it, and "!" where that was not promised."""
    rows: dict[str, dict[str, Cell]] = {}
    for one in cells:
        rows.setdefault(one.case, {})[one.profile] = one
    lines = [f"{'':40} " + " ".join(f"{name:16}" for name in PROFILES)]
    for case, by_profile in rows.items():
        told = (_told(by_profile.get(name)) for name in PROFILES)
        lines.append(f"{case:40} " + " ".join(f"{words:16}" for words in told).rstrip())
    return "\n".join(lines)


def _told(one: Cell | None) -> str:
    if one is None:
        return "-"
    words = one.found.code or one.found.ends
    return f"{words} {one.found.charged}" + ("" if one.is_kept else " !")


def main() -> int:
    """Run and print; 1 if a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--profile", action="append", default=[], choices=sorted(PROFILES), metavar="NAME")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases with this in their name")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N", help="cells side by side in a process")
    asked = parser.parse_args()
    began_s = time.monotonic()
    profiles = asked.profile or list(PROFILES)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        wanted = {name: {case.name for case in cases(name) if asked.only in case.name} for name in profiles}
        futures = [pool.submit(run, name, names, asked.at_once) for name, names in wanted.items()]
        cells = [one for future in futures for one in future.result()]
    print(table(cells))
    broken = [one for one in cells if not one.is_kept]
    for one in broken:
        print(f"! {one.profile}, {one.case}: promised {one.promised}, found {one.found}")
    kept = len(cells) - len(broken)
    print(
        f"{len(cells)} cells, {kept} as promised; {sum(one.found.charged for one in cells)} sessions charged, "
        f"{sum(max(0, one.found.charged - one.promised.charged) for one in cells)} too many; "
        f"{time.monotonic() - began_s:.0f} s"
    )
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
