"""The sandbox over HTTP, as the vendor's documents describe the service."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import SKILL, Caller, clip, clip_bytes, events, eventually, sha256, texts, tone

MEGABYTE = 1024 * 1024
HEARTBEAT = {"type": "heartbeat"}


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def sandbox(folder: Path, clock: Clock) -> Iterator[SandboxServer]:
    with SandboxServer(folder, heartbeat_s=0.05, max_upload_bytes=MEGABYTE * 40, now=clock) as server:
        yield server


@pytest.fixture
def caller(sandbox: SandboxServer) -> Iterator[Caller]:
    with Caller(sandbox.url) as one:
        yield one


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound that takes seconds to measure."""
    return tone(tmp_path_factory.mktemp("sounds") / "long.wav", 1800)


@pytest.fixture
def edited(caller: Caller) -> tuple[str, dict[str, Any]]:
    """A session with a clip on the timeline, and its draft."""
    session = caller.session()
    Caller.ok(caller.try_upload(session, ("clip.mp4", clip_bytes())))
    caller.say(session, "cut the pauses")
    return session, caller.state(session)["draft"]


def fetch(method: str, url: str, **more: Any) -> httpx.Response:
    return httpx.request(method, url, trust_env=False, timeout=30, **more)


def code(response: httpx.Response) -> tuple[int, int]:
    return response.status_code, response.json()["code"]


# ------------------------------------------------------------ tokens


def test_a_token_needs_a_client_id(sandbox: SandboxServer) -> None:
    response = fetch("POST", f"{sandbox.url}/api/auth/anonymous-token")
    assert code(response) == (400, 400)


def test_one_token_per_client_at_a_time(sandbox: SandboxServer, clock: Clock) -> None:
    client_id = str(uuid.uuid4())
    url, headers = f"{sandbox.url}/api/auth/anonymous-token", {"X-Client-Id": client_id}
    first = Caller.ok(fetch("POST", url, headers=headers))
    assert re.fullmatch(r"nmv_usr_[\w-]{43,}", first["token"])
    assert first["user_id"].startswith("anon_")
    assert first["credits"] == 10_000
    expires_at = datetime.strptime(first["expires_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs((expires_at - datetime.now(UTC)).total_seconds() - 7 * 86_400) < 60
    again = fetch("POST", url, headers=headers)
    assert code(again) == (429, 429)
    assert 0 < int(again.headers["retry-after"]) <= 7 * 86_400
    with Caller(sandbox.url, token=first["token"]) as caller:
        session = caller.session()
        clock.ahead_s += 7 * 86_400 + 1
        try:
            assert code(caller.http.get("/api/credits/balance/simple")) == (200, 1001)
            second = Caller.ok(fetch("POST", url, headers=headers))
            assert second["token"] != first["token"]
            with Caller(sandbox.url, token=second["token"]) as later:
                assert later.state(session)["draft"] == {}
        finally:
            clock.ahead_s = 0.0


def test_tokens_are_kept_nowhere(sandbox: SandboxServer, folder: Path, caller: Caller) -> None:
    caller.session()
    kept = b"".join(path.read_bytes() for path in folder.glob("sandbox.db*"))
    assert caller.user_id.encode() in kept
    assert caller.token.encode() not in kept
    assert caller.token.removeprefix("nmv_usr_").encode() not in kept


ROUTES = [
    ("POST", "/api/tasks/me/with-session/nemo_agent"),
    ("GET", "/api/state/nemo_agent/me/1000000000000000000/latest"),
    ("POST", "/api/upload-video/nemo_agent/me/1000000000000000000"),
    ("POST", "/run_sse"),
    ("GET", "/api/credits/balance/simple"),
    ("POST", "/api/render/proxy/lambda"),
    ("POST", "/api/render/proxy/draft"),
    ("GET", "/api/render/proxy/lambda/render_1"),
    ("GET", "/api/render/proxy/render_1"),
    ("POST", "/api/render/proxy/lambda/render_1/cancel"),
    ("GET", "/api/render/proxy/render_1/download"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("authorization", ["", "Bearer nmv_usr_unknown", "Basic abc", "Bearer"])
def test_every_other_route_needs_a_token(sandbox: SandboxServer, method: str, path: str, authorization: str) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    assert code(fetch(method, sandbox.url + path, headers=headers)) == (200, 1001)


# ------------------------------------------------------------ sessions


def test_a_fresh_session_is_empty(caller: Caller) -> None:
    session = caller.session()
    assert re.fullmatch(r"\d{19}", session)
    empty = {"video_infos": [], "draft": {}, "canvas_config": {}, "video_analyses": {}, "generated_media": []}
    assert caller.state(session) == empty
    real = caller.http.get(f"/api/state/nemo_agent/{caller.user_id}/{session}/latest")
    assert Caller.ok(real)["session_id"] == session


def test_a_session_is_its_owners_alone(sandbox: SandboxServer, caller: Caller) -> None:
    session = caller.session()
    with Caller(sandbox.url) as other:
        answers = [
            other.http.get(f"/api/state/nemo_agent/me/{session}/latest"),
            other.try_upload(session, ("clip.mp4", clip_bytes())),
            other.http.post("/run_sse", json=other.message(session, "cut the pauses")),
            other.submit(session, {"t": [{"tt": 0, "sg": [{}]}]}),
            caller.http.get(f"/api/state/nemo_agent/{other.user_id}/{session}/latest"),
            caller.http.get("/api/state/nemo_agent/me/12345/latest"),
        ]
    assert [code(answer) for answer in answers] == [(200, 1002)] * len(answers)


# ------------------------------------------------------------ uploads


def test_uploads_are_described_kept_and_served(sandbox: SandboxServer, caller: Caller, tmp_path: Path) -> None:
    session = caller.session()
    path = tmp_path / "my clip äö.mp4"
    path.write_bytes(clip_bytes())
    sound = tone(tmp_path / "sound.wav", 3)
    files = caller.upload(session, path, sound)
    video = files[0]
    assert (video["filename"], video["file_type"]) == (path.name, "video")
    assert (video["width"], video["height"], video["fps"]) == (320, 180, 30)
    assert video["duration"] == pytest.approx(6.0, abs=0.1)
    assert [file["hash"] for file in files] == [sha256(path), sha256(sound)]
    assert files[1]["file_type"] == "audio"
    infos = caller.state(session)["video_infos"]
    assert [{k: v for k, v in info.items() if k not in ("id", "source")} for info in infos] == files
    assert video["cdn_url"].startswith(sandbox.cdn_url + "/")
    assert fetch("GET", video["cdn_url"]).content == path.read_bytes()
    part = fetch("GET", video["cdn_url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, path.read_bytes()[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{path.stat().st_size}"
    assert fetch("GET", video["cdn_url"].replace("/v/", "/v/x")).status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("notes.mp4", b"this is a text\n" * 50, 4001),
        ("list.mp4", b"ffconcat version 1.0\nfile sandbox.db\n", 4001),
        ("list.mov", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x\n", 4001),
        ("empty.mp4", b"", 4001),
        ("zeros.mkv", bytes(10_000), 4001),
        ("half.mp4", b"cut", 4001),
        ("invoice.pdf", b"%PDF-1.7", 4001),
        ("no_suffix", b"x", 4001),
        ("bad.srt", b"\x00\x01\x02" * 100, 4001),
    ],
)
def test_what_is_no_media_is_refused(caller: Caller, folder: Path, name: str, content: bytes, wanted: int) -> None:
    session = caller.session()
    data = clip_bytes()[:20_000] if content == b"cut" else content
    response = caller.try_upload(session, ("good.mp4", clip_bytes()), (name, data))
    assert code(response) == (200, wanted)
    assert name in response.json()["message"]
    assert caller.state(session)["video_infos"] == []
    assert list(folder.glob(f"sessions/{session}/*")) == []


def test_too_large_a_file_is_refused_and_the_answer_arrives(caller: Caller, folder: Path) -> None:
    session = caller.session()
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.mp4"\r\n\r\n' + bytes(MEGABYTE * 100)
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "multipart/form-data; boundary=x"}
    # A client that sends all it has before it listens, on a connection that ends with the answer.
    headers["Connection"] = "close"
    with contextlib.closing(http.client.HTTPConnection(caller.http.base_url.host, caller.http.base_url.port)) as plain:
        plain.request("POST", f"/api/upload-video/nemo_agent/me/{session}", body, headers)
        response = plain.getresponse()
        assert (response.status, json.loads(response.read())["code"]) == (200, 4002)
    assert list(folder.glob(f"sessions/{session}/*")) == []


def test_a_subtitle_file_is_taken(caller: Caller) -> None:
    session = caller.session()
    srt = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n"
    files = Caller.ok(caller.try_upload(session, ("clip.srt", srt)))["files"]
    assert files[0]["file_type"] == "subtitle"


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Content-Type": "multipart/form-data"}, b"--x\r\n"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"nonsense"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--\r\n"),
        ({"Content-Type": "text/plain"}, b"hello"),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\nbroken off',
        ),
    ],
)
def test_a_body_that_is_no_upload_is_refused(
    caller: Caller, folder: Path, headers: dict[str, str], content: bytes
) -> None:
    session = caller.session()
    url = f"/api/upload-video/nemo_agent/me/{session}"
    assert code(caller.http.post(url, headers=headers, content=content)) == (400, 400)
    assert list(folder.glob(f"sessions/{session}/*")) == []


def test_a_broken_upload_leaves_nothing(sandbox: SandboxServer, caller: Caller, folder: Path) -> None:
    session = caller.session()
    place = folder / "sessions" / session

    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n' + clip_bytes()
        for _ in range(4):
            yield bytes(MEGABYTE)
        eventually(lambda: list(place.glob("*.part")))
        raise ConnectionAbortedError

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(ConnectionAbortedError):
        caller.http.post(f"/api/upload-video/nemo_agent/me/{session}", headers=headers, content=body())
    eventually(lambda: not list(place.glob("*")))


# ------------------------------------------------------------ messages


def test_a_turn_is_told_as_the_agent_framework_does(caller: Caller) -> None:
    session = caller.session()
    Caller.ok(caller.try_upload(session, ("clip.mp4", clip_bytes())))
    told = [event for event in caller.say(session, "cut the pauses") if event != HEARTBEAT]
    parts = [part for event in told for part in event["content"]["parts"]]
    kinds = [next(key for key in ("functionCall", "functionResponse", "text") if key in part) for part in parts]
    assert kinds == ["text", "functionCall", "functionResponse", "text"]
    assert parts[0]["thought"] is True
    assert parts[1]["functionCall"]["name"] == parts[2]["functionResponse"]["name"] == "edit_multitrack"
    assert parts[1]["functionCall"]["id"] == parts[2]["functionResponse"]["id"]
    assert [event["content"]["role"] for event in told] == ["model", "model", "user", "model"]
    assert len({event["invocationId"] for event in told}) == 1
    assert len({event["id"] for event in told}) == len(told)
    for event in told:
        actions = {"stateDelta", "artifactDelta", "requestedAuthConfigs", "requestedToolConfirmations"}
        assert set(event["actions"]) == actions
        assert event["author"] == "nemo_agent"
        assert isinstance(event["timestamp"], float)
    assert told[-1]["turnComplete"] is True
    draft = caller.state(session)["draft"]
    assert [track["tt"] for track in draft["t"]] == [0]
    assert 0 < draft["d"] < 6000
    assert caller.state(session)["canvas_config"] == {"width": 320, "height": 180, "ratio": "16:9"}


def test_editing_is_charged_once_a_session_and_talk_is_free(caller: Caller, folder: Path) -> None:
    session = caller.session()
    Caller.ok(caller.try_upload(session, ("clip.mp4", clip_bytes())))
    assert caller.balance() == {"available": 10_000, "frozen": 0, "total": 10_000}
    caller.say(session, "please paint my garden fence")
    assert caller.balance()["total"] == 10_000
    caller.say(session, "cut the pauses")
    caller.say(session, 'add the title "Hello"')
    assert caller.balance() == {"available": 9_950, "frozen": 0, "total": 9_950}
    with Records(folder) as records:
        assert [(entry.session_id, entry.amount) for entry in records.charges() if entry.session_id == session] == [
            (session, 50)
        ]
        turns = records.turns(session)
    assert [turn.changed_draft for turn in turns] == [False, True, True]
    assert [(turn.state, turn.runs) for turn in turns] == [("done", 1)] * 3


def test_without_credits_there_is_no_stream(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, credits=60) as sandbox, Caller(sandbox.url) as caller:
        first, second = caller.session(), caller.session()
        for session in (first, second):
            Caller.ok(caller.try_upload(session, ("clip.mp4", clip_bytes())))
        caller.say(first, "cut the pauses")
        assert code(caller.http.post("/run_sse", json=caller.message(second, "cut the pauses"))) == (200, 2001)
        # What is paid stays usable.
        assert texts(caller.say(first, 'add the title "Hello"'))
        assert caller.state(second)["draft"] == {}
        with Records(tmp_path) as records:
            assert [turn.session_id for turn in records.turns()] == [first, first]


def test_one_message_at_a_time_with_heartbeats_between(caller: Caller, long_sound: Path) -> None:
    session = caller.session()
    caller.upload(session, long_sound)
    with caller.saying(session, "cut the pauses") as stream:
        frozen = caller.balance()
        busy = caller.http.post("/run_sse", json=caller.message(session, "add music"))
        told = events(stream.read())
    assert code(busy) == (409, 409)
    assert frozen == {"available": 9_950, "frozen": 50, "total": 10_000}
    assert told.count(HEARTBEAT) >= 3
    assert told[-1]["turnComplete"] is True


def test_a_turn_goes_on_without_its_client(caller: Caller, tmp_path: Path, folder: Path) -> None:
    session = caller.session()
    caller.upload(session, tone(tmp_path / "another.wav", 1500))
    with caller.saying(session, "cut the pauses") as stream:
        assert next(stream.iter_bytes())
    with Records(folder) as records:
        assert [turn.state for turn in records.turns(session)] == ["running"]
    draft = eventually(lambda: caller.state(session)["draft"])
    assert draft["t"]
    assert caller.balance()["total"] == 9_950


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_message_is_refused(caller: Caller, text: str) -> None:
    session = caller.session()
    assert code(caller.http.post("/run_sse", json=caller.message(session, text))) == (400, 400)


def test_malformed_messages_are_answered_as_the_agent_framework_does(caller: Caller) -> None:
    session = caller.session()
    good = caller.message(session, "hello")

    def sent(**changes: Any) -> httpx.Response:
        body = {key: value for key, value in {**good, **changes}.items() if value is not None}
        return caller.http.post("/run_sse", json=body)

    answers = [
        caller.http.post("/run_sse", content=b"{"),
        caller.http.post("/run_sse", content=b"[" * 100_000),
        caller.http.post("/run_sse", content=b'{"session_id": NaN}'),
        caller.http.post("/run_sse", content=b"\xff"),
        caller.http.post("/run_sse", json=[1]),
        sent(session_id=int(session)),
        sent(session_id=None),
        sent(new_message=None),
        sent(new_message={"parts": "x"}),
    ]
    assert [answer.status_code for answer in answers] == [422] * len(answers)
    assert all(answer.json()["detail"][0]["loc"][0] == "body" for answer in answers)
    assert sent(app_name="other").status_code == 404
    assert caller.http.get("/run_sse").status_code == 405


def test_the_framework_s_other_spellings_are_taken(caller: Caller) -> None:
    session = caller.session()
    body = {"appName": "nemo_agent", "sessionId": session, "newMessage": {"parts": [{"text": "hi \ud83d there"}]}}
    response = caller.http.post("/run_sse", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert texts(events(response.content))


def test_a_reply_is_in_the_session_s_language(caller: Caller) -> None:
    session = caller.session("zh-CN")
    Caller.ok(caller.try_upload(session, ("clip.mp4", clip_bytes())))
    said = "".join(texts(caller.say(session, "剪掉停顿")))
    assert re.search(r"[\u4e00-\u9fff]", said)


# ------------------------------------------------------------ renders


def test_a_render_goes_from_submit_to_file(
    sandbox: SandboxServer, caller: Caller, edited: tuple[str, dict[str, Any]]
) -> None:
    session, draft = edited
    before = caller.balance()
    response = caller.submit(session, draft, "render_1", format="mp4", quality="draft", resolution="360p")
    assert Caller.ok(response) == {"id": "render_1", "status": "pending", "progress": 0}
    assert code(caller.submit(session, draft, "render_1")) == (409, 409)
    done = caller.rendered("render_1")
    assert set(done) == {"taskId", "status", "progress", "output"}
    assert (done["taskId"], done["status"], done["progress"]) == ("render_1", "completed", 100)
    output = done["output"]
    assert output["duration"] == pytest.approx(draft["d"] / 1000, abs=0.05)
    assert output["url"].startswith(sandbox.cdn_url)
    plain = fetch("GET", output["url"])
    assert (len(plain.content), plain.headers["content-type"]) == (output["size"], "video/mp4")
    assert caller.http.get("/api/render/proxy/render_1/download").content == plain.content
    assert caller.http.get("/api/render/proxy/render_1").json() == done
    assert caller.balance() == before
    assert code(caller.http.post("/api/render/proxy/lambda/render_1/cancel")) == (409, 409)
    rest = fetch("GET", output["url"], headers={"Range": f"bytes={len(plain.content) - 10}-"})
    assert (rest.status_code, rest.content) == (206, plain.content[-10:])
    with Caller(sandbox.url) as other:
        assert code(other.http.get("/api/render/proxy/lambda/render_1")) == (404, 404)


def test_what_is_rendered_is_what_was_sent(caller: Caller, edited: tuple[str, dict[str, Any]]) -> None:
    session, draft = edited
    Caller.ok(caller.submit(session, draft, "render_before", quality="best", resolution="1080p", fps=60))
    Caller.ok(caller.submit(session, draft, "render_snapshot", quality="draft"))
    caller.say(session, "keep only the first second")
    assert caller.state(session)["draft"]["d"] != draft["d"]
    assert caller.poll("render_snapshot")["status"] == "pending"
    caller.http.post("/api/render/proxy/lambda/render_before/cancel")
    assert caller.rendered("render_snapshot")["output"]["duration"] == pytest.approx(draft["d"] / 1000, abs=0.05)


@pytest.mark.parametrize("missing", SKILL)
def test_export_needs_the_skill_headers(caller: Caller, edited: tuple[str, dict[str, Any]], missing: str) -> None:
    session, draft = edited
    caller.http.headers[missing] = ""
    assert code(caller.submit(session, draft)) == (402, 402)
    del caller.http.headers[missing]
    assert code(caller.submit(session, draft)) == (402, 402)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(draft={}),
        lambda body: body.update(draft={"t": []}),
        lambda body: body.update(draft={"t": [{"tt": 0, "sg": []}]}),
        lambda body: body.update(draft="<draft>"),
        lambda body: body["draft"]["t"][0]["sg"][0].update(src="file:///etc/passwd"),
        lambda body: body["draft"]["t"][0]["sg"][0].update(src="http://127.0.0.1:1/v/x/clip.mp4"),
        lambda body: body.update(output={"format": "exe"}),
        lambda body: body.update(output={"quality": "insane"}),
        lambda body: body.update(output={"resolution": "huge"}),
        lambda body: body.update(output={"fps": "fast"}),
        lambda body: body.update(output=[]),
        lambda body: body.update(id=""),
        lambda body: body.update(id="../../x"),
        lambda body: body.pop("sessionId"),
    ],
)
def test_a_render_that_cannot_be_is_refused(caller: Caller, edited: tuple[str, dict[str, Any]], change: Change) -> None:
    session, draft = edited
    body: dict[str, Any] = {"id": "render_bad", "sessionId": session, "draft": draft, "output": {}}
    change(body)
    assert code(caller.http.post("/api/render/proxy/lambda", json=body)) == (400, 400)
    assert code(caller.http.get("/api/render/proxy/lambda/render_bad")) == (404, 404)


def test_renders_can_be_cancelled_before_and_while_they_run(caller: Caller, folder: Path, tmp_path: Path) -> None:
    session = caller.session()
    caller.upload(session, clip(tmp_path / "long.mp4", 60))
    caller.say(session, "add background music")
    draft = caller.state(session)["draft"]
    slow = {"quality": "best", "resolution": "1080p", "fps": 60}
    Caller.ok(caller.submit(session, draft, "render_running", **slow))
    Caller.ok(caller.submit(session, draft, "render_waiting", **slow))
    eventually(lambda: caller.poll("render_running")["status"] == "processing")
    assert code(caller.http.get("/api/render/proxy/render_running/download")) == (409, 409)
    assert caller.poll("render_waiting")["status"] == "pending"
    for render_id in ("render_waiting", "render_running"):
        answer = Caller.ok(caller.http.post(f"/api/render/proxy/lambda/{render_id}/cancel"))
        assert answer == {"id": render_id, "status": "cancelled"}
        assert caller.poll(render_id)["status"] == "cancelled"
    with Records(folder) as records:
        kept = {render.path.split("/")[1] for render in records.renders() if render.path}

    def swept() -> bool:
        return {place.name for place in (folder / "renders").iterdir() if not place.name.startswith(".")} == kept

    # Rendering it to the end would take a minute.
    eventually(swept, within_s=20)
    Caller.ok(caller.submit(session, draft, "render_after", quality="draft", resolution="240p"))
    assert caller.rendered("render_after")["status"] == "completed"


# ------------------------------------------------------------ the rest


@pytest.mark.parametrize("path", ["/", "/api/v1/generate", "/api/render/proxy", "/docs"])
def test_unknown_paths_are_answered_in_json(sandbox: SandboxServer, path: str) -> None:
    response = fetch("GET", sandbox.url + path)
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


def test_requests_can_be_read_afterwards(sandbox: SandboxServer, caller: Caller, folder: Path) -> None:
    session = caller.session()
    caller.say(session, "hello there")
    fetch("GET", f"{sandbox.cdn_url}/v/nothing/here.mp4", headers={"Authorization": "Bearer secret"})

    def look() -> list[Any]:
        with Records(folder) as records:
            said = [r for r in records.requests("POST", "/run_sse") if r.summary.get("session_id") == session]
            return said if said and said[0].status else []

    (said,) = eventually(look)
    assert (said.port, said.status, said.summary["text"]) == ("api", 200, "hello there")
    assert said.headers["authorization"] == "Bearer ***"
    assert {name.lower(): value for name, value in SKILL.items()}.items() <= said.headers.items()
    with Records(folder) as records:
        (fetched,) = records.requests(path="/v/nothing/")
    assert (fetched.port, fetched.status, fetched.headers["authorization"]) == ("cdn", 404, "Bearer ***")


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:0", "192.168.1.2:80", "[::]:0", "example.com:80", "nonsense", "127.0.0.1:x"]
)
def test_it_listens_on_loopback_only(tmp_path: Path, listen: str) -> None:
    with pytest.raises(OperatorError):
        SandboxServer(tmp_path, listen=listen)
    with pytest.raises(OperatorError):
        SandboxServer(tmp_path, cdn_listen=listen)


def test_two_sandboxes_cannot_share_a_folder(sandbox: SandboxServer, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="Another sandbox"):
        SandboxServer(folder).start()
    with pytest.raises(OperatorError, match="cannot listen"):
        SandboxServer(tmp_path, listen=sandbox.url.removeprefix("http://")).start()
    with SandboxServer(tmp_path) as other:
        assert fetch("GET", other.url).status_code == 404


def test_it_stops_and_starts_with_the_same_addresses(tmp_path: Path) -> None:
    server, threads = SandboxServer(tmp_path), set(threading.enumerate())
    with server, Caller(server.url) as caller:
        session, token = caller.session(), caller.token
        url = Caller.ok(caller.try_upload(session, ("clip.mp4", clip_bytes())))["files"][0]["cdn_url"]
    assert set(threading.enumerate()) <= threads
    with server, Caller(server.url, token=token) as caller:
        assert caller.state(session)["video_infos"][0]["cdn_url"] == url
        assert fetch("GET", url).content == clip_bytes()
