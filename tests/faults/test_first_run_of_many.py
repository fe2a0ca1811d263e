"""Five hundred old clips at the first start on a paid backend: nothing is paid before a person says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media_fixtures import clip
from tests.program import eventually
from tests.system.test_first_run import CUT, fill, held_jobs, paid_place, sessions, tell


async def test_five_hundred_old_clips_are_held_until_a_person_says_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with paid_place(tmp_path, inbox_extra=CUT) as place:
        fill(place, clip(tmp_path_factory, "mute.mp4"), 500)
        async with place.daemon() as daemon:

            async def all_held() -> bool:
                return await held_jobs(daemon.ledger) == 500

            await eventually(all_held, "500 jobs held")
            status = await tell(place, "status")
            assert status.count("first start") == 1
            assert "25000 credits" in status
            assert "nemo-watch resume videos" in status
            assert len(status.splitlines()) < 20, status
        assert sessions(tmp_path) == 0
        assert len(place.files("inbox")) == 500
        async with place.daemon() as daemon:  # a restart does not end it, and a new drop waits as well
            fill(place, clip(tmp_path_factory, "mute.mp4"), 1, first=500)

            async def new_one_too() -> bool:
                return await held_jobs(daemon.ledger) == 501

            await eventually(new_one_too, "the new one held")
            assert sessions(tmp_path) == 0
            assert "501 jobs go on now" in await tell(place, "resume", "videos")

            async def some_delivered() -> bool:
                return len(await daemon.ledger.jobs(("delivered",))) >= 1

            await eventually(some_delivered, "they run")
            assert "Nothing" in await tell(place, "resume")
