"""A video out of words over HTTP: an honest card, in two stages, for 100 credits."""

from __future__ import annotations

from pathlib import Path

import httpx

from nemo_watch.sandbox.server import SandboxServer
from tests.media_fixtures import describe, grey_frame
from tests.sandbox_wire import Caller, clip_bytes, texts

WISH = "make a 3 second vertical video about a lighthouse at night"


def test_a_card_is_made_refined_and_rendered(tmp_path: Path) -> None:
    with SandboxServer(tmp_path / "store", credits=100) as server, Caller(server.url) as caller:
        session = caller.session()
        told = caller.say(session, WISH)
        calls = [part["functionCall"]["name"] for e in told for part in e["content"]["parts"] if "functionCall" in part]
        assert calls == ["generate_video_with_seedance", "edit_multitrack"]
        (said,) = texts(told)
        assert "not an AI-generated picture" in said
        assert "A lighthouse at night" in said
        assert caller.balance() == {"available": 0, "frozen": 0, "total": 0}

        held = caller.state(session)
        (info,), (made,), draft = held["video_infos"], held["generated_media"], held["draft"]
        assert (info["source"], info["file_type"], info["width"], info["height"]) == ("generated", "video", 720, 1280)
        assert (made["cdn_url"], made["duration"], made["prompt"]) == (info["cdn_url"], 3.0, WISH)
        assert held["canvas_config"]["ratio"] == "9:16"
        assert [track["tt"] for track in draft["t"]] == [0, 7]
        assert draft["d"] == 3000

        caller.say(session, "add background music")
        caller.say(session, "make it square")
        refined = caller.state(session)
        assert [track["tt"] for track in refined["draft"]["t"]] == [0, 1, 7]
        assert refined["canvas_config"]["ratio"] == "1:1"
        assert len(refined["generated_media"]) == 1

        render = caller.submit(session, refined["draft"], resolution="360p").json()["data"]["id"]
        done = caller.rendered(render)
        assert done["status"] == "completed", done
        result = tmp_path / "out.mp4"
        result.write_bytes(httpx.get(done["output"]["url"], trust_env=False, verify=False).content)
    assert "360x360" in describe(str(result))
    middle = grey_frame(str(result), 1.5, 360, 360)
    assert max(middle) > 230  # white letters on a dark ground
    assert max(grey_frame(str(result), 0.0, 360, 360)[: 360 * 60]) < 200


def test_without_credits_nothing_is_made(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, credits=99) as server, Caller(server.url) as caller:
        session = caller.session()
        answer = caller.http.post("/run_sse", json=caller.message(session, "生成一个关于秋天的视频")).json()
        assert (answer["code"], "100" in answer["message"]) == (2001, True)
        assert caller.state(session)["video_infos"] == []
        Caller.ok(caller.try_upload(session, ("a.mp4", clip_bytes(2.0))))
        caller.say(session, "add background music")  # an edit is half the price
        assert caller.balance()["available"] == 49


def test_with_a_clip_a_wish_is_an_edit_of_it(tmp_path: Path) -> None:
    with SandboxServer(tmp_path) as server, Caller(server.url) as caller:
        session = caller.session()
        (file,) = Caller.ok(caller.try_upload(session, ("a.mp4", clip_bytes(2.0))))["files"]
        caller.say(session, "make a 3 second video of this with music")
        held = caller.state(session)
        assert held["generated_media"] == []
        assert [info["cdn_url"] for info in held["video_infos"]] == [file["cdn_url"]]
        assert caller.balance()["available"] == 9950


def test_an_instruction_without_anything_to_edit_makes_nothing(tmp_path: Path) -> None:
    with SandboxServer(tmp_path) as server, Caller(server.url) as caller:
        session = caller.session()
        (said,) = texts(caller.say(session, "cut the pauses"))
        assert said.startswith("Nothing was changed")
        assert caller.state(session)["draft"] == {}
        assert caller.balance()["available"] == 10_000


def test_a_chinese_wish_is_answered_in_chinese_and_described_ones_work(tmp_path: Path) -> None:
    with SandboxServer(tmp_path) as server, Caller(server.url) as caller:
        (said,) = texts(caller.say(caller.session(), "生成一个3秒的关于秋天的视频"))
        assert "不是 AI 生成的画面" in said
        session = caller.session()
        caller.say(session, "Waves crashing against a lighthouse at dusk, 3 seconds")
        assert caller.state(session)["draft"]["d"] == 3000
