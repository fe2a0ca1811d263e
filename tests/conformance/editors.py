"""Senders of sidecars: editors and other writers of text, with the clip still on its way or there already.

Touches: the inbox, through real programs.
"""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.desk import Desk, SenderError, sender
from tests.conformance.watching import RULES as SETTLE

DRAFT = "this is only a draft"
WRITER_S = SETTLE.sidecar_s + 1.0
"""The pattern itself: a clip takes so long to write, beside a draft that has stood still for longer than its window
when somebody begins to edit it. There is nothing to wait for: a text that was believed leaves no trace before its clip
is whole."""
LATE_S = SETTLE.closed_s + 1.5
"""The pattern itself: a person writes the instruction when the clip has stood still for its window, and before the wait
for a sidecar is over."""
KEYS_REST_S = 0.02
"""Between two keys, as a person types: an editor takes keys that come at once for pasted text."""


@contextlib.contextmanager
def _clip_on_its_way(desk: Desk, target: Path) -> Iterator[Path]:
    """Give the sidecar, a draft, while the clip is being written: it is whole when the block ends."""
    text = target.with_suffix(".txt")
    text.write_text(DRAFT)
    data = desk.clip().read_bytes()
    with target.open("wb") as out:
        out.write(data[: len(data) // 2])
        out.flush()
        time.sleep(WRITER_S)
        yield text
        out.write(data[len(data) // 2 :])
    if text.read_text().strip() != desk.text(target):
        raise SenderError(f"the editor left {text.read_text()!r}: {desk.log()}")
    desk.done(target, desk.clip())


@sender("sed-i", "sed")
def sed(desk: Desk) -> None:
    target = desk.target()
    with _clip_on_its_way(desk, target) as text:
        desk.run("sed", "-i", f"s/.*/{desk.text(target)}/", text)


@sender("vim", "vim")
def vim(desk: Desk) -> None:
    target = desk.target()
    with _clip_on_its_way(desk, target) as text:
        keys = f":%s/.*/{desk.text(target)}/\n:w\n:sleep {round(min(3.0, desk.stall_s))}\n:wq\n"
        (desk.room / "keys").write_text(keys)
        _typed(desk, b"", "vim", "-u", "NONE", "-i", "NONE", "-c", "set swapfile", "-s", desk.room / "keys", text)


@sender("nano", "nano")
def nano(desk: Desk) -> None:
    target = desk.target()
    with _clip_on_its_way(desk, target) as text:
        # ^K cuts the draft's line, ^O and Enter write, ^X leaves
        _typed(desk, b"\x0b" + desk.text(target).encode() + b"\x0f\r\x18", "nano", "-I", "--nonewlines", text)


def _typed(desk: Desk, keys: bytes, *argv: str | Path) -> None:
    """Run a program on a terminal and type."""
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=desk.room,
            env={**os.environ, "TERM": "xterm", "HOME": str(desk.room), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        desk.children.append(child)
        os.close(theirs)
        shown = threading.Event()

        def read() -> None:
            with contextlib.suppress(OSError):  # the terminal's other end was closed
                while os.read(ours, 4096):
                    shown.set()

        reader = threading.Thread(target=read)
        reader.start()
        shown.wait(20)
        for key in keys:
            time.sleep(KEYS_REST_S)
            os.write(ours, bytes([key]))
        desk.wait(child)
        reader.join(10)
    finally:
        os.close(ours)


@sender("atomic-writer")
def atomic(desk: Desk) -> None:
    target = desk.target()
    with _clip_on_its_way(desk, target) as text:
        fresh = text.with_name(f"{text.name}.tmp")
        fresh.write_text(desk.text(target))
        fresh.rename(text)


@sender("echo-twice", "sh", version=("bash", "--version"))
def echo_twice(desk: Desk) -> None:
    target = desk.target()
    with _clip_on_its_way(desk, target) as text:
        desk.run("sh", "-c", 'printf "cut " > "$0"; sleep 1; printf "%s" "$1" > "$0"', text, desk.text(target))


@sender("slow-sidecar", "sh", version=("bash", "--version"))
def slow_sidecar(desk: Desk) -> None:
    """The clip is there; its sidecar is written by somebody who stops half way, longer than its window."""
    target = desk.target()
    text = desk.text(target)
    middle = len(text) // 2
    script = '(printf "%s" "$1"; sleep "$3"; printf "%s" "$2") > "$0"'
    child = desk.start("sh", "-c", script, target.with_suffix(".txt"), text[:middle], text[middle:], str(desk.stall_s))
    shutil.copy(desk.clip(), target)
    desk.wait(child)
    desk.done(target, desk.clip())


@sender("late-sidecar", "cp")
def late_sidecar(desk: Desk) -> None:
    """The sidecar comes when the clip has settled already and waits for it."""
    target = desk.target()
    shutil.copy(desk.clip(), target)
    time.sleep(LATE_S)
    desk.run("cp", desk.note(target), target.with_suffix(".txt"))
    desk.done(target, desk.clip())
