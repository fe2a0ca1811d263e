"""The skills' example instructions, dropped: what reaches the backend, as the backend itself wrote it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemo_watch.sandbox.records import Records
from tests.arriving import TALKS, against, arrived, titles, work_off
from tests.instructions import EXAMPLES, TABLE
from tests.media_fixtures import clip


async def test_each_example_arrives_word_for_word(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with against(tmp_path, TALKS) as place:
        await work_off(place, clip(tmp_path_factory, "corners.mp4"), [row.text for row in EXAMPLES])
    assert arrived(tmp_path) == {f"row {number}": row.arrives for number, row in enumerate(EXAMPLES)}


EXPORTED = (
    "convert to MOV, 24fps, best quality",
    "导出1080p和720p",
    "make it 9:16 for TikTok, export in 1080p 30fps",
    "add captions, export mp4 for the web and mov for the client",
)


async def test_the_exports_that_were_asked_for_are_rendered(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = tuple(row for row in TABLE if row.text in EXPORTED)
    async with against(tmp_path) as place:
        await work_off(place, clip(tmp_path_factory, "corners.mp4"), [row.text for row in rows])
        with Records(tmp_path / "backend") as records:
            sessions = titles(records)
            for number, row in enumerate(rows):
                asked = [each.output for each in records.renders() if each.session_id == sessions[f"row {number}"]]
                assert asked == [
                    {"format": one.format, "quality": one.quality, "resolution": one.resolution, "fps": one.fps}
                    for one in row.wanted
                ]
        assert len([name for name in place.files("outbox") if name.endswith((".mp4", ".mov"))]) == 6
