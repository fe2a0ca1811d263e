"""media with the real ffmpeg: what it says of files, what it refuses, and that no child is left behind."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import pytest

from nemo_watch.errors import MediaError, MediaToolError
from nemo_watch.media import (
    Progress,
    RunLimits,
    check_tool,
    find_ffmpeg,
    probe,
    run_ffmpeg,
    safe_input,
    sniff,
    verify_video,
)
from nemo_watch.media.run import SAFE_FORMATS
from tests.media_fixtures import children, clip

Factory = pytest.TempPathFactory
ENDLESS = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=64x64:r=30", "-f", "mpegts", "endless.ts"]


def test_the_wheel_brings_all_that_is_needed() -> None:
    assert check_tool(find_ffmpeg()) == []


def test_a_program_that_is_not_ffmpeg_or_too_old_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "ffmpeg"
    for said, word in (
        ("echo ffmpeg version 5.1.9-0 Copyright", "too old"),
        ("echo hello", "not ffmpeg"),
        ("exit 3", "run"),
    ):
        other.write_text(f"#!/bin/sh\n{said}\n")
        other.chmod(0o755)
        monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(other))
        find_ffmpeg.cache_clear()
        try:
            with pytest.raises(MediaToolError, match=word) as caught:
                find_ffmpeg()
            assert caught.value.hint
        finally:
            find_ffmpeg.cache_clear()


# ---------------------------------------------------------------- probe


@pytest.mark.parametrize(
    ("name", "kind", "size", "fps", "sound", "length_ms"),
    [
        ("pauses.mp4", "video", (320, 180), 30, True, 12_000),
        ("clip.mov", "video", (320, 180), 30, True, 12_000),
        ("clip.mkv", "video", (320, 180), 30, True, 12_000),
        ("clip.webm", "video", (320, 180), 30, True, 3_000),
        ("clip.avi", "video", (320, 180), 30, True, 3_000),
        ("mute.mp4", "video", (320, 180), 30, False, 4_000),
        ("rotated.mp4", "video", (180, 320), 30, False, 6_000),
        ("sar.mp4", "video", (853, 360), 25, False, 2_000),
        ("odd.mkv", "video", (319, 179), 25, False, 2_000),
        ("moving.gif", "video", (160, 90), 10, False, 2_000),
        ("still.gif", "image", (320, 240), None, False, 0),
        ("still.png", "image", (320, 240), None, False, 0),
        ("still.jpg", "image", (320, 240), None, False, 0),
        ("still.webp", "image", (320, 240), None, False, 0),
        ("tone.wav", "audio", None, None, True, 6_000),
        ("tone.mp3", "audio", None, None, True, 6_000),
        ("tone.m4a", "audio", None, None, True, 6_000),
        ("tone.aac", "audio", None, None, True, 6_000),
        ("cover.mp3", "audio", None, None, True, 6_000),
    ],
)
async def test_probe(
    tmp_path_factory: Factory,
    name: str,
    kind: str,
    size: tuple[int, int] | None,
    fps: float | None,
    sound: bool,
    length_ms: int,
) -> None:
    info = await probe(clip(tmp_path_factory, name))
    assert info.kind == kind
    assert ((info.video.width, info.video.height) if info.video else None) == size
    assert (info.audio is not None) == sound
    assert abs(info.duration_ms - length_ms) <= 100
    if fps is not None:
        assert info.video is not None
        assert info.video.fps == fps


async def test_probe_sees_hdr_and_subtitles(tmp_path_factory: Factory) -> None:
    bright = await probe(clip(tmp_path_factory, "hdr.mkv"))
    assert bright.video is not None
    assert bright.video.hdr
    titled = await probe(clip(tmp_path_factory, "subtitled.mkv"))
    assert [stream.codec for stream in titled.subtitles] == ["subrip"]


async def test_a_recording_without_a_length_is_measured(tmp_path_factory: Factory, tmp_path: Path) -> None:
    source = clip(tmp_path_factory, "clip.webm")
    live = tmp_path / "live.webm"
    args = [*safe_input(source), "-c", "copy", "-live", "1", "-f", "webm", str(live)]
    assert (await run_ffmpeg(args, cwd=str(tmp_path))).ok
    assert "Duration: N/A" in (await run_ffmpeg(safe_input(str(live)), cwd=str(tmp_path))).stderr
    assert abs((await probe(str(live))).duration_ms - 3000) <= 50


@pytest.mark.parametrize(
    "name", ["it's; $(touch x).mp4", "a:b,c[d].mp4", "-i evil %03d.mp4", "视频 é.mp4", os.fsdecode(b"\xff\xfe.mp4")]
)
async def test_any_name_is_only_a_name(tmp_path_factory: Factory, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(Path(clip(tmp_path_factory, "scenes.mp4")).read_bytes())
    assert (await probe(str(path))).duration_ms == 6000
    assert os.listdir(tmp_path) == [name]


async def test_a_pattern_in_an_image_s_name_is_only_a_name(tmp_path_factory: Factory, tmp_path: Path) -> None:
    data = Path(clip(tmp_path_factory, "still.jpg")).read_bytes()
    (tmp_path / "x%d.jpg").write_bytes(data)
    (tmp_path / "x1.jpg").write_bytes(b"never opened")
    assert (await probe(str(tmp_path / "x%d.jpg"))).kind == "image"


# ---------------------------------------------------------------- hostile


def _ffconcat(folder: Path, name: str) -> bytes:
    return f"ffconcat version 1.0\nfile {name}\n".encode()


def _playlist(folder: Path, name: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{name}\n#EXT-X-ENDLIST\n".encode()


HOSTILE: dict[str, Callable[[Path, str], bytes]] = {
    "ffconcat": _ffconcat,
    "hls": _playlist,
    "sdp": lambda folder, name: (
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    ),
    "svg": lambda folder, name: (
        b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9" height="9"/></svg>'
    ),
    "text": lambda folder, name: b"hello\n",
    "zeros": lambda folder, name: bytes(100_000),
    "random": lambda folder, name: random.Random(7).randbytes(100_000),
    "nothing": lambda folder, name: b"",
    "half": lambda folder, name: (folder / name).read_bytes()[: (folder / name).stat().st_size // 2],
    "bomb": lambda folder, name: _png_bomb(),
}


def _png_bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(30_001 * 50))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("what", sorted(HOSTILE))
@pytest.mark.parametrize("suffix", ["mp4", "jpg"])
async def test_what_is_no_media_is_refused_for_that_and_leaves_nothing(
    tmp_path_factory: Factory, tmp_path: Path, what: str, suffix: str
) -> None:
    target = tmp_path / "target.mp4"
    target.write_bytes(Path(clip(tmp_path_factory, "scenes.mp4")).read_bytes())
    bad = tmp_path / f"bad.{suffix}"
    bad.write_bytes(HOSTILE[what](tmp_path, target.name))
    before = children()
    with pytest.raises(MediaError) as caught:
        async with asyncio.timeout(5):
            await probe(str(bad))
    assert caught.value.code == "not_media"
    assert caught.value.hint
    assert "time" not in caught.value.message, "it is refused for what it is, not because a limit ended the look"
    assert children() == before
    assert sorted(os.listdir(tmp_path)) == sorted([bad.name, "target.mp4"])


@pytest.mark.parametrize(
    ("what", "name"),
    # A playlist is opened under its own suffix only, and neither clips nor their copies for a render ever have it.
    [("ffconcat", "bad.mp4"), ("svg", "bad.mp4"), ("hls", "bad.m3u8")],
)
async def test_it_is_the_whitelist_that_refuses(
    tmp_path_factory: Factory, tmp_path: Path, what: str, name: str
) -> None:
    """The same file opens without it: were the whitelist lost, the test above would see a readable target."""
    target = tmp_path / "target.ts"
    target.write_bytes(Path(clip(tmp_path_factory, "clip.ts")).read_bytes())
    bad = tmp_path / name
    bad.write_bytes(HOSTILE[what](tmp_path, target.name))
    rest = ["-frames:v", "1", "-f", "null", "-"]
    opened = await run_ffmpeg(["-protocol_whitelist", "file", "-i", bad.name, *rest], cwd=str(tmp_path))
    refused = await run_ffmpeg([*safe_input(bad.name), *rest], cwd=str(tmp_path))
    assert opened.returncode == 0
    assert refused.returncode != 0
    assert "whitelist" in refused.stderr


async def test_a_description_of_a_stream_is_refused_before_anybody_listens_for_it(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(HOSTILE["sdp"](tmp_path, ""))
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    sdp = (tmp_path / "bad.mp4").read_text().replace("5004", str(port)) + "a=rtpmap:96 H264/90000\n"
    (tmp_path / "bad.mp4").write_text(sdp)
    network = ["-v", "error", "-protocol_whitelist", "file,rtp,udp"]
    rest = ["-i", "file:bad.mp4", "-f", "null", "-"]
    opened = await run_ffmpeg([*network, *rest], cwd=str(tmp_path), limits=RunLimits(wall_s=1.5))
    refused = await run_ffmpeg([*network, "-format_whitelist", SAFE_FORMATS, *rest], cwd=str(tmp_path))
    assert opened.stopped == "wall"
    assert (refused.stopped, refused.ok) == ("", False)
    assert "whitelist" in refused.stderr


async def test_a_file_that_is_not_there_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        await probe(str(tmp_path / "gone.mp4"))
    assert caught.value.code == "unreadable"


# ---------------------------------------------------------------- runs


async def test_progress_rises_to_the_end(tmp_path_factory: Factory, tmp_path: Path) -> None:
    seen: list[Progress] = []
    args = ["-v", "error", *safe_input(clip(tmp_path_factory, "pauses.mp4")), "-c:v", "libx264", "out.mp4"]
    done = await run_ffmpeg(args, cwd=str(tmp_path), on_progress=seen.append)
    assert done.ok
    assert [one.out_ms for one in seen] == sorted(one.out_ms for one in seen)
    assert seen[-1].frames == done.frames == 360


@contextmanager
def stand_in(folder: Path, script: str) -> Iterator[None]:
    """A program in ffmpeg's place, for behaviour that cannot be had from ffmpeg at will."""
    program = folder / "stand-in"
    program.write_text(f'#!/bin/sh\n[ "$2" = -version ] && echo ffmpeg version 9.0.0 x && exit\n{script}\n')
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(program))
        find_ffmpeg.cache_clear()
        try:
            yield
        finally:
            find_ffmpeg.cache_clear()


async def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    before = children()
    done = await run_ffmpeg(ENDLESS, cwd=str(tmp_path), limits=RunLimits(wall_s=0.5))
    assert (done.stopped, done.ok) == ("wall", False)
    assert children() == before


async def test_a_run_that_stands_still_is_ended(tmp_path: Path) -> None:
    still = "while :; do echo out_time_us=5; echo progress=continue; sleep 0.1; done"
    moving = "i=0; while :; do i=$((i+1)); echo out_time_us=$i; echo progress=continue; sleep 0.1; done"
    before = children()
    for script, stopped in ((still, "stall"), (moving, "wall")):
        with stand_in(tmp_path, script):
            done = await run_ffmpeg([], cwd=str(tmp_path), limits=RunLimits(wall_s=4, stall_s=1.5))
        assert done.stopped == stopped
    assert children() == before


async def test_the_largest_file_is_limited(tmp_path: Path) -> None:
    args = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:d=20", "-f", "rawvideo", "out.raw"]
    done = await run_ffmpeg(args, cwd=str(tmp_path), limits=RunLimits(output_bytes=1_000_000))
    assert not done.ok
    assert (tmp_path / "out.raw").stat().st_size <= 1_000_000


async def test_a_cancelled_run_is_gone_before_the_task_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nemo_watch.media.run.TERM_GRACE_S", 3600.0)  # the first signal must do
    before = children()
    begun = asyncio.Event()
    task = asyncio.create_task(run_ffmpeg(ENDLESS, cwd=str(tmp_path), on_progress=lambda _: begun.set()))
    await asyncio.wait_for(begun.wait(), 20)
    task.cancel()
    done, _pending = await asyncio.wait({task}, timeout=60)
    assert done == {task}
    assert task.cancelled()
    assert children() == before


async def test_one_that_ignores_the_first_signal_gets_the_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nemo_watch.media.run.TERM_GRACE_S", 0.5)
    before = children()
    with stand_in(tmp_path, "trap '' TERM\nwhile :; do sleep 0.1; done"):
        done = await run_ffmpeg([], cwd=str(tmp_path), limits=RunLimits(wall_s=1.0))
    assert (done.stopped, done.returncode) == ("wall", -signal.SIGKILL)
    assert children() == before


async def test_a_callback_that_fails_ends_the_run(tmp_path: Path) -> None:
    def fail(_: Progress) -> None:
        raise LookupError("no such job")

    before = children()
    with pytest.raises(LookupError):
        await run_ffmpeg(ENDLESS, cwd=str(tmp_path), on_progress=fail)
    assert children() == before


async def test_endless_complaints_fill_neither_pipe_nor_memory(tmp_path_factory: Factory, tmp_path: Path) -> None:
    data = bytearray(Path(clip(tmp_path_factory, "faststart.mp4")).read_bytes())
    chance = random.Random(3)
    for _ in range(3000):
        data[chance.randrange(20_000, len(data))] = chance.randrange(256)
    (tmp_path / "bad.mp4").write_bytes(data)
    args = ["-v", "debug", *safe_input("bad.mp4"), "-f", "null", "-"]
    done = await run_ffmpeg(args, cwd=str(tmp_path))
    assert not done.stopped
    assert len(done.stderr) < 4_000_000


# ---------------------------------------------------------------- results


async def test_a_whole_result_is_accepted(tmp_path_factory: Factory) -> None:
    path = clip(tmp_path_factory, "pauses.mp4")
    info = await verify_video(path, expected_s=12.5, expected_bytes=os.path.getsize(path))
    assert abs(info.duration_ms - 12_000) <= 50
    assert info.video is not None


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped(data: bytes) -> bytes:
    flipped, chance = bytearray(data), random.Random(5)
    for _ in range(4000):
        flipped[chance.randrange(30_000, len(flipped))] = chance.randrange(256)
    return bytes(flipped)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_cut, {}),
        (_flipped, {}),
        (lambda data: data + bytes(5000), {}),
        (lambda data: b"<html>Not found</html>", {}),
        (lambda data: b"", {}),
        (lambda data: data, {"expected_s": 30.0}),
        (lambda data: data, {"expected_bytes": 5}),
    ],
)
async def test_a_result_that_is_not_whole_is_found_out(
    tmp_path_factory: Factory, tmp_path: Path, change: Callable[[bytes], bytes], expected: dict[str, float]
) -> None:
    path = tmp_path / "result.mp4"
    path.write_bytes(change(Path(clip(tmp_path_factory, "faststart.mp4")).read_bytes()))
    with pytest.raises(MediaError) as caught:
        await verify_video(str(path), **expected)  # type: ignore[arg-type]  # one of two keys
    assert caught.value.code == "download_corrupt"


async def test_sound_alone_is_no_result(tmp_path_factory: Factory) -> None:
    with pytest.raises(MediaError, match="no picture"):
        await verify_video(clip(tmp_path_factory, "tone.m4a"))


async def test_without_ffmpeg_length_and_boxes_are_checked(
    tmp_path_factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clip(tmp_path_factory, "faststart.mp4")
    data = Path(source).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(_cut(data))

    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    find_ffmpeg.cache_clear()
    try:
        with pytest.raises(MediaToolError, match="no ffmpeg program"):
            await probe(source)
        assert (await verify_video(source, expected_s=12.0)).duration_ms == 12_000
        for path, expected_s in ((str(cut), 12.0), (source, 60.0)):
            with pytest.raises(MediaError) as caught:
                await verify_video(path, expected_s=expected_s)
            assert caught.value.code == "download_corrupt"
    finally:
        find_ffmpeg.cache_clear()


async def test_every_accepted_type_is_known_without_a_child(tmp_path_factory: Factory) -> None:
    for name in (
        *("pauses.mp4", "clip.mov", "clip.avi", "clip.webm", "clip.mkv", "still.jpg", "still.png", "still.gif"),
        *("still.webp", "tone.mp3", "tone.wav", "tone.m4a", "tone.aac"),
    ):
        path = clip(tmp_path_factory, name)
        fd = os.open(path, os.O_RDONLY)
        try:
            seen = sniff(fd, os.path.getsize(path), name)
        finally:
            os.close(fd)
        assert seen.verdict in ("whole", "unchecked"), name
        assert seen.container == name.rpartition(".")[2] or name in ("tone.m4a", "pauses.mp4"), name
