"""One file as multipart/form-data, streamed from wherever it lies in constant memory, with its hash.

Touches: the file, through the read function it is given.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from nemo_watch.errors import MediaError
from nemo_watch.reply import printable

CHUNK_BYTES = 256 << 10
_NAME_BYTES = 200

MIME_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
}
"""Media types by extension. Source: contract.md 5; the last two are the registered ones for subtitles."""

Progress = Callable[[int, int], None]
"""Told (bytes so far, bytes in all); all is 0 if unknown."""


@dataclass(frozen=True, slots=True)
class UploadSource:
    """A file to send: `read(offset, count)` gives up to that many bytes, b"" only at the end."""

    filename: str
    size_bytes: int
    mime: str
    read: Callable[[int, int], Awaitable[bytes]]


class Multipart:
    """The request body of one upload; iterate it once, then `sent_sha256` is the hash of the file's bytes.

    Raises: MediaError("changed") if the file is shorter or longer than it was said to be; the request is then broken
    off before its end, so that the backend never has a whole upload of it.
    Source: contract.md 5, RFC 7578.
    """

    def __init__(
        self,
        source: UploadSource,
        on_progress: Progress | None,
        on_move: Callable[[], None],
        on_sent: Callable[[], None],
    ) -> None:
        self._source = source
        self._on_progress = on_progress
        self._on_move = on_move
        self._on_sent = on_sent
        self._hash = hashlib.sha256()
        boundary = secrets.token_hex(16)
        mime = source.mime if re.fullmatch(r"[\w.+-]+/[\w.+-]+", source.mime, re.ASCII) else "application/octet-stream"
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{form_name(source.filename)}"\r\n'
            f"Content-Type: {mime}\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode("ascii")
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._head) + source.size_bytes + len(self._tail)),
        }

    @property
    def sent_sha256(self) -> str:
        """The hash of the bytes that were sent so far, in hex."""
        return self._hash.hexdigest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = self._source.size_bytes
        self._on_move()
        yield self._head
        sent = 0
        while sent < total:
            chunk = await self._read(sent, min(CHUNK_BYTES, total - sent))
            if not chunk:
                raise self._changed("shorter")
            self._hash.update(chunk)
            self._on_move()
            yield chunk
            sent += len(chunk)
            if self._on_progress:
                self._on_progress(sent, total)
        if await self._read(total, 1):
            raise self._changed("longer")
        self._on_sent()
        yield self._tail

    async def _read(self, offset: int, count: int) -> bytes:
        try:
            return (await self._source.read(offset, count))[:count]
        except OSError as error:
            raise MediaError(
                f"{printable(self._source.filename)} could not be read while it was uploaded: {error.strerror}.",
                code="unreadable",
                hint="Check the disk or the share it lies on; nothing was paid yet.",
            ) from error

    def _changed(self, how: str) -> MediaError:
        return MediaError(
            f"{printable(self._source.filename)} became {how} while it was uploaded.",
            code="changed",
            hint="It is taken again when it has come to rest; nothing was paid yet.",
        )


def form_name(filename: str) -> str:
    """Write a file name so that it can stand in a form's header: one line, valid UTF-8, quotes escaped, not too long.

    Bytes that are not UTF-8 (surrogates, as os.fsdecode gives them) become %XX. Source: WHATWG HTML 4.10.22.8.
    """
    shown = "".join(
        f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in filename.rsplit("/", 1)[-1]
    )
    shown = printable(shown).replace("\\", "_")
    shown = shown if shown.strip(".") else "file"
    stem, dot, suffix = shown.rpartition(".")
    if not dot or not suffix or len(suffix) > 20:
        stem, suffix = shown, ""
    end = f".{suffix}" if suffix else ""
    stem = stem.encode()[: _NAME_BYTES - len(end.encode())].decode("utf-8", "ignore")
    return (stem + end).replace('"', "%22")
