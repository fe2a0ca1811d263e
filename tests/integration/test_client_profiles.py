"""The client against every profile of the protocol: the whole way from a token to the bytes, and what is refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nemo_watch.client import Client, Credentials, UploadSource
from nemo_watch.errors import RefusedError
from nemo_watch.model import Export, RenderStatus, Session, SkillHeaders
from nemo_watch.reply import exportable, plain_words, timeline_summary
from nemo_watch.sandbox.faults import Do, Fault, Faults
from nemo_watch.sandbox.profiles import PROFILES
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import clip_bytes

SKILL = SkillHeaders("ai-video-pro-online", "1.0.0", "unknown")
TITLE = 'add the title "One"'
SMALL = Export(quality="draft", resolution="240p")
every_profile = pytest.mark.parametrize("profile", PROFILES)


def source(name: str = "clip.mp4") -> UploadSource:
    content = clip_bytes(1.0)

    async def read(offset: int, count: int) -> bytes:
        return content[offset : offset + count]

    return UploadSource(name, len(content), "video/mp4", read)


@asynccontextmanager
async def client_of(folder: Path, profile: str, *faults: Fault, grant: int = 10_000) -> AsyncIterator[Client]:
    server = SandboxServer(folder / "store", profile=profile, faults=Faults(faults), credits=grant, heartbeat_s=0.05)
    with server:
        credentials = Credentials(str(folder / "state"), account="sandbox", env={})
        # All is plain http here, and reading the trusted certificates takes longer than the rest.
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client = Client(api_url=server.url, web_url="https://web.example.com", credentials=credentials, trust=trust)
        try:
            yield client
        finally:
            await client.aclose()


async def with_clip(client: Client, language: str = "en") -> Session:
    session = await client.open_session("clip", language, SKILL)
    await client.upload(session.session_id, source(), SKILL)
    return session


async def rendered(client: Client, session: Session, render_id: str) -> RenderStatus:
    draft = (await client.state(session.session_id, SKILL)).draft
    render = await client.submit_render(render_id, session.session_id, draft, SMALL, SKILL)
    assert (render.render_id, render.state) == (render_id, "pending")
    async with asyncio.timeout(60):
        while render.state in ("pending", "processing"):
            await asyncio.sleep(0.05)
            render = await client.render_status(render_id, SKILL)
    return render


async def refused(call: object, code: str) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await call  # type: ignore[misc]  # any call of the client
    assert (caught.value.code, caught.value.refused) == (code, True)
    return caught.value


@every_profile
async def test_from_a_token_to_the_bytes(tmp_path: Path, profile: str) -> None:
    elsewhere = Fault("download", "address"), Fault("download", "redirect")
    async with client_of(tmp_path, profile, *elsewhere, grant=60) as client:
        assert (await client.balance(SKILL)).total == 60
        session = await with_clip(client)
        turn = await client.say(session.session_id, TITLE, SKILL)
        assert (turn.ended, turn.error_code, turn.tools, turn.unknown) == (True, "", ("edit_multitrack",), ())
        assert "One" in turn.text
        state = await client.state(session.session_id, SKILL)
        assert exportable(state.draft)
        assert len(state.video_infos) == 1
        assert 'Title: "One"' in timeline_summary(state.draft)
        assert (await client.balance(SKILL)).total == 10
        render = await rendered(client, session, "render_1")
        assert (render.state, render.progress, render.error) == ("completed", 100, "")
        files = [tmp_path / name for name in ("one.mp4", "address.mp4", "redirect.mp4", "bytes.mp4")]
        result = await client.download(render.url, str(files[0]))
        for file in files[1:]:
            await client.download_fallback("render_1", str(file), SKILL)
        assert result.size_bytes == files[0].stat().st_size > 0
        assert len({file.read_bytes() for file in files}) == 1
        assert "claim?ct=clm_" in await client.claim_link(session, SKILL)

        await refused(client.submit_render("render_1", session.session_id, state.draft, SMALL, SKILL), "duplicate_id")
        await refused(client.render_status("render_2", SKILL), "404")
        await refused(client.cancel_render("render_1", SKILL), "409")
        await refused(client.state("5529798706024415232", SKILL), "1002")
        await refused(client.say("5529798706024415232", TITLE, SKILL), "1002")
        await refused(client.upload(session.session_id, source("notes.pdf"), SKILL), "4001")
        poor = await with_clip(client)
        no_credits = await refused(client.say(poor.session_id, TITLE, SKILL), "2001")
        assert no_credits.link.startswith("https://web.example.com/register?bind=anon_")


@every_profile
async def test_errors_keep_their_meaning(tmp_path: Path, profile: str) -> None:
    faults = [
        Fault("balance", "answer", code=1001),
        Fault("upload", "answer", code=4002),
        Fault("run_sse", "fail_turn", message="backend exploded"),
        Fault("run_sse", "fail_turn", code=2001, message="empty"),
        Fault("run_sse", "fail_model", message="quota exceeded"),
        Fault("render", "answer", code=402, status=402),
        Fault("render", "fail_render", message="No licence."),
    ]
    async with client_of(tmp_path, profile, *faults) as client:
        # 1001: the same client asks for another token, once; there is none for a client that has one.
        await refused(client.balance(SKILL), "token_quota")
        session = await client.open_session("clip", "en", SKILL)
        await refused(client.upload(session.session_id, source(), SKILL), "4002")
        await client.upload(session.session_id, source(), SKILL)
        turns = [await client.say(session.session_id, TITLE, SKILL) for _ in range(4)]
        assert [turn.error_code for turn in turns] == ["stream_error", "2001", "RESOURCE_EXHAUSTED", ""]
        assert [turn.ended for turn in turns] == [True] * 4
        assert "backend exploded" in turns[0].error_message
        assert turns[2].error_message == "quota exceeded"
        draft = (await client.state(session.session_id, SKILL)).draft
        await refused(client.submit_render("render_1", session.session_id, draft, SMALL, SKILL), "402")
        render = await rendered(client, session, "render_1")
        assert (render.state, render.error) == ("failed", "No licence.")


@every_profile
async def test_turns_told_in_odd_ways_are_understood(tmp_path: Path, profile: str) -> None:
    ways: tuple[Do, ...] = ("late", "beats", "json", "again", "trail", "noise")
    async with client_of(tmp_path, profile, *(Fault("run_sse", do, form="every") for do in ways)) as client:
        turns = {}
        for do in ways:
            session = await with_clip(client)
            turns[do] = await client.say(session.session_id, TITLE, SKILL)
            assert exportable((await client.state(session.session_id, SKILL)).draft)
    wanted = turns["late"].text
    assert "One" in wanted
    assert {(turn.ended, turn.error_code) for turn in turns.values()} == {(True, "")}
    assert {turn.tools for turn in turns.values()} == {("edit_multitrack",)}
    assert [do for do, turn in turns.items() if turn.unknown] == ["trail"]
    assert {do: turn.text for do, turn in turns.items()} == dict.fromkeys(ways, wanted)


@pytest.mark.parametrize(("language", "words"), [("en", "Export button"), ("zh-CN", "导出按钮")])
async def test_talk_of_a_screen_is_left_out(tmp_path: Path, language: str, words: str) -> None:
    async with client_of(tmp_path, "official", Fault("run_sse", "late"), Fault("run_sse", "screen")) as client:
        first, second = await with_clip(client, language), await with_clip(client, language)
        wanted = (await client.say(first.session_id, TITLE, SKILL)).text
        turn = await client.say(second.session_id, TITLE, SKILL)
    assert words in turn.text
    left = plain_words(turn.text)
    assert wanted in left
    for talk in (
        words,
        "click",
        "drag",
        "panel",
        "settings",
        "account",
        "点击",
        "拖拽",
        "面板",
        "设置",
        "账户",
        "预览",
        "happy",
        "满意",
        "如需",
    ):
        assert talk not in left
