"""Where a command's words go: a person's terminal, or a pipe that no width cuts and no colour reaches.

Touches: the terminal (looking at it).
"""

from __future__ import annotations

import os
import sys

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Give a console that leaves line ends to the terminal: a path is never cut, and can be copied."""
    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def is_terminal() -> bool:
    """Tell whether a person reads standard output, whatever colours are asked for."""
    try:
        return sys.stdout.isatty()
    except ValueError:  # it is closed
        return False


def can_redraw() -> bool:
    """Tell whether the terminal can draw over what it showed."""
    return is_terminal() and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")


def speaks_blocks() -> bool:
    """Tell whether standard output can show block characters."""
    try:
        "█▓".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
