"""Replies of the cloud API unwrapped and read, in every documented variant, into the nouns of the house. Pure.

Readers are tolerant: whatever is missing or of another type becomes empty, and only a reply without the one thing that
was asked for is an UnintelligibleError.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from nemo_watch.client.refusals import refusal, unintelligible
from nemo_watch.client.values import as_dict, aware, deeper_than, id_of, is_token, moment, to_int, to_number
from nemo_watch.model import Credits, Json, RenderState, RenderStatus, Session, SessionState
from nemo_watch.reply import printable, without_secrets

DEEPEST = 200
"""How deep a reply may be nested: JSON deeper than this is no draft of anybody."""

_LARGE_FLOAT = re.compile(r"\d[eE]\+?0*[1-9]\d\d|(?<!\d)\d{200}")
_MOST_DIGITS = 4000

TOKEN_LIFE = timedelta(days=7)
"""How long an anonymous token lives if the backend does not say. Source: contract.md 3.2."""


@dataclass(frozen=True, slots=True)
class AnonymousToken:
    """An anonymous account's token. `expires_at` is aware UTC."""

    token: str
    user_id: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"AnonymousToken(user_id={self.user_id!r}, expires_at={self.expires_at.isoformat()})"


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """An upload as the backend tells it; `sent_sha256` is of the bytes that went out.

    `applied` is False if the backend may still have to put the file into the session's state.
    """

    filename: str
    url: str
    kind: str = ""
    duration_s: float = 0.0
    width: int = 0
    height: int = 0
    fps: float = 0.0
    applied: bool = False
    sent_sha256: str = ""


# ---------------------------------------------------------------- envelopes


def loads(body: bytes) -> Any:
    """Parse JSON of any size of number: what no float can hold becomes an integer and so goes back as it came.

    Raises: ValueError for everything that is not JSON, or is nested or large beyond any sense.
    """
    text = body.decode("utf-8-sig")
    try:
        # The reader of each number costs time, so it is used only where one may be that large.
        value = json.loads(text, parse_float=_exact) if _LARGE_FLOAT.search(text) else json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if deeper_than(value, DEEPEST):
        raise ValueError("nested too deeply")
    return value


def _exact(text: str) -> float | int:
    number = float(text)
    if math.isfinite(number):
        return number
    exact = Decimal(text)
    if exact.adjusted() > _MOST_DIGITS:
        raise ValueError("a number without an end")
    return int(exact)


def dumps(value: Any) -> bytes:
    """Write JSON as ASCII, so that text with half a surrogate pair in it can be sent back as it came."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def unwrap(status: int, body: bytes, doing: str, *, retry_after_s: float | None = None, session: bool = False) -> Any:
    """Give what a complete reply carries, whatever its envelope.

    `doing` ends the sentence "while ..."; `session` says that a 404 means that the session is gone.
    Raises: RefusedError, UnintelligibleError. Source: contract.md 1.3, 2.
    """
    try:
        value = loads(body)
    except ValueError:
        if status in _PLAIN_STATUSES or (status >= 400 and not body.strip()):
            raise refusal(
                f"http_{status}",
                doing,
                status=status,
                told=first_words(body),
                retry_after_s=retry_after_s,
                session=session,
            ) from None
        raise unintelligible(doing, status, first_words(body)) from None
    if not isinstance(value, dict):
        if status < 400:
            return value
        value = {"error": value}
    code = to_int(value.get("code"))
    if code is not None or (isinstance(value.get("code"), str) and value["code"].strip()):
        if code != 0:
            word = str(code) if code is not None else printable(value["code"])[:60]
            raise refusal(
                word, doing, status=status, told=error_words(value), retry_after_s=retry_after_s, session=session
            )
        data = value.get("data")
        # An error status with a good envelope contradicts itself: the body counts (contract.md 1.3).
        return data if data is not None else {k: v for k, v in value.items() if k not in ("code", "message", "data")}
    success = value.get("success")
    if success is True:
        data = value.get("data")
        return data if data is not None else {k: v for k, v in value.items() if k != "success"}
    if success is False or status >= 400:
        word = f"http_{status}" if status >= 400 else "backend_error"
        raise refusal(word, doing, status=status, told=error_words(value), retry_after_s=retry_after_s, session=session)
    return value


# What an answer without JSON means by its status alone; other statuses are more likely a proxy's than the backend's.
_PLAIN_STATUSES = frozenset({401, 413, 429})


def error_words(value: Any) -> str:
    """Find the words of an error, wherever an envelope keeps them."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        for key in ("message", "error", "detail", "msg"):
            if value.get(key) and (words := error_words(value[key])):
                return words
        return ""
    if isinstance(value, list):
        return "; ".join(words for item in value[:3] if (words := error_words(item)))
    return ""


def first_words(body: bytes) -> str:
    """Give the beginning of a body that is not JSON, as text."""
    return printable(body[:800].decode("utf-8", "replace"))[:200]


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date, at most a token's life; None if none can be read.

    Units: seconds. Source: RFC 9110 10.2.3.
    """
    if value is None:
        return None
    text = value.strip()
    longest_s = TOKEN_LIFE.total_seconds()
    if text.isascii() and text.isdigit():
        return min(longest_s, float(text[:9]))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(longest_s, max(0.0, (aware(moment) - now).total_seconds()))


# ---------------------------------------------------------------- readers


def read_token(payload: Any, doing: str, now: datetime) -> AnonymousToken:
    """Read an anonymous token. Source: contract.md 3.1."""
    found = as_dict(payload)
    token = found.get("token")
    if not isinstance(token, str) or not is_token(token.strip()):
        raise unintelligible(doing, 200, "an answer without a token")
    return AnonymousToken(token.strip(), read_user_id(found), moment(found.get("expires_at")) or now + TOKEN_LIFE)


def read_until(body: bytes) -> datetime | None:
    """Find the moment until which a refusal of a token holds, if the answer states one."""
    try:
        value = loads(body)
    except ValueError:
        return None
    for place in (as_dict(value), as_dict(as_dict(value).get("data")), as_dict(as_dict(value).get("error"))):
        for key in ("retry_at", "reset_at", "resets_at", "available_at", "until", "expires_at"):
            if (found := moment(place.get(key))) is not None:
                return found
    return None


def read_user_id(payload: Any) -> str:
    """Read the user's id for the registration link: `bind_id`, `user_id`, or that of a user object."""
    found = as_dict(payload)
    user = as_dict(found.get("user"))
    return id_of(found, "bind_id", "user_id") or id_of(user, "id", "user_id")


def read_session(payload: Any, doing: str) -> Session:
    """Read a new session. Source: contract.md 4.1."""
    found = as_dict(payload)
    inner = as_dict(found.get("session"))
    session_id = id_of(found, "session_id", "sessionId") or id_of(inner, "session_id", "id")
    if not session_id:
        raise unintelligible(doing, 200, "an answer without a session id")
    return Session(session_id, task_id=id_of(found, "task_id", "taskId"), user_id=read_user_id(found))


def read_state(payload: Any, doing: str) -> SessionState:
    """Read a session's state; the draft is given as it came. Source: contract.md 4.3."""
    places = list(_state_places(payload))
    if not places:
        raise unintelligible(doing, 200, "an answer that is not an object")
    drafts: list[Any] = [place.get("draft") for place in places] + [
        as_dict(place.get("project")).get("timeline_draft") for place in places
    ]
    draft: Any = next((found for found in drafts if found is not None), {})
    if isinstance(draft, str):
        try:
            draft = loads(draft.encode("utf-8", "surrogatepass")) if draft.strip() else {}
        except ValueError:
            draft = None
    if not draft and isinstance(draft, (list, dict)):
        draft = {}
    if not isinstance(draft, dict):
        raise unintelligible(doing, 200, "a draft that is not an object")
    infos = _lookup(places, "video_infos")
    return SessionState(
        draft=draft,
        video_infos=tuple(infos.values() if isinstance(infos, dict) else infos if isinstance(infos, list) else ()),
        generated_media=_lookup(places, "generated_media"),
        canvas_config=_lookup(places, "canvas_config"),
    )


def read_upload(payload: Any, doing: str, filename: str, sent_sha256: str) -> UploadedFile:
    """Read the answer to the upload of one file. Source: contract.md 5."""
    found = as_dict(payload)
    listed = next((found[key] for key in ("files", "uploaded_files") if isinstance(found.get(key), list)), [found])
    files = [item for item in listed if isinstance(item, dict)]
    told = next((item for item in files if item.get("filename") == filename), files[0] if files else {})
    url = next((told[key] for key in ("cdn_url", "url") if isinstance(told.get(key), str) and told[key]), "")
    if not url and not id_of(told, "file_id", "id"):
        raise unintelligible(doing, 200, "an answer that names no uploaded file")
    name = told.get("filename")
    kind = told.get("file_type")
    return UploadedFile(
        filename=name if isinstance(name, str) and name else filename,
        url=url,
        kind=kind if isinstance(kind, str) else "",
        duration_s=to_number(told.get("duration")),
        width=int(to_number(told.get("width"))),
        height=int(to_number(told.get("height"))),
        fps=to_number(told.get("fps")),
        applied=found.get("session_state_applied") is True,
        sent_sha256=sent_sha256,
    )


def read_credits(payload: Any, doing: str) -> Credits:
    """Read a balance; what is missing or negative is 0. Source: contract.md 7."""
    found = as_dict(payload)
    if not found.keys() & {"available", "total", "balance"}:
        raise unintelligible(doing, 200, "an answer without a balance")
    frozen = to_number(found.get("frozen"))
    available = to_number(found.get("available", found.get("balance")))
    if "available" not in found and "balance" not in found:
        available = max(0.0, to_number(found.get("total")) - frozen)
    return Credits(available=available, frozen=frozen, total=to_number(found.get("total")) or available + frozen)


def read_claim(payload: Any, doing: str) -> str:
    """Read the token of a browser link. Source: contract.md 3.3."""
    token = as_dict(payload).get("claim_token")
    if not isinstance(token, str) or not is_token(token):
        raise unintelligible(doing, 200, "an answer without a claim token")
    return token


_STATE_WORDS: tuple[tuple[RenderState, frozenset[str]], ...] = (
    ("pending", frozenset({"pending", "queued", "created", "submitted", "waiting", "accepted", "scheduled"})),
    ("processing", frozenset({"processing", "rendering", "running", "in_progress", "started", "encoding"})),
    ("completed", frozenset({"completed", "complete", "done", "success", "succeeded", "finished"})),
    ("failed", frozenset({"failed", "failure", "error", "errored", "timeout", "timed_out"})),
    ("cancelled", frozenset({"cancelled", "canceled", "aborted"})),
)


def read_render(payload: Any, doing: str, render_id: str) -> RenderStatus:
    """Read a render's status in any of its shapes. Source: contract.md 8.1, 8.2."""
    found = as_dict(payload)
    inner = as_dict(found.get("data"))
    if inner and "status" not in found:
        found = inner
    output = as_dict(found.get("output"))
    urls = (output.get("url"), found.get("outputUrl"), found.get("output_url"), found.get("url"))
    url = next((value for value in urls if isinstance(value, str) and value), "")
    error = error_words(found.get("error")) or error_words(output.get("error"))
    status = found.get("status")
    word = status.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(status, str) else ""
    own_id = id_of(found, "id", "taskId", "render_id", "renderId", "task_id")
    if not word and not own_id and not url and not error:
        raise unintelligible(doing, 200, "an answer without a render status")
    state = next((state for state, words in _STATE_WORDS if word in words), None)
    if state is None:
        state = "completed" if url else "failed" if error else "processing" if word else "pending"
    if state in ("failed", "cancelled"):
        error = error or error_words(found.get("message"))
    return RenderStatus(
        render_id=own_id or render_id,
        state=state,
        progress=min(100.0, to_number(found.get("progress"))),
        url=url,
        duration_s=to_number(output.get("duration", found.get("duration"))),
        size_bytes=int(to_number(output.get("size", found.get("size")))),
        error=without_secrets(error)[:500],
    )


def _state_places(payload: Any) -> Iterator[Json]:
    for outer in (as_dict(as_dict(payload).get("data")), as_dict(payload)):
        for place in (as_dict(outer.get("state")), outer):
            if place:
                yield place
    if payload == {} and isinstance(payload, dict):
        yield payload


def _lookup(places: list[Json], key: str) -> Any:
    return next((place[key] for place in places if place.get(key) is not None), None)
