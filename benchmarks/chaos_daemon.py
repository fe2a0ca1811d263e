"""The daemon under kill -9: real processes, started fast from one that has everything loaded, killed by their id.

Touches: a temporary folder, child processes, signals. As a program (`python -m benchmarks.chaos_daemon CONFIG LOG
CLOCK`) it is that parent: "start" on its standard input starts a daemon, "kill" kills it, "stop" ends it in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from benchmarks.chaos_world import EDITS, Backend, Plan
from benchmarks.gauges import Child, child
from nemo_watch import config as configuration
from nemo_watch import log, policy
from nemo_watch.daemon import Daemon
from nemo_watch.intake import SettleRules
from nemo_watch.pipeline import Patience

QUICK = SettleRules(closed_s=0.1, open_s=0.2, sidecar_s=0.1, sidecar_wait_s=0.3, lease_again_s=0.2)
"""Every clip here is renamed into its place whole."""
PATIENCE_S = 900.0
FREE_TO_RETRY = ("render_failed", "render_timeout", "download_corrupt")
"""Rejects that say: put the file back, only the export is made again."""
SCALED = ("RATE_LIMIT_S", "BUSY_S", "FIRST_BACKOFF_S", "LONGEST_BACKOFF_S", "FOLDER_LOOK_S")


# ---------------------------------------------------------------- the parent of the daemons


def nursery(config_path: str, log_path: str, clock: float) -> None:
    """Start, kill and stop one daemon after the other, as the lines on standard input say."""
    pid = 0
    for line in sys.stdin:
        if line == "start\n":
            pid = os.fork()
            if pid == 0:
                _be_the_daemon(config_path, log_path, clock)
            print(json.dumps({"pid": pid}), flush=True)
            continue
        os.kill(pid, signal.SIGKILL if line == "kill\n" else signal.SIGTERM)
        _pid, status = os.waitpid(pid, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


def _be_the_daemon(config_path: str, log_path: str, clock: float) -> None:
    """Run the program's daemon with every waiting time of it scaled to the backend's clock. Never returns."""
    try:
        for name in SCALED:
            setattr(policy, name, getattr(policy, name) / clock)
        with open(log_path, "a", encoding="utf-8") as out:
            log.configure(stream=out, json=True)
            asyncio.run(_run(Daemon(configuration.load(config_path, {}), settle=QUICK, patience=_patience(clock))))
    except BaseException:  # noqa: BLE001 - told, and the exit status says so, too
        traceback.print_exc()
        os._exit(70)
    os._exit(0)


async def _run(daemon: Daemon) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with daemon.running():
        await stop.wait()


def _patience(clock: float) -> Patience:
    usual = Patience()
    return Patience(
        render_poll_s=usual.render_poll_s / clock,
        first_poll_s=usual.first_poll_s / clock,
        slow_after_s=usual.slow_after_s,
        slow_poll_s=usual.slow_poll_s / clock,
        looks_s=tuple(wait_s / clock for wait_s in usual.looks_s),
        settle_reads_s=tuple(pause_s / clock for pause_s in usual.settle_reads_s),
    )


def looks_s() -> float:
    """Compute for how long an edit in doubt is looked for, in the backend's seconds: the documented looks."""
    return sum(Patience().looks_s)


# ---------------------------------------------------------------- the one who kills


class Folders:
    """The daemon's folders, and its ledger as anybody may read it."""

    def __init__(self, root: Path, backend: Backend, plan: Plan) -> None:
        self.root, self._plan = root, plan
        for name in ("inbox", "outbox", "rejects", "archive", "home"):
            (root / name).mkdir(parents=True)
        self.config = root / "config.toml"
        self.config.write_text(
            f'[backend]\nurl = "{backend.url}"\nrender_poll = "1s"\n[state]\npath = "{root / "state"}"\n'
            f"[queue]\nworkers = {plan.workers}\n[[inbox]]\nname = 'videos'\npath = '{root / 'inbox'}'\n"
            "rescan = '1s'\n"
        )
        self.dropped = 0
        self.put_back = 0

    def drop(self, clips: list[Path], until: int) -> None:
        """Put clips into the inbox up to this one, each with its instruction, by renaming."""
        for clip in clips[self.dropped : until]:
            for name, content in ((f"{clip.stem}.txt", "\n---\n".join(EDITS).encode()), (clip.name, clip.read_bytes())):
                temporary = self.root / "inbox" / f".{name}.tmp"
                temporary.write_bytes(content)
                temporary.rename(self.root / "inbox" / name)
            self.dropped += 1

    def rows(self, sql: str) -> list[tuple[str, ...]]:
        """Ask the ledger, as another process does."""
        path = self.root / "state" / "ledger.db"
        if not path.exists():
            return []
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(sql).fetchall()

    def ended(self) -> int:
        """Count the jobs that came to an end."""
        return int(self.rows("SELECT count(*) FROM jobs WHERE state IN ('delivered', 'rejected', 'cancelled')")[0][0])

    def at_work(self) -> list[str]:
        """Name the steps that workers are on."""
        with contextlib.suppress(sqlite3.Error):
            return [step or "session" for (step,) in self.rows("SELECT step FROM jobs WHERE active")]
        return []

    def put_back_what_is_free(self) -> int:
        """Do what the reports of some rejects say: put the file back, for one more export that costs nothing."""
        sql = "SELECT rel, json_extract(failure, '$.code') FROM jobs WHERE state = 'rejected'"
        again = [os.fsdecode(rel) for rel, code in self.rows(sql) if code in FREE_TO_RETRY]
        for name in again:
            for path in (Path(name).with_suffix(".txt").name, name):
                shutil.move(self.root / "rejects" / path, self.root / "inbox" / path)
        self.put_back += len(again)
        return len(again)


def run(root: Path, backend: Backend, clips: list[Path], plan: Plan) -> tuple[Folders, Counter[str], float]:
    """Kill the daemon as often as planned while clips come in, then let it come to its end.

    Gives its folders, the steps that the kills hit, and how long it took (seconds).
    """
    folders = Folders(root, backend, plan)
    chance = random.Random(plan.seed)  # noqa: S311 - a script, not a secret
    hit: Counter[str] = Counter()
    began_s = time.monotonic()
    own = {"NEMO_TOKEN": backend.token, "HOME": str(root / "home")}
    argv = (sys.executable, "-u", "-m", "benchmarks.chaos_daemon", folders.config, root / "daemon.log", str(plan.clock))
    with mock.patch.dict(os.environ, own), child(*argv) as parent:
        # The first start on a full inbox asks a person before anything is paid: it is passed with a few clips.
        parent.ask("start", "pid")
        folders.drop(clips, min(plan.jobs, 4))
        _until(lambda: bool(folders.rows("SELECT 1 FROM jobs")) and folders.ended() > 0, "the first job")
        for number in range(plan.kills):
            folders.drop(clips, plan.released(number))
            time.sleep(chance.uniform(0.1, 2 * plan.gap_s - 0.1))
            steps = folders.at_work()
            _end(parent, "kill", -signal.SIGKILL)
            hit.update(steps or ["nothing"])
            parent.ask("start", "pid")
        folders.drop(clips, plan.jobs)
        while True:
            _until(lambda: folders.ended() == plan.jobs, "all jobs ended")
            if not folders.put_back_what_is_free():
                break
            _until(lambda: folders.ended() < plan.jobs, "what was put back is taken up")
        # What a killed daemon left half written beside the results is removed some time after a start.
        _until(lambda: not any(_temporary(root)), "the folders are tidy")
        _end(parent, "stop", 0)
    return folders, hit, time.monotonic() - began_s


def _temporary(root: Path) -> list[Path]:
    return [path for name in ("outbox", "rejects", "archive") for path in (root / name).glob("~*")]


def _end(parent: Child, how: str, wanted: int) -> None:
    status = parent.ask(how, "ended")["ended"]
    if status != wanted:
        raise RuntimeError(f"the daemon ended with {status} before it was asked to; see its log")


def _until(true: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(sqlite3.OperationalError):
            if true():
                return
        if time.monotonic() > end_s:
            raise TimeoutError(what)
        time.sleep(0.1)


if __name__ == "__main__":
    nursery(sys.argv[1], sys.argv[2], float(sys.argv[3]))
