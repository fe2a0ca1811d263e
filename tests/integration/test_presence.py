"""Markers on real folders: whose an inbox is, and whether a folder is the one it was."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nemo_watch.errors import FolderError
from nemo_watch.folders import presence as presences
from nemo_watch.folders.marker import MARKER_NAME, Owner, Role
from nemo_watch.folders.presence import Presence
from nemo_watch.model import Json
from tests.mounting import Mounts, mounting

OURS = Owner("ledger-one", "nas", "/var/lib/nemo-watch")
OTHERS = Owner("ledger-two", "laptop", "/home/me/state")


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


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """A mount point."""
    place = tmp_path / "share"
    place.mkdir()
    return place


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    with mounting(tmp_path) as made:
        yield made


def test_a_new_inbox_is_marked_after_the_ledger_knows_of_it(inbox: Path) -> None:
    notebook = Notebook(inbox)
    assert guard(inbox, notebook).refusal() == ""
    told = tomllib.loads((inbox / MARKER_NAME).read_text())
    (fact,) = notebook.facts.values()
    assert told == {
        "ledger": "ledger-one",
        "host": "nas",
        "state": "/var/lib/nemo-watch",
        "role": "inbox",
        "folder_id": fact["folder_id"],
        "path": str(inbox),
    }
    assert len(fact["folder_id"]) == 32
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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ledger = ",
        b"[x]\n",
        b"\xff\xfe",
        b"host = 'x'\n",
        b"ledger = ['x']\n",
        b"#" * 20_000,
        b"a = " + b"[" * 9000,
    ],
    ids=["empty", "cut", "a table", "not UTF-8", "nobody", "a list", "long", "deep"],
)
def test_a_marker_that_says_nothing_pauses_with_a_way_out(inbox: Path, content: bytes) -> None:
    (inbox / MARKER_NAME).write_bytes(content)
    ours = guard(inbox, Notebook(inbox))
    said = ours.refusal()
    assert "cannot be read" in said
    assert "remove it" in said
    assert (inbox / MARKER_NAME).read_bytes() == content
    assert "ours now" in ours.adopt()
    assert ours.refusal() == ""


def test_a_marker_that_is_no_file_is_neither_followed_nor_waited_for(inbox: Path, tmp_path: Path) -> None:
    marker = inbox / MARKER_NAME
    (tmp_path / "elsewhere").write_text('ledger = "ledger-one"\n')
    marker.symlink_to(tmp_path / "elsewhere")
    assert "a link" in guard(inbox, Notebook(inbox)).refusal()
    assert "ours now" in guard(inbox, Notebook(inbox)).adopt()
    assert (tmp_path / "elsewhere").read_text() == 'ledger = "ledger-one"\n'
    marker.unlink()
    os.mkfifo(marker)
    assert "not a file" in guard(inbox, Notebook(inbox)).refusal()
    marker.unlink()
    with open(marker, "wb") as huge:
        huge.truncate(1 << 40)
    assert "longer than" in guard(inbox, Notebook(inbox)).refusal()
    marker.unlink()
    marker.mkdir()
    ours = guard(inbox, Notebook(inbox))
    assert ours.refusal() == f"The marker {marker} cannot be read (a folder): remove it."
    with pytest.raises(FolderError, match="remove it"):
        ours.adopt()
    marker.rmdir()
    assert ours.refusal() == ""


def test_a_marker_that_may_not_be_read_is_a_sentence(open_tmp: Path) -> None:
    inbox = open_tmp / "inbox"
    inbox.mkdir()
    (inbox / MARKER_NAME).write_text('ledger = "ledger-two"\n')
    (inbox / MARKER_NAME).chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        said = guard(inbox, Notebook(inbox)).refusal()
    finally:
        os.seteuid(user)
    assert "cannot be read (Permission denied)" in said


@pytest.mark.parametrize("what", ["folder", "link", "pipe", "text"])
def test_an_outbox_goes_on_whatever_its_marker_has_become(tmp_path: Path, what: str) -> None:
    root = tmp_path / "outbox"
    root.mkdir()
    notebook = Notebook(root)
    marker = root / MARKER_NAME
    if what == "folder":
        marker.mkdir()
    elif what == "link":
        marker.symlink_to("/nowhere")
    elif what == "pipe":
        os.mkfifo(marker)
    else:
        marker.write_text("what?")
    ours = guard(root, notebook, "target")
    ours.insist()
    assert "remove it" in ours.judge().flaw
    (marker.rmdir if what == "folder" else marker.unlink)()
    ours.insist()
    assert marker.is_file()
    assert ours.judge().flaw == ""


def test_folders_that_were_exchanged_are_noticed(tmp_path: Path) -> None:
    inbox, outbox, archive = (tmp_path / name for name in ("inbox", "outbox", "archive"))
    inbox.mkdir()
    notebook = Notebook(inbox)
    presences = [guard(inbox, notebook), guard(outbox, notebook, "target"), guard(archive, notebook, "target")]
    assert [presence.refusal() for presence in presences] == ["", "", ""]
    outbox.rename(tmp_path / "was outbox")
    inbox.rename(outbox)
    archive.rename(inbox)
    (tmp_path / "was outbox").rename(archive)
    again = [guard(inbox, notebook), guard(outbox, notebook, "target"), guard(archive, notebook, "target")]
    for presence, other in (
        *zip(presences, (archive, inbox, outbox), strict=True),
        *zip(again, (archive, inbox, outbox), strict=True),
    ):
        said = presence.refusal()
        assert str(other) in said
        assert "ours" in said
        assert "mounted in each other's place?" in said
        with pytest.raises(FolderError):
            presence.insist()
    # Right so, says a person: only then it is used as what it is now.
    assert "is ours now" in again[0].adopt()
    assert "is ours now" in again[1].adopt()
    assert "is taken as it is now" in again[2].adopt()
    assert [presence.refusal() for presence in (*presences, *again)] == [""] * 6


def test_two_inboxes_that_were_exchanged_are_noticed(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    notebook = Notebook(one)
    assert guard(one, notebook).refusal() == guard(two, notebook).refusal() == ""
    one.rename(tmp_path / "x")
    two.rename(one)
    (tmp_path / "x").rename(two)
    assert str(two) in guard(one, notebook).refusal()
    assert str(one) in guard(two, notebook).refusal()


def test_an_inbox_under_another_name_is_still_ours(inbox: Path, tmp_path: Path) -> None:
    notebook = Notebook(inbox)
    assert guard(inbox, notebook).refusal() == ""
    inbox.rename(tmp_path / "renamed")
    assert guard(tmp_path / "renamed", notebook).refusal() == ""


@pytest.mark.parametrize("role", ["inbox", "target"])
def test_a_marker_from_before_roles_and_ids_learns_them(inbox: Path, role: Role) -> None:
    old = 'ledger = "ledger-one"\nhost = "nas"\nstate = "/var/lib/nemo-watch"\n'
    (inbox / MARKER_NAME).write_text(old)
    notebook = Notebook(inbox)
    notebook.facts[f"place:{inbox}"] = {
        "ground": {"source": "x", "fs_type": "ext4", "root": "/", "inode": 5},
        "is_marked": True,
        "over": "",
    }
    assert guard(inbox, notebook, role).refusal() == ""
    told = tomllib.loads((inbox / MARKER_NAME).read_text())
    assert (told["ledger"], told["role"]) == ("ledger-one", role)
    assert told["folder_id"] == notebook.facts[f"place:{inbox}"]["folder_id"] != ""
    # Somebody else's is left as it is: whether it is the same folder is for its owner to say.
    theirs = old.replace("ledger-one", "ledger-two")
    (inbox / MARKER_NAME).write_text(theirs)
    assert bool(guard(inbox, notebook, role).refusal()) == (role == "inbox")
    assert (inbox / MARKER_NAME).read_text() == theirs


@pytest.mark.parametrize("role", ["inbox", "target"])
def test_an_old_marker_that_cannot_be_completed_is_good_as_it_is(
    inbox: Path, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = 'ledger = "ledger-one"\nhost = "nas"\nstate = "/var/lib/nemo-watch"\n'
    (inbox / MARKER_NAME).write_text(old)
    # A folder under the name that it is written through stands for a full disk: no rights are needed for that.
    (inbox / f"{MARKER_NAME}-ledger-one.tmp").mkdir()
    notebook = Notebook(inbox)
    ours = guard(inbox, notebook, role)
    assert ours.refusal() == ""
    ours.insist()
    assert (inbox / MARKER_NAME).read_text() == old
    ((key, fact),) = notebook.facts.items()
    assert (fact["is_marked"], fact["folder_id"]) == (True, "")
    (inbox / f"{MARKER_NAME}-ledger-one.tmp").rmdir()
    monkeypatch.setattr(presences, "COMPLETE_AGAIN_S", 0.0)
    assert guard(inbox, notebook, role).refusal() == ""
    assert tomllib.loads((inbox / MARKER_NAME).read_text())["folder_id"] == notebook.facts[key]["folder_id"] != ""


class Interrupted(Notebook):
    """A memory at whose first note something happens."""

    def __init__(self, root: Path, then: Callable[[], object]) -> None:
        super().__init__(root)
        self._then = [then]

    def remember(self, key: str, value: Json) -> None:
        super().remember(key, value)
        if self._then:
            self._then.pop()()


class Killed(BaseException):
    """Stands for a kill."""


def test_of_two_daemons_on_one_new_outbox_the_second_learns_which_it_is(tmp_path: Path) -> None:
    root = tmp_path / "outbox"
    theirs = guard(root, Notebook(root), "target", owner=OTHERS)
    notebook = Interrupted(root, theirs.refusal)
    assert guard(root, notebook, "target").refusal() == ""
    assert tomllib.loads((root / MARKER_NAME).read_text())["ledger"] == "ledger-two"
    assert guard(root, notebook, "target").refusal() == ""
    # Their state is lost and the marker too: they mark the same folder anew.
    (root / MARKER_NAME).unlink()
    guard(root, Notebook(root), "target", owner=OTHERS).insist()
    assert guard(root, notebook, "target").refusal() == ""


def test_a_kill_between_ledger_and_marker_leaves_no_claim_on_a_shared_outbox(tmp_path: Path) -> None:
    root = tmp_path / "outbox"

    def kill() -> None:
        raise Killed

    notebook = Interrupted(root, kill)
    with pytest.raises(Killed):
        guard(root, notebook, "target").refusal()
    guard(root, Notebook(root), "target", owner=OTHERS).insist()
    # As of a version that noted an id before it was on the disk.
    for fact in notebook.facts.values():
        fact["folder_id"] = fact["folder_id"] or "f" * 32
    assert guard(root, notebook, "target").refusal() == ""


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


def test_an_unmounted_outbox_is_never_written_to(share: Path, mounts: Mounts) -> None:
    mounts.tmpfs(share)
    root = share / "outbox"
    notebook = Notebook(root)
    ours = guard(root, notebook, "target")
    ours.insist()
    mounts.unmount(share)
    for again in (ours, guard(root, notebook, "target")):
        with pytest.raises(FolderError) as refused:
            again.insist()
        assert refused.value.code == "outbox_unavailable"
        assert "mounted?" in refused.value.message
    assert os.listdir(share) == []
    mounts.tmpfs(share)
    ours.insist()
    assert os.listdir(root) == [MARKER_NAME]


def test_an_unmounted_inbox_is_not_an_empty_one(share: Path, mounts: Mounts, tmp_path: Path) -> None:
    behind = tmp_path / "behind"
    behind.mkdir()
    mounts.tmpfs(behind)
    mounts.bind(behind, share)
    notebook = Notebook(share)
    ours = guard(share, notebook)
    assert ours.refusal() == ""
    mounts.unmount(share)
    with pytest.raises(FolderError):
        ours.insist()
    assert "mounted?" in ours.refusal()
    assert os.listdir(share) == []
    mounts.bind(behind, share)
    ours.insist()
    assert ours.refusal() == ""


def test_a_read_only_inbox_is_told_by_its_mount(share: Path, mounts: Mounts) -> None:
    mounts.tmpfs(share, "ro")
    notebook = Notebook(share)
    ours = guard(share, notebook)
    assert ours.refusal() == ""
    ours.insist()
    assert os.listdir(share) == []
    # Mounted again it has another device number, and a root of another inode would do as well.
    mounts.unmount(share)
    assert "mounted?" in ours.refusal()
    mounts.tmpfs(share, "ro")
    (key,) = notebook.facts
    notebook.facts[key]["ground"]["inode"] += 1
    assert guard(share, notebook).refusal() == ""
    # Another file system there is another inbox, until a person says it is right so.
    mounts.unmount(share)
    mounts.make("ramfs", share)
    mounts.remount(share, "ro")
    assert "ramfs" in ours.refusal()
    guard(share, notebook).adopt()
    assert ours.refusal() == ""


def test_a_read_only_inbox_of_another_ledger_can_still_be_adopted(share: Path, mounts: Mounts) -> None:
    mounts.tmpfs(share)
    assert guard(share, Notebook(share), owner=OTHERS).refusal() == ""
    mounts.remount(share, "ro")
    notebook = Notebook(share)
    ours = guard(share, notebook)
    assert "laptop" in ours.refusal()
    assert "cannot be written" in guard(share, notebook).adopt()
    assert ours.refusal() == ""
