"""Captions without a subtitle file: those that a video carries, and an honest answer where it carries none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch.media import probe
from nemo_watch.sandbox import carried
from nemo_watch.sandbox.carried import carried_cues
from nemo_watch.sandbox.facts import Cue
from nemo_watch.sandbox.server import SandboxServer
from nemo_watch.sandbox.speech import recogniser
from tests.media_fixtures import clip, grey_frame
from tests.sandbox_wire import Caller, texts

Factory = pytest.TempPathFactory
SHORT = (Cue(1000, 2000, "Hello there."), Cue(2500, 3500, "Two\nlines"))


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    with SandboxServer(tmp_path / "store") as server, Caller(server.url) as caller:
        yield caller


@pytest.mark.parametrize("name", ["carried.mp4", "carried.mkv", "carried_ass.mkv", "carried.webm"])
async def test_every_kind_of_text(tmp_path_factory: Factory, name: str) -> None:
    path = clip(tmp_path_factory, name)
    assert await carried_cues(path, await probe(path), "en") == SHORT


async def test_the_wanted_language_goes_first(tmp_path_factory: Factory) -> None:
    path = clip(tmp_path_factory, "carried_three.mkv")
    info = await probe(path)
    assert (await carried_cues(path, info, "en"))[1].start_ms == 4000
    for language in ("de", "zh-CN", "fr"):
        assert await carried_cues(path, info, language) == SHORT, language


async def test_pictures_of_text_are_no_text(tmp_path_factory: Factory) -> None:
    plain, with_text = (clip(tmp_path_factory, name) for name in ("black.mp4", "carried.mkv"))
    assert await carried_cues(plain, await probe(plain), "en") == ()
    info = await probe(with_text)
    pictures = replace(info, subtitles=tuple(replace(stream, codec="dvd_subtitle") for stream in info.subtitles))
    assert await carried_cues(with_text, pictures, "en") == ()


async def test_a_stream_without_an_end_is_left_alone(
    tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path_factory, "carried.mkv")
    monkeypatch.setattr(carried, "MAX_BYTES", 20)
    assert await carried_cues(path, await probe(path), "en") == ()


def test_captions_that_a_video_carries_are_drawn_at_their_times(
    caller: Caller, tmp_path_factory: Factory, tmp_path: Path
) -> None:
    session = caller.session()
    caller.upload(session, Path(clip(tmp_path_factory, "carried.mp4")))
    assert "2 cues from the subtitles inside carried.mp4" in " ".join(texts(caller.say(session, "add captions")))
    render_id = f"render_{session}"
    caller.submit(session, caller.state(session)["draft"], render_id)
    done = caller.rendered(render_id)
    assert done["status"] == "completed", done
    result = tmp_path / "out.mp4"
    result.write_bytes(caller.http.get(done["output"]["url"]).content)
    for at_s, shown in ((0.5, False), (1.5, True), (2.2, False), (3.0, True), (3.8, False)):
        frame = grey_frame(str(result), at_s, 320, 180)
        below, above = frame[320 * 135 :], frame[: 320 * 135]
        assert (max(below) > 150) is shown, at_s
        assert max(above) < 60


@pytest.mark.parametrize(
    ("language", "says"), [("en", "no speech recogniser is installed"), ("zh", "没有安装语音识别")]
)
def test_without_words_and_recogniser_the_rest_is_done_and_the_answer_says_so(
    caller: Caller, tmp_path_factory: Factory, monkeypatch: pytest.MonkeyPatch, language: str, says: str
) -> None:
    monkeypatch.setattr(recogniser, "ENGINE", "no_such_engine")  # also where the extra is installed
    session = caller.session(language)
    caller.upload(session, Path(clip(tmp_path_factory, "pauses.mp4")))
    reply = " ".join(texts(caller.say(session, "cut the pauses, add captions")))
    assert says in reply
    assert "nemo-watch[captions]" in reply
    draft = caller.state(session)["draft"]
    assert [track["tt"] for track in draft["t"]] == [0]
    assert draft["d"] < 12_000
