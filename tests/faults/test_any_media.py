"""Any bytes as media, through ffmpeg: facts or an error of ours, within a bound of time and memory, and no child left.

What passes the look at an upload is measured and rendered, too: what is wrong inside must not be found by a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.errors import MediaError
from nemo_watch.media import find_ffmpeg, probe, verify_video
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.fields import LONGEST_MS
from nemo_watch.sandbox.render import DraftError, Output, RenderError, Source, render
from nemo_watch.sandbox.server import SandboxServer
from tests.mangling import DRAFT, mangled, mangled_bytes
from tests.media_fixtures import children, clip, frame_ids
from tests.sandbox_wire import Caller

Factory = pytest.TempPathFactory
MOVING = ("faststart.mp4", "clip.mov", "clip.avi", "clip.webm", "clip.mkv", "moving.gif", "subtitled.mkv", "hdr.mkv")
SOUNDS = ("tone.mp3", "tone.wav", "tone.m4a", "tone.aac", "cover.mp3")
STILLS = ("still.png", "still.jpg", "still.gif", "still.webp")
PROBE_S = 20.0
"""Far above what any look takes (0.3 s), below what ends it by force."""
RENDER_S = 60.0
"""The same for a second or ten of a small picture (0.5 s)."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    begun_s = time.monotonic()
    try:
        yield
    finally:
        assert time.monotonic() - begun_s < seconds


def broken(factory: Factory, name: str, data: st.DataObject) -> Path:
    content = Path(clip(factory, name)).read_bytes()
    # Most of a file is packets; what is read first is where lengths and counts are.
    near = data.draw(st.sampled_from([2000, 20_000, len(content)]))
    bad = data.draw(mangled_bytes(content[:near])) + content[near:]
    path = factory.getbasetemp() / f"broken-{os.getpid()}"
    path.write_bytes(bad)
    return path


@pytest.mark.parametrize("name", [*MOVING, *SOUNDS, *STILLS])
@settings(max_examples=14)
@given(data=st.data())
def test_any_file_is_facts_or_no_media(tmp_path_factory: Factory, name: str, data: st.DataObject) -> None:
    path, before = broken(tmp_path_factory, name, data), children()
    begun_s = time.monotonic()
    code = "fine"
    try:
        info = asyncio.run(probe(str(path)))
    except MediaError as error:
        code = error.code
    else:
        assert info.duration_ms >= 0
        assert info.video or info.audio
        if info.duration_ms <= LONGEST_MS:
            found = asyncio.run(analyze(str(path), info))
            assert all(0 <= start < end <= info.duration_ms for start, end in found.silences)
    assert code in ("fine", "not_media")
    assert time.monotonic() - begun_s < PROBE_S
    assert children() == before


@settings(max_examples=16)
@given(data=st.data())
def test_any_result_is_whole_or_corrupt(tmp_path_factory: Factory, data: st.DataObject) -> None:
    path, before = broken(tmp_path_factory, "faststart.mp4", data), children()
    code = "fine"
    try:
        with within(RENDER_S):
            info = asyncio.run(verify_video(str(path), expected_s=12.0))
    except MediaError as error:
        code = error.code
    else:
        assert abs(info.duration_ms - 12_000) <= 2000
    assert code in ("fine", "download_corrupt")
    assert children() == before


@pytest.mark.parametrize("name", ["faststart.mp4", "clip.mkv", "clip.avi", "moving.gif", "tone.mp3", "still.webp"])
@settings(max_examples=5)
@given(data=st.data())
def test_any_source_is_rendered_to_the_frame_or_refused(
    tmp_path_factory: Factory, name: str, data: st.DataObject
) -> None:
    path, before = broken(tmp_path_factory, name, data), children()
    job = tmp_path_factory.mktemp("job")
    segment = {"id": "s", "s": 0, "d": 1500, "src": "u/x", "ss": 0}
    what = {"m": {"width": 128, "height": 72, "fps": 30}, "t": [{"tt": 0, "sg": [segment]}]}
    try:
        info = asyncio.run(probe(str(path)))
        video = info.video
        size = (video.width, video.height, video.fps) if video else (0, 0, 0.0)
        facts = (info.audio is not None, video is not None and video.hdr, path.stat().st_size)
        asset = Asset("x", "u/x", name, info.kind, info.duration_ms, *size, *facts)
        with within(RENDER_S):
            file = asyncio.run(render(what, {"u/x": Source(asset, str(path))}, Output(), str(job)))
    except (MediaError, DraftError, RenderError):
        assert not list(job.glob("out.*"))
    else:
        assert len(frame_ids(file.path)) == 45
    assert children() == before


@settings(max_examples=15)
@given(what=mangled(DRAFT | {"m": {"width": 160, "height": 90, "fps": 10}}))
def test_any_draft_that_is_taken_can_be_rendered(tmp_path_factory: Factory, what: Any) -> None:
    path = clip(tmp_path_factory, "pauses.mp4")
    sources = {
        segment["src"]: Source(
            Asset("x", segment["src"], "x", "video", 12_000, 320, 180, 30.0, has_audio=True, hdr=False, size_bytes=1),
            path,
        )
        for track in DRAFT["t"]
        for segment in track["sg"]
        if "src" in segment
    }
    job = tmp_path_factory.mktemp("job")
    try:
        with within(RENDER_S):
            file = asyncio.run(render(what, sources, Output(quality="draft", resolution="90p"), str(job)))
    except DraftError:
        return
    assert file.size_bytes > 0


# ---------------------------------------------------------------- a few bytes that claim much


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, body: bytes, flags: int = 0) -> bytes:
    return box(name, struct.pack(">I", flags) + body)


def movie_of(frames: int) -> bytes:
    """An MP4 of 700 bytes whose index speaks of so many frames of a byte each."""
    square = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    look = struct.pack(">HHIIIH", 320, 180, 0x480000, 0x480000, 0, 1) + bytes(32) + struct.pack(">Hh", 24, -1)
    entry = box(b"mp4v", bytes(6) + struct.pack(">H", 1) + bytes(16) + look)
    table = full(b"stsd", struct.pack(">I", 1) + entry) + full(b"stts", struct.pack(">III", 1, frames, 1))
    table += full(b"stsc", struct.pack(">IIII", 1, 1, frames, 1)) + full(b"stsz", struct.pack(">II", 1, frames))
    table += full(b"stco", struct.pack(">II", 1, 48))
    place = box(b"dinf", full(b"dref", struct.pack(">I", 1) + full(b"url ", b"", 1)))
    media = full(b"mdhd", struct.pack(">IIIIHH", 0, 0, 30, frames, 0, 0))
    media += full(b"hdlr", bytes(4) + b"vide" + bytes(12) + b"x\0")
    media += box(b"minf", full(b"vmhd", bytes(8), 1) + place + box(b"stbl", table))
    track = full(
        b"tkhd", struct.pack(">IIIII", 0, 0, 1, 0, 9) + bytes(16) + square + struct.pack(">II", 320 << 16, 180 << 16), 3
    )
    head = full(b"mvhd", struct.pack(">IIIIIH", 0, 0, 1000, 10_000, 0x10000, 0x100) + bytes(10) + square + bytes(28))
    moov = box(b"moov", head + box(b"trak", track + box(b"mdia", media)))
    return box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"mdat", bytes(64)) + moov


LOOK = """
import asyncio, resource, sys
from nemo_watch.errors import MediaError
from nemo_watch.media import probe
try:
    asyncio.run(probe(sys.argv[1]))
except MediaError as error:
    print(error.code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("frames", [10_000_000, 40_000_000, 80_000_000])
def test_an_index_of_millions_of_frames_takes_no_gigabytes(tmp_path: Path, frames: int) -> None:
    bomb = tmp_path / "bomb.mp4"
    bomb.write_bytes(movie_of(frames))
    assert bomb.stat().st_size < 1000
    told = subprocess.run(
        [sys.executable, "-c", LOOK, str(bomb)], capture_output=True, text=True, check=True, timeout=60
    )
    code, megabytes = told.stdout.split()
    assert code == "not_media"
    assert int(megabytes) < 1100


def test_a_sound_that_lasts_for_days_is_refused_and_nobody_listens_to_it(tmp_path: Path) -> None:
    long = tmp_path / "long.mkv"
    gap = "asetpts=if(lt(N\\,3)\\,PTS\\,PTS+100000/TB)"
    argv = [find_ffmpeg().path, "-v", "error", "-f", "lavfi", "-i", "sine=d=0.2", "-af", gap, str(long)]
    subprocess.run(argv, check=True, timeout=30)
    assert long.stat().st_size < 10_000
    with SandboxServer(tmp_path / "store") as sandbox, Caller(sandbox.url) as caller:
        session = caller.session()
        answer = caller.try_upload(session, ("long.mkv", long.read_bytes()))
        assert answer.json()["code"] == 4001
        assert "longer than 6 hours" in answer.json()["message"]
        assert caller.state(session)["video_infos"] == []


def test_no_look_at_a_file_took_more_memory_than_it_may() -> None:
    """The largest of all children of this process so far, those that made the clips included."""
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1100 * 1024
