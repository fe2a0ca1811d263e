"""Every accepted type, and twenty at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemo_watch import media
from tests.media_fixtures import clip
from tests.program import Place

VIDEOS = ["pauses.mp4", "clip.mov", "clip.avi", "clip.webm", "clip.mkv"]
OTHERS = ["still.jpg", "still.png", "moving.gif", "still.webp", "tone.mp3", "tone.wav", "tone.m4a", "tone.aac"]


async def test_every_accepted_type_comes_back_as_a_video(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    names = []
    for number, source in enumerate([*VIDEOS, *OTHERS]):
        name = f"d{number}{Path(source).suffix}"
        names.append(f"d{number}")
        place.drop(name, Path(clip(tmp_path_factory, source)), 'add the title "Hello"')
    outcome = await place.work_off()
    reports = [place.report(name, "rejects")["message"] for name in place.files("rejects") if name.endswith(".toml")]
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (len(names), 0, 0), reports
    for name in names:
        info = await media.probe(str(place.root / "outbox" / f"{name}.mp4"))
        assert info.video is not None, name
        assert info.duration_ms > 900, name


async def test_twenty_at_once_all_arrive(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = Place(tmp_path / "place", extra="[queue]\nworkers = 4")
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    for number in range(20):
        place.drop(f"clip{number:02}.mp4", source, f'cut the pauses and add the title "Number {number}"')
    outcome = await place.work_off()
    assert (outcome.delivered, outcome.rejected, outcome.waiting) == (20, 0, 0)
    assert place.files("outbox") == sorted(
        f"clip{number:02}.{suffix}" for number in range(20) for suffix in ("mp4", "report.toml")
    )
    with place.records() as records:
        assert len(records.turns()) == 20
        assert len(records.charges()) == 20
