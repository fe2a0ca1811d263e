"""Approved texts: what each command shows, as a person looked at it and found it good.

`python -m tests.approving` writes them anew; look at the difference before it is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from nemo_watch import cli
from nemo_watch.statefolder import state_lock
from tests.prepared import Prepared, prepare

APPROVED = Path(__file__).parent / "approved"
COMMANDS = tuple(each.name or getattr(each.callback, "__name__", "") for each in cli.app.registered_commands)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROOT = re.compile(r"/tmp/nemo-watch-approved-\w{8}")
# Each placeholder is as long as what it stands for: tables stay as they are.
PLACEHOLDERS = (
    (ROOT, "/tmp/nemo-watch-approved-XXXXXXXX"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00"), "MOMENT"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "YYYY-MM-DD"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "hh:mm:ss"),
    (re.compile(r"\b\d\d-\d\d\b"), "MM-DD"),
    (re.compile(r"\b\d\d:\d\d\b"), "hh:mm"),
    (re.compile(r"(\): )\d+\.\d s$", re.MULTILINE), r"\1N s"),
    (re.compile(r'("(?:seconds|left_s)": )[\d.]+'), r"\1N"),
    (re.compile(r"[\d.]+ GiB free"), "N GiB free"),
    (re.compile(r"(?<=, )on [\w.]+(?=, )"), "on FS"),
    (re.compile(r"\banon_\w+"), "anon_ID"),
    (re.compile(r"^(good {2}ffmpeg: ).*$", re.MULTILINE), r"\1VERSION at PATH"),
    (re.compile(r"^\w+ {2}(speech: ).*\n( {6}-> .*\n)?", re.MULTILINE), r"MARK  \1as it is on this machine\n"),
    (re.compile(r'("what": "ffmpeg",\n\s*"level": "good",\n\s*"found": )".*"'), r'\1"VERSION at PATH"'),
    (re.compile(r'("what": "speech",\n)(\s*"\w+": ".*",?\n)+'), r"\1"),
)


class Screen(io.StringIO):
    """Where a command prints: a terminal, or a pipe."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a text stream has one
        return "utf-8"

    def isatty(self) -> bool:
        return self._is_terminal


def said(args: Sequence[str], *, columns: int, is_terminal: bool = True) -> tuple[str, int]:
    """Run a command in this process; what it printed and its exit code."""
    screen = Screen(is_terminal=is_terminal)
    environment = {"COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1", "LANG": "C.UTF-8"}
    environment |= {"PATH": "/usr/bin", "HOME": "/nonexistent"}
    with (
        patch.dict(os.environ, environment, clear=True),
        patch.object(sys, "argv", ["nemo-watch", *args]),
        patch("typer.rich_utils.MAX_WIDTH", columns),
        contextlib.redirect_stdout(screen),
        contextlib.redirect_stderr(screen),
    ):
        try:
            cli.main()
        except SystemExit as end:
            return screen.getvalue(), int(end.code or 0)
    return screen.getvalue(), 0


def settled(text: str) -> str:
    """Take out what is another one each time."""
    text = ESCAPES.sub("", text)
    for pattern, placeholder in PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


@dataclass(frozen=True)
class Text:
    """One approved text: its file's name, what was asked, how wide the terminal is (0: a pipe)."""

    name: str
    args: tuple[str, ...]
    columns: int = 120

    def now(self) -> str:
        """Run it."""
        text, code = said(self.args, columns=self.columns or 80, is_terminal=bool(self.columns))
        return settled(text) + (f"[exit {code}]\n" if code else "")


def helps() -> Iterator[Text]:
    """The help of every command."""
    for columns in (100, 40):
        yield Text(f"help-{columns}", ("--help",), columns)
        for command in COMMANDS:
            yield Text(f"help-{command}-{columns}", (command, "--help"), columns)


def outputs(place: Prepared) -> Iterator[Text]:
    """What the commands say of the prepared place, in an order in which none changes what the next one sees."""
    end = ("--config", str(place.config))
    looks = {
        "status": ("status",),
        "show": ("show", "talk.mp4"),
        "show-rejected": ("show", "broken.mp4"),
        "show-refinement": ("show", "talk.refine.txt"),
        "show-batch": ("show", "shop/one.mp4"),
        "show-question": ("show", "money.ask.txt"),
        "why": ("why", "broken.mp4"),
        "plan": ("plan",),
        "check": ("check",),
        "skills": ("skills",),
    }
    for name, args in looks.items():
        for how, columns in (("wide", 130), ("narrow", 40), ("piped", 0)):
            yield Text(f"{name}-{how}", (*args, *end), columns)
        yield Text(f"{name}-json", (*args, *end, "--json"), 0)
    levers = {
        "pause": ("pause",),
        "pause-again": ("pause",),
        "resume": ("resume",),
        "resume-nothing": ("resume",),
        "cancel": ("cancel", "trailer.toml"),
        "cancel-ended": ("cancel", "talk.mp4"),
        "retry-nothing": ("retry", "talk.mp4"),
        "retry-unknown": ("retry", "nobody.mp4"),
    }
    for name, args in levers.items():
        yield Text(name, (*args, *end), 100)
        if name not in ("pause", "resume", "cancel"):  # said once more they change nothing
            yield Text(f"{name}-narrow", (*args, *end), 40)
            yield Text(f"{name}-piped", (*args, *end), 0)
    yield Text("cancel-json", ("cancel", "city at night.prompt.txt", *end, "--json"), 0)
    yield Text("retry-json", ("retry", "talk.mp4", "--from", "render", *end, "--json"), 0)
    yield Text("pause-json", ("pause", *end, "--json"), 0)
    yield Text("resume-json", ("resume", *end, "--json"), 0)
    for how, columns in (("wide", 130), ("narrow", 40), ("piped", 0)):
        yield Text(f"credits-{how}", ("credits", *end), columns)
    yield Text("credits-json", ("credits", *end, "--json"), 0)
    yield Text(
        "init", ("init", "--sandbox", "--config", f"{place.root}/new.toml", "--folder", f"{place.root}/new"), 100
    )
    yield Text("init-again", ("init", "--config", f"{place.root}/new.toml"), 100)
    yield Text("no-config", ("status", "--config", f"{place.root}/none.toml"), 100)
    yield Text("config-is-a-folder", ("status", "--config", f"{place.root}/inbox", "--json"), 0)
    yield Text("no-ledger", ("status", "--config", f"{place.root}/new.toml", "--watch"), 100)
    yield Text("watch-json", ("status", "--watch", *end, "--json"), 0)
    yield Text("bad-option", ("status", "--bogus"), 60)


def beside_a_daemon(place: Prepared) -> Iterator[Text]:
    """What `status` says while a daemon runs."""
    end = ("--config", str(place.config))
    for how, columns in (("wide", 130), ("narrow", 40), ("piped", 0)):
        yield Text(f"status-running-{how}", ("status", *end), columns)
    yield Text("status-running-json", ("status", *end, "--json"), 0)


def as_a_process(text: Text, home: str) -> str:
    """Run what would change the logging of this process; its log is no part of the text."""
    argv = [sys.executable, "-m", "nemo_watch", *text.args]
    env = {"PATH": "/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8"}
    told = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    return settled(told.stdout) + (f"[exit {told.returncode}]\n" if told.returncode else "")


def texts() -> Iterator[tuple[Text, str]]:
    """Run everything; each text and what it is now."""
    with tempfile.TemporaryDirectory(prefix="nemo-watch-approved-", dir="/tmp") as folder:
        place = prepare(Path(folder))
        with state_lock(f"{folder}/state", "daemon"):
            asyncio.run(place.tell(place.uploading()))
            for text in beside_a_daemon(place):
                yield text, text.now()
        for text in (*helps(), *outputs(place)):
            yield text, text.now()
        once = Text("run-once-piped", ("run", "--once", "--config", f"{folder}/new.toml"), 0)
        yield once, as_a_process(once, folder)


if __name__ == "__main__":
    APPROVED.mkdir(exist_ok=True)
    names = set()
    for text, now in texts():
        names.add(f"{text.name}.txt")
        (APPROVED / f"{text.name}.txt").write_text(now)
    for old in APPROVED.iterdir():
        if old.name not in names:
            old.unlink()
