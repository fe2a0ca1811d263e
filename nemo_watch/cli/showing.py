"""One job as `show` prints it: what it is, its steps, what the editor said, the timeline drawn, its files.

Touches: the terminal.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nemo_watch.cli.jobwords import clock
from nemo_watch.cli.pictures import plain, safe, step_words
from nemo_watch.cli.terminal import console, speaks_blocks
from nemo_watch.cli.timelines import draw
from nemo_watch.model import Json
from nemo_watch.reply import TrackView


def print_job(told: dict[str, Any]) -> None:
    """Print one job for people; no path is cut."""
    out = console()
    out.print(f"[bold]{safe(told['file'])}[/bold] ({told['work']}): {safe(_says(told))}")
    for line in _kind_lines(told):
        out.print(safe(line))
    out.print(f'inbox "{safe(told["inbox"])}", backend {safe(told["backend"])}, entered {_when(told["entered"])}')
    if told["instruction"] and told["messages"] != [told["instruction"]]:
        out.print(f"instruction: {safe(told['instruction'])}")
    for number, message in enumerate(told["messages"], start=1):
        out.print(f"message {number}: {safe(message)}")
    if told["steps"]:
        out.print("steps:")
        for step in told["steps"]:
            took = f"{step['seconds']:.1f} s" if step["seconds"] is not None else "not finished"
            name = f"{safe(step_words(step['step']))} ({safe(step['step'])})"
            out.print(f"  {_when(step['started'])}  {name}: {took}")
    for name in ("answer", "reply"):
        if told[name]:
            out.print(f"{name}: {safe(told[name])}")
    if told["tracks"]:
        length = f" ({told['length']:g} s)" if told["length"] else ""
        out.print(f"timeline{length}:")
        for line in draw_tracks(told, out.width - 2, blocks=speaks_blocks()):
            print(f"  {line}")
    out.print(f"credits: {safe(credit_words(told['credits'], told['paid']))}")
    for export in told["exports"]:
        words = [
            export["format"],
            export["quality"],
            export["resolution"],
            f"{export['fps']} fps" if export["fps"] else "",
        ]
        size = f", {export['duration']:.1f} s, {export['size'] / 1024**2:.1f} MiB" if export["size"] else ""
        out.print(f"export: {safe(' '.join(word for word in words if word))}{size} {safe(export['file'])}".rstrip())
    for file in told["files"]:
        where = {True: "", False: " (not there any more)", None: " (its folder does not answer)"}[file["there"]]
        out.print(f"{file['what']}: {safe(file['path'])}{where}")
    if told["failure"]:
        failure = told["failure"]
        out.print(f"failed: {safe(failure['code'])} ({safe(failure['name'])}), paid: {failure['paid']}")
        out.print(f"what happened: {safe(failure['message'])}")
        out.print(f"what to do: {safe(failure['action'])} {safe(failure['link'])}".rstrip())
    if "link" in told:
        out.print("Whoever has this link can open the session; give it to nobody else:")
        print(plain(told["link"]))


def draw_tracks(told: dict[str, Any], width: int, *, blocks: bool) -> list[str]:
    """Draw the timeline as it was gathered."""
    tracks = [TrackView(**track) for track in told["tracks"]]
    return draw(tracks, told["length"] or 0.0, width, blocks=blocks)


def _says(told: dict[str, Any]) -> str:
    """Say its state; what a rejected one needs is said at the end, where it is seen first."""
    return f"it was rejected as job {told['job']}" if told["failure"] else str(told["says"])


def _kind_lines(told: dict[str, Any]) -> list[str]:
    """Say what only this kind of work has."""
    lines = [f"goes on from job {told['parent']}"] if told["parent"] else []
    lines += [f"uploaded from {told['url']}"] if told["url"] else []
    others = [f"{other['file']} ({other['state']}, job {other['job']})" for other in told["session_shared_with"]]
    return lines + ([f"shares its session with {', '.join(others)}"] if others else [])


def credit_words(credits: Json, paid: str) -> str:  # noqa: A002 - the word of the contract
    """Say what is known of a job's cost."""
    edit = {"yes": "the edit was paid", "no": "nothing was paid", "unknown": "the edit may have been paid"}[paid]
    if credits["spent"] is not None:
        return f"{edit}, {credits['spent']:g} credits were spent"
    known = [f"{credits[when]:g} {when}" for when in ("before", "after") if credits[when] is not None]
    return f"{edit}; the account had {', '.join(known)}" if known else edit


def _when(iso: str | None) -> str:
    return clock(datetime.fromisoformat(iso)) if iso else clock(datetime.now(UTC))
