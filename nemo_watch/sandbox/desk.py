"""What all routes share: who asks, for which session, with what body; the request log; errors as replies.

Touches: the request, the store.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nemo_watch.errors import NemoWatchError
from nemo_watch.sandbox.backend import Backend, backend_of
from nemo_watch.sandbox.cutting import cut
from nemo_watch.sandbox.faults import Fault, endpoint_of
from nemo_watch.sandbox.records import Json, SessionRow
from nemo_watch.sandbox.wire import Refusal, compact, malformed

log = logging.getLogger("nemo_watch.sandbox")

MAX_JSON_BYTES = 16 * 1024 * 1024
SKILL_HEADERS = ("x-skill-source", "x-skill-version", "x-skill-platform")
_LOGGED_HEADERS = (
    *SKILL_HEADERS,
    *("x-client-id", "content-type", "content-length", "accept", "accept-encoding", "user-agent", "range", "if-range"),
)


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    # A lone surrogate is legal in JSON but not in UTF-8: it becomes a question mark.
    content = compact(body).encode("utf-8", "replace")
    return Response(content, status, headers, media_type="application/json")


def refuse(backend: Backend, refusal: Refusal, path: str) -> Response:
    """Answer a request to this path with an error code."""
    body, status = backend.wire.refused(refusal, path)
    return reply(body, status, refusal.headers)


async def account(request: Request) -> str:
    """Tell whose token came with the request.

    Raises: Refusal 1001.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    backend = backend_of(request)
    user_id = ""
    if scheme.lower() == "bearer" and token.strip():
        user_id = await backend.db(backend.store.user_of, token.strip())
    if not user_id:
        raise Refusal(1001, "The token is missing, unknown or expired.")
    return user_id


async def own_session(request: Request, user_id: str, session_id: str, named_user: str = "me") -> SessionRow:
    """Find a session of the account; `named_user` is how the request calls the user.

    Raises: Refusal 1002.
    """
    backend = backend_of(request)
    session = await backend.db(backend.store.session, session_id)
    if session is None or session.user_id != user_id or named_user not in ("me", user_id):
        raise Refusal(1002, f"There is no session {session_id} for this account.")
    return session


async def json_body(request: Request) -> Json:
    """Read a JSON object.

    Raises: HTTPException 422, as the agent framework answers, or 413.
    """
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_JSON_BYTES:
            raise HTTPException(413, f"The body is larger than {MAX_JSON_BYTES} bytes.")
    try:
        body = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise malformed("json_invalid", "", f"JSON decode error: {error}", None) from error
    if not isinstance(body, dict):
        raise malformed("model_attributes_type", "", "Input should be a valid dictionary", body)
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def text_of(value: object) -> str:
    """Take a text from a body: "" if it is none, lone surrogates replaced (the database has no place for them)."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def note(request: Request, **summary: Any) -> None:
    """Say in the request log what a body held."""
    request.scope["state"]["summary"].update(summary)


async def on_refusal(request: Request, error: Exception) -> Response:
    """Answer for a Refusal raised anywhere."""
    if not isinstance(error, Refusal):
        raise error
    return refuse(backend_of(request), error, request.url.path)


async def on_http_error(_: Request, error: Exception) -> Response:
    """Answer for an unknown path, a wrong method or a malformed body, as the agent framework does."""
    if not isinstance(error, HTTPException):
        raise error
    return reply({"detail": error.detail}, error.status_code, error.headers)


class Desk:
    """Notes every request before it is worked on, and turns whatever goes wrong inside into an answer."""

    def __init__(self, app: ASGIApp, *, backend: Backend, port: str) -> None:
        self._app, self._backend, self._port = app, backend, port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        db, store = self._backend.db, self._backend.store
        summary = scope.setdefault("state", {}).setdefault("summary", {})
        number = await db(store.log_request, self._port, scope["method"], text_of(scope["path"]), _headers(scope))
        status = 0
        fault = self._backend.settings.faults.next(endpoint_of(scope["method"], scope["path"]))
        if fault is not None:
            summary["fault"] = fault.do
            scope["state"]["fault"] = fault

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(fault, scope, receive, watch)
        except ClientDisconnect:
            summary["disconnected"] = True
        except asyncio.CancelledError:
            # The server cuts short what is under way when it stops; nothing comes after this that could be cancelled.
            summary["cut_short"] = True
            if not status:
                stopping = Refusal(503, "The sandbox is stopping.", status=503)
                await refuse(self._backend, stopping, scope["path"])(scope, receive, watch)
        except Exception as error:
            log.exception("%s %s failed inside", scope["method"], scope["path"])
            if status:
                raise
            sentence = error.message if isinstance(error, NemoWatchError) else "The sandbox failed inside; see its log."
            await refuse(self._backend, Refusal(500, sentence, status=500), scope["path"])(scope, receive, watch)
        finally:
            await db(store.log_answer, number, status, summary)

    async def _answer(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.do if fault is not None else None:
            case "cut":
                await cut(scope)
            case "lose":
                await self._app(scope, receive, _nowhere)
                await cut(scope)
            case "mask" if fault is not None:
                await self._app(scope, receive, _nowhere)
                await _spoiled(self._backend, fault, scope["path"])(scope, receive, send)
            case "answer" if fault is not None:
                await _spoiled(self._backend, fault, scope["path"])(scope, receive, send)
            case "delay" if fault is not None:
                await self._backend.settings.sleep(fault.seconds)
                await self._app(scope, receive, send)
            case _:
                await self._app(scope, receive, send)


async def _nowhere(_: Message) -> None:
    """Take what was to be sent."""


def _spoiled(backend: Backend, fault: Fault, path: str) -> Response:
    headers = {"Retry-After": f"{fault.retry_after:g}"} if fault.retry_after else {}
    if fault.page:
        return HTMLResponse(f"<html><h1>{fault.message}</h1></html>", fault.status or 200, headers)
    return refuse(backend, Refusal(fault.code or 500, fault.message, status=fault.status, headers=headers), path)


def fault_of(request: Request) -> Fault | None:
    """Tell what the script wants done to this request beyond what is done to any."""
    fault = request.scope["state"].get("fault")
    return fault if isinstance(fault, Fault) else None


def _headers(scope: Scope) -> dict[str, str]:
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    kept = {name: found[name] for name in _LOGGED_HEADERS if name in found}
    if "authorization" in found:
        kept["authorization"] = found["authorization"].partition(" ")[0] + " ***"
    return kept
