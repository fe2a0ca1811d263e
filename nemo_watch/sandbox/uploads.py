"""Files that clients upload: streamed to their final place, looked into before they are taken. Touches: the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from nemo_watch.sandbox.backend import Backend, backend_of
from nemo_watch.sandbox.desk import account, note, own_session, reply
from nemo_watch.sandbox.multipart import MAX_BODY_OVERHEAD_BYTES, MAX_FILES, FileSink, Received, too_large
from nemo_watch.sandbox.records import SessionRow, Upload
from nemo_watch.sandbox.sessions import file_info
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

_PIECE_BYTES = 1024 * 1024
_DRAIN_S = 60.0


async def upload(request: Request) -> Response:
    """Take files into a session, all of them or none.

    Source: contract.md 5, "What no source says" 21 and 22.
    """
    body = _Body(request)
    try:
        return await _upload(request, body)
    except Refusal:
        await body.drain()
        raise


async def _upload(request: Request, body: _Body) -> Response:
    user_id = await account(request)
    session = await own_session(request, user_id, request.path_params["session_id"], request.path_params["user"])
    backend = backend_of(request)
    limit_bytes = backend.settings.max_upload_bytes
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        raise Refusal(4001, "This sandbox takes files only, no addresses.")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes * MAX_FILES + MAX_BODY_OVERHEAD_BYTES:
        raise too_large("The upload", limit_bytes)
    folder = backend.store.root / "sessions" / session.session_id
    sink = FileSink(content_type, folder, check_name=_accepted_suffix, limit_bytes=limit_bytes)
    try:
        await body.into(sink)
        received = sink.finish()
        note(request, files=[{"filename": r.filename, "size_bytes": r.size_bytes} for r in received])
        rows = [await _look_into(backend, session, file) for file in received]
        await asyncio.to_thread(_settle, folder, received)
    except BaseException:
        await asyncio.to_thread(sink.abandon)
        raise
    await backend.db(backend.store.add_uploads, rows)
    data = {"files": [file_info(row) for row, _ in rows], "session_state_applied": True}
    return reply(backend.wire.ok(data))


async def _look_into(backend: Backend, session: SessionRow, file: Received) -> tuple[Upload, str]:
    subtitles = file.suffix in SUBTITLE_MIME_OF
    facts = await backend.assets.examine(file.path, subtitles=subtitles, filename=file.filename)
    secret = secrets.token_urlsafe(24)
    final = file.path.with_suffix("")
    row = Upload(
        asset_id=file.asset_id,
        session_id=session.session_id,
        filename=file.filename,
        kind=facts.kind,
        mime=(SUBTITLE_MIME_OF if subtitles else MIME_OF)[file.suffix],
        path=str(final.relative_to(backend.store.root)),
        url=backend.file_url(secret, file.filename),
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        duration_ms=facts.duration_ms,
        width=facts.width,
        height=facts.height,
        fps=facts.fps,
        has_audio=facts.has_audio,
        hdr=facts.hdr,
    )
    return row, secret


def _settle(folder: Path, received: tuple[Received, ...]) -> None:
    for file in received:
        file.path.rename(file.path.with_suffix(""))
    for place in (folder, folder.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _accepted_suffix(filename: str) -> str:
    suffix = filename.rpartition(".")[2].lower() if "." in filename else ""
    suffix = "jpg" if suffix == "jpeg" else suffix
    if suffix not in MIME_OF and suffix not in SUBTITLE_MIME_OF:
        accepted = ", ".join([*MIME_OF, *SUBTITLE_MIME_OF])
        raise Refusal(4001, f"{filename} is not of a type that is accepted: {accepted}.")
    return suffix


class _Body:
    """A request's body, read in pieces that are given to a thread."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._more = True

    async def into(self, sink: FileSink) -> None:
        """Give all of it to the sink."""
        piece = bytearray()
        while self._more:
            piece += await self._next()
            if len(piece) >= _PIECE_BYTES or not self._more:
                await asyncio.to_thread(sink.feed, bytes(piece))
                piece.clear()

    async def drain(self) -> None:
        """Throw the rest away: a client that is still sending would see a broken connection in place of the answer."""
        if self._request.headers.get("expect", "").lower() == "100-continue":
            return  # it has not begun to send and is waiting for exactly this answer
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(_DRAIN_S):
                while self._more:
                    await self._next()

    async def _next(self) -> bytes:
        message = await self._request.receive()
        if message["type"] == "http.disconnect":
            self._more = False
            raise ClientDisconnect
        self._more = message.get("more_body", False)
        return bytes(message.get("body", b""))
