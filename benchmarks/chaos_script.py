"""The same work done by a shell script of curl calls with retries, killed in the same way: what the fence is worth.

Touches: a temporary folder, child processes, signals. The script is `chaos.sh`.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from benchmarks.chaos_world import EDITS, Backend, Plan

SCRIPT = Path(__file__).with_name("chaos.sh")
PATIENCE_S = 1800.0


def run(root: Path, backend: Backend, clips: list[Path], plan: Plan) -> float:
    """Kill the script and its curls as often as planned, start it again each time, and let it come to its end.

    Gives how long it took (seconds).
    """
    (root / "work").mkdir(parents=True)
    (root / "outbox").mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "URL": backend.url,
        "TOKEN": backend.token,
        "WORK": str(root / "work"),
        "OUT": str(root / "outbox"),
        "EDIT_1": EDITS[0],
        "EDIT_2": EDITS[1],
        "POLL_S": f"{5 / plan.clock:g}",
    }
    chance = random.Random(plan.seed)  # noqa: S311 - a script, not a secret
    began_s = time.monotonic()
    with (root / "script.log").open("ab") as log:
        for number in range(plan.kills):
            child = _start(clips[: plan.released(number)], plan, root, env, log.fileno())
            time.sleep(chance.uniform(0.1, 2 * plan.gap_s - 0.1))
            _kill(child)
        child = _start(clips, plan, root, env, log.fileno())
        try:
            child.wait(PATIENCE_S)
        finally:
            _kill(child)
    return time.monotonic() - began_s


def _start(clips: list[Path], plan: Plan, root: Path, env: dict[str, str], log: int) -> subprocess.Popen[bytes]:
    """Begin on all clips without a result, so many at a time; all processes are of one group."""
    left = [str(clip) for clip in clips if not (root / "outbox" / clip.name).exists()]
    (root / "left").write_text("\n".join(left) + "\n" * bool(left))
    argv = ["xargs", "-r", "-a", str(root / "left"), "-n", "1", "-P", str(plan.workers), "sh", str(SCRIPT)]
    return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
