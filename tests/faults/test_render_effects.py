"""Effects from words to pixels and samples: speed, volume, loudness, fades, bars, blur and a logo, decoded again."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.media import probe, run_ffmpeg, safe_input
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.intent import understand
from nemo_watch.sandbox.plan import edit
from nemo_watch.sandbox.render import Output, RenderedFile, render
from tests.integration.test_render import draft, pieces, rendered, source
from tests.integration.test_render_edits import corners_of, looked_at
from tests.media_fixtures import colours, frame_ids, grey_frame, rms_db, samples, stream_seconds

Factory = pytest.TempPathFactory
FPS = 30


async def made(
    factory: Factory, folder: Path, words: str, *names: str, **output: Any
) -> tuple[dict[str, Any], RenderedFile]:
    """Do what the words say to these uploads, each message after the one before."""
    sources = [await source(factory, name) for name in names]
    measured = [
        one.asset
        if one.asset.kind == "image"
        else replace(one.asset, analysis=await analyze(one.path, await probe(one.path)))
        for one in sources
    ]
    what: dict[str, Any] = {}
    for message in words.split(" | "):
        wish = understand(message)
        assert not wish.unsupported
        what = edit(what, wish.ops, wish.unsupported, measured, "en").draft
    return what, await render(what, {one.asset.url: one for one in sources}, Output(**output), str(folder / "job"))


def luma(path: str, frame: int) -> float:
    return sum(grey_frame(path, (frame + 0.25) / FPS, 16, 9)) / 144


async def integrated(path: str) -> float:
    """Ask ffmpeg for the loudness of a file, in LUFS."""
    told = await run_ffmpeg(["-v", "info", *safe_input(path), "-af", "ebur128", "-f", "null", "-"], cwd="/")
    return float(re.findall(r"I: +(-?[\d.]+) LUFS", told.stderr)[-1])


# ---------------------------------------------------------------- speed


@pytest.mark.parametrize(
    ("words", "frames"),
    [
        ("2x", list(range(0, 240, 2))),
        ("keep only the first 2 seconds | half speed", [n // 2 for n in range(120)]),
        ("remove the first 1 second | twice as fast", list(range(30, 240, 2))),
    ],
)
async def test_at_another_speed_every_frame_is_the_one_of_its_time(
    tmp_path_factory: Factory, tmp_path: Path, words: str, frames: list[int]
) -> None:
    what, file = await made(tmp_path_factory, tmp_path, words, "frameid_short.mp4")
    assert frame_ids(file.path) == frames
    for stream in ("v", "a"):
        assert abs(stream_seconds(file.path, stream) - what["d"] / 1000) <= 1 / FPS + 0.025


async def test_a_fast_piece_begins_with_the_frame_of_its_in_point(tmp_path_factory: Factory, tmp_path: Path) -> None:
    what = draft((0, pieces("frameid_short.mp4", (5033, 1000), sp=2.0)))
    file = await rendered(tmp_path_factory, tmp_path, what, "frameid_short.mp4")
    assert frame_ids(file.path) == list(range(151, 211, 2))


async def test_the_sound_keeps_up(tmp_path_factory: Factory, tmp_path: Path) -> None:
    # The tone is there from 0.5 to 2.5 s of every 4 s: at twice the speed from 0.25 to 1.25 s of every 2 s.
    _, file = await made(tmp_path_factory, tmp_path, "2x", "pauses.mp4", resolution="90p")
    sound = samples(file.path)
    for begin_s, end_s, loud in ((0.0, 0.15, False), (0.35, 1.15, True), (1.4, 2.15, False), (2.35, 3.15, True)):
        assert (rms_db(sound, begin_s, end_s) > -20) is loud


# ---------------------------------------------------------------- sound


async def test_mute_is_digital_silence_and_music_is_still_heard(tmp_path_factory: Factory, tmp_path: Path) -> None:
    _, file = await made(tmp_path_factory, tmp_path / "mute", "mute", "steady.mp4", resolution="90p")
    assert max(map(abs, samples(file.path))) == 0
    _, file = await made(tmp_path_factory, tmp_path / "music", "mute | add music", "steady.mp4", resolution="90p")
    assert rms_db(samples(file.path), 1.5, 2.5) > -45


@pytest.mark.parametrize(("words", "change_db"), [("half volume", -6.02), ("turn the volume up by 50%", 3.52)])
async def test_volume(tmp_path_factory: Factory, tmp_path: Path, words: str, change_db: float) -> None:
    plain = await rendered(
        tmp_path_factory,
        tmp_path / "plain",
        draft((0, pieces("steady.mp4", (0, 4000)))),
        "steady.mp4",
        resolution="90p",
    )
    _, file = await made(tmp_path_factory, tmp_path, words, "steady.mp4", resolution="90p")
    before, after = (rms_db(samples(path), 0.5, 3.5) for path in (plain.path, file.path))
    assert abs(after - before - change_db) < 0.3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pauses.mp4", "normalize the audio"),
        ("steady.mp4", "set the volume to 10% | normalize the audio"),
        ("frameid_short.mp4", "normalize the audio, add music"),
    ],
)
async def test_loudness_is_what_players_expect(
    tmp_path_factory: Factory, tmp_path: Path, name: str, words: str
) -> None:
    _, file = await made(tmp_path_factory, tmp_path, words, name, resolution="90p")
    assert abs(await integrated(file.path) + 14) <= 1


async def test_fades_of_the_whole_begin_and_end_in_dark_and_silence(tmp_path_factory: Factory, tmp_path: Path) -> None:
    words = 'fade in 1 s and fade out 1 second, title "ALL" throughout'
    what, file = await made(tmp_path_factory, tmp_path, words, "steady.mp4", resolution="90p")
    last = what["d"] * FPS // 1000 - 1
    light = [luma(file.path, frame) for frame in (0, 15, 60, last - 15, last)]
    assert light[0] < 20  # the text is faded, too
    assert light[-1] < 20
    assert light[0] < light[1] < light[2]
    assert light[2] > light[3] > light[4]
    sound = samples(file.path)
    middle = rms_db(sound, 1.5, 2.5)
    assert rms_db(sound, 0.0, 0.05) < middle - 20
    assert rms_db(sound, 3.95, 4.0) < middle - 20


# ---------------------------------------------------------------- picture


@pytest.mark.parametrize(("words", "around"), [("with black bars", "black"), ("with a blurred background", "")])
async def test_a_whole_picture_in_another_shape(
    tmp_path_factory: Factory, tmp_path: Path, words: str, around: str
) -> None:
    _, file = await made(tmp_path_factory, tmp_path, f"make it vertical {words}", "corners.mp4")
    assert (file.width, file.height) == (180, 320)
    name = looked_at(file.path)
    # 180 by 101 of 180 by 320 lines: the picture's own corners, and what is above and below it.
    inner = [name(x, y) for x, y in ((0.05, 0.37), (0.95, 0.37), (0.05, 0.63), (0.95, 0.63), (0.5, 0.5))]
    assert inner == ["red", "lime", "blue", "yellow", "white"]
    outer = [name(x, y) for x in (0.05, 0.5, 0.95) for y in (0.03, 0.2, 0.8, 0.97)]
    if around:
        assert set(outer) == {around}
    else:
        assert "black" not in outer
        assert len({colours(file.path, 0.5)(x, 0.1) for x in (0.05, 0.5, 0.95)}) > 1


async def test_cropped_there_is_nothing_around(tmp_path_factory: Factory, tmp_path: Path) -> None:
    _, file = await made(tmp_path_factory, tmp_path, "make it vertical, no black bars", "corners.mp4")
    assert corners_of(file.path) == ["grey"] * 4 + ["white"]


@pytest.mark.parametrize("fit", ["black bars", "a blurred background"])
async def test_a_telephone_s_turned_video_stays_upright(tmp_path_factory: Factory, tmp_path: Path, fit: str) -> None:
    _, file = await made(tmp_path_factory, tmp_path, f"widescreen with {fit}", "rotated_corners.mp4")
    assert (file.width, file.height) == (320, 180)
    name = looked_at(file.path)
    # 101 of 320 columns in the middle; what was at the right is above.
    inner = [name(x, y) for x, y in ((0.38, 0.05), (0.62, 0.05), (0.38, 0.95), (0.62, 0.95), (0.5, 0.5))]
    assert inner == ["lime", "yellow", "red", "blue", "white"]


@pytest.mark.parametrize(
    ("corner", "box"),
    [("top right", (0.90, 0.12)), ("bottom left", (0.10, 0.88))],
)
async def test_a_logo_is_in_its_corner_and_nowhere_else(
    tmp_path_factory: Factory, tmp_path: Path, corner: str, box: tuple[float, float]
) -> None:
    words = f"put red.png in the {corner} corner"
    what, file = await made(tmp_path_factory, tmp_path, words, "black.mp4", "red.png")
    places = [(x, y) for x in (0.10, 0.5, 0.90) for y in (0.12, 0.5, 0.88)]
    for at_s in (0.5, what["d"] / 1000 - 0.1):
        colour = colours(file.path, at_s)
        red = [place for place in places if colour(*place)[0] > 200 and max(colour(*place)[1:]) < 60]
        assert red == [box]
        dark = [place for place in places if max(colour(*place)) < 40]
        assert len(dark) == len(places) - 1


async def test_what_was_taken_off_is_not_rendered(tmp_path_factory: Factory, tmp_path: Path) -> None:
    words = 'add a title "HELLO", add my logo, fade in | remove the title, the logo and the fades'
    what, file = await made(tmp_path_factory, tmp_path, words, "black.mp4", "red.png")
    assert [track["m"]["name"] for track in what["t"]] == ["main"]
    assert max(grey_frame(file.path, 1.5, 160, 90)) < 40
