"""Every variant that the vendor's documents name, against the client over HTTP: the rows of contract.md by number.

The id of each test begins with the row of contract.md 14 ("14.5") or the section ("8.2") that it stands for.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_watch import policy
from nemo_watch.client import MIME_TYPES, Client, Credentials, Timeouts, UploadSource
from nemo_watch.errors import CloudError, NemoWatchError, RefusedError, UnintelligibleError
from nemo_watch.ledger import Ledger
from nemo_watch.model import Credits, Export, RenderStatus, Session, SessionState, SkillHeaders, Turn
from nemo_watch.pipeline.house import Patience
from nemo_watch.pipeline.opening import MOST_UPLOAD_BYTES
from nemo_watch.reply import both_stages, exportable
from nemo_watch.sandbox.server import SandboxServer
from tests.integration.test_ledger import make_job
from tests.plain_server import Answer, Plain, reply, serving, stream

SKILL = SkillHeaders("ai-video-pro-online", "1.0.0", "unknown")
# No TLS here, and a context with the machine's certificates takes longer to make than the rest of a test.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
QUICK = Timeouts(connect_s=5, call_s=5, stall_s=5, upload_answer_s=5, turn_s=5, silent_s=5, after_done_s=0.3)

TOKEN = "/api/auth/anonymous-token"
CLAIM = "/api/auth/claim-token"
BALANCE = "/api/credits/balance/simple"
SESSION = "/api/tasks/me/with-session/nemo_agent"
STATE = "/api/state/nemo_agent/me/77/latest"
UPLOAD = "/api/upload-video/nemo_agent/me/77"
SAY = "/run_sse"
SUBMIT = "/api/render/proxy/lambda"
POLL = f"{SUBMIT}/r1"
CANCEL = f"{SUBMIT}/r1/cancel"
FALLBACK = "/api/render/proxy/r1/download"
URL = "https://cdn.example.com/o.mp4"
DRAFT = {"d": 1000, "t": [{"tt": 0, "sg": [{"d": 1000}]}]}

Call = Callable[[Client], Awaitable[Any]]


@asynccontextmanager
async def talking(
    tmp_path: Path, web: str = "https://nemovideo.com", **env: str
) -> AsyncIterator[tuple[Plain, Client]]:
    async with serving() as server:
        credentials = Credentials(str(tmp_path / "state"), account=server.url, env=env)
        client = Client(api_url=server.url, web_url=web, credentials=credentials, timeouts=QUICK, trust=NO_TLS)
        try:
            yield server, client
        finally:
            await client.aclose()


def given(tmp_path: Path) -> Any:
    """Talk with a token, so that only the call in question goes out."""
    return talking(tmp_path, NEMO_TOKEN="nmv_usr_x")


def told(value: Any, status: int = 200, **more: Any) -> Answer:
    return reply(json.dumps(value), status, **more)


def ok(data: Any) -> Answer:
    return told({"code": 0, "data": data})


def source(name: str = "clip.mp4") -> UploadSource:
    async def content(offset: int, count: int) -> bytes:
        return b"0123456789"[offset : offset + count]

    return UploadSource(name, 10, "video/mp4", content)


@dataclass(frozen=True)
class Row:
    """One answer and what the client makes of it: a value, or the error it raises as (code, refused)."""

    name: str
    path: str
    answer: Answer
    call: Call
    value: Any = None
    error: tuple[str, bool] | None = None


def balance(client: Client) -> Awaitable[Credits]:
    return client.balance(SKILL)


def session(client: Client) -> Awaitable[Session]:
    return client.open_session("clip", "en", SKILL)


def state(client: Client) -> Awaitable[SessionState]:
    return client.state("77", SKILL)


def say(client: Client) -> Awaitable[Turn]:
    return client.say("77", "cut", SKILL)


def upload(client: Client) -> Awaitable[Any]:
    return client.upload("77", source(), SKILL)


def submit(client: Client) -> Awaitable[RenderStatus]:
    return client.submit_render("r1", "77", DRAFT, Export(), SKILL)


def poll(client: Client) -> Awaitable[RenderStatus]:
    return client.render_status("r1", SKILL)


def claim(client: Client) -> Awaitable[str]:
    return client.claim_link(Session("77", "t1", "u1"), SKILL)


async def ensured(client: Client) -> tuple[str, str]:
    await client.ensure_token()
    kept = client.credentials.kept()
    assert kept is not None
    return kept.token, kept.user_id


async def uploaded(client: Client) -> tuple[str, str]:
    file = await client.upload("77", source(), SKILL)
    return file.filename, file.url


async def applied(client: Client) -> bool:
    return (await client.upload("77", source(), SKILL)).applied


async def draft_of(client: Client) -> Any:
    return (await client.state("77", SKILL)).draft


async def link_of(client: Client) -> str:
    """The page for more credits, once the backend has told whose account it is."""
    await client.open_session("clip", "en", SKILL)
    await client.state("77", SKILL)
    return client.link


# ---------------------------------------------------------------- 14.1, 8.2, 8.1: renders

DONE = RenderStatus("r1", "completed", 100.0, URL, 30.5, 15728640)
R1 = {
    "taskId": "r1",
    "status": "completed",
    "progress": 100,
    "output": {"url": URL, "duration": 30.5, "size": 15728640},
}
R2 = {
    "id": "r1",
    "status": "completed",
    "progress": 100,
    "outputUrl": URL,
    "createdAt": 1773423613616,
    "completedAt": 1773423641222,
}
PLAIN = RenderStatus("r1", "completed", 100.0, URL)
RENDERS = [
    Row("14.1 R1 at the top", POLL, told(R1), poll, DONE),
    Row("14.1 R2 in data, success", POLL, told({"success": True, "data": R2}), poll, PLAIN),
    Row(
        "14.1 R3 unwrapped",
        POLL,
        ok({"status": "completed", "progress": 100, "outputUrl": URL, "error": None}),
        poll,
        PLAIN,
    ),
    Row(
        "14.1 R4 render_id",
        POLL,
        ok({"render_id": "r1", "status": "completed", "progress": 100, "output": {"url": URL}}),
        poll,
        PLAIN,
    ),
    Row("14.1 bare and in data", POLL, told({"data": R2}), poll, PLAIN),
    Row(
        "8.2 output_url", POLL, told({"id": "r1", "status": "done", "progress": "100", "output_url": URL}), poll, PLAIN
    ),
    Row("8.2 url", POLL, told({"id": "r1", "status": "Success", "progress": 100.0, "url": URL}), poll, PLAIN),
    Row(
        "8.2 output is null",
        POLL,
        told({"id": "r1", "status": "processing", "output": None, "progress": 5}),
        poll,
        RenderStatus("r1", "processing", 5.0),
    ),
    Row(
        "8.2 completed without a url",
        POLL,
        told({"taskId": "r1", "status": "completed", "progress": 100, "output": {}}),
        poll,
        RenderStatus("r1", "completed", 100.0),
    ),
    Row(
        "8.2 failed keeps its words",
        POLL,
        told({"success": True, "data": {"id": "r1", "status": "failed", "error": "no codec"}}),
        poll,
        RenderStatus("r1", "failed", error="no codec"),
    ),
    *(
        Row(f"8.2 status {word}", POLL, ok({"id": "r1", "status": word}), poll, RenderStatus("r1", state_))  # type: ignore[arg-type]  # one of the states
        for state_, words in {
            "pending": ("pending", "PENDING", "queued"),
            "processing": ("processing", "rendering", "something new"),
            "completed": ("completed", "done", "success"),
            "failed": ("failed", "error"),
            "cancelled": ("cancelled", "Canceled"),
        }.items()
        for word in words
    ),
    Row("8.2 an unknown id", POLL, told({"code": 404, "message": "unknown"}, 404), poll, error=("404", True)),
    Row(
        "8.2 a failure inside success",
        POLL,
        told({"success": False, "error": "Render not found"}, 404),
        poll,
        error=("404", True),
    ),
    Row(
        "8.1 id",
        SUBMIT,
        told({"success": True, "data": {"id": "r9", "status": "pending", "progress": 5}}),
        submit,
        RenderStatus("r9", "pending", 5.0),
    ),
    Row("8.1 taskId", SUBMIT, told({"taskId": "r9", "status": "pending"}), submit, RenderStatus("r9", "pending")),
    Row("8.1 render_id", SUBMIT, ok({"render_id": "r9"}), submit, RenderStatus("r9", "pending")),
    Row("8.1 the id that was sent", SUBMIT, ok({"status": "pending"}), submit, RenderStatus("r1", "pending")),
    Row("14.17 an existing job, finished", SUBMIT, ok(R2), submit, PLAIN),
    Row(
        "14.17 an existing job, under way",
        SUBMIT,
        told({"taskId": "r1", "status": "processing", "progress": 40}),
        submit,
        RenderStatus("r1", "processing", 40.0),
    ),
    Row(
        "14.17 duplicate id, HTTP 409",
        SUBMIT,
        told({"code": 409, "message": "duplicate id: r1"}, 409),
        submit,
        error=("duplicate_id", True),
    ),
    Row(
        "14.17 duplicate id, HTTP 400",
        SUBMIT,
        told({"detail": "Duplicate render id"}, 400),
        submit,
        error=("duplicate_id", True),
    ),
    Row(
        "14.17 duplicate id, success false",
        SUBMIT,
        told({"success": False, "error": "id already exists"}),
        submit,
        error=("duplicate_id", True),
    ),
    Row(
        "14.17 duplicate id, business code",
        SUBMIT,
        told({"code": 5003, "message": "任务重复"}),
        submit,
        error=("duplicate_id", True),
    ),
    Row("14.7 no right to export, HTTP 402", SUBMIT, told({"error": "plan"}, 402), submit, error=("402", True)),
    Row(
        "14.7 no right to export, code 402", SUBMIT, told({"code": 402, "message": "plan"}), submit, error=("402", True)
    ),
    Row("14.7 no scope, HTTP 403", SUBMIT, told({"detail": "scope render"}, 403), submit, error=("403", True)),
    Row(
        "14.7 no right to export, in words of a duplicate",
        SUBMIT,
        told({"code": 402, "message": "Free export already used."}),
        submit,
        error=("402", True),
    ),
    Row(
        "14.7 no scope, success false",
        SUBMIT,
        told({"success": False, "error": "scope"}, 403),
        submit,
        error=("403", True),
    ),
]

# ---------------------------------------------------------------- 14.2, 1.3: envelopes

TEN = Credits(10, 0, 10)
HTML = "<html><head><title>502 Bad Gateway</title></head></html>"
ENVELOPES = [
    Row("14.2 E1", BALANCE, told({"code": 0, "message": "ok", "data": {"available": 10}}), balance, TEN),
    Row("14.2 E2", BALANCE, told({"success": True, "data": {"available": 10}}), balance, TEN),
    Row("14.2 E3 bare", BALANCE, told({"available": 10}), balance, TEN),
    Row("1.3 E1 without data", BALANCE, told({"code": 0, "message": "ok", "available": 10}), balance, TEN),
    Row("1.3 E2 without data", BALANCE, told({"success": True, "available": 10}), balance, TEN),
    Row("1.3 a code in digits", BALANCE, told({"code": "0", "data": {"available": 10}}), balance, TEN),
    Row("1.3 a code as a float", BALANCE, told({"code": 0.0, "data": {"available": 10}}), balance, TEN),
    Row(
        "1.3 code null, success",
        BALANCE,
        told({"code": None, "success": True, "data": {"available": 10}}),
        balance,
        TEN,
    ),
    Row("1.3 good body, bad status", BALANCE, told({"code": 0, "data": {"available": 10}}, 400), balance, TEN),
    Row("1.3 a refusal in digits", BALANCE, told({"code": "1002", "message": "no"}), balance, error=("1002", True)),
    Row("1.3 a refusal with 4xx", BALANCE, told({"code": 2001, "message": "no"}, 402), balance, error=("2001", True)),
    Row("1.3 E2 failure", BALANCE, told({"success": False, "error": "nope"}), balance, error=("backend_error", False)),
    Row("14.2 E4 text", STATE, told({"detail": "Session not found"}, 404), state, error=("1002", True)),
    Row(
        "14.2 E4 list",
        SAY,
        told({"detail": [{"type": "missing", "loc": ["body", "userId"], "msg": "Field required", "input": {}}]}, 422),
        say,
        error=("422", True),
    ),
    Row("1.3 status and words only", BALANCE, told({"message": "slow down"}, 429), balance, error=("429", True)),
    Row(
        "1.3 no JSON", BALANCE, reply("upstream connect error", kind="text/plain"), balance, error=("bad_reply", False)
    ),
    Row("1.3 a proxy's page", BALANCE, reply(HTML, 502, "text/html"), balance, error=("bad_reply", False)),
    Row("1.3 a proxy's page with 200", BALANCE, reply(HTML, 200, "text/html"), balance, error=("bad_reply", False)),
    Row("1.3 half a JSON", BALANCE, reply('{"code":0,"data":{"avail'), balance, error=("bad_reply", False)),
    Row("1.3 nothing at all", BALANCE, reply(b"", 204), balance, error=("bad_reply", False)),
    Row(
        "7 all three",
        BALANCE,
        ok({"available": 25000, "frozen": 40, "total": 25040}),
        balance,
        Credits(25000, 40, 25040),
    ),
    Row("7 negative and missing", BALANCE, ok({"available": -5, "frozen": None}), balance, Credits(0, 0, 0)),
]

# ---------------------------------------------------------------- 14.5, 14.6, 14.8 ...: state, tokens, errors

HELD = {"draft": DRAFT, "video_infos": [{"id": 1}], "generated_media": [2], "canvas_config": {"width": 3}}
SAME = SessionState(DRAFT, ({"id": 1},), [2], {"width": 3})
OTHERS = {key: value for key, value in HELD.items() if key != "draft"}
STATES = [
    Row("14.5 data.state", STATE, ok({"session_id": "77", "state": HELD}), state, SAME),
    Row("14.5 data", STATE, ok(HELD), state, SAME),
    Row("14.5 state", STATE, told({"state": HELD}), state, SAME),
    Row("14.5 at the top", STATE, told(HELD), state, SAME),
    Row("14.5 data.state, success", STATE, told({"success": True, "data": {"state": HELD}}), state, SAME),
    Row("14.5 data.state in another data", STATE, ok({"data": {"state": HELD}}), state, SAME),
    Row("14.5 data.project.timeline_draft", STATE, ok({"project": {"timeline_draft": DRAFT}, **OTHERS}), state, SAME),
    Row("14.5 project.timeline_draft", STATE, told({"project": {"timeline_draft": DRAFT}, **OTHERS}), state, SAME),
    Row(
        "4.3 generated media by name",
        STATE,
        ok({"state": {**HELD, "generated_media": {"a": 2}}}),
        state,
        SessionState(DRAFT, ({"id": 1},), {"a": 2}, {"width": 3}),
    ),
    Row("4.3 files by name", STATE, ok({"state": {**HELD, "video_infos": {"a": {"id": 1}}}}), state, SAME),
    *(
        Row(f"4.3 no draft yet: {json.dumps(none)}", STATE, ok({"state": {"draft": none}}), draft_of, {})
        for none in ({}, None, [])
    ),
    Row("4.3 no draft yet: absent", STATE, ok({"state": {"video_infos": []}}), draft_of, {}),
    Row("14.30 compact JSON", STATE, ok({"state": {"draft": DRAFT}}), draft_of, DRAFT),
    Row("14.30 compact JSON in a text", STATE, ok({"state": {"draft": json.dumps(DRAFT)}}), draft_of, DRAFT),
    Row(
        "14.30 V3",
        STATE,
        ok({"state": {"draft": '<draft fps="30" width="1920" height="1080" duration="6000"/>'}}),
        draft_of,
        error=("bad_reply", False),
    ),
    Row("14.28 session gone, code", STATE, told({"code": 1002, "message": "expired"}), state, error=("1002", True)),
    Row(
        "14.28 session gone, HTTP 404",
        UPLOAD,
        told({"detail": "Session not found: 77"}, 404),
        upload,
        error=("1002", True),
    ),
    Row("14.28 session cleared, at the message", SAY, told({"code": "1002"}, 404), say, error=("1002", True)),
    *(
        Row(f"14.8 auth {code}", BALANCE, told({"code": code}), balance, error=("1001", True))
        for code in (1001, "1001", 1010, 1011, 401)
    ),
    Row("14.8 auth 401", BALANCE, told({"detail": "Unauthorized"}, 401), balance, error=("1001", True)),
    Row("14.8 auth 401 of a proxy", BALANCE, reply(HTML, 401, "text/html"), balance, error=("1001", True)),
    Row("14.9 type, code", UPLOAD, told({"code": 4001, "message": "x"}), upload, error=("4001", True)),
    Row("14.9 type, HTTP 415", UPLOAD, told({"detail": "x"}, 415), upload, error=("4001", True)),
    Row("14.9 size, code", UPLOAD, told({"code": "4002"}, 413), upload, error=("4002", True)),
    Row("14.9 size, HTTP 413 of a proxy", UPLOAD, reply(HTML, 413, "text/html"), upload, error=("4002", True)),
    Row(
        "14.14 session with the real id",
        SESSION,
        ok({"task_id": "task_x", "session_id": "5529798706024415232", "user_id": "anon_1"}),
        session,
        Session("5529798706024415232", "task_x", "anon_1"),
    ),
    Row(
        "14.14 session without it",
        SESSION,
        ok({"task_id": "task_x", "session_id": "55"}),
        session,
        Session("55", "task_x", ""),
    ),
    Row(
        "4.1 at the top", SESSION, told({"task_id": "task_x", "session_id": "55"}), session, Session("55", "task_x", "")
    ),
    Row(
        "1.2 a session id beyond 2^53 as a number",
        SESSION,
        reply('{"code":0,"data":{"session_id":9223372036854775809}}'),
        session,
        Session("9223372036854775809", "", ""),
    ),
    Row(
        "14.18 data.files.cdn_url",
        UPLOAD,
        ok({"files": [{"filename": "clip.mp4", "cdn_url": URL, "duration": 30.5}], "session_state_applied": True}),
        uploaded,
        ("clip.mp4", URL),
    ),
    Row("14.18 data.uploaded_files.url", UPLOAD, ok({"uploaded_files": [{"url": URL}]}), uploaded, ("clip.mp4", URL)),
    Row("14.18 url at the top", UPLOAD, told({"url": URL}), uploaded, ("clip.mp4", URL)),
    Row(
        "14.18 file_id", UPLOAD, ok({"file_id": "f1", "filename": "clip.mp4", "url": URL}), uploaded, ("clip.mp4", URL)
    ),
    Row("14.18 file_id alone", UPLOAD, ok({"file_id": "f1"}), uploaded, ("clip.mp4", "")),
    Row("5 applied", UPLOAD, ok({"files": [{"cdn_url": URL}], "session_state_applied": True}), applied, True),
    Row("5 not applied yet", UPLOAD, ok({"files": [{"cdn_url": URL}]}), applied, False),
    Row(
        "14.22 a claim link",
        CLAIM,
        ok({"claim_token": "clm_x", "expires_in": 604800}),
        claim,
        "https://nemovideo.com/workspace/claim?ct=clm_x",
    ),
    Row("3.3 no claim link", CLAIM, told({"code": 404}, 404), claim, error=("1002", True)),
]


@pytest.mark.parametrize("row", [*RENDERS, *ENVELOPES, *STATES], ids=lambda row: row.name)
async def test_answer(tmp_path: Path, row: Row) -> None:
    async with given(tmp_path) as (server, client):
        server.on(row.path, row.answer)
        if row.error is None:
            assert await row.call(client) == row.value
        else:
            with pytest.raises(CloudError) as caught:
                await row.call(client)
            assert (caught.value.code, caught.value.refused) == row.error
            assert caught.value.message.endswith((".", '".'))
        assert [request.path for request in server.seen] == [row.path]


# ---------------------------------------------------------------- 14.3, 6.2, 6.3: streams


def data(*events: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in events)


def part(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": list(parts), "role": "model"}, "author": "nemo_agent", **more}


BEAT = {"type": "heartbeat"}
SAID = {"type": "text", "content": "Done."}
ADK_CALL = {"functionCall": {"id": "call-1", "args": {"action": "add_text"}, "name": "edit_multitrack"}}
ADK_RESULT = {"functionResponse": {"id": "call-1", "name": "edit_multitrack", "response": {"status": "ok"}}}
EDITED = Turn("Done.", ("edit_multitrack",))
ACTIONS = {"stateDelta": {}, "artifactDelta": {}, "requestedAuthConfigs": {}, "requestedToolConfirmations": {}}
CRASH_2 = {
    "error": "RuntimeError: backend exploded",
    "error_details": {"error_type": "RuntimeError", "error_message": "backend exploded", "timestamp": 1795247505.1},
}
STREAMS: dict[str, tuple[bytes, Turn]] = {
    "14.3 D1": (
        data(
            {"type": "tool_call", "name": "edit_multitrack", "args": {"title": "x"}},
            BEAT,
            {"type": "tool_result", "name": "edit_multitrack", "result": {"ok": True}},
            SAID,
        ),
        EDITED,
    ),
    "14.3 D2": (
        data(
            part({"text": "planning", "thought": True}, id="1", actions=ACTIONS, nodeInfo={"path": ""}),
            part(ADK_CALL, id="2", invocationId="e-1", longRunningToolIds=[]),
            {
                "content": {"parts": [ADK_RESULT], "role": "user"},
                "id": "3",
                "actions": {**ACTIONS, "stateDelta": {"a": 1}},
            },
            part({"text": "Done."}, id="4", turnComplete=True, finishReason="STOP", usageMetadata={}, timestamp=1.5),
        ),
        EDITED,
    ),
    "14.3 a text key": (data({"text": "Do"}, {"text": "ne."}), Turn("Done.")),
    "6.3 D2 in snake case": (
        data(
            part({"function_call": {"name": "edit_multitrack"}}),
            {
                "content": {
                    "parts": [{"function_response": {"name": "edit_multitrack", "response": {}}}],
                    "role": "user",
                }
            },
            part({"text": "Done."}, turn_complete=True, finish_reason="STOP", invocation_id="e-1"),
        ),
        EDITED,
    ),
    "6.3 fragments and the whole": (
        data(part({"text": "Do"}, partial=True), part({"text": "ne."}, partial=True), part({"text": "Done."}, id="1")),
        Turn("Done."),
    ),
    "6.3 fragments alone": (
        data(part({"text": "Do"}, partial=True), part({"text": "ne."}, partial=True)),
        Turn("Done."),
    ),
    "6.3 inline data": (
        data(part({"inlineData": {"mimeType": "image/png", "data": "iVBOR__-"}}), part({"text": "Done."})),
        Turn("Done."),
    ),
    "6.3 text of the user": (
        data({"content": {"parts": [{"text": "cut"}], "role": "user"}, "author": "user"}, part({"text": "Done."})),
        Turn("Done."),
    ),
    "6.3 an event of actions alone": (
        data({"invocationId": "e-1", "author": "nemo_agent", "actions": ACTIONS, "id": "1"}, part({"text": "Done."})),
        Turn("Done."),
    ),
    "6.3 an event twice": (data(part({"text": "Done."}, id="4"), part({"text": "Done."}, id="4")), Turn("Done.")),
    "6.3 a model's error": (
        data({"errorCode": "RESOURCE_EXHAUSTED", "errorMessage": "quota exceeded", "id": "1"}),
        Turn("", (), "RESOURCE_EXHAUSTED", "quota exceeded"),
    ),
    "6.3 an aborted turn": (
        data({"error_code": "INVOCATION_ABORTED", "error_message": "left", "interrupted": True}),
        Turn("", (), "INVOCATION_ABORTED", "left"),
    ),
    "6.3 the gateway's words": (
        data(
            {"type": "session_ready"},
            {"type": "thinking_chunk", "content": "hm"},
            {"type": "tool_start", "tool": "edit_multitrack"},
            {"type": "tool_end", "tool_name": "edit_multitrack"},
            {"type": "chunk", "text": "Do"},
            {"type": "text", "content": "ne."},
            {"type": "done"},
        ),
        EDITED,
    ),
    "6.3 the gateway's other words": (
        data(
            {"type": "toolcall_start", "name": "edit_multitrack"},
            {"type": "toolcall_end"},
            {"type": "chunk", "content": "Done."},
        ),
        EDITED,
    ),
    "6.3 the gateway's error": (
        data({"type": "error", "error": {"code": 2001, "message": "no credits"}}),
        Turn("", (), "2001", "no credits"),
    ),
    "14.26 a crash of 1.18": (data({"error": "backend exploded"}), Turn("", (), "stream_error", "backend exploded")),
    "14.26 a crash of 2.13": (data(CRASH_2), Turn("", (), "stream_error", "RuntimeError: backend exploded")),
    "14.29 two ends of a turn": (
        data(part({"text": "Raw clip ready."}, turnComplete=True), part({"text": "Music added."}, turnComplete=True)),
        Turn("Raw clip ready.\nMusic added."),
    ),
    "14.29 two marks of an end": (
        data(
            {"type": "text", "content": "Raw. "},
            {"type": "done"},
            {"type": "text", "content": "Music."},
            {"type": "done"},
        ),
        Turn("Raw. Music."),
    ),
    "6.2 CRLF": (data(SAID).replace(b"\n", b"\r\n"), Turn("Done.")),
    "6.2 no space after the colon": (b'data:{"text":"Done."}\n\n', Turn("Done.")),
    "6.2 several data lines": (b'data: {"text":\ndata: "Done."}\n\n', Turn("Done.")),
    "6.2 other fields": (b'event: message\nid: 7\nretry: 100\ndata: {"text":"Done."}\n\n', Turn("Done.")),
    "6.2 comments": (b": hi\n\n:\n\n" + data(SAID) + b": bye\n\n", Turn("Done.")),
    "6.2 an end mark": (data(SAID) + b"data: [DONE]\n\n", Turn("Done.")),
    "6.2 no blank line at the end": (data(SAID)[:-2], Turn("Done.")),
    "6.2 a mark of the byte order": (b"\xef\xbb\xbf" + data(SAID), Turn("Done.")),
    "6.2 heartbeats of every form": (
        b"data:\n\ndata: heartbeat\n\nevent: heartbeat\ndata: {}\n\n: heartbeat\n\n" + data(BEAT, SAID, BEAT),
        Turn("Done."),
    ),
    "6.2 letters of several bytes": (data({"text": "标题 Größe 🎬"}), Turn("标题 Größe 🎬")),
    "6.5 noise after the reply": (
        data(SAID, {"type": "text", "content": " I encountered a temporary issue."}),
        Turn("Done."),
    ),
}


@pytest.mark.parametrize("name", STREAMS)
async def test_stream(tmp_path: Path, name: str) -> None:
    sent, turn = STREAMS[name]
    async with given(tmp_path) as (server, client):
        server.on(SAY, stream(sent), stream(*(sent[at : at + 1] for at in range(len(sent)))))
        assert [await say(client), await say(client)] == [turn, turn], "as a whole, and byte by byte"


@pytest.mark.parametrize("name", ["14.3 D1", "14.3 D2", "14.3 a text key"])
async def test_one_answer_in_place_of_a_stream(tmp_path: Path, name: str) -> None:
    sent, turn = STREAMS[name]
    events = [json.loads(line.removeprefix("data: ")) for line in sent.decode().split("\n\n") if line]
    async with given(tmp_path) as (server, client):
        server.on(SAY, told(events), ok(events), told({"success": True, "data": events}))
        assert [await say(client) for _ in range(3)] == [turn] * 3


ADK = [
    ("14.26 no session, 1.18", 404, {"detail": "Session not found"}, "1002"),
    ("14.26 no session, 2.13", 404, {"detail": "Session not found: 77"}, "1002"),
    ("14.26 no agent, 2.13", 404, {"detail": "Agent not found: 'nemo_agent'. Here are the known ones"}, "1002"),
    ("14.26 no app_name, 2.13", 400, {"detail": "app_name is required when the server hosts several"}, "400"),
    ("14.26 no app_name, 1.18", 422, {"detail": [{"type": "missing", "loc": ["body", "app_name"], "msg": "x"}]}, "422"),
    ("14.26 GET", 405, {"detail": "Method Not Allowed"}, "http_405"),
    ("6.5 2001 before the stream", 200, {"code": 2001, "message": "no credits"}, "2001"),
]


@pytest.mark.parametrize(("status", "body", "code"), [row[1:] for row in ADK], ids=[row[0] for row in ADK])
async def test_a_message_that_is_refused_is_certain_and_never_repeated(
    tmp_path: Path, status: int, body: Any, code: str
) -> None:
    async with given(tmp_path) as (server, client):
        server.on(SAY, told(body, status))
        with pytest.raises(RefusedError) as caught:
            await say(client)
        assert (caught.value.code, caught.value.refused) == (code, True)
        assert len(server.calls(SAY)) == 1


# ---------------------------------------------------------------- what goes out


async def everything(client: Client, folder: Path) -> None:
    calls: list[Awaitable[Any]] = [
        client.balance(SKILL),
        client.open_session("clip", "zh-CN", SKILL),
        client.state("77", SKILL),
        client.upload("77", source(), SKILL),
        client.say("77", "剪掉停顿", SKILL),
        client.submit_render("r1", "77", DRAFT, Export(resolution="1080p", fps=30), SKILL),
        client.render_status("r1", SKILL),
        client.cancel_render("r1", SKILL),
        client.claim_link(Session("77", "t1", "u1"), SKILL),
        client.download_fallback("r1", str(folder / "o.mp4"), SKILL),
    ]
    for call in calls:
        await call


@asynccontextmanager
async def answering_all(tmp_path: Path, **env: str) -> AsyncIterator[tuple[Plain, Client]]:
    async with talking(tmp_path, **env) as (server, client):
        server.on(TOKEN, ok({"token": "nmv_usr_anon"}))
        server.on(BALANCE, ok({"available": 1}))
        server.on(SESSION, ok({"session_id": "77"}))
        server.on(STATE, ok({"state": {}}))
        server.on(UPLOAD, ok({"files": [{"cdn_url": URL}]}))
        server.on(SAY, stream(data(SAID)))
        server.on(SUBMIT, ok({"id": "r1"}))
        server.on(POLL, told({"taskId": "r1", "status": "pending"}))
        server.on(CANCEL, told({"success": True, "data": {"id": "r1", "status": "cancelled"}}))
        server.on(CLAIM, ok({"claim_token": "clm_x"}))
        server.on(FALLBACK, reply(b"video", kind="video/mp4"))
        yield server, client


async def test_14_10_headers_on_all_calls_but_the_token(tmp_path: Path) -> None:
    async with answering_all(tmp_path) as (server, client):
        await everything(client, tmp_path)
        (asked,), others = server.calls(TOKEN), [request for request in server.seen if request.path != TOKEN]
    assert len(others) == 10
    for request in others:
        assert request.headers["authorization"] == "Bearer nmv_usr_anon"
        named = {name: request.headers[f"x-skill-{name}"] for name in ("source", "version", "platform")}
        assert named == {"source": "ai-video-pro-online", "version": "1.0.0", "platform": "unknown"}
        assert "x-client-id" not in request.headers
    # 3.1, 14.12: no bearer, no body, the id that is kept.
    assert "authorization" not in asked.headers
    assert (asked.method, asked.body) == ("POST", b"")
    assert asked.headers["x-client-id"] == (tmp_path / "state" / "client_id").read_text()


@pytest.mark.parametrize("platform", ["clawhub", "cursor", "unknown", "claude_code", "terminal", "github"])
async def test_14_11_any_platform(tmp_path: Path, platform: str) -> None:
    async with answering_all(tmp_path, NEMO_TOKEN="x") as (server, client):
        await client.balance(SkillHeaders("nemo-video", "1.9.0", platform))
        assert server.seen[0].headers["x-skill-platform"] == platform


async def test_14_14_14_20_14_21_14_25_paths_and_bodies(tmp_path: Path) -> None:
    async with answering_all(tmp_path, NEMO_TOKEN="x") as (server, client):
        await everything(client, tmp_path)
        await client.open_session("clip", "", SKILL)
        await client.submit_render("r1", "77", DRAFT, Export(), SKILL)
        sent = {}
        for request in server.seen:
            as_json = "json" in request.headers.get("content-type", "")
            sent.setdefault(f"{request.method} {request.path}", []).append(
                json.loads(request.body) if as_json else None
            )
        (uploads,) = server.calls(UPLOAD)
    export = {"id": "r1", "sessionId": "77", "draft": DRAFT}
    assert sent == {
        f"GET {BALANCE}": [None],
        f"POST {SESSION}": [{"task_name": "clip", "language": "zh-CN"}, {"task_name": "clip"}],
        f"GET {STATE}": [None],
        f"POST {UPLOAD}": [None],
        f"POST {SAY}": [
            {
                "app_name": "nemo_agent",
                "user_id": "me",
                "session_id": "77",
                "new_message": {"parts": [{"text": "剪掉停顿"}]},
            }
        ],
        f"POST {SUBMIT}": [
            {**export, "output": {"format": "mp4", "quality": "high", "resolution": "1080p", "fps": 30}},
            {**export, "output": {"format": "mp4", "quality": "high"}},
        ],
        f"GET {POLL}": [None],
        f"POST {CANCEL}": [None],
        f"POST {CLAIM}": [{"task_id": "t1", "session_id": "77"}],
        f"GET {FALLBACK}": [None],
    }
    assert b'name="files"; filename="clip.mp4"' in uploads.body


def test_5_types_of_the_thirteen_extensions() -> None:
    video = {"mp4": "mp4", "mov": "quicktime", "avi": "x-msvideo", "webm": "webm", "mkv": "x-matroska"}
    image = {"jpg": "jpeg", "png": "png", "gif": "gif", "webp": "webp"}
    audio = {"mp3": "mpeg", "wav": "wav", "m4a": "mp4", "aac": "aac"}
    kinds = {"video": video, "image": image, "audio": audio}
    wanted = {ending: f"{kind}/{name}" for kind, names in kinds.items() for ending, name in names.items()}
    assert len(wanted) == 13
    assert {ending: MIME_TYPES.get(ending) for ending in wanted} == wanted


# ---------------------------------------------------------------- tokens and links

LATER = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
TOKENS = [
    (
        "3.1 all of it",
        ok(
            {
                "token": "nmv_usr_a",
                "user_id": "anon_1",
                "expires_at": LATER.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "credits": 100,
            }
        ),
        LATER,
        "anon_1",
    ),
    ("3.1 token and credits", ok({"token": "nmv_usr_a", "credits": 100}), None, ""),
    ("3.1 at the top", told({"token": "nmv_usr_a"}), None, ""),
    ("14.6 never", ok({"token": "nmv_usr_a", "expires_at": None}), None, ""),
    ("14.23 bind_id", ok({"token": "nmv_usr_a", "bind_id": "anon_1", "user_id": "other"}), None, "anon_1"),
]


@pytest.mark.parametrize(("answer", "ends_at", "user_id"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
async def test_token(tmp_path: Path, answer: Answer, ends_at: datetime | None, user_id: str) -> None:
    async with talking(tmp_path) as (server, client):
        server.on(TOKEN, answer)
        assert await ensured(client) == ("nmv_usr_a", user_id)
        known = client.credentials.expires_at
    assert known is not None
    wanted = ends_at or datetime.now(UTC) + timedelta(days=7)
    assert abs((known - wanted).total_seconds()) < 60


@pytest.mark.parametrize("status", [200, 429], ids=["14.13 code", "14.13 HTTP"])
async def test_a_quota_is_a_quota_and_asked_about_once(tmp_path: Path, status: int) -> None:
    async with talking(tmp_path) as (server, client):
        server.on(TOKEN, told({"code": 429, "message": "1 token/client/7 days"}, status))
        for _ in range(2):
            with pytest.raises(RefusedError) as caught:
                await client.ensure_token()
            assert caught.value.code == "token_quota"
        assert caught.value.until is not None
        assert len({request.headers["x-client-id"] for request in server.calls(TOKEN)}) == len(server.seen) == 1


@pytest.mark.parametrize("status", [200, 400], ids=["14.12 code", "14.12 HTTP"])
async def test_a_client_id_that_is_missed_is_made_once(tmp_path: Path, status: int) -> None:
    async with talking(tmp_path) as (server, client):
        server.on(TOKEN, told({"code": 400, "message": "X-Client-Id is missing"}, status), ok({"token": "nmv_usr_a"}))
        await client.ensure_token()
        assert len(server.calls(TOKEN)) == 2


BINDS = [
    ("14.23 of the token", {"user_id": "anon_1"}, {}, {}, "anon_1"),
    ("14.23 of the session", {}, {"user_id": "anon_2"}, {}, "anon_2"),
    ("14.23 of the state", {}, {}, {"user_id": "anon_3"}, "anon_3"),
    ("14.23 bind_id of the session", {"user_id": "anon_1"}, {"bind_id": "anon_4"}, {}, "anon_4"),
    ("14.23 a user object", {}, {"user": {"id": "anon_5"}}, {}, "anon_5"),
]


@pytest.mark.parametrize("web", ["https://nemovideo.com", "https://nemovideo.ai"])
@pytest.mark.parametrize(
    ("token", "of_session", "of_state", "bound"), [row[1:] for row in BINDS], ids=[row[0] for row in BINDS]
)
async def test_link(tmp_path: Path, web: str, token: Any, of_session: Any, of_state: Any, bound: str) -> None:
    async with talking(tmp_path, web) as (server, client):
        server.on(TOKEN, ok({"token": "nmv_usr_a", **token}))
        server.on(SESSION, ok({"session_id": "77", **of_session}))
        server.on(STATE, ok({"state": {}, **of_state}))
        assert await link_of(client) == f"{web}/register?bind={bound}"


# ---------------------------------------------------------------- downloads, and where the token never goes


@pytest.mark.parametrize(
    "answer",
    [
        lambda url: reply(b"video", kind="video/mp4"),
        lambda url: reply(b"video", kind="application/octet-stream"),
        lambda url: ok({"status": "completed", "output": {"url": url}}),
        lambda url: told({"success": True, "data": {"outputUrl": url}}),
        lambda url: told({"output": {"url": url}}),
        lambda url: told({"url": url}),
        lambda url: reply("", 302, Location=url),
        lambda url: reply("", 307, Location=url),
    ],
    ids=[
        "14.24 bytes",
        "8.3 bytes of no type",
        "14.24 JSON E1",
        "14.24 JSON E2",
        "8.3 bare",
        "8.3 url",
        "8.3 302",
        "8.3 307",
    ],
)
async def test_fallback(tmp_path: Path, answer: Callable[[str], Answer]) -> None:
    async with given(tmp_path) as (server, client), serving() as other:
        other.on("/a", reply("", 302, Location="/b"))
        other.on("/b", reply(b"video", kind="video/mp4"))
        server.on(FALLBACK, answer(f"{other.url}/a?signature=s"))
        await client.download_fallback("r1", str(tmp_path / "o.mp4"), SKILL)
        assert (tmp_path / "o.mp4").read_bytes() == b"video"
        assert server.seen[0].headers["authorization"] == "Bearer nmv_usr_x"
        assert [
            n for request in other.seen for n in request.headers if n == "authorization" or n.startswith("x-")
        ] == []


@pytest.mark.parametrize("name", ["balance", "session", "state", "upload", "say", "submit", "poll", "claim", "token"])
async def test_no_redirect_takes_the_token_or_the_headers_along(tmp_path: Path, name: str) -> None:
    calls: dict[str, tuple[str, Call]] = {
        "balance": (BALANCE, balance),
        "session": (SESSION, session),
        "state": (STATE, state),
        "upload": (UPLOAD, upload),
        "say": (SAY, say),
        "submit": (SUBMIT, submit),
        "poll": (POLL, poll),
        "claim": (CLAIM, claim),
        "token": (TOKEN, ensured),
    }
    path, call = calls[name]
    env = {} if name == "token" else {"NEMO_TOKEN": "nmv_usr_x"}
    async with talking(tmp_path, **env) as (server, client), serving() as other:
        for status in (301, 302, 303, 307, 308):
            server.on(path, reply("", status, Location=f"{other.url}{path}"))
            with pytest.raises(UnintelligibleError, match="redirect"):
                await call(client)
        assert len(server.seen) == 5
        assert other.seen == []


# ---------------------------------------------------------------- drafts go back as they came

ODD = (
    '{"z":1,"t":[{"tt":0,"sg":[{"d":0.1,"s":1e-7,"v":1.0,"id":5529798706024415233,"x":-0.0}]}],"a":{"b":[1,1.0,true,null,""]},'
    '"big":123456789012345678901234567890,"huge":1e400,"long_huge":LONGe99,"long":0.30000000000000004,"half":"\\ud83d",'
    '"片":"é\\u0000","":{}}'
).replace("LONG", "9" * 250)


def exactly(value: Any) -> str:
    """A text that two values have in common only if every value, type and order of theirs is the same."""
    return json.dumps(value)


async def test_drafts_from_the_state_through_the_ledger_into_the_render(tmp_path: Path) -> None:
    async with given(tmp_path) as (server, client):
        server.on(STATE, reply(f'{{"code":0,"data":{{"state":{{"draft":{ODD}}}}}}}'))
        server.on(SUBMIT, ok({"id": "r1"}))
        came = await draft_of(client)
        ledger = Ledger(str(tmp_path / "ledger.db"))
        try:
            await ledger.enter(make_job(1))
            await ledger.done("e1-1", "draft", "token", {"draft": came, "timeline": ""})
            step = await ledger.step("e1-1", "draft")
        finally:
            await ledger.close()
        assert step is not None
        for draft in (came, step.data["draft"]):
            await client.submit_render("r1", "77", draft, Export(), SKILL)
        sent = [json.loads(request.body)["draft"] for request in server.calls(SUBMIT)]
    whole = json.loads(ODD.replace("1e400", str(10**400)).replace("9e99", "9" + "0" * 99))
    assert [exactly(draft) for draft in sent] == [exactly(whole)] * 2
    assert exportable(came)


# ---------------------------------------------------------------- rules that are numbers


def test_14_4_14_15_14_16_14_19_rules_that_are_numbers() -> None:
    times, patience = Timeouts(), Patience()
    assert (times.turn_s, times.silent_s) == (900, 600)
    assert (patience.first_poll_s, patience.render_poll_s, patience.slow_after_s) == (5, 30, 300)
    assert patience.looks_s == (30, 60, 60, 60, 60)
    assert patience.settle_reads_s == (0, 3, 3)
    assert MOST_UPLOAD_BYTES == 500 * 1024 * 1024


POLLS = [
    *((f"8.2 poll again after {status}", told({}, status), policy.Again) for status in (408, 429, 500, 502, 503, 504)),
    ("8.2 poll again after a page", reply(HTML, 503, "text/html"), policy.Again),
    ("8.2 poll again after a break", stream(b"{", end=False, kind="application/json"), policy.Again),
    ("8.2 final: 400", told({"message": "x"}, 400), policy.Reject),
    ("8.2 final: 410", told({"message": "x"}, 410), policy.Reject),
    ("8.2 final: token", told({"code": 1001}), policy.Hold),
]


@pytest.mark.parametrize(("answer", "verdict"), [row[1:] for row in POLLS], ids=[row[0] for row in POLLS])
async def test_poll(tmp_path: Path, answer: Answer, verdict: type) -> None:
    at = policy.Situation("render-1", "yes", 0, 0.0, 86400.0, 0.5, submitted=True)
    async with given(tmp_path) as (server, client):
        server.on(POLL, answer)
        with pytest.raises(NemoWatchError) as caught:
            await poll(client)
        assert isinstance(policy.after_failure(caught.value, at), verdict)


@pytest.mark.parametrize("end", [stream(data(BEAT), end=False), stream(data(SAID), end=False), stream(end=False)])
async def test_14_16_a_turn_that_breaks_off_is_not_sent_again(tmp_path: Path, end: Answer) -> None:
    async with given(tmp_path) as (server, client):
        server.on(SAY, end)
        assert not (await say(client)).ended
        assert len(server.seen) == 1
        assert "last-event-id" not in server.seen[0].headers


def test_14_29_the_state_tells_of_both_stages() -> None:
    media = [{"file_type": "video", "cdn_url": URL}]
    music = {"tt": 1, "sg": [{"s": 0, "d": 1000, "m": {"name": "Lo-fi"}}]}
    after = SessionState({**DRAFT, "t": [*DRAFT["t"], music]}, (), media)  # type: ignore[misc]  # a list of tracks
    assert "BGM: Lo-fi (0-1s)" in both_stages(SessionState({}), after)


async def test_14_27_nobody_answers_where_no_document_of_the_vendor_points(tmp_path: Path) -> None:
    def asked() -> list[int]:
        with SandboxServer(tmp_path / "store") as server, httpx.Client(trust_env=False) as http:
            bodies = {"skill": "x", "prompt": "cut"}, {"skill": "x", "inputs": {"prompt": "cut"}}
            return [http.post(f"{server.url}/api/v1/generate", json=body).status_code for body in bodies]

    assert await asyncio.to_thread(asked) == [404, 404]
