"""A spool that hangs, where results are brought before they are delivered: it stops neither the daemon nor its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch import policy
from tests.media_fixtures import clip
from tests.mounting import Fuse, Mounts, mounting
from tests.program import DEADLINE_S, IMPATIENT, Place, eventually, until

pytestmark = pytest.mark.fuse


@pytest.fixture(autouse=True)
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounts]:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    with mounting(tmp_path) as made:
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = tmp_path / "place"
    return Place(root, extra=f"spool = '{root / 'spool'}'")


@pytest.fixture
def spool(place: Place, mounts: Mounts) -> Fuse:
    """The spool, on a mount that can stop answering."""
    (place.root / "spool").mkdir(mode=0o700)
    return mounts.fuse(place.root / "behind-spool", place.root / "spool")


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return clip(tmp_path_factory, "pauses.mp4")


async def test_a_spool_that_hangs_holds_the_job_and_then_it_goes_on(place: Place, source: str, spool: Fuse) -> None:
    async with place.daemon(patience=replace(IMPATIENT, folder_s=1.5)) as daemon:
        place.drop("talk.mp4", Path(source), "cut the pauses")

        async def rendering() -> bool:
            jobs = await daemon.ledger.jobs()
            return bool(jobs) and await daemon.ledger.step(jobs[0].job_id, "render-1") is not None

        await eventually(rendering, "the export is being made")
        spool.stop()
        (job,) = await eventually(lambda: daemon.ledger.jobs(("held",)), "it is held: the loop goes on")
        assert job.reason == "folder_hung"
        assert str(place.root / "spool") in job.sentence
        assert not daemon.house.rules(job).outbox.threads.is_hung
        spool.go_on()
        await eventually(lambda: "talk.txt" in place.files("archive"), "it goes on to its end")
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    with place.records() as records:
        assert len(records.charges()) == len(records.renders()) == 1


def test_a_daemon_whose_spool_hangs_ends_when_it_is_told_to(place: Place, source: str, spool: Fuse) -> None:
    with place.process() as running:
        running.drop_when_ready(place, source)
        deadline = time.monotonic() + DEADLINE_S
        while not list(spool.content.rglob("*.part")):  # looked for without a rest: it is there for a moment only
            assert time.monotonic() < deadline, running.log()
        # The kernel lets nobody go, not even by a kill, who waits for an answer that is being made: so nobody does.
        running.child.send_signal(signal.SIGSTOP)
        until(lambda: _all_stopped(running.child.pid), "every thread of the daemon stands still")
        spool.stop()
        try:
            running.child.send_signal(signal.SIGCONT)
            running.child.send_signal(signal.SIGTERM)
            # The spool hangs all the while: nothing may wait for it.
            assert running.child.wait(DEADLINE_S) == 0, running.log()
        finally:
            spool.go_on()
        assert running.said("daemon.stopped")
    with place.process("--once") as again:
        assert again.child.wait(DEADLINE_S) == 0, again.log()
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert place.files("inbox") == []
    with place.records() as records:
        assert len(records.charges()) == len(records.renders()) == 1


def _all_stopped(pid: int) -> bool:
    states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]
    return set(states) == {"T"}


def test_a_spool_that_hangs_at_the_start_is_a_sentence(place: Place, spool: Fuse) -> None:
    spool.stop()
    started = place.run("run", "--once")
    assert started.returncode not in (0, None)
    assert f"{place.root / 'spool'} has not answered for 3 s" in started.stderr
    assert "Traceback" not in started.stderr
    spool.go_on()
