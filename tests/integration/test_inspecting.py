"""Looks into real files: leases, placeholders, odd kinds of files, and readings to the end by a real ffmpeg."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import mmap
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_watch import media
from nemo_watch.intake import InboxRules, Intake, SettleRules
from nemo_watch.media import RunLimits, find_ffmpeg
from nemo_watch.model import Drop, FileRef, TomlFacts
from nemo_watch.watcher import Watcher, disk, inspecting
from nemo_watch.watcher.core import ASKED_AT_ONCE
from nemo_watch.watcher.disk import stamp_of
from nemo_watch.watcher.inspecting import Inspector

QUICK = SettleRules(
    closed_s=0.1,
    open_s=0.3,
    sidecar_s=0.1,
    sidecar_wait_s=0.1,
    lease_again_s=0.1,
    lease_rest_s=0.2,
    lease_cap_s=1.5,
    placeholder_again_s=0.2,
)


def box(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4(filling: int = 2000) -> bytes:
    """The smallest bytes that walk as a whole mp4."""
    moov = box(b"moov", box(b"mvhd", bytes(100)))
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + moov + box(b"mdat", os.urandom(filling))


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    root = tmp_path / "inbox"
    root.mkdir()
    return root


def ref_of(inbox: Path, rel: str) -> FileRef:
    return FileRef(rel, stamp_of(os.lstat(inbox / rel)))


def look(inbox: Path, ref: FileRef, *, leases: bool = True, blocks: bool = True) -> tuple[str, str]:
    found = Inspector(str(inbox), media.sniff).look_into(ref, leases=leases, blocks=blocks).inspection
    return found.verdict, found.writer


# ---------------------------------------------------------------- leases


def test_a_writer_is_seen_and_so_is_its_end(inbox: Path) -> None:
    path = inbox / "clip.mp4"
    with path.open("wb") as out:
        out.write(mp4())
        out.flush()
        ref = ref_of(inbox, "clip.mp4")
        assert look(inbox, ref) == ("whole", "open")
        assert look(inbox, ref, leases=False) == ("whole", "untried")
    assert look(inbox, ref) == ("whole", "none")


def test_a_mapping_that_outlives_its_descriptor_is_a_writer(inbox: Path) -> None:
    (inbox / "clip.mp4").write_bytes(mp4())
    ref = ref_of(inbox, "clip.mp4")
    with (inbox / "clip.mp4").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    assert look(inbox, ref) == ("whole", "open")
    mapped.close()
    assert look(inbox, ref) == ("whole", "none")


def test_a_reader_is_no_writer(inbox: Path) -> None:
    (inbox / "clip.mp4").write_bytes(mp4())
    with (inbox / "clip.mp4").open("rb"):
        assert look(inbox, ref_of(inbox, "clip.mp4")) == ("whole", "none")


def test_somebody_elses_file_cannot_be_asked_about(inbox: Path) -> None:
    path = inbox / "clip.mp4"
    path.write_bytes(mp4())
    asks = (
        "import os, sys; from nemo_watch.watcher.inspecting import writer_of; "
        "print(writer_of(os.open(sys.argv[1], os.O_RDONLY)))"
    )
    if os.geteuid():
        ask, path = [], Path("/etc/passwd")
    else:
        ask = ["setpriv", "--bounding-set", "-lease", "--inh-caps", "-lease", "--"]
        os.chown(path, 65534, 65534)
    done = subprocess.run([*ask, sys.executable, "-c", asks, path], capture_output=True, text=True, check=False)
    assert done.stdout == "unknown\n", done.stderr


def test_a_writer_who_opens_in_the_instant_of_the_lease_only_waits(inbox: Path) -> None:
    """Two processes race, one opening for writing, one asking, until the kernel had to break a lease."""
    path = inbox / "clip.mp4"
    path.write_bytes(mp4())
    writes = (
        "import os, sys, time\n"
        "end = time.monotonic() + 50\n"
        "while os.path.exists(sys.argv[1]) and time.monotonic() < end:\n"
        "    for n in range(100):\n"
        "        try: fd = os.open(sys.argv[1], os.O_WRONLY)\n"
        "        except FileNotFoundError: break\n"
        "        os.write(fd, b'x'); os.close(fd)\n"
    )
    asks = (
        "import os, signal, sys\n"
        "from nemo_watch.watcher.inspecting import writer_of\n"
        "broken, answers = [], set()\n"
        "signal.signal(signal.SIGURG, lambda number, frame: broken.append(number))\n"
        "fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)\n"
        "while not broken or len(answers) < 2: answers.add(writer_of(fd))\n"
        "print(*sorted(answers))\n"
    )
    with subprocess.Popen([sys.executable, "-c", writes, str(path)]) as writer:
        try:
            asked = subprocess.run(
                [sys.executable, "-c", asks, str(path)], capture_output=True, text=True, check=False, timeout=50
            )
        finally:
            path.unlink()
    assert (asked.returncode, asked.stdout) == (0, "none open\n"), asked.stderr
    assert writer.returncode == 0


def test_the_signal_that_is_chosen_is_ignored_unless_somebody_wants_it() -> None:
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
    os.kill(os.getpid(), signal.SIGURG)


# ---------------------------------------------------------------- placeholders


def test_a_file_without_blocks_is_never_opened(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (inbox / "far.mp4").open("wb") as out:
        out.truncate(5_000_000)
    assert os.stat(inbox / "far.mp4").st_blocks == 0
    ref = ref_of(inbox, "far.mp4")
    (inbox / "far.mp4").chmod(0)  # an opening would tell, for all but root
    read = []
    inspector = Inspector(str(inbox), lambda fd, size, name: read.append(name) or media.sniff(fd, size, name))
    assert inspector.look_into(ref, leases=True, blocks=True).inspection.verdict == "placeholder"
    assert not read


def test_small_files_may_have_no_blocks(inbox: Path) -> None:
    with (inbox / "small.mp4").open("wb") as out:
        out.truncate(60_000)
    assert look(inbox, ref_of(inbox, "small.mp4"))[0] == "incomplete"


def test_where_no_file_shows_blocks_none_is_a_placeholder_until_one_does(inbox: Path) -> None:
    with (inbox / "far.mp4").open("wb") as out:
        out.truncate(5_000_000)
    (inbox / "near.mp4").write_bytes(mp4())
    inspector = Inspector(str(inbox), media.sniff)
    verdicts = [
        inspector.look_into(ref_of(inbox, rel), leases=True, blocks=False).inspection.verdict
        for rel in ("far.mp4", "near.mp4", "far.mp4")
    ]
    assert verdicts == ["incomplete", "whole", "placeholder"]


# ---------------------------------------------------------------- what is no plain file


def test_what_took_the_place_of_a_file_is_neither_read_nor_waited_for(inbox: Path, tmp_path: Path) -> None:
    (inbox / "clip.mp4").write_bytes(mp4())
    (tmp_path / "secret.mp4").write_bytes(mp4())
    ref = ref_of(inbox, "clip.mp4")
    (inbox / "clip.mp4").unlink()

    def verdict() -> str:
        found = look(inbox, ref)[0]
        (inbox / "clip.mp4").unlink()
        return found

    assert look(inbox, ref)[0] == "changed"
    os.mkfifo(inbox / "clip.mp4")
    assert verdict() == "changed"
    (inbox / "clip.mp4").symlink_to(tmp_path / "secret.mp4")
    assert verdict() == "changed"
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(inbox)  # the path of a socket is short
        try:
            listener.bind("clip.mp4")
        finally:
            os.chdir(here)
        assert verdict() == "changed"
    (inbox / "clip.mp4").mkdir()
    assert look(inbox, ref)[0] == "changed"


def test_a_device_is_never_opened(inbox: Path) -> None:
    try:
        os.mknod(inbox / "clip.mp4", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root can make a device")
    assert look(inbox, ref_of(inbox, "clip.mp4"))[0] == "changed"


def test_a_parent_swapped_for_a_link_leads_nowhere(inbox: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (inbox / "sub").mkdir()
    (inbox / "sub" / "clip.mp4").write_bytes(mp4())
    ref = ref_of(inbox, "sub/clip.mp4")
    os.link(inbox / "sub" / "clip.mp4", outside / "clip.mp4")  # the very same file, but seen through a link
    (inbox / "sub").rename(tmp_path / "away")
    (inbox / "sub").symlink_to(outside)
    assert look(inbox, ref)[0] == "changed"
    inspector = Inspector(str(inbox), media.sniff)
    opened = inspector.open(ref)
    assert not isinstance(opened, int)
    assert opened.verdict == "changed"


@pytest.mark.parametrize(
    ("number", "name", "told"),
    [
        (errno.ENOENT, "project.toml", (TomlFacts(), "untried")),
        (errno.ELOOP, "project.toml", (TomlFacts(), "untried")),
        (errno.EAGAIN, "project.toml", (None, "open")),
        (errno.EACCES, "project.toml", (None, "untried")),
        (errno.EIO, "clip.toml", (None, "untried")),
        (errno.ESTALE, "clip.toml", (None, "untried")),
        (errno.EIO, "clip.txt", (TomlFacts(), "untried")),
    ],
)
def test_of_a_text_that_cannot_be_read_just_now_nothing_is_known(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, number: int, name: str, told: object
) -> None:
    (inbox / name).write_text("prompt = 'cut'\n")
    ref = ref_of(inbox, name)

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(inspecting, "open_below", fail)
    assert inspecting.read_text(str(inbox), ref, lambda _data, _name: TomlFacts(is_url=True), leases=True) == told


def test_a_file_that_grows_while_it_is_looked_into_has_no_verdict(inbox: Path) -> None:
    (inbox / "clip.mp4").write_bytes(mp4())
    ref = ref_of(inbox, "clip.mp4")

    def growing(fd: int, size_bytes: int, name: str) -> media.Sniff:
        seen = media.sniff(fd, size_bytes, name)
        with (inbox / "clip.mp4").open("ab") as out:
            out.write(b"more")
        return seen

    assert Inspector(str(inbox), growing).look_into(ref, leases=True, blocks=True).inspection.verdict == "changed"


# ---------------------------------------------------------------- readings to the end


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What recorders write that never learn how long it will be."""
    folder = tmp_path_factory.mktemp("live")
    picture = ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=30", "-f", "lavfi", "-i", "sine=440", "-t", "1"]
    made = {}
    for name, args in {
        "mkv": ["-c:v", "mpeg4", "-c:a", "aac", "-f", "matroska"],
        "avi": ["-c:v", "mpeg4", "-c:a", "aac", "-f", "avi"],
        "aac": ["-vn", "-c:a", "aac", "-f", "adts"],
        "mp3": ["-vn", "-c:a", "libmp3lame", "-f", "mp3"],
    }.items():
        command = [find_ffmpeg().path, "-v", "error", "-nostdin", *picture, *args, "pipe:1"]
        made[name] = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True).stdout
    return made


@pytest.mark.parametrize(
    ("container", "whole", "cut"),
    [
        ("mkv", "whole", "incomplete"),
        ("avi", "unchecked", "incomplete"),
        ("aac", "unchecked", "incomplete"),
        ("mp3", "unchecked", "unchecked"),
    ],
)
async def test_what_ffmpeg_tells_of_an_end(
    container: str, whole: str, cut: str, live: dict[str, bytes], inbox: Path
) -> None:
    reader = media.EndReader()
    data = live[container]
    for part, wanted in ((data, whole), (data[: len(data) * 6 // 10 + 7], cut)):
        path = inbox / f"clip.{container}"
        path.write_bytes(part)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            assert media.sniff(fd, len(part), path.name).verdict == "unchecked"
            path.unlink()  # what is read is what was opened, not what lies under its name
            assert await reader.read(fd, container) == wanted
        finally:
            os.close(fd)


@pytest.fixture
def slow_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ffmpeg that notes when it starts and then hangs."""
    notes = tmp_path / "starts"
    notes.touch()
    program = tmp_path / "ffmpeg"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *-version*) echo "ffmpeg version 9.0";; *) printf x >>{notes}; exec sleep 60;; esac\n'
    )
    program.chmod(0o755)
    find_ffmpeg.cache_clear()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    return notes


async def starts(notes: Path, count: int) -> None:
    end_s = time.monotonic() + 20
    while len(notes.read_text()) < count:
        assert time.monotonic() < end_s
        await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def _fresh_ffmpeg() -> object:
    yield
    find_ffmpeg.cache_clear()


async def test_a_reading_that_hangs_tells_nothing_and_there_are_never_more_than_two(
    slow_ffmpeg: Path, tmp_path: Path
) -> None:
    reader = media.EndReader(limits=RunLimits(wall_s=0.6, stall_s=60.0))
    (tmp_path / "clip.mkv").write_bytes(b"x")
    fd = os.open(tmp_path / "clip.mkv", os.O_RDONLY | os.O_CLOEXEC)
    try:
        readings = [asyncio.create_task(reader.read(fd, "mkv")) for _ in range(3)]
        await starts(slow_ffmpeg, 2)
        assert not readings[2].done()
        assert len(slow_ffmpeg.read_text()) == 2
        assert await asyncio.gather(*readings) == ["unchecked"] * 3
        cancelled = asyncio.create_task(reader.read(fd, "mkv"))
        await starts(slow_ffmpeg, 4)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    finally:
        os.close(fd)


async def test_without_an_ffmpeg_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    find_ffmpeg.cache_clear()
    (tmp_path / "clip.mkv").write_bytes(b"x")
    fd = os.open(tmp_path / "clip.mkv", os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert await media.EndReader().read(fd, "mkv") == "unchecked"
    finally:
        os.close(fd)


# ---------------------------------------------------------------- through the watcher


class Watched:
    """A running watcher on a real folder and what it dropped."""

    def __init__(self, root: Path) -> None:
        self.drops: list[Drop] = []
        intake = Intake(InboxRules("videos", instruction="cut the pauses"), QUICK)
        self.watcher = Watcher(str(root), intake, self._take, sniff=media.sniff, ends=media.EndReader())

    async def _take(self, drop: Drop) -> None:
        self.drops.append(drop)

    def names(self) -> list[str]:
        return sorted(drop.clip.rel for drop in self.drops if drop.refusal is None)

    def reason(self, rel: str) -> str:
        waiting = self.watcher.why(rel)
        return waiting.reason if waiting else ""

    async def until(self, rel: str, *reasons: str) -> None:
        end_s = time.monotonic() + 30
        while self.reason(rel) not in reasons:
            assert time.monotonic() < end_s, f"{self.names()} {self.watcher.waiting(20)} {self.watcher.state}"
            await asyncio.sleep(0.01)


@pytest.fixture
async def watched(inbox: Path) -> object:
    it = Watched(inbox)
    task = asyncio.create_task(it.watcher.run())
    yield it
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_stalled_writer_holds_its_file_until_it_closes(watched: Watched, inbox: Path) -> None:
    with (inbox / "clip.mp4").open("wb") as out:
        out.write(mp4())
        out.flush()
        await watched.until("clip.mp4", "writer")
        assert not watched.watcher.idle()
        assert not watched.drops
    await watched.until("clip.mp4", "taken")


async def test_a_file_that_stays_open_is_taken_when_it_is_whole_and_the_time_is_over(
    watched: Watched, inbox: Path, live: dict[str, bytes]
) -> None:
    with contextlib.ExitStack() as stack:
        for name, data in {
            "clip.mp4": mp4(),
            "live.mkv": live["mkv"],
            "live.avi": live["avi"],
            "half.mkv": live["mkv"][:-99],
        }.items():
            out = stack.enter_context((inbox / name).open("wb"))
            out.write(data)
            out.flush()
        begun_s = time.monotonic()
        await watched.until("clip.mp4", "taken")
        assert time.monotonic() - begun_s > QUICK.lease_cap_s - 0.3
        await watched.until("live.mkv", "taken")
        await watched.until("live.avi", "kept_open")
        await watched.until("half.mkv", "incomplete")
    await watched.until("live.avi", "taken")
    assert watched.names() == ["clip.mp4", "live.avi", "live.mkv"]


async def test_a_live_recording_that_is_cut_is_parked_until_its_rest_comes(
    watched: Watched, inbox: Path, live: dict[str, bytes]
) -> None:
    data = live["mkv"]
    (inbox / "clip.mkv").write_bytes(data[: len(data) // 2])
    await watched.until("clip.mkv", "incomplete")
    with (inbox / "clip.mkv").open("ab") as out:
        out.write(data[len(data) // 2 :])
    await watched.until("clip.mkv", "taken")
    assert len(watched.drops) == 1


async def test_a_placeholder_waits_for_its_content_and_is_not_on_its_way(watched: Watched, inbox: Path) -> None:
    data = mp4(100_000)
    with (inbox / "clip.mp4").open("wb") as out:
        out.truncate(len(data))
    await watched.until("clip.mp4", "placeholder")
    with (inbox / "clip.mp4").open("r+b") as out:
        out.write(data)
    await watched.until("clip.mp4", "taken")
    assert watched.names() == ["clip.mp4"]


async def test_odd_files_block_nobody_and_a_hard_link_is_a_file(watched: Watched, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "clip.mp4").write_bytes(mp4())
    os.mkfifo(inbox / "pipe.mp4")
    (inbox / "linked").symlink_to(tmp_path / "outside")
    (inbox / "link.mp4").symlink_to(tmp_path / "outside" / "clip.mp4")
    os.link(tmp_path / "outside" / "clip.mp4", inbox / "hard.mp4")
    await watched.until("hard.mp4", "taken")
    await watched.until("pipe.mp4", "ignored")
    await watched.until("link.mp4", "grace")
    await watched.watcher.rescan()
    assert watched.names() == ["hard.mp4"]
    assert watched.watcher.why("linked/clip.mp4") is None


async def test_many_files_that_are_read_to_their_ends_keep_no_other_waiting(inbox: Path, slow_ffmpeg: Path) -> None:
    it = Watched(inbox)
    task = asyncio.create_task(it.watcher.run())
    for number in range(ASKED_AT_ONCE + 50):
        (inbox / f"{number}.mkv").write_bytes(b"\x1aE\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"x" * 99)
    await starts(slow_ffmpeg, 1)
    (inbox / "clip.mp4").write_bytes(mp4())
    await it.until("clip.mp4", "taken")
    assert len(asyncio.all_tasks()) < ASKED_AT_ONCE, "those that wait for their turn are no tasks"
    assert it.names() == ["clip.mp4"]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_many_folders_that_are_listed_slowly_keep_no_clip_waiting(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = disk.list_in_parts

    def slowly(*args: Any) -> Iterator[disk.Listing]:
        time.sleep(0.3)  # a share far away
        yield from listed(*args)

    monkeypatch.setattr(disk, "list_in_parts", slowly)
    for number in range(ASKED_AT_ONCE + 100):
        (inbox / f"{number}").mkdir()
        (inbox / f"{number}" / "clip.mp4").write_bytes(mp4(10))
    it = Watched(inbox)
    task = asyncio.create_task(it.watcher.run())
    await it.until("0/clip.mp4", "listing")
    (inbox / "now.txt").write_text("cut the pauses")
    (inbox / "now.mp4").write_bytes(mp4())
    await it.until("now.mp4", "taken")
    assert sum(it.reason(f"{number}/clip.mp4") == "listing" for number in range(ASKED_AT_ONCE + 100)) > 100
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_no_descriptor_stays_open_when_a_reading_is_broken_off(inbox: Path, slow_ffmpeg: Path) -> None:
    it = Watched(inbox)
    task = asyncio.create_task(it.watcher.run())
    (inbox / "clip.mkv").write_bytes(b"\x1aE\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"x" * 99)
    await starts(slow_ffmpeg, 1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    def is_open() -> bool:
        links = (os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd"))
        return str(inbox / "clip.mkv") in links

    end_s = time.monotonic() + 20
    while is_open():
        assert time.monotonic() < end_s
        await asyncio.sleep(0.02)
