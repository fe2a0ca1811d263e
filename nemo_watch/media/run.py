"""Run a child (ffmpeg, Python) that cannot outlive its task, stall for ever, fill memory. Touches: child processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from nemo_watch.errors import MediaToolError
from nemo_watch.media.tool import find_ffmpeg

if sys.platform == "linux":
    import resource

SAFE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,gif,wav,mp3,aac,flv,ogg,asf,mpeg,"
    "png_pipe,jpeg_pipe,webp_pipe,webp_anim"
)
"""No concat, hls, sdp or svg: those open further files. No image2: it reads "%d" in a name as a pattern."""
MAX_PIXELS = 67_108_864
TERM_GRACE_S = 5.0
_TICK_S = 0.5
_LINE_CHARS = 2000
_HEAD_LINES = 1500
_TAIL_LINES = 60


@dataclass(frozen=True, slots=True)
class RunLimits:
    """How long and how much a run may take. 0 is no limit.

    `stall_s` counts from the last sign of progress; `output_bytes` is the size of the largest file it may write,
    `memory_bytes` what it may ask for of memory.
    """

    wall_s: float = 600.0
    stall_s: float = 60.0
    cpu_s: int = 0
    output_bytes: int = 0
    memory_bytes: int = 0


DEFAULT_LIMITS = RunLimits()
LOOK_MEMORY_BYTES = 1 << 30
"""For looks at what somebody else made. Source: measured: 65 MB for a clip, 414 MB for the largest picture that is
taken, and 1.4 GB for 700 bytes whose index speaks of 40 million frames."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: time and frames written so far."""

    out_ms: int
    frames: int


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `stopped` says which limit ended it, "" if it ended by itself.

    `stderr` holds the first and the last lines, joined by newlines; `out_ms` and `frames` are of the last report of
    progress. `last_line` is ffmpeg's own last word.
    """

    returncode: int
    stopped: Literal["", "wall", "stall"]
    stderr: str
    out_ms: int
    frames: int

    @property
    def ok(self) -> bool:
        """Say whether it ended by itself without an error; what it wrote may still be short (see render.md 6)."""
        return self.returncode == 0 and not self.stopped

    @property
    def last_line(self) -> str:
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""


def safe_input(path: str, *options: str) -> list[str]:
    """Make the arguments for one input that somebody else made: content can open no other file and no network.

    `options` go before `-i` (`-ss`, `-t`). A relative path is one of the run's folder and chosen by us.

    Source: measured: a protocol whitelist alone lets an ffconcat list open its neighbours; a format whitelist does not.
    """
    guards = ["-protocol_whitelist", "file", "-format_whitelist", SAFE_FORMATS, "-max_pixels", str(MAX_PIXELS)]
    return [*guards, *options, "-i", f"file:{path}"]


async def run_ffmpeg(
    args: Sequence[str],
    *,
    cwd: str,
    on_progress: Callable[[Progress], None] | None = None,
    on_line: Callable[[str], None] | None = None,
    limits: RunLimits = DEFAULT_LIMITS,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> RunResult:
    """Run ffmpeg with these arguments in its own process group and wait for its end.

    With `on_line` the caller's filters own standard output and each line of it is given to that function; otherwise
    progress is read from there. A non-zero exit is a value, not an exception. If the awaiting task is cancelled, or
    a callback raises, the child gets SIGTERM, after 5 s SIGKILL, and is waited for before this returns. Descriptors
    in `pass_fds` are open in the child under the same numbers ("/proc/self/fd/7").

    Raises: MediaToolError if there is no ffmpeg or it cannot be started.
    Effects: whatever `args` write, below `cwd` for relative names.
    """
    tool = find_ffmpeg()
    reports = [] if on_line else ["-nostats", "-stats_period", "0.25", "-progress", "pipe:1"]
    surroundings = {"PATH": os.environ.get("PATH", os.defpath), "HOME": cwd, "LANG": "C.UTF-8", **(env or {})}
    try:
        child = await asyncio.create_subprocess_exec(
            *(tool.path, "-hide_banner", "-nostdin", "-y", *reports, *args),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env=surroundings,
            pass_fds=pass_fds,
        )
    except (OSError, ValueError) as error:
        raise MediaToolError(f"The ffmpeg program cannot be started: {error}") from error
    return await _Run(child, on_progress, on_line, limits).finish()


async def run_python(
    program: str,
    args: Sequence[str],
    *,
    cwd: str,
    on_line: Callable[[str], None],
    limits: RunLimits,
    env: Mapping[str, str] | None = None,
) -> RunResult:
    """Run a Python file with this process's interpreter and packages, as `run_ffmpeg` runs ffmpeg.

    Every line it prints is a sign of progress. Its standard input stays open as long as this process lives: the end
    of it tells the child that nobody waits any more, also after a SIGKILL.

    Raises: MediaToolError if it cannot be started.
    Effects: whatever the program does.
    """
    packages = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    surroundings = {"PATH": os.environ.get("PATH", os.defpath), "HOME": cwd, "LANG": "C.UTF-8"}
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", program, *args),
            cwd=cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={**surroundings, "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        )
    except (OSError, ValueError) as error:
        raise MediaToolError(f"Python cannot be started: {error}") from error
    return await _Run(child, None, on_line, limits).finish()


class _Run:
    """One child from its start to its end."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        on_progress: Callable[[Progress], None] | None,
        on_line: Callable[[str], None] | None,
        limits: RunLimits,
    ) -> None:
        self._child = child
        self._on_progress = on_progress
        self._on_line = on_line
        self._limits = limits
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._marks: dict[str, str] = {}
        self._seen = Progress(0, 0)
        self._moved = ""
        self._clock = asyncio.get_running_loop().time
        self._moved_s = self._clock()

    async def finish(self) -> RunResult:
        child = self._child
        tasks: set[asyncio.Task[object]] = set()
        stopped: Literal["", "wall", "stall"] = ""
        try:
            _limit(child.pid, self._limits)
            pipes = ((child.stdout, self._out_line), (child.stderr, self._err_line))
            tasks = {asyncio.create_task(_lines(pipe, take)) for pipe, take in pipes if pipe is not None}
            tasks.add(asyncio.create_task(child.wait()))
            stopped = await self._watch(tasks)
        finally:
            # Also on the way out of a cancellation: the child must be gone before anybody touches its files.
            await _stop(child)
            late = {task for task in tasks if not task.done()}
            if late and stopped:
                _, late = await asyncio.wait(late, timeout=TERM_GRACE_S)
            for task in late:
                task.cancel()
        stderr = "\n".join([*self._head, *self._tail])
        code = child.returncode if child.returncode is not None else -signal.SIGKILL
        return RunResult(code, stopped, stderr, self._seen.out_ms, self._seen.frames)

    async def _watch(self, tasks: set[asyncio.Task[object]]) -> Literal["", "wall", "stall"]:
        started_s, pending = self._clock(), tasks
        while pending:
            done, pending = await asyncio.wait(pending, timeout=_TICK_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a callback's exception ends the run
            now_s = self._clock()
            if pending and self._limits.wall_s and now_s - started_s > self._limits.wall_s:
                return "wall"
            if pending and self._limits.stall_s and now_s - self._moved_s > self._limits.stall_s:
                return "stall"
        return ""

    def _err_line(self, line: str) -> None:
        if len(self._head) < _HEAD_LINES:
            self._head.append(line)
        else:
            self._tail.append(line)

    def _out_line(self, line: str) -> None:
        if self._on_line is not None:
            self._moved_s = self._clock()
            self._on_line(line)
            return
        key, _, value = line.partition("=")
        self._marks[key.strip()] = value.strip()
        if key != "progress":
            return
        moved = "/".join(self._marks.get(name, "") for name in ("out_time_us", "frame", "total_size"))
        if moved != self._moved:
            self._moved, self._moved_s = moved, self._clock()
        # The first block may say "N/A"; out_time_us is in microseconds, and so is out_time_ms.
        out_us, frames = self._marks.get("out_time_us", ""), self._marks.get("frame", "")
        self._seen = Progress(
            max(int(out_us) // 1000, 0) if out_us.lstrip("-").isdecimal() else self._seen.out_ms,
            int(frames) if frames.isdecimal() else self._seen.frames,
        )
        self._marks.clear()
        if self._on_progress is not None:
            self._on_progress(self._seen)


async def _lines(stream: asyncio.StreamReader, take: Callable[[str], None]) -> None:
    """Give each line to `take`, the rest of an endless one thrown away: a full pipe would stop ffmpeg for good."""
    rest = b""
    while chunk := await stream.read(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            take(line[:_LINE_CHARS].decode(errors="replace").rstrip("\r"))
        rest = rest[:_LINE_CHARS]
    if rest:
        take(rest.decode(errors="replace"))


def _limit(pid: int, limits: RunLimits) -> None:
    """Set what the kernel enforces, after the start: code between fork and exec is no place for a threaded program."""
    if sys.platform == "linux":
        wanted = [(resource.RLIMIT_CORE, 0)]
        if limits.output_bytes:
            wanted.append((resource.RLIMIT_FSIZE, limits.output_bytes))
        if limits.memory_bytes:
            # Of what it asks for, and not of all addresses: those are many times more than it ever uses.
            wanted.append((resource.RLIMIT_DATA, limits.memory_bytes))
        if limits.cpu_s:
            wanted.append((resource.RLIMIT_CPU, limits.cpu_s))
        for which, value in wanted:
            # Gone already, or a lower limit is in force: either is well.
            with contextlib.suppress(OSError, ValueError):
                resource.prlimit(pid, which, (value, value))


async def _stop(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    _signal(child, signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), TERM_GRACE_S)
    except TimeoutError:
        pass  # it did not listen: the next signal needs no listener
    finally:
        # A second cancellation comes through here as well.
        if child.returncode is None:
            _signal(child, signal.SIGKILL)
            await child.wait()


def _signal(child: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)
