"""Editing sessions and what they hold. Touches: the store."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from nemo_watch.sandbox.backend import backend_of
from nemo_watch.sandbox.desk import account, json_body, note, own_session, reply, text_of
from nemo_watch.sandbox.records import Json, Upload
from nemo_watch.sandbox.studio import is_made

_RATIOS = {(16, 9): "16:9", (9, 16): "9:16", (1, 1): "1:1", (4, 3): "4:3", (3, 4): "3:4", (4, 5): "4:5"}


async def open_session(request: Request) -> Response:
    """Begin a session.

    Source: contract.md 4.1.
    """
    user_id = await account(request)
    body = await json_body(request)
    backend = backend_of(request)
    language = text_of(body.get("language"))[:35] or "en"
    name = text_of(body.get("task_name"))[:500] or "project"
    session = await backend.db(backend.store.open_session, user_id, name, language)
    arrived = {key: text_of(body[key])[:500] for key in ("task_name", "language") if key in body}
    note(request, session_id=session.session_id, language=language, task_name=name, body=arrived)
    data = {"task_id": session.task_id, "session_id": session.session_id, "user_id": user_id}
    return reply(backend.wire.ok(data))


async def state(request: Request) -> Response:
    """Tell what a session holds: its files and its draft.

    Source: contract.md 4.3.
    """
    user_id = await account(request)
    session = await own_session(request, user_id, request.path_params["session_id"], request.path_params["user"])
    backend = backend_of(request)
    uploads = await backend.db(backend.store.uploads, session.session_id)
    held = {
        "video_infos": [_held(u) for u in uploads],
        "draft": session.draft,
        "canvas_config": _canvas(session.draft),
        "video_analyses": {},
        "generated_media": list(session.generated),
    }
    told = {"session_id": session.session_id, "task_id": session.task_id, "task_name": session.task_name, "state": held}
    return reply(backend.wire.ok(told))


def file_info(upload: Upload) -> Json:
    """Describe a file as the upload's answer and the state do; what is not known of its kind is left out.

    Source: contract.md 5.
    """
    info: Json = {"filename": upload.filename, "file_type": upload.kind, "cdn_url": upload.url, "hash": upload.sha256}
    if upload.duration_ms:
        info["duration"] = upload.duration_ms / 1000
    if upload.width:
        info |= {"width": upload.width, "height": upload.height}
    if upload.fps:
        info["fps"] = upload.fps
    return info


def _held(upload: Upload) -> Json:
    source = "generated" if is_made(upload.asset_id) else "upload"
    return {**file_info(upload), "id": upload.asset_id, "source": source}


def _canvas(draft: Json) -> Json:
    meta = draft.get("m", {})
    width, height = meta.get("width"), meta.get("height")
    if not width or not height:
        return {}
    found = [name for (w, h), name in _RATIOS.items() if abs(width * h - height * w) <= max(width, height) // 100]
    return {"width": width, "height": height, "ratio": found[0] if found else f"{width}:{height}"}
