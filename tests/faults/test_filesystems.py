"""Faults on real file systems: shares that go and come back, disks that are full or read-only, mounts that hang.

Each needs root, as it mounts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch import policy
from nemo_watch.daemon import Daemon
from nemo_watch.model import Job
from tests.media_fixtures import clip
from tests.program import IMPATIENT, QUICK, Place, eventually, until

FUSE_QUICK = replace(QUICK, polled_s=0.6, polls=2)
HUNG_S = 1.5


def mount(*args: str | Path) -> None:
    """Mount something."""
    subprocess.run(["mount", *map(str, args)], check=True, capture_output=True, timeout=20)


def umount(path: Path, *options: str) -> None:
    """Unmount it."""
    subprocess.run(["umount", *options, str(path)], check=True, capture_output=True, timeout=20)


@pytest.fixture(autouse=True)
def _unmounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """See that mounting is possible, look at held jobs often, and leave nothing mounted behind."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    probe = tmp_path / "probe"
    probe.mkdir()
    try:
        mount("-t", "tmpfs", "none", probe)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"nothing can be mounted here: {error.stderr.decode().strip()}")
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    try:
        yield
    finally:
        text = Path("/proc/self/mountinfo").read_text()
        points = [line.split()[4] for line in text.splitlines() if line.split()[4].startswith(f"{tmp_path}/")]
        for point in reversed(points):
            umount(Path(point), "--lazy")


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


async def test_an_inbox_that_is_unmounted_while_files_wait(place: Place, source: Path, tmp_path: Path) -> None:
    inbox, content = place.root / "inbox", tmp_path / "content"
    content.mkdir()
    mount("--bind", content, inbox)
    place.drop("talk.mp4", source, "cut the pauses")
    place.drop("later.mp4", source)
    async with place.daemon() as daemon:
        watcher = daemon.watchers["videos"]
        await on_its_way(daemon)
        umount(inbox, "--lazy")
        await eventually(lambda: watcher.state.startswith("paused"), "the inbox pauses")
        held = await on_its_way(daemon, "held")
        assert held.reason == "inbox_unavailable"
        assert os.listdir(inbox) == []
        assert (place.files("rejects"), place.files("archive")) == ([], [])
        mount("--bind", content, inbox)
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
    place: Place, source: Path, tmp_path: Path, folder: str
) -> None:
    away, content = place.root / folder, tmp_path / "content"
    content.mkdir()
    mount("--bind", content, away)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        await on_its_way(daemon)
        umount(away, "--lazy")
        held = await on_its_way(daemon, "held")
        assert held.reason == "outbox_unavailable"
        assert str(away) in held.sentence
        assert os.listdir(away) == []
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        mount("--bind", content, away)
        await ended(daemon, place)
    see_one_delivery(place)


# ---------------------------------------------------------------- disks that are full or read-only


async def test_a_full_outbox_is_waited_for(place: Place, source: Path) -> None:
    outbox = place.root / "outbox"
    mount("-t", "tmpfs", "-o", "size=1m", "none", outbox)
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
async def test_a_target_that_is_read_only_for_a_while(place: Place, source: Path, folder: str) -> None:
    mount("-t", "tmpfs", "none", place.root / folder)
    async with place.daemon() as daemon:
        place.drop("talk.mp4", source, "cut the pauses")
        await on_its_way(daemon)
        mount("-o", "remount,ro", place.root / folder)
        held = await on_its_way(daemon, "held")
        assert held.reason == "outbox_unavailable"
        assert str(place.root / folder) in held.sentence
        assert place.files("inbox") == ["talk.mp4", "talk.txt"]
        mount("-o", "remount,rw", place.root / folder)
        await ended(daemon, place)
    see_one_delivery(place)


async def test_an_inbox_that_becomes_read_only_keeps_its_originals(place: Place, source: Path) -> None:
    mount("-t", "tmpfs", "none", place.root / "inbox")
    place.drop("talk.mp4", source, "cut the pauses")
    async with place.daemon() as daemon:
        await on_its_way(daemon)
        mount("-o", "remount,ro", place.root / "inbox")
        await on_its_way(daemon, "delivered")
    assert place.files("inbox") == ["talk.mp4", "talk.txt"]
    # The ledger remembers it, writable or not.
    for option in ("remount,ro", "remount,rw"):
        mount("-o", option, place.root / "inbox")
        outcome = await place.work_off()
        assert (outcome.delivered, outcome.rejected) == (0, 0)
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    assert place.files("archive") == []
    with place.records() as records:
        assert len(records.turns()) == 1


# ---------------------------------------------------------------- mounts that hang


class Fuse:
    """A folder mounted through a program in user space, which can stop answering."""

    def __init__(self, content: Path, point: Path) -> None:
        self.content, self.point = content, point
        content.mkdir(exist_ok=True)
        self.child = subprocess.Popen(["bindfs", "-f", str(content), str(point)], stderr=subprocess.DEVNULL)
        until(lambda: str(point) in Path("/proc/self/mountinfo").read_text(), "bindfs is mounted", within_s=20)

    def stop(self) -> None:
        """From now on whoever touches the folder waits."""
        self.child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.child.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.go_on()
        with contextlib.suppress(subprocess.CalledProcessError):
            umount(self.point, "--lazy")
        self.child.terminate()
        self.child.wait(20)


@pytest.fixture
def fuse(tmp_path: Path) -> Iterator[Callable[[Path], Fuse]]:
    """Mount folders through bindfs."""
    if shutil.which("bindfs") is None or not os.path.exists("/dev/fuse"):
        pytest.skip("needs bindfs and /dev/fuse")
    made: list[Fuse] = []

    def make(point: Path) -> Fuse:
        made.append(Fuse(tmp_path / f"behind-{len(made)}", point))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.end()


@contextlib.asynccontextmanager
async def two_inboxes(place: Place) -> AsyncIterator[tuple[Daemon, Place]]:
    """Run the daemon with a second inbox, on folders of its own that never hang."""
    other = Place(place.root / "other")
    place.inbox_extra += f"\npoll = '0.5s'\n[[inbox]]\nname = 'other'\npath = '{other.root / 'inbox'}'"
    place.write_config()
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
async def test_an_outbox_that_hangs_stops_no_other(place: Place, source: Path, fuse: Callable[[Path], Fuse]) -> None:
    hanging = fuse(place.root / "outbox")
    async with two_inboxes(place) as (daemon, other):
        place.drop("talk.mp4", source, "cut the pauses")
        job = await on_its_way(daemon)
        hanging.stop()

        async def held() -> bool:
            found = await daemon.ledger.job(job.job_id)
            return found is not None and (found.state, found.reason) == ("held", "folder_hung")

        await eventually(held, "its job is held")
        assert "folder_hung" in await see_the_rest_going_on(place, other, source)
        assert daemon.watchers["videos"].state == "watching"
        hanging.go_on()
        await eventually(lambda: "talk.txt" in place.files("archive"), "its job goes on to its end")
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
    with place.records() as records:
        assert len(records.turns()) == 2


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
