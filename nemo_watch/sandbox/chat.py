"""Messages to the editing agent and the stream of its answer. Touches: the store, the connection."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from nemo_watch.sandbox.backend import backend_of
from nemo_watch.sandbox.cutting import cut
from nemo_watch.sandbox.desk import account, fault_of, json_body, note, own_session, reply, text_of
from nemo_watch.sandbox.profiles import Profile
from nemo_watch.sandbox.records import Json, SessionRow
from nemo_watch.sandbox.spoiling import Spoiler
from nemo_watch.sandbox.store import BusyError, NoCreditsError
from nemo_watch.sandbox.turns import Feed, broken_feed
from nemo_watch.sandbox.wire import Refusal

LONG_S = 7 * 86_400.0


async def run_sse(request: Request) -> ASGIApp:
    """Take a message and stream the turn it starts. Once the head of the answer is sent, the turn is kept on disk.

    Source: contract.md 6, 7 (credits), "What no source says" 5, 6 and 9.
    """
    user_id = await account(request)
    backend, fault = backend_of(request), fault_of(request)
    asked = backend.wire.asking.read(await json_body(request))
    session = await _session(request, user_id, text_of(asked.session_id), text_of(asked.user))
    message = text_of(asked.text)
    note(request, session_id=session.session_id, text=message)
    heartbeat_s = backend.settings.heartbeat_s / backend.settings.pace
    if asked.broken:
        return EventStream(broken_feed(asked.broken, backend.settings), Spoiler(fault, backend.wire), heartbeat_s)
    if not message.strip():
        raise Refusal(400, "The message is empty.", status=400)
    try:
        # Shielded: a message that was taken is worked on, whatever becomes of this request.
        feed = await asyncio.shield(backend.turns.accept(session.session_id, message, fault))
    except BusyError as error:
        raise Refusal(409, "A message is being worked on in this session; wait for its end.", status=409) from error
    except NoCreditsError as error:
        raise Refusal(2001, f"No credits left: this takes {error.price}.") from error
    if fault is not None and fault.do == "json":
        return WholeAnswer(feed, backend.wire)
    return EventStream(feed, Spoiler(fault, backend.wire), heartbeat_s)


async def _session(request: Request, user_id: str, session_id: str, named_user: str) -> SessionRow:
    try:
        return await own_session(request, user_id, session_id, named_user)
    except Refusal as refusal:
        unknown = backend_of(request).wire.asking.no_session(session_id)
        if unknown is None:
            raise
        raise unknown from refusal


class EventStream:
    """The answer to a message: events as they happen, heartbeats between them, closed at the turn's end.

    A client that goes away changes nothing for the turn. If the sandbox is stopped in the middle, the connection is
    broken off and not closed in order: it must not look like the end of the turn.
    """

    def __init__(self, feed: Feed, spoiler: Spoiler, heartbeat_s: float) -> None:
        self._feed, self._spoiler, self._heartbeat_s = feed, spoiler, heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        leaving = asyncio.create_task(_left(receive))
        following = asyncio.create_task(self._feed.get())
        try:
            while not leaving.done():
                await asyncio.wait({leaving, following}, timeout=self._heartbeat_s, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    await _send(send, self._spoiler.beat())
                    continue
                stamped = following.result()
                if self._spoiler.only_beats:
                    following = asyncio.create_task(asyncio.sleep(LONG_S, "stopped"))
                    continue
                if self._spoiler.frames_left == 0:
                    await cut(scope)
                    return
                if stamped == "stopped":
                    return
                if stamped == "ended":
                    await _send(send, self._spoiler.end(), more=False)
                    return
                if frame := self._spoiler.frame(stamped):
                    await _send(send, frame)
                following = asyncio.create_task(self._feed.get())
        finally:
            leaving.cancel()
            following.cancel()


class WholeAnswer:
    """The answer to a message as one JSON document with all its events, when the turn has ended."""

    def __init__(self, feed: Feed, wire: Profile) -> None:
        self._feed, self._wire = feed, wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told: list[Json] = []
        while (stamped := await self._feed.get()) != "ended":
            if stamped == "stopped":
                await cut(scope)
                return
            if (event := self._wire.dialect.event(stamped)) is not None:
                told.append(event)
        await reply(self._wire.ok(told))(scope, receive, send)


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
