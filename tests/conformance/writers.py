"""Senders that write in ways no copying program does: reserving, reopening, mapping, recording.

Touches: the inbox, by system calls and through ffmpeg.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import time
from pathlib import Path

from nemo_watch.media import find_ffmpeg
from tests.conformance.desk import Desk, sender


@sender("preallocating")
def preallocating(desk: Desk) -> None:
    def send(kind: str) -> None:
        data, target = desk.clip(kind).read_bytes(), desk.target(kind)
        desk.put_note(target)
        with target.open("wb") as out:
            os.posix_fallocate(out.fileno(), 0, len(data))
            desk.feed(out, data)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "fast", "mkv")


@sender("truncate-then-fill")
def truncate_then_fill(desk: Desk) -> None:
    def send(kind: str) -> None:
        data, target = desk.clip(kind).read_bytes(), desk.target(kind)
        desk.put_note(target)
        with target.open("wb") as out:
            out.truncate(len(data))
            desk.feed(out, data)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "fast")


@sender("fallocate", "fallocate", "dd")
def fallocate(desk: Desk) -> None:
    source, target = desk.clip(), desk.target()
    desk.put_note(target)
    desk.run("fallocate", "-l", str(source.stat().st_size), target)
    desk.rest()
    desk.run("dd", f"if={source}", f"of={target}", "conv=notrunc", "bs=64k")
    desk.done(target, source)


def _reopen(desk: Desk, kind: str, times: int, rest_s: float) -> None:
    data, target = desk.clip(kind).read_bytes(), desk.target(kind)
    desk.put_note(target)
    step = -(-len(data) // times)
    for at in range(0, len(data), step):
        if at:
            time.sleep(rest_s)
        with target.open("ab") as out:
            out.write(data[at : at + step])
    desk.done(target, desk.clip(kind))


@sender("reopening-mp4")
def reopening_mp4(desk: Desk) -> None:
    _reopen(desk, "mp4", 5, desk.stall_s / 5)


@sender("reopening-faststart")
def reopening_faststart(desk: Desk) -> None:
    _reopen(desk, "fast", 5, desk.stall_s / 5)


@sender("reopening-mkv")
def reopening_mkv(desk: Desk) -> None:
    _reopen(desk, "mkv", 5, desk.stall_s / 5)


@sender("reopening-live-mkv")
def reopening_live(desk: Desk) -> None:
    _reopen(desk, "live", 5, desk.stall_s / 5)


@sender("reopening-webm")
def reopening_webm(desk: Desk) -> None:
    _reopen(desk, "webm", 5, desk.stall_s / 5)


@sender("reopening-avi")
def reopening_avi(desk: Desk) -> None:
    _reopen(desk, "avi", 5, desk.stall_s / 5)


@sender("stalling-long")
def stalling_long(desk: Desk) -> None:
    data, target = desk.clip("mkv").read_bytes(), desk.target("mkv")
    desk.put_note(target)
    with target.open("wb") as out:
        out.write(data[:-1000])  # only its last bytes are missing
        out.flush()
        desk.stall()
        out.write(data[-1000:])
    desk.done(target, desk.clip("mkv"))


@sender("mmap")
def mapped(desk: Desk) -> None:
    data, target = desk.clip().read_bytes(), desk.target()
    desk.put_note(target)
    fd = os.open(target, os.O_RDWR | os.O_CREAT, 0o644)
    os.truncate(fd, len(data))
    with mmap.mmap(fd, len(data)) as memory:
        os.close(fd)
        at = 0
        for part in desk.halves(data):
            memory[at : at + len(part)] = part
            at += len(part)
    desk.done(target, desk.clip())


@sender("touch-then-fill", "touch")
def touch_then_fill(desk: Desk) -> None:
    target = desk.target()
    desk.run("touch", target)
    desk.rest()
    with target.open("wb") as out:
        desk.feed(out, desk.clip().read_bytes())
    desk.done(target, desk.clip())


@sender("there-at-start", "cp", early=True)
def there_at_start(desk: Desk) -> None:
    """Files that lie there whole when the watcher starts."""
    for kind in ("mp4", "fast", "mkv", "webm", "avi", "mov"):
        target = desk.target(kind)
        desk.run("cp", desk.clip(kind), target)
        desk.put_note(target)
        desk.done(target, desk.clip(kind))


@sender("half-at-start", "sh", early=True, version=("bash", "--version"))
def half_at_start(desk: Desk) -> None:
    """Files that somebody has open and half written when the watcher starts."""

    def send(kind: str) -> None:
        target = desk.target(kind)
        desk.put_note(target)
        child = desk.start("sh", "-c", 'cat > "$0"', target, stdin=subprocess.PIPE)
        assert child.stdin is not None
        desk.feed(child.stdin, desk.clip(kind).read_bytes())
        desk.wait(child)
        desk.done(target, desk.clip(kind))

    desk.each(send, "mp4", "fast", "mkv", "webm", "avi")


@sender("deleted-and-again")
def deleted_and_again(desk: Desk) -> None:
    data, target = desk.clip("fast").read_bytes(), desk.target("fast")
    desk.put_note(target)
    with target.open("wb") as out:
        out.write(data[: len(data) // 2])
        out.flush()
        target.unlink()
        desk.rest()
    with target.open("wb") as out:
        desk.feed(out, data)
    desk.done(target, desk.clip("fast"))


def _record(desk: Desk, target: Path, *options: str) -> None:
    """Record five seconds as a camera does, stopped half way."""
    desk.put_note(target)
    sound = "aevalsrc='0.3*sin(2*PI*440*t)':s=48000"
    picture = "testsrc2=s=640x360:r=25,noise=alls=40:allf=t"
    argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", picture]
    argv += ["-f", "lavfi", "-i", sound, "-t", "5", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "aac", *options]
    child = desk.start(*argv, target)
    desk.stop_midway(child, target.name, 500_000)
    desk.wait(child)
    desk.done(target)


@sender("ffmpeg-mp4")
def ffmpeg_mp4(desk: Desk) -> None:
    _record(desk, desk.target())


@sender("ffmpeg-faststart")
def ffmpeg_faststart(desk: Desk) -> None:
    _record(desk, desk.target(), "-movflags", "+faststart")


@sender("ffmpeg-fragmented")
def ffmpeg_fragmented(desk: Desk) -> None:
    _record(desk, desk.target(), "-movflags", "+frag_keyframe+empty_moov", "-g", "12")


@sender("ffmpeg-mkv")
def ffmpeg_mkv(desk: Desk) -> None:
    _record(desk, desk.target("mkv"))


@sender("ffmpeg-mkv-live")
def ffmpeg_live(desk: Desk) -> None:
    _record(desk, desk.target("live"), "-live", "1")
