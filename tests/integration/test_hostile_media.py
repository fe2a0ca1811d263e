"""What somebody may send in place of a video, through the whole sandbox: refused for what it is, or rendered whole.

Each row of the table in render.md 6 that is about content; the rows about pictures and sounds that are only unusual are
rendered in test_render.py and test_render_edits.py.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.sandbox.server import SandboxServer
from tests.integration.test_media import HOSTILE
from tests.media_fixtures import children, clip, frame_ids
from tests.sandbox_wire import Caller

Factory = pytest.TempPathFactory
WITHIN_S = 5.0
NEIGHBOUR = "neighbour.ts"
"""A clip that can be read, beside every upload: a list that is opened finds it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Factory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def caller(folder: Path) -> Iterator[Caller]:
    with SandboxServer(folder) as sandbox, Caller(sandbox.url) as made:
        yield made


@pytest.fixture
def session(caller: Caller, folder: Path, tmp_path_factory: Factory) -> str:
    made = caller.session()
    place = folder / "sessions" / made
    place.mkdir(exist_ok=True)
    (place / NEIGHBOUR).write_bytes(Path(clip(tmp_path_factory, "clip.ts")).read_bytes())
    return made


def left_in(folder: Path, session: str) -> list[str]:
    return sorted(set(os.listdir(folder / "sessions" / session)) - {NEIGHBOUR})


def absolute(folder: Path, name: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{folder / name}'\n".encode()


CONTENT: dict[str, Callable[[Path, str], bytes]] = {**HOSTILE, "ffconcat of an absolute name": absolute}
SENTENCES = {
    "ffconcat": "a list or a description of other media",
    "ffconcat of an absolute name": "a list or a description of other media",
    "svg": "a list or a description of other media",
    "sdp": "a list or a description of other media",
}


@pytest.mark.parametrize("what", sorted(CONTENT))
def test_it_is_refused_at_once_and_nothing_of_it_is_left(
    caller: Caller, folder: Path, session: str, tmp_path_factory: Factory, what: str
) -> None:
    # Half a video is one with its index at the end: what lies in the neighbour is a stream, of which half is one, too.
    beside = Path(clip(tmp_path_factory, "scenes.mp4")) if what == "half" else folder / "sessions" / session / NEIGHBOUR
    content, before = CONTENT[what](beside.parent, beside.name), children()
    begun_s = time.monotonic()
    answer = caller.try_upload(session, ("holiday.mp4", content))
    assert time.monotonic() - begun_s < WITHIN_S
    assert (answer.status_code, answer.json()["code"]) == (200, 4001)
    told = answer.json()["message"]
    assert told.startswith("holiday.mp4 is not accepted: The file is ")
    assert SENTENCES.get(what, "not a video, image or sound that can be read") in told
    assert left_in(folder, session) == []
    assert caller.state(session)["video_infos"] == []
    assert children() == before


@pytest.mark.parametrize(
    "name", ["list.m3u8", "holiday.txt", "holiday.sdp", "holiday.svg", "holiday", "holiday.mp4.exe"]
)
def test_a_suffix_that_nobody_watches_for_is_refused_whatever_it_holds(
    caller: Caller, folder: Path, session: str, tmp_path_factory: Factory, name: str
) -> None:
    answer = caller.try_upload(session, (name, Path(clip(tmp_path_factory, "scenes.mp4")).read_bytes()))
    assert answer.json()["code"] == 4001
    assert left_in(folder, session) == []


@pytest.mark.parametrize(
    "name", ["it's; $(touch x).mov", "a:b,c[d].mp4", "-i evil %03d.mkv", "视频.avi", "..%2f..%2fx.mp4"]
)
def test_content_decides_and_a_name_is_only_a_name(
    caller: Caller, folder: Path, session: str, tmp_path_factory: Factory, name: str
) -> None:
    """The same MP4 under the suffixes of other containers, and names that a shell or a filter would take for more."""
    answer = caller.try_upload(session, (name, Path(clip(tmp_path_factory, "scenes.mp4")).read_bytes()))
    (file,) = Caller.ok(answer)["files"]
    assert (file["filename"], file["file_type"], file["duration"]) == (name, "video", 6.0)
    (kept,) = left_in(folder, session)
    assert re.fullmatch(r"u_[0-9a-f]+\.[a-z0-9]{3}", kept), "the name on the disk is ours, but for a known suffix"


def exported(caller: Caller, session: str, src: str, length_ms: int) -> dict[str, Any]:
    segment = {"id": "s", "s": 0, "d": length_ms, "src": src, "ss": 0}
    what = {"m": {"width": 384, "height": 216, "fps": 30}, "t": [{"tt": 0, "sg": [segment]}]}
    return caller.rendered(Caller.ok(caller.submit(session, what))["id"])


def test_half_a_video_that_begins_with_its_index_is_accepted_and_its_export_fails(
    caller: Caller, folder: Path, session: str, tmp_path_factory: Factory
) -> None:
    """ffmpeg reads it to its early end and is content: the length of what came out is what tells."""
    whole = Path(clip(tmp_path_factory, "faststart.mp4")).read_bytes()
    answer = caller.try_upload(session, ("half.mp4", whole[: len(whole) // 2]))
    (file,) = Caller.ok(answer)["files"]
    assert file["duration"] == 12.0
    before = children()
    done = exported(caller, session, file["cdn_url"], 12_000)
    assert done["status"] == "failed"
    assert "in place of 12.00 s: a source ends before its stated length or is damaged." in done["error"]
    assert "output" not in done
    assert children() == before
    assert list(folder.glob("renders/*/*")) == []
    # What is there can be had all the same.
    assert exported(caller, session, file["cdn_url"], 3000)["status"] == "completed"


def test_flipped_bits_are_a_whole_video_or_none(
    caller: Caller, folder: Path, session: str, tmp_path: Path, tmp_path_factory: Factory
) -> None:
    data, chance = bytearray(Path(clip(tmp_path_factory, "frameid_short.mp4")).read_bytes()), random.Random(3)
    index = data.index(b"moov")
    for _ in range(40):
        data[chance.randrange(200, index - 200)] ^= 1 << chance.randrange(8)
    (file,) = Caller.ok(caller.try_upload(session, ("flipped.mp4", bytes(data))))["files"]
    done = exported(caller, session, file["cdn_url"], 8000)
    if done["status"] == "completed":
        result = tmp_path / "out.mp4"
        result.write_bytes(caller.http.get(done["output"]["url"]).content)
        assert len(frame_ids(str(result))) == 240
    else:
        assert done["status"] == "failed"
        assert done["error"].endswith(".")
