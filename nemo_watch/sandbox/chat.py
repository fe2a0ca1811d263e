"""Messages to the editing agent and the stream of its answer. Touches: the store, the connection."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from nemo_watch.sandbox.backend import backend_of
from nemo_watch.sandbox.cutting import cut
from nemo_watch.sandbox.desk import account, fault_of, invalid, json_body, note, own_session, text_of
from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.records import Json
from nemo_watch.sandbox.store import BusyError, NoCreditsError
from nemo_watch.sandbox.turns import Feed
from nemo_watch.sandbox.wire import Official, Refusal, Said

APP_NAME = "nemo_agent"
LONG_S = 7 * 86_400.0


async def run_sse(request: Request) -> EventStream:
    """Take a message and stream the turn it starts. Once the head of the answer is sent, the turn is kept on disk.

    Source: contract.md 6, 7 (credits), "What no source says" 5 and 9.
    """
    user_id = await account(request)
    body = await json_body(request)
    session_id = body.get("session_id", body.get("sessionId"))
    if not isinstance(session_id, str):
        where = "missing" if session_id is None else "string_type"
        raise invalid(where, ["sessionId"], "A session_id is needed, as a string")
    app_name = body.get("app_name", body.get("appName", APP_NAME))
    if app_name != APP_NAME:
        raise HTTPException(404, f"Agent not found: {text_of(app_name)!r}.")
    named_user = text_of(body.get("user_id", body.get("userId", "me")))
    session = await own_session(request, user_id, text_of(session_id), named_user)
    message = _message(body)
    note(request, session_id=session.session_id, text=message)
    if not message.strip():
        raise Refusal(400, "The message is empty.", status=400)
    backend = backend_of(request)
    try:
        # Shielded: a message that was taken is worked on, whatever becomes of this request.
        feed = await asyncio.shield(backend.turns.accept(session.session_id, message, fault_of(request)))
    except BusyError as error:
        raise Refusal(409, "A message is being worked on in this session; wait for its end.", status=409) from error
    except NoCreditsError as error:
        raise Refusal(2001, f"No credits left: editing takes {backend.settings.edit_price}.") from error
    return EventStream(feed, backend.wire, backend.settings.heartbeat_s / backend.settings.pace, fault_of(request))


def _message(body: Json) -> str:
    content = body.get("new_message", body.get("newMessage"))
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list):
        raise invalid("missing", ["newMessage"], "A new_message with parts is needed")
    return "\n".join(text_of(part.get("text")) for part in parts if isinstance(part, dict) and "text" in part)


class EventStream:
    """The answer to a message: events as they happen, heartbeats between them, closed at the turn's end.

    A client that goes away changes nothing for the turn. If the sandbox is stopped in the middle, the connection is
    broken off and not closed in order: it must not look like the end of the turn.
    """

    def __init__(self, feed: Feed, wire: Official, heartbeat_s: float, fault: Fault | None) -> None:
        self._feed, self._wire, self._heartbeat_s = feed, wire, heartbeat_s
        self._does = fault.do if fault is not None else None
        self._events_left = fault.events if fault is not None and fault.do == "break_stream" else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        leaving = asyncio.create_task(_left(receive))
        following = asyncio.create_task(self._feed.get())
        try:
            while not leaving.done():
                await asyncio.wait({leaving, following}, timeout=self._heartbeat_s, return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    await send({"type": "http.response.body", "body": self._wire.heartbeat, "more_body": True})
                    continue
                stamped = following.result()
                if self._does == "heartbeats":
                    following = asyncio.create_task(asyncio.sleep(LONG_S, "stopped"))
                    continue
                if self._events_left == 0:
                    await cut(scope)
                    return
                if stamped == "stopped":
                    return
                if stamped == "ended":
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
                if self._does != "silent" or not isinstance(stamped.event, Said):
                    await send({"type": "http.response.body", "body": self._wire.frame(stamped), "more_body": True})
                self._events_left = None if self._events_left is None else self._events_left - 1
                following = asyncio.create_task(self._feed.get())
        finally:
            leaving.cancel()
            following.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
