"""Two daemons never work on one inbox, and a folder that is away or hangs is waited for."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch.folders.presence import MARKER_NAME
from tests.media_fixtures import clip
from tests.program import IMPATIENT, QUICK, Place, eventually

FOLDER_S = 2.0
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
needs_bindfs = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/dev/fuse") or shutil.which("bindfs") is None,
    reason="a FUSE mount needs root, /dev/fuse and bindfs",
)


@pytest.fixture
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(clip(tmp_path_factory, "pauses.mp4"))


async def test_the_second_daemon_refuses_the_inbox_until_a_person_adopts_it(tmp_path: Path, talk: Path) -> None:
    first = Place(tmp_path / "first")
    second = Place(tmp_path / "second")
    targets = "\n".join(f"{key} = '{first.root / key}'" for key in ("outbox", "rejects", "archive"))
    # The second one's own inbox goes on, whatever becomes of the shared one.
    second.inbox_extra = f"[[inbox]]\nname = 'shared'\npath = '{first.root / 'inbox'}'\n{targets}\n"
    second.write_config()
    async with first.daemon() as one:
        await eventually(lambda: one.watchers["videos"].state == "watching", "the first one watches")
        marker = first.root / "inbox" / MARKER_NAME
        assert str(first.state) in marker.read_text()
        async with second.daemon() as two:
            shared = two.watchers["shared"]
            await eventually(lambda: shared.state.startswith("paused"), "the second one refuses it")
            assert str(first.state) in shared.state
            assert "check --adopt" in shared.state
            second.drop("own.mp4", talk, "cut the pauses")
            await eventually(lambda: "own.mp4" in second.files("outbox"), "its own inbox goes on")
            told = second.run("check")
            assert told.returncode == 1
            assert str(first.state) in told.stdout
            adopted = second.run("check", "--adopt")
            assert "is ours now; it belonged to" in adopted.stdout, adopted.stdout
            assert str(second.state) in marker.read_text()
            await eventually(lambda: shared.state == "watching", "the second one takes it over")
            await eventually(lambda: one.watchers["videos"].state.startswith("paused"), "the first one lets go")
            assert str(second.state) in one.watchers["videos"].state
            assert second.run("check").returncode == 0
            first.drop("talk.mp4", talk, "cut the pauses")
            await eventually(lambda: "talk.mp4" in first.files("outbox"), "delivered by the second one")
        assert await one.ledger.jobs() == []


def test_adopting_before_the_first_start_makes_the_ledger(tmp_path: Path) -> None:
    first, second = Place(tmp_path / "first"), Place(tmp_path / "second")
    assert first.run("run", "--once").returncode == 0
    targets = "\n".join(f"{key} = '{first.root / key}'" for key in ("outbox", "rejects", "archive"))
    second.config_path.write_text(
        f"[backend]\nurl = 'sandbox'\n[state]\npath = '{second.state}'\n"
        f"[[inbox]]\nname = 'shared'\npath = '{first.root / 'inbox'}'\n{targets}\n"
    )
    assert second.run("check").returncode == 1
    assert not second.state.exists() or not (second.state / "ledger.db").exists()
    assert second.run("check", "--adopt").returncode == 0
    assert second.run("run", "--once").returncode == 0
    assert first.run("run", "--once").returncode == 75


# ---------------------------------------------------------------- folders that are away


@contextmanager
def tmpfs(place: Path) -> Iterator[None]:
    """A file system of its own, seen at `place` through a bind mount that can go and come."""
    behind = place.parent / f"{place.name}-behind"
    behind.mkdir()
    mount_tmpfs(behind)
    try:
        bind(behind, place)
        yield
    finally:
        while os.path.ismount(place):
            unmount(place)
        unmount(behind)


def bind(source: Path, place: Path) -> None:
    subprocess.run(["mount", "--bind", str(source), str(place)], check=True)


def unmount(place: Path) -> None:
    subprocess.run(["umount", "-l", str(place)], check=True)


def mount_tmpfs(place: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "nemo-watch-test", str(place)], check=True)


def make_read_only(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)


@needs_root
async def test_an_inbox_that_is_unmounted_and_mounted_again_loses_nothing(tmp_path: Path, talk: Path) -> None:
    named = "\n".join(f"{key} = '{tmp_path / 'place' / key}'" for key in ("outbox", "rejects", "archive"))
    place = Place(tmp_path / "place", inbox_extra=named)
    inbox = place.root / "inbox"
    with tmpfs(inbox):
        async with place.daemon() as daemon:
            await eventually(lambda: daemon.watchers["videos"].state == "watching", "watching")
            place.drop("waits.mp4", talk)
            await eventually(lambda: daemon.watchers["videos"].waiting(), "it waits for its instruction")
            place.drop("talk.mp4", talk, "cut the pauses")
            unmount(inbox)
            await eventually(lambda: daemon.watchers["videos"].state.startswith("paused"), "paused")
            assert "mounted?" in daemon.watchers["videos"].state
            assert os.listdir(inbox) == []
            assert [wait.rel for wait in daemon.watchers["videos"].waiting()][-1:] == ["waits.mp4"]
            bind(tmp_path / "place" / "inbox-behind", inbox)
            await eventually(lambda: "talk.mp4" in place.files("outbox"), "it goes on")
            (inbox / "waits.txt").write_text("add background music")
            await eventually(lambda: "waits.mp4" in place.files("outbox"), "the other one, too")
            await eventually(lambda: not place.files("inbox"), "both are archived")
    assert place.files("rejects") == []


@needs_root
async def test_a_remounted_library_is_not_hashed_again(tmp_path: Path, talk: Path) -> None:
    named = "\n".join(f"{key} = '{tmp_path / 'place' / key}'" for key in ("outbox", "rejects", "archive"))
    place = Place(tmp_path / "place", inbox_extra=f'{named}\ninstruction = "cut the pauses"')
    inbox, source = place.root / "inbox", tmp_path / "library"
    source.mkdir()
    shutil.copy2(talk, source / "talk.mp4")
    inodes = set()
    for turn in range(2):
        # The same library on a file system of other inode numbers, as some network mounts have after a reboot.
        mount_tmpfs(inbox)
        try:
            for number in range(turn):
                (inbox / f".{number}").write_text("takes an inode")
            shutil.copy2(source / "talk.mp4", inbox / "talk.mp4")
            inodes.add((inbox / "talk.mp4").stat().st_ino)
            make_read_only(inbox)
            outcome = await place.work_off()
            assert (outcome.delivered, outcome.rejected, outcome.waiting) == (1 - turn, 0, 0)
            assert place.files("inbox") == ["talk.mp4", *(f".{number}" for number in range(turn))][::-1]
        finally:
            unmount(inbox)
    assert len(inodes) == 2
    assert place.files("archive") == []
    assert "read-only" in "".join(place.report("talk.report.toml")["notes"])
    with place.records() as records:
        assert len(records.turns()) == 1


# ---------------------------------------------------------------- folders that hang


@contextmanager
def bindfs(source: Path, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A FUSE mount whose program can be stopped, and then answers nobody."""
    child = subprocess.Popen(["bindfs", "-f", str(source), str(place)])
    try:
        deadline = 600
        while not os.path.ismount(place) and deadline:
            deadline -= 1
            assert child.poll() is None
            subprocess.run(["sleep", "0.05"], check=True)
        yield child
    finally:
        child.send_signal(signal.SIGCONT)
        unmount(place)
        child.terminate()
        child.wait(30)


def with_a_second_inbox(tmp_path: Path) -> Place:
    place = Place(tmp_path / "place")
    other = place.root / "other"
    for key in ("inbox", "outbox", "rejects", "archive"):
        (other / key).mkdir(parents=True)
    named = "\n".join(f"{key} = '{place.root / key}'" for key in ("outbox", "rejects", "archive"))
    place.inbox_extra = f"{named}\n[[inbox]]\nname = 'other'\npath = '{other / 'inbox'}'\n"
    place.write_config()
    return place


def drop_in_the_other(place: Place, talk: Path) -> None:
    """Drop a clip by ways that do not lead through the folder that hangs."""
    inbox = place.root / "other" / "inbox"
    (inbox / "fine.txt").write_text("add background music")
    shutil.copy(talk, inbox / ".fine.mp4.tmp")
    (inbox / ".fine.mp4.tmp").rename(inbox / "fine.mp4")


@needs_bindfs
@pytest.mark.fuse
async def test_a_hung_outbox_holds_its_jobs_and_no_others(tmp_path: Path, talk: Path) -> None:
    place = with_a_second_inbox(tmp_path)
    (tmp_path / "nas").mkdir()
    with bindfs(tmp_path / "nas", place.root / "outbox") as fuse:
        async with place.daemon(patience=replace(IMPATIENT, folder_s=FOLDER_S)) as daemon:
            fuse.send_signal(signal.SIGSTOP)
            for number in range(5):  # more than there are workers
                place.drop(
                    f"talk{number}.mp4", talk.read_bytes() + b"\0\0\0\x0cfree" + bytes([number] * 4), "cut the pauses"
                )

            async def all_held() -> bool:
                jobs = await daemon.ledger.jobs()
                return len(jobs) == 5 and all((job.state, job.reason) == ("held", "folder_hung") for job in jobs)

            await eventually(all_held, "every job is held, none stuck")
            (job, *_rest) = await daemon.ledger.jobs()
            assert str(place.root / "outbox") in job.sentence
            drop_in_the_other(place, talk)
            await eventually(lambda: (place.root / "other/outbox/fine.mp4").exists(), "the other inbox goes on")
            fuse.send_signal(signal.SIGCONT)
            await eventually(lambda: len(place.files("outbox")) == 10, "all are delivered")
            await eventually(lambda: not place.files("inbox"), "and archived")
    with place.records() as records:
        assert len(records.turns()) == 6


@needs_bindfs
@pytest.mark.fuse
async def test_a_hung_inbox_pauses_alone_and_comes_back(tmp_path: Path, talk: Path) -> None:
    place = with_a_second_inbox(tmp_path)
    (tmp_path / "nas").mkdir()
    with bindfs(tmp_path / "nas", place.root / "inbox") as fuse:
        settle, patience = replace(QUICK, polled_s=1.0), replace(IMPATIENT, folder_s=FOLDER_S)
        async with place.daemon(settle=settle, patience=patience) as daemon:
            await eventually(lambda: daemon.watchers["videos"].state == "watching", "watching")
            fuse.send_signal(signal.SIGSTOP)
            await eventually(lambda: daemon.watchers["videos"].state.startswith("hung"), "hung")
            drop_in_the_other(place, talk)
            await eventually(lambda: (place.root / "other/outbox/fine.mp4").exists(), "the other inbox goes on")
            fuse.send_signal(signal.SIGCONT)
            place.drop("talk.mp4", talk, "add background music")
            await eventually(lambda: "talk.mp4" in place.files("outbox"), "it comes back")


@needs_bindfs
@pytest.mark.fuse
def test_a_daemon_starts_and_stops_beside_a_hung_inbox(tmp_path: Path, talk: Path) -> None:
    place = with_a_second_inbox(tmp_path)
    (tmp_path / "nas").mkdir()
    with bindfs(tmp_path / "nas", place.root / "inbox") as fuse:
        fuse.send_signal(signal.SIGSTOP)
        with place.process() as running:
            running.wait_for(lambda: running.said("daemon.ready"), "it starts all the same")
            drop_in_the_other(place, talk)
            running.wait_for(lambda: (place.root / "other/outbox/fine.mp4").exists(), "the other inbox goes on")
            checked = place.run("check")
            assert f"{place.root / 'inbox'} does not answer" in checked.stdout
            assert "fine.mp4" in place.run("status").stdout
            place.run("why", str(place.root / "inbox" / "talk.mp4"))
            assert running.stop() == 0
            assert "Traceback" not in running.log()
