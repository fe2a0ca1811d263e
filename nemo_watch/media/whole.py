"""Read a file to its end where its own bytes do not tell whether it is whole. Touches: child processes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

import structlog

from nemo_watch.errors import MediaToolError
from nemo_watch.media.run import LOOK_MEMORY_BYTES, TERM_GRACE_S, RunLimits, RunResult, run_ffmpeg, safe_input

EndVerdict = Literal["whole", "incomplete", "unchecked", "not_media"]

# At 5 MB a second the largest file that is taken needs 100 s.
END_LIMITS = RunLimits(wall_s=300.0, stall_s=60.0, cpu_s=120, memory_bytes=LOOK_MEMORY_BYTES)
_CUT = (
    "File ended prematurely",
    "invalid as first byte of an EBML number",
    "Truncating packet of size",
    "Packet corrupt",
    "partial file",
    "filesize and duration do not match",
    "Error opening input",
)
_SURE = frozenset({"mkv", "webm"})

log = structlog.get_logger("nemo_watch.media")


def judge_ending(container: str, told: RunResult) -> EndVerdict:
    """Judge from what ffmpeg said of a file of this container when it read the file to its end. Repeat: safe.

    What it reports of a file that ends too early depends on the container. Of 9 cuts of each:

    - mkv and webm without a known length (live recordings): all of them, and zeros where nothing was written yet. Only
      a cut between two clusters is a whole file to everybody.
    - mp4 beyond the box walk's limit: all but a missing end of the last fragment.
    - avi without sizes, adts: a frame that is cut; nothing of a cut between frames, nothing of zeros.
    - mp3: with a Xing or Info header a file that has lost more than a sixteenth; without one nothing.
    - wav without sizes complains, whole or not; mpegts (which is refused in any case) only by chance.

    So silence proves something of Matroska alone, and a complaint nothing of wav.

    Source: measured with ffmpeg 9.0.2, 6 s each.
    """
    if told.stopped or told.returncode < 0 or container == "wav":
        return "unchecked"
    if any(sign in told.stderr for sign in _CUT):
        return "incomplete"
    if "does not contain any stream" in told.stderr:
        return "not_media"
    return "whole" if told.returncode == 0 and container in _SURE else "unchecked"


class EndReader:
    """Reads files to their ends, with at most `at_once` children: one for all inboxes."""

    def __init__(self, *, at_once: int = 2, limits: RunLimits = END_LIMITS) -> None:
        self._turns = asyncio.Semaphore(at_once)
        self._limits = limits
        self._left: set[asyncio.Task[RunResult]] = set()

    async def read(self, fd: int, container: str) -> EndVerdict:
        """Read the file behind an open descriptor to its end, without decoding it.

        "unchecked" if there is no ffmpeg for the platform, if it takes too long, or if it cannot be told. What is read
        is what was opened, whatever lies under its name by now. A child that hangs in the kernel is left behind.

        Effects: a child process, ended when this returns unless it cannot be. Repeat: safe.
        """
        async with self._turns:
            child = asyncio.create_task(self._run(fd))
            try:
                await asyncio.wait({child}, timeout=self._limits.wall_s + 2 * TERM_GRACE_S)
            finally:
                if not child.done():
                    await self._leave(child)
        if not child.done() or child.cancelled():
            return "unchecked"
        try:
            return judge_ending(container, child.result())
        except MediaToolError as error:
            log.info("media.end_not_read", why=error.message)
            return "unchecked"

    async def _run(self, fd: int) -> RunResult:
        args = ["-v", "warning", *safe_input(f"/proc/self/fd/{fd}"), "-map", "0:v?", "-map", "0:a?", "-c", "copy"]
        return await run_ffmpeg([*args, "-f", "null", "-"], cwd="/", limits=self._limits, pass_fds=(fd,))

    async def _leave(self, child: asyncio.Task[RunResult]) -> None:
        """End a run; one whose process sleeps where no signal reaches it must not hold up anybody."""
        child.cancel()
        self._left.add(child)
        child.add_done_callback(self._forget)
        await asyncio.wait({child}, timeout=2 * TERM_GRACE_S)

    def _forget(self, child: asyncio.Task[RunResult]) -> None:
        self._left.discard(child)
        with contextlib.suppress(asyncio.CancelledError, MediaToolError):
            child.result()
