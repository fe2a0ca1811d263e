"""`status`: the queue as the ledger knows it.

Touches: the ledger (reading).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.pictures import plain, safe, step_words
from nemo_watch.cli.places import load_config
from nemo_watch.config import Config
from nemo_watch.intake.words import sentence
from nemo_watch.ledger import Ledger
from nemo_watch.model import Job, Json
from nemo_watch.pipeline.first_run import FIRST_RUN, recall
from nemo_watch.policy import name_of
from nemo_watch.reports import printable
from nemo_watch.statefolder import LEDGER_NAME, is_running
from nemo_watch.watcher.guard import NOT_ENTERED

MOST_ENDED = 15
MOST_WAITS = 8
MOST_OPEN = 40
# What an inbox was doing when the daemon ended is no news about today.
NOT_WATCHED: dict[str, Any] = {
    "state": "not watched: the daemon is not running",
    "waiting": [],
    "waiting_count": 0,
    "not_entered": [],
}


def run_status(config_path: str | None, *, as_json: bool) -> int:
    """Print the queue; works beside a running daemon and without one."""
    config = load_config(config_path)
    picture = asyncio.run(_read(config))
    if as_json:
        print(json.dumps(picture, indent=2))
    else:
        _print(picture)
    return EXIT_GOOD


async def _read(config: Config) -> dict[str, Any]:
    ledger = Ledger(os.path.join(config.state.path, LEDGER_NAME), create=False)
    try:
        open_jobs = await ledger.jobs(("ready", "waiting", "held"))
        ended = await ledger.jobs(("delivered", "rejected", "cancelled"), limit=MOST_ENDED)
        notices = await ledger.notices()
        running = is_running(config.state.path)
        said = notices.get("daemon", {})
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
            "working": said.get("working", []) if running else [],
            "jobs": [_row(job) for job in open_jobs],
            "ended": [_row(job) | {"results": await _results(ledger, job)} for job in ended],
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
    return [printable(one["target"]) for one in step.data["files"]] if step is not None and step.state == "done" else []


def _row(job: Job) -> dict[str, Any]:
    row: dict[str, Any] = {
        "job": job.job_id,
        "file": printable(job.clip.rel),
        "inbox": job.inbox,
        "state": "running" if job.active else job.state,
        "step": job.step,
        "progress": job.progress,
        "reason": job.reason,
        "why": job.sentence,
        "next_try": job.next_try_at.isoformat() if job.next_try_at else None,
        "updated": job.updated_at.isoformat(),
    }
    if job.failure is not None:
        row["code"] = job.failure.code
        row["action"] = job.failure.action
    return row


def _table(console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a table on a terminal; in a pipe a line each, with tabs, that no width cuts."""
    if not console.is_terminal:
        console.print(f"{title}:")
        for row in rows:
            print("\t".join(plain(cell) for cell in row))  # rich would make spaces of the tabs
        return
    table = Table(*heads, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(safe(cell) for cell in row))
    console.print(table, soft_wrap=False)


def _clock(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%m-%d %H:%M")


def _print(picture: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    state = f"running (pid {picture['pid']})" if picture["running"] else "not running"
    console.print(f"nemo-watch is [bold]{state}[/bold], backend {safe(picture['backend'])}")
    for hold in picture["holds"]:
        then = f", looked at again at {_clock(hold['next_look'])}" if hold["next_look"] else ""
        when = f"(since {_clock(hold['since'])}{then})"
        link = f" {hold['link']}" if hold["link"] and hold["link"] not in hold["why"] else ""
        console.print(f"[yellow]held:[/yellow] {safe(hold['why'] + link)} {when}")
    for inbox in picture["inboxes"]:
        console.print(f"inbox [bold]{safe(inbox['name'])}[/bold]: {safe(inbox['state'])}; {safe(inbox['mode'])}")
        for rel in inbox.get("not_entered", ()):
            console.print(f"  the folder {safe(rel)} is left out: {NOT_ENTERED}")
        for wait in inbox["waiting"][:MOST_WAITS]:
            console.print(f"  {safe(wait['file'])}: {safe(wait['why'])}")
        if inbox["waiting_count"] > MOST_WAITS:
            console.print(f"  and {inbox['waiting_count'] - MOST_WAITS} more files wait; --json names them")
    # A hold above speaks for every job that waits for its end.
    told = {FIRST_RUN, *(hold["reason"] for hold in picture["holds"])}
    shown = [job for job in picture["jobs"] if job["state"] != "held" or job["reason"] not in told]
    if len(shown) < len(picture["jobs"]):
        console.print(f"{len(picture['jobs']) - len(shown)} jobs wait for this hold to end.")
    if shown:
        rows = []
        for job in shown[:MOST_OPEN]:
            done = f" {job['progress']:.0f} %" if job["step"].startswith("render") else ""
            rows.append((job["file"], job["state"], step_words(job["step"]) + done, job["why"]))
        _table(console, "open jobs", ("file", "state", "step", "why"), rows)
        if len(shown) > MOST_OPEN:
            console.print(f"and {len(shown) - MOST_OPEN} more; --json names them")
    if picture["ended"]:
        rows = []
        for job in picture["ended"]:
            note = ", ".join(job["results"])
            if job["state"] == "rejected" and "code" in job:
                note = f"{job['code']} ({name_of(job['code'])}): {job['action']}"
            rows.append((job["file"], job["state"], _clock(job["updated"]), note))
        _table(console, "last ended", ("file", "state", "when", "result, or what to do"), rows)
    if not picture["jobs"] and not picture["ended"]:
        console.print("No jobs yet: drop a video into an inbox.")
