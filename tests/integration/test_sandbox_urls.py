"""Uploads by address: fetched from a server of raw bytes on loopback, which is let pass for it by name."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemo_watch.sandbox.addresses import read_url
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.fetching import Fetcher
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.sandbox.wire import Refusal
from tests.plain_server import Answer, Plain, elsewhere, raw, reply, stream
from tests.sandbox_wire import Caller, clip_bytes

CLIP = clip_bytes(3.0)
TWICE = gzip.compress(CLIP[:70_000]) + gzip.compress(CLIP[70_000:])
LIMIT = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def origin() -> Iterator[Plain]:
    """A server somewhere else, as far as 127.0.0.1 is that."""
    with elsewhere() as plain:
        yield plain


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def sandbox(store: Path) -> Iterator[SandboxServer]:
    passes = ("127.0.0.1", "::1")
    with SandboxServer(store, max_upload_bytes=LIMIT, fetches_from=passes, credits=10**9) as server:
        yield server


@pytest.fixture
def caller(sandbox: SandboxServer) -> Iterator[Caller]:
    with Caller(sandbox.url) as one:
        yield one


def fetch(caller: Caller, session: str, *urls: Any) -> httpx.Response:
    body = {"urls": list(urls), "source_type": "url"}
    return caller.http.post(f"/api/upload-video/nemo_agent/me/{session}", json=body)


def refused(response: httpx.Response) -> tuple[int, str]:
    body = response.json()
    return body["code"], body["message"]


def test_a_file_is_fetched_and_edited(caller: Caller, origin: Plain, store: Path) -> None:
    origin.on("/films/my%20clip.mp4", reply(CLIP, kind="video/mp4"))
    session = caller.session()
    answer = fetch(caller, session, f"{origin.url}/films/my%20clip.mp4?sig=s3cret")
    (file,) = Caller.ok(answer)["files"]
    assert (file["filename"], file["file_type"], file["duration"]) == ("my clip.mp4", "video", 3.0)
    assert answer.json()["data"]["session_state_applied"] is True
    assert [held["cdn_url"] for held in caller.state(session)["video_infos"]] == [file["cdn_url"]]
    assert httpx.get(file["cdn_url"], trust_env=False, verify=False).content == CLIP
    asked = origin.seen[-1]
    assert asked.path == "/films/my%20clip.mp4?sig=s3cret"
    assert asked.headers["host"] == origin.url.removeprefix("http://")
    assert "cookie" not in asked.headers
    assert "authorization" not in asked.headers
    caller.say(session, "trim to 2 seconds")
    assert caller.state(session)["draft"]["t"]
    with Records(store) as records:
        (logged,) = records.requests("POST", session)
        assert logged.summary["urls"] == [f"{origin.url}/films/my%20clip.mp4"]
        assert logged.summary["files"] == [{"filename": "my clip.mp4", "size_bytes": len(CLIP)}]


@pytest.mark.parametrize("profile", ["adk1", "adk2", "gateway"])
def test_every_other_profile_fetches_and_refuses(tmp_path: Path, origin: Plain, profile: str) -> None:
    origin.on("/clip.mp4", reply(CLIP))
    passes = ("127.0.0.1", "::1")
    with (
        SandboxServer(tmp_path, profile=profile, fetches_from=passes) as server,
        Caller(server.url, token=token(server)) as caller,
    ):
        opened = caller.http.post("/api/tasks/me/with-session/nemo_agent", json={"task_name": "p"}).json()
        session = opened.get("data", opened)["session_id"]
        good = fetch(caller, session, f"{origin.url}/clip.mp4").json()
        assert good.get("data", good)["files"][0]["filename"] == "clip.mp4"
        bad = fetch(caller, session, "http://10.0.0.1/clip.mp4")
        assert bad.status_code in (200, 400)
        assert "10.0.0.1/clip.mp4 is not fetched" in bad.text


def token(server: SandboxServer) -> str:
    answer = httpx.post(
        f"{server.url}/api/auth/anonymous-token", headers={"X-Client-Id": "c"}, trust_env=False, verify=False
    ).json()
    return str(answer.get("data", answer)["token"])


@pytest.mark.parametrize(
    ("path", "headers", "kind", "name"),
    [
        ("/a.MP4", {}, "text/plain", "a.MP4"),
        ("/video", {}, "video/mp4", "video.mp4"),
        ("/", {}, "video/mp4; x=y", "file.mp4"),
        ("/d", {"Content_Disposition": 'attachment; filename="cat \\"1\\".mp4"'}, "x/y", 'cat "1".mp4'),
        ("/e", {"Content_Disposition": "attachment; filename*=UTF-8''%E7%A7%8B.mp4"}, "x/y", "秋.mp4"),
        ("/f", {"Content_Disposition": "attachment; filename=../../etc/x.mp4"}, "x/y", "x.mp4"),
        ("/g.php", {"Content_Disposition": "inline; filename=g.mp4"}, "x/y", "g.mp4"),
        ("/%2e%2e%2fh.mp4", {}, "x/y", "h.mp4"),
    ],
)
def test_the_name_is_the_address_s_or_the_answer_s(
    caller: Caller, origin: Plain, path: str, headers: dict[str, str], kind: str, name: str
) -> None:
    origin.on(path, reply(CLIP, kind=kind, **headers))
    (file,) = Caller.ok(fetch(caller, caller.session(), origin.url + path))["files"]
    assert file["filename"] == name


def head(length: int, more: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{more}\r\n".encode()


BAD: dict[str, tuple[Answer, int, str]] = {
    "not there": (reply("no", 404), 400, "answered with 404"),
    "not allowed": (reply("no", 403), 400, "answered with 403"),
    "nothing": (reply("", 204), 400, "answered with 204"),
    "busy": (reply("no", 503), 502, "answered with 503"),
    "too many": (reply("no", 429), 502, "answered with 429"),
    "not media": (reply(b"<html>", kind="text/html"), 4001, "is not accepted"),
    "announced too large": (raw(head(LIMIT + 1) + b"x"), 4002, "larger than 3 MB"),
    "too large": (stream(*[bytes(1 << 20)] * 4), 4002, "larger than 3 MB"),
    "a bomb": (
        reply(gzip.compress(bytes(8 * 1024 * 1024)), Content_Encoding="gzip"),
        4002,
        "larger than 3 MB",
    ),
    "short": (raw(head(len(CLIP)) + CLIP[:-1]), 502, "ended before its end"),
    "broken off": (stream(CLIP[:5000], end=False), 502, "ended before its end"),
    "half a gzip": (reply(gzip.compress(CLIP)[:-9], Content_Encoding="gzip"), 502, "ended before its end"),
    "half of a second gzip": (reply(TWICE[:-9], Content_Encoding="gzip"), 502, "ended before its end"),
    "rubbish behind a gzip": (reply(gzip.compress(CLIP) + b"\0more", Content_Encoding="gzip"), 502, "damaged"),
    "a bomb in pieces": (reply(gzip.compress(bytes(1 << 20)) * 8, Content_Encoding="gzip"), 4002, "larger than 3 MB"),
    "a damaged gzip": (reply(b"\x1f\x8b nothing", Content_Encoding="gzip"), 502, "damaged"),
    "brotli": (reply(CLIP, Content_Encoding="br"), 502, "unknown way"),
    "two lengths": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 502, "ended"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH\r\n\r\n"), 502, "ended"),
    "no place": (reply("", 302), 502, "redirects to nowhere"),
    "a loop": (reply("", 302, Location="/loop.mp4"), 400, "more than 5 times"),
    "a file": (reply("", 302, Location="file:///etc/passwd"), 400, "not followed"),
    "a private host": (reply("", 301, Location="http://10.0.0.1/clip.mp4"), 400, "is not fetched"),
    "metadata": (reply("", 307, Location="http://169.254.169.254/latest/clip.mp4"), 400, "is not fetched"),
    "another loopback": (reply("", 308, Location="http://127.0.0.2/clip.mp4"), 400, "is not fetched"),
    "loopback in IPv6": (reply("", 303, Location="http://[::ffff:127.0.0.1]/clip.mp4"), 400, "is not fetched"),
    "loopback by number": (reply("", 302, Location="http://2130706434/clip.mp4"), 400, "is not fetched"),
}


@pytest.mark.parametrize("which", BAD)
def test_what_goes_wrong_is_told_and_leaves_nothing(caller: Caller, origin: Plain, store: Path, which: str) -> None:
    answer, code, sentence = BAD[which]
    origin.on("/loop.mp4", answer)
    session = caller.session()
    secret = origin.url.replace("http://", "http://ann:s3cret@") + "/loop.mp4?key=s3cret"
    told = fetch(caller, session, secret)
    assert refused(told)[0] == code, told.text
    assert sentence in told.text
    for word in ("s3cret", "ann", "key="):
        assert word not in told.text
    assert list((store / "sessions").glob(f"{session}/*")) == []
    assert caller.state(session)["video_infos"] == []


@pytest.mark.parametrize("packed", [gzip.compress(CLIP), TWICE, TWICE + bytes(512)], ids=["one", "two", "filled up"])
def test_packed_although_nobody_asked_for_that(caller: Caller, origin: Plain, packed: bytes) -> None:
    origin.on("/packed.mp4", reply(packed, Content_Encoding="gzip"))
    (file,) = Caller.ok(fetch(caller, caller.session(), f"{origin.url}/packed.mp4"))["files"]
    assert httpx.get(file["cdn_url"], trust_env=False, verify=False).content == CLIP
    assert origin.seen[-1].headers["accept-encoding"] == "identity"


def test_five_redirects_are_followed_and_credentials_stay(caller: Caller, origin: Plain) -> None:
    before = len(origin.seen)
    for n in range(4):
        origin.on(f"/{n}.mp4", reply("", 302, Location=f"{n + 1}.mp4", Set_Cookie="a=b"))
    # the same server by another name is another origin
    origin.on("/4.mp4", reply("", 302, Location=origin.url.replace("localhost", "127.0.0.1") + "/5.mp4"))
    origin.on("/5.mp4", reply(CLIP))
    (file,) = Caller.ok(fetch(caller, caller.session(), origin.url.replace("//", "//ann:pw@") + "/0.mp4"))["files"]
    assert file["filename"] == "0.mp4"
    asked = origin.seen[before:]
    assert [request.headers.get("authorization") for request in asked] == ["Basic YW5uOnB3"] * 5 + [None]
    assert all("cookie" not in request.headers for request in asked)


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "127.2", "0.0.0.0", "0", "[::]", "10.1.2.3", "169.254.169.254", "[fe80::1]", "[64:ff9b::1]"]
)
def test_a_host_that_is_not_public_is_never_asked(caller: Caller, host: str) -> None:
    code, sentence = refused(fetch(caller, caller.session(), f"http://{host}/clip.mp4?k=s3cret"))
    assert (code, "is not fetched" in sentence, "s3cret" in sentence) == (400, True, False)


def test_without_leave_loopback_is_never_asked(tmp_path: Path, origin: Plain) -> None:
    before = len(origin.seen)
    with SandboxServer(tmp_path) as server, Caller(server.url) as caller:
        for url in (origin.url, origin.url.replace("localhost", "127.0.0.1"), server.url, server.cdn_url):
            assert refused(fetch(caller, caller.session(), f"{url}/clip.mp4"))[0] == 400
    assert len(origin.seen) == before


def test_a_name_is_resolved_once_and_that_address_is_asked(
    caller: Caller, origin: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means something else a moment later: the connection goes to what was checked."""
    asked: list[str] = []
    port = int(origin.url.rpartition(":")[2])
    origin.on("/rebound.mp4", reply(CLIP))
    real = socket.getaddrinfo

    def changing(host: Any, *more: Any, **named: Any) -> Any:
        if host != "media.example":
            return real(host, *more, **named)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "10.0.0.1", *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    Caller.ok(fetch(caller, caller.session(), f"http://media.example:{port}/rebound.mp4"))
    assert asked == ["media.example"]
    assert origin.seen[-1].headers["host"] == f"media.example:{port}"
    assert refused(fetch(caller, caller.session(), f"http://media.example:{port}/rebound.mp4"))[0] == 400


async def test_a_resolver_that_hangs_keeps_no_thread_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end, real = threading.Event(), socket.getaddrinfo

    def hanging(host: Any, *more: Any, **named: Any) -> Any:
        if str(host).endswith(".example"):
            end.wait(20)
        return real(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    fetcher = Fetcher(("127.0.0.1",), total_s=0.2, stall_s=0.2)
    try:
        for _ in range(2):
            urls = [read_url(f"http://{n}.example/a.mp4") for n in range(3)]
            told = await asyncio.gather(*(fetcher.fetch(url, tmp_path, LIMIT) for url in urls), return_exceptions=True)
            assert [error.code for error in told if isinstance(error, Refusal)] == [504] * 3
            await asyncio.wait_for(asyncio.to_thread(list), 2)
    finally:
        end.set()
        fetcher.close()


def test_the_environment_names_no_proxy_and_no_password(
    caller: Caller, origin: Plain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login ann password pw\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    origin.on("/direct.mp4", reply(CLIP))
    Caller.ok(fetch(caller, caller.session(), f"{origin.url}/direct.mp4"))
    assert "authorization" not in origin.seen[-1].headers


def test_nothing_secret_is_logged(caller: Caller, origin: Plain, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    origin.on("/logged.mp4", reply("no", 500))
    fetch(caller, caller.session(), origin.url.replace("//", "//ann:s3cret@") + "/logged.mp4?k=s3cret")
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"urls": []},
        {"urls": "http://a.example/a.mp4"},
        {"urls": [1]},
        {"urls": ["http://a.example/a.mp4"] * 9},
        {"urls": ["http://a.example/a.mp4"], "source_type": "file"},
        {"urls": ["ftp://a.example/a.mp4"], "source_type": "url"},
    ],
)
def test_a_body_that_names_no_addresses_is_refused(caller: Caller, body: dict[str, Any]) -> None:
    answer = caller.http.post(f"/api/upload-video/nemo_agent/me/{caller.session()}", json=body)
    assert refused(answer)[0] == 400


def test_all_or_none(caller: Caller, origin: Plain, store: Path) -> None:
    origin.on("/one.mp4", reply(CLIP))
    origin.on("/two.mp4", reply("", 404))
    origin.on("/three.srt", reply(b"1\n00:00:00,000 --> 00:00:01,000\nHi\n"))
    session = caller.session()
    assert refused(fetch(caller, session, f"{origin.url}/one.mp4", f"{origin.url}/two.mp4"))[0] == 400
    assert list((store / "sessions").glob(f"{session}/*")) == []
    files = Caller.ok(fetch(caller, session, f"{origin.url}/one.mp4", f"{origin.url}/three.srt"))["files"]
    assert [file["file_type"] for file in files] == ["video", "subtitle"]


def test_it_is_kept_before_it_is_answered(tmp_path: Path, origin: Plain) -> None:
    """An answer that is lost on the way does not take the file along; nor does a stop."""
    origin.on("/kept.mp4", reply(CLIP))
    lost = Faults([Fault(on="upload", do="lose")])
    passes = ("127.0.0.1", "::1")
    with SandboxServer(tmp_path, faults=lost, fetches_from=passes) as server, Caller(server.url) as caller:
        session, held = caller.session(), caller.token
        with pytest.raises(httpx.TransportError):
            fetch(caller, session, f"{origin.url}/kept.mp4")
    with SandboxServer(tmp_path) as server, Caller(server.url, token=held) as caller:
        (info,) = caller.state(session)["video_infos"]
        assert httpx.get(info["cdn_url"], trust_env=False, verify=False).content == CLIP


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"http://127\.0\.0\.2[\w@:.\[\]%/?#-]{0,30}", fullmatch=True))
def test_any_url_is_answered(caller: Caller, url: str) -> None:
    answer = fetch(caller, "1", url)
    assert answer.json()["code"] == 1002
    session = caller.session()
    assert fetch(caller, session, url.encode("utf-8", "replace").decode()).json()["code"] in (400, 502)
