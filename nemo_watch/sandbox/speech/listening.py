"""Listen to an upload: its sound decoded by ffmpeg, recognised in a child that is bounded in time and memory.

Touches: child processes, a file of samples in a folder of the caller's.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from dataclasses import dataclass, field
from typing import Any

from nemo_watch.errors import NemoWatchError
from nemo_watch.media import RunLimits, RunResult, run_ffmpeg, run_python, safe_input
from nemo_watch.sandbox.speech.cueing import Word
from nemo_watch.sandbox.speech.recogniser import Recogniser

log = logging.getLogger("nemo_watch.sandbox")

RATE = 16_000
MOST_WORDS = 100_000
STALL_S = 180.0
MEMORY_BYTES = 2 << 30
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "child.py")
_TOLD_EVERY = 0.25


class SpeechError(NemoWatchError):
    """The recogniser ended without having heard everything. `message` says how."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="speech")


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said, in order; `language` is a code like "en", "" if nothing was said."""

    words: tuple[Word, ...]
    language: str


async def listen(path: str, duration_ms: int, recogniser: Recogniser, scratch: str) -> Heard:
    """Recognise what is said in the first sound stream of a file; `scratch` is the name for a folder to work in.

    Takes about a twentieth of the sound's length on two cores and 0.3 GB, with the model of the extra.

    Raises: SpeechError if the sound cannot be decoded or the recogniser crashes, stands still, or takes more time or
        memory than it may; MediaToolError if a program cannot be started.
    Effects: the folder `scratch`, gone afterwards. No child is left, whatever happens.
    Repeat: safe.
    Source: render.md 3, measured.
    """
    os.makedirs(scratch, exist_ok=True)
    sound = os.path.join(scratch, "sound.pcm")
    try:
        await _decode(path, duration_ms, sound)
        listening = _Listening(os.path.basename(path), duration_ms)
        done = await run_python(
            _PROGRAM,
            (recogniser.model_dir, sound),
            cwd=scratch,
            on_line=listening.take,
            limits=_limits(duration_ms, recogniser),
            env={"HF_HUB_OFFLINE": "1"},
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if not done.ok or listening.language is None:
        raise SpeechError(f"The speech recogniser {_how(done)}.")
    if listening.dropped_s:
        log.info("%.0f s of sound could not be understood", listening.dropped_s)
    return Heard(tuple(sorted(listening.words, key=lambda word: word.start_ms)), listening.language)


async def _decode(path: str, duration_ms: int, sound: str) -> None:
    # The same beginning as in the analysis: what is said at one second is heard at one second.
    chain = f"aresample={RATE}:async=1:first_pts=0"
    args = ["-v", "error", *safe_input(os.path.abspath(path)), "-map", "0:a:0", "-af", chain, "-ac", "1"]
    bound = 2 * RATE * (duration_ms // 1000 + 60)
    limits = RunLimits(wall_s=60 + duration_ms / 1000, stall_s=60, output_bytes=bound)
    done = await run_ffmpeg([*args, "-f", "s16le", sound], cwd=os.path.dirname(sound), limits=limits)
    if not done.ok:
        raise SpeechError("The sound could not be decoded.")


def _limits(duration_ms: int, recogniser: Recogniser) -> RunLimits:
    """Bound the child: generously, as a busy machine or a larger model takes its time.

    Source: measured: 0.3 GB for the extra's model of 75 MB, whatever the length.
    """
    memory_bytes = MEMORY_BYTES + 4 * recogniser.model_bytes
    return RunLimits(wall_s=STALL_S + 3 * duration_ms / 1000, stall_s=STALL_S, memory_bytes=memory_bytes)


def _how(done: RunResult) -> str:
    if done.stopped == "stall":
        return "stood still and was ended"
    if done.stopped == "wall":
        return "took too long and was ended"
    if done.returncode < 0:
        return f"was ended by signal {-done.returncode}"
    said = re.sub(r"\s+", " ", done.last_line)[:200]
    return f"broke off: {said}" if said else "broke off"


@dataclass(slots=True)
class _Listening:
    """Takes the child's lines. `language` is None until it has said that it is done."""

    name: str
    duration_ms: int
    words: list[Word] = field(default_factory=list)
    language: str | None = None
    dropped_s: float = 0.0
    told: float = 0.0

    def take(self, line: str) -> None:
        try:
            value = json.loads(line)
        except ValueError:
            return  # a library's remark
        match value:
            case {"word": [int(start_ms), int(end_ms), str(text)]} if len(self.words) < MOST_WORDS:
                start_ms = min(max(start_ms, 0), self.duration_ms)
                end_ms = min(max(end_ms, start_ms), self.duration_ms)
                self.words.append(Word(start_ms, end_ms, text))
            case {"dropped": int() | float() as dropped_s}:
                self.dropped_s += dropped_s
            case {"at": int() | float() as at_s}:
                self._tell(at_s)
            case {"done": str(language)}:
                self.language = language

    def _tell(self, at_s: Any) -> None:
        share = min(at_s * 1000 / max(self.duration_ms, 1), 1.0)
        if share == 0 or share - self.told >= _TOLD_EVERY:
            self.told = share
            log.info("speech in %s: %d %% heard", self.name, round(100 * share))
