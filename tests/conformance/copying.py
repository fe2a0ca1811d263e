"""Senders that copy, move, link or unpack on this machine. Touches: the inbox, through real programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.conformance.desk import Desk, NotHereError, sender

KINDS = ("mp4", "fast", "mkv", "webm", "avi", "mov")


def elsewhere(desk: Desk, kind: str) -> Path:
    """Put a copy of a clip on another file system: between two of them a copy is many writes, not one call."""
    if desk.other is None:
        raise NotHereError("there is no other writable file system")
    return Path(shutil.copy(desk.clip(kind), desk.other / desk.clip(kind).name))


@sender("cp", "cp", "strace")
def cp(desk: Desk) -> None:
    def send(kind: str) -> None:
        target = desk.target(kind)
        desk.run("cp", desk.note(target), target.with_suffix(".txt"))
        desk.run_stalled(target, "cp", elsewhere(desk, kind), target)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "mkv")


@sender("cp-quick", "cp")
def cp_quick(desk: Desk) -> None:
    for kind in KINDS:
        target = desk.target(kind)
        desk.run("cp", desk.clip(kind), target)
        desk.run("cp", desk.note(target), target.with_suffix(".txt"))
        desk.done(target, desk.clip(kind))


@sender("cp-p", "cp", "strace")
def cp_p(desk: Desk) -> None:
    source, target = elsewhere(desk, "fast"), desk.target("fast")
    os.utime(source, (1e9, 1e9))
    desk.put_note(target)
    desk.run_stalled(target, "cp", "-p", source, target)
    desk.done(target, source)


@sender("install", "install", "strace")
def install(desk: Desk) -> None:
    target = desk.target()
    desk.put_note(target)
    desk.run_stalled(target, "install", "-m", "644", elsewhere(desk, "mp4"), target)
    desk.done(target, desk.clip())


@sender("mv", "mv")
def mv(desk: Desk) -> None:
    target, source = desk.target(), desk.room / "clip.mp4"
    shutil.copy2(desk.clip(), source)
    desk.run("mv", source, target)
    desk.run("mv", desk.note(target), target.with_suffix(".txt"))
    desk.done(target, desk.clip())


@sender("mv-other-fs", "mv", "strace")
def mv_other_fs(desk: Desk) -> None:
    target = desk.target("fast")
    source = elsewhere(desk, "fast")
    os.utime(source, (1e9, 1e9))
    desk.put_note(target)
    desk.run_stalled(target, "mv", source, target)
    desk.done(target, desk.clip("fast"))


@sender("ln", "ln")
def ln(desk: Desk) -> None:
    target, source = desk.target(), desk.room / "clip.mp4"
    shutil.copy2(desk.clip(), source)
    desk.run("ln", desk.note(target), target.with_suffix(".txt"))
    desk.run("ln", source, target)
    desk.done(target, desk.clip())


def _folder(desk: Desk, root: Path, tag: str) -> list[tuple[Path, Path]]:
    """Make a folder with a folder in it and give its clips: where each will lie, and what it is a copy of."""
    top = f"{desk.name}-{tag}"
    pairs = []
    for number, kind in enumerate(("mp4", "fast")):
        folder = f"{top}/deep/deeper" if number else top
        target = desk.target(kind, f"{tag}{number}", folder)
        source = root / target.relative_to(desk.inbox)
        source.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(desk.clip(kind), source)
        source.with_suffix(".txt").write_text(desk.text(target))
        pairs.append((target, desk.clip(kind)))
    return pairs


@sender("mv-folder", "mv")
def mv_folder(desk: Desk) -> None:
    for number in range(5):
        pairs = _folder(desk, desk.room, f"n{number}")
        desk.run("mv", desk.room / f"{desk.name}-n{number}", desk.inbox)
        for target, source in pairs:
            desk.done(target, source)


@sender("cp-r", "cp", "strace")
def cp_r(desk: Desk) -> None:
    if desk.other is None:
        raise NotHereError("there is no other writable file system")
    quick = _folder(desk, desk.other, "quick")
    desk.run("cp", "-r", desk.other / f"{desk.name}-quick", desk.inbox)
    for target, source in quick:
        desk.done(target, source)
    slow = _folder(desk, desk.other, "slow")
    desk.run_stalled(slow[1][0], "cp", "-r", desk.other / f"{desk.name}-slow", desk.inbox)
    for target, source in slow:
        desk.done(target, source)


@sender("dd", "dd")
def dd(desk: Desk) -> None:
    target = desk.target("fast")
    desk.put_note(target)
    child = desk.start("dd", f"of={target}", "bs=64k", stdin=subprocess.PIPE)
    assert child.stdin is not None
    desk.feed(child.stdin, desk.clip("fast").read_bytes())
    desk.wait(child)
    desk.done(target, desk.clip("fast"))


@sender("shell", "sh", version=("bash", "--version"))
def shell(desk: Desk) -> None:
    def send(kind: str) -> None:
        target = desk.target(kind)
        desk.run("sh", "-c", 'printf "%s" "$1" > "$0"', target.with_suffix(".txt"), desk.text(target))
        child = desk.start("sh", "-c", 'cat > "$0"', target, stdin=subprocess.PIPE)
        assert child.stdin is not None
        desk.feed(child.stdin, desk.clip(kind).read_bytes())
        desk.wait(child)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "webm")


def _member(desk: Desk, kind: str) -> tuple[Path, Path]:
    target = desk.target(kind)
    source = desk.room / target.name
    shutil.copy2(desk.clip(kind), source)
    os.utime(source, (1e9, 1e9))
    desk.note(target)
    return target, source


@sender("tar", "tar")
def tar(desk: Desk) -> None:
    target, source = _member(desk, "fast")
    desk.run("tar", "-cf", "all.tar", target.with_suffix(".txt").name, source.name)
    child = desk.start("tar", "-xf", "-", "-C", desk.inbox, stdin=subprocess.PIPE)
    assert child.stdin is not None
    desk.feed(child.stdin, (desk.room / "all.tar").read_bytes())
    desk.wait(child)
    desk.done(target, source)


@sender("unzip", "unzip", "zip", "strace", version=("unzip", "-v"))
def unzip(desk: Desk) -> None:
    target, source = _member(desk, "mp4")
    desk.run("zip", "-q", "all.zip", target.with_suffix(".txt").name, source.name)
    desk.run_stalled(target, "unzip", "-q", "all.zip", "-d", desk.inbox)
    desk.done(target, source)


@sender("7z", "7z", "strace", version=("7z", "i"))
def seven_zip(desk: Desk) -> None:
    target, source = _member(desk, "fast")
    desk.run("7z", "a", "-bd", "all.7z", target.with_suffix(".txt").name, source.name)
    desk.run_stalled(target, "7z", "x", "-bd", "-y", f"-o{desk.inbox}", "all.7z", nth=2)
    desk.done(target, source)
