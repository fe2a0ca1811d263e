"""Say what a media file holds, from the header as ffmpeg prints it. Touches: child processes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Literal

from nemo_watch.errors import MediaError
from nemo_watch.media.run import LOOK_MEMORY_BYTES, RunLimits, RunResult, run_ffmpeg, safe_input

MediaKind = Literal["video", "image", "audio"]
PROBE_LIMITS = RunLimits(wall_s=30.0, stall_s=30.0, cpu_s=30, memory_bytes=LOOK_MEMORY_BYTES)
MEASURE_LIMITS = RunLimits(wall_s=300.0, stall_s=60.0, cpu_s=300, memory_bytes=LOOK_MEMORY_BYTES)

_STILL_FORMATS = frozenset({"png_pipe", "jpeg_pipe", "webp_pipe"})
_ANIMATED_FORMATS = frozenset({"gif", "webp_anim"})
_GUESSED_LENGTHS = frozenset({"aac", "mp3"})
"""Without an index the length is bit rate times size, wrong for a variable bit rate: counting packets is quick."""

# Metadata is printed deeper than two blanks, and a line break in it goes on at that depth: it cannot look like these.
_INPUT = re.compile(r"^Input #0, ([\w,.-]+), from ", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)", re.MULTILINE)
_STREAM = re.compile(r"^  Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\(([^)]*)\))?: (Video|Audio|Subtitle): (.*)$")
_SIZE = re.compile(r", (\d{1,6})x(\d{1,6})(?=[\s,]|$)")
_SAR = re.compile(r"\bSAR (\d+):(\d+)")
_FPS = re.compile(r", (\d+(?:\.\d+)?)(k?) fps\b")
_TBR = re.compile(r", (\d+(?:\.\d+)?)(k?) tbr\b")
_RATE = re.compile(r", (\d+) Hz")
_CHANNELS = re.compile(r" Hz, ([^,]+)")
_ROTATION = re.compile(r"^\s+Display Matrix: rotation of (-?\d+(?:\.\d+)?) degrees")
_HDR = re.compile(r"\b(smpte2084|arib-std-b67)\b")
_LAYOUTS = {"mono": 1, "stereo": 2, "2.1": 3, "quad": 4, "4.0": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8}
_NOT_MEDIA_HINT = "Check that the file plays, or convert it to MP4 (H.264 and AAC), and drop it again."


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The first picture stream; width and height are as shown: after rotation, with square pixels."""

    width: int
    height: int
    fps: float
    hdr: bool
    codec: str


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The first sound stream; `channels` is 0 if the layout has no known name."""

    rate: int
    channels: int
    codec: str


@dataclass(frozen=True, slots=True)
class SubtitleInfo:
    """A subtitle stream: its number among the file's subtitle streams, its codec and language ("" if unknown)."""

    index: int
    codec: str
    language: str


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a file holds. `duration_ms` is 0 for an image. A GIF or WebP that moves is a video."""

    kind: MediaKind
    container: str
    duration_ms: int
    video: VideoInfo | None
    audio: AudioInfo | None
    subtitles: tuple[SubtitleInfo, ...] = ()


def _not_media(message: str) -> MediaError:
    return MediaError(message, code="not_media", hint=_NOT_MEDIA_HINT)


def parse_probe(stderr: str) -> MediaInfo | None:
    """Read ffmpeg's description of its first input; None if it opened nothing that can be shown or heard.

    Source: measured against ffprobe on 32 odd files (render.md 1).
    """
    found = _INPUT.search(stderr)
    if found is None:
        return None
    container, described = found[1], stderr[found.end() :]
    video: VideoInfo | None = None
    audio: AudioInfo | None = None
    subtitles: list[SubtitleInfo] = []
    turning = False
    for line in described.splitlines():
        stream = _STREAM.match(line)
        if stream is not None:
            language, kind, text = stream[2] or "", stream[3], stream[4]
            codec = text.split(" ", 1)[0].rstrip(",")
            turning = False
            if kind == "Video" and video is None and "(attached pic)" not in text:
                video = _video(text, codec)
                turning = video is not None
            elif kind == "Audio" and audio is None:
                audio = _audio(text, codec)
            elif kind == "Subtitle":
                subtitles.append(SubtitleInfo(len(subtitles), codec, "" if language == "und" else language))
            continue
        turn = _ROTATION.match(line) if turning else None
        if turn is not None and video is not None and round(float(turn[1]) / 90) % 2:
            video = replace(video, width=video.height, height=video.width)
    if video is None and audio is None:
        return None
    kind_of: MediaKind = "video" if video else "audio"
    if video and container in _STILL_FORMATS:
        kind_of = "image"
    length = _DURATION.search(described)
    duration_ms = 0
    if length is not None and kind_of != "image":
        duration_ms = round((int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3])) * 1000)
    return MediaInfo(kind_of, container, duration_ms, video, audio, tuple(subtitles))


def _video(text: str, codec: str) -> VideoInfo | None:
    size = _SIZE.search(text)
    if size is None:
        return None
    width, height = int(size[1]), int(size[2])
    sar = _SAR.search(text)
    if sar is not None and int(sar[1]) and int(sar[2]):
        width = round(width * int(sar[1]) / int(sar[2]))
    rate = _FPS.search(text) or _TBR.search(text)
    fps = float(rate[1]) * (1000 if rate[2] else 1) if rate else 0.0
    return VideoInfo(width, height, fps, _HDR.search(text) is not None, codec) if width and height else None


def _audio(text: str, codec: str) -> AudioInfo | None:
    rate = _RATE.search(text)
    layout = _CHANNELS.search(text)
    if rate is None:
        return None
    name = layout[1].split("(")[0].strip() if layout else ""
    count = re.match(r"(\d+) channels", name)
    return AudioInfo(int(rate[1]), int(count[1]) if count else _LAYOUTS.get(name, 0), codec)


def _forced_format(path: str) -> tuple[str, ...]:
    """Name the reader for a JPEG: by its suffix alone ffmpeg takes image2, which would read a "%d" as a pattern."""
    try:
        with open(path, "rb") as file:
            return ("-f", "jpeg_pipe") if file.read(3) == b"\xff\xd8\xff" else ()
    except OSError as error:
        raise MediaError(f"The file cannot be read: {error}.", code="unreadable") from error


async def probe(path: str, *, reader: tuple[str, ...] | None = None) -> MediaInfo:
    """Say what a file holds. The suffix decides nothing, the content does; lists and playlists are not opened.

    `reader` are the options that choose how it is read; None looks at its first bytes for them, here and now.

    Raises: MediaError (code "not_media") if it is no video, image or sound that can be read, ("unreadable") if it
        cannot be opened; MediaToolError if there is no usable ffmpeg.
    Source: render.md 1 and 6.
    """
    path = os.path.abspath(path)
    args = ["-v", "info", *safe_input(path, *(_forced_format(path) if reader is None else reader))]
    told = await run_ffmpeg(args, cwd="/", limits=PROBE_LIMITS)
    info = None if told.stopped else parse_probe(told.stderr)
    if info is None:
        raise _refusal(told)
    if info.video and info.container in _ANIMATED_FORMATS:
        length = await measure(path, "v")
        info = replace(info, kind="video" if length.frames > 1 else "image")
        info = replace(info, duration_ms=length.out_ms if info.kind == "video" else 0)
    elif info.kind != "image" and (not info.duration_ms or info.container in _GUESSED_LENGTHS):
        length = await measure(path, "v" if info.video else "a")
        if not length.ok or not length.out_ms:
            raise _not_media("The file holds no picture or sound that can be played.")
        info = replace(info, duration_ms=length.out_ms)
    return info


def _refusal(told: RunResult) -> MediaError:
    if told.stopped or told.returncode < 0:
        return _not_media("The file could not be understood within the time that a look at it may take.")
    if "whitelist" in told.stderr:
        return _not_media("The file is a list or a description of other media, not a video, image or sound.")
    return _not_media("The file is not a video, image or sound that can be read.")


async def measure(path: str, stream: Literal["v", "a"]) -> RunResult:
    """Count the packets of the first picture or sound stream without decoding: exact frames and length.

    Raises: MediaToolError if there is no usable ffmpeg.
    """
    path = os.path.abspath(path)
    args = ["-v", "error", *safe_input(path), "-map", f"0:{stream}:0", "-c", "copy", "-f", "null", "-"]
    return await run_ffmpeg(args, cwd="/", limits=MEASURE_LIMITS)
