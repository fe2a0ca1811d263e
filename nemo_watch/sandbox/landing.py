"""Files on their way into a session: written beside their place, hashed and counted, entered when whole.

Touches: one folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nemo_watch.sandbox.assets import Assets
from nemo_watch.sandbox.keeper import Keeper
from nemo_watch.sandbox.records import Upload
from nemo_watch.sandbox.wire import Refusal

MIME_OF = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
}
SUBTITLE_MIME_OF = {"srt": "application/x-subrip", "vtt": "text/vtt"}
"""Beyond the cloud's list: what was written goes before what a recogniser hears."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived whole. `path` ends in ".part" until the upload is accepted."""

    asset_id: str
    filename: str
    suffix: str
    path: Path
    sha256: str
    size_bytes: int


class Landing:
    """One file that is being written. Not async: give it to a thread.

    Effects: makes the folder and the file; `finish` has flushed it to the disk.
    """

    def __init__(self, folder: Path, filename: str, suffix: str, *, limit_bytes: int, asset_id: str = "") -> None:
        self.filename = filename
        self._suffix, self._limit_bytes = suffix, limit_bytes
        self._asset_id = asset_id or f"u_{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700, exist_ok=True)
        self.path = folder / f"{self._asset_id}.{suffix}.part"
        self._file = io.FileIO(self.path, "xb")
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Take the next piece. Raises: Refusal 4002."""
        piece = memoryview(data)
        self._size_bytes += len(piece)
        if self._size_bytes > self._limit_bytes:
            raise too_large(self.filename, self._limit_bytes)
        self._digest.update(piece)
        while piece:
            piece = piece[self._file.write(piece) :]

    def finish(self) -> Received:
        """Say what came, once it is on the disk."""
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._digest.hexdigest()
        return Received(self._asset_id, self.filename, self._suffix, self.path, digest, self._size_bytes)

    def abandon(self) -> None:
        """Remove what was written. Repeat: safe."""
        self._file.close()
        self.path.unlink(missing_ok=True)


async def entered(
    db: Keeper,
    assets: Assets,
    file_url: Callable[[str, str], str],
    session_id: str,
    received: Sequence[Received],
) -> tuple[Upload, ...]:
    """Look into files that have come, put them in their place and enter them into the session: all or none.

    `file_url` makes an address of a secret and a name. After this they outlive the process.
    Raises: Refusal 4001.
    """
    root = db.store.root
    rows = []
    for file in received:
        subtitles = file.suffix in SUBTITLE_MIME_OF
        looks = await assets.examine(file.path, subtitles=subtitles, filename=file.filename)
        secret = secrets.token_urlsafe(24)
        row = Upload(
            asset_id=file.asset_id,
            session_id=session_id,
            filename=file.filename,
            kind=looks.kind,
            mime=(SUBTITLE_MIME_OF if subtitles else MIME_OF)[file.suffix],
            path=str(file.path.with_suffix("").relative_to(root)),
            url=file_url(secret, file.filename),
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            duration_ms=looks.duration_ms,
            width=looks.width,
            height=looks.height,
            fps=looks.fps,
            has_audio=looks.has_audio,
            hdr=looks.hdr,
        )
        rows.append((row, secret))
    await asyncio.to_thread(_settle, root / "sessions" / session_id, received)
    await db(db.store.add_uploads, rows)
    return tuple(row for row, _ in rows)


def _settle(folder: Path, received: Sequence[Received]) -> None:
    for file in received:
        file.path.rename(file.path.with_suffix(""))
    for place in (folder, folder.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def too_large(filename: str, limit_bytes: int) -> Refusal:
    """Refuse a file for its size."""
    return Refusal(4002, f"{filename} is larger than {limit_bytes // (1024 * 1024)} MB.")


def safe_name(name: str) -> str:
    """Give a file's name without folders and without what cannot be seen."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[-200:] or "file"


def accepted_suffix(filename: str) -> str:
    """Tell a file's type by its name.

    Raises: Refusal 4001 for one that is not accepted.
    Source: contract.md 5.
    """
    suffix = filename.rpartition(".")[2].lower() if "." in filename else ""
    suffix = "jpg" if suffix == "jpeg" else suffix
    if suffix not in MIME_OF and suffix not in SUBTITLE_MIME_OF:
        accepted = ", ".join([*MIME_OF, *SUBTITLE_MIME_OF])
        raise Refusal(4001, f"{filename} is not of a type that is accepted: {accepted}.")
    return suffix
