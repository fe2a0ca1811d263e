"""Reading what was dropped and publishing what was made, on real folders."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from nemo_watch import folders
from nemo_watch.errors import FolderError, MediaError
from nemo_watch.folders import Places, Plan
from nemo_watch.folders.files import target_errors
from tests.folder_tools import drop, make_places, names


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return make_places(str(tmp_path))


def spooled(tmp_path: Path, content: bytes) -> tuple[str, str]:
    path = tmp_path / "spool.mp4"
    path.write_bytes(content)
    return str(path), hashlib.sha256(content).hexdigest()


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
    assert folders.publish(places.outbox, plan, "job")
    assert folders.publish(places.outbox, plan, "job")
    assert names(os.path.join(places.outbox, "sub")) == ["clip.mp4"]


def test_a_name_taken_since_it_was_planned_is_never_overwritten(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    plan = Plan(source, folders.plan_name(places.outbox, "", "clip", ".mp4"), digest)
    Path(plan.target).write_bytes(b"somebody else's")
    assert not folders.publish(places.outbox, plan, "job")
    assert Path(plan.target).read_bytes() == b"somebody else's"
    assert folders.plan_name(places.outbox, "", "clip", ".mp4").endswith("clip-2.mp4")
    assert not folders.write_new(places.outbox, plan.target, b"report", "job")
    assert names(places.outbox) == ["clip.mp4"]


def test_a_source_that_differs_from_its_hash_is_not_published(places: Places, tmp_path: Path) -> None:
    source, _digest = spooled(tmp_path, b"result")
    plan = Plan(source, os.path.join(places.outbox, "clip.mp4"), "00" * 32)
    with pytest.raises(MediaError) as caught:
        folders.publish(places.outbox, plan, "job")
    assert caught.value.code == "spool_damaged"
    assert names(places.outbox) == []


def test_a_full_disk_is_said_and_leaves_nothing(places: Places, tmp_path: Path) -> None:
    plan = Plan("/dev/zero", "/dev/full/x", "")
    with pytest.raises(FolderError) as caught:
        folders.publish("/dev/full", plan, "job")
    assert caught.value.code == "outbox_unavailable"
    with pytest.raises(FolderError) as full, target_errors("/somewhere"):
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")
    assert full.value.code == "disk_full"


# ---------------------------------------------------------------- parents that are swapped for links


def test_a_parent_swapped_for_a_link_leads_nowhere(places: Places, tmp_path: Path) -> None:
    ref = drop(places, "sub/clip.mp4")
    inside, outside = os.path.join(places.inbox, "sub"), tmp_path / "outside"
    os.rename(inside, outside)  # the very same file, but no longer in the inbox
    os.symlink(outside, inside)
    assert not folders.is_unchanged(places.inbox, ref)
    with pytest.raises(MediaError) as caught:
        folders.fingerprint(places.inbox, ref)
    assert caught.value.code == "gone"


def test_an_asset_outside_is_refused_whether_it_is_there_or_not(places: Places) -> None:
    drop(places, "..odd/logo.png")
    found = folders.resolve_asset(places.inbox, "", "..odd/logo.png")
    assert found is not None
    for name in ("../nothing-there.png", "/etc/nothing-there.png"):
        with pytest.raises(MediaError) as caught:
            folders.resolve_asset(places.inbox, "", name)
        assert caught.value.code == "asset_outside_inbox"


# ---------------------------------------------------------------- links among the target folders


def test_a_link_in_the_outbox_that_its_owner_made_is_followed(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    (tmp_path / "big-disk").mkdir()
    os.symlink(tmp_path / "big-disk", os.path.join(places.outbox, "vertical"))
    target = folders.plan_name(places.outbox, "vertical/today", "clip", ".mp4")
    assert folders.publish(places.outbox, Plan(source, target, digest), "job")
    assert (tmp_path / "big-disk" / "today" / "clip.mp4").read_bytes() == b"result"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a link that belongs to somebody else")
def test_a_link_in_the_outbox_that_somebody_else_made_is_not_followed(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    (tmp_path / "not-theirs").mkdir()
    link = os.path.join(places.outbox, "vertical")
    os.symlink(tmp_path / "not-theirs", link)
    os.lchown(link, 65534, 65534)
    for act in (
        lambda: folders.plan_name(places.outbox, "vertical", "clip", ".mp4"),
        lambda: folders.publish(places.outbox, Plan(source, f"{link}/clip.mp4", digest), "job"),
        lambda: folders.write_new(places.outbox, f"{link}/clip.toml", b"report", "job"),
        lambda: folders.move_original(places.inbox, drop(places, "c.mp4"), places.outbox, f"{link}/c.mp4", "job"),
    ):
        with pytest.raises(FolderError) as caught:
            act()
        assert (caught.value.code, "another user" in caught.value.message) == ("outbox_unavailable", True)
    assert names(str(tmp_path / "not-theirs")) == []
    # Whoever owns the outbox may send its sub-folders wherever he likes.
    os.chown(places.outbox, 65534, 65534)
    assert folders.publish(places.outbox, Plan(source, f"{link}/clip.mp4", digest), "job")


# ---------------------------------------------------------------- what a kill left


def test_what_a_kill_left_of_a_publication_is_no_second_copy(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    plan = Plan(source, os.path.join(places.outbox, "clip.mp4"), digest)
    temp = os.path.join(places.outbox, f"{folders.TEMP_PREFIX}job.tmp")
    Path(temp).write_bytes(b"resu")
    assert folders.publish(places.outbox, plan, "job")
    assert names(places.outbox) == ["clip.mp4"]
    os.link(plan.target, temp)  # between the two halves of a rename on a file system without the flag
    assert folders.publish(places.outbox, plan, "job")
    assert names(places.outbox) == ["clip.mp4"]


def test_a_link_laid_in_the_way_of_a_temporary_name_is_not_written_through(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    (tmp_path / "precious").write_bytes(b"precious")
    os.link(tmp_path / "precious", os.path.join(places.outbox, f"{folders.TEMP_PREFIX}job.tmp"))
    assert folders.publish(places.outbox, Plan(source, os.path.join(places.outbox, "clip.mp4"), digest), "job")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_plan_for_another_outbox_is_made_again(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    elsewhere = tmp_path / "former" / "clip.mp4"
    elsewhere.parent.mkdir()
    assert not folders.publish(places.outbox, Plan(source, str(elsewhere), digest), "job")
    assert not folders.write_new(places.outbox, str(elsewhere), b"report", "job")
    elsewhere.write_bytes(b"result")
    assert folders.publish(places.outbox, Plan(source, str(elsewhere), digest), "job")
    assert names(places.outbox) == []


def test_results_get_the_rights_of_the_umask_and_the_group_of_their_folder(places: Places, tmp_path: Path) -> None:
    source, digest = spooled(tmp_path, b"result")
    os.chmod(source, 0o600)
    group = os.stat(places.outbox).st_gid
    if os.geteuid() == 0:
        group = 4321
        os.chown(places.outbox, -1, group)
    os.chmod(places.outbox, 0o2775)
    before = os.umask(0o007)
    try:
        target = folders.plan_name(places.outbox, "sub", "clip", ".mp4")
        assert folders.publish(places.outbox, Plan(source, target, digest), "job")
    finally:
        os.umask(before)
    found = os.stat(target)
    assert (found.st_mode & 0o777, found.st_gid) == (0o660, group)
