"""Clips of some megabytes for the senders, made by the bundled ffmpeg. Touches: a folder of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from nemo_watch.media import find_ffmpeg

_PICTURE = "testsrc2=s=640x360:r=25,noise=alls=40:allf=t"
_SMALL = "testsrc2=s=320x180:r=25,noise=alls=60:allf=t"
_SOUND = "aevalsrc='0.3*sin(2*PI*440*t)':s=48000"
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "33", "-pix_fmt", "yuv420p", "-c:a", "aac")


def _two(picture: str, seconds: int, *codecs: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", _SOUND, "-t", str(seconds), *codecs)


_RECIPES: dict[str, tuple[str, ...]] = {
    "end.mp4": _two(_PICTURE, 5, *_X264),
    "fast.mp4": ("-i", "end.mp4", "-c", "copy", "-movflags", "+faststart"),
    "copy.mov": ("-i", "end.mp4", "-c", "copy"),
    "copy.mkv": ("-i", "end.mp4", "-c", "copy"),
    "live.mkv": ("-i", "end.mp4", "-c", "copy", "-live", "1"),
    "small.avi": _two(_SMALL, 5, "-c:v", "mpeg4", "-q:v", "5", "-c:a", "libmp3lame"),
    "small.webm": _two(_SMALL, 5, "-c:v", "libvpx", "-deadline", "realtime", "-b:v", "6M", "-c:a", "libopus"),
}
"""`end` has its index behind the pictures, `fast` before them: a cut `fast` looks better than it is. `live` says
nowhere how long it is.
"""

KINDS = {
    "mp4": "end.mp4",
    "fast": "fast.mp4",
    "mov": "copy.mov",
    "mkv": "copy.mkv",
    "live": "live.mkv",
    "avi": "small.avi",
    "webm": "small.webm",
}


def make(folder: Path) -> dict[str, Path]:
    """Make every clip and give their paths by kind."""
    for name, args in _RECIPES.items():
        argv = [find_ffmpeg().path, "-hide_banner", "-nostdin", "-y", "-v", "error", *args, name]
        subprocess.run(argv, cwd=folder, check=True, stdin=subprocess.DEVNULL, timeout=120)
    return {kind: folder / name for kind, name in KINDS.items()}


def stamp(path: Path | str) -> tuple[int, int, int]:
    """Give inode, size and modification time (ns) of a file."""
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def sha256(path: Path) -> str:
    """Compute the hash of a file as it is now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
