"""Several messages in one session over HTTP, each on the draft as it is: added, taken off, undone, exported."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import Caller, clip_bytes, texts


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    folder: Path = tmp_path_factory.mktemp("messages")
    with SandboxServer(folder, heartbeat_s=5.0) as server, Caller(server.url) as one:
        yield one


class Talk:
    """One session: says things and looks at the draft that comes of it."""

    def __init__(self, caller: Caller) -> None:
        self.caller, self.session = caller, caller.session()
        Caller.ok(caller.try_upload(self.session, ("clip.mp4", clip_bytes())))

    def say(self, words: str) -> tuple[dict[str, Any], str]:
        told = self.caller.say(self.session, words)
        return copy.deepcopy(self.caller.state(self.session)["draft"]), texts(told)[-1]


def shown(draft: dict[str, Any]) -> list[str]:
    return [segment["tx"] for track in draft["t"] if track["tt"] == 7 for segment in track["sg"]]


def test_every_message_works_on_what_the_one_before_left(caller: Caller) -> None:
    talk = Talk(caller)
    cut, _ = talk.say("cut the pauses")
    titled, _ = talk.say('add a title "Hello"')
    fast, reply = talk.say("2x")
    assert shown(fast) == ["Hello"]
    assert fast["d"] == pytest.approx(cut["d"] / 2, abs=1)
    assert "2 times" in reply
    bare, reply = talk.say("remove the title")
    assert (shown(bare), reply) == ([], "Removed the text.")
    assert bare["d"] == fast["d"]
    same, reply = talk.say("remove the title")
    assert same == bare
    assert "none was added" in reply
    # One undo after the other goes further back; what changed nothing is not counted.
    assert talk.say("undo")[0] == fast
    assert talk.say("undo the last change")[0] == titled
    assert talk.say("撤销")[0] == cut
    whole, _ = talk.say("undo")
    assert whole["d"] > cut["d"]
    last, reply = talk.say("undo")
    assert (last, reply) == (whole, "There is nothing to undo.")
    # After an undo the work goes on from there.
    music, _ = talk.say("add music")
    assert [track["tt"] for track in music["t"]] == [0, 1]
    assert talk.say("undo")[0] == whole


def test_start_over_gives_the_upload_back_and_can_be_undone(caller: Caller) -> None:
    talk = Talk(caller)
    talk.say("cut the pauses, add music")
    vertical, _ = talk.say("make it vertical with black bars, mute")
    again, reply = talk.say("start over")
    assert "as they were uploaded" in reply
    assert [track["tt"] for track in again["t"]] == [0]
    assert again["m"]["width"] > again["m"]["height"]
    assert talk.say("undo")[0] == vertical


def test_an_edited_draft_is_exported_as_wished_and_not_otherwise(caller: Caller) -> None:
    talk = Talk(caller)
    draft, _ = talk.say("2x, fade out, mute, vertical with a blurred background")
    for wish in ({"quality": "ultra"}, {"resolution": "1440p"}, {"fps": 500}, {"format": "webm"}):
        assert caller.submit(talk.session, draft, **wish).status_code == 400, wish
    answer = caller.submit(talk.session, draft, "render_effects", quality="draft", resolution="90p", fps=15)
    assert answer.status_code == 200, answer.text
    done = caller.rendered("render_effects")
    assert done["status"] == "completed", done
    assert done["output"]["duration"] == pytest.approx(draft["d"] / 1000, abs=0.1)
