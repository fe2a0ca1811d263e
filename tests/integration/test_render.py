"""Real renders, decoded again: what is claimed of a draft is looked for in the pixels and the samples."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from nemo_watch.media import find_ffmpeg, probe
from nemo_watch.sandbox.analyze import analyze
from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.render import DraftError, Output, RenderedFile, RenderError, Source, render
from tests.media_fixtures import (
    ID_HEIGHT,
    ID_WIDTH,
    changed_share,
    clip,
    colour_at,
    describe,
    frame_ids,
    grey_frame,
    rms_db,
    samples,
    stream_seconds,
    top_boxes,
)

Factory = pytest.TempPathFactory
CANVAS = {"width": ID_WIDTH, "height": ID_HEIGHT, "fps": 30}
PICTURE = (320, 180)


async def source(factory: Factory, name: str, path: str = "") -> Source:
    path = path or clip(factory, name)
    info = await probe(path)
    video = info.video
    size = (video.width, video.height, video.fps) if video else (0, 0, 0.0)
    facts = (info.audio is not None, video is not None and video.hdr, os.path.getsize(path))
    return Source(Asset(name, f"u/{name}", name, info.kind, info.duration_ms, *size, *facts), path)


async def rendered(factory: Factory, folder: Path, what: dict[str, Any], *names: str, **output: Any) -> RenderedFile:
    sources = {one.asset.url: one for one in [await source(factory, name) for name in names]}
    return await render(what, sources, Output(**output), str(folder / "job"))


def pieces(name: str, *cuts: tuple[int, int], **more: Any) -> list[dict[str, Any]]:
    """Segments one after the other from (in-point, length) in milliseconds."""
    found, at = [], 0
    for first, length in cuts:
        found.append({"id": f"s{at}", "s": at, "d": length, "src": f"u/{name}", "ss": first, **more})
        at += length
    return found


def draft(*tracks: tuple[int, list[dict[str, Any]]], **facts: Any) -> dict[str, Any]:
    return {"m": {**CANVAS, **facts}, "t": [{"tt": kind, "sg": segments} for kind, segments in tracks]}


def text(start: int, length: int, words: str, **style: Any) -> dict[str, Any]:
    return {"id": f"x{start}", "s": start, "d": length, "tx": words, "ts": style}


# ---------------------------------------------------------------- cutting


async def test_every_output_frame_is_the_source_frame_that_the_draft_names(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    cuts = ((367, 2133), (4500, 2000), (12_033, 1467), (300, 500))
    file = await rendered(tmp_path_factory, tmp_path, draft((0, pieces("frameid.mp4", *cuts))), "frameid.mp4")
    assert frame_ids(file.path) == [*range(11, 75), *range(135, 195), *range(361, 405), *range(9, 24)]
    assert file.duration_ms == 6100
    for stream in ("v", "a"):
        assert abs(stream_seconds(file.path, stream) - 6.1) <= 1 / 30 + 0.025


async def test_a_faster_piece_begins_at_its_frame(tmp_path_factory: Factory, tmp_path: Path) -> None:
    fast = pieces("frameid.mp4", (1000, 1000), sp=2)
    slow = [{**piece, "s": 1000} for piece in pieces("frameid.mp4", (5000, 1000), sp=0.5)]
    file = await rendered(tmp_path_factory, tmp_path, draft((0, [*fast, *slow])), "frameid.mp4")
    assert frame_ids(file.path) == [*range(30, 90, 2), *(frame for frame in range(150, 165) for _ in (0, 1))]


async def test_sound_and_picture_are_cut_at_the_same_place(tmp_path_factory: Factory, tmp_path: Path) -> None:
    # The tone of the source begins at 4.5 s and ends at 6.5 s: half a second into this output, and 2.5 s.
    file = await rendered(tmp_path_factory, tmp_path, draft((0, pieces("frameid.mp4", (4000, 3000)))), "frameid.mp4")
    sound = samples(file.path)
    for begin_s, end_s, loud in ((0.0, 0.47, False), (0.53, 2.47, True), (2.53, 3.0, False)):
        assert (rms_db(sound, begin_s, end_s) > -20) is loud
        assert loud or rms_db(sound, begin_s, end_s) < -45


async def test_many_jumps_are_rendered_in_parts_and_lose_no_frame(tmp_path_factory: Factory, tmp_path: Path) -> None:
    seen: list[float] = []
    one = await source(tmp_path_factory, "frameid.mp4")
    cuts = [(19_000 - number * 800, 200) for number in range(20)]
    what = draft((0, pieces("frameid.mp4", *cuts)))
    file = await render(what, {one.asset.url: one}, Output(), str(tmp_path / "job"), seen.append)
    # Per cent of the whole, over all of its parts: never back, and 100 at the end alone.
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert (seen[-1], seen.count(100.0)) == (100.0, 1)
    assert frame_ids(file.path) == [570 - number * 24 + frame for number in range(20) for frame in range(6)]
    assert not [name for name in os.listdir(tmp_path / "job") if name.endswith((".mov", ".part"))]
    assert abs(stream_seconds(file.path, "a") - 4.0) < 0.03


async def test_a_broken_rate_keeps_its_frames(tmp_path_factory: Factory, tmp_path: Path) -> None:
    what = draft((0, pieces("frameid.mp4", (0, 3337), (5005, 3337))), fps=29.97)
    file = await rendered(tmp_path_factory, tmp_path, what, "frameid.mp4")
    assert len(frame_ids(file.path)) == 200
    assert abs(file.duration_ms - 6673) <= 1


# ---------------------------------------------------------------- the file


async def test_the_file_is_what_players_want(tmp_path_factory: Factory, tmp_path: Path) -> None:
    sources = {"u/pauses.mp4": await source(tmp_path_factory, "pauses.mp4")}
    what = draft((0, pieces("pauses.mp4", (0, 700))), width=1920, height=1080)
    file = await render(what, sources, Output(resolution="1080p"), str(tmp_path / "job"))
    said = describe(file.path)
    assert re.search(r"Video: h264 \(High\).*yuv420p.*, 1920x1080 \[SAR 1:1 DAR 16:9\].* 30 fps", said)
    assert re.search(r"Audio: aac .*48000 Hz, stereo", said)
    boxes = top_boxes(file.path)
    assert boxes.index("moov") < boxes.index("mdat")
    assert (file.width, file.height, file.size_bytes) == (1920, 1080, os.path.getsize(file.path))
    assert file.path.endswith("/out.mp4")


@pytest.mark.parametrize(
    ("width", "height", "resolution", "size"),
    [(1080, 1920, "180p", "180x320"), (1080, 1080, "180p", "180x180"), (1920, 1080, "270p", "480x270")],
)
async def test_aspect_is_cropped_from_the_centre(
    tmp_path_factory: Factory, tmp_path: Path, width: int, height: int, resolution: str, size: str
) -> None:
    what = draft((0, pieces("scenes.mp4", (0, 5000))), width=width, height=height)
    file = await rendered(tmp_path_factory, tmp_path, what, "scenes.mp4", resolution=resolution)
    assert f"{size} [SAR 1:1" in describe(file.path)
    for x, y in ((0.01, 0.01), (0.98, 0.98), (0.5, 0.5)):
        red, green, blue = colour_at(file.path, 1.0, x, y)
        assert red > 200
        assert max(green, blue) < 60


@pytest.mark.parametrize(
    ("name", "centre"),
    [("sar.mp4", None), ("odd.mkv", None), ("rotated.mp4", (255, 0, 0)), ("hdr.mkv", None), ("still.jpg", None)],
)
async def test_odd_pictures_become_ordinary_ones(
    tmp_path_factory: Factory, tmp_path: Path, name: str, centre: tuple[int, int, int] | None
) -> None:
    what = {"t": [{"tt": 0, "sg": pieces(name, (0, 1000))}]}
    file = await rendered(tmp_path_factory, tmp_path, what, name)
    said = describe(file.path)
    assert re.search(r"yuv420p(\(tv[^)]*\)|\(progressive\)).*SAR 1:1", said), said
    assert file.width % 2 == file.height % 2 == 0
    assert "smpte2084" not in said
    if name == "rotated.mp4":
        assert (file.width, file.height) == (180, 320)
    if centre is not None:
        assert all(abs(a - b) < 30 for a, b in zip(colour_at(file.path, 0.5, 0.5, 0.5), centre, strict=True))


async def test_stills_sound_alone_and_silent_video_share_a_timeline(tmp_path_factory: Factory, tmp_path: Path) -> None:
    names = (
        *("still.png", "still.jpg", "still.webp", "still.gif", "moving.gif", "tone.mp3", "tone.aac", "mute.mp4"),
        *("clip.avi", "clip.webm", "clip.mkv", "clip.mov", "tone.wav", "tone.m4a"),
    )
    segments = [{"id": name, "s": number * 1000, "d": 1000, "src": f"u/{name}"} for number, name in enumerate(names)]
    file = await rendered(tmp_path_factory, tmp_path, draft((0, segments), bg="#0000FF"), *names, resolution="90p")
    assert file.duration_ms == 14_000
    sound = samples(file.path)
    for number, name in enumerate(names):
        level = rms_db(sound, number + 0.6, number + 0.9)
        assert (level > -25) is name.startswith(("tone", "clip")), name
        red, green, blue = colour_at(file.path, number + 0.5, 0.1, 0.9)
        assert (blue > 200 and max(red, green) < 60) is name.startswith("tone"), name


async def test_fades_volume_and_gaps(tmp_path_factory: Factory, tmp_path: Path) -> None:
    loud, half = pieces("steady.mp4", (0, 1000)), pieces("steady.mp4", (0, 2000), v=0.5, fi=500, fo=500)
    what = draft((0, [*loud, {**half[0], "s": 2000}]))
    file = await rendered(tmp_path_factory, tmp_path, what, "steady.mp4")
    sound = samples(file.path)
    assert abs(rms_db(sound, 0.2, 0.8) - rms_db(sound, 2.8, 3.2) - 6.02) < 0.3
    assert rms_db(sound, 1.1, 1.9) < -80
    frames = [sum(grey_frame(file.path, at_s, 16, 9)) / 144 for at_s in (0.5, 1.5, 2.0, 3.0, 3.95)]
    assert [frame > 80 for frame in frames] == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("name", "lower_db"), [("steady.mp4", 0.0), ("tone.wav", 0.0), ("stereo.wav", 6.02), ("surround.wav", 6.02)]
)
@pytest.mark.parametrize("track", [0, 1])
async def test_each_channel_keeps_its_level_however_many_there_are(
    tmp_path_factory: Factory, tmp_path: Path, name: str, lower_db: float, track: int
) -> None:
    picture = pieces("mute.mp4", (0, 2000))
    sound = [{**piece, "m": {"duck": False}} for piece in pieces(name, (0, 2000))]
    what = draft((0, sound)) if track == 0 else draft((0, picture), (1, sound))
    file = await rendered(tmp_path_factory, tmp_path, what, name, "mute.mp4", resolution="90p")
    plain = rms_db(samples(clip(tmp_path_factory, name)), 0.2, 1.8)
    left, right = (rms_db(samples(file.path, channel), 0.2, 1.8) for channel in (0, 1))
    assert abs(left - plain) < 0.3
    assert abs(right - (plain - lower_db)) < 0.3


async def test_a_small_picture_cropped_to_a_shape_has_it_exactly_in_the_file(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    what = draft((0, pieces("mute.mp4", (0, 200))), width=182, height=324)
    file = await rendered(tmp_path_factory, tmp_path, what, "mute.mp4", resolution="1080p", quality="draft")
    assert "1080x1920 [SAR 1:1 DAR 9:16]" in describe(file.path)


# ---------------------------------------------------------------- music


@pytest.mark.parametrize("mood", ["warm", "calm", "upbeat", "lofi", "cinematic", "corporate"])
async def test_music_is_heard_in_the_pauses_and_leaves_the_voice_alone(
    tmp_path_factory: Factory, tmp_path: Path, mood: str
) -> None:
    bed = {"id": "m", "s": 0, "d": 12_000, "src": f"gen:{mood}", "v": 0.35, "fi": 300, "fo": 500}
    clips = pieces("pauses.mp4", (0, 12_000))
    file = await rendered(tmp_path_factory, tmp_path, draft((0, clips), (1, [bed])), "pauses.mp4", resolution="90p")
    music, plain = samples(file.path), samples(clip(tmp_path_factory, "pauses.mp4"))
    for begin_s in (2.5, 6.5, 10.5):
        assert rms_db(plain, begin_s + 0.4, begin_s + 1.2) < -80
        assert -45 < rms_db(music, begin_s + 0.4, begin_s + 1.2) < -20
        assert -45 < rms_db(music, begin_s + 0.1, begin_s + 1.4) < -20
    for begin_s in (0.5, 4.5, 8.5):
        assert abs(rms_db(music, begin_s + 0.1, begin_s + 1.9) - rms_db(plain, begin_s + 0.1, begin_s + 1.9)) < 1
    assert max(map(abs, music)) < 0.99


async def test_a_file_of_one_s_own_is_music_too_and_begins_where_it_should(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    song = {"id": "m", "s": 1000, "d": 2000, "src": "u/tone.mp3", "v": 0.5, "ss": 1000}
    what = draft((0, pieces("black.mp4", (0, 4000))), (1, [song]))
    file = await rendered(tmp_path_factory, tmp_path, what, "black.mp4", "tone.mp3", resolution="90p")
    sound = samples(file.path)
    assert rms_db(sound, 0.0, 0.95) < -80
    assert abs(rms_db(sound, 1.1, 2.9) - -19.5) < 1
    assert rms_db(sound, 3.1, 3.9) < -80
    assert abs(stream_seconds(file.path, "a") - 4) < 0.04


async def test_music_loops_for_as_long_as_the_video_without_a_seam(tmp_path_factory: Factory, tmp_path: Path) -> None:
    bed = {"id": "m", "s": 0, "d": 36_000, "src": "gen:warm", "v": 1.0}
    what = {"t": [{"tt": 1, "sg": [bed]}], "m": {"width": 64, "height": 64, "fps": 5}}
    file = await rendered(tmp_path_factory, tmp_path, what)
    sound = samples(file.path)
    assert abs(len(sound) / 48_000 - 36) < 0.05
    assert rms_db(sound, 33, 35) > -30
    assert max(abs(sound[at] - sound[at - 1]) for at in range(15 * 48_000, 17 * 48_000)) < 0.05


# ---------------------------------------------------------------- text


async def test_a_title_is_there_while_it_is_shown_and_not_a_frame_longer(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    clips = pieces("pauses.mp4", (0, 4000))
    words = "It's 100% {\\an1} \\N %{pts}: [x];"
    titled = await rendered(
        tmp_path_factory, tmp_path / "a", draft((0, clips), (7, [text(500, 2000, words)])), "pauses.mp4"
    )
    plain = await rendered(tmp_path_factory, tmp_path / "b", draft((0, clips)), "pauses.mp4")

    def share(at_s: float, rows: tuple[float, float]) -> float:
        one, two = (grey_frame(file.path, at_s, *PICTURE) for file in (titled, plain))
        return changed_share(one, two, PICTURE[0], rows)

    assert share(0.3, (0, 1)) == 0
    assert share(1.5, (1 / 3, 2 / 3)) > 0.01
    assert share(2.4, (1 / 3, 2 / 3)) > 0.01
    assert share(1.5, (0, 0.25)) == 0
    assert share(2.6, (0, 1)) == 0
    # The same words in the same place, whatever they are: nothing of them is a command.
    assert (tmp_path / "a/job/graph.txt").read_text().replace(
        ",subtitles=f=text.ass:fontsdir=fonts,format=yuv420p", ""
    ) == (tmp_path / "b/job/graph.txt").read_text()


async def test_captions_are_in_the_lower_quarter_at_their_times(tmp_path_factory: Factory, tmp_path: Path) -> None:
    captions = [text(1000, 1000, "Hello there."), text(2500, 1000, "Good bye!\nTwo lines.")]
    what = draft((0, pieces("black.mp4", (0, 4000))), (7, captions))
    what["t"][1]["m"] = {"name": "Captions"}
    file = await rendered(tmp_path_factory, tmp_path, what, "black.mp4")
    for at_s, shown in ((0.5, False), (1.5, True), (2.2, False), (3.0, True), (3.7, False)):
        frame = grey_frame(file.path, at_s, *PICTURE)
        below, above = frame[PICTURE[0] * 135 :], frame[: PICTURE[0] * 135]
        assert (max(below) > 150) is shown, at_s
        assert max(above) < 60


async def test_style_places_and_colours_the_text(tmp_path_factory: Factory, tmp_path: Path) -> None:
    corner = text(0, 1000, "█████", fs=200, c="#00FF00", al="left", px=0.0, py=0.0, sw=0, ff="No Such Family")
    what = draft((0, pieces("black.mp4", (0, 1000))), (7, [corner]))
    file = await rendered(tmp_path_factory, tmp_path, what, "black.mp4")
    red, green, blue = colour_at(file.path, 0.5, 0.1, 0.12)
    assert green > 150
    assert max(red, blue) < 80
    assert max(colour_at(file.path, 0.5, 0.9, 0.9)) < 40


async def test_text_is_drawn_where_there_are_no_fonts_and_no_path(
    tmp_path_factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = await source(tmp_path_factory, "black.mp4")
    monkeypatch.setattr("nemo_watch.sandbox.render._SYSTEM_FONTS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    what = draft((0, pieces("black.mp4", (0, 1000))), (7, [text(0, 1000, "Привет, γειά")]))
    file = await render(what, {"u/black.mp4": black}, Output(), str(tmp_path / "job"))
    assert max(grey_frame(file.path, 0.5, *PICTURE)) > 150


# ---------------------------------------------------------------- failures


async def test_a_source_that_breaks_off_gives_no_file(tmp_path_factory: Factory, tmp_path: Path) -> None:
    data = Path(clip(tmp_path_factory, "faststart.mp4")).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    broken = await source(tmp_path_factory, "cut.mp4", str(cut))
    assert broken.asset.duration_ms == 12_000
    with pytest.raises(RenderError, match="damaged"):
        await render(draft((0, pieces("cut.mp4", (0, 12_000)))), {"u/cut.mp4": broken}, Output(), str(tmp_path / "job"))
    assert not [name for name in os.listdir(tmp_path / "job") if "out." in name]


async def test_a_draft_that_cannot_be_rendered_and_an_upload_that_is_gone(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    with pytest.raises(DraftError, match="not an upload"):
        await rendered(tmp_path_factory, tmp_path, draft((0, pieces("other.mp4", (0, 1000)))), "black.mp4")
    black = await source(tmp_path_factory, "black.mp4")
    gone = Source(black.asset, str(tmp_path / "gone.mp4"))
    with pytest.raises(RenderError, match="gone"):
        await render(draft((0, pieces("black.mp4", (0, 1000)))), {"u/black.mp4": gone}, Output(), str(tmp_path / "job"))


async def test_a_cancelled_render_leaves_no_file_and_can_be_done_again(
    tmp_path_factory: Factory, tmp_path: Path
) -> None:
    black = {"u/pauses.mp4": await source(tmp_path_factory, "pauses.mp4")}
    what = draft((0, pieces("pauses.mp4", (0, 12_000))), width=1920, height=1080)
    job, begun = str(tmp_path / "job"), asyncio.Event()
    task = asyncio.create_task(render(what, black, Output(quality="best"), job, lambda _: begun.set()))
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [name for name in os.listdir(job) if "out." in name]
    # What a killed process leaves behind is no obstacle either.
    Path(job, "out.mp4.part").write_bytes(b"half")
    file = await render(draft((0, pieces("pauses.mp4", (0, 500)))), black, Output(), job)
    assert abs(stream_seconds(file.path, "v") - 0.5) < 0.04


async def test_a_full_disk_is_said_and_may_be_tried_again(
    tmp_path_factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = {"u/black.mp4": await source(tmp_path_factory, "black.mp4")}
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("nemo_watch.sandbox.render.shutil.disk_usage", lambda _: usage)
    with pytest.raises(RenderError, match="MB free") as caught:
        await render(draft((0, pieces("black.mp4", (0, 500)))), black, Output(), str(tmp_path / "job"))
    assert caught.value.again


async def test_exit_code_nothing_written_is_no_result(
    tmp_path_factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = {"u/black.mp4": await source(tmp_path_factory, "black.mp4")}
    liar = tmp_path / "liar"
    liar.write_text(
        '#!/bin/sh\n[ "$2" = -version ] && echo ffmpeg version 9.0.0 x && exit\n'
        f'case "$*" in *graph.txt*) for last; do :; done; cp "{black["u/black.mp4"].path}" "$last"; exit 0;; esac\n'
        f'exec "{find_ffmpeg().path}" "$@"\n'
    )
    liar.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(liar))
    find_ffmpeg.cache_clear()
    try:
        with pytest.raises(RenderError, match=r"4\.00 s in place of 0\.50 s"):
            await render(draft((0, pieces("black.mp4", (0, 500)))), black, Output(), str(tmp_path / "job"))
    finally:
        find_ffmpeg.cache_clear()
    assert not os.path.exists(tmp_path / "job/out.mp4")


# ---------------------------------------------------------------- analysis


@pytest.mark.parametrize("name", ["pauses.mp4", "pauses_noise.mp4", "clip.mkv"])
async def test_pauses_are_found_whatever_the_noise(tmp_path_factory: Factory, name: str) -> None:
    path = clip(tmp_path_factory, name)
    found = await analyze(path, await probe(path))
    wanted = [(0, 500), (2500, 4500), (6500, 8500), (10_500, 12_000)]
    assert len(found.silences) == len(wanted)
    for (start, end), (want_start, want_end) in zip(found.silences, wanted, strict=True):
        assert abs(start - want_start) <= 30
        assert abs(end - want_end) <= 30
    assert found.speech_db is not None
    assert -13 < found.speech_db < -9
    levels = dict(found.loudness)
    assert levels[1000] > -13
    assert levels[3000] < -50
    assert len(levels) == 24


@pytest.mark.parametrize("name", ["steady.mp4", "black.mp4", "mute.mp4", "still.png"])
async def test_a_sound_that_is_even_has_no_pauses(tmp_path_factory: Factory, name: str) -> None:
    path = clip(tmp_path_factory, name)
    found = await analyze(path, await probe(path))
    assert found.silences == ()
    assert (found.speech_db is None) == (name in ("mute.mp4", "still.png"))


async def test_few_pauses_in_a_steady_sound_are_found(tmp_path_factory: Factory, tmp_path: Path) -> None:
    what = draft((0, [*pieces("steady.mp4", *[(0, 4000)] * 4), {**pieces("steady.mp4", (0, 3000))[0], "s": 17_000}]))
    file = await rendered(tmp_path_factory, tmp_path, what, "steady.mp4", resolution="90p")
    found = await analyze(file.path, await probe(file.path))
    assert [(round(start, -2), round(end, -2)) for start, end in found.silences] == [(16_000, 17_000)]


async def test_scene_changes(tmp_path_factory: Factory) -> None:
    path = clip(tmp_path_factory, "scenes.mp4")
    assert (await analyze(path, await probe(path))).scenes_ms == (2000, 4000)
