"""The client against a real HTTP server: every shape of answer and every way a connection can fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.client import Client, Credentials, Timeouts, UploadSource
from nemo_watch.errors import (
    CloudError,
    ConfigError,
    FolderError,
    MediaError,
    RefusedError,
    UnintelligibleError,
    UnreachableError,
)
from nemo_watch.model import Export, SkillHeaders, Turn
from tests.plain_server import Answer, Plain, Request, raw, reply, serving, stream

SKILL = SkillHeaders("ai-video-pro-online", "1.0.0", "unknown")
TOKEN = "/api/auth/anonymous-token"
BALANCE = "/api/credits/balance/simple"
SESSION = "/api/tasks/me/with-session/nemo_agent"
STATE = "/api/state/nemo_agent/me/77/latest"
UPLOAD = "/api/upload-video/nemo_agent/me/77"
SUBMIT = "/api/render/proxy/lambda"
QUICK = Timeouts(connect_s=2, call_s=2, stall_s=2, upload_answer_s=2, turn_s=5, silent_s=2, after_done_s=0.3)


def ok(data: Any, **more: Any) -> Answer:
    return reply(json.dumps({"code": 0, "data": data}), **more)


def token(name: str, **more: Any) -> Answer:
    ends_at = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    return ok({"token": name, "user_id": "anon_1", "expires_at": ends_at, **more})


def events(*items: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(item).encode() + b"\n\n" for item in items)


def said(text: str) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text}], "role": "model"}}


@pytest.fixture
async def server() -> AsyncIterator[Plain]:
    async with serving() as plain:
        plain.on(TOKEN, token("nmv_usr_first"), token("nmv_usr_second"))
        yield plain


def make(server: Plain | str, tmp_path: Path, timeouts: Timeouts = QUICK, **env: str) -> Client:
    url = server if isinstance(server, str) else server.url
    credentials = Credentials(str(tmp_path / "state"), account=url, env=env)
    return Client(api_url=url, web_url="https://web.example.com", credentials=credentials, timeouts=timeouts)


@pytest.fixture
async def client(server: Plain, tmp_path: Path) -> AsyncIterator[Client]:
    made = make(server, tmp_path)
    yield made
    await made.aclose()


def source(content: bytes, name: str = "clip.mp4", size_bytes: int | None = None) -> UploadSource:
    async def read(offset: int, count: int) -> bytes:
        return content[offset : offset + count]

    return UploadSource(name, len(content) if size_bytes is None else size_bytes, "video/mp4", read)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class TestAccount:
    async def test_an_anonymous_token_is_asked_for_once_and_kept(
        self, server: Plain, client: Client, tmp_path: Path
    ) -> None:
        server.on(BALANCE, ok({"available": 100}))
        for _ in range(3):
            assert (await client.balance(SKILL)).available == 100
        [asked] = server.calls(TOKEN)
        assert len(asked.headers["x-client-id"]) == 36
        assert "authorization" not in asked.headers
        assert {call.headers["authorization"] for call in server.calls(BALANCE)} == {"Bearer nmv_usr_first"}
        for name in ("client_id", "token.json"):
            assert stat.S_IMODE((tmp_path / "state" / name).stat().st_mode) == 0o600

        again = make(server, tmp_path)
        await again.balance(SKILL)
        await again.aclose()
        assert len(server.calls(TOKEN)) == 1
        assert again.credentials.user_id == "anon_1"

    async def test_all_three_skill_headers_go_with_every_authenticated_call(
        self, server: Plain, client: Client, tmp_path: Path
    ) -> None:
        server.on(BALANCE, ok({"available": 1}))
        server.on(SESSION, ok({"session_id": 5529798706024415232}))
        server.on(STATE, ok({"state": {}}))
        server.on(UPLOAD, ok({"files": [{"cdn_url": "https://c/x"}]}))
        server.on("/run_sse", stream(events(said("hi"))))
        server.on(SUBMIT, ok({"id": "r1", "status": "pending"}))
        server.on(f"{SUBMIT}/r1", reply('{"taskId":"r1","status":"pending"}'))
        server.on("/api/render/proxy/r1/download", reply(b"video", kind="video/mp4"))
        await client.balance(SKILL)
        session = await client.open_session("My clip", "en", SKILL)
        assert session.session_id == "5529798706024415232"
        await client.state("77", SKILL)
        await client.upload("77", source(b"x" * 10), SKILL)
        await client.say("77", "cut", SKILL)
        await client.submit_render("r1", "77", {}, Export(), SKILL)
        await client.render_status("r1", SKILL)
        await client.download_fallback("r1", str(tmp_path / "o.mp4"), SKILL)
        calls = [call for call in server.seen if call.path != TOKEN]
        assert len(calls) == 8
        for call in calls:
            assert call.headers["authorization"] == "Bearer nmv_usr_first"
            assert call.headers["x-skill-source"] == "ai-video-pro-online"
            assert call.headers["x-skill-version"] == "1.0.0"
            assert call.headers["x-skill-platform"] == "unknown"

    async def test_empty_or_odd_skill_headers_are_never_sent(self, server: Plain, client: Client) -> None:
        server.on(BALANCE, ok({"available": 1}))
        await client.balance(SkillHeaders("", "1\r\nX-Evil: 1", "ü"))
        [call] = server.calls(BALANCE)
        assert call.headers["x-skill-source"] == "nemo-watch"
        assert call.headers["x-skill-version"] == "1??X-Evil: 1"
        assert "x-evil" not in call.headers

    async def test_a_refused_anonymous_token_is_renewed_once_with_the_same_client_id(
        self, server: Plain, client: Client
    ) -> None:
        server.on(BALANCE, reply('{"code":1001,"message":"expired"}'), ok({"available": 7}))
        assert (await client.balance(SKILL)).available == 7
        first, second = server.calls(TOKEN)
        assert first.headers["x-client-id"] == second.headers["x-client-id"]
        assert server.calls(BALANCE)[1].headers["authorization"] == "Bearer nmv_usr_second"

    async def test_a_second_refusal_is_final(self, server: Plain, client: Client) -> None:
        server.on(BALANCE, reply("", status=401))
        with pytest.raises(RefusedError) as caught:
            await client.balance(SKILL)
        assert caught.value.code == "1001"
        assert len(server.calls(BALANCE)) == 2

    async def test_calls_at_the_same_time_renew_together(self, server: Plain, client: Client) -> None:
        async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
            good = request.headers["authorization"].endswith("second")
            await (ok({"available": 7}) if good else reply('{"code":1001}'))(request, writer)

        server.on(BALANCE, answer)
        found = await asyncio.gather(*(client.balance(SKILL) for _ in range(12)))
        assert {balance.available for balance in found} == {7}
        assert len(server.calls(TOKEN)) == 2

    async def test_a_paid_call_is_repeated_after_a_complete_1001_only(self, server: Plain, client: Client) -> None:
        server.on("/run_sse", reply('{"code":1001}'), stream(events(said("done"))))
        assert await client.say("77", "cut", SKILL) == Turn("done")
        assert len(server.calls("/run_sse")) == 2
        server.on("/run_sse", stream(events({"code": 1001, "message": "expired"})))
        assert (await client.say("77", "cut", SKILL)).error_code == "1001"
        assert len(server.calls("/run_sse")) == 3

    async def test_a_given_token_is_never_exchanged(self, server: Plain, tmp_path: Path) -> None:
        server.on(BALANCE, reply('{"code":1001}'))
        client = make(server, tmp_path, NEMO_TOKEN="nmv_usr_mine")
        with pytest.raises(RefusedError) as caught:
            await client.balance(SKILL)
        await client.aclose()
        assert caught.value.code == "1001"
        assert not server.calls(TOKEN)
        assert not client.credentials.is_anonymous
        assert "nmv_usr_mine" not in f"{client!r} {caught.value} {caught.value.hint} {client.credentials!r}"

    async def test_the_token_file_is_read_again_when_it_changes(self, server: Plain, tmp_path: Path) -> None:
        server.on(BALANCE, ok({"available": 1}))
        path = tmp_path / "token"
        path.write_text("nmv_usr_one\n")
        credentials = Credentials(str(tmp_path), account=server.url, env={"NEMO_TOKEN": "x"}, token_file=str(path))
        client = Client(api_url=server.url, web_url="https://web.example.com", credentials=credentials)
        await client.balance(SKILL)
        path.write_text("nmv_usr_three\n")
        await client.balance(SKILL)
        assert [call.headers["authorization"] for call in server.calls(BALANCE)] == [
            "Bearer nmv_usr_one",
            "Bearer nmv_usr_three",
        ]
        path.write_text("")
        with pytest.raises(ConfigError):
            await client.balance(SKILL)
        path.unlink()
        with pytest.raises(ConfigError, match="cannot be read"):
            await client.balance(SKILL)
        await client.aclose()

    async def test_the_quota_of_tokens_names_its_end(self, server: Plain, client: Client) -> None:
        server.on(TOKEN, reply('{"code":429,"message":"1 token per client"}', status=429, Retry_After="86400"))
        with pytest.raises(RefusedError) as caught:
            await client.balance(SKILL)
        error = caught.value
        assert error.code == "token_quota"
        assert error.until is not None
        assert abs((error.until - datetime.now(UTC)).total_seconds() - 86400) < 60
        assert f"{error.until:%Y-%m-%d}" in error.hint
        with pytest.raises(RefusedError) as again:
            await client.balance(SKILL)
        assert again.value.code == "token_quota"
        assert len(server.calls(TOKEN)) == 1

    async def test_the_quota_without_a_date_is_seven_days(self, server: Plain, client: Client) -> None:
        server.on(TOKEN, reply("slow down", status=429, kind="text/plain"))
        with pytest.raises(RefusedError) as caught:
            await client.ensure_token()
        assert caught.value.until is not None
        assert caught.value.until > datetime.now(UTC) + timedelta(days=6)

    async def test_the_quota_may_be_stated_in_the_answer(self, server: Plain, client: Client) -> None:
        server.on(TOKEN, reply('{"code":429,"data":{"retry_at":"2099-01-02T00:00:00Z"}}', status=429))
        with pytest.raises(RefusedError) as caught:
            await client.ensure_token()
        assert caught.value.until == datetime(2099, 1, 2, tzinfo=UTC)

    async def test_a_short_rate_limit_of_tokens_is_waited_out_once(self, server: Plain, client: Client) -> None:
        server.on(TOKEN, reply("", status=429, Retry_After="0"), token("nmv_usr_late"))
        server.on(BALANCE, ok({"available": 1}))
        await client.balance(SKILL)
        assert server.calls(BALANCE)[0].headers["authorization"] == "Bearer nmv_usr_late"

    async def test_a_client_id_that_is_not_taken_is_replaced_once(self, server: Plain, client: Client) -> None:
        server.on(TOKEN, reply('{"detail":"X-Client-Id"}', status=400), token("nmv_usr_x"))
        await client.ensure_token()
        first, second = server.calls(TOKEN)
        assert first.headers["x-client-id"] != second.headers["x-client-id"] == client.credentials.client_id()

    async def test_an_ended_token_is_still_used_while_there_is_no_other(self, server: Plain, client: Client) -> None:
        server.on(TOKEN, ok({"token": "nmv_usr_old", "expires_at": "2020-01-01T00:00:00Z"}), reply("", status=429))
        server.on(BALANCE, ok({"available": 1}))
        await client.balance(SKILL)
        assert client.credentials.expires_within(3600)
        await client.balance(SKILL)
        assert server.calls(BALANCE)[1].headers["authorization"] == "Bearer nmv_usr_old"

    async def test_tokens_are_kept_per_backend(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on(BALANCE, ok({"available": 1}))
        await client.balance(SKILL)
        other = Credentials(str(tmp_path / "state"), account="https://other.example.com", env={})
        assert other.kept() is None
        assert not other.expires_within(1e9)
        assert other.client_id() == client.credentials.client_id()

    def test_order_of_client_ids(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        (home / ".config" / "nemovideo").mkdir(parents=True)
        (home / ".config" / "nemovideo" / "client_id").write_text("from-home\n")
        state = tmp_path / "state"
        of_home = Credentials(str(state), account="a", env={"HOME": str(home)})
        assert of_home.client_id() == "from-home"
        assert not state.exists()
        made = Credentials(str(state), account="a", env={}).client_id()
        assert of_home.client_id() == made == (state / "client_id").read_text()
        assert Credentials(str(state), account="a", env={"NEMO_CLIENT_ID": "mine"}).client_id() == "mine"
        assert Credentials(str(state), account="a", env={"NEMO_CLIENT_ID": "x" * 65}).client_id() == made

    def test_order_of_tokens(self, tmp_path: Path) -> None:
        (tmp_path / "nemo_token").write_text("of-systemd")
        (tmp_path / "file").write_text("of-file")
        env = {"NEMO_TOKEN": "of-env", "CREDENTIALS_DIRECTORY": str(tmp_path)}
        file = str(tmp_path / "file")
        assert Credentials("s", account="a", env=env, token_file=file).given() == "of-systemd"
        assert Credentials("s", account="a", env={"NEMO_TOKEN": "of-env"}, token_file=file).given() == "of-file"
        assert Credentials("s", account="a", env={"NEMO_TOKEN": "of-env"}).given() == "of-env"
        assert Credentials("s", account="a", env={"NEMO_TOKEN": ""}).given() == ""
        with pytest.raises(ConfigError):
            Credentials("s", account="a", env={"NEMO_TOKEN": "two words"}).given()

    def test_a_broken_token_store_is_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "token.json").write_bytes(b"\xff{")
        credentials = Credentials(str(tmp_path), account="a", env={})
        assert credentials.kept() is None
        assert credentials.expires_at is None

    def test_a_state_folder_that_cannot_be_written_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("a file")
        with pytest.raises(FolderError) as caught:
            Credentials(str(tmp_path / "state"), account="a", env={}).client_id()
        assert caught.value.code == "state_folder"


class TestFailures:
    async def test_nothing_listens(self, tmp_path: Path) -> None:
        client = make(f"http://127.0.0.1:{free_port()}", tmp_path, NEMO_TOKEN="x")
        for call in (client.balance(SKILL), client.say("77", "cut", SKILL)):
            with pytest.raises(UnreachableError, match="connection refused") as caught:
                await call
            assert caught.value.refused
        await client.aclose()

    async def test_a_name_that_does_not_resolve(self, tmp_path: Path) -> None:
        client = make("https://nemo-watch-test.invalid", tmp_path, NEMO_TOKEN="x")
        with pytest.raises(UnreachableError) as caught:
            await client.say("77", "cut", SKILL)
        assert caught.value.refused
        await client.aclose()

    @pytest.mark.parametrize(
        "answer",
        [
            raw(b""),
            raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"),
            raw(b"\x16\x03\x01 this is not http\r\n\r\n"),
        ],
    )
    async def test_a_break_leaves_a_doubt(self, server: Plain, client: Client, answer: Answer) -> None:
        server.on("/run_sse", answer)
        server.on(BALANCE, answer)
        with pytest.raises(UnreachableError) as caught:
            await client.say("77", "cut", SKILL)
        assert not caught.value.refused
        with pytest.raises(UnreachableError):
            await client.balance(SKILL)
        assert len(server.calls("/run_sse")) == 1

    async def test_silence_ends_in_a_doubt(self, server: Plain, tmp_path: Path) -> None:
        async def never(_request: Request, writer: asyncio.StreamWriter) -> None:
            await writer.drain()
            await asyncio.sleep(30)

        server.on("/run_sse", never)
        client = make(server, tmp_path, Timeouts(silent_s=0.2, call_s=0.2), NEMO_TOKEN="x")
        with pytest.raises(UnreachableError, match="did not answer in time") as caught:
            await client.say("77", "cut", SKILL)
        assert not caught.value.refused
        await client.aclose()

    async def test_a_proxys_page(self, server: Plain, client: Client) -> None:
        server.on(BALANCE, reply("<html><h1>502 Bad Gateway</h1>", status=502, kind="text/html"))
        with pytest.raises(UnintelligibleError, match="502 Bad Gateway") as caught:
            await client.balance(SKILL)
        assert caught.value.status == 502

    async def test_an_endless_answer_is_bounded(self, server: Plain, client: Client) -> None:
        async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
            while True:
                writer.write(b"1," * 100_000)
                await writer.drain()

        server.on(BALANCE, endless)
        with pytest.raises(UnintelligibleError, match="without an end"):
            await client.balance(SKILL)

    async def test_a_redirect_of_the_api_is_not_followed(self, server: Plain, client: Client) -> None:
        async with serving() as other:
            server.on(BALANCE, reply("", status=307, Location=other.url + BALANCE))
            with pytest.raises(UnintelligibleError, match="redirect"):
                await client.balance(SKILL)
            assert not other.seen

    async def test_retry_after_is_given_on(self, server: Plain, client: Client) -> None:
        server.on(STATE, reply('{"code":429}', status=429, Retry_After="17"))
        with pytest.raises(RefusedError) as caught:
            await client.state("77", SKILL)
        assert (caught.value.code, caught.value.retry_after_s, caught.value.refused) == ("429", 17.0, True)

    async def test_links_for_people(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on("/run_sse", reply('{"code":2001,"message":"no credits"}'))
        with pytest.raises(RefusedError) as caught:
            await client.say("77", "cut", SKILL)
        assert caught.value.link == "https://web.example.com/register?bind=anon_1"
        server.on(SUBMIT, reply('{"message":"plan"}', status=402))
        with pytest.raises(RefusedError) as caught:
            await client.submit_render("r1", "77", {}, Export(), SKILL)
        assert (caught.value.code, caught.value.link) == ("402", "https://web.example.com/register?bind=anon_1")
        registered = make(server, tmp_path, NEMO_TOKEN="nmv_usr_mine")
        with pytest.raises(RefusedError) as caught:
            await registered.say("77", "cut", SKILL)
        assert caught.value.link == "https://web.example.com"
        await registered.aclose()

    def test_plain_http_only_for_this_machine(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="plain http"):
            make("http://api.example.com", tmp_path)


class TestTurns:
    async def say(self, server: Plain, client: Client, *answers: Answer) -> Turn:
        server.on("/run_sse", *answers)
        return await client.say("77", "cut the pauses", SKILL)

    async def test_the_request(self, server: Plain, client: Client) -> None:
        await self.say(server, client, stream(events(said("ok"))))
        [call] = server.calls("/run_sse")
        assert json.loads(call.body) == {
            "app_name": "nemo_agent",
            "user_id": "me",
            "session_id": "77",
            "new_message": {"parts": [{"text": "cut the pauses"}]},
        }
        assert call.headers["accept"] == "text/event-stream"
        assert call.headers["accept-encoding"] == "identity"

    async def test_events_cut_anywhere(self, server: Plain, client: Client) -> None:
        whole = b": hi\r\n\r\ndata:\r\n\r\n" + events(said("Größe ")).replace(b"\n", b"\r\n")
        whole += (
            'data: {"content":{"parts":\ndata: [{"text":"片 done"}]}}\n\n'.encode() + b"event: heartbeat\ndata: 1\n\n"
        )
        turn = await self.say(server, client, stream(*(whole[i : i + 1] for i in range(len(whole)))))
        assert turn == Turn("Größe 片 done")

    async def test_utf8_that_is_not_escaped_over_chunks(self, server: Plain, client: Client) -> None:
        data = 'data: {"text":"片🎬é"}\n\n'.encode()
        assert (await self.say(server, client, stream(*(data[i : i + 1] for i in range(len(data)))))).text == "片🎬é"

    async def test_a_last_event_without_its_blank_line(self, server: Plain, client: Client) -> None:
        assert await self.say(server, client, stream(b'\xef\xbb\xbfdata: {"text":"a"}\n\ndata: {"text":"b"}')) == Turn(
            "ab"
        )

    async def test_a_charset_that_lies(self, server: Plain, client: Client) -> None:
        data = 'data: {"text":"片"}\n\n'.encode()
        answer = stream(data, kind="text/event-stream; charset=iso-8859-1")
        assert (await self.say(server, client, answer)).text == "片"

    async def test_a_stream_that_breaks_off_keeps_what_came(self, server: Plain, client: Client) -> None:
        assert await self.say(server, client, stream(events(said("half")), end=False)) == Turn("half", ended=False)
        assert await self.say(server, client, stream(end=False)) == Turn("", ended=False)

    async def test_a_break_after_the_end_mark_is_no_break(self, server: Plain, client: Client) -> None:
        answer = stream(events(said("all")), b"data: [DONE]\n\n", end=False)
        assert await self.say(server, client, answer) == Turn("all")

    async def test_a_connection_left_open_after_the_end_mark(self, server: Plain, client: Client) -> None:
        answer = stream(events(said("all")), b"data: [DONE]\n\n", b"", gap_s=1.5)
        assert await self.say(server, client, answer) == Turn("all")

    async def test_heartbeats_alone_end_after_the_silent_time(self, server: Plain, tmp_path: Path) -> None:
        server.on("/run_sse", stream(events(said("a")), *[b'data: {"type":"heartbeat"}\n\n'] * 100, gap_s=0.05))
        client = make(server, tmp_path, Timeouts(silent_s=0.4, turn_s=60), NEMO_TOKEN="x")
        heard: list[str] = []
        assert await client.say("77", "cut", SKILL, heard.append) == Turn("a", ended=False)
        assert len(heard) > 2
        assert set(heard) == {"a"}
        await client.aclose()

    async def test_content_without_end_ends_after_the_turns_time(self, server: Plain, tmp_path: Path) -> None:
        server.on("/run_sse", stream(*[events({"text": "x"})] * 200, gap_s=0.02))
        client = make(server, tmp_path, Timeouts(silent_s=0.3, turn_s=0.6), NEMO_TOKEN="x")
        turn = await client.say("77", "cut", SKILL)
        assert not turn.ended
        assert len(turn.text) > 5
        await client.aclose()

    async def test_content_keeps_a_turn_alive_beyond_the_silent_time(self, server: Plain, tmp_path: Path) -> None:
        server.on("/run_sse", stream(*[events({"text": "x"})] * 10, gap_s=0.1))
        client = make(server, tmp_path, Timeouts(silent_s=0.5, turn_s=60), NEMO_TOKEN="x")
        assert await client.say("77", "cut", SKILL) == Turn("x" * 10)
        await client.aclose()

    async def test_an_event_without_an_end_is_bounded(self, server: Plain, client: Client) -> None:
        taken = 0

        async def endless(_request: Request, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: ")
            while True:
                writer.write(b"x" * 1_000_000)
                await writer.drain()
                taken += 1_000_000

        assert await self.say(server, client, endless) == Turn("", ended=False)
        assert taken < 60_000_000

    async def test_a_paid_call_never_uses_a_connection_that_was_kept_open(self, server: Plain, client: Client) -> None:
        server.keep_open = True
        server.on(BALANCE, ok({"available": 1}))
        for _ in range(2):
            await client.balance(SKILL)
            await self.say(server, client, stream(events(said("ok"))))
        assert len({call.port for call in server.calls(BALANCE)}) == 1
        assert len({call.port for call in server.seen}) == 4  # the token, the balances, and each message its own

    async def test_an_event_of_megabytes(self, server: Plain, client: Client) -> None:
        picture = {
            "content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "A" * 5_000_000}}, {"text": "ok"}]}
        }
        assert await self.say(server, client, stream(events(picture))) == Turn("ok")

    @pytest.mark.parametrize(
        ("answer", "code", "certain"),
        [
            (reply('{"code":2001,"message":"no"}'), "2001", True),
            (reply('{"detail":"Session not found: 77"}', status=404), "1002", True),
            (reply('{"code":409,"message":"busy"}', status=409), "409", True),
            (reply('{"detail":[{"msg":"Field required"}]}', status=422), "422", True),
            (reply('{"code":500}', status=500), "http_500", False),
            (reply("", status=503), "http_503", False),
            (reply('{"code":2001}', status=402, kind="text/event-stream"), "2001", True),
            (reply('{"code":2001}', kind="text/plain"), "2001", True),
        ],
    )
    async def test_an_answer_instead_of_a_stream(
        self, server: Plain, client: Client, answer: Answer, code: str, *, certain: bool
    ) -> None:
        with pytest.raises(RefusedError) as caught:
            await self.say(server, client, answer)
        assert (caught.value.code, caught.value.refused) == (code, certain)
        assert len(server.calls("/run_sse")) == 1

    async def test_events_as_one_json_list(self, server: Plain, client: Client) -> None:
        assert await self.say(server, client, reply(json.dumps([said("a"), said("b")]))) == Turn("a\nb")

    async def test_a_stream_without_a_content_type(self, server: Plain, client: Client) -> None:
        assert await self.say(server, client, stream(events(said("a")), kind="application/octet-stream")) == Turn("a")

    async def test_a_page_instead_of_a_stream_is_a_doubt(self, server: Plain, client: Client) -> None:
        with pytest.raises(UnintelligibleError, match="Welcome") as caught:
            await self.say(server, client, reply("<html>Welcome", kind="text/html"))
        assert not caught.value.refused


class TestUpload:
    async def test_multipart_as_a_server_reads_it(self, server: Plain, client: Client) -> None:
        server.on(UPLOAD, ok({"files": [{"cdn_url": "https://c/x.mp4", "duration": 3}], "session_state_applied": True}))
        content = os.urandom(700_001)
        told: list[tuple[int, int]] = []
        found = await client.upload("77", source(content, 'Grö"ße.mp4'), SKILL, lambda *at: told.append(at))
        assert found.sent_sha256 == hashlib.sha256(content).hexdigest()
        assert (found.url, found.duration_s, found.applied) == ("https://c/x.mp4", 3.0, True)
        assert told[-1] == (700_001, 700_001)
        [call] = server.calls(UPLOAD)
        boundary = call.headers["content-type"].partition("boundary=")[2].encode()
        head, _, rest = call.body.partition(b"\r\n\r\n")
        assert head.decode() == (
            f'--{boundary.decode()}\r\nContent-Disposition: form-data; name="files"; filename="Grö%22ße.mp4"\r\n'
            "Content-Type: video/mp4"
        )
        assert rest == content + b"\r\n--" + boundary + b"--\r\n"

    @pytest.mark.parametrize("told", [10, 600_000])
    async def test_a_file_that_changes_is_never_whole_at_the_backend(
        self, server: Plain, client: Client, told: int
    ) -> None:
        server.read_bodies = False
        server.on(UPLOAD, ok({"files": [{"cdn_url": "https://c/x.mp4"}]}))
        with pytest.raises(MediaError) as caught:
            await client.upload("77", source(b"x" * 300_000, size_bytes=told), SKILL)
        assert caught.value.code == "changed"

    async def test_a_file_that_cannot_be_read(self, server: Plain, client: Client) -> None:
        async def read(_offset: int, _count: int) -> bytes:
            raise OSError(5, "Input/output error")

        server.read_bodies = False
        with pytest.raises(MediaError, match="Input/output error") as caught:
            await client.upload("77", UploadSource("clip.mp4", 5, "video/mp4", read), SKILL)
        assert caught.value.code == "unreadable"

    async def test_a_refusal_before_the_end_is_heard(self, server: Plain, client: Client) -> None:
        server.read_bodies = False
        server.on(UPLOAD, reply('{"code":4002,"message":"too large"}', status=413))
        with pytest.raises(CloudError) as caught:
            await client.upload("77", source(b"x" * 3_000_000), SKILL)
        # The server closed without reading: the answer is heard, unless the system dropped it with the connection.
        assert caught.value.code in ("4002", "network")

    async def test_a_stalled_upload_ends(self, server: Plain, tmp_path: Path) -> None:
        async def hold(_request: Request, writer: asyncio.StreamWriter) -> None:
            await writer.drain()
            await asyncio.sleep(30)

        server.read_bodies = False
        server.on(UPLOAD, hold)
        client = make(server, tmp_path, Timeouts(stall_s=0.3, upload_answer_s=0.3), NEMO_TOKEN="x")
        with pytest.raises(UnreachableError):
            await client.upload("77", source(b"x" * 20_000_000), SKILL)
        await client.aclose()


class TestRender:
    async def test_submit_sends_the_draft_as_it_came(self, server: Plain, client: Client) -> None:
        draft = {"z": 2**70, "a": {"s": "\ud83d", "f": 0.1}, "t": [{"sg": [{}]}]}
        server.on(SUBMIT, reply('{"success":true,"data":{"id":"r1","status":"pending","progress":5}}'))
        status = await client.submit_render("r1", "77", draft, Export(resolution="1080p", fps=30), SKILL)
        assert (status.render_id, status.state, status.progress) == ("r1", "pending", 5.0)
        [call] = server.calls(SUBMIT)
        sent = json.loads(call.body)
        assert sent["draft"] == draft
        assert list(sent["draft"]) == ["z", "a", "t"]
        assert (sent["id"], sent["sessionId"]) == ("r1", "77")
        assert sent["output"] == {"format": "mp4", "quality": "high", "resolution": "1080p", "fps": 30}

    @pytest.mark.parametrize(
        "answer",
        [
            reply('{"success":false,"error":"Duplicate ID"}'),
            reply('{"code":400,"message":"duplicate id"}', status=400),
            reply("{}", status=409),
        ],
    )
    async def test_a_known_id(self, server: Plain, client: Client, answer: Answer) -> None:
        server.on(SUBMIT, answer)
        with pytest.raises(RefusedError, match="duplicate") as caught:
            await client.submit_render("r1", "77", {}, Export(), SKILL)
        assert (caught.value.code, caught.value.refused) == ("duplicate_id", True)

    async def test_an_unknown_id(self, server: Plain, client: Client) -> None:
        server.on(f"{SUBMIT}/a%2Fb", reply('{"code":404,"message":"unknown"}', status=404))
        with pytest.raises(RefusedError) as caught:
            await client.render_status("a/b", SKILL)
        assert caught.value.code == "404"


VIDEO = bytes(range(256)) * 4000


def ranged(content: bytes, etag: str = '"v1"', *, breaks_at: int | None = None, **more: str) -> Answer:
    """Serve a file as a CDN does, with ranges; `breaks_at` cuts the connection at that byte of the file."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        asked, condition = request.headers.get("range"), request.headers.get("if-range")
        begin = int(asked[6:-1]) if asked and condition in (None, etag) else 0
        named = f"ETag: {etag}\r\n" if etag else ""
        named += "".join(f"{name}: {value}\r\n" for name, value in more.items())
        if begin >= len(content):
            writer.write(
                f"HTTP/1.1 416 No\r\nContent-Range: bytes */{len(content)}\r\nContent-Length: 0\r\n\r\n".encode()
            )
            return
        status = "206 Partial" if begin else "200 OK"
        if begin:
            named += f"Content-Range: bytes {begin}-{len(content) - 1}/{len(content)}\r\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: video/mp4\r\nContent-Length: {len(content) - begin}\r\n{named}\r\n"
        writer.write(head.encode() + content[begin:breaks_at])
        await writer.drain()

    return answer


class TestDownload:
    async def test_bytes_without_any_header_of_ours(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on("/o.mp4", ranged(VIDEO))
        told: list[tuple[int, int]] = []
        path = tmp_path / "o.mp4"
        result = await client.download(f"{server.url}/o.mp4?sig=1", str(path), on_progress=lambda *at: told.append(at))
        assert path.read_bytes() == VIDEO
        assert (result.size_bytes, result.resumed_from, result.etag) == (len(VIDEO), 0, '"v1"')
        assert told[-1] == (len(VIDEO), len(VIDEO))
        [call] = server.seen
        assert not [name for name in call.headers if name == "authorization" or name.startswith("x-skill")]
        assert list(tmp_path.iterdir()) == [path]

    async def test_it_goes_on_where_it_broke_off(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on("/o.mp4", ranged(VIDEO, breaks_at=300_000), ranged(VIDEO, breaks_at=700_000), ranged(VIDEO))
        path = tmp_path / "o.mp4"
        for _ in range(2):
            with pytest.raises(UnreachableError):
                await client.download(f"{server.url}/o.mp4?sig=1", str(path))
        # The signature of the address changes at every poll; it is the same file all the same.
        result = await client.download(f"{server.url}/o.mp4?sig=2", str(path))
        assert path.read_bytes() == VIDEO
        assert result.resumed_from == 700_000
        assert [call.headers.get("range") for call in server.seen] == [None, "bytes=300000-", "bytes=700000-"]
        assert server.seen[1].headers["if-range"] == '"v1"'

    async def test_another_file_at_the_address_starts_anew(self, server: Plain, client: Client, tmp_path: Path) -> None:
        other = VIDEO[::-1] + b"more"
        server.on("/o.mp4", ranged(VIDEO, breaks_at=300_000), ranged(other, '"v2"'))
        path = tmp_path / "o.mp4"
        with pytest.raises(UnreachableError):
            await client.download(f"{server.url}/o.mp4", str(path))
        assert (await client.download(f"{server.url}/o.mp4", str(path))).resumed_from == 0
        assert path.read_bytes() == other

    async def test_without_validators_only_the_very_same_address_goes_on(
        self, server: Plain, client: Client, tmp_path: Path
    ) -> None:
        path = tmp_path / "o.mp4"
        server.on(
            "/o.mp4", ranged(VIDEO, "", breaks_at=300_000), ranged(VIDEO, "", breaks_at=400_000), ranged(VIDEO, "")
        )
        with pytest.raises(UnreachableError):
            await client.download(f"{server.url}/o.mp4?a", str(path))
        with pytest.raises(UnreachableError):
            await client.download(f"{server.url}/o.mp4?a", str(path))
        assert (await client.download(f"{server.url}/o.mp4?b", str(path))).resumed_from == 0
        assert [call.headers.get("range") for call in server.seen] == [None, "bytes=300000-", None]
        assert path.read_bytes() == VIDEO

    async def test_a_range_that_does_not_hold_starts_anew(self, server: Plain, client: Client, tmp_path: Path) -> None:
        path = tmp_path / "o.mp4"
        head = f"HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/{len(VIDEO)}\r\nContent-Length: 5\r\n\r\n"
        wrong = raw(head.encode() + b"wrong")
        server.on("/o.mp4", ranged(VIDEO, breaks_at=300_000), wrong, ranged(VIDEO))
        with pytest.raises(UnreachableError):
            await client.download(f"{server.url}/o.mp4", str(path))
        assert (await client.download(f"{server.url}/o.mp4", str(path))).resumed_from == 0
        assert path.read_bytes() == VIDEO

    async def test_a_file_that_was_complete_already(self, server: Plain, client: Client, tmp_path: Path) -> None:
        path = tmp_path / "o.mp4"
        broken = raw(b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nvideo\r\n')
        server.on("/o.mp4", broken, ranged(b"video"))
        with pytest.raises(UnreachableError):
            await client.download(f"{server.url}/o.mp4", str(path))
        result = await client.download(f"{server.url}/o.mp4", str(path))
        assert (result.size_bytes, result.resumed_from) == (5, 5)
        assert path.read_bytes() == b"video"
        assert list(tmp_path.iterdir()) == [path]

    async def test_a_416_that_fits_nothing_starts_anew(self, server: Plain, client: Client, tmp_path: Path) -> None:
        path = tmp_path / "o.mp4"
        server.on("/o.mp4", ranged(VIDEO, breaks_at=300_000), ranged(b"short"), ranged(b"short"))
        with pytest.raises(UnreachableError):
            await client.download(f"{server.url}/o.mp4", str(path))
        assert (await client.download(f"{server.url}/o.mp4", str(path))).size_bytes == 5
        assert path.read_bytes() == b"short"

    @pytest.mark.parametrize("body", [b""])
    async def test_an_empty_result_is_damaged(self, server: Plain, client: Client, tmp_path: Path, body: bytes) -> None:
        server.on("/o.mp4", reply(body, kind="video/mp4"))
        with pytest.raises(MediaError) as caught:
            await client.download(f"{server.url}/o.mp4", str(tmp_path / "o.mp4"))
        assert caught.value.code == "download_corrupt"

    async def test_a_page_is_no_video(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on("/o.mp4", reply("<html>Sign in", kind="text/html"))
        with pytest.raises(UnintelligibleError, match="Sign in"):
            await client.download(f"{server.url}/o.mp4", str(tmp_path / "o.mp4"))
        assert not (tmp_path / "o.mp4").exists()

    @pytest.mark.parametrize(
        ("status", "code"), [(403, "http_403"), (404, "http_404"), (410, "http_410"), (503, "http_503")]
    )
    async def test_refusals_of_another_host_are_no_codes_of_the_api(
        self, server: Plain, client: Client, tmp_path: Path, status: int, code: str
    ) -> None:
        server.on("/o.mp4", reply("<Error>AccessDenied</Error>", status=status, kind="application/xml"))
        with pytest.raises(RefusedError, match="AccessDenied") as caught:
            await client.download(f"{server.url}/o.mp4?X-Signature=secret", str(tmp_path / "o.mp4"))
        assert (caught.value.code, caught.value.status) == (code, status)
        assert "secret" not in caught.value.message

    async def test_redirects_are_followed_a_few_times(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on("/a", reply("", status=302, Location="/o.mp4"))
        server.on("/o.mp4", ranged(VIDEO))
        assert (await client.download(f"{server.url}/a", str(tmp_path / "o.mp4"))).size_bytes == len(VIDEO)
        server.on("/a", reply("", status=302, Location="/a"))
        with pytest.raises(UnintelligibleError, match="redirects"):
            await client.download(f"{server.url}/a", str(tmp_path / "o.mp4"))

    @pytest.mark.parametrize(
        "url", ["http://cdn.example.com/o.mp4", "file:///etc/passwd", "", "//x", "ftp://x/y", "http://[bad"]
    )
    async def test_addresses_that_are_not_fetched(self, client: Client, tmp_path: Path, url: str) -> None:
        with pytest.raises(UnintelligibleError, match="not https"):
            await client.download(url, str(tmp_path / "o.mp4"))

    async def test_a_spool_that_cannot_be_written(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on("/o.mp4", ranged(VIDEO))
        with pytest.raises(FolderError) as caught:
            await client.download(f"{server.url}/o.mp4", str(tmp_path / "missing" / "o.mp4"))
        assert caught.value.code == "spool"

    async def test_a_full_disk_says_so(self, server: Plain, client: Client) -> None:
        server.on("/o.mp4", ranged(VIDEO))
        with pytest.raises(FolderError) as caught:
            await client.download(f"{server.url}/o.mp4", "/spool/o.mp4", disk=_raise_full)
        assert caught.value.code == "disk_full"

    FALLBACK = "/api/render/proxy/r1/download"

    async def test_the_fallback_gives_bytes(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on(self.FALLBACK, reply(VIDEO, kind="video/mp4"))
        result = await client.download_fallback("r1", str(tmp_path / "o.mp4"), SKILL)
        assert result.size_bytes == len(VIDEO)
        [call] = server.calls(self.FALLBACK)
        assert call.headers["authorization"] == "Bearer nmv_usr_first"

    @pytest.mark.parametrize("how", ["json", "bare", "redirect"])
    async def test_the_fallback_leads_elsewhere_without_the_token(
        self, server: Plain, client: Client, tmp_path: Path, how: str
    ) -> None:
        async with serving() as other:
            url = f"{other.url}/o.mp4"
            answers = {
                "json": ok({"status": "completed", "output": {"url": url}}),
                "bare": reply(json.dumps({"outputUrl": url})),
                "redirect": reply("", status=302, Location=url),
            }
            server.on(self.FALLBACK, answers[how])
            other.on("/o.mp4", ranged(VIDEO))
            assert (await client.download_fallback("r1", str(tmp_path / "o.mp4"), SKILL)).size_bytes == len(VIDEO)
            [call] = other.seen
            assert not [name for name in call.headers if name == "authorization" or name.startswith("x-")]

    async def test_the_fallback_refuses(self, server: Plain, client: Client, tmp_path: Path) -> None:
        server.on(self.FALLBACK, reply('{"code":404,"message":"unknown"}', status=404))
        with pytest.raises(RefusedError) as caught:
            await client.download_fallback("r1", str(tmp_path / "o.mp4"), SKILL)
        assert caught.value.code == "404"
        server.on(self.FALLBACK, ok({"status": "completed"}))
        with pytest.raises(UnintelligibleError, match="without an address"):
            await client.download_fallback("r1", str(tmp_path / "o.mp4"), SKILL)


async def _raise_full(*_asked: object) -> None:
    raise OSError(28, "No space left on device")
