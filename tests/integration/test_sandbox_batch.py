"""Several clips in one session over HTTP: each message names its file, each draft is that clip's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import Caller, clip_bytes, texts

SRT = b"1\n00:00:00,500 --> 00:00:02,000\nHello from one.\n"


def prefixed(name: str, text: str) -> str:
    return f'Work only on the file "{name}": {text}'


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("store")) as server:
        yield server


@pytest.fixture
def caller(sandbox: SandboxServer) -> Iterator[Caller]:
    with Caller(sandbox.url) as one:
        yield one


def sources(draft: dict[str, Any]) -> set[str]:
    return {seg["src"] for track in draft["t"] if track["tt"] == 0 for seg in track["sg"]}


def kinds(draft: dict[str, Any]) -> list[int]:
    return [track["tt"] for track in draft["t"]]


def test_clips_are_edited_one_after_the_other(caller: Caller, tmp_path: Path) -> None:
    session = caller.session()
    names = ("one.mp4", "one two.mp4", "说'好'.mp4")
    uploads = [Caller.ok(caller.try_upload(session, (name, clip_bytes())))["files"][0] for name in names]
    Caller.ok(caller.try_upload(session, ("one.srt", SRT)))
    one, two, three = (upload["cdn_url"] for upload in uploads)

    said = texts(caller.say(session, prefixed("nobody.mp4", "cut the pauses")))
    assert "nobody.mp4" in said[-1]
    assert all(name in said[-1] for name in names[:2])
    assert caller.state(session)["draft"] == {}
    assert caller.balance()["available"] == 10_000

    caller.say(session, prefixed("one.mp4", "cut the pauses and add captions"))
    first = caller.state(session)["draft"]
    assert (sources(first), kinds(first)) == ({one}, [0, 7])
    said = texts(caller.say(session, prefixed("one two.mp4", "add captions")))
    second = caller.state(session)["draft"]
    assert (sources(second), kinds(second)) == ({two}, [0]), said  # the subtitles are another clip's
    said = texts(caller.say(session, prefixed("说'好'.mp4", "加背景音乐")))
    assert "音乐" in said[-1]
    third = caller.state(session)["draft"]
    assert (sources(third), kinds(third)) == ({three}, [0, 1])
    assert caller.balance()["available"] == 9950

    said = texts(caller.say(session, prefixed("one.mp4", "what a lovely day")))
    assert caller.state(session)["draft"] == first  # the named clip is shown, whatever could not be done
    caller.say(session, "undo")
    assert sources(caller.state(session)["draft"]) == {one}
    assert kinds(caller.state(session)["draft"]) == [0]

    for draft in (first, third):
        render = caller.submit(session, draft).json()
        assert caller.rendered(render["data"]["id"])["status"] == "completed"


def test_a_clip_that_was_never_worked_on_is_not_shown_for_nothing(caller: Caller) -> None:
    session = caller.session()
    Caller.ok(caller.try_upload(session, ("a.mp4", clip_bytes()), ("b.mp4", clip_bytes())))
    caller.say(session, prefixed("a.mp4", "add background music"))
    before = caller.state(session)["draft"]
    caller.say(session, prefixed("b.mp4", "what is the weather like?"))
    assert caller.state(session)["draft"] == before


def test_the_turn_is_a_clip_s_after_a_restart_and_in_two_stages(tmp_path: Path) -> None:
    script = Faults([Fault(on="run_sse", do="two_stage", after=1)])
    with SandboxServer(tmp_path, faults=script) as server, Caller(server.url) as caller:
        token, session = caller.token, caller.session()
        files = Caller.ok(caller.try_upload(session, ("a.mp4", clip_bytes()), ("b.mp4", clip_bytes())))["files"]
        caller.say(session, prefixed("a.mp4", "trim to the first 4 seconds"))
        caller.say(session, prefixed("b.mp4", "trim to the first 3 seconds"))
        both = caller.state(session)["draft"]
        assert (sources(both), kinds(both), both["d"]) == ({files[1]["cdn_url"]}, [0, 1], 3000)
    with SandboxServer(tmp_path) as server, Caller(server.url, token=token) as caller:
        caller.say(session, prefixed("a.mp4", "trim to the first 2 seconds"))
        draft = caller.state(session)["draft"]
        assert (sources(draft), draft["d"]) == ({files[0]["cdn_url"]}, 2000)
