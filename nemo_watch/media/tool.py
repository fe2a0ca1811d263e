"""Find the ffmpeg program and say what it lacks. Touches: the file system, a short child process."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass

import imageio_ffmpeg

from nemo_watch.errors import MediaToolError

NEEDED_FILTERS = (
    *("aevalsrc", "afade", "alimiter", "aloop", "amix", "ametadata", "anullsrc", "apad", "aresample", "asplit"),
    *("astats", "atempo", "atrim", "color", "concat", "crop", "fade", "fps", "metadata", "scale", "scdet"),
    *("sidechaincompress", "silencedetect", "split", "subtitles", "tonemap", "tpad", "trim", "volume", "zscale"),
)
NEEDED_ENCODERS = ("aac", "libx264")
OLDEST_MAJOR = 7
_LOOK_S = 20.0
_HINT = (
    "Install the package imageio-ffmpeg for this platform again, or set IMAGEIO_FFMPEG_EXE to an ffmpeg of version "
    f"{OLDEST_MAJOR} or newer."
)


@dataclass(frozen=True, slots=True)
class Tool:
    """An ffmpeg program that answered."""

    path: str
    version: str


def _ask(path: str, *args: str) -> str:
    try:
        done = subprocess.run(
            [path, "-hide_banner", *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=_LOOK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MediaToolError(f"The ffmpeg program at {path} cannot be run: {error}", hint=_HINT) from error
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise MediaToolError(f"The ffmpeg program at {path} cannot be run: {last}", hint=_HINT)
    return done.stdout.decode(errors="replace")


@functools.lru_cache(maxsize=1)
def find_ffmpeg() -> Tool:
    """Find ffmpeg: the one named by IMAGEIO_FFMPEG_EXE, the wheel's, then conda's, then PATH's.

    The first call runs it once (about 20 ms), later calls answer from memory; a failure is not remembered.

    Raises: MediaToolError if there is none, if it does not start, or if it is older than version 7.
    """
    try:
        path = imageio_ffmpeg.get_ffmpeg_exe()
    except (RuntimeError, OSError) as error:
        raise MediaToolError("There is no ffmpeg program for this platform.", hint=_HINT) from error
    found = re.search(r"^ffmpeg version n?(\S+)", _ask(path, "-version"))
    if found is None:
        raise MediaToolError(f"The program at {path} is not ffmpeg.", hint=_HINT)
    version = found[1]
    number = re.match(r"\d+(?=\.)", version)
    # Builds from a repository have no number ("N-119-gabc"): check_tool tells what they lack.
    if number is not None and int(number[0]) < OLDEST_MAJOR:
        raise MediaToolError(f"The ffmpeg program at {path} is version {version}: too old.", hint=_HINT)
    return Tool(path, version)


def check_tool(tool: Tool) -> list[str]:
    """List the filters and encoders that are needed and missing; empty means that everything is there.

    Raises: MediaToolError if the program does not answer.
    """
    filters = {line.split()[1] for line in _ask(tool.path, "-filters").splitlines() if len(line.split()) > 2}
    encoders = {line.split()[1] for line in _ask(tool.path, "-encoders").splitlines() if len(line.split()) > 2}
    missing = [f"filter {name}" for name in NEEDED_FILTERS if name not in filters]
    return missing + [f"encoder {name}" for name in NEEDED_ENCODERS if name not in encoders]
