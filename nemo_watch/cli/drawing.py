"""`status` as it is drawn: a table where there is room, a few lines for each job where there is not, tabs in a pipe.

Touches: the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nemo_watch.cli.jobrows import at_words, ended_note, state_words
from nemo_watch.cli.pictures import plain, safe
from nemo_watch.pipeline.first_run import FIRST_RUN
from nemo_watch.policy import name_of
from nemo_watch.watcher.guard import NOT_ENTERED

WIDE = 110
"""From so many columns on there is room for a table."""
MOST_WAITS = 8
MOST_OPEN = 40
OPEN_HEADS = ("file", "work", "state", "what is done, or why not", "since", "next")
ENDED_HEADS = ("file", "work", "state", "when", "result, or what to do")
STYLES = {"working": "green", "held": "yellow", "delivered": "green", "rejected": "red"}


def draw_status(picture: dict[str, Any], width: int) -> Group:
    """Draw it for a terminal of this width."""
    return Group(*_parts(picture, width))


def print_status(picture: dict[str, Any]) -> None:
    """Print it into a pipe: a line for each thing, the cells of a row with tabs between them."""
    for line in _heading(picture):
        print(Text.from_markup(line).plain)
    for title, rows, more in _tables(picture):
        print(f"{title}:")
        for row in rows:
            print("\t".join(plain(cell) for cell in row))
        if more:
            print(more)
    if not picture["jobs"] and not picture["ended"]:
        print("No jobs yet: drop a video into an inbox.")


def _parts(picture: dict[str, Any], width: int) -> Iterator[RenderableType]:
    for line in _heading(picture):
        hangs = 4 if line.startswith("  ") else 2
        yield Padding(Text.from_markup(line.strip()), (0, 0, 0, hangs - 2))
    for title, rows, more in _tables(picture):
        yield Text("")
        heads = OPEN_HEADS if title == "open jobs" else ENDED_HEADS
        yield Text(title, style="bold")
        yield _table(heads, rows) if width >= WIDE else _blocks(rows)
        if more:
            yield Text(more)
    if not picture["jobs"] and not picture["ended"]:
        yield Text("No jobs yet: drop a video into an inbox.")


def _heading(picture: dict[str, Any]) -> Iterator[str]:
    """Say how the daemon, the holds and the inboxes are, a line each, with markup."""
    state = f"running (pid {picture['pid']})" if picture["running"] else "not running"
    yield f"nemo-watch is [bold]{state}[/bold], backend {safe(picture['backend'])}"
    for hold in picture["holds"]:
        then = f", looked at again at {_clock(hold['next_look'])}" if hold["next_look"] else ""
        when = f"(since {_clock(hold['since'])}{then})"
        link = f" {hold['link']}" if hold["link"] and hold["link"] not in hold["why"] else ""
        yield f"[yellow]held:[/yellow] {safe(hold['why'] + link)} {when}"
    for inbox in picture["inboxes"]:
        yield f"inbox [bold]{safe(inbox['name'])}[/bold]: {safe(inbox['state'])}; {safe(inbox['mode'])}"
        for rel in inbox["not_entered"]:
            yield f"  the folder {safe(rel)} is left out: {NOT_ENTERED}"
        for wait in inbox["waiting"][:MOST_WAITS]:
            yield f"  {safe(wait['file'])}: {safe(wait['why'])}"
        if inbox["waiting_count"] > MOST_WAITS:
            yield f"  and {inbox['waiting_count'] - MOST_WAITS} more files wait; --json names them"
    hidden = len(picture["jobs"]) - len(_shown(picture))
    if hidden:
        yield f"{'1 job waits' if hidden == 1 else f'{hidden} jobs wait'} for this hold to end."


def _shown(picture: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the open jobs for which no hold above speaks."""
    told = {FIRST_RUN, *(hold["reason"] for hold in picture["holds"])}
    return [job for job in picture["jobs"] if job["state"] != "held" or job["reason"] not in told]


Rows = Sequence[tuple[str, ...]]


def _tables(picture: dict[str, Any]) -> Iterator[tuple[str, Rows, str]]:
    """Give the tables: a title, rows as their heads say, and what is said of those left out."""
    shown = _shown(picture)
    if shown:
        more = f"and {len(shown) - MOST_OPEN} more; --json names them" if len(shown) > MOST_OPEN else ""
        yield "open jobs", [_open_row(job) for job in shown[:MOST_OPEN]], more
    if picture["ended"]:
        yield "last ended", [_ended_row(job) for job in picture["ended"]], ""


def _open_row(job: dict[str, Any]) -> tuple[str, ...]:
    return job["file"], job["work"], state_words(job), job["doing"], _clock(job["since"]), job["next"]


def _ended_row(job: dict[str, Any]) -> tuple[str, ...]:
    return job["file"], job["work"], job["state"], _clock(job["updated"]), ended_note(job, name_of(job["code"] or ""))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in heads:
        wraps = head in ("what is done, or why not", "result, or what to do", "file", "next")
        table.add_column(head, no_wrap=not wraps, overflow="fold", ratio=None)
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    return table


def _blocks(rows: Sequence[Sequence[str]]) -> Group:
    """Draw each row as a few lines: on a narrow terminal a table is a heap of letters."""
    parts: list[RenderableType] = []
    for file, work, state, *rest in rows:
        head = Text.assemble((plain(file), "bold"), ": ", _cell(state), f" ({plain(work)})", overflow="fold")
        parts.append(head)
        if len(rest) == 3:
            doing, since, after = rest
            lines = [doing, f"since {since}{f', {after}' if after else ''}"]
        else:
            when, note = rest
            lines = [f"{when} {note}"]
        parts += [Padding(Text(plain(line), overflow="fold"), (0, 0, 0, 2)) for line in lines if line]
    return Group(*parts)


def _cell(cell: str) -> Text:
    return Text(plain(cell), style=STYLES.get(cell, ""), overflow="fold")


def _clock(moment: str) -> str:
    return at_words(datetime.fromisoformat(moment))
