"""The second port: uploads and results by addresses that cannot be guessed, with ranges, without a token.

Touches: the store, files.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nemo_watch.sandbox.backend import Backend, backend_of
from nemo_watch.sandbox.desk import Desk, fault_of, on_http_error, on_refusal
from nemo_watch.sandbox.serving import served
from nemo_watch.sandbox.wire import Refusal


async def serve(request: Request) -> Response:
    """Give a file's bytes.

    Source: contract.md 8.3, "What no source says" 29.
    """
    backend = backend_of(request)
    found = await backend.db(backend.store.served, request.path_params["secret"])
    if found is None:
        raise HTTPException(404, "Not Found")
    path, mime = found
    return served(path, mime, fault_of(request))


def build(backend: Backend) -> Starlette:
    """Make the app of the CDN port."""
    app = Starlette(
        routes=[Route("/v/{secret}/{filename}", serve)],
        middleware=[Middleware(Desk, backend=backend, port="cdn")],
        exception_handlers={Refusal: on_refusal, HTTPException: on_http_error},
    )
    app.state.backend = backend
    return app
