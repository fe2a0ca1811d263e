"""Markers on real folders: whose an inbox is, and whether a folder is the one it was."""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_watch.errors import FolderError
from nemo_watch.folders.presence import MARKER_NAME, Owner, Presence, Role
from nemo_watch.model import Json

OURS = Owner("ledger-one", "nas", "/var/lib/nemo-watch")
OTHERS = Owner("ledger-two", "laptop", "/home/me/state")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


class Notebook:
    """A memory that also notes what lay in the folder when something was remembered."""

    def __init__(self, root: Path) -> None:
        self.facts: dict[str, Json] = {}
        self.marked_then: list[bool] = []
        self._marker = root / MARKER_NAME

    def recall(self, key: str) -> Json | None:
        return self.facts.get(key)

    def remember(self, key: str, value: Json) -> None:
        self.marked_then.append(self._marker.exists())
        self.facts[key] = value


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    path = tmp_path / "inbox"
    path.mkdir()
    return path


def guard(
    root: Path, notebook: Notebook, role: Role = "inbox", *, owner: Owner = OURS, fstab: str = "/none"
) -> Presence:
    return Presence(str(root), role, owner, notebook, fstab=fstab)


def mounted(kind: str, place: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", kind, *options, "nemo-watch-test", str(place)], check=True)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Path]:
    """A mount point that is unmounted at the end however often it was mounted."""
    place = tmp_path / "share"
    place.mkdir()
    yield place
    while os.path.ismount(place):
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_new_inbox_is_marked_after_the_ledger_knows_of_it(inbox: Path) -> None:
    notebook = Notebook(inbox)
    assert guard(inbox, notebook).refusal() == ""
    told = tomllib.loads((inbox / MARKER_NAME).read_text())
    assert told == {"ledger": "ledger-one", "host": "nas", "state": "/var/lib/nemo-watch"}
    assert (inbox / MARKER_NAME).stat().st_mode & 0o777 == 0o644
    assert os.listdir(inbox) == [MARKER_NAME]
    assert notebook.marked_then == [False, True]


def test_another_ledger_s_inbox_is_refused_by_name_until_it_is_adopted(inbox: Path) -> None:
    theirs = guard(inbox, Notebook(inbox), owner=OTHERS)
    assert theirs.refusal() == ""
    ours = guard(inbox, Notebook(inbox))
    said = ours.refusal()
    for part in ("laptop", "/home/me/state", "check --adopt"):
        assert part in said
    with pytest.raises(FolderError) as refused:
        ours.insist()
    assert refused.value.code == "inbox_unavailable"
    # Adopting is another process's doing: this one hears of it from the folder.
    done = guard(inbox, Notebook(inbox)).adopt()
    assert "laptop" in done
    assert ours.refusal() == ""
    ours.insist()
    assert "nas" in theirs.refusal()
    with pytest.raises(FolderError):
        theirs.insist()
    assert guard(inbox, Notebook(inbox)).adopt() == ""


def test_a_marker_that_went_is_written_again(inbox: Path) -> None:
    notebook = Notebook(inbox)
    assert guard(inbox, notebook).refusal() == ""
    (inbox / MARKER_NAME).unlink()
    assert guard(inbox, notebook).refusal() == ""
    assert (inbox / MARKER_NAME).exists()


def test_a_kill_between_ledger_and_marker_loses_nothing(inbox: Path) -> None:
    notebook = Notebook(inbox)
    assert guard(inbox, notebook).refusal() == ""
    ((key, fact),) = notebook.facts.items()
    (inbox / MARKER_NAME).unlink()
    notebook.facts = {key: {**fact, "is_marked": False}}
    assert guard(inbox, notebook).refusal() == ""
    assert (inbox / MARKER_NAME).exists()
    assert notebook.facts[key]["is_marked"] is True


def test_another_folder_in_its_place_is_not_believed(inbox: Path, tmp_path: Path) -> None:
    notebook = Notebook(inbox)
    ours = guard(inbox, notebook)
    assert ours.refusal() == ""
    inbox.rename(tmp_path / "away")
    assert "is not there" in ours.refusal()
    inbox.mkdir()
    assert "mounted?" in ours.refusal()
    assert os.listdir(inbox) == []
    assert "ours now" in ours.adopt()
    assert ours.refusal() == ""


@pytest.mark.parametrize("content", [b"", b"ledger = ", b"[x]\n", b"\xff\xfe", b"host = 'x'\n"])
def test_a_marker_that_says_nothing_pauses_with_a_way_out(inbox: Path, content: bytes) -> None:
    (inbox / MARKER_NAME).write_bytes(content)
    ours = guard(inbox, Notebook(inbox))
    said = ours.refusal()
    assert "cannot be read" in said
    assert "remove it" in said
    assert (inbox / MARKER_NAME).read_bytes() == content
    assert "ours now" in ours.adopt()
    assert ours.refusal() == ""


def test_a_marker_that_is_a_link_or_a_pipe_is_not_followed(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text('ledger = "ledger-one"\n')
    (inbox / MARKER_NAME).symlink_to(tmp_path / "elsewhere")
    assert "a link" in guard(inbox, Notebook(inbox)).refusal()
    (inbox / MARKER_NAME).unlink()
    os.mkfifo(inbox / MARKER_NAME)
    assert "not a file" in guard(inbox, Notebook(inbox)).refusal()


def test_what_fstab_says_should_be_mounted_must_be(inbox: Path, tmp_path: Path) -> None:
    fstab = tmp_path / "fstab"
    fstab.write_text(f"nas:/clips {inbox.parent} nfs defaults 0 0\n")
    said = guard(inbox, Notebook(inbox), fstab=str(fstab)).refusal()
    assert "Nothing is mounted on" in said
    assert str(inbox.parent) in said
    with pytest.raises(FolderError):
        guard(inbox, Notebook(inbox), fstab=str(fstab)).adopt()
    out = guard(inbox.parent / "outbox", Notebook(inbox), "target", fstab=str(fstab))
    with pytest.raises(FolderError) as refused:
        out.insist()
    assert refused.value.code == "outbox_unavailable"
    assert not (inbox.parent / "outbox").exists()


def test_an_outbox_is_made_marked_and_shared(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "outbox"
    ours = guard(root, Notebook(root), "target")
    ours.insist()
    guard(root, Notebook(root), "target", owner=OTHERS).insist()
    assert tomllib.loads((root / MARKER_NAME).read_text())["ledger"] == "ledger-one"
    (root / MARKER_NAME).unlink()
    ours.insist()
    assert (root / MARKER_NAME).exists()


def test_a_root_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(FolderError, match="not a folder"):
        guard(tmp_path / "outbox", Notebook(tmp_path), "target").insist()


@needs_root
def test_an_unmounted_outbox_is_never_written_to(share: Path) -> None:
    mounted("tmpfs", share)
    root = share / "outbox"
    notebook = Notebook(root)
    ours = guard(root, notebook, "target")
    ours.insist()
    subprocess.run(["umount", "-l", str(share)], check=True)
    for again in (ours, guard(root, notebook, "target")):
        with pytest.raises(FolderError) as refused:
            again.insist()
        assert refused.value.code == "outbox_unavailable"
        assert "mounted?" in refused.value.message
    assert os.listdir(share) == []
    mounted("tmpfs", share)
    ours.insist()
    assert os.listdir(root) == [MARKER_NAME]


@needs_root
def test_an_unmounted_inbox_is_not_an_empty_one(share: Path, tmp_path: Path) -> None:
    behind = tmp_path / "behind"
    behind.mkdir()
    mounted("tmpfs", behind)
    try:
        subprocess.run(["mount", "--bind", str(behind), str(share)], check=True)
        notebook = Notebook(share)
        ours = guard(share, notebook)
        assert ours.refusal() == ""
        subprocess.run(["umount", "-l", str(share)], check=True)
        with pytest.raises(FolderError):
            ours.insist()
        assert "mounted?" in ours.refusal()
        assert os.listdir(share) == []
        subprocess.run(["mount", "--bind", str(behind), str(share)], check=True)
        ours.insist()
        assert ours.refusal() == ""
    finally:
        subprocess.run(["umount", "-l", str(behind)], check=True)


@needs_root
def test_a_read_only_inbox_is_told_by_its_mount(share: Path) -> None:
    mounted("tmpfs", share, "-o", "ro")
    notebook = Notebook(share)
    ours = guard(share, notebook)
    assert ours.refusal() == ""
    ours.insist()
    assert os.listdir(share) == []
    # Mounted again it has another device number, and a root of another inode would do as well.
    subprocess.run(["umount", str(share)], check=True)
    assert "mounted?" in ours.refusal()
    mounted("tmpfs", share, "-o", "ro")
    (key,) = notebook.facts
    notebook.facts[key]["ground"]["inode"] += 1
    assert guard(share, notebook).refusal() == ""
    # Another file system there is another inbox, until a person says it is right so.
    subprocess.run(["umount", str(share)], check=True)
    mounted("ramfs", share)
    subprocess.run(["mount", "-o", "remount,ro", str(share)], check=True)
    assert "ramfs" in ours.refusal()
    guard(share, notebook).adopt()
    assert ours.refusal() == ""


@needs_root
def test_a_read_only_inbox_of_another_ledger_can_still_be_adopted(share: Path) -> None:
    mounted("tmpfs", share)
    assert guard(share, Notebook(share), owner=OTHERS).refusal() == ""
    subprocess.run(["mount", "-o", "remount,ro", str(share)], check=True)
    notebook = Notebook(share)
    ours = guard(share, notebook)
    assert "laptop" in ours.refusal()
    assert "cannot be written" in guard(share, notebook).adopt()
    assert ours.refusal() == ""
