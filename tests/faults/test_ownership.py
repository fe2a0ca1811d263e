"""Whose a folder is and which one it is: two daemons never work on one inbox, and no result is ever taken as a drop."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_watch import policy
from nemo_watch.folders.marker import MARKER_NAME
from tests.media_fixtures import clip
from tests.mounting import Mounts, mounting
from tests.program import Place, eventually, give_away, other_user


@pytest.fixture
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(clip(tmp_path_factory, "pauses.mp4"))


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounts]:
    monkeypatch.setattr(policy, "FOLDER_LOOK_S", 0.3)
    with mounting(tmp_path) as made:
        yield made


def named(root: Path) -> str:
    """Name the folders that are written to: the inbox may be a mount."""
    return "\n".join(f"{key} = '{root / key}'" for key in ("outbox", "rejects", "archive"))


# ---------------------------------------------------------------- two daemons


async def test_the_second_daemon_refuses_the_inbox_until_a_person_adopts_it(tmp_path: Path, talk: Path) -> None:
    first = Place(tmp_path / "first")
    second = Place(tmp_path / "second")
    # The second one's own inbox goes on, whatever becomes of the shared one.
    second.inbox_extra = f"[[inbox]]\nname = 'shared'\npath = '{first.root / 'inbox'}'\n{named(first.root)}\n"
    second.write_config()
    marker = first.root / "inbox" / MARKER_NAME
    async with first.daemon() as one:
        await eventually(lambda: one.watchers["videos"].state == "watching", "the first one watches")
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
            stolen = second.run("check", "--adopt")
            assert stolen.returncode == 1
            assert "is running at this moment" in stolen.stdout
            assert str(first.state) in marker.read_text()
    async with second.daemon() as two:
        shared = two.watchers["shared"]
        await eventually(lambda: shared.state.startswith("paused"), "the second one still refuses it")
        adopted = second.run("check", "--adopt")
        assert adopted.returncode == 0, adopted.stdout
        assert "is ours now; it was marked as an inbox" in adopted.stdout
        assert str(second.state) in marker.read_text()
        await eventually(lambda: shared.state == "watching", "the second one takes it over")
        async with first.daemon() as one:
            await eventually(lambda: one.watchers["videos"].state.startswith("paused"), "the first one lets go")
            assert str(second.state) in one.watchers["videos"].state
            assert second.run("check").returncode == 0
            first.drop("talk.mp4", talk, "cut the pauses")
            await eventually(lambda: "talk.mp4" in first.files("outbox"), "delivered by the second one")
            assert await one.ledger.jobs() == []


def test_a_folder_is_not_adopted_in_the_name_of_nobody(tmp_path: Path) -> None:
    first, second = Place(tmp_path / "first"), Place(tmp_path / "second")
    assert first.run("run", "--once").returncode == 0
    second.config_path.write_text(
        f"[backend]\nurl = 'sandbox'\n[state]\npath = '{second.state}'\n"
        f"[[inbox]]\nname = 'shared'\npath = '{first.root / 'inbox'}'\n{named(first.root)}\n"
    )
    assert second.run("check").returncode == 1
    told = second.run("check", "--adopt")
    assert told.returncode == 1
    assert f"There is no ledger at {second.state / 'ledger.db'}" in told.stderr
    assert "Start the daemon once" in told.stderr
    assert not second.state.exists()
    assert str(first.state) in (first.root / "inbox" / MARKER_NAME).read_text()
    # As it says: started once it refuses the inbox, then it can be taken over.
    assert second.run("run", "--once").returncode == 75
    assert second.run("check", "--adopt").returncode == 0
    assert second.run("run", "--once").returncode == 0
    assert first.run("run", "--once").returncode == 75


# ---------------------------------------------------------------- folders in each other, by mounts


@pytest.mark.parametrize(
    ("key", "inner", "says"),
    [
        ("outbox", "out", "lies inside the inbox"),
        ("archive", "deep/archive", "lies inside the inbox"),
        ("rejects", ".", "is the same folder as the inbox"),
        ("outbox", "..", "lies inside the outbox"),
    ],
)
def test_a_folder_that_lies_in_the_inbox_by_a_mount_is_refused(
    tmp_path: Path, mounts: Mounts, key: str, inner: str, says: str
) -> None:
    place = Place(tmp_path / "place", inbox_extra=named(tmp_path / "place"))
    data = tmp_path / "volumes" / "data"
    (data / inner).resolve().mkdir(parents=True, exist_ok=True)
    data.mkdir(exist_ok=True)
    mounts.bind(data, place.root / "inbox")
    mounts.bind((data / inner).resolve(), place.root / key)
    for command in (("run", "--once"), ("check",), ("check", "--adopt")):
        told = place.run(*command)
        said = told.stdout + told.stderr
        assert told.returncode == 78, said
        assert says in said
        assert str(place.root / key) in said
        assert str(place.root / "inbox") in said
    assert not place.state.exists()
    assert MARKER_NAME not in os.listdir(data)


def test_overlapping_inboxes_and_targets_are_seen_through_mounts(tmp_path: Path, mounts: Mounts) -> None:
    place = Place(tmp_path / "place", inbox_extra=named(tmp_path / "place"))
    more = tmp_path / "more"
    for name in ("inbox", "outbox", "rejects", "archive"):
        (more / name).mkdir(parents=True)
    (place.root / "inbox" / "sub").mkdir()
    mounts.bind(place.root / "inbox" / "sub", more / "inbox")
    mounts.bind(place.root / "outbox", place.root / "archive")
    # What is mounted inside an inbox is a part of it, too.
    (place.root / "inbox" / "usb").mkdir()
    mounts.bind(more / "rejects", place.root / "inbox" / "usb")
    place.inbox_extra += f"\n[[inbox]]\nname = 'more'\npath = '{more / 'inbox'}'\n{named(more)}"
    place.write_config()
    told = place.run("check", "--json")
    assert told.returncode == 78
    problems = [finding["found"] for finding in json.loads(told.stdout) if finding["what"] == "layout"]
    assert len(problems) == 3, problems
    assert "overlap: a file would be taken twice" in problems[0]
    assert f"({more / 'rejects'}) lies inside" in problems[1]
    assert f"where it is mounted as {place.root / 'inbox' / 'usb'}" in problems[1]
    assert "the outbox and the archive" in problems[2]


def test_folders_beside_each_other_on_one_volume_are_fine(tmp_path: Path, mounts: Mounts) -> None:
    place = Place(tmp_path / "place", inbox_extra=named(tmp_path / "place"))
    for name in ("inbox", "inbox-out", "rejects", "archive"):
        (tmp_path / "data" / name).mkdir(parents=True)
    mounts.bind(tmp_path / "data" / "inbox", place.root / "inbox")
    mounts.bind(tmp_path / "data" / "inbox-out", place.root / "outbox")
    told = place.run("check")
    assert told.returncode == 0, told.stdout


async def test_an_outbox_that_comes_into_the_inbox_later_is_not_watched(
    tmp_path: Path, talk: Path, mounts: Mounts
) -> None:
    """The layout was right at the start; then somebody mounts the outbox inside the inbox as well."""
    place = Place(tmp_path / "place", inbox_extra='rescan = "1s"\ninstruction = "cut the pauses"')
    inside = place.root / "inbox" / "results"
    inside.mkdir()
    async with place.daemon() as daemon:
        await eventually(lambda: daemon.watchers["videos"].state == "watching", "it watches")
        mounts.bind(place.root / "outbox", inside)
        for name in ("one.mp4", "two.mp4"):
            place.drop(name, talk.read_bytes() + b"\0\0\0\x0cfree" + name.encode()[:4])
        await eventually(lambda: {"one.mp4", "two.mp4"} <= set(place.files("outbox")), "both are delivered")
        await eventually(lambda: not (place.root / "inbox" / "two.mp4").exists(), "and archived")
        await daemon.watchers["videos"].rescan()
        place.drop("three.mp4", talk.read_bytes() + b"\0\0\0\x0cfreemore")
        await eventually(lambda: "three.mp4" in place.files("archive"), "and another one")
        assert not [wait.rel for wait in daemon.watchers["videos"].waiting() if wait.rel.startswith("results/")]
        assert len(await daemon.ledger.jobs()) == 3
    with place.records() as records:
        assert len(records.turns()) == 3


# ---------------------------------------------------------------- folders in each other's place


async def test_disks_that_are_mounted_in_each_others_place_are_noticed(
    tmp_path: Path, talk: Path, mounts: Mounts
) -> None:
    place = Place(tmp_path / "place", inbox_extra=f'{named(tmp_path / "place")}\ninstruction = "cut the pauses"')
    inbox, outbox = place.root / "inbox", place.root / "outbox"
    disks = [tmp_path / "a", tmp_path / "b"]
    for disk in disks:
        disk.mkdir()
        mounts.tmpfs(disk)

    def plug(one: Path, other: Path) -> None:
        for folder in (inbox, outbox):
            if os.path.ismount(folder):
                mounts.unmount(folder)
        mounts.bind(one, inbox)
        mounts.bind(other, outbox)

    plug(*disks)
    place.drop("talk.mp4", talk)
    assert (await place.work_off()).delivered == 1
    plug(*reversed(disks))
    async with place.daemon() as daemon:
        watcher = daemon.watchers["videos"]
        await eventually(lambda: watcher.state.startswith("paused"), "the inbox pauses")
        assert f"({outbox}), ours" in watcher.state
        assert "Mount each where it belongs" in watcher.state
        told = place.run("check")
        assert told.returncode == 1
        assert f"({inbox}), ours" in told.stdout
        plug(*disks)
        await eventually(lambda: watcher.state == "watching", "it is back")
        place.drop("more.mp4", talk.read_bytes() + b"\0\0\0\x0cfreemore")
        await eventually(lambda: "more.mp4" in place.files("outbox"), "and goes on")
        await eventually(lambda: not place.files("inbox"), "to its end")
        plug(*reversed(disks))
        await eventually(lambda: watcher.state.startswith("paused"), "noticed while it runs, too")
        assert "talk.mp4" in os.listdir(inbox)
        assert len(await daemon.ledger.jobs()) == 2
        plug(*disks)
    assert place.files("archive") == ["more.mp4", "talk.mp4"]
    with place.records() as records:
        assert len(records.turns()) == 2


def test_a_folder_without_write_permission_holds_only_its_own_job(
    open_tmp: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(open_tmp / "place")
    source = Path(clip(tmp_path_factory, "pauses.mp4"))
    place.drop("good.mp4", source, "cut the pauses")
    place.drop("closed/held.mp4", source, 'add the title "Held"')
    locked = place.root / "outbox" / "closed"
    locked.mkdir()
    give_away(open_tmp)
    locked.chmod(0o555)
    with place.process(prefix=other_user()) as running:
        running.wait_for(lambda: "good.mp4" in place.files("outbox"), "the good one is delivered")
        running.wait_for(lambda: "job.held" in running.log(), "the other one is held")
        assert "closed" in running.log()
        assert "closed/held.mp4" in place.files("inbox")
        assert place.files("rejects") == []
        status = place.run("status", "--json", prefix=other_user())
        assert '"outbox_unavailable"' in status.stdout
        locked.chmod(0o755)
        running.wait_for(lambda: not place.files("inbox"), "it goes on by itself")
        assert "closed/held.mp4" in place.files("outbox")
        assert running.stop() == 0
