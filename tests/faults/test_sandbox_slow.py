"""The sandbox where something takes long: an address that drips or is silent, a stop in the middle, a late turn."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.plain_server import Answer, Request, elsewhere
from tests.sandbox_wire import Caller, eventually

WISH = "make a 3 second vertical video about a lighthouse at night"
LENGTH = 100_000


async def never(_request: Request, writer: Any) -> None:
    await asyncio.sleep(30)


async def dripping(_request: Request, writer: Any) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n".encode())
    for _ in range(LENGTH):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


def fetch(caller: Caller, session: str, url: str) -> Any:
    body = {"urls": [url], "source_type": "url"}
    return caller.http.post(f"/api/upload-video/nemo_agent/me/{session}", json=body)


@pytest.mark.parametrize(
    ("answer", "stall_s", "sentence"), [(never, 0.4, "in time"), (dripping, 30, "longer than 2 seconds")]
)
def test_who_does_not_give_a_file_in_time_gives_none(
    tmp_path: Path, answer: Answer, stall_s: float, sentence: str
) -> None:
    passes = ("127.0.0.1", "::1")
    with (
        elsewhere() as origin,
        SandboxServer(tmp_path, fetches_from=passes, fetch_s=2, fetch_stall_s=stall_s) as server,
        Caller(server.url) as caller,
    ):
        origin.on("/slow.mp4", answer)
        session = caller.session()
        told = fetch(caller, session, origin.url.replace("//", "//ann:s3cret@") + "/slow.mp4?key=s3cret")
        assert told.json()["code"] == 504, told.text
        assert sentence in told.text
        for word in ("s3cret", "ann", "key="):
            assert word not in told.text
        assert list(tmp_path.glob(f"sessions/{session}/*")) == []
        assert caller.state(session)["video_infos"] == []


def test_a_stop_ends_a_fetch_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        elsewhere() as origin,
        SandboxServer(tmp_path, fetches_from=("127.0.0.1", "::1")) as server,
        Caller(server.url) as caller,
    ):
        origin.on("/slow.mp4", dripping)
        session = caller.session()
        answers: list[int] = []
        url = f"{origin.url}/slow.mp4"
        asking = threading.Thread(target=lambda: answers.append(fetch(caller, session, url).status_code))
        asking.start()
        eventually(lambda: list(tmp_path.glob(f"sessions/{session}/*.part")))
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 8
        asking.join(10)
    assert answers in ([503], [])
    assert list(tmp_path.glob(f"sessions/{session}/*")) == []


@pytest.mark.parametrize("do", ["two_stage", "late"])
def test_a_script_spoils_a_card_as_any_turn(tmp_path: Path, do: str) -> None:
    script = Faults([Fault(on="run_sse", do=do)])  # type: ignore[arg-type]
    with SandboxServer(tmp_path, faults=script) as server, Caller(server.url) as caller:
        session = caller.session()
        caller.say(session, WISH)
        assert len(caller.state(session)["generated_media"]) == 1
        assert caller.balance()["available"] == 9900


def test_a_turn_that_was_interrupted_makes_one_card(tmp_path: Path) -> None:
    script = Faults([Fault(on="run_sse", do="late", seconds=60)])
    with SandboxServer(tmp_path, faults=script) as server, Caller(server.url) as caller:
        token, session = caller.token, caller.session()
        with caller.saying(session, WISH):
            server.stop()
    with SandboxServer(tmp_path) as server, Caller(server.url, token=token) as caller:
        with Records(tmp_path) as records:
            eventually(lambda: records.turns(session)[0].state != "running")
        assert len(caller.state(session)["video_infos"]) == 1
        assert caller.balance() == {"available": 9900, "frozen": 0, "total": 9900}
