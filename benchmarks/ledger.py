"""Measure the ledger: jobs a second with trivial steps, memory with 1,000 jobs in wait: `python -m benchmarks.ledger`.

Touches: a temporary folder in the current one (a real disk, not memory), child processes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.gauges import below, child, rss_mib, show, verdict
from nemo_watch.dispatch import Dispatch
from nemo_watch.ledger import Ledger
from nemo_watch.model import Export, FileRef, FileStamp, Job, Work

JOBS = 1000
WORKERS = 4
LEAST_PER_S = 150.0
MOST_MIB = 150.0
POLL_S = 10.0
"""How often each waiting job asks for its render here; the real one asks every 30 s."""
PATIENCE_S = 300.0
STEPS = ("session", "edit-1", "draft", "deliver")
DRAFT = {
    "d": 10_000,
    "t": [{"tt": 0, "sg": [{"id": f"s{n}", "s": n, "d": 1, "src": "http://x/" * 8} for n in range(20)]}],
}


def main() -> int:
    """Measure both; 1 if a figure is not what is aimed at."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-bench-", dir=".") as folder:
        per_s, commits = asyncio.run(_throughput(Path(folder) / "fast.db"))
        argv = (sys.executable, "-u", "-m", "benchmarks.ledger", "--wait", Path(folder) / "wait.db")
        with child(*argv) as waiting:
            waiting.read("waiting")
            polls = waiting.ask("polls", "polls")["polls"]
            time.sleep(10)
            polls = waiting.ask("polls", "polls")["polls"] - polls
            mib = rss_mib(waiting.pid)
    show(
        "ledger",
        [
            {"what": f"{JOBS} jobs of {len(STEPS)} steps", "a second": per_s, "commits a second": commits},
            {"what": f"{JOBS} jobs waiting on renders", "MiB": mib, "looks in 10 s": polls},
        ],
    )
    return verdict(
        (f"{per_s:.0f} jobs a second with trivial steps, to be at least {LEAST_PER_S:g}", per_s >= LEAST_PER_S),
        (f"{polls} looks at waiting jobs in 10 s, to be more than none", polls > 0),
        below(f"{JOBS} jobs waiting on renders take", mib, MOST_MIB, "MiB"),
    )


def _job(number: int) -> Job:
    now = datetime.now(UTC)
    clip = FileRef(f"clip{number}.mp4", FileStamp(number, 1_000_000, 1_700_000_000_000_000_000))
    work = Work(("cut the pauses",), (Export(),), "en", "ai-video-pro-online", f"clip{number}", "archive")
    return Job(f"{number:016x}-1", f"{number:016x}", "videos", clip, "ab" * 32, work, "ready", 0, now, now)


async def _throughput(path: Path) -> tuple[float, float]:
    """Run jobs whose steps cost nothing but their commits: entered, fenced, done, ended."""
    ledger = Ledger(str(path))
    for number in range(JOBS):
        await ledger.enter(_job(number))
    left, all_done, commits = JOBS, asyncio.Event(), 0

    async def run_job(job: Job) -> None:
        nonlocal left, commits
        await ledger.update(job.job_id, active=True)
        for name in STEPS:
            if name.startswith("edit"):
                await ledger.intend(job.job_id, name, "token", {"before": {}})
                commits += 1
            await ledger.done(job.job_id, name, "token", {"draft": DRAFT} if name == "draft" else {"changed": True})
        await ledger.update(job.job_id, state="delivered", active=False)
        commits += len(STEPS) + 2
        left -= 1
        if not left:
            all_done.set()

    dispatch = Dispatch(ledger, run_job, WORKERS)
    began_s = time.monotonic()
    running = asyncio.create_task(dispatch.run())
    await asyncio.wait_for(all_done.wait(), PATIENCE_S)
    took_s = time.monotonic() - began_s
    await dispatch.stop(frozenset, 0)
    await running
    await ledger.close()
    return JOBS / took_s, commits / took_s


async def _wait_on_renders(path: str) -> None:
    """Keep many jobs that each wait for a render, in a process with everything loaded that a daemon loads."""
    import nemo_watch.daemon  # noqa: F401 - its memory counts

    ledger = Ledger(path)
    polls, begun, all_wait = 0, set[str](), asyncio.Event()

    async def run_job(job: Job) -> None:
        nonlocal polls
        polls += 1
        step = await ledger.step(job.job_id, "draft")
        if step is None:
            begun.add(job.job_id)
            await ledger.done(job.job_id, "draft", "token", {"draft": DRAFT})
            await ledger.intend(job.job_id, "render-1", "token", {"render_id": "render_1", "acknowledged": True})
        await ledger.update(job.job_id, progress=50.0)
        soon = datetime.now(UTC) + timedelta(seconds=POLL_S)
        await ledger.update(job.job_id, state="waiting", reason="render", next_try_at=soon)
        if len(begun) == JOBS:
            all_wait.set()

    dispatch = Dispatch(ledger, run_job, WORKERS)
    for number in range(JOBS):
        await ledger.enter(_job(number))
    running = asyncio.create_task(dispatch.run())
    await asyncio.wait_for(all_wait.wait(), PATIENCE_S)
    print(json.dumps({"waiting": JOBS}), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({"polls": polls}), flush=True)
    running.cancel()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--wait"]:
        asyncio.run(_wait_on_renders(sys.argv[2]))
    else:
        sys.exit(main())
