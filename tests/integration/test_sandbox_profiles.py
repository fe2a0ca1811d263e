"""The documented variants of the protocol: the exact shape of what each profile answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.profiles import PROFILES
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import SKILL, clip_bytes, eventually

Json = dict[str, Any]
NAMES = ("official", "ar", "adk1", "adk2", "gateway")
TITLE = 'add the title "One"'


@dataclass
class Place:
    """A backend of one profile, with a session in which a clip was edited and rendered."""

    profile: str
    http: httpx.Client
    cdn_url: str
    answers: dict[str, httpx.Response]
    user_id: str = ""
    session: str = ""

    def message(self, **changes: Any) -> Json:
        parts = {"parts": [{"text": TITLE}]}
        good = {"app_name": "nemo_agent", "user_id": "me", "session_id": self.session, "new_message": parts}
        return {key: value for key, value in {**good, **changes}.items() if value is not None}

    def say(self, **changes: Any) -> httpx.Response:
        return self.http.post("/run_sse", json=self.message(**changes))

    def submit(self, render_id: str, draft: Json, **headers: str) -> httpx.Response:
        output = {"format": "mp4", "quality": "draft", "resolution": "240p"}
        body = {"id": render_id, "sessionId": self.session, "draft": draft, "output": output}
        return self.http.post("/api/render/proxy/lambda", json=body, headers=headers)

    def poll(self, render_id: str = "render_1") -> httpx.Response:
        return self.http.get(f"/api/render/proxy/lambda/{render_id}")


def payload(answer: httpx.Response) -> Any:
    """What is in the envelope, whichever it is."""
    body = answer.json()
    return body["data"] if body.keys() & {"code", "success"} else body


@pytest.fixture(scope="module", params=NAMES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp(request.param)
    stuck = Faults([Fault("render", "stick", after=2)])
    server = SandboxServer(folder, profile=request.param, credits=60, faults=stuck)
    with server, httpx.Client(base_url=server.url, headers=SKILL, timeout=60, trust_env=False) as http:
        told: dict[str, httpx.Response] = {}
        told["token"] = http.post("/api/auth/anonymous-token", headers={"X-Client-Id": "one"})
        http.headers["Authorization"] = f"Bearer {payload(told['token'])['token']}"
        told["session"] = http.post("/api/tasks/me/with-session/nemo_agent", json={"task_name": "t", "language": "en"})
        found = Place(request.param, http, server.cdn_url, told, **_ids(told["session"]))
        files = [("files", ("clip.mp4", clip_bytes(1.0)))]
        told["upload"] = http.post(f"/api/upload-video/nemo_agent/me/{found.session}", files=files)
        told["stream"] = found.say()
        told["state"] = http.get(f"/api/state/nemo_agent/me/{found.session}/latest")
        told["balance"] = http.get("/api/credits/balance/simple")
        draft = payload(told["state"])["state"]["draft"]
        told["submit"] = found.submit("render_1", draft)
        told["poll"] = eventually(lambda: answer if '"completed"' in (answer := found.poll()).text else None)
        told["again"] = found.submit("render_1", draft)
        told["stuck"] = found.submit("render_stuck", draft)
        yield found


def _ids(answer: httpx.Response) -> dict[str, str]:
    opened = payload(answer)
    return {"session": opened["session_id"], "user_id": opened["user_id"]}


# ------------------------------------------------------------ envelopes


def test_every_documented_profile_is_there() -> None:
    assert tuple(PROFILES) == NAMES
    assert all(name == profile.name for name, profile in PROFILES.items())


def test_a_profile_there_is_not_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match='no profile "adk3"') as caught:
        SandboxServer(tmp_path, profile="adk3")
    assert caught.value.hint == "Choose one of official, ar, adk1, adk2, gateway."


@pytest.mark.parametrize("call", ["token", "session", "upload", "state", "balance"])
def test_successes_have_a_code_or_no_envelope(place: Place, call: str) -> None:
    answer = place.answers[call]
    assert answer.status_code == 200
    inside = {
        "token": {"token", "user_id", "expires_at", "credits"},
        "session": {"task_id", "session_id", "user_id"},
        "upload": {"files", "session_state_applied"},
        "state": {"session_id", "task_id", "task_name", "state"},
        "balance": {"available", "frozen", "total"},
    }
    bare = place.profile in ("adk1", "adk2")
    assert set(answer.json()) == (inside[call] if bare else {"code", "data"})
    assert set(payload(answer)) == inside[call]
    assert answer.json().get("code", 0) == 0


SUBMITTED = {
    "official": {"code": 0, "data": {"id": "render_1", "status": "pending", "progress": 0}},
    "ar": {"success": True, "data": {"id": "render_1", "status": "pending", "progress": 0}},
    "adk1": {"id": "render_1", "status": "pending", "progress": 0},
    "adk2": {"id": "render_1", "status": "pending", "progress": 0},
    "gateway": {"code": 0, "message": "success", "data": {"render_id": "render_1", "status": "pending", "progress": 0}},
}


def test_a_render_that_is_taken(place: Place) -> None:
    assert place.answers["submit"].json() == SUBMITTED[place.profile]


def test_a_render_that_is_completed(place: Place) -> None:
    answer = place.answers["poll"]
    body = answer.json()
    top = {"status": "completed", "progress": 100}
    match place.profile:
        case "ar":
            data = body["data"]
            began, ended, url = data["createdAt"], data["completedAt"], data["outputUrl"]
            times = {"createdAt": began, "completedAt": ended}
            assert body == {"success": True, "data": {"id": "render_1", **top, "outputUrl": url, **times}}
            assert 1_700_000_000_000 < began < ended < 10_000_000_000_000
        case "gateway":
            url = body["data"]["outputUrl"]
            assert body == {"code": 0, "message": "success", "data": {**top, "outputUrl": url}}
        case _:
            url = body["output"]["url"]
            size = len(place.http.get(url).content)
            assert body == {
                "taskId": "render_1",
                **top,
                "output": {"url": url, "duration": pytest.approx(1.0, abs=0.05), "size": size},
            }
    assert url.startswith(f"{place.cdn_url}/v/")
    # The path of the first version tells the same.
    assert place.http.get("/api/render/proxy/render_1").json() == body


def test_a_render_that_is_cancelled(place: Place) -> None:
    assert place.answers["stuck"].status_code == 200
    answer = place.http.post("/api/render/proxy/lambda/render_stuck/cancel").json()
    inside = {"render_id" if place.profile == "gateway" else "id": "render_stuck", "status": "cancelled"}
    assert (
        answer
        == {
            "official": {"code": 0, "data": inside},
            "ar": {"success": True, "data": inside},
            "adk1": inside,
            "adk2": inside,
            "gateway": {"code": 0, "message": "success", "data": inside},
        }[place.profile]
    )


# ------------------------------------------------------------ refusals


STRICT = {1001: 401, 1002: 404, 2001: 402, 4001: 415, 4002: 413}


def refused(answer: httpx.Response, profile: str, code: int, status: int = 0, *, render: bool = False) -> None:
    """Check a refusal's envelope and HTTP status."""
    body = answer.json()
    words = body.get("message") or body.get("error")
    assert words
    assert body == (
        {"success": False, "error": words} if profile == "ar" and render else {"code": code, "message": words}
    )
    assert answer.status_code == (status or (200 if profile == "official" else STRICT[code]))


def test_business_codes_and_their_statuses(place: Place) -> None:
    no_token = {"Authorization": "Bearer nmv_usr_unknown"}
    refused(place.http.get("/api/credits/balance/simple", headers=no_token), place.profile, 1001)
    refused(place.http.get("/api/state/nemo_agent/me/12345/latest"), place.profile, 1002)
    upload = f"/api/upload-video/nemo_agent/me/{place.session}"
    refused(place.http.post(upload, files=[("files", ("notes.pdf", b"%PDF"))]), place.profile, 4001)
    fresh = place.http.post("/api/tasks/me/with-session/nemo_agent", json={})
    refused(place.say(session_id=payload(fresh)["session_id"]), place.profile, 2001)
    refused(place.http.post("/api/auth/anonymous-token"), place.profile, 400, 400)
    refused(place.http.post("/api/auth/anonymous-token", headers={"X-Client-Id": "one"}), place.profile, 429, 429)


def test_refusals_around_renders(place: Place) -> None:
    draft = payload(place.answers["state"])["state"]["draft"]
    refused(place.answers["again"], place.profile, 409, 409, render=True)
    assert "duplicate id" in place.answers["again"].text
    refused(place.submit("render_2", draft, **{"X-Skill-Source": ""}), place.profile, 402, 402, render=True)
    refused(place.submit("render_2", {}), place.profile, 400, 400, render=True)
    refused(place.poll("render_2"), place.profile, 404, 404, render=True)
    no_token = {"Authorization": "Bearer nmv_usr_unknown"}
    refused(place.submit("render_2", draft, **no_token), place.profile, 1001, render=True)


def test_a_message_to_a_session_or_an_app_that_is_not_there(place: Place) -> None:
    unknown, other = place.say(session_id="12345"), place.say(app_name="other")
    match place.profile:
        case "adk1":
            assert (unknown.status_code, unknown.json()) == (404, {"detail": "Session not found"})
            assert (other.status_code, other.json()) == (404, {"detail": "Session not found"})
        case "adk2":
            assert (unknown.status_code, unknown.json()) == (404, {"detail": "Session not found: 12345"})
            assert other.status_code == 404
            assert other.json()["detail"].startswith("Agent not found: 'other'. ")
        case _:
            refused(unknown, place.profile, 1002)
            assert (other.status_code, other.json()) == (404, {"detail": "Agent not found: 'other'."})


def malformed(answer: httpx.Response) -> tuple[int, str, list[str]]:
    (problem,) = answer.json()["detail"]
    assert set(problem) == {"type", "loc", "msg", "input"}
    return answer.status_code, problem["type"], problem["loc"]


def test_malformed_messages(place: Place) -> None:
    missing = [(422, "missing", ["body", key]) for key in ("sessionId", "newMessage", "userId", "appName")]
    assert malformed(place.say(session_id=None)) == missing[0]
    assert malformed(place.say(session_id=int(place.session))) == (422, "string_type", ["body", "sessionId"])
    assert malformed(place.http.post("/run_sse", content=b"{")) == (422, "json_invalid", ["body"])
    assert place.http.get("/run_sse").status_code == 405
    if place.profile != "adk2":
        assert malformed(place.say(new_message=None)) == missing[1]
    if place.profile in ("adk1", "adk2"):
        assert malformed(place.say(user_id=None)) == missing[2]
        assert malformed(place.say(new_message="x")) == (422, "model_attributes_type", ["body", "newMessage"])
    match place.profile:
        case "adk1":
            assert malformed(place.say(app_name=None)) == missing[3]
        case "adk2":
            answer = place.say(app_name=None)
            assert (answer.status_code, str(answer.json()["detail"])[:28]) == (400, "app_name is required when AD")
        case _:
            assert place.say(app_name=None, user_id=None, new_message={"parts": [{"text": "hi"}]}).status_code == 200


def test_a_message_without_parts(place: Place) -> None:
    answer = place.say(new_message={"parts": []})
    if place.profile not in ("adk1", "adk2"):
        refused(answer, place.profile, 400, 400)
        return
    (event,) = frames(answer)
    words = "No parts in the new_message."
    if place.profile == "adk1":
        assert event == {"error": words}
        return
    assert_details(event, words)
    (event,) = frames(place.say(new_message=None))
    assert_details(event, "No new_message was sent.")


# ------------------------------------------------------------ the stream


def frames(answer: httpx.Response) -> list[Json]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    told = answer.text.split("\n\n")
    assert told[-1] == ""
    return [json.loads(frame.removeprefix("data: ")) for frame in told[:-1] if "heartbeat" not in frame]


def assert_details(event: Json, words: str) -> None:
    """Check what the framework's second version tells of a turn that broke."""
    at = event["error_details"]["timestamp"]
    details = {"error_type": "RuntimeError", "error_message": words, "timestamp": at}
    assert event == {"error": f"RuntimeError: {words}", "error_details": details}
    assert isinstance(at, float)


def test_the_events_of_a_turn(place: Place) -> None:
    told = frames(place.answers["stream"])
    if place.profile == "ar":
        call, result, text = told
        assert call == {"type": "tool_call", "name": "edit_multitrack", "args": call["args"]}
        assert result == {"type": "tool_result", "name": "edit_multitrack", "result": {"status": "ok", "tracks": 2}}
        assert text == {"type": "text", "content": text["content"]}
        assert "One" in text["content"]
        return
    extra = ["nodeInfo"] if place.profile == "adk2" else []
    end = ["invocationId", "author", "actions", *extra, "id", "timestamp"]
    assert [list(event) for event in told] == [["content", *end]] * 3 + [
        ["content", "turnComplete", "finishReason", *end]
    ]
    assert [event.get("nodeInfo") for event in told] == [{"path": ""} if extra else None] * 4
    parts = [event["content"]["parts"] for event in told]
    assert [[*part] for (part,) in parts] == [["text", "thought"], ["functionCall"], ["functionResponse"], ["text"]]


BROKEN = "The message could not be worked on, and nothing was charged: Backend exploded."


@pytest.mark.parametrize("name", NAMES)
def test_errors_inside_a_stream(tmp_path: Path, name: str) -> None:
    mid_turn = Fault("run_sse", "fail_turn", message="Backend exploded.")
    no_credits = Fault("run_sse", "fail_turn", code=2001, message="Backend exploded.")
    model = Fault("run_sse", "fail_model", message="quota exceeded")
    server = SandboxServer(tmp_path, profile=name, faults=Faults([mid_turn, no_credits, model]))
    with server, httpx.Client(base_url=server.url, headers=SKILL, timeout=60, trust_env=False) as http:
        token = http.post("/api/auth/anonymous-token", headers={"X-Client-Id": "one"})
        http.headers["Authorization"] = f"Bearer {payload(token)['token']}"
        session = http.post("/api/tasks/me/with-session/nemo_agent", json={})
        found = Place(name, http, server.cdn_url, {}, **_ids(session))
        answers = [found.say() for _ in range(3)]
        (plain,), (coded,), (failed,) = map(frames, answers)
    code = {"code": 2001, "message": f"RuntimeError: {BROKEN}" if name == "adk2" else BROKEN}
    match name:
        case "ar":
            assert plain == {"type": "error", "error": BROKEN}
            assert coded == {"type": "error", "error": code}
            assert failed == {"type": "error", "error": {"code": "RESOURCE_EXHAUSTED", "message": "quota exceeded"}}
            return
        case "adk2":
            assert_details(plain, BROKEN)
            assert coded["error"] == code
        case _:
            assert plain == {"error": BROKEN}
            assert coded == {"error": code}
            # As the framework writes it, which is not how it writes events.
            assert answers[0].content == f'data: {{"error": "{BROKEN}"}}\n\n'.encode()
    assert "content" not in failed
    assert (failed["errorCode"], failed["errorMessage"]) == ("RESOURCE_EXHAUSTED", "quota exceeded")
    assert ("nodeInfo" in failed) == (name == "adk2")


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_of_the_script_has_the_profile_s_shape_and_the_script_s_status(tmp_path: Path, name: str) -> None:
    faults = [Fault("balance", "answer", code=code) for code in (2001, 503)]
    faults.append(Fault("balance", "answer", code=2001, status=418))
    with SandboxServer(tmp_path, profile=name, faults=Faults(faults)) as server:
        answers = [httpx.get(f"{server.url}/api/credits/balance/simple", trust_env=False) for _ in faults]
    strict = name != "official"
    assert [answer.status_code for answer in answers] == [402 if strict else 200, 503 if strict else 200, 418]
    assert [answer.json()["code"] for answer in answers] == [2001, 503, 2001]
