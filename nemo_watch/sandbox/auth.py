"""Tokens and credits. Touches: the store."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from nemo_watch.sandbox.backend import backend_of
from nemo_watch.sandbox.desk import account, json_body, note, own_session, reply, text_of
from nemo_watch.sandbox.wire import Refusal

MAX_CLIENT_ID_CHARS = 64
CLAIM_S = 604_800


async def anonymous_token(request: Request) -> Response:
    """Give a client its token: one at a time, for seven days.

    Source: contract.md 3.1, "What no source says" 10.
    """
    backend = backend_of(request)
    client_id = request.headers.get("x-client-id", "").strip()
    if not client_id or len(client_id) > MAX_CLIENT_ID_CHARS:
        raise Refusal(400, f"The header X-Client-Id is needed, of 1 to {MAX_CLIENT_ID_CHARS} characters.", status=400)
    used_only = backend.settings.reissues_unused
    live_until_ms = await backend.db(backend.store.live_until_ms, client_id, used_only=used_only)
    if live_until_ms:
        wait_s = math.ceil(live_until_ms / 1000 - backend.settings.now())
        message = f"This client has a token until {_utc(live_until_ms)}: one token per client in 7 days."
        raise Refusal(429, message, status=429, headers={"Retry-After": str(max(wait_s, 1))})
    settings = backend.settings
    token, user_id, expires_ms = await backend.db(
        backend.store.issue_token, client_id, grant=settings.credits, ttl_s=settings.token_ttl_s
    )
    note(request, user_id=user_id)
    data = {"token": token, "user_id": user_id, "expires_at": _utc(expires_ms), "credits": settings.credits}
    return reply(backend.wire.ok(data))


async def claim_token(request: Request) -> Response:
    """Give what opens a session in a browser; here no browser takes it.

    Source: contract.md 3.3.
    """
    user_id = await account(request)
    body = await json_body(request)
    session = await own_session(request, user_id, text_of(body.get("session_id")))
    secret = hashlib.sha256(f"claim {session.session_id}".encode()).hexdigest()[:24]
    return reply(backend_of(request).wire.ok({"claim_token": f"clm_{secret}", "expires_in": CLAIM_S}))


async def balance(request: Request) -> Response:
    """Tell an account's credits.

    Source: contract.md 7.
    """
    backend = backend_of(request)
    has = await backend.db(backend.store.account, await account(request))
    total = has.available + has.frozen
    return reply(backend.wire.ok({"available": has.available, "frozen": has.frozen, "total": total}))


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
