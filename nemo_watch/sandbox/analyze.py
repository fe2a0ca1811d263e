"""Measure an upload's sound and picture: pauses, loudness, scene changes. Touches: child processes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence

from nemo_watch.media import MediaInfo, RunLimits, run_ffmpeg, safe_input
from nemo_watch.sandbox.facts import Analysis

BIN_MS = 100
"""Fine enough to find the levels; `Analysis.loudness` has bins of half a second."""
LOUDNESS_BIN_MS = 500
SHORTEST_SILENCE_S = 0.2
SMALLEST_CONTRAST_DB = 6.0
SILENT_DB = -120.0
_SCENE_THRESHOLD = 10
_EVERY_FRAME_MS = 60_000
_RATE = 48000
_RMS = re.compile(r"^lavfi\.astats\.Overall\.RMS_level=(\S+)")
_SCENE = re.compile(r"^lavfi\.scd\.time=([\d.]+)")
_SILENCE = re.compile(r"^lavfi\.silence_(start|end)=(-?[\d.]+)")


async def analyze(path: str, info: MediaInfo, *, scenes: bool = True) -> Analysis:
    """Measure the first sound and picture stream; a quick pass each (about a second for ten minutes of sound).

    Without `scenes` the picture is not looked at: of a short clip every one is decoded for them.

    An image or a stream that cannot be decoded gives an empty analysis: there is nothing to say of it.

    Raises: MediaToolError if there is no usable ffmpeg.
    Source: render.md 5, measured.
    """
    path = os.path.abspath(path)
    limits = RunLimits(wall_s=60 + info.duration_ms / 1000, stall_s=60)
    bins = await _levels(path, limits) if info.audio else []
    floor_db, speech_db, threshold_db = silence_threshold(bins)
    silences = await _silences(path, info.duration_ms, threshold_db, limits) if threshold_db is not None else ()
    seen = scenes and info.kind == "video" and info.video is not None
    found = await _scenes(path, info.duration_ms, limits) if seen else ()
    return Analysis(silences, found, loudness_bins(bins), speech_db, floor_db)


def silence_threshold(levels: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Give the quiet level, the loud level and the level below which it is a pause, from RMS in bins of 100 ms.

    The third is None if the sound is as loud everywhere: then it has no pauses, and nothing may be cut away.

    Source: render.md 5, "Silence threshold": -35 dB fixed is right for digital silence and wrong for noisy rooms.
    """
    if not levels:
        return None, None, None
    ordered = sorted(levels)
    speech_db = ordered[min(len(ordered) * 9 // 10, len(ordered) - 1)]
    floor_db = ordered[len(ordered) // 10]
    if speech_db - floor_db < SMALLEST_CONTRAST_DB:
        # Fewer pauses than a tenth of the length: half a second of quiet tells of them all the same.
        floor_db = ordered[min(5, len(ordered) - 1)]
    if speech_db - floor_db < SMALLEST_CONTRAST_DB:
        return floor_db, speech_db, None
    return floor_db, speech_db, min(max(floor_db + 0.35 * (speech_db - floor_db), -50.0), -25.0)


def loudness_bins(levels: Sequence[float]) -> tuple[tuple[int, float], ...]:
    """Join the RMS of bins of 100 ms to bins of half a second, by power."""
    each = LOUDNESS_BIN_MS // BIN_MS
    found = []
    for at in range(0, len(levels), each):
        part = levels[at : at + each]
        power = sum(10 ** (level / 10) for level in part) / len(part)
        found.append((at * BIN_MS, round(max(10 * math.log10(power), SILENT_DB), 1)))
    return tuple(found)


async def _levels(path: str, limits: RunLimits) -> list[float]:
    levels: list[float] = []

    def take(line: str) -> None:
        found = _RMS.match(line)
        if found is not None:
            level = float(found[1]) if re.fullmatch(r"-?\d+(\.\d+)?", found[1]) else SILENT_DB
            levels.append(max(level, SILENT_DB))

    chain = (
        f"aresample={_RATE}:async=1:first_pts=0,asetnsamples=n={_RATE * BIN_MS // 1000}:p=0,"
        "astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=RMS_level,"
        "ametadata=print:key=lavfi.astats.Overall.RMS_level:file=-:direct=1"
    )
    args = ["-v", "error", *safe_input(path), "-map", "0:a:0", "-af", chain, "-f", "null", "-"]
    await run_ffmpeg(args, cwd=os.path.dirname(path), on_line=take, limits=limits)
    return levels


async def _silences(path: str, duration_ms: int, threshold_db: float, limits: RunLimits) -> tuple[tuple[int, int], ...]:
    chain = (
        f"aresample={_RATE}:async=1:first_pts=0,silencedetect=noise={threshold_db:.1f}dB:d={SHORTEST_SILENCE_S},"
        "ametadata=print:file=-:direct=1"
    )
    args = ["-v", "error", *safe_input(path), "-map", "0:a:0", "-af", chain, "-f", "null", "-"]
    marks: list[tuple[str, int]] = []

    def take(line: str) -> None:
        found = _SILENCE.search(line)
        if found is not None:
            marks.append((found[1], round(float(found[2]) * 1000)))

    await run_ffmpeg(args, cwd=os.path.dirname(path), on_line=take, limits=limits)
    return pair_marks(marks, duration_ms)


def pair_marks(marks: Sequence[tuple[str, int]], duration_ms: int) -> tuple[tuple[int, int], ...]:
    """Make stretches of the starts and ends that silencedetect tells; the last may have no end: it is the file's."""
    found: list[tuple[int, int]] = []
    start_ms: int | None = None
    for kind, at_ms in marks:
        if kind == "start":
            start_ms = at_ms
        elif start_ms is not None:
            found.append((start_ms, at_ms))
            start_ms = None
    if start_ms is not None:
        found.append((start_ms, duration_ms))
    clamped = ((max(start, 0), min(end, duration_ms)) for start, end in found)
    return tuple((start, end) for start, end in clamped if start < end)


async def _scenes(path: str, duration_ms: int, limits: RunLimits) -> tuple[int, ...]:
    """Find where another scene begins: in a long file among keyframes only, where encoders nearly always put one."""
    times: list[int] = []

    def take(line: str) -> None:
        found = _SCENE.match(line)
        if found is not None:
            times.append(round(float(found[1]) * 1000))

    chain = (
        f"scale=320:-2:flags=fast_bilinear,scdet=threshold={_SCENE_THRESHOLD},"
        "metadata=print:key=lavfi.scd.time:file=-:direct=1"
    )
    skip = ["-skip_frame", "nokey"] if duration_ms > _EVERY_FRAME_MS else []
    args = ["-v", "error", *skip, *safe_input(path), "-map", "0:v:0", "-vf", chain]
    await run_ffmpeg([*args, "-f", "null", "-"], cwd=os.path.dirname(path), on_line=take, limits=limits)
    return tuple(times)
