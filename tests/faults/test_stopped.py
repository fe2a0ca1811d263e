"""The program stopped or killed in the middle of a job: it goes on where it was, and pays once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from nemo_watch.sandbox.faults import Fault
from nemo_watch.statefolder import LOCK_NAME, state_lock
from tests.media_fixtures import clip
from tests.program import Place, until
from tests.pulling import CUT, at_backend, drop, messages, records


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


def see_one_paid_edit(place: Place) -> None:
    """See that what was interrupted goes on after a restart, and was paid once."""
    assert asyncio.run(place.work_off()).delivered == 1
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert place.files("inbox") == []
    with records(place) as seen:
        assert len(seen.charges()) == 1
    assert messages(place) == [CUT]


def test_stopping_waits_for_the_paid_message_and_parks_everything_else(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path, Fault("run_sse", "late", seconds=6.0)) as place:
        with place.process() as running:
            running.drop_when_ready(place, clip(tmp_path_factory, "frameid.mp4"))
            until(lambda: messages(place), "the message is taken")
            drop(place, tmp_path_factory, "later.mp4", "add background music")
            assert running.stop() == 0
            assert '"paid_calls": 1' in running.log()
            assert running.log().count("edit.done") == 1
            assert "render.submitted" not in running.log(), "what pays nothing is parked"
        (place.root / "inbox" / "later.mp4").unlink()
        (place.root / "inbox" / "later.txt").unlink()
        see_one_paid_edit(place)


@pytest.mark.parametrize("is_asked_twice", [False, True], ids=["stop_wait", "second signal"])
def test_stopping_does_not_wait_for_ever(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, is_asked_twice: bool
) -> None:
    extra = f"[queue]\nstop_wait = '{'1h' if is_asked_twice else '1s'}'"
    with at_backend(tmp_path, Fault("run_sse", "heartbeats"), extra=extra) as place:
        with place.process() as running:
            running.drop_when_ready(place, clip(tmp_path_factory, "frameid.mp4"))
            until(lambda: messages(place), "the message is taken")
            if is_asked_twice:
                running.child.send_signal(signal.SIGTERM)
                running.wait_for(lambda: running.said("daemon.stopping"), "it waits for the paid call")
                assert running.stop(signal.SIGINT) == 128 + signal.SIGINT
            else:
                assert running.stop() == 0
            assert "edit.done" not in running.log()
        see_one_paid_edit(place)


def test_stopping_does_not_wait_for_a_closed_gate(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    closed = Fault("upload", "answer", code=429, status=429, retry_after=7200)
    with at_backend(tmp_path, closed) as place:
        with place.process() as running:
            running.drop_when_ready(place, clip(tmp_path_factory, "frameid.mp4"))
            running.wait_for(lambda: running.said("job.waiting"), "the gate is closed")
            assert running.stop() == 0
        outcome = asyncio.run(place.work_off())
        assert (outcome.delivered, outcome.rejected, outcome.waiting) == (0, 0, 1)
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        assert messages(place) == []


def test_a_hold_and_a_silent_backend_keep_neither_the_work_nor_the_end_waiting(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    silent = Fault("balance", "delay", seconds=3600.0, after=1, times=0)
    with at_backend(tmp_path, silent, credits=0) as place:
        drop(place, tmp_path_factory)
        assert asyncio.run(place.work_off()).waiting == 1
        place.drop("letter.mp4", b"Dear editor, please find the video attached.", CUT)
        with place.process() as running:
            running.wait_for(lambda: place.files("inbox") == ["talk.mp4", "talk.txt"], "other work is done")
            assert running.stop() == 0
        assert place.files("rejects") == ["letter.mp4", "letter.mp4.error.toml", "letter.txt"]


def test_a_daemon_waits_for_a_command_that_holds_the_ledger_and_for_no_other_daemon(tmp_path: Path) -> None:
    place = Place(tmp_path / "place")
    with place.process() as running:
        running.wait_for(lambda: running.said("daemon.ready"), "ready")
        told = place.run("run", "--once")
        assert (told.returncode, "already runs" in told.stderr) == (1, True)
        assert running.stop() == 0
    command = contextlib.ExitStack()
    command.enter_context(state_lock(str(place.state)))
    with command, place.process("--once") as running:
        lock, open_files = str(place.state / LOCK_NAME), Path(f"/proc/{running.child.pid}/fd")
        until(lambda: lock in {os.path.realpath(fd) for fd in open_files.iterdir()}, "it waits for the lock")
        command.close()
        assert running.child.wait(60) == 0, running.log()
