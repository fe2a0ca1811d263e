"""The program stopped or killed in the middle of a job: it goes on where it was, and pays once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.media_fixtures import clip
from tests.program import Place


@pytest.mark.parametrize("moment", ["job.entered", "edit.done", "render.submitted", "download.done"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_the_middle_it_goes_on_and_pays_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, moment: str, number: int
) -> None:
    place = Place(tmp_path / "place")
    with place.process() as running:
        running.drop_when_ready(place, clip(tmp_path_factory, "frameid.mp4"))
        running.wait_for(lambda: running.said(moment), moment)
        code = running.stop(number)
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    with place.process("--once") as running:
        assert running.child.wait(90) == 0, running.log()
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert place.files("archive") == ["talk.mp4", "talk.txt"]
    assert place.files("inbox") == []
    with place.records() as records:
        assert len(records.turns()) == 1
        assert len(records.charges()) == 1
        assert len(records.renders()) == 1


def test_a_second_signal_ends_at_once_and_nothing_is_lost(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    with place.process() as running:
        running.drop_when_ready(place, clip(tmp_path_factory, "frameid.mp4"))
        running.wait_for(lambda: running.said("job.entered"), "entered")
        running.child.send_signal(signal.SIGINT)
        running.child.send_signal(signal.SIGTERM)
        assert running.child.wait(20) in (0, 128 + signal.SIGTERM, 128 + signal.SIGINT)
    with place.process("--once") as running:
        assert running.child.wait(90) == 0, running.log()
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    with place.records() as records:
        assert len(records.turns()) == 1
