"""Files that clients upload or name the address of: streamed to their place, looked into before they are taken.

Touches: the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from nemo_watch.sandbox.addresses import Target, UrlError, read_url
from nemo_watch.sandbox.backend import Backend, backend_of
from nemo_watch.sandbox.desk import account, json_body, note, own_session, reply
from nemo_watch.sandbox.landing import Landing, accepted_suffix, entered, too_large
from nemo_watch.sandbox.multipart import MAX_BODY_OVERHEAD_BYTES, MAX_FILES, FileSink
from nemo_watch.sandbox.records import Json, Upload
from nemo_watch.sandbox.sessions import file_info
from nemo_watch.sandbox.wire import Refusal

MAX_URLS = 8
_PIECE_BYTES = 1024 * 1024
_DRAIN_S = 60.0


async def upload(request: Request) -> Response:
    """Take files into a session, all of them or none.

    Source: contract.md 5, "What no source says" 21 and 22.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return await _fetch(request)
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
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit_bytes * MAX_FILES + MAX_BODY_OVERHEAD_BYTES:
        raise too_large("The upload", limit_bytes)
    folder = backend.store.root / "sessions" / session.session_id
    sink = FileSink(content_type, folder, check_name=accepted_suffix, limit_bytes=limit_bytes)
    try:
        await body.into(sink)
        received = sink.finish()
        note(request, files=[{"filename": r.filename, "size_bytes": r.size_bytes} for r in received])
        rows = await entered(backend.db, backend.assets, backend.file_url, session.session_id, received)
    except BaseException:
        await asyncio.to_thread(sink.abandon)
        raise
    return _taken(backend, rows)


async def _fetch(request: Request) -> Response:
    """Fetch what the body gives addresses of; answers when all of it is kept.

    Source: contract.md 5.2, "What no source says" 20.
    """
    user_id = await account(request)
    session = await own_session(request, user_id, request.path_params["session_id"], request.path_params["user"])
    backend = backend_of(request)
    targets = _targets(await json_body(request))
    note(request, urls=[target.told for target in targets])
    folder = backend.store.root / "sessions" / session.session_id
    landings: list[Landing] = []
    try:
        for target in targets:
            landing = await backend.fetcher.fetch(target, folder, backend.settings.max_upload_bytes)
            landings.append(landing)  # one by one: what was fetched before a failure is removed
        received = [await asyncio.to_thread(landing.finish) for landing in landings]
        note(request, files=[{"filename": r.filename, "size_bytes": r.size_bytes} for r in received])
        rows = await entered(backend.db, backend.assets, backend.file_url, session.session_id, received)
    except BaseException:
        for landing in landings:
            await asyncio.to_thread(landing.abandon)
        raise
    return _taken(backend, rows)


def _targets(body: Json) -> list[Target]:
    urls = body.get("urls")
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        raise Refusal(400, 'The upload names no addresses: "urls" is a list of them.', status=400)
    if len(urls) > MAX_URLS:
        raise Refusal(400, f"One upload names at most {MAX_URLS} addresses.", status=400)
    if body.get("source_type", "url") != "url":
        raise Refusal(400, 'An upload by address has the source_type "url".', status=400)
    try:
        return [read_url(url) for url in urls]
    except UrlError as error:
        raise Refusal(400, str(error), status=400) from error


def _taken(backend: Backend, rows: Sequence[Upload]) -> Response:
    data = {"files": [file_info(row) for row in rows], "session_state_applied": True}
    return reply(backend.wire.ok(data))


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
