"""A daemon that ends itself with SIGKILL at one exact commit, started fast from a process that has everything loaded.

As a program it reads lines of JSON: run a daemon with this config once, killed at this point ("" none), and note the
commits in this file. It answers with the exit status.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from nemo_watch import config as configuration
from nemo_watch import daemon as daemon_room
from nemo_watch import log
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job, Json
from tests.program import IMPATIENT, QUICK

LONGEST_S = 60


@dataclass(frozen=True)
class Point:
    """A commit of the ledger (`what`, its n-th time) and the side of it on which the process is killed."""

    what: str
    time: int
    side: str

    def __str__(self) -> str:
        return f"{self.side} {self.what}" + (f" ({self.time})" if self.time > 1 else "")


class DeadlyLedger(Ledger):
    """The real ledger, in a process that dies before or after one of its commits."""

    point: Point | None = None
    noted: str = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._times: Counter[str] = Counter()

    def _begin(self, what: str) -> None:
        self._times[what] += 1
        self._die_if(what, "before")

    def _end(self, what: str) -> None:
        with open(self.noted, "a") as out:
            out.write(f"{what}\n")
        self._die_if(what, "after")

    def _die_if(self, what: str, side: str) -> None:
        if self.point == Point(what, self._times[what], side):
            os.kill(os.getpid(), signal.SIGKILL)

    async def enter(self, job: Job) -> Job:
        self._begin("entry")
        entered = await super().enter(job)
        self._end("entry")
        return entered

    async def intend(self, job_id: str, name: str, token: str, data: Json) -> None:
        self._begin(f"intent of {name}")
        await super().intend(job_id, name, token, data)
        self._end(f"intent of {name}")

    async def done(self, job_id: str, name: str, token: str, data: Json, *, started_at: datetime | None = None) -> None:
        self._begin(f"end of {name}")
        await super().done(job_id, name, token, data, started_at=started_at)
        self._end(f"end of {name}")

    async def update(self, job_id: str, **values: Any) -> None:
        is_end = values.get("state") in ("delivered", "rejected")
        if is_end:
            self._begin("end of the job")
        await super().update(job_id, **values)
        if is_end:
            self._end("end of the job")


def _live(config: str, point: Point | None, noted: str) -> None:
    """Be the daemon until nothing can go on. Never returns."""
    status = 70
    try:
        signal.alarm(LONGEST_S)
        DeadlyLedger.point, DeadlyLedger.noted = point, noted
        daemon_room.Ledger = DeadlyLedger  # type: ignore[misc]  # the same ledger, with an end of its own
        with open(noted + ".log", "a") as out:
            log.configure(stream=out, json=True)
            asyncio.run(_work_off(config))
        status = 0
    except BaseException:  # noqa: BLE001 - told, and the exit status says so, too
        traceback.print_exc()
    finally:
        os._exit(status)


async def _work_off(config: str) -> None:
    env = {"HOME": os.path.dirname(config)}
    daemon = daemon_room.Daemon(configuration.load(config, {}), env=env, settle=QUICK, patience=IMPATIENT)
    async with daemon.running():
        await daemon.work_off()


class Stepwise:
    """The process from which the daemons are started."""

    def __init__(self, to: IO[str], back: IO[str]) -> None:
        self._to, self._back = to, back

    def run(self, config: Path, noted: Path, point: Point | None = None) -> int:
        """Run a daemon once and give its exit status, below 0 if a signal ended it."""
        asked = {"config": str(config), "noted": str(noted), "point": point and [point.what, point.time, point.side]}
        self._to.write(json.dumps(asked) + "\n")
        self._to.flush()
        return int(self._back.readline())


@contextmanager
def stepwise() -> Iterator[Stepwise]:
    """Start the process from which the daemons are started."""
    argv = [sys.executable, "-m", "tests.faults.stepwise"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        yield Stepwise(child.stdin, child.stdout)
        child.stdin.close()


def main() -> None:
    """Do what is asked, one line after the other."""
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(asked["config"], Point(*asked["point"]) if asked["point"] else None, asked["noted"])
        _pid, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
