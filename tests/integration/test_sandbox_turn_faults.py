"""Faults of a turn by script: how it is told, and what is said in it that should not be."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from nemo_watch.sandbox.faults import Do, Fault, Faults, Form
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import Caller, clip_bytes, events, eventually, texts

TITLE = 'add the title "One"'
BEATS = {
    "json": b'data: {"type":"heartbeat"}\n\n',
    "bare": b"data:\n\n",
    "word": b"data: heartbeat\n\n",
    "event": b"event: heartbeat\ndata: {}\n\n",
    "comment": b": heartbeat\n\n",
}


@contextlib.contextmanager
def spoiled(folder: Path, *faults: Fault, **more: Any) -> Iterator[Caller]:
    with SandboxServer(folder, faults=Faults(faults), **more) as server, Caller(server.url) as caller:
        yield caller


def ready(caller: Caller, language: str = "en") -> str:
    session = caller.session(language)
    Caller.ok(caller.try_upload(session, ("film.mp4", clip_bytes(1.0))))
    return session


def heard(caller: Caller, session: str) -> bytes:
    with caller.saying(session, TITLE) as answer:
        return answer.read()


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of the title if nothing goes wrong."""
    with spoiled(tmp_path_factory.mktemp("usual")) as caller:
        (text,) = texts(caller.say(ready(caller), TITLE))
        return text


def test_heartbeats_in_every_form_before_events(tmp_path: Path) -> None:
    faults = [Fault("run_sse", "beats", form=form) for form in get_args(Form)]
    with spoiled(tmp_path, *faults) as caller:
        for fault in faults:
            expected = list(BEATS.values()) if fault.form == "every" else [BEATS[fault.form]] * 4
            told = heard(caller, ready(caller))
            plain = told
            for beat in dict.fromkeys(expected):
                plain = plain.replace(beat, b"")
            wanted = [json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in events(plain)]
            assert len(wanted) == 4
            assert told == b"".join(b + f"data: {e}\n\n".encode() for b, e in zip(expected, wanted, strict=False))


def test_nothing_but_heartbeats_in_every_form(tmp_path: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "heartbeats", form="every"), heartbeat_s=0.01) as caller:
        session, got, everything = ready(caller), b"", b"".join(BEATS.values())
        with caller.saying(session, TITLE) as answer:
            for piece in answer.iter_raw():
                got += piece
                if len(got) > 2 * len(everything) and caller.state(session)["draft"]:
                    break
        assert got == (everything * (len(got) // len(everything) + 1))[: len(got)]


def test_one_json_answer_in_place_of_a_stream(tmp_path: Path, usual: str) -> None:
    with spoiled(tmp_path, Fault("run_sse", "json")) as caller:
        session = ready(caller)
        answer = caller.http.post("/run_sse", json=caller.message(session, TITLE))
        assert answer.headers["content-type"] == "application/json"
        assert texts(Caller.ok(answer)) == [usual]
        assert caller.state(session)["draft"]["t"]


def test_events_that_come_twice(tmp_path: Path, usual: str) -> None:
    with spoiled(tmp_path, Fault("run_sse", "again")) as caller:
        told = caller.say(ready(caller), TITLE)
    assert told[::2] == told[1::2]
    assert len({event["id"] for event in told}) == len(told) // 2 == 4
    assert texts(told) == [usual] * 2


def test_events_after_the_last_one(tmp_path: Path, usual: str) -> None:
    with spoiled(tmp_path, Fault("run_sse", "trail")) as caller:
        got = heard(caller, ready(caller))
    end = b"data: [DONE]\n\n"
    assert got.endswith(end)
    told = events(got.removesuffix(end))
    assert told[3] == told[4]
    assert told[3]["turnComplete"] is True
    assert [event["type"] for event in told[5:]] == ["telemetry", "done"]
    assert texts(told[:4]) == [usual]


def test_a_sentence_of_noise_after_the_reply(tmp_path: Path, usual: str) -> None:
    with spoiled(tmp_path, Fault("run_sse", "noise")) as caller:
        session = ready(caller)
        told = caller.say(session, TITLE)
        assert texts(told) == [usual, "I encountered a temporary issue. Please try again later."]
        assert caller.state(session)["draft"]["t"]
    with Records(tmp_path) as records:
        assert [turn.state for turn in records.turns()] == ["done"]


@pytest.mark.parametrize(
    ("language", "talk"),
    [
        (
            "en",
            ("timeline player", "open the media panel", "drag", "settings", "account", "click the Export button"),
        ),
        ("zh-CN", ("时间线播放器", "打开素材面板", "拖拽", "设置", "账户", "点击右上角的导出按钮")),
    ],
)
def test_talk_of_buttons_and_panels(tmp_path: Path, language: str, talk: tuple[str, ...]) -> None:
    with spoiled(tmp_path, Fault("run_sse", "screen", after=1)) as caller:
        (plain,) = texts(caller.say(ready(caller, language), TITLE))
        (text,) = texts(caller.say(ready(caller, language), TITLE))
    assert plain in text
    assert [words for words in talk if words not in text] == []
    assert bool(re.search(r"[\u4e00-\u9fff]", text)) == (language == "zh-CN")


def test_two_stages_in_one_turn(tmp_path: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "two_stage", seconds=150), pace=100) as caller:
        session = ready(caller)
        told, tracks, made = b"", [], []
        with caller.saying(session, TITLE) as answer:
            for piece in answer.iter_raw():
                told += piece
                held = caller.state(session)
                tracks.append([track["tt"] for track in held["draft"].get("t", [])])
                made.append([media["tool"] for media in held["generated_media"]])
        got = [event for event in events(told) if event.get("type") != "heartbeat"]
        parts = [event["content"]["parts"][0] for event in got]
        assert [part["functionCall"]["name"] for part in parts if "functionCall" in part] == [
            "generate_video_with_seedance",
            "edit_multitrack",
        ]
        assert [event.get("turnComplete") for event in got] == [None, None, True, None, None, True]
        # The raw clip is to be seen before the music is added.
        assert [0, 7] in tracks
        # It is entered with it, and once.
        assert [with_it for tt, with_it in zip(tracks, made, strict=True) if tt][:1] == [made[-1]]
        assert made[-1] == ["generate_video_with_seedance"]
        assert caller.state(session)["generated_media"][0]["cdn_url"].startswith("http")
        assert sorted(tracks[-1]) == [0, 1, 7]
        assert caller.balance()["total"] == 9_950
    with Records(tmp_path) as records:
        (turn,) = records.turns()
    assert turn.state == "done"
    assert turn.ended_ms - turn.accepted_ms >= 150_000


@pytest.mark.parametrize(("do", "word"), [("fail_turn", "error"), ("fail_model", "errorCode")])
def test_a_turn_that_fails_with_a_code(tmp_path: Path, do: Do, word: str) -> None:
    with spoiled(tmp_path, Fault("run_sse", do, code=2001, message="Out of credits.")) as caller:
        session = ready(caller)
        (event,) = caller.say(session, TITLE)
        assert "2001" in json.dumps(event[word])
        assert caller.state(session)["draft"] == {}
        assert caller.balance() == {"available": 10_000, "frozen": 0, "total": 10_000}
        assert eventually(lambda: texts(caller.say(session, TITLE)))
