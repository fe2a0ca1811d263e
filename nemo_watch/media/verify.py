"""Check a downloaded result before it is delivered. Touches: files, child processes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from nemo_watch.errors import MediaError, MediaToolError
from nemo_watch.media.probe import MediaInfo, measure, probe
from nemo_watch.media.run import RunLimits, run_ffmpeg, safe_input
from nemo_watch.media.sniff import box_duration_ms, sniff

Disk = Callable[..., Awaitable[Any]]
"""Runs a blocking function with its arguments on the threads of the folder that it touches."""

_HINT = "The result is fetched again; if that does not help, it is rendered again once, which is free."


def _corrupt(message: str) -> MediaError:
    return MediaError(message, code="download_corrupt", hint=_HINT)


async def verify_video(
    path: str, *, expected_s: float | None = None, expected_bytes: int | None = None, disk: Disk | None = None
) -> MediaInfo:
    """Check that a result is whole: its length in bytes, its boxes, and that every frame of it decodes.

    Without an ffmpeg for the platform, length, boxes and the length in the header are what is checked. `disk` runs what
    touches the file in this process; without it that is done at once.

    Units: the decoded length may differ from `expected_s` by 2 s or a tenth, whichever is more.
    Raises: MediaError (code "download_corrupt") if it is not whole, ("unreadable") if it cannot be read at all.
    Source: product.md 4.4, measured: ffmpeg ends with 0 on truncated and on damaged input.
    """
    path = os.path.abspath(path)
    from_header = _check_bytes(path, expected_bytes) if disk is None else await disk(_check_bytes, path, expected_bytes)
    try:
        info = await _decode(path)
    except MediaToolError:
        info = from_header
    if expected_s is not None and expected_s > 0 and info.duration_ms:
        got_s = info.duration_ms / 1000
        if abs(got_s - expected_s) > max(2.0, expected_s / 10):
            raise _corrupt(f"The result is {got_s:.1f} s long, but {expected_s:.1f} s were announced.")
    return info


def _check_bytes(path: str, expected_bytes: int | None) -> MediaInfo:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise MediaError(f"The result cannot be opened: {error}.", code="unreadable") from error
    try:
        size_bytes = os.fstat(fd).st_size
        if expected_bytes is not None and expected_bytes > 0 and size_bytes != expected_bytes:
            raise _corrupt(f"The result has {size_bytes} bytes, but {expected_bytes} were announced.")
        seen = sniff(fd, size_bytes, os.path.basename(path))
        if seen.verdict in ("empty", "incomplete", "not_media"):
            raise _corrupt(f"The result is no whole video: {seen.sentence}")
        return MediaInfo("video", seen.container, box_duration_ms(fd, size_bytes), None, None)
    finally:
        os.close(fd)


async def _decode(path: str) -> MediaInfo:
    """Decode all of it and give what it holds, with the length that was decoded in place of the one claimed."""
    try:
        info = await probe(path, reader=())
    except MediaError as error:
        raise _corrupt(f"The result does not open: {error.message}") from error
    if info.video is None:
        raise _corrupt("The result has no picture.")
    limit_s = 60.0 + 20.0 * info.duration_ms / 1000
    args = ["-v", "error", "-max_error_rate", "0.01", *safe_input(path), "-map", "0:v:0", "-map", "0:a:0?"]
    done = await run_ffmpeg([*args, "-f", "null", "-"], cwd="/", limits=RunLimits(wall_s=limit_s))
    if done.stopped:
        raise MediaToolError("Decoding the result takes longer than this machine is given for it.")
    if done.returncode:
        raise _corrupt(f"The result cannot be decoded: {done.last_line or 'no reason given'}.")
    length = await measure(path, "v")
    if not done.frames or not done.out_ms or done.frames + max(2, length.frames // 100) < length.frames:
        raise _corrupt(f"Only {done.frames} of {length.frames} frames of the result can be decoded.")
    return MediaInfo("video", info.container, done.out_ms, info.video, info.audio, info.subtitles)
