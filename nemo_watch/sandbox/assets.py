"""What is known of uploads: looked at when they come, measured when a message first needs it, kept by content.

Touches: files, child processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nemo_watch.errors import MediaError
from nemo_watch.media import probe
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.captions import MAX_BYTES, CaptionsError, read_cues
from nemo_watch.sandbox.facts import Analysis, Asset, AssetKind, Cue
from nemo_watch.sandbox.fields import LONGEST_MS
from nemo_watch.sandbox.intent import Measure
from nemo_watch.sandbox.records import Upload
from nemo_watch.sandbox.render import Source
from nemo_watch.sandbox.voices import Voices
from nemo_watch.sandbox.wire import Refusal

_CACHE_VERSION = 1
_CHILDREN_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Looks:
    """What a look at an upload told; 0 where there is nothing to tell."""

    kind: AssetKind
    duration_ms: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    has_audio: bool = False
    hdr: bool = False


class Assets:
    """Knows the uploads of all sessions. `root` is the store folder, `speech_model` a folder or "" for the extra's."""

    def __init__(self, root: Path, *, speech_model: str = "") -> None:
        self._root = root
        self._voices = Voices(root, speech_model)
        self._children = asyncio.Semaphore(_CHILDREN_AT_ONCE)
        self._measuring: dict[str, asyncio.Lock] = {}

    async def examine(self, path: Path, *, subtitles: bool, filename: str) -> Looks:
        """Look into a file that was just uploaded.

        Raises: Refusal 4001 if it is no media, whatever its name, or says that it is longer than any timeline.
        """
        try:
            if subtitles:
                await asyncio.to_thread(_cues, path)
                return Looks("subtitle")
            async with self._children:
                info = await probe(str(path))
        except (MediaError, CaptionsError) as error:
            raise Refusal(4001, f"{filename} is not accepted: {error.message}") from error
        if info.duration_ms > LONGEST_MS:
            # A few bytes can say that they last for years, and whoever measures their sound hears all of the silence.
            raise Refusal(4001, f"{filename} is not accepted: it is longer than {LONGEST_MS // 3_600_000} hours.")
        video = info.video
        return Looks(
            info.kind,
            info.duration_ms,
            video.width if video else 0,
            video.height if video else 0,
            video.fps if video and info.kind == "video" else 0.0,
            info.audio is not None,
            video is not None and video.hdr,
        )

    async def measured(self, uploads: Sequence[Upload], measure: Measure) -> tuple[Asset, ...]:
        """Tell what is known of uploads; what was never measured is measured now, which can take a while."""
        return tuple([await self._measured(upload, measure) for upload in uploads])

    async def heard(
        self, uploads: Sequence[Upload], urls: Collection[str], language: str, measure: Measure
    ) -> tuple[Asset, ...]:
        """Tell what is known of uploads, and what is said in those of these addresses: a twentieth of their length.

        Raises: MediaToolError if there is no usable ffmpeg.
        """
        listed = []
        for upload in uploads:
            asset = await self._measured(upload, measure)
            listed.append(
                replace(asset, words=await self._voices.of(upload, language)) if upload.url in urls else asset
            )
        return tuple(listed)

    def listed(self, uploads: Sequence[Upload]) -> tuple[Asset, ...]:
        """Tell what is known of uploads without measuring anything."""
        return tuple(_asset(upload, None, ()) for upload in uploads)

    def sources(self, uploads: Sequence[Upload]) -> dict[str, Source]:
        """Name the uploads by address, with where their bytes lie, as rendering needs them."""
        return {u.url: Source(_asset(u, None, ()), str(self._root / u.path)) for u in uploads}

    async def _measured(self, upload: Upload, measure: Measure) -> Asset:
        path = self._root / upload.path
        if upload.kind == "subtitle":
            return _asset(upload, None, await asyncio.to_thread(_cues, path))
        if upload.kind == "image" or measure == "nothing":
            return _asset(upload, None, ())
        # The same content in two sessions is measured once, also when both ask at the same time.
        async with self._measuring.setdefault(upload.sha256, asyncio.Lock()):
            whole = self._root / "cache" / f"{upload.sha256}.json"
            sound = whole.with_suffix(".sound.json")
            analysis = await asyncio.to_thread(_from_cache, whole)
            if analysis is None and measure == "sound":
                analysis = await asyncio.to_thread(_from_cache, sound)
            if analysis is None:
                scenes = measure == "everything"
                async with self._children:
                    analysis = await analyze(str(path), await probe(str(path)), scenes=scenes)
                await asyncio.to_thread(_to_cache, whole if scenes else sound, analysis)
        return _asset(upload, analysis, ())


def _asset(upload: Upload, analysis: Analysis | None, cues: tuple[Cue, ...]) -> Asset:
    return Asset(
        asset_id=upload.asset_id,
        url=upload.url,
        filename=upload.filename,
        kind=upload.kind,
        duration_ms=upload.duration_ms,
        width=upload.width,
        height=upload.height,
        fps=upload.fps,
        has_audio=upload.has_audio,
        hdr=upload.hdr,
        size_bytes=upload.size_bytes,
        analysis=analysis,
        cues=cues,
    )


def _cues(path: Path) -> tuple[Cue, ...]:
    with path.open("rb") as file:
        return read_cues(file.read(MAX_BYTES + 1))


def _from_cache(path: Path) -> Analysis | None:
    """Read what was measured before; None if it was not, or is of another version or half written."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(path.read_bytes())
        if kept["version"] == _CACHE_VERSION:
            return Analysis(
                silences=tuple((start, end) for start, end in kept["silences"]),
                scenes_ms=tuple(kept["scenes_ms"]),
                loudness=tuple((at, level) for at, level in kept["loudness"]),
                speech_db=kept["speech_db"],
                floor_db=kept["floor_db"],
            )
    return None


def _to_cache(path: Path, analysis: Analysis) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"version": _CACHE_VERSION, **asdict(analysis)}), encoding="utf-8")
    os.replace(part, path)
