"""The client against the sandbox: the whole way from a token to the bytes of the result."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from nemo_watch.client import Client, Credentials, UploadSource
from nemo_watch.errors import RefusedError
from nemo_watch.model import Export, SkillHeaders
from nemo_watch.reply import exportable, state_digest, timeline_summary
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests import media_fixtures
from tests.program import eventually

SKILL = SkillHeaders("ai-video-pro-online", "1.0.0", "unknown")


def source(content: bytes, name: str) -> UploadSource:
    async def read(offset: int, count: int) -> bytes:
        return content[offset : offset + count]

    return UploadSource(name, len(content), "video/mp4", read)


async def test_the_whole_way(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    clip = Path(media_fixtures.clip(tmp_path_factory, "pauses.mp4"))
    content = clip.read_bytes()
    with SandboxServer(tmp_path / "store") as sandbox:
        credentials = Credentials(str(tmp_path / "state"), account="sandbox", env={})
        client = Client(api_url=sandbox.url, web_url="https://web.example.com", credentials=credentials)
        before = await client.balance(SKILL)
        session = await client.open_session("clip", "en", SKILL)
        sent = await client.upload(session.session_id, source(content, clip.name), SKILL)
        assert (sent.kind, sent.duration_s) == ("video", 12.0)
        assert sent.sent_sha256 == hashlib.sha256(content).hexdigest()
        empty = await client.state(session.session_id, SKILL)
        assert not exportable(empty.draft)

        turn = await client.say(session.session_id, 'cut the pauses and add the title "Hello"', SKILL)
        assert (turn.ended, turn.error_code) == (True, "")
        assert turn.text
        after = await client.state(session.session_id, SKILL)
        assert exportable(after.draft)
        assert state_digest(after) != state_digest(empty)
        assert 'Title: "Hello" (0-3s)' in timeline_summary(after.draft)
        assert (await client.balance(SKILL)).total == before.total - 50

        render = await client.submit_render("render_1", session.session_id, after.draft, Export(), SKILL)
        async with asyncio.timeout(60):
            while render.state in ("pending", "processing"):
                await asyncio.sleep(0.1)
                render = await client.render_status("render_1", SKILL)
        assert (render.state, render.error) == ("completed", "")
        one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
        result = await client.download(render.url, str(one))
        assert result.size_bytes == render.size_bytes == one.stat().st_size
        await client.download_fallback("render_1", str(two), SKILL)
        assert one.read_bytes() == two.read_bytes()
        with pytest.raises(RefusedError) as caught:
            await client.submit_render("render_1", session.session_id, after.draft, Export(), SKILL)
        assert (caught.value.code, caught.value.refused) == ("duplicate_id", True)
        with pytest.raises(RefusedError) as caught:
            await client.state("5529798706024415232", SKILL)
        assert caught.value.code == "1002"
        with pytest.raises(RefusedError) as caught:
            await client.say("5529798706024415232", "cut", SKILL)
        assert (caught.value.code, caught.value.refused) == ("1002", True)
        with pytest.raises(RefusedError) as caught:
            await client.upload(session.session_id, source(b"text", "notes.pdf"), SKILL)
        assert caught.value.code == "4001"
        with pytest.raises(RefusedError) as caught:
            await client.render_status("render_2", SKILL)
        assert caught.value.code == "404"
        await client.aclose()


async def test_a_token_that_is_being_given_is_kept_though_its_caller_is_cancelled(tmp_path: Path) -> None:
    with SandboxServer(tmp_path / "store") as sandbox:

        def new_client() -> Client:
            credentials = Credentials(str(tmp_path / "state"), account="sandbox", env={})
            return Client(api_url=sandbox.url, web_url="https://web.example.com", credentials=credentials)

        client = new_client()
        asking = asyncio.create_task(client.ensure_token())
        for _ in range(100):
            if client._account._asking is not None:
                break
            await asyncio.sleep(0)
        assert client._account._asking is not None
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await client.aclose()
        # Another one would be refused for seven days: this must be the one that was given.
        again = new_client()
        assert (await again.balance(SKILL)).available == 10_000
        await again.aclose()


async def test_who_comes_while_a_token_is_asked_for_waits_for_that_one(tmp_path: Path) -> None:
    faults = Faults([Fault("token", "delay", seconds=2.0)])
    with SandboxServer(tmp_path / "store", faults=faults) as sandbox:
        credentials = Credentials(str(tmp_path / "state"), account="sandbox", env={})
        client = Client(api_url=sandbox.url, web_url="https://web.example.com", credentials=credentials)
        first = asyncio.create_task(client.ensure_token())
        await eventually(tmp_path.joinpath("state", "client_id").exists, "it is asked for")
        first.cancel()
        await asyncio.wait([first])
        await client.ensure_token()
        with Records(tmp_path / "store") as records:
            assert len(records.requests("POST", "/api/auth/anonymous-token")) == 1
        await client.aclose()


async def test_a_forgiving_sandbox_gives_another_token_for_one_that_was_never_used(tmp_path: Path) -> None:
    with SandboxServer(tmp_path / "store", reissues_unused=True, credits=100) as sandbox:
        states = [str(tmp_path / name) for name in ("lost", "kept", "third")]
        env = {"NEMO_CLIENT_ID": "one-and-the-same"}
        clients = [
            Client(
                api_url=sandbox.url,
                web_url="https://web.example.com",
                credentials=Credentials(state, account="sandbox", env=env),
            )
            for state in states
        ]
        await clients[0].ensure_token()  # and killed before it could keep it
        assert (await clients[1].balance(SKILL)).total == 100
        with pytest.raises(RefusedError) as caught:
            await clients[2].ensure_token()
        assert caught.value.code == "token_quota"
        for client in clients:
            await client.aclose()
