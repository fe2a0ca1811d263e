"""The cloud's HTTP API as one Starlette app. Touches: nothing by itself."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from nemo_watch.sandbox import auth, chat, renders, sessions, uploads
from nemo_watch.sandbox.backend import Backend
from nemo_watch.sandbox.desk import Desk, on_http_error, on_refusal
from nemo_watch.sandbox.wire import Refusal

ROUTES = [
    Route("/api/auth/anonymous-token", auth.anonymous_token, methods=["POST"]),
    Route("/api/auth/claim-token", auth.claim_token, methods=["POST"]),
    Route("/api/credits/balance/simple", auth.balance),
    Route("/api/tasks/{user}/with-session/nemo_agent", sessions.open_session, methods=["POST"]),
    Route("/api/state/nemo_agent/{user}/{session_id}/latest", sessions.state),
    Route("/api/upload-video/nemo_agent/{user}/{session_id}", uploads.upload, methods=["POST"]),
    Route("/run_sse", chat.run_sse, methods=["POST"]),
    Route("/api/render/proxy/lambda", renders.submit, methods=["POST"]),
    Route("/api/render/proxy/lambda/{render_id}", renders.poll),
    Route("/api/render/proxy/lambda/{render_id}/cancel", renders.cancel, methods=["POST"]),
    # The first version of the vendor's document had these two in place of /lambda.
    Route("/api/render/proxy/draft", renders.submit, methods=["POST"]),
    Route("/api/render/proxy/{render_id}", renders.poll),
    Route("/api/render/proxy/{render_id}/download", renders.download),
]
"""Source: contract.md 3 to 8, 14 row 20."""


def build(backend: Backend) -> Starlette:
    """Make the app of the API port."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Desk, backend=backend, port="api")],
        exception_handlers={Refusal: on_refusal, HTTPException: on_http_error},
    )
    app.state.backend = backend
    return app
