"""How far a job is, from what its worker counted to the words that people read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nemo_watch.cli.jobrows import far_words, how_far, job_row
from nemo_watch.cli.pictures import left_words, size_words
from nemo_watch.pace import Pace, observe
from nemo_watch.pipeline import Progress
from nemo_watch.telling import told_progress
from tests.unit.test_cli_words import JOB, NOON


def told(done: float, total: float, *, in_bytes: bool = True, seconds: int = 10) -> dict[str, Any]:
    pace: Pace | None = None
    for second in range(seconds + 1):
        pace = observe(pace, float(second), done * second / seconds, total)
    fraction = done / total if total else None
    progress = Progress(JOB.job_id, "talk.mp4", "videos", "upload-0", fraction, since_at=NOON, pace=pace)
    progress.in_bytes = in_bytes
    return told_progress(progress, float(seconds), NOON)


@pytest.mark.parametrize(
    ("notice", "words"),
    [
        (told(20e6, 100e6), "20 %, 2.0 MB/s, about 40 s left"),
        (told(20e6, 0.0), "20 MB, 2.0 MB/s"),
        (told(20.0, 100.0, in_bytes=False), "20 %, about 40 s left"),
        ({"step": "edit-1", "fraction": None}, ""),
        ({"step": "upload-0", "fraction": 0.2}, "20 %"),
    ],
    ids=["upload", "no length", "export", "edit", "an older daemon"],
)
def test_what_a_worker_counted_is_said_in_words(notice: dict[str, Any], words: str) -> None:
    assert far_words(how_far(JOB, notice, NOON)) == words


def test_time_goes_on_after_it_was_told_and_an_old_rate_is_none() -> None:
    notice = told(20e6, 100e6)
    assert how_far(JOB, notice, NOON + timedelta(seconds=30))["left_s"] == 10
    assert how_far(JOB, notice, NOON + timedelta(seconds=45))["left_s"] == 0
    stale = how_far(JOB, notice, NOON + timedelta(hours=3))
    assert (stale["left_s"], stale["rate"]) == (None, None)


def test_what_a_daemon_told_that_has_ended_is_no_news() -> None:
    row = job_row(JOB, told(20e6, 100e6), datetime.now(UTC), running=False)
    assert (row["state"], row["progress"], row["rate"]) == ("ready", None, None)
    assert row["next"] == "starts when the daemon runs"


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_600, "1.0 MB"), (2.5e9, "2.5 GB")]
)
def test_sizes_as_people_say_them(size: float, words: str) -> None:
    assert size_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "a few seconds"), (41, "about 40 s"), (58, "about 1 min"), (89, "about 1 min"), (7300, "about 2 h")],
)
def test_a_time_is_not_told_more_exactly_than_it_can_be_known(seconds: float, words: str) -> None:
    assert left_words(seconds) == words
