"""Without a network, fonts or programs of the machine: what is installed by pip is all that a render needs.

Every test runs in a network namespace of its own, without interfaces, in which the system's fonts are hidden; as root.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch.media import probe
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.captions import read_cues
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import understand
from nemo_watch.sandbox.plan import edit
from nemo_watch.sandbox.render import Output, Source, render
from tests.media_fixtures import clip, grey_frame

NO_FONTS = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>'
HIDE = 'for d in /usr/share/fonts /usr/local/share/fonts; do [ ! -d $d ] || mount -t tmpfs none $d; done; exec "$@"'
SRT = b"1\n00:00:02,000 --> 00:00:03,000\nHello there.\n"
OF_EACH_KIND = "names or players or warm or own or title or captions or style or fonts"
SIZE = (320, 180)
SHOWN = {"caption": (135, 180), "title": (60, 120)}


def offline(*argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program where there is no network, no font and no other program."""
    fonts = folder / "fonts.conf"
    fonts.write_text(NO_FONTS)
    (folder / "bin").mkdir()
    (folder / "bin" / "cp").symlink_to(shutil.which("cp") or "cp")  # for what stands in for ffmpeg in a test
    quiet = {
        "PATH": str(folder / "bin"),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "FONTCONFIG_FILE": str(fonts),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    named = [f"{name}={value}" for name, value in quiet.items()]
    return subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", HIDE, "sh", "/usr/bin/env", "-i", *named, *argv],
        cwd=Path(__file__).parent.parent.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_captioned_titled_render_has_its_letters(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = clip(tmp_path_factory, "black.mp4")
    done = offline(sys.executable, "-m", "tests.faults.test_offline", "render", source, str(tmp_path), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    result = str(tmp_path / "job" / "out.mp4")
    for at_s, shown in ((0.5, {"title"}), (1.8, set()), (2.5, {"caption"}), (3.5, set())):
        frame = grey_frame(result, at_s, *SIZE)
        for name, (above, below) in SHOWN.items():
            assert (max(frame[SIZE[0] * above : SIZE[0] * below]) > 150) is (name in shown), (at_s, name)


@pytest.mark.timeout(330)  # hardly a minute, but on a machine that does ten other things
def test_the_tests_of_rendering_pass(tmp_path: Path) -> None:
    suite = ("tests/integration/test_render.py", "tests/integration/test_render_edits.py", "-k", OF_EACH_KIND)
    pytest_ = ("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "suite"), *suite)
    done = offline(sys.executable, *pytest_, folder=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.timeout(330)
def test_the_whole_story_needs_this_machine_alone(tmp_path: Path) -> None:
    """From a dropped clip to a result: the daemon and the sandbox talk over the loopback, which is all there is."""
    done = offline(sys.executable, "-m", "tests.faults.test_offline", "demo", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- inside


def nobody_is_there() -> None:
    """Make sure that the namespace is what it is meant to be."""
    names = [name for _, name in socket.if_nameindex()]
    assert names == ["lo"], names
    for folder in ("/usr/share/fonts", "/usr/local/share/fonts"):
        assert not os.path.isdir(folder) or not os.listdir(folder)
    with socket.socket() as sock:
        try:
            sock.connect(("127.0.0.1", 9))
        except OSError as error:
            assert error.errno != 111, "the loopback is up"  # noqa: PT017 - no test, the program of one


def raise_loopback() -> None:
    """Do what `ip link set lo up` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        asked = struct.pack("16sh", b"lo", 0)
        flags = struct.unpack("16sh", fcntl.ioctl(sock, 0x8913, asked))[1]
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh", b"lo", flags | 1))


async def titled(source: str, folder: str) -> None:
    info = await probe(source)
    assert info.video is not None
    size = (info.video.width, info.video.height, info.video.fps)
    asset = Asset("a", "u/a", "talk.mp4", "video", info.duration_ms, *size, has_audio=True, hdr=False, size_bytes=1)
    uploads = [
        replace(asset, analysis=await analyze(source, info)),
        Asset("b", "u/b", "talk.srt", "subtitle", 0, 0, 0, 0.0, False, False, 1, cues=read_cues(SRT)),
    ]
    wish = understand('add captions and add the title "Hello" for 1 second')
    made = edit({}, wish.ops, wish.unsupported, uploads, "en")
    assert {track["tt"] for track in made.draft["t"]} == {0, 7}, made.text
    await render(made.draft, {"u/a": Source(asset, source)}, Output(), os.path.join(folder, "job"))


if __name__ == "__main__":
    nobody_is_there()
    if sys.argv[1] == "demo":
        raise_loopback()
        os.execv(sys.executable, [sys.executable, "-m", "nemo_watch", "demo"])
    asyncio.run(titled(sys.argv[2], sys.argv[3]))
