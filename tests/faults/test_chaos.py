"""A small chaos run: kill -9 at random instants, a backend that misbehaves, and a script beside it for comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos import run_daemon, run_script, side_by_side, targets
from benchmarks.chaos_world import Plan

SMALL = Plan(jobs=24, kills=16)


@pytest.mark.timeout(300)
def test_under_kills_and_faults_nothing_is_paid_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    ran = run_daemon(tmp_path, SMALL)
    side_by_side(("nemo-watch", ran.figures))
    assert [words for words, is_met in targets(ran.figures) if not is_met] == []
    assert ran.figures.delivered > SMALL.jobs / 2
    # The kills were no idle ones, and the backend was no good one.
    assert any(step.startswith("edit-") for step in ran.hit), ran.hit
    assert ran.books.faults.total() > 10, ran.books.faults


@pytest.mark.timeout(300)
def test_the_same_books_show_what_a_script_without_a_fence_pays_twice(tmp_path: Path) -> None:
    figures = run_script(tmp_path, SMALL)
    side_by_side(("curl script", figures))
    assert figures.edits_twice > 0
    assert figures.accepted_max > 1
    assert figures.wrong > 0
