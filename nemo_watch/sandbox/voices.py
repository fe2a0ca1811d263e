"""What is said in uploads: by the subtitles they carry, else by a speech recogniser, kept by content.

Touches: files, child processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from pathlib import Path

from nemo_watch.media import probe
from nemo_watch.sandbox.carried import carried_cues
from nemo_watch.sandbox.facts import Cue, Words
from nemo_watch.sandbox.records import Upload
from nemo_watch.sandbox.speech import NoRecogniser, Recogniser, SpeechError, cues_of, find_recogniser, listen

log = logging.getLogger("nemo_watch.sandbox")

_CACHE_VERSION = 1


class Voices:
    """Listens to one upload at a time: a recogniser takes every core there is."""

    def __init__(self, root: Path, speech_model: str) -> None:
        self._root, self._speech_model = root, speech_model
        self._ears = asyncio.Lock()

    async def of(self, upload: Upload, language: str) -> Words:
        """Find out what is said in a video or sound; never an invented word.

        Raises: MediaToolError if there is no usable ffmpeg.
        Effects: what was recognised is kept in the store's cache.
        """
        path = str(self._root / upload.path)
        if upload.kind == "video":
            cues = await carried_cues(path, await probe(path), language)
            if cues:
                return Words(cues, "carried")
        if not upload.has_audio:
            return Words((), "", "no_sound")
        found = await asyncio.to_thread(find_recogniser, self._speech_model)
        if isinstance(found, NoRecogniser):
            log.info("captions: %s", found.told)
            return Words((), "", found.why)
        # The same content in two sessions is heard once, also when both ask at the same time.
        async with self._ears:
            return await self._recognised(upload, path, found)

    async def _recognised(self, upload: Upload, path: str, recogniser: Recogniser) -> Words:
        cache = self._root / "cache" / f"{upload.sha256}.words.json"
        cues = await asyncio.to_thread(_from_cache, cache, recogniser.mark)
        if cues is None:
            scratch = str(self._root / "cache" / f"{upload.sha256}.listening")
            try:
                heard = await listen(path, upload.duration_ms, recogniser, scratch)
            except SpeechError as error:
                log.warning("captions of %s: %s", upload.filename, error.message)
                return Words((), "", "broken")
            cues = await asyncio.to_thread(cues_of, heard.words)
            await asyncio.to_thread(_to_cache, cache, recogniser.mark, cues)
        return Words(cues, "heard") if cues else Words((), "", "no_speech")


def _from_cache(path: Path, mark: str) -> tuple[Cue, ...] | None:
    """Read what was heard before; None if nobody listened, or with another model or version, or half written."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_bytes())
        if (kept["version"], kept["model"]) == (_CACHE_VERSION, mark):
            return tuple(Cue(start, end, text) for start, end, text in kept["cues"])
    return None


def _to_cache(path: Path, mark: str, cues: tuple[Cue, ...]) -> None:
    part = path.with_suffix(".part")
    kept = {"version": _CACHE_VERSION, "model": mark, "cues": [(cue.start_ms, cue.end_ms, cue.text) for cue in cues]}
    part.write_text(json.dumps(kept), encoding="utf-8")
    os.replace(part, path)
