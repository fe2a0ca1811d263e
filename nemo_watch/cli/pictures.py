"""What the commands draw: tables and trees, readable in a narrow terminal and in a pipe.

Pure but for the rich library.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nemo_watch.pipeline import Progress
from nemo_watch.reports import printable

STEPS = {
    "session": "opening a session",
    "upload": "uploading",
    "edit": "editing",
    "draft": "keeping the timeline",
    "render": "exporting",
    "download": "fetching the result",
    "deliver": "delivering",
    "archive": "moving the original",
    "reject": "moving to rejects",
}


def step_words(step: str) -> str:
    """Say a step's name as a person would: "edit-2" becomes "editing (2)"."""
    head, _, tail = step.partition("-")
    number = tail.split(":")[0]
    words = STEPS.get(head, step)
    if ":" in step:
        words += ", looking at the session"
    shown = int(number) + (1 if head == "upload" else 0) if number.isdigit() else 1
    return words if shown <= 1 else f"{words} ({shown})"


def safe(text: str) -> str:
    """Make a hostile text fit for one place on the terminal: no control characters, no line breaks, no markup."""
    return escape(plain(text))


def plain(text: str) -> str:
    """Make a hostile text fit for one line of a pipe: no control characters, no line breaks, no tabs."""
    words = " ".join(printable(text).split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)


MOST_WAITS = 8


def size_words(size_bytes: float) -> str:
    """Write a size as a person would say it."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} B"
    for unit in ("kB", "MB"):
        size_bytes /= 1000
        if size_bytes < 999.5:
            return f"{size_bytes:.0f} {unit}" if size_bytes >= 10 else f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:.1f} GB"


def left_words(seconds: float) -> str:
    """Say a time that is left as exactly as it can be known."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 57:
        return f"about {max(5, round(seconds / 5) * 5):.0f} s"
    if seconds < 5400:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {seconds / 3600:.0f} h"


def pace_words(row: Progress, now_s: float) -> str:
    """Say how fast something goes on and how long it will take, "" where that cannot be told."""
    if row.pace is None:
        return ""
    rate, left_s = row.pace.rate(now_s), row.pace.left_s(now_s)
    words = [f"{size_words(rate)}/s"] if rate is not None and row.in_bytes else []
    return ", ".join([*words, *([f"{left_words(left_s)} left"] if left_s is not None else [])])


def progress_table(
    rows: Sequence[Progress], waits: Sequence[tuple[str, str]] = (), *, waiting_count: int = 0, now_s: float = 0.0
) -> Table:
    """Draw what the workers are doing, and below it which files wait for what: the first of `waiting_count`.

    `now_s` is the moment, monotonic.
    """
    table = Table.grid(padding=(0, 2))
    for row in sorted(rows, key=lambda row: row.job_id):
        bar = ProgressBar(total=1.0, completed=row.fraction, width=20) if row.fraction is not None else Text("")
        table.add_row(
            Text.from_markup(f"[bold]{safe(row.name)}[/bold]"), step_words(row.step), bar, pace_words(row, now_s)
        )
    for rel, sentence in waits[:MOST_WAITS]:
        table.add_row(Text.from_markup(safe(rel), style="dim"), Text.from_markup(safe(sentence), style="dim"), "")
    more = waiting_count - len(waits[:MOST_WAITS])
    if more > 0:
        table.add_row("", Text(f"and {more} more files wait", style="dim"), "")
    return table
