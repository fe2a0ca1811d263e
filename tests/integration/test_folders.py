"""Moves and publications on real folders, two file systems included."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_watch import folders
from nemo_watch.errors import FolderError, MediaError
from nemo_watch.folders import Places, Plan
from nemo_watch.model import FileRef


@pytest.fixture
def places(tmp_path: Path) -> Places:
    paths = [str(tmp_path / name) for name in ("inbox", "outbox", "rejects", "archive")]
    for path in paths:
        os.mkdir(path)
    return Places(*paths)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A folder on another file system: the memory one that every Linux has."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert os.stat(folder).st_dev != os.stat(tmp_path).st_dev
        yield folder


def drop(places: Places, rel: str, content: bytes = b"clip") -> FileRef:
    path = os.path.join(places.inbox, rel)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)
    return FileRef(rel, folders.stamp_of(os.stat(path)))


def spooled(tmp_path: Path, content: bytes) -> tuple[str, str]:
    path = tmp_path / "spool.mp4"
    path.write_bytes(content)
    return str(path), hashlib.sha256(content).hexdigest()


def names(folder: str) -> list[str]:
    return sorted(os.listdir(folder))


# ---------------------------------------------------------------- reading


def test_fingerprint_is_of_the_whole_file(places: Places) -> None:
    content = os.urandom(3 * folders.CHUNK_BYTES + 17)
    assert folders.fingerprint(places.inbox, drop(places, "a.mp4", content)) == hashlib.sha256(content).hexdigest()


def test_another_version_is_not_read(places: Places) -> None:
    ref = drop(places, "a.mp4")
    drop(places, "a.mp4", b"another version")
    with pytest.raises(MediaError) as caught:
        folders.fingerprint(places.inbox, ref)
    assert caught.value.code == "changed"


@pytest.mark.parametrize(("kind", "code"), [("link", "symlink"), ("fifo", "changed"), ("nothing", "gone")])
def test_what_is_no_file_is_never_followed(places: Places, kind: str, code: str) -> None:
    ref = drop(places, "a.mp4")
    path = os.path.join(places.inbox, "a.mp4")
    os.rename(path, path + ".real")
    if kind == "link":
        os.symlink(path + ".real", path)
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(MediaError) as caught:
        folders.fingerprint(places.inbox, ref)
    assert caught.value.code == code


def test_assets_stay_inside(places: Places, tmp_path: Path) -> None:
    drop(places, "a/_assets/logo.png")
    (tmp_path / "secret.png").write_bytes(b"secret")
    os.symlink(tmp_path / "secret.png", os.path.join(places.inbox, "a", "link.png"))
    found = folders.resolve_asset(places.inbox, "a", "_assets/logo.png")
    assert found is not None
    assert found.rel == "a/_assets/logo.png"
    assert folders.resolve_asset(places.inbox, "a", "missing.png") is None
    for name in ("link.png", "../../secret.png"):
        with pytest.raises(MediaError) as caught:
            folders.resolve_asset(places.inbox, "a", name)
        assert caught.value.code == "asset_outside_inbox"


# ---------------------------------------------------------------- publishing


def test_publish_twice_makes_one_file(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    plan = Plan(source, folders.plan_name(places.outbox, "sub", "clip", ".mp4"), digest)
    assert folders.publish(plan, "job")
    assert folders.publish(plan, "job")
    assert names(os.path.join(places.outbox, "sub")) == ["clip.mp4"]


def test_a_name_taken_since_it_was_planned_is_never_overwritten(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    plan = Plan(source, folders.plan_name(places.outbox, "", "clip", ".mp4"), digest)
    Path(plan.target).write_bytes(b"somebody else's")
    assert not folders.publish(plan, "job")
    assert Path(plan.target).read_bytes() == b"somebody else's"
    assert folders.plan_name(places.outbox, "", "clip", ".mp4").endswith("clip-2.mp4")
    assert not folders.write_new(plan.target, b"report", "job")
    assert names(places.outbox) == ["clip.mp4"]


def test_a_source_that_differs_from_its_hash_is_not_published(places: Places, tmp_path: Path) -> None:
    source, _digest = spooled(tmp_path, b"result")
    plan = Plan(source, os.path.join(places.outbox, "clip.mp4"), "00" * 32)
    with pytest.raises(FolderError):
        folders.publish(plan, "job")
    assert names(places.outbox) == []


def test_a_full_disk_is_said_and_leaves_nothing(places: Places, tmp_path: Path) -> None:
    plan = Plan("/dev/zero", "/dev/full/x", "")
    with pytest.raises(FolderError) as caught:
        folders.publish(plan, "job")
    assert caught.value.code == "outbox_unavailable"
    with pytest.raises(FolderError) as full, folders._folder_errors("/somewhere"):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    assert full.value.code == "disk_full"


# ---------------------------------------------------------------- moving originals


def test_an_original_is_moved_under_its_own_name(places: Places) -> None:
    ref = drop(places, "sub/clip.mp4")
    plan = folders.plan_moves(places, places.archive, [ref.rel])[0]
    assert folders.move_original(plan, ref.stamp, "job") == "moved"
    assert names(os.path.join(places.archive, "sub")) == ["clip.mp4"]
    assert folders.move_original(plan, ref.stamp, "job") == "gone"


@pytest.mark.parametrize("across", [False, True])
def test_a_new_version_stays_where_it_is(places: Places, elsewhere: str, across: bool) -> None:
    ref = drop(places, "clip.mp4")
    drop(places, "clip.mp4", b"a new version")
    plan = folders.plan_moves(places, elsewhere if across else places.archive, [ref.rel])[0]
    assert folders.move_original(plan, ref.stamp, "job") == "changed"
    assert names(places.inbox) == ["clip.mp4"]
    assert not os.path.exists(plan.target)


@pytest.mark.parametrize("across", [False, True])
def test_a_link_is_moved_as_a_link(places: Places, elsewhere: str, tmp_path: Path, across: bool) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = os.path.join(places.inbox, "clip.mp4")
    os.symlink(tmp_path / "secret", path)
    stamp = folders.stamp_of(os.lstat(path))
    plan = folders.plan_moves(places, elsewhere if across else places.rejects, ["clip.mp4"])[0]
    assert folders.move_original(plan, stamp, "job") == "moved"
    assert os.readlink(plan.target) == str(tmp_path / "secret")
    assert names(places.inbox) == []


def test_a_move_across_file_systems_keeps_content_time_and_mode(places: Places, elsewhere: str) -> None:
    content = os.urandom(2 * folders.CHUNK_BYTES + 5)
    ref = drop(places, "clip.mp4", content)
    path = os.path.join(places.inbox, "clip.mp4")
    os.chmod(path, 0o640)
    os.utime(path, ns=(1, 1_500_000_000_000_000_000))
    ref = FileRef(ref.rel, folders.stamp_of(os.stat(path)))
    plan = folders.plan_moves(places, elsewhere, [ref.rel])[0]
    assert folders.move_original(plan, ref.stamp, "job") == "moved"
    found = os.stat(plan.target)
    assert Path(plan.target).read_bytes() == content
    assert (found.st_mode & 0o777, found.st_mtime_ns) == (0o640, 1_500_000_000_000_000_000)
    assert names(places.inbox) == []
    assert names(elsewhere) == ["clip.mp4"]


def test_a_move_across_that_was_killed_after_the_rename_is_finished(places: Places, elsewhere: str) -> None:
    ref = drop(places, "clip.mp4", b"whole")
    plan = folders.plan_moves(places, elsewhere, [ref.rel])[0]
    Path(plan.target).write_bytes(b"whole")
    assert folders.move_original(plan, ref.stamp, "job") == "moved"
    assert names(places.inbox) == []
    assert names(elsewhere) == ["clip.mp4"]


def test_another_file_under_the_planned_name_is_kept(places: Places, elsewhere: str) -> None:
    for root in (places.archive, elsewhere):
        ref = drop(places, "clip.mp4", b"mine")
        plan = folders.plan_moves(places, root, [ref.rel])[0]
        Path(plan.target).write_bytes(b"theirs")
        assert folders.move_original(plan, ref.stamp, "job") == "taken"
        assert Path(plan.target).read_bytes() == b"theirs"
        assert names(places.inbox) == ["clip.mp4"]


def test_delete_only_takes_what_was_read(places: Places) -> None:
    ref = drop(places, "clip.mp4")
    drop(places, "clip.mp4", b"a new version")
    assert folders.delete_original(places.inbox, ref) == "changed"
    assert names(places.inbox) == ["clip.mp4"]
    assert folders.delete_original(places.inbox, drop(places, "clip.mp4")) == "moved"
    assert names(places.inbox) == []


def test_sweep_takes_only_our_half_files(places: Places) -> None:
    drop(places, "clip.mp4")
    for name in ("~nemo-watch-e1-1.tmp", "~other.tmp", "sub/~nemo-watch-e2-1.tmp"):
        drop(places, name)
    assert folders.sweep(places.inbox) == 2
    assert names(places.inbox) == ["clip.mp4", "sub", "~other.tmp"]
