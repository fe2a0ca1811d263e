"""The speech recogniser's own process: sound in, words out, one JSON value a line. Touches: the model, a sound file.

Runs alone, as a program: a crash, a hang or the memory of the recogniser are this process's. Imports nothing of the
house, so it starts quickly and needs nothing but the extra [captions].
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

RATE = 16_000
PIECE_S = 120
"""Listened to at once: measured 0.84 GB for pieces of ten minutes, and a whole film would take many times that."""
_SEEK_S = 20
_FRAME_S = 0.1
# What is less certain than this is no text: the English model says English things to any other language (measured:
# Chinese, German, noise, tones and chords leave nothing, English loses nothing). The recogniser's own thresholds would
# make it try again with random choices.
_LEAST_LOG_PROBABILITY = -1.0
_MOST_REPETITION = 2.4
_MOST_SILENCE = 0.6


def main(model_dir: str, sound: str) -> None:
    """Listen to a file of 16-bit samples and print what is said.

    Lines: {"at": seconds heard so far}, {"word": [start_ms, end_ms, text]}, {"dropped": seconds that could not be
    understood}, at the end {"done": language}.

    Effects: ends when standard input does: its parent is gone.
    Source: render.md 3, measured: by its path faster-whisper 1.2.1 cannot open a file with av 19, an array it takes.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numpy as np
    from faster_whisper import WhisperModel

    model = WhisperModel(
        model_dir, device="cpu", compute_type="int8", cpu_threads=min(4, os.cpu_count() or 1), local_files_only=True
    )
    _tell({"at": 0})
    samples = np.memmap(sound, dtype="<i2", mode="r") if os.path.getsize(sound) > 1 else np.zeros(0, "<i2")
    at, language = 0, ""
    while at < len(samples):
        end = _quiet_place(np, samples, at)
        heard = samples[at:end].astype("float32") / 32768.0
        language = _listen(model, heard, at / RATE, language)
        at = end
        _tell({"at": at / RATE})
    _tell({"done": language})
    os._exit(0)  # whatever threads the libraries have: all was said


def _listen(model: Any, samples: Any, offset_s: float, language: str) -> str:
    """Print the words of one piece, and give the language they are in: the first piece with words decides it."""
    segments, info = model.transcribe(
        samples,
        language=language or None,
        beam_size=1,
        temperature=0.0,
        vad_filter=True,
        condition_on_previous_text=False,
        word_timestamps=True,
    )
    found = language
    for segment in segments:
        unsure = segment.avg_logprob < _LEAST_LOG_PROBABILITY or segment.compression_ratio > _MOST_REPETITION
        if unsure or segment.no_speech_prob > _MOST_SILENCE:
            _tell({"dropped": round(segment.end - segment.start, 1)})
        else:
            found = info.language
            for word in segment.words or ():
                times = [round((offset_s + at) * 1000) for at in (word.start, word.end)]
                _tell({"word": [*times, word.word[:200]]})
        _tell({"at": offset_s + segment.end})
    return found


def _quiet_place(np: Any, samples: Any, start: int) -> int:
    """Find where a piece can end without cutting a word: the quietest tenth of a second near its full length."""
    full = start + PIECE_S * RATE
    if full >= len(samples):
        return len(samples)
    frame = int(_FRAME_S * RATE)
    first = full - _SEEK_S * RATE
    near = samples[first:full].astype("float32").reshape(-1, frame)
    return int(first + (int(np.argmin((near * near).mean(axis=1))) + 0.5) * frame)


def _tell(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:3])
