"""Originals leave the inbox: on one file system, across two, as links, and never a version that was not read."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nemo_watch import folders
from nemo_watch.errors import FolderError
from nemo_watch.folders import Places, files, moving
from nemo_watch.model import FileRef
from tests.folder_tools import drop, make_places, move, names, read, ref_of, target_of
from tests.program import run_without_privilege


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return make_places(str(tmp_path))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A folder on another file system: the memory one that every Linux has."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert os.stat(folder).st_dev != os.stat(tmp_path).st_dev
        yield folder


@pytest.fixture(params=["same", "across", "no-flag"])
def root(request: pytest.FixtureRequest, places: Places, elsewhere: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The archive: on the same file system, on another one, and on one that cannot rename without replacing."""
    if request.param == "no-flag":

        def refuses(*_: object) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

        monkeypatch.setattr(files, "_renameat2", refuses)
    return elsewhere if request.param == "across" else places.archive


def test_an_original_is_moved_under_its_own_name(places: Places, root: str) -> None:
    ref = drop(places, "sub/clip.mp4")
    assert move(places, ref, root) == "moved"
    assert names(os.path.join(root, "sub")) == ["clip.mp4"]
    assert names(os.path.join(places.inbox, "sub")) == []
    assert move(places, ref, root, os.path.join(root, "sub", "clip.mp4")) == "gone"
    assert names(os.path.join(root, "sub")) == ["clip.mp4"]


@pytest.mark.parametrize("way", ["rename", "in place", "same size"])
def test_a_new_version_stays_where_it_is(places: Places, root: str, way: str) -> None:
    ref = drop(places, "clip.mp4")
    target = target_of(places, "clip.mp4", root)
    if way == "rename":
        drop(places, "new")
        os.replace(os.path.join(places.inbox, "new"), os.path.join(places.inbox, "clip.mp4"))
    else:
        drop(places, "clip.mp4", b"a new version" if way == "in place" else b"CLIP")
        assert ref_of(places, "clip.mp4") != ref
    assert move(places, ref, root, target) == "changed"
    assert folders.delete_original(places.inbox, ref, "job") == "changed"
    assert names(places.inbox) == ["clip.mp4"]
    assert names(root) == []


@pytest.mark.parametrize("saved", ["rename", "in place"])
def test_a_version_saved_in_the_very_instant_is_put_back(
    places: Places, root: str, monkeypatch: pytest.MonkeyPatch, saved: str
) -> None:
    path = os.path.join(places.inbox, "clip.mp4")

    def save() -> None:
        if saved == "in place":
            Path(path).write_bytes(b"a new version")
        else:
            Path(path + ".new").write_bytes(b"a new version")
            os.replace(path + ".new", path)

    real = files.rename_new
    waiting: list[Callable[[], None]] = []

    def renames_after_it(source: files.Spot, target: files.Spot) -> bool:
        if source.path == path and waiting:
            waiting.pop()()
        return real(source, target)

    monkeypatch.setattr(moving, "rename_new", renames_after_it)
    for act in (lambda ref: move(places, ref, root), lambda ref: folders.delete_original(places.inbox, ref, "job")):
        ref = drop(places, "clip.mp4")
        waiting.append(save)
        assert act(ref) == "changed"
        assert read(path) == b"a new version"
        assert names(places.inbox) == ["clip.mp4"]


def test_a_version_saved_while_it_is_copied_stays(
    places: Places, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = drop(places, "clip.mp4")
    real = moving.pour

    def pours_while_somebody_writes(source_fd: int, copy_fd: int) -> str:
        sha256 = real(source_fd, copy_fd)
        with open(os.path.join(places.inbox, "clip.mp4"), "ab") as out:
            out.write(b" and more")
        return sha256

    monkeypatch.setattr(moving, "pour", pours_while_somebody_writes)
    assert move(places, ref, elsewhere) == "changed"
    assert read(os.path.join(places.inbox, "clip.mp4")) == b"clip and more"
    assert names(elsewhere) == []


def test_a_copy_that_came_out_wrong_is_not_believed(
    places: Places, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = drop(places, "clip.mp4", b"some content")
    monkeypatch.setattr(files, "write_all", lambda fd, _block: os.write(fd, b"other"))
    with pytest.raises(FolderError) as caught:
        move(places, ref, elsewhere)
    assert caught.value.code == "outbox_unavailable"
    assert (names(places.inbox), names(elsewhere)) == (["clip.mp4"], [])


@pytest.mark.parametrize("swapped", ["link", "folder"])
def test_a_parent_swapped_for_a_link_is_not_emptied(places: Places, root: str, tmp_path: Path, swapped: str) -> None:
    ref = drop(places, "sub/clip.mp4")
    target = target_of(places, ref.rel, root)
    os.rename(os.path.join(places.inbox, "sub"), tmp_path / "outside")
    if swapped == "link":
        os.symlink(tmp_path / "outside", os.path.join(places.inbox, "sub"))
    assert move(places, ref, root, target) == "gone"
    assert folders.delete_original(places.inbox, ref, "job") == "gone"
    assert names(str(tmp_path / "outside")) == ["clip.mp4"]


@pytest.mark.parametrize("act", ["move", "delete"])
def test_a_parent_swapped_between_look_and_move_changes_nothing(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    ref = drop(places, "sub/clip.mp4")
    target = target_of(places, ref.rel)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "clip.mp4").write_bytes(b"somebody's")
    real = files.rename_new

    def renames_after_the_swap(source: files.Spot, goal: files.Spot) -> bool:
        if os.path.isdir(os.path.join(places.inbox, "sub")) and not os.path.lexists(tmp_path / "aside"):
            os.rename(os.path.join(places.inbox, "sub"), tmp_path / "aside")
            os.symlink(tmp_path / "outside", os.path.join(places.inbox, "sub"))
        return real(source, goal)

    monkeypatch.setattr(moving, "rename_new", renames_after_the_swap)
    done = move(places, ref, "", target) if act == "move" else folders.delete_original(places.inbox, ref, "job")
    assert done == "moved"
    assert read(str(tmp_path / "outside" / "clip.mp4")) == b"somebody's"
    assert names(str(tmp_path / "aside")) == []


def test_a_link_is_moved_as_a_link(places: Places, root: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    os.symlink(tmp_path / "secret", os.path.join(places.inbox, "clip.mp4"))
    assert move(places, ref_of(places, "clip.mp4"), root) == "moved"
    assert os.readlink(os.path.join(root, "clip.mp4")) == str(tmp_path / "secret")
    assert names(places.inbox) == []


def test_a_move_keeps_content_time_mode_owner_and_attributes(places: Places, root: str) -> None:
    content = os.urandom(2 * folders.CHUNK_BYTES + 5)
    drop(places, "clip.mp4", content)
    path = os.path.join(places.inbox, "clip.mp4")
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    os.chmod(path, 0o640)
    os.setxattr(path, "user.tag", b"red")
    os.utime(path, ns=(1, 1_500_000_000_000_000_000))
    before = os.stat(path)
    old_umask = os.umask(0o077)
    try:
        assert move(places, ref_of(places, "clip.mp4"), root) == "moved"
    finally:
        os.umask(old_umask)
    moved = os.path.join(root, "clip.mp4")
    after = os.stat(moved)
    assert read(moved) == content
    for what in ("st_mode", "st_mtime_ns", "st_uid", "st_gid"):
        assert getattr(after, what) == getattr(before, what), what
    if "user.tag" in os.listxattr(moved) or root == places.archive:  # the memory file system may keep none
        assert os.getxattr(moved, "user.tag") == b"red"
    assert (names(places.inbox), names(root)) == ([], ["clip.mp4"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other groups")
def test_a_copy_takes_the_group_of_a_set_group_id_folder(places: Places, elsewhere: str) -> None:
    ref = drop(places, "clip.mp4")
    os.chown(elsewhere, -1, 4321)
    os.chmod(elsewhere, 0o2770)
    os.chown(os.path.join(places.inbox, "clip.mp4"), 1234, 1234)
    assert move(places, ref, elsewhere) == "moved"
    found = os.stat(os.path.join(elsewhere, "clip.mp4"))
    assert (found.st_uid, found.st_gid) == (1234, 4321)


def test_a_move_across_that_was_killed_after_the_rename_is_finished(places: Places, root: str) -> None:
    ref = drop(places, "clip.mp4", b"whole")
    target = target_of(places, "clip.mp4", root)
    Path(target).write_bytes(b"whole")
    assert move(places, ref, root, target) == "moved"
    assert (names(places.inbox), names(root)) == ([], ["clip.mp4"])


@pytest.mark.parametrize("came", ["nothing", "a new version", "a new version under the name"])
def test_a_removal_that_was_killed_half_way_is_finished(places: Places, came: str) -> None:
    ref = drop(places, "clip.mp4")
    path = os.path.join(places.inbox, "clip.mp4")
    aside = moving._aside(files.Spot(-1, "clip.mp4", path), "job").path
    os.rename(path, aside)
    if came == "a new version":  # it was saved just before the kill, and is what was renamed
        Path(aside).write_bytes(b"new")
    elif came == "a new version under the name":
        Path(path).write_bytes(b"new")
    result = folders.delete_original(places.inbox, ref, "job")
    assert result == ("changed" if came == "a new version" else "moved")
    assert names(places.inbox) == ([] if came == "nothing" else ["clip.mp4"])
    assert came == "nothing" or read(path) == b"new"


def test_another_file_under_the_planned_name_is_kept(places: Places, root: str) -> None:
    ref = drop(places, "clip.mp4", b"mine")
    target = target_of(places, "clip.mp4", root)
    Path(target).write_bytes(b"theirs")
    assert move(places, ref, root, target) == "taken"
    assert read(target) == b"theirs"
    assert names(places.inbox) == ["clip.mp4"]
    assert move(places, ref, root) == "moved"
    assert names(root) == ["clip-2.mp4", "clip.mp4"]


def test_a_pair_keeps_one_number_whatever_its_spelling(places: Places) -> None:
    for name in ("Café.mp4", "Cafe\u0301.txt", "CAFÉ.srt", "logo.png"):
        drop(places, name)
        Path(places.archive, "Café.txt").touch()
    rels = ["Café.mp4", "Cafe\u0301.txt", "CAFÉ.srt", "logo.png"]
    planned = [os.path.basename(plan.target) for plan in folders.plan_moves(places, places.archive, rels)]
    assert planned == ["Café-2.mp4", "Cafe\u0301-2.txt", "CAFÉ-2.srt", "logo.png"]


def test_an_inbox_that_is_gone_is_not_one_without_the_file(places: Places) -> None:
    ref = drop(places, "clip.mp4")
    os.rename(places.inbox, places.inbox + ".away")
    for act in (lambda: move(places, ref), lambda: folders.delete_original(places.inbox, ref, "job")):
        with pytest.raises(FolderError) as caught:
            act()
        assert caught.value.code == "inbox_unavailable"


def test_nothing_is_copied_if_nothing_can_be_taken_out(places: Places, elsewhere: str) -> None:
    ref = drop(places, "sub/clip.mp4")
    folder = os.path.join(places.inbox, "sub")
    os.chmod(folder, 0o555)
    if os.access(folder, os.W_OK):
        run_without_privilege(f"{__file__}::{test_nothing_is_copied_if_nothing_can_be_taken_out.__name__}")
        return
    for root in (places.archive, elsewhere):
        with pytest.raises(FolderError) as caught:
            move(places, ref, root)
        assert (caught.value.code, folder in caught.value.message) == ("inbox_unavailable", True)
        assert names(os.path.join(root, "sub")) == []
    os.chmod(folder, 0o755)


def test_everything_is_durable_before_the_source_goes(
    places: Places, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref: FileRef = drop(places, "sub/clip.mp4")
    target = target_of(places, ref.rel, elsewhere)
    told: list[str] = []
    of_folder = {os.stat(os.path.dirname(target)).st_ino: "archive", os.stat(places.inbox + "/sub").st_ino: "inbox"}

    def watch(name: str, tell: Callable[..., str]) -> None:
        real = getattr(os, name)

        def tells(*args: object, **kwargs: object) -> object:
            told.append(tell(*args, **kwargs))
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, tells)

    def renames(source: files.Spot, goal: files.Spot) -> bool:
        told.append("name" if goal.path == target else "aside")
        return real_rename(source, goal)

    real_rename = files.rename_new
    monkeypatch.setattr(moving, "rename_new", renames)
    watch("fsync", lambda fd: "sync " + of_folder.get(os.fstat(fd).st_ino, "copy"))
    watch("utime", lambda *_args, **_kwargs: "times")
    watch("unlink", lambda name, **_kwargs: "unlink" if name != "~nemo-watch-job.tmp" else "tidy")
    monkeypatch.setattr(os, "rename", None)
    assert move(places, ref, elsewhere, target) == "moved"
    # The first two are the attempt to rename, which the system refuses, and the temporary name being made free.
    assert told == ["name", "tidy", "times", "sync copy", "name", "sync archive", "aside", "unlink", "sync inbox"]
