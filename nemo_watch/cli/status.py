"""`status`: the queue as the ledger knows it, once or (`--watch`) for as long as somebody looks.

Touches: the ledger (reading), the terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any

from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.drawing import draw_status, print_status
from nemo_watch.cli.jobrows import job_row
from nemo_watch.cli.places import load_config
from nemo_watch.cli.terminal import console, is_terminal
from nemo_watch.config import Config
from nemo_watch.errors import OperatorError
from nemo_watch.intake.words import sentence
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job, Json
from nemo_watch.pipeline.first_run import FIRST_RUN, recall
from nemo_watch.reports import printable
from nemo_watch.statefolder import LEDGER_NAME, is_running

MOST_ENDED = 15
# What an inbox was doing when the daemon ended is no news about today.
NOT_WATCHED: dict[str, Any] = {
    "state": "not watched: the daemon is not running",
    "waiting": [],
    "waiting_count": 0,
    "not_entered": [],
}


def run_status(config_path: str | None, *, as_json: bool, watch: bool = False) -> int:
    """Print the queue; works beside a running daemon and without one."""
    config = load_config(config_path)
    if watch:
        if as_json:
            raise OperatorError(
                "--watch is for people: it takes no --json.",
                code="usage",
                hint="A program asks with nemo-watch status --json as often as it needs to know.",
            )
        from nemo_watch.cli.watching import watch_status  # only who watches loads it

        return watch_status(lambda: asyncio.run(read_status(config)))
    picture = asyncio.run(read_status(config))
    if as_json:
        print(json.dumps(picture, indent=2))
    elif is_terminal():
        out = console()
        out.print(draw_status(picture, out.width), soft_wrap=False)
    else:
        print_status(picture)
    return EXIT_GOOD


async def read_status(config: Config) -> dict[str, Any]:
    """Gather what there is to say. Raises: LedgerError. Repeat: safe."""
    ledger = Ledger(os.path.join(config.state.path, LEDGER_NAME), create=False)
    try:
        open_jobs = await ledger.jobs(("ready", "waiting", "held"))
        ended = await ledger.jobs(("delivered", "rejected", "cancelled"), limit=MOST_ENDED)
        notices = await ledger.notices()
        running = is_running(config.state.path)
        said = notices.get("daemon", {})
        working = {each["job"]: each for each in said.get("working", ())} if running else {}
        now_at = datetime.now(UTC)
        return {
            "running": running,
            "pid": said.get("pid") if running else None,
            "backend": config.backend.url,
            "counts": await ledger.counts(),
            "holds": [
                {
                    "reason": h.reason,
                    "why": h.sentence,
                    "link": h.link,
                    "since": h.since_at.isoformat(),
                    "next_look": h.look_at.isoformat() if h.look_at else None,
                }
                for h in await ledger.holds()
            ]
            + await _first_runs(config, ledger),
            "inboxes": [
                {"name": key.removeprefix("inbox:"), **value} | (_told(value) if running else NOT_WATCHED)
                for key, value in notices.items()
                if key.removeprefix("inbox:") in {inbox.name for inbox in config.inboxes}
            ],
            "jobs": [job_row(job, working.get(job.job_id), now_at, running=running) for job in open_jobs],
            "ended": [
                job_row(job, None, now_at, running=running) | {"results": await _results(ledger, job)} for job in ended
            ],
        }
    finally:
        await ledger.close()


def _told(inbox: Json) -> dict[str, Any]:
    """Word what the daemon wrote of an inbox; one of an earlier version named no folders that it does not enter."""
    left_out = [printable(rel) for rel in inbox.get("not_entered", ())]
    return {"waiting": [_wait(row) for row in inbox["waiting"]], "not_entered": left_out}


def _wait(told: Json) -> dict[str, Any]:
    """Word why a file waits, as of now, from what the daemon wrote when that last changed."""

    def seconds(name: str, sign: int) -> float | None:
        at = told.get(name)
        return None if at is None else sign * (datetime.fromisoformat(at) - datetime.now(UTC)).total_seconds()

    why = sentence(told["rule"], told["upcoming"], told["window_s"], seconds("unchanged_since", -1), seconds("next", 1))
    return {
        "file": printable(told["file"]),
        "reason": told["reason"],
        "why": why,
        "unchanged_since": told["unchanged_since"],
        "next": told["next"],
    }


async def _first_runs(config: Config, ledger: Ledger) -> list[Json]:
    """List the inboxes that wait for a person's word, as holds: one for all their jobs."""
    holds: list[Json] = []
    for inbox in config.inboxes:
        decided = await recall(ledger, inbox.name, inbox.path, config.backend.url)
        if decided is not None and decided.state == "held" and config.backend.url != "sandbox":
            why = decided.sentence(inbox.name)
            held = {"reason": FIRST_RUN, "inbox": inbox.name, "why": why, "link": "", "since": decided.at}
            holds.append(held | {"next_look": None})
    return holds


async def _results(ledger: Ledger, job: Job) -> list[str]:
    step = await ledger.step(job.job_id, "deliver")
    if step is None or step.state != "done":
        return []
    targets = [one["target"] for one in step.data["files"]]
    return [printable(target) for target in targets or [step.data["report_target"]]]  # a question has its answer alone
