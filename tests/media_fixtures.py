"""Clips made by ffmpeg when a test first asks for one, shared by all workers of a run, and eyes to look at results."""

from __future__ import annotations

import fcntl
import math
import os
import re
import struct
import subprocess
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from nemo_watch.media import find_ffmpeg

BITS = 12
SQUARE = 32
ID_WIDTH, ID_HEIGHT = BITS * SQUARE, 216
"""The frame number is a row of twelve squares, the lowest bit to the left: white is 1."""

_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
_AAC = ["-c:a", "aac", "-b:a", "128k"]
_BITS = (
    f"color=black:s={BITS * 8}x{ID_HEIGHT // 4}:r=30,"
    "geq=lum='if(mod(floor(N/pow(2,floor(X/8))),2),235,16)':cb=128:cr=128,"
    f"scale={ID_WIDTH}:{ID_HEIGHT}:flags=neighbor"
)


def _tone(period_s: int, begin_s: float, end_s: float, extra: str = "") -> str:
    loud = f"if(between(mod(t,{period_s}),{begin_s},{end_s}),0.4*sin(2*PI*440*t),0)"
    return f"aevalsrc='{loud}{extra}':s=48000"


def _two(picture: str, sound: str, seconds: float) -> list[str]:
    return ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-t", str(seconds), *_X264, *_AAC]


_PAUSES = _tone(4, 0.5, 2.5)
_TEST = "testsrc2=s=320x180:r=30"
_SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello there.\n\n2\n00:00:04,000 --> 00:00:05,500\nGood {bye} \\N!\n"
_LATE_SRT = "1\n00:00:06,000 --> 00:00:08,000\nHello there.\n\n2\n00:00:09,000 --> 00:00:10,500\nAnd good bye.\n"
_SHORT_SRT = "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i> there.\n\n2\n00:00:02,500 --> 00:00:03,500\nTwo\nlines\n"
_SINE = "0.3*sin(2*PI*440*t)"
_TEXTS = {"cues.srt": _SRT, "late.srt": _LATE_SRT, "short.srt": _SHORT_SRT}
_CORNERS = ",".join(
    f"drawbox=x={x}:y={y}:w=48:h=48:color={colour}:t=fill"
    for x, y, colour in ((0, 0, "red"), (272, 0, "lime"), (0, 132, "blue"), (272, 132, "yellow"), (136, 66, "white"))
)
_THREE = "color={}:s=320x180:r=30:d=2[{}];"
_CARRYING = ["@black.mp4", "@short.srt", "-map", "0", "-map", "1"]
_TURNED = {"rotated.mp4": "scenes.mp4", "rotated_corners.mp4": "corners.mp4"}
_RECIPES: dict[str, list[str]] = {
    # 0.5 s to 2.5 s of every 4 s is loud: pauses of 0.5 s, 2 s, 2 s and 1.5 s
    "pauses.mp4": _two(_TEST, _PAUSES, 12),
    "pauses_noise.mp4": _two("color=gray:s=320x180:r=30", _tone(4, 0.5, 2.5, "+0.003*(random(0)-0.5)*2"), 12),
    "frameid.mp4": _two(_BITS, _PAUSES, 20),
    "frameid_short.mp4": _two(_BITS, _PAUSES, 8),
    "frameid_25.mp4": _two(_BITS.replace("r=30", "r=25"), _PAUSES, 4),
    "frameid_50.mp4": _two(_BITS.replace("r=30", "r=50"), _PAUSES, 4),
    # 4.8 s of every 6 s are loud: 80 s of sound, the rest pauses
    "frameid_long.mp4": _two(_BITS, _tone(6, 0.6, 5.4), 100),
    # frames 2, 3 and 4 of every seven are missing, and what is left keeps its times
    "frameid_vfr.mkv": ["@frameid_short.mp4", "-vf", "select='not(between(mod(n,7),2,4))'", "-fps_mode", "vfr", *_X264],
    # loud from 6 to 12, 18 to 24 and 30 to 36 s, less so in between, with no pause
    "frameid_loud.mp4": _two(_BITS, "aevalsrc='if(lt(mod(t,12),6),0.15,0.4)*sin(2*PI*440*t)':s=48000", 40),
    # red and lime above, blue and yellow below, white in the middle
    "corners.mp4": ["-f", "lavfi", "-i", f"color=gray:s=320x180:r=30:d=1,{_CORNERS}", *_X264],
    "two_voices.mkv": [
        *("@mute.mp4", "@steady.mp4", "@tone.wav", "-map", "0:v", "-map", "1:a", "-map", "2:a", "-c:v", "copy"),
        *("-af", "volume=0.25", "-t", "4"),
    ],
    "clip.ts": ["@pauses.mp4", "-c", "copy", "-f", "mpegts"],
    "8k.mp4": [
        *("-f", "lavfi", "-i", "color=red:s=7680x4320:r=30", "-frames:v", "3", "-c:v", "libx264"),
        *("-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    ],
    "scenes.mp4": [
        *("-filter_complex", "".join(_THREE.format(c, c[0]) for c in ("red", "lime", "blue")) + "[r][l][b]concat=n=3"),
        *_X264,
    ],
    "black.mp4": _two("color=black:s=320x180:r=30", "anullsrc=r=48000:cl=stereo", 4),
    "mute.mp4": ["-f", "lavfi", "-i", _TEST, "-t", "4", *_X264],
    "steady.mp4": _two("color=gray:s=320x180:r=30", "aevalsrc='0.3*sin(2*PI*300*t)':s=48000", 4),
    "steady12.mp4": _two("color=gray:s=320x180:r=30", "aevalsrc='if(lt(t,1.5),0,0.3*sin(2*PI*300*t))':s=48000", 12),
    "sar.mp4": ["-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-t", "2", "-vf", "setsar=4/3", *_X264],
    "odd.mkv": ["-f", "lavfi", "-i", "testsrc=s=319x179:r=25", "-t", "2", "-c:v", "ffv1", "-pix_fmt", "yuv444p"],
    "hdr.mkv": [
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-t", "1", "-vf"),
        "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv",
        *("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"),
    ],
    "stereo.wav": ["-f", "lavfi", "-i", f"aevalsrc='{_SINE}|0.5*{_SINE}':s=48000:c=stereo:d=2"],
    "surround.wav": ["-f", "lavfi", "-i", f"aevalsrc='{_SINE}|0.5*{_SINE}|0|0|0|0':s=48000:c=5.1:d=2"],
    "tone.wav": ["-f", "lavfi", "-i", "aevalsrc='0.3*sin(2*PI*440*t)':s=48000:d=6"],
    "tone.mp3": ["-f", "lavfi", "-i", "aevalsrc='0.3*sin(2*PI*440*t)':s=48000:d=6"],
    "tone.m4a": ["-f", "lavfi", "-i", "aevalsrc='0.3*sin(2*PI*440*t)':s=48000:d=6"],
    "tone.aac": ["-f", "lavfi", "-i", "aevalsrc='0.3*sin(2*PI*440*t)':s=48000:d=6"],
    "red.png": ["-f", "lavfi", "-i", "color=red:s=120x60", "-frames:v", "1"],
    "still.png": ["-f", "lavfi", "-i", "testsrc2=s=320x240", "-frames:v", "1"],
    "still.jpg": ["-f", "lavfi", "-i", "testsrc2=s=320x240", "-frames:v", "1"],
    "still.webp": ["-f", "lavfi", "-i", "testsrc2=s=320x240", "-frames:v", "1"],
    "still.gif": ["-f", "lavfi", "-i", "testsrc2=s=320x240", "-frames:v", "1"],
    "moving.gif": ["-f", "lavfi", "-i", "testsrc2=s=160x90:r=10", "-t", "2"],
    "clip.avi": ["@pauses.mp4", "-t", "3", "-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "clip.webm": ["@pauses.mp4", "-t", "3", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"],
    "clip.mkv": ["@pauses.mp4", "-c", "copy"],
    "clip.mov": ["@pauses.mp4", "-c", "copy"],
    "faststart.mp4": ["@pauses.mp4", "-c", "copy", "-movflags", "+faststart"],
    "subtitled.mkv": ["@pauses.mp4", "@cues.srt", "-map", "0", "-map", "1", "-c", "copy"],
    "carried.mp4": [*_CARRYING, "-c:v", "copy", "-c:a", "copy", "-c:s", "mov_text"],
    "carried.mkv": [*_CARRYING, "-c:v", "copy", "-c:a", "copy", "-c:s", "subrip"],
    "carried_ass.mkv": [*_CARRYING, "-c:v", "copy", "-c:a", "copy", "-c:s", "ass"],
    "carried.webm": [*_CARRYING, "-r", "5", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"],
    # German, English and Chinese by their names, the English one with another text
    "carried_three.mkv": [
        *("@black.mp4", "@short.srt", "@cues.srt", "-map", "0", "-map", "1", "-map", "2", "-map", "1", "-c", "copy"),
        *("-metadata:s:s:0", "language=ger", "-metadata:s:s:1", "language=eng", "-metadata:s:s:2", "language=chi"),
    ],
    "cover.mp3": ["@tone.mp3", "@still.jpg", "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic"],
}


def clip(factory: pytest.TempPathFactory, name: str) -> str:
    """Give the path of a clip, made now if nobody has made it in this run."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder = root / "clips"
    folder.mkdir(exist_ok=True)
    return str(_made(folder, name))


def _made(folder: Path, name: str) -> Path:
    path = folder / name
    if path.exists():
        return path
    with open(folder / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return path
        if name in _TEXTS:
            path.write_text(_TEXTS[name], encoding="utf-8")
            return path
        fresh = folder / f"new-{name}"
        if name in _TURNED:
            source = _made(folder, _TURNED[name])
            _ffmpeg("-display_rotation", "90", "-i", str(source), "-c", "copy", str(fresh))
        else:
            args: list[str] = []
            for arg in _RECIPES[name]:
                args += ["-i", str(_made(folder, arg[1:]))] if arg.startswith("@") else [arg]
            exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"]
            _ffmpeg(*args, *exact, str(fresh))
        fresh.rename(path)
    return path


def _ffmpeg(*args: str) -> bytes:
    argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-y", "-v", "error", *args]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


# ---------------------------------------------------------------- eyes and ears


def children() -> set[int]:
    """List the processes that this one started and that are still there."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.add(int(entry.name))
    return found


def describe(path: str) -> str:
    """Give what ffmpeg prints of a file."""
    argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-i", path]
    return subprocess.run(argv, capture_output=True, check=False, timeout=60).stderr.decode(errors="replace")


def frame_ids(path: str) -> list[int]:
    """Read the source frame number out of every frame of a video made from a frameid clip."""
    raw = _ffmpeg(
        *("-i", path, "-vf", f"scale={ID_WIDTH}:{ID_HEIGHT},crop={ID_WIDTH}:2:0:{ID_HEIGHT // 2},format=gray"),
        *("-f", "rawvideo", "-pix_fmt", "gray", "-"),
    )
    size = ID_WIDTH * 2
    places = [bit * SQUARE + SQUARE // 2 for bit in range(BITS)]
    return [sum((raw[at + x] > 128) << bit for bit, x in enumerate(places)) for at in range(0, len(raw), size)]


def grey_frame(path: str, at_s: float, width: int, height: int) -> bytes:
    """Decode the frame shown at a time, as grey bytes row by row."""
    return _ffmpeg(
        *("-i", path, "-vf", f"trim=start={at_s:.3f},scale={width}:{height},format=gray", "-frames:v", "1"),
        *("-f", "rawvideo", "-pix_fmt", "gray", "-"),
    )


def colours(path: str, at_s: float) -> Callable[[float, float], tuple[int, int, int]]:
    """Decode the frame shown at a time; gives a function from fractions of width and height to the colour there."""
    raw = _ffmpeg(
        *("-i", path, "-vf", f"trim=start={at_s:.3f},scale=100:100,format=rgb24", "-frames:v", "1"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
    )

    def colour(x: float, y: float) -> tuple[int, int, int]:
        at = 3 * (min(int(y * 100), 99) * 100 + min(int(x * 100), 99))
        return raw[at], raw[at + 1], raw[at + 2]

    return colour


def colour_at(path: str, at_s: float, x: float, y: float) -> tuple[int, int, int]:
    """Decode one pixel, at fractions of width and height."""
    return colours(path, at_s)(x, y)


def changed_share(one: bytes, two: bytes, width: int, rows: tuple[float, float] = (0, 1)) -> float:
    """Give the share of pixels that clearly differ between two grey frames, within some rows."""
    height = len(one) // width
    begin, end = (int(height * part) * width for part in rows)
    pairs = zip(one[begin:end], two[begin:end], strict=True)
    return sum(abs(a - b) > 40 for a, b in pairs) / max(end - begin, 1)


def samples(path: str, channel: int = 0) -> array[float]:
    """Decode one channel of the sound at 48 kHz, -1 to 1: a mix of both would hide a change of their level."""
    one = f"aformat=sample_fmts=fltp,pan=mono|c0=c{channel}"
    raw = _ffmpeg("-i", path, "-map", "0:a:0", "-af", one, "-ar", "48000", "-f", "f32le", "-")
    return array("f", raw)


def rms_db(sound: array[float], begin_s: float, end_s: float) -> float:
    """Give the level of a stretch in dB, -200 for digital silence."""
    part = sound[int(begin_s * 48000) : int(end_s * 48000)]
    power = sum(value * value for value in part) / len(part)
    return 10 * math.log10(power) if power > 1e-20 else -200.0


def top_boxes(path: str) -> list[str]:
    """List the types of the boxes of an MP4 file in order."""
    found, at = [], 0
    data = Path(path).read_bytes()
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        if length == 1:
            length = struct.unpack(">Q", data[at + 8 : at + 16])[0]
        found.append(name.decode())
        at += length or len(data)
    return found


def stream_seconds(path: str, stream: str) -> float:
    """Decode one stream and give its length."""
    argv = [find_ffmpeg().path, "-nostdin", "-v", "error", "-i", path, "-map", f"0:{stream}:0"]
    done = subprocess.run(
        [*argv, "-progress", "pipe:1", "-f", "null", "-"], capture_output=True, check=True, timeout=60
    )
    return int(re.findall(r"out_time_us=(\d+)", done.stdout.decode())[-1]) / 1e6
