"""Any request at the sandbox: an answer in JSON, never a failure inside; and it goes on."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nemo_watch.sandbox.server import SandboxServer
from tests.mangling import DRAFT, JUNK, bounded, mangled, mangled_bytes
from tests.sandbox_wire import Caller, clip_bytes, events

SRT = b"1\n00:00:01,000 --> 00:00:02,000\nHello <i>there</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"
FORM = (
    b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.srt"\r\nContent-Type: text/plain\r\n\r\n'
    + SRT
    + b"\r\n--x--\r\n"
)
fuzzed = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("store"), heartbeat_s=0.05, credits=10**9) as server:
        yield server


@pytest.fixture(scope="module")
def caller(sandbox: SandboxServer) -> Iterator[Caller]:
    with Caller(sandbox.url) as made:
        yield made


@pytest.fixture(scope="module")
def session(caller: Caller) -> str:
    made = caller.session()
    Caller.ok(caller.try_upload(made, ("city_a.mp4", clip_bytes(11.0))))
    return made


@pytest.fixture(scope="module")
def draft(caller: Caller, session: str) -> Any:
    """The documented example, with sources that the session has."""
    (held,) = caller.state(session)["video_infos"]
    text = json.dumps(DRAFT | {"m": {"width": 320, "height": 180, "fps": 30}})
    for name in ("v/abc/city_a.mp4", "v/abc/city_b.mp4", "a/def/lofi.mp3"):
        text = text.replace(f"https://cdn.example.com/{name}", held["cdn_url"])
    return json.loads(text)


def asked(caller: Caller, path: str, body: bytes, content_type: str = "application/json") -> httpx.Response:
    """Send a request to a sandbox of this process: what it costs there counts."""
    with bounded(cpu_s=10):
        return caller.http.post(path, content=body, headers={"Content-Type": content_type})


@pytest.fixture(autouse=True)
def nothing_fails_inside(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.ERROR, logger="nemo_watch.sandbox"):
        yield
    assert not caplog.records, caplog.text


def body_of(answer: httpx.Response) -> Any:
    assert answer.status_code < 500, answer.text
    assert len(answer.content) < 10_000
    return answer.json()


@fuzzed
@given(data=st.data())
def test_any_draft_is_rendered_or_refused(caller: Caller, session: str, draft: Any, data: st.DataObject) -> None:
    body = {"id": f"render_{uuid.uuid4()}", "sessionId": session, "draft": data.draw(mangled(draft))}
    body["output"] = data.draw(st.just({}) | st.just({}) | mangled({"fps": 30, "format": "mp4", "quality": "draft"}))
    answer = asked(caller, "/api/render/proxy/lambda", json.dumps(body).encode())
    told = body_of(answer)
    if answer.status_code == 200:
        name = told["data"]["id"]
        caller.http.post(f"/api/render/proxy/lambda/{name}/cancel")
        assert caller.rendered(name)["status"] in ("cancelled", "completed", "failed")
    else:
        assert answer.status_code in (400, 422)


@fuzzed
@given(data=st.data())
def test_any_body_has_an_answer(caller: Caller, session: str, data: st.DataObject) -> None:
    bodies = {
        "/run_sse": Caller.message(session, "hello"),
        "/api/tasks/me/with-session/nemo_agent": {"task_name": "x", "language": "en"},
        "/api/auth/claim-token": {"task_id": "t", "session_id": session},
        "/api/render/proxy/lambda": {"id": "r", "sessionId": session, "draft": {}, "output": {"format": "mp4"}},
    }
    path = data.draw(st.sampled_from(sorted(bodies)))
    body = json.dumps(data.draw(mangled(bodies[path]) | JUNK)).encode()
    if data.draw(st.booleans()):
        body = data.draw(mangled_bytes(body))
    answer = asked(caller, path, body)
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert events(answer.content)
    else:
        body_of(answer)


@fuzzed
@given(body=mangled_bytes(FORM))
@example(body=FORM.replace(SRT, b"1\n00:00:01,000 --> 00:00:02,000\n&#" + b"1" * 3990 + b"{\n}" + b"1" * 3000))
def test_any_upload_has_an_answer(caller: Caller, session: str, body: bytes) -> None:
    answer = asked(caller, f"/api/upload-video/nemo_agent/me/{session}", body, "multipart/form-data; boundary=x")
    assert body_of(answer)["code"] in (0, 400, 4001, 4002)


@fuzzed
@given(path=st.text(max_size=20), value=st.text(alphabet=st.characters(max_codepoint=255), max_size=20))
def test_any_address_and_header_has_an_answer(caller: Caller, session: str, path: str, value: str) -> None:
    for at in ("/", "/api/state/nemo_agent/me/", "/api/render/proxy/lambda/"):
        try:
            url = httpx.URL(str(caller.http.base_url)).copy_with(path=at + path)
            answer = caller.http.get(url, headers={"Authorization": f"Bearer {value}".encode("latin-1")})
        except (httpx.LocalProtocolError, httpx.InvalidURL):
            continue  # no request can be made of it
        assert answer.status_code < 500
        assert answer.is_redirect or answer.json()
