"""Any JSON reply and any draft: a value or an error of ours, and what is sent back is what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nemo_watch.client import wire
from nemo_watch.errors import CloudError, NemoWatchError, UnintelligibleError
from nemo_watch.model import SessionState
from nemo_watch.reply import exportable, state_digest, timeline_summary, total_duration_s, what_changed
from nemo_watch.sandbox.compile import Output, compile_draft
from nemo_watch.sandbox.errors import DraftError
from nemo_watch.sandbox.facts import Asset
from tests.mangling import DRAFT, JUNK, bounded, mangled, mangled_bytes

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
LIMIT = datetime(9999, 1, 1, tzinfo=UTC)
FILE = {"filename": "clip.mp4", "file_type": "video", "cdn_url": "https://cdn.example.com/c.mp4", "duration": 30.5}

# Each call's documented answers (contract.md 3 to 8), and what reads them.
READERS: dict[str, tuple[list[Any], Callable[[Any], Any]]] = {
    "token": (
        [{"token": "nmv_usr_x", "user_id": "anon_1", "expires_at": "2026-03-25T00:00:00Z", "credits": 100}],
        lambda payload: wire.read_token(payload, "testing", NOW),
    ),
    "user": ([{"bind_id": "b", "user_id": "u", "user": {"id": 7}}], wire.read_user_id),
    "session": (
        [{"task_id": "t", "session_id": "5529798706024415232"}, {"session": {"id": 55}, "sessionId": 5}],
        lambda payload: wire.read_session(payload, "testing"),
    ),
    "state": (
        [
            {"state": {"draft": DRAFT, "video_infos": [FILE], "canvas_config": {"width": 1}, "generated_media": []}},
            {"data": {"state": {"draft": json.dumps(DRAFT)}}, "project": {"timeline_draft": DRAFT}},
        ],
        lambda payload: wire.read_state(payload, "testing"),
    ),
    "upload": (
        [
            {"files": [FILE], "session_state_applied": True},
            {"uploaded_files": [FILE]},
            {"url": "https://x", "file_id": 1},
        ],
        lambda payload: wire.read_upload(payload, "testing", "clip.mp4", ""),
    ),
    "credits": (
        [{"available": 25000, "frozen": 40, "total": 25040}, {"balance": "12"}],
        lambda payload: wire.read_credits(payload, "testing"),
    ),
    "render": (
        [
            {
                "taskId": "r",
                "status": "completed",
                "progress": 100,
                "output": {"url": "https://x", "duration": 3, "size": 9},
            },
            {"data": {"id": "r", "status": "failed", "error": {"message": "no"}, "outputUrl": "https://x"}},
        ],
        lambda payload: wire.read_render(payload, "testing", "r"),
    ),
    "claim": ([{"claim_token": "clm_x", "expires_in": 604800}], lambda payload: wire.read_claim(payload, "testing")),
}
ENVELOPES: tuple[Callable[[Any], Any], ...] = (
    lambda payload: {"code": 0, "message": "ok", "data": payload},
    lambda payload: {"success": True, "data": payload},
    lambda payload: payload,
    lambda payload: {"code": "2001", "message": payload},
    lambda payload: {"success": False, "error": payload},
    lambda payload: {"detail": [{"type": "missing", "loc": ["body"], "msg": payload, "input": None}]},
)


def is_a_sentence(error: NemoWatchError) -> None:
    assert error.message.endswith(".")
    assert len(error.message) < 1000
    error.message.encode("utf-8")


STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 402, 404, 408, 409, 413, 429, 500, 503])


@pytest.mark.parametrize("name", sorted(READERS))
@settings(max_examples=80)
@given(data=st.data())
def test_any_reply_is_a_value_or_an_error_of_ours(name: str, data: st.DataObject) -> None:
    good, read = READERS[name]
    envelope = data.draw(st.sampled_from(ENVELOPES))
    value = data.draw(st.sampled_from([envelope(one) for one in good]).flatmap(mangled) | JUNK)
    body = json.dumps(value).encode()
    if data.draw(st.booleans()):
        body = data.draw(mangled_bytes(body))
    status = data.draw(STATUSES)
    with bounded(cpu_s=4):
        understood(name, status, body, read)


def understood(name: str, status: int, body: bytes, read: Callable[[Any], Any]) -> None:
    wire.read_until(body)
    try:
        payload = wire.unwrap(status, body, "testing")
    except CloudError as error:
        is_a_sentence(error)
        return
    try:
        shown = repr(read(payload))
    except UnintelligibleError:
        return
    shown.encode("utf-8", "surrogatepass")
    if name == "state":
        draft = wire.read_state(payload, "testing").draft
        # What goes back is what came, value for value and in its order.
        assert wire.dumps(wire.loads(wire.dumps(draft))) == wire.dumps(draft)
        judged(draft, {})


@settings(max_examples=200)
@given(st.text(max_size=40) | st.sampled_from(["30", "-1", "1e9", "9" * 5000, "Wed, 21 Oct 2099 07:28:00 GMT", "٣"]))
def test_any_wish_to_wait_is_seconds_or_none(text: str) -> None:
    for now in (NOW, LIMIT):
        seconds = wire.retry_after(text, now)
        assert seconds is None or 0 <= seconds <= wire.TOKEN_LIFE.total_seconds()


# ---------------------------------------------------------------- drafts

SOURCES = {
    url: Asset(
        url, url, url.rpartition("/")[2], kind, 60_000, 1920, 1080, 30.0, has_audio=True, hdr=False, size_bytes=9
    )
    for url, kind in (
        ("https://cdn.example.com/v/abc/city_a.mp4", "video"),
        ("https://cdn.example.com/v/abc/city_b.mp4", "video"),
        ("https://cdn.example.com/a/def/lofi.mp3", "audio"),
    )
}


def judged(draft: Any, other: Any) -> None:
    """Ask the daemon's side everything it asks of a draft."""
    line = timeline_summary(draft)
    assert line.startswith("Timeline (")
    assert "\n" not in line
    line.encode("utf-8")
    length = total_duration_s(draft)
    assert length is None or 0 <= length < float("inf")
    before, after = (SessionState(one if isinstance(one, dict) else {}) for one in (other, draft))
    assert what_changed(before, after).endswith(".")
    assert (state_digest(before) == state_digest(after)) is (what_changed(before, after) == "Nothing changed.")
    assert exportable(draft) in (True, False)


@settings(max_examples=200)
@given(mangled(DRAFT), mangled(DRAFT), st.sampled_from(["", "720p", "0p", "٣p", "99999p"]))
@example({"t": [{"tt": "a" * 5000}]}, {}, "")
def test_any_draft_is_told_and_is_a_program_or_a_sentence(draft: Any, other: Any, resolution: str) -> None:
    with bounded(cpu_s=4):
        judged(draft, other)
        compiled(draft, resolution)


def compiled(draft: Any, resolution: str) -> None:
    if not isinstance(draft, dict):
        return
    try:
        program = compile_draft(draft, SOURCES, Output(resolution=resolution))
    except DraftError as error:
        is_a_sentence(error)
        return
    assert program.frames > 0
    for stage in program.stages:
        stage.graph.encode("utf-8")
    for _, text in program.files:
        text.encode("utf-8")
