"""Subtitles that a video carries as text: taken out by ffmpeg, read as a subtitle file is. Touches: child processes."""

from __future__ import annotations

import asyncio
import logging
import os

from nemo_watch.media import MediaInfo, RunLimits, SubtitleInfo, run_ffmpeg, safe_input
from nemo_watch.media.run import LOOK_MEMORY_BYTES
from nemo_watch.sandbox.captions import MAX_BYTES, CaptionsError, read_cues
from nemo_watch.sandbox.facts import Cue

log = logging.getLogger("nemo_watch.sandbox")

TEXT_CODECS = frozenset({"ass", "mov_text", "srt", "ssa", "subrip", "text", "webvtt"})
"""Others are pictures of text (DVD, Blu-ray, DVB) or pages of it: no recogniser reads those here."""
MOST_STREAMS = 8
_SAME_LANGUAGE = {"zh": ("zh", "chi", "cmn", "yue"), "de": ("de", "ger"), "fr": ("fr", "fre")}


async def carried_cues(path: str, info: MediaInfo, language: str) -> tuple[Cue, ...]:
    """Take out the first text stream that has cues, one in the wanted language before the others; () if none has.

    Raises: MediaToolError if there is no usable ffmpeg.
    Source: measured: ffmpeg's SRT has times from the beginning of the file, as cutting and rendering have.
    """
    texts = [stream for stream in info.subtitles if stream.codec in TEXT_CODECS]
    wanted = _SAME_LANGUAGE.get(language.lower()[:2], (language.lower()[:2] or "?",))
    texts.sort(key=lambda stream: not stream.language.lower().startswith(wanted))
    for stream in texts[:MOST_STREAMS]:
        try:
            return await _extracted(os.path.abspath(path), info.duration_ms, stream)
        except CaptionsError as error:
            log.info("subtitle stream %d of %s: %s", stream.index, os.path.basename(path), error.message)
    return ()


async def _extracted(path: str, duration_ms: int, stream: SubtitleInfo) -> tuple[Cue, ...]:
    lines: list[str] = []
    size = 0

    def take(line: str) -> None:
        nonlocal size
        size += len(line) + 1
        if size > MAX_BYTES:
            raise CaptionsError("It is larger than any subtitles.")
        lines.append(line)

    args = ["-v", "error", *safe_input(path), "-map", f"0:s:{stream.index}", "-c:s", "subrip", "-f", "srt", "-"]
    limits = RunLimits(wall_s=60 + duration_ms / 1000, stall_s=60, memory_bytes=LOOK_MEMORY_BYTES)
    done = await run_ffmpeg(args, cwd=os.path.dirname(path), on_line=take, limits=limits)
    if not done.ok:
        raise CaptionsError(f"It cannot be read: {done.last_line[:200]}")
    return await asyncio.to_thread(read_cues, "\n".join(lines).encode())
