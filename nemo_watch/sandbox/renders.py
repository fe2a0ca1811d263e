"""Renders: submitted, asked about, fetched, cancelled. Touches: the store, files."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from nemo_watch.sandbox.backend import Backend, backend_of
from nemo_watch.sandbox.compile import Output, compile_draft
from nemo_watch.sandbox.desk import SKILL_HEADERS, account, fault_of, json_body, note, own_session, reply, text_of
from nemo_watch.sandbox.errors import DraftError
from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.records import Json, Render
from nemo_watch.sandbox.serving import served
from nemo_watch.sandbox.store import DuplicateError
from nemo_watch.sandbox.wire import Refusal

MAX_ID_CHARS = 200
_FORMATS = {"mp4": "video/mp4", "mov": "video/quicktime"}


async def submit(request: Request) -> Response:
    """Take a draft to render, as it is sent.

    Source: contract.md 1.4 (order of checks), 8.1, "What no source says" 23, 28, 31.
    """
    user_id = await account(request)
    body = await json_body(request)
    backend = backend_of(request)
    session_id, render_id = text_of(body.get("sessionId")), text_of(body.get("id"))
    note(request, id=render_id, session_id=session_id)
    if not session_id:
        raise _bad("A render needs the sessionId of its session.")
    session = await own_session(request, user_id, session_id)
    if not 0 < len(render_id) <= MAX_ID_CHARS or "/" in render_id:
        raise _bad(f"A render needs an id of 1 to {MAX_ID_CHARS} characters, without a slash.")
    draft = body.get("draft")
    if not isinstance(draft, dict) or not _exportable(draft):
        raise _bad("The draft has no track with anything on it: there is nothing to export.")
    output = _output(body.get("output"))
    note(request, output=_as_json(output))
    missing = [name for name in SKILL_HEADERS if not request.headers.get(name, "").strip()]
    if missing:
        raise Refusal(402, f"Export is not permitted: missing headers {', '.join(missing)}.", status=402)
    # Before the draft is looked into: an id that was used before is that, whatever comes with it.
    if known := await backend.db(backend.store.render, user_id, render_id):
        return _used_before(backend, known, fault_of(request))
    await _check_draft(backend, session.session_id, draft, output)
    try:
        row = await asyncio.shield(
            backend.workshop.submit(user_id, render_id, session.session_id, draft, _as_json(output), fault_of(request))
        )
    except DuplicateError as error:
        raise _duplicate(render_id) from error
    return reply(backend.wire.renders.submitted(row, 0))


async def poll(request: Request) -> Response:
    """Tell how a render stands.

    Source: contract.md 8.2, "What no source says" 24.
    """
    backend, row, fault = backend_of(request), await _own(request), fault_of(request)
    if fault is not None and fault.do == "forget":
        raise _unknown(row.render_id)
    if fault is not None and fault.do == "no_url":
        return reply(backend.wire.renders.poll(row, backend.workshop.progress(row), ""))
    url = _url(backend, row) if row.state == "completed" else ""
    return reply(backend.wire.renders.poll(row, backend.workshop.progress(row), url))


async def download(request: Request) -> Response:
    """Give the file itself, for whom the other host refuses.

    Source: contract.md 8.3.
    """
    backend, row, fault = backend_of(request), await _own(request), fault_of(request)
    if row.state != "completed":
        raise Refusal(409, f"The render {row.render_id} is {row.state}: there is no file.", status=409)
    if fault is not None and fault.do == "address":
        return reply(backend.wire.renders.poll(row, 100, _url(backend, row)))
    if fault is not None and fault.do == "redirect":
        return RedirectResponse(_url(backend, row), 302)
    return served(backend.store.root / row.path, _FORMATS[_format(row)], fault)


async def cancel(request: Request) -> Response:
    """Cancel a render that has not ended.

    Source: contract.md 8.4, "What no source says" 30.
    """
    backend, row = backend_of(request), await _own(request)
    if not await backend.workshop.cancel(row):
        row = await _own(request)
        raise Refusal(409, f"The render {row.render_id} is {row.state}: it cannot be cancelled.", status=409)
    return reply(backend.wire.renders.cancelled(row.render_id))


async def _own(request: Request) -> Render:
    user_id = await account(request)
    backend, render_id = backend_of(request), text_of(request.path_params["render_id"])
    row = await backend.db(backend.store.render, user_id, render_id)
    if row is None:
        raise _unknown(render_id)
    return row


def _used_before(backend: Backend, row: Render, fault: Fault | None) -> Response:
    """Answer for an id that was used before: with the render it named, if the script wants it, else with an error.

    Source: contract.md 8.1, 14 row 17.
    """
    if fault is None or fault.do != "existing":
        raise _duplicate(row.render_id)
    return reply(backend.wire.renders.submitted(row, backend.workshop.progress(row)))


def _url(backend: Backend, row: Render) -> str:
    return backend.file_url(row.secret, f"{row.render_id}.{_format(row)}")


def _exportable(draft: Json) -> bool:
    tracks = draft.get("t")
    return isinstance(tracks, list) and any(isinstance(track, dict) and track.get("sg") for track in tracks)


def _output(wished: object) -> Output:
    wish = {} if wished is None else wished
    if not isinstance(wish, dict):
        raise _bad("The output is an object with format, quality, resolution and fps.")
    fps = wish.get("fps") or 0
    if isinstance(fps, bool) or not isinstance(fps, int | float):
        raise _bad("The output's fps is a number.")
    defaults = Output()
    return Output(
        format=text_of(wish.get("format")).lower() or defaults.format,
        quality=text_of(wish.get("quality")).lower() or defaults.quality,
        resolution=text_of(wish.get("resolution")).lower(),
        fps=fps,
    )


def _as_json(output: Output) -> Json:
    return {"format": output.format, "quality": output.quality, "resolution": output.resolution, "fps": output.fps}


async def _check_draft(backend: Backend, session_id: str, draft: Json, output: Output) -> None:
    uploads = await backend.db(backend.store.uploads, session_id)
    assets = {url: source.asset for url, source in backend.assets.sources(uploads).items()}
    try:
        await asyncio.to_thread(compile_draft, draft, assets, output)
    except DraftError as error:
        raise _bad(error.message) from error


def _format(row: Render) -> str:
    return str(row.output.get("format", "mp4"))


def _bad(message: str) -> Refusal:
    return Refusal(400, message, status=400)


def _unknown(render_id: str) -> Refusal:
    return Refusal(404, f"There is no render {render_id}.", status=404)


def _duplicate(render_id: str) -> Refusal:
    return Refusal(409, f"duplicate id: {render_id}", status=409)
