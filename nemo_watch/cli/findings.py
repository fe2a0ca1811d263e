"""One finding of `check`, and how findings are shown.

Touches: the terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console

from nemo_watch.cli.pictures import safe


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `mend` says what to do if it is not good."""

    what: str
    level: Literal["good", "note", "bad"]
    found: str
    mend: str = ""


def show(findings: Sequence[Finding]) -> None:
    """Print findings for people."""
    console = Console(highlight=False, soft_wrap=True)
    marks = {"good": "[green]good[/green]", "note": "[yellow]note[/yellow]", "bad": "[red]bad [/red]"}
    for finding in findings:
        console.print(f"{marks[finding.level]}  {safe(finding.what)}: {safe(finding.found)}")
        if finding.mend:
            console.print(f"      -> {safe(finding.mend)}")
