"""Faults on real file systems: shares that go and come back, disks that are full or read-only, mounts that hang.

Each needs root, as it mounts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch import policy
from nemo_watch.daemon import Daemon
from nemo_watch.model import Job
from tests.media_fixtures import clip
from tests.mounting import Fuse, Mounts, mounting
from tests.program import IMPATIENT, QUICK, Place, eventually

FUSE_QUICK = replace(QUICK, polled_s=0.6, polls=2)
HUNG_S = 1.5


@pytest.fixture(autouse=True)
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounts]:
    """See that mounting is possible, look at held jobs often, and leave nothing mounted behind."""
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    with mounting(tmp_path) as made:
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Folders that are all named: one of them may be a mount."""
    root = tmp_path / "place"
    named = "\n".join(f"{name} = '{root / name}'" for name in ("outbox", "rejects", "archive"))
    return Place(root, inbox_extra=named)


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(clip(tmp_path_factory, "pauses.mp4"))


async def on_its_way(daemon: Daemon, state: str = "") -> Job:
    """Wait until the only job has sent its message, or has come to a state."""

    async def look() -> Job | None:
        for job in await daemon.ledger.jobs():
            if (job.state == state) if state else await daemon.ledger.step(job.job_id, "edit-1") is not None:
                return job
        return None

    found = await eventually(look, state or "the message is sent")
    assert found is not None
    return found


async def ended(daemon: Daemon, place: Place) -> None:
    """Wait until the only job is delivered and its original is gone from the inbox."""
    await on_its_way(daemon, "delivered")
    await eventually(lambda: not place.files("inbox"), "the original has left")


def see_one_delivery(place: Place, paid: int = 1) -> None:
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert place.files("archive") == ["talk.mp4", "talk.txt"]
    with place.records() as records:
        assert (len(records.turns()), len(records.charges())) == (paid, paid)


# ---------------------------------------------------------------- folders that go away


async def test_an_inbox_that_is_unmounted_while_files_wait(
    place: Place, source: Path, mounts: Mounts, tmp_path: Path
) -> None:
    inbox, content = place.root / "inbox", tmp_path / "content"
    content.mkdir()
    mounts.bind(content, inbox)
    place.drop("talk.mp4", source, "cut the pauses")
    place.drop("later.mp4", source)
    async with place.daemon() as daemon:
        watcher = daemon.watchers["videos"]
        await on_its_way(daemon)
        mounts.unmount(inbox)
        await eventually(lambda: watcher.state.startswith("paused"), "the inbox pauses")
        held = await on_its_way(daemon, "held")
        assert held.reason == "inbox_unavailable"
        assert os.listdir(inbox) == []
        assert (place.files("rejects"), place.files("archive")) == ([], [])
        mounts.bind(content, inbox)
        await eventually(lambda: watcher.state == "watching", "it is back")
        await eventually(lambda: place.files("inbox") == ["later.mp4"], "its job goes on to its end")
        place.drop("later.mp4", source, "add background music")
        await eventually(lambda: "later.mp4" in place.files("outbox"), "what waited goes on")
        await eventually(lambda: not place.files("inbox"), "and leaves")
    assert place.files("archive") == ["later.mp4", "later.txt", "talk.mp4", "talk.txt"]
    with place.records() as records:
        assert len(records.turns()) == 2


@pytest.mark.parametrize("folder", ["outbox", "archive"])
async def test_nothing_is_written_beneath_a_target_that_is_unmounted(
    place: Place, source: Path, mounts: Mounts, tmp_path: Path, folder: str
) -> None:
    away, content = place.root / folder, tmp_path / "content"
    content.mkdir()
    mounts.bind(content, away)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        await on_its_way(daemon)
        mounts.unmount(away)
        held = await on_its_way(daemon, "held")
        assert held.reason == "outbox_unavailable"
        assert str(away) in held.sentence
        assert os.listdir(away) == []
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        mounts.bind(content, away)
        await ended(daemon, place)
    see_one_delivery(place)


# ---------------------------------------------------------------- disks that are full or read-only


async def test_a_full_outbox_is_waited_for(place: Place, source: Path, mounts: Mounts) -> None:
    outbox = place.root / "outbox"
    mounts.tmpfs(outbox, "size=1m")
    filler = outbox / "somebody's.bin"
    filler.write_bytes(bytes(900 << 10))
    seen: set[str] = set()
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        held = await on_its_way(daemon, "held")
        assert held.reason == "disk_full"

        async def tried_again() -> bool:
            seen.update(place.files("outbox"))
            job = await daemon.ledger.job(held.job_id)
            return job is not None and job.state == "held" and job.updated_at > held.updated_at

        await eventually(tried_again, "it tries again")
        assert {name for name in seen if not name.endswith(".tmp")} == {filler.name}
        filler.unlink()
        await ended(daemon, place)
    see_one_delivery(place)


@pytest.mark.parametrize("folder", ["outbox", "archive"])
async def test_a_target_that_is_read_only_for_a_while(place: Place, source: Path, mounts: Mounts, folder: str) -> None:
    mounts.tmpfs(place.root / folder)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        await on_its_way(daemon)
        mounts.remount(place.root / folder, "ro")
        held = await on_its_way(daemon, "held")
        assert held.reason == "outbox_unavailable"
        assert str(place.root / folder) in held.sentence
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        mounts.remount(place.root / folder, "rw")
        await ended(daemon, place)
    see_one_delivery(place)


async def test_an_inbox_that_becomes_read_only_keeps_its_originals(place: Place, source: Path, mounts: Mounts) -> None:
    mounts.tmpfs(place.root / "inbox")
    place.drop("talk.mp4", source, "cut the pauses")
    async with place.daemon() as daemon:
        await on_its_way(daemon)
        mounts.remount(place.root / "inbox", "ro")
        await on_its_way(daemon, "delivered")
    assert place.files("inbox") == ["talk.mp4", "talk.txt"]
    # The ledger remembers it, writable or not.
    for option in ("ro", "rw"):
        mounts.remount(place.root / "inbox", option)
        outcome = await place.work_off()
        assert (outcome.delivered, outcome.rejected) == (0, 0)
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert place.files("archive") == []
    with place.records() as records:
        assert len(records.turns()) == 1


async def test_a_library_that_is_mounted_anew_is_not_hashed_again(
    place: Place, source: Path, mounts: Mounts, tmp_path: Path
) -> None:
    place.inbox_extra += '\ninstruction = "cut the pauses"'
    place.write_config()
    inbox, library = place.root / "inbox", tmp_path / "talk.mp4"
    shutil.copy2(source, library)
    inodes = set()
    for turn in range(2):
        # The same library on a file system of other inode numbers, as some network mounts have after a reboot.
        mounts.tmpfs(inbox)
        for number in range(turn):
            (inbox / f".{number}").write_text("takes an inode")
        shutil.copy2(library, inbox / "talk.mp4")
        inodes.add((inbox / "talk.mp4").stat().st_ino)
        mounts.remount(inbox, "ro")
        outcome = await place.work_off()
        assert (outcome.delivered, outcome.rejected, outcome.waiting) == (1 - turn, 0, 0)
        assert "talk.mp4" in place.files("inbox")
        mounts.unmount(inbox)
    assert len(inodes) == 2
    assert place.files("archive") == []
    assert "read-only" in "".join(place.report("talk.report.toml")["notes"])
    with place.records() as records:
        assert len(records.turns()) == 1


def test_check_takes_a_read_only_inbox_for_what_it_is(place: Place, mounts: Mounts) -> None:
    mounts.tmpfs(place.root / "inbox", "ro")
    told = place.run("check", "--json")
    assert told.returncode == 0, told.stdout
    found = {finding["what"]: finding for finding in json.loads(told.stdout)}
    assert found["videos: inbox"]["level"] == found["videos: whose inbox"]["level"] == "note"
    assert "on tmpfs, watched by native events" in found["videos: inbox"]["found"]
    assert "mounted read-only" in found["videos: inbox"]["found"]
    mounts.tmpfs(place.root / "archive", "ro")
    told = place.run("check")
    assert told.returncode == 1
    assert f"{place.root / 'archive'}: Read-only file system" in told.stdout


# ---------------------------------------------------------------- mounts that hang


@pytest.fixture
def fuse(mounts: Mounts, tmp_path: Path) -> Callable[[Path], Fuse]:
    """Mount folders through bindfs."""
    return lambda point: mounts.fuse(tmp_path / f"behind-{len(mounts.fuses)}", point)


def with_another(place: Place) -> Place:
    """Give the place a second inbox, on folders of its own that never hang."""
    other = Place(place.root / "other")
    place.inbox_extra += f"\npoll = '0.5s'\n[[inbox]]\nname = 'other'\npath = '{other.root / 'inbox'}'"
    place.write_config()
    return other


@contextlib.asynccontextmanager
async def two_inboxes(place: Place) -> AsyncIterator[tuple[Daemon, Place]]:
    """Run the daemon with a second inbox, on folders of its own that never hang."""
    other = with_another(place)
    patience = replace(IMPATIENT, folder_s=HUNG_S)
    async with place.daemon(settle=FUSE_QUICK, patience=patience) as daemon:
        yield daemon, other


async def see_the_rest_going_on(place: Place, other: Place, source: Path) -> str:
    """While one folder hangs: the other inbox delivers, and commands answer; gives what `status` says."""
    other.drop("fine.mp4", source, "add background music")
    await eventually(lambda: "fine.mp4" in other.files("archive"), "the other inbox goes on")
    told = await asyncio.to_thread(place.run, "status", "--json")
    assert told.returncode == 0, told.stderr
    json.loads(told.stdout)
    return told.stdout


@pytest.mark.fuse
async def test_an_inbox_that_hangs_stops_no_other(place: Place, source: Path, fuse: Callable[[Path], Fuse]) -> None:
    hanging = fuse(place.root / "inbox")
    async with two_inboxes(place) as (daemon, other):
        watcher = daemon.watchers["videos"]
        await eventually(lambda: watcher.state == "watching", "it is watched")
        assert "poll" in watcher.mode
        # Written behind the mount, where no event comes from.
        shutil.copy(source, hanging.content / "talk.mp4")
        (hanging.content / "talk.txt").write_text("cut the pauses")
        await on_its_way(daemon)
        hanging.stop()
        await eventually(lambda: watcher.state.startswith("hung"), "it is marked as hung")
        assert "hung" in await see_the_rest_going_on(place, other, source)
        hanging.go_on()
        await eventually(lambda: watcher.state == "watching", "it answers again")
        await eventually(lambda: "talk.txt" in place.files("archive"), "its job goes on to its end")
    assert place.files("inbox") == []
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    with place.records() as records:
        assert len(records.turns()) == 2


@pytest.mark.fuse
async def test_an_outbox_that_hangs_holds_its_jobs_and_no_others(
    place: Place, source: Path, fuse: Callable[[Path], Fuse]
) -> None:
    hanging = fuse(place.root / "outbox")
    async with two_inboxes(place) as (daemon, other):
        hanging.stop()
        for number in range(5):  # more than there are workers
            tail = b"\0\0\0\x0cfree" + bytes([number] * 4)
            place.drop(f"talk{number}.mp4", source.read_bytes() + tail, "cut the pauses")

        async def held() -> bool:
            jobs = await daemon.ledger.jobs()
            return len(jobs) == 5 and all((job.state, job.reason) == ("held", "folder_hung") for job in jobs)

        await eventually(held, "every job is held, none stuck")
        (job, *_rest) = await daemon.ledger.jobs()
        assert str(place.root / "outbox") in job.sentence
        assert "folder_hung" in await see_the_rest_going_on(place, other, source)
        assert daemon.watchers["videos"].state == "watching"
        hanging.go_on()
        await eventually(lambda: len(place.files("outbox")) == 10, "all are delivered")
        await eventually(lambda: not place.files("inbox"), "and archived")
    with place.records() as records:
        assert len(records.turns()) == 6


@pytest.mark.fuse
def test_a_daemon_starts_and_stops_beside_a_hung_inbox(
    place: Place, source: Path, fuse: Callable[[Path], Fuse]
) -> None:
    other = with_another(place)
    fuse(place.root / "inbox").stop()
    with place.process() as running:
        running.wait_for(lambda: running.said("daemon.ready"), "it starts all the same")
        # The daemon itself may not know yet that it hangs.
        assert "has not answered" in place.run("why", str(place.root / "inbox" / "talk.mp4")).stdout
        running.drop_when_ready(other, source, "add background music")
        running.wait_for(lambda: "talk.mp4" in other.files("outbox"), "the other inbox goes on")
        assert f"{place.root / 'inbox'} does not answer" in place.run("check").stdout
        assert "talk.mp4" in place.run("status").stdout
        assert running.stop() == 0
        assert "Traceback" not in running.log()
    told = place.run("plan")
    assert "has not answered" in told.stdout + told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.fuse
async def test_a_move_through_a_mount_in_user_space(place: Place, source: Path, fuse: Callable[[Path], Fuse]) -> None:
    """Such mounts may know no rename that never replaces, and another device number on each side."""
    fuse(place.root / "inbox")
    fuse(place.root / "archive")
    place.inbox_extra += "\npoll = '0.5s'"
    place.write_config()
    (place.root / "archive" / "Talk.mp4").write_bytes(b"somebody's")
    place.drop("talk.mp4", source, "cut the pauses")
    assert (await place.work_off(settle=FUSE_QUICK)).delivered == 1
    assert place.files("archive") == ["Talk.mp4", "talk-2.mp4", "talk-2.txt"]
    assert (place.root / "archive" / "talk-2.mp4").read_bytes() == source.read_bytes()
    assert place.files("inbox") == []
