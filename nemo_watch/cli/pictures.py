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


def progress_table(rows: Sequence[Progress], waits: Sequence[tuple[str, str]] = (), *, waiting_count: int = 0) -> Table:
    """Draw what the workers are doing, and below it which files wait for what: the first of `waiting_count`."""
    table = Table.grid(padding=(0, 2))
    for row in sorted(rows, key=lambda row: row.job_id):
        bar = ProgressBar(total=1.0, completed=row.fraction, width=20) if row.fraction is not None else Text("")
        table.add_row(Text.from_markup(f"[bold]{safe(row.name)}[/bold]"), step_words(row.step), bar)
    for rel, sentence in waits[:MOST_WAITS]:
        table.add_row(Text.from_markup(safe(rel), style="dim"), Text.from_markup(safe(sentence), style="dim"), "")
    more = waiting_count - len(waits[:MOST_WAITS])
    if more > 0:
        table.add_row("", Text(f"and {more} more files wait", style="dim"), "")
    return table
