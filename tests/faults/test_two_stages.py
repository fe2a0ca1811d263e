"""A backend that makes a clip and then finishes it by itself: the report tells of both, all of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.records import Records
from tests.faults.test_policy_rows import ASK, against
from tests.media_fixtures import clip
from tests.program import eventually


async def test_both_stages_are_told_of_and_kept(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    async with against(tmp_path, Fault("run_sse", "two_stage")) as (place, _daemon):
        place.drop("talk.mp4", Path(clip(tmp_path_factory, "mute.mp4")), ASK)
        await eventually(lambda: "talk.report.toml" in place.files("outbox"), "delivered")
        report = place.report("talk.report.toml")
        assert "A raw clip was generated, then finished; beside the picture there is now: " in report["reply"]
        assert "All of it is kept." in report["reply"]
        assert "BGM: " in report["timeline"]
        assert 'Title: "One"' in report["timeline"]
    with Records(tmp_path / "backend") as records:
        (charge,) = records.charges()
        (render,) = records.renders()
    assert charge.amount == 50
    assert sorted(track["tt"] for track in render.draft["t"]) == [0, 1, 7]
