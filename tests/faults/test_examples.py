"""The example instructions of the five skills, each through the whole program, the results decoded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nemo_watch import media
from nemo_watch.daemon import Outcome
from tests.media_fixtures import (
    changed_share,
    clip,
    describe,
    frame_ids,
    grey_frame,
    rms_db,
    samples,
    stream_seconds,
    top_boxes,
)
from tests.program import Place

FPS = 30
PAD_S = 0.12
PAUSES_20 = [(0.0, 0.5), *((4 * n + 2.5, 4 * n + 4.5) for n in range(4)), (18.5, 20.0)]
"""frameid.mp4: 2 s of every 4 s are loud, from 0.5 s on."""


def cuts(seconds: float, pauses: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Work out what goes: pauses of half a second or more, less 0.12 s at each side with sound."""
    return [
        (begin + PAD_S if begin > 0 else 0.0, end - PAD_S if end < seconds else seconds)
        for begin, end in pauses
        if end - begin >= 0.5
    ]


def kept_s(seconds: float, pauses: list[tuple[float, float]]) -> float:
    """Work out how long the rest is."""
    return seconds - sum(end - begin for begin, end in cuts(seconds, pauses))


async def edited(tmp_path: Path, clips: dict[str, tuple[str, str]], *, srt: str = "") -> tuple[Place, Outcome]:
    place = Place(tmp_path / "place")
    if srt:
        (place.root / "inbox" / "talk.srt").write_text(Path(srt).read_text())
    for name, (source, instruction) in clips.items():
        place.drop(name, Path(source), instruction)
    outcome = await place.work_off()
    return place, outcome


async def test_pauses_go_music_comes_and_the_size_is_as_asked(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "frameid.mp4")
    place, outcome = await edited(
        tmp_path,
        {
            "cut.mp4": (source, "cut the pauses, add background music, and export in 1080p"),
            "music.mp4": (source, 'add background music and add the title "Quarterly update" for 2 seconds'),
        },
    )
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (2, 0, 0)
    result = str(place.root / "outbox" / "cut.mp4")
    info = await media.probe(result)
    assert info.video is not None
    assert (info.video.width, info.video.height) == (1920, 1080)
    assert re.search(r"Video: h264 \(High\).*yuv420p.*, 1920x1080 \[SAR 1:1 .* 30 fps", describe(result))
    boxes = top_boxes(result)
    assert boxes.index("moov") < boxes.index("mdat")
    expected_s = kept_s(20.0, PAUSES_20)
    assert abs(stream_seconds(result, "v") - expected_s) <= 0.1
    assert abs(stream_seconds(result, "a") - expected_s) <= 0.1
    shown = frame_ids(result)
    # The frames are in order, those inside the cuts are gone, all others are there; one frame of grace at each edge.
    edge_s = 1 / FPS
    gone = {n for n in range(20 * FPS) for b, e in cuts(20.0, PAUSES_20) if b + edge_s <= n / FPS <= e - edge_s}
    near = {n for n in range(20 * FPS) for b, e in cuts(20.0, PAUSES_20) if b - edge_s <= n / FPS <= e + edge_s}
    assert shown == sorted(shown)
    assert not gone & set(shown)
    assert set(range(20 * FPS)) - near <= set(shown)

    report = place.report("cut.report.toml")
    assert report["messages"] == ["cut the pauses, add background music"]
    assert report["timeline"].startswith("Timeline (2 tracks): 1. Video: ")
    assert report["backend"] == "sandbox"

    titled = str(place.root / "outbox" / "music.mp4")
    for at_s, shown in ((1.0, True), (1.9, True), (2.1, False), (4.0, False)):
        share = changed_share(*(grey_frame(path, at_s, 384, 216) for path in (source, titled)), 384, (1 / 3, 2 / 3))
        assert (share > 0.01) if shown else (share == 0), (at_s, share)

    before, after = samples(source), samples(titled)
    for begin in (2.8, 6.8, 10.8):
        assert rms_db(before, begin, begin + 1.4) < -80
        assert -45 <= rms_db(after, begin, begin + 1.4) <= -20
    for begin in (4.8, 8.8):
        assert abs(rms_db(after, begin, begin + 1.4) - rms_db(before, begin, begin + 1.4)) < 1.0


async def test_a_one_minute_highlight_is_exactly_a_minute(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "frameid_long.mp4")
    instruction = "cut the pauses, add background music, and export as a 1-minute highlight"
    place, outcome = await edited(tmp_path, {"talk.mp4": (source, instruction)})
    assert outcome.delivered == 1
    shown = frame_ids(str(place.root / "outbox" / "talk.mp4"))
    assert len(shown) == 60 * FPS
    assert shown == sorted(shown)
    silent = [n for n in shown if not 0.6 - 0.2 <= (n / FPS) % 6 <= 5.4 + 0.2]
    assert not silent


async def test_captions_are_drawn_at_their_times(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = clip(tmp_path_factory, "steady12.mp4")
    instruction = "trim the intro, add captions, and export for YouTube"
    place, outcome = await edited(tmp_path, {"talk.mp4": (source, instruction)}, srt=clip(tmp_path_factory, "late.srt"))
    assert outcome.delivered == 1
    result = str(place.root / "outbox" / "talk.mp4")
    length_s = stream_seconds(result, "v")
    trimmed_s = 12.0 - length_s
    assert 1.0 <= trimmed_s <= 12.0 * 0.2 + 0.1
    lower = (0.66, 1.0)
    plain = grey_frame(result, 11.5 - trimmed_s, 320, 180)
    for at_s, shown in ((5.0, False), (7.0, True), (8.4, False), (9.5, True)):
        frame = grey_frame(result, at_s - trimmed_s, 320, 180)
        share = changed_share(frame, plain, 320, lower)
        assert (share > 0.003) if shown else (share == 0.0), (at_s, share)
    assert place.files("archive") == ["talk.mp4", "talk.srt", "talk.txt"]
    assert place.files("inbox") == []


async def test_without_a_subtitle_file_captions_are_said_to_be_skipped(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "pauses.mp4")
    place, outcome = await edited(
        tmp_path,
        {
            "youtube.mp4": (source, "trim the intro, add captions, and export for YouTube"),
            "client.mp4": (source, "trim silences, add captions, and export a clean MP4 for client delivery"),
            "facts.mp4": (source, "extract metadata, generate a summary, and export a trimmed clip via API"),
        },
    )
    assert outcome.delivered == 3
    for name in ("youtube", "client"):
        reply = place.report(f"{name}.report.toml")["reply"].lower()
        assert "caption" in reply
        assert "skipped" in reply
    # 12 s with pauses of 0.5, 2, 2 and 1.5 s
    client_s = stream_seconds(str(place.root / "outbox" / "client.mp4"), "v")
    pauses = [(0.0, 0.5), (2.5, 4.5), (6.5, 8.5), (10.5, 12.0)]
    assert abs(client_s - kept_s(12.0, pauses)) <= 0.1
    facts = place.report("facts.report.toml")["reply"]
    assert "12" in facts
    assert "320" in facts
    # "a trimmed clip": the silence before and behind goes, the pauses inside stay
    facts_s = stream_seconds(str(place.root / "outbox" / "facts.mp4"), "v")
    assert abs(facts_s - (10.5 - 0.5 + 2 * PAD_S)) <= 0.15


async def test_a_wish_it_does_not_know_is_named(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = clip(tmp_path_factory, "pauses.mp4")
    place, outcome = await edited(tmp_path, {"a.mp4": (source, "cut the pauses and translate it into Klingon")})
    assert outcome.delivered == 1
    reply = place.report("a.report.toml")["reply"]
    assert "translate it into Klingon" in reply
    assert "not" in reply.lower()


async def test_only_unknown_wishes_are_rejected_with_the_answer(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = clip(tmp_path_factory, "pauses.mp4")
    place, outcome = await edited(tmp_path, {"a.mp4": (source, "translate it into Klingon")})
    assert outcome.rejected == 1
    report = place.report("a.mp4.error.toml", "rejects")
    assert report["code"] == "no_edit_made"
    assert report["paid"] == "no"
    assert "Klingon" in report["message"]
    assert place.files("rejects") == ["a.mp4", "a.mp4.error.toml", "a.txt"]
    assert place.files("inbox") == []


async def test_two_messages_and_two_exports_are_one_session(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    sidecar = (
        'steps = ["cut the pauses", "add the title \\"Hello\\""]\n'
        '[[export]]\nresolution = "720p"\n[[export]]\nresolution = "480p"\nname = "small"\n'
    )
    place.drop("talk.mp4", Path(clip(tmp_path_factory, "pauses.mp4")), sidecar, toml=True)
    outcome = await place.work_off()
    assert outcome.delivered == 1
    assert place.files("outbox") == ["small.mp4", "talk.mp4", "talk.report.toml"]
    for name, height in (("talk.mp4", 720), ("small.mp4", 480)):
        info = await media.probe(str(place.root / "outbox" / name))
        assert info.video is not None
        assert info.video.height == height
    report = place.report("talk.report.toml")
    assert [export["file"] for export in report["export"]] == ["talk.mp4", "small.mp4"]
    assert len(report["renders"]) == 2
    with place.records() as records:
        assert [turn.message for turn in records.turns()] == ["cut the pauses", 'add the title "Hello"']
        assert len(records.charges()) == 1
