"""The table of instructions, dropped: what of each reaches the backend, as the backend itself wrote it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arriving import TALKS, against, arrived, work_off
from tests.instructions import LIFE, ROUTING
from tests.media_fixtures import clip

PACK = 12


async def test_each_row_of_routing_arrives_or_does_not(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with against(tmp_path, TALKS) as place:
        await work_off(place, clip(tmp_path_factory, "corners.mp4"), [row.text for row in ROUTING])
        for number, row in enumerate(ROUTING):
            report = place.report(f"row {number}.mp4.error.toml", "rejects")
            assert report["code"] == ("sidecar_invalid" if row.only_asks else "no_edit_made")
    assert arrived(tmp_path) == {f"row {number}": row.arrives for number, row in enumerate(ROUTING) if row.arrives}


async def test_instructions_from_life_arrive_word_for_word(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Several in one session, parted by lines, as a session costs more time than a message."""
    packs = [LIFE[at : at + PACK] for at in range(0, len(LIFE), PACK)]
    async with against(tmp_path, TALKS) as place:
        texts = ["\n---\n".join(row.text for row in pack) for pack in packs]
        await work_off(place, clip(tmp_path_factory, "corners.mp4"), texts)
    assert arrived(tmp_path) == {
        f"row {number}": tuple(message.strip() for row in pack for message in row.messages)
        for number, pack in enumerate(packs)
    }
