"""`status --watch`: the table drawn anew every second, or in a pipe a line for each thing that changes.

Touches: the terminal, the clock; the ledger through the look that it is given.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.text import Text

from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.drawing import draw_status
from nemo_watch.cli.jobrows import state_words
from nemo_watch.cli.pictures import plain
from nemo_watch.cli.terminal import can_redraw, console
from nemo_watch.errors import LedgerError

LOOK_S = 1.0

Look = Callable[[], dict[str, Any]]


def watch_status(look: Look, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Show it until Ctrl-C; a daemon that ends or starts meanwhile is only news. Raises: LedgerError at the first look.

    `pause` waits between two looks; tests end it there by KeyboardInterrupt.
    """
    first = look()
    try:
        if can_redraw():
            _redraw(first, look, pause)
        else:
            _tell_changes(first, look, pause)
    except KeyboardInterrupt:
        pass
    return EXIT_GOOD


def _again(look: Look, before: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Look once more. A ledger that cannot be read now is told of beside what was seen before."""
    try:
        return look(), ""
    except LedgerError as error:
        return before, f"{error.message} {error.hint}".strip()


def _redraw(picture: dict[str, Any], look: Look, pause: Callable[[float], None]) -> None:
    out = console()
    problem = ""
    with Live(console=out, auto_refresh=False, vertical_overflow="ellipsis") as live:
        while True:
            now = datetime.now().astimezone().strftime("%H:%M:%S")
            foot = Text(f"{now}, every second; Ctrl-C ends this, not the daemon", style="dim")
            said = [Text(plain(problem), style="red")] if problem else []
            live.update(Group(draw_status(picture, out.width), Text(""), *said, foot), refresh=True)
            pause(LOOK_S)
            picture, problem = _again(look, picture)


def _tell_changes(picture: dict[str, Any], look: Look, pause: Callable[[float], None]) -> None:
    said: dict[str, str] = {}
    problem = ""
    while True:
        now = news(picture)
        for key, line in now.items():
            if said.get(key) != line:
                _say(line)
        for key in said.keys() - now.keys():
            if key.startswith("hold:"):
                _say(f"no longer {said[key]}")
        said = now
        pause(LOOK_S)
        before = problem
        picture, problem = _again(look, picture)
        if problem and problem != before:
            _say(problem)


def news(picture: dict[str, Any]) -> dict[str, str]:
    """Give a line for each thing that may change, by its key; percents are no news. Pure."""
    found = {"daemon": f"the daemon is {'running' if picture['running'] else 'not running'}"}
    for hold in picture["holds"]:
        found[f"hold:{hold['reason']}:{hold.get('inbox', '')}"] = f"held: {hold['why']}"
    for inbox in picture["inboxes"]:
        found[f"inbox:{inbox['name']}"] = f"inbox {inbox['name']}: {inbox['state']}"
    for job in picture["jobs"]:
        step = job["doing"].split(",")[0] if job["state"] == "running" else job["doing"]
        found[f"job:{job['job']}"] = f"{job['file']}: {state_words(job)}{f': {step}' if step else ''}"
    for job in picture["ended"]:
        note = ", ".join(job["results"]) or job["code"] or ""
        found[f"job:{job['job']}"] = f"{job['file']}: {job['state']}{f': {note}' if note else ''}"
    return found


def _say(line: str) -> None:
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    print(f"{now} {plain(line)}", flush=True)
