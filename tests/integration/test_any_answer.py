"""Any bytes from the other end of a connection, through the whole client: a value or an error of ours, in time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nemo_watch.client import Client, Credentials, Timeouts, UploadSource
from nemo_watch.errors import CloudError, MediaError
from nemo_watch.model import Export, Session, SkillHeaders
from tests.mangling import STREAMS, bounded, mangled_bytes
from tests.plain_server import raw, serving

SKILL = SkillHeaders("ai-video-pro-online", "1.0.0", "unknown")
TIMES = Timeouts(connect_s=5, call_s=5, stall_s=5, upload_answer_s=5, turn_s=5, silent_s=5, after_done_s=0.2)
# No TLS here, and a context with the machine's certificates takes longer to make than the rest of an example.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 206 Partial",
        b"HTTP/1.1 302 Found",
        b"HTTP/1.1 416 No",
        b"HTTP/1.1 500 \xff",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
        b"HTTP/2 200",
        b"SSH-2.0-OpenSSH",
        b"",
    ]
)
FIELDS = st.sampled_from(
    [
        b"Content-Type: text/event-stream",
        b"Content-Type: text/event-stream; charset=utf-16",
        b"Content-Type: application/json; charset=rot13",
        b"Content-Type: text/html",
        b"Content-Type: \xff",
        b"Content-Length: 10",
        b"Content-Length: 99999999999999999999",
        b"Content-Length: -1",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Content-Encoding: gzip",
        b"Content-Encoding: br, deflate",
        b"Content-Range: bytes 5-1/\xb2",
        b"Content-Range: bytes 0-9/10",
        b"ETag: \xff",
        b"Location: http://[bad",
        b"Location: //x:99999999/",
        b"Location: http://127.0.0.1:1/\xff\x01",
        b"Location: /",
        b"Retry-After: 99999999999999999999999",
        b"Retry-After: Wed, 99 Oct 9999 99:99:99 GMT",
        b"no colon",
        b": empty",
    ]
)
BODIES = st.one_of(
    STREAMS,
    STREAMS.map(lambda data: b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)),
    st.sampled_from(
        [
            b'{"url":"http://[bad"}',
            b'{"output":{"url":"http://127.0.0.1:99999999/x"}}',
            b'{"url":"\\ud83d","status":"completed"}',
            b'{"code":0,"data":{"session_id":"\\u0000\\ud83d"}}',
            b'{"code":0,"data":{"files":[{"cdn_url":"x"}]}}',
            b"\x1f\x8b\x08\x00",
            b"[" * 5000,
            b"<html>\xff</html>",
        ]
    ).flatmap(lambda body: st.just(body) | mangled_bytes(body)),
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    fields = draw(st.lists(FIELDS, max_size=4))
    whole = b"\r\n".join([draw(HEADS), *fields, b"", draw(BODIES)])
    return draw(st.just(whole) | mangled_bytes(whole))


def upload() -> UploadSource:
    async def content(offset: int, count: int) -> bytes:
        return b"0123456789"[offset : offset + count]

    return UploadSource("clip.mp4", 10, "video/mp4", content)


Call = Callable[[Client, str, str], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "balance": lambda client, url, path: client.balance(SKILL),
    "session": lambda client, url, path: client.open_session("x", "en", SKILL),
    "state": lambda client, url, path: client.state("77", SKILL),
    "upload": lambda client, url, path: client.upload("77", upload(), SKILL),
    "say": lambda client, url, path: client.say("77", "cut", SKILL),
    "submit": lambda client, url, path: client.submit_render("r1", "77", {}, Export(), SKILL),
    "poll": lambda client, url, path: client.render_status("r1", SKILL),
    "claim": lambda client, url, path: client.claim_link(Session("77", "t", "u"), SKILL),
    "download": lambda client, url, path: client.download(f"{url}/out.mp4", path),
    "fallback": lambda client, url, path: client.download_fallback("r1", path, SKILL),
}


@pytest.mark.parametrize("name", sorted(CALLS))
@settings(max_examples=25)
@given(answer=answers())
@example(answer=b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"url":"http://[bad"}')
@example(answer=b"HTTP/1.1 302 Found\r\nLocation: http://[bad\r\n\r\n")
@example(answer=b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789")
def test_any_answer_is_a_value_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, name: str, answer: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with bounded(cpu_s=10):
        asyncio.run(asyncio.wait_for(exchanged(CALLS[name], answer, folder), 30))


async def exchanged(call: Call, answer: bytes, folder: Path) -> None:
    async with serving() as server:
        paths = ("/api/credits/balance/simple", "/api/tasks/me/with-session/nemo_agent", "/run_sse", "/out.mp4", "/")
        more = ("/api/state/nemo_agent/me/77/latest", "/api/upload-video/nemo_agent/me/77", "/api/auth/claim-token")
        renders = ("/api/render/proxy/lambda", "/api/render/proxy/lambda/r1", "/api/render/proxy/r1/download")
        for path in (*paths, *more, *renders):
            server.on(path, raw(answer))
        credentials = Credentials(str(folder), account=server.url, env={"NEMO_TOKEN": "nmv_usr_x"})
        client = Client(
            api_url=server.url,
            web_url="https://web.example.com",
            credentials=credentials,
            timeouts=TIMES,
            trust=NO_TLS,
        )
        said = ""
        try:
            await call(client, server.url, str(folder / "out.mp4"))
        except (CloudError, MediaError) as error:
            said = error.message
        finally:
            await client.aclose()
    assert not said or said.endswith(".")
    assert "nmv_usr" not in said
