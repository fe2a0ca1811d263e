"""From words to pixels: what an instruction makes of a clip, planned, rendered and decoded again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nemo_watch.media import probe, run_ffmpeg, safe_input
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.intent import understand
from nemo_watch.sandbox.plan import edit
from nemo_watch.sandbox.render import Output, RenderedFile, RenderError, render
from tests.integration.test_render import draft, pieces, rendered, source
from tests.media_fixtures import changed_share, clip, colours, frame_ids, grey_frame, rms_db, samples, stream_seconds

Factory = pytest.TempPathFactory
FPS = 30


async def edited(factory: Factory, folder: Path, name: str, words: str) -> tuple[dict[str, Any], RenderedFile]:
    """Do what the words say to a clip."""
    one = await source(factory, name)
    measured = replace(one.asset, analysis=await analyze(one.path, await probe(one.path)))
    wish = understand(words)
    assert not wish.unsupported
    made = edit({}, wish.ops, wish.unsupported, [measured], "en").draft
    return made, await render(made, {one.asset.url: one}, Output(), str(folder / "job"))


def named(made: dict[str, Any]) -> list[int]:
    """List the source frame that a draft names for every frame of the output; cuts only, on one source."""

    def grid(ms: float) -> int:
        return int(ms * FPS / 1000 + 0.5)

    found: list[int] = []
    for segment in made["t"][0]["sg"]:
        assert len(found) == grid(segment["s"])
        length = grid(segment["s"] + segment["d"]) - len(found)
        found += range(grid(segment.get("ss", 0)), grid(segment.get("ss", 0)) + length)
    return found


async def silences(path: str, seconds: float) -> list[str]:
    """Ask ffmpeg itself for the pauses of a file."""
    chain = ["-af", f"silencedetect=noise=-40dB:d={seconds}", "-f", "null", "-"]
    told = await run_ffmpeg(["-v", "info", *safe_input(path), *chain], cwd="/")
    return re.findall(r"silence_duration: ([\d.]+)", told.stderr)


# ---------------------------------------------------------------- cutting


async def test_no_pause_is_left_and_every_frame_is_the_one_that_the_draft_names(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    made, file = await edited(tmp_path_factory, tmp_path, "frameid.mp4", "cut the pauses")
    assert len(await silences(clip(tmp_path_factory, "frameid.mp4"), 0.5)) == 6
    assert await silences(file.path, 0.5) == []
    assert len(made["t"][0]["sg"]) == 5
    assert frame_ids(file.path) == named(made)
    for stream in ("v", "a"):
        assert abs(stream_seconds(file.path, stream) - made["d"] / 1000) <= 1 / FPS + 0.025


async def test_a_source_without_a_steady_rate_keeps_its_times(tmp_path_factory: Factory, tmp_path: Path) -> None:
    what = draft((0, pieces("frameid_vfr.mkv", (1000, 3000))))
    file = await rendered(tmp_path_factory, tmp_path, what, "frameid_vfr.mkv")
    # A frame that is missing is the one before it, shown on.
    there = [n - (n % 7 - 1) if n % 7 in (2, 3, 4) else n for n in range(30, 120)]
    assert frame_ids(file.path) == there


@pytest.mark.parametrize("rate", [25, 50])
async def test_a_source_of_another_rate_shows_at_each_moment_what_it_shows_there(
    tmp_path_factory: Factory, tmp_path: Path, rate: int
) -> None:
    name = f"frameid_{rate}.mp4"
    file = await rendered(tmp_path_factory, tmp_path, draft((0, pieces(name, (1000, 1500)))), name)
    shown = frame_ids(file.path)
    assert len(shown) == 45
    # On time to the nearest frame of the source, which is one or two of its frames later at each step.
    assert shown[0] == rate
    for at, frame in enumerate(shown):
        assert abs(frame - (1 + at / FPS) * rate) <= 1, (at, frame)
    assert shown == sorted(shown)


# ---------------------------------------------------------------- the letters of a title


DANGEROUS = ["{\\an1}", "\\N", "%{pts}", "[x];", "It's", "{b}\\h", "<i>", "&amp;"]


async def test_no_letter_of_a_title_is_taken_for_a_command(tmp_path_factory: Factory, tmp_path: Path) -> None:
    """Each of them alone: of one that is obeyed there is nothing to see then, and no other hides that."""

    def said(words: list[str]) -> dict[str, Any]:
        texts = [
            {"id": f"x{at}", "s": at * 200, "d": 200, "tx": text, "ts": {"fs": 160}} for at, text in enumerate(words)
        ]
        return draft((0, pieces("black.mp4", (0, 200 * len(words)))), (7, texts))

    harmless = ["#" * len(text) for text in DANGEROUS]
    file = await rendered(tmp_path_factory, tmp_path / "a", said(DANGEROUS), "black.mp4")
    await rendered(tmp_path_factory, tmp_path / "b", said(harmless), "black.mp4")
    # The graph is the same, whatever is said.
    one, two = ((tmp_path / folder / "job" / "graph.txt").read_text() for folder in "ab")
    assert one == two
    for at, text in enumerate(DANGEROUS):
        frame = grey_frame(file.path, at * 0.2 + 0.1, 320, 180)
        bright = [(place % 320, place // 320) for place, level in enumerate(frame) if level > 120]
        assert bright, f"nothing is drawn of {text}"
        # In the middle, and as wide as so many letters are: none is missing, none has moved the rest.
        left, right = min(x for x, _ in bright), max(x for x, _ in bright)
        assert abs((left + right) / 2 - 160) < 12, text
        assert right - left > 5.5 * len(text), text
        assert all(50 < y < 130 for _, y in bright), text


# ---------------------------------------------------------------- the shape


COLOURS = {"red": (255, 0, 0), "lime": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0), "white": (255,) * 3}


def looked_at(path: str) -> Callable[[float, float], str]:
    """Give a function that names the colour at a place of the picture."""
    colour = colours(path, 0.5)

    def name(x: float, y: float) -> str:
        seen = colour(x, y)
        near = [name for name, rgb in COLOURS.items() if max(abs(a - b) for a, b in zip(seen, rgb, strict=True)) < 60]
        return near[0] if near else "black" if max(seen) < 40 else "grey"

    return name


def corners_of(path: str) -> list[str]:
    name = looked_at(path)
    return [name(x, y) for x, y in ((0.03, 0.03), (0.97, 0.03), (0.03, 0.97), (0.97, 0.97), (0.5, 0.5))]


async def test_the_shape_that_it_has_keeps_its_corners(tmp_path_factory: Factory, tmp_path: Path) -> None:
    file = await rendered(tmp_path_factory, tmp_path, draft((0, pieces("corners.mp4", (0, 900)))), "corners.mp4")
    assert corners_of(file.path) == ["red", "lime", "blue", "yellow", "white"]


@pytest.mark.parametrize(
    ("words", "size"),
    [("make it vertical", (180, 320)), ("make it square", (180, 180)), ("crop it to 4:5", (180, 224))],
)
async def test_cropping_keeps_the_centre_at_full_height_without_bars(
    tmp_path_factory: Factory, tmp_path: Path, words: str, size: tuple[int, int]
) -> None:
    _, file = await edited(tmp_path_factory, tmp_path, "corners.mp4", words)
    assert (file.width, file.height) == size
    assert corners_of(file.path) == ["grey"] * 4 + ["white"]
    # The white square is 48 of 180 lines high and in the middle: all of the height is there, and it was not moved.
    name = looked_at(file.path)
    column = [name(0.5, y / 100) for y in range(100)]
    above, below = column.index("white"), column[::-1].index("white")
    assert abs(above - below) <= 1
    assert abs(100 - above - below - 100 * 48 / 180) <= 2


async def test_a_telephone_s_turned_video_is_upright(tmp_path_factory: Factory, tmp_path: Path) -> None:
    what = {"t": [{"tt": 0, "sg": pieces("rotated_corners.mp4", (0, 900))}]}
    file = await rendered(tmp_path_factory, tmp_path, what, "rotated_corners.mp4")
    assert (file.width, file.height) == (180, 320)
    # Turned to the left by a quarter: what was at the right is above.
    assert corners_of(file.path) == ["lime", "yellow", "red", "blue", "white"]


# ---------------------------------------------------------------- sound and light


@pytest.mark.parametrize("how", ["segment", "track"])
async def test_mute_is_silence(tmp_path_factory: Factory, tmp_path: Path, how: str) -> None:
    what = draft((0, pieces("steady.mp4", (0, 1000), **({"v": 0} if how == "segment" else {}))))
    what["t"][0]["mu"] = how == "track"
    file = await rendered(tmp_path_factory, tmp_path, what, "steady.mp4")
    assert rms_db(samples(clip(tmp_path_factory, "steady.mp4")), 0.1, 0.9) > -20
    assert max(map(abs, samples(file.path))) == 0


async def test_a_fade_begins_and_ends_in_the_dark(tmp_path_factory: Factory, tmp_path: Path) -> None:
    what = draft((0, pieces("scenes.mp4", (2000, 2000), fi=500, fo=500)))
    file = await rendered(tmp_path_factory, tmp_path, what, "scenes.mp4")
    light = [sum(grey_frame(file.path, frame / FPS, 16, 9)) / 144 for frame in (0, 7, 30, 52, 59)]
    assert light[0] < 20
    assert light[-1] < 20
    assert light[0] < light[1] < light[2]
    assert light[2] > light[3] > light[4]


async def test_of_two_voices_the_first_is_heard(tmp_path_factory: Factory, tmp_path: Path) -> None:
    file = await rendered(
        tmp_path_factory, tmp_path, draft((0, pieces("two_voices.mkv", (0, 2000)))), "two_voices.mkv", resolution="90p"
    )
    plain = rms_db(samples(clip(tmp_path_factory, "two_voices.mkv")), 0.2, 1.8)
    assert abs(rms_db(samples(file.path), 0.2, 1.8) - plain) < 0.3


@pytest.mark.parametrize("name", ["still.png", "still.jpg"])
async def test_a_picture_alone_is_a_video_of_three_seconds(
    tmp_path_factory: Factory, tmp_path: Path, name: str
) -> None:
    _, file = await edited(tmp_path_factory, tmp_path, name, 'add the title "Quarterly update" for 1 second')
    assert (file.width, file.height) == (320, 240)
    for stream in ("v", "a"):
        assert stream_seconds(file.path, stream) == pytest.approx(3.0, abs=1 / FPS)
    assert max(map(abs, samples(file.path))) == 0
    untitled, titled = (grey_frame(file.path, at_s, 320, 180) for at_s in (2.0, 0.5))
    assert changed_share(untitled, titled, 320) > 0.005


# ---------------------------------------------------------------- a source that breaks off


async def test_ffmpeg_is_content_with_half_a_source_and_we_are_not(tmp_path_factory: Factory, tmp_path: Path) -> None:
    whole = Path(clip(tmp_path_factory, "faststart.mp4")).read_bytes()
    half = tmp_path / "half.mp4"
    half.write_bytes(whole[: len(whole) // 2])
    one = await source(tmp_path_factory, "half.mp4", str(half))
    what = draft((0, pieces("half.mp4", (0, 12_000))))
    encoded = await run_ffmpeg(["-v", "error", *safe_input(str(half)), "-f", "null", "-"], cwd="/")
    assert encoded.ok
    assert encoded.out_ms < 11_000
    assert one.asset.duration_ms == 12_000
    with pytest.raises(RenderError, match=r"has \d+\.\d\d s in place of 12\.00 s"):
        await render(what, {one.asset.url: one}, Output(), str(tmp_path / "job"))
    assert not list((tmp_path / "job").glob("out.*"))
