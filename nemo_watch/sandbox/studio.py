"""Makes the moving background of a card as a file of its session. Touches: the store, files, child processes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from nemo_watch.media import RunLimits, run_ffmpeg
from nemo_watch.sandbox.assets import Assets
from nemo_watch.sandbox.errors import RenderError
from nemo_watch.sandbox.intent.generating import Card, asks_for_a_video, card_of, describes_one
from nemo_watch.sandbox.keeper import Keeper
from nemo_watch.sandbox.landing import Received, entered
from nemo_watch.sandbox.records import Json, TurnRow, Upload

MADE = "g_"
"""What the ids of files begin with that were made here and not uploaded."""
_SHORT_SIDE, _LONG_SIDE = 720, 1280
_COLOURS = (
    ("0x0b1d3a", "0x1f4e79", "0x3a7ca5"),
    ("0x2b1055", "0x5b2a86", "0x7597de"),
    ("0x3a1c10", "0x8a3b12", "0xc96f2f"),
    ("0x0f2b1d", "0x1e5b3a", "0x4f8f5f"),
    ("0x2a0d1f", "0x7a1f4b", "0xb0476e"),
    ("0x14181f", "0x39424f", "0x66727f"),
)


class Studio:
    """Makes files; `file_url` makes an address of a secret and a name."""

    def __init__(self, db: Keeper, assets: Assets, file_url: Callable[[str, str], str]) -> None:
        self._db, self._assets, self._file_url = db, assets, file_url

    async def wish(self, session_id: str, message: str, draft: Json, turn_id: int = 0) -> Card | None:
        """Tell what card a message asks for: only in a session to which nobody uploaded a clip.

        A text that only describes something is such a wish as long as there is no timeline.
        """
        uploads = await self._db(self._db.store.uploads, session_id)
        if any(upload.kind in ("video", "image", "audio") and not is_made(upload.asset_id) for upload in uploads):
            return None
        asked = await asyncio.to_thread(asks_for_a_video, message)
        if not asked:
            fresh = not draft.get("t") and all(upload.asset_id == f"{MADE}{turn_id}" for upload in uploads)
            asked = fresh and await asyncio.to_thread(describes_one, message)
        return await asyncio.to_thread(card_of, message) if asked else None

    async def background(self, card: Card, turn: TurnRow) -> Upload:
        """Make a card's background and enter it into its session.

        Raises: RenderError.
        Repeat: safe; a turn has one.
        """
        asset_id = f"{MADE}{turn.turn_id}"
        for upload in await self._db(self._db.store.uploads, turn.session_id):
            if upload.asset_id == asset_id:
                return upload
        folder = self._db.store.root / "sessions" / turn.session_id
        part = folder / f"{asset_id}.mp4.part"
        await asyncio.to_thread(folder.mkdir, 0o700, parents=True, exist_ok=True)
        try:
            await _paint(card, part)
            received = await asyncio.to_thread(_received, part, asset_id, f"generated-{turn.turn_id}.mp4")
            (row,) = await entered(self._db, self._assets, self._file_url, turn.session_id, [received])
        except BaseException:
            await asyncio.to_thread(part.unlink, missing_ok=True)
            raise
        return row


def is_made(asset_id: str) -> bool:
    """Tell whether a file was made here and not uploaded."""
    return asset_id.startswith(MADE)


async def _paint(card: Card, part: Path) -> None:
    limits = RunLimits(wall_s=60 + card.length_ms / 100, output_bytes=512 * 2**20)
    done = await run_ffmpeg(_arguments(card, part.name), cwd=str(part.parent), limits=limits)
    if not done.ok:
        raise RenderError(f"The background could not be made: {done.last_line[:200]}", again=True)


def _arguments(card: Card, name: str) -> list[str]:
    """Tell ffmpeg to paint: colours that move slowly, the same for the same words."""
    number = int.from_bytes(hashlib.sha256("\n".join(card.lines).encode("utf-8", "replace")).digest()[:4], "big")
    colours = ":".join(f"c{i}={colour}" for i, colour in enumerate(_COLOURS[number % len(_COLOURS)]))
    width, height = _size(card)
    # Painted small and made larger: a quarter of the time for a picture that has no edges.
    larger = f"scale={width}:{height}:flags=bilinear"
    picture = f"gradients=s={width // 4}x{height // 4}:r=30:n=3:{colours}:speed=0.008:seed={number % 10_000},{larger}"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    frames = ["-frames:v", str(round(card.length_ms * 30 / 1000))]
    return ["-v", "error", "-f", "lavfi", "-i", picture, *frames, *codec, "-f", "mp4", name]


def _size(card: Card) -> tuple[int, int]:
    ratio = max(card.w, card.h) / min(card.w, card.h)
    long_side = min(2 * round(_SHORT_SIDE * min(ratio, 8) / 2), 2 * _LONG_SIDE)
    short_side = 2 * round(long_side / ratio / 2)
    return (long_side, short_side) if card.w >= card.h else (short_side, long_side)


def _received(part: Path, asset_id: str, filename: str) -> Received:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return Received(asset_id, filename, "mp4", part, digest, part.stat().st_size)
