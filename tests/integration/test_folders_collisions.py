"""Names that only case, Unicode form or a habit tells apart, two at once, and temporary names of many owners."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from nemo_watch import folders
from nemo_watch.errors import FolderError
from nemo_watch.folders import Places, Plan
from nemo_watch.folders.names import key
from nemo_watch.model import FileRef, FileStamp
from tests.folder_tools import drop, make_places, move, names, read, ref_of

OURS, THEIRS = "0123456789abcdef" * 2, "fedcba9876543210" * 2


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return make_places(str(tmp_path))


def result(tmp_path: Path, content: bytes) -> tuple[str, str]:
    path = tmp_path / f"{hashlib.sha256(content).hexdigest()[:8]}.spool"
    path.write_bytes(content)
    return str(path), hashlib.sha256(content).hexdigest()


def files_below(folder: str) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if not path.is_dir())


# ---------------------------------------------------------------- case and Unicode form


@pytest.mark.parametrize("spellings", [("Talk", "talk"), ("Caf\u00e9", "Cafe\u0301"), ("Straße", "STRASSE")])
def test_of_two_results_planned_at_once_one_is_planned_again(
    places: Places, tmp_path: Path, spellings: tuple[str, str]
) -> None:
    plans = []
    for spelling in spellings:
        source, digest = result(tmp_path, spelling.encode())
        plans.append(Plan(source, folders.plan_name(places.outbox, "", spelling, ".mp4"), digest))
    assert folders.publish(places.outbox, plans[0], folders.temp_mark(OURS))
    assert not folders.publish(places.outbox, plans[1], folders.temp_mark(OURS))
    assert not folders.write_new(places.outbox, plans[1].target, b"report", folders.temp_mark(OURS))
    target = folders.plan_name(places.outbox, "", spellings[1], ".mp4")
    assert folders.publish(places.outbox, Plan(plans[1].source, target, plans[1].sha256), folders.temp_mark(OURS))
    assert names(places.outbox) == sorted([f"{spellings[0]}.mp4", f"{spellings[1]}-2.mp4"])
    # What was published before a kill is found again, beside names like it.
    assert folders.publish(places.outbox, plans[0], folders.temp_mark(OURS))


def test_of_two_originals_planned_at_once_one_is_planned_again(places: Places, tmp_path: Path) -> None:
    across = make_places(str(tmp_path / "other"), inbox=places.inbox).archive
    for root in (places.archive, across):
        refs = [drop(places, name, name.encode()) for name in ("Talk.mp4", "talk.mp4")]
        targets = [folders.plan_moves(places, root, [ref.rel])[0].target for ref in refs]
        assert [move(places, ref, root, target) for ref, target in zip(refs, targets, strict=True)] == [
            "moved",
            "taken",
        ]
        assert names(places.inbox) == ["talk.mp4"]
        assert move(places, refs[1], root) == "moved"
        assert names(root) == ["Talk.mp4", "talk-2.mp4"]


def test_what_others_have_chosen_and_what_lies_there_already_keep_their_names(places: Places) -> None:
    for name in ("x.mp4", "x.txt", "logo.png"):
        drop(places, name)
    rels = ["x.mp4", "x.txt", "logo.png"]

    def planned(**known: Any) -> list[str]:
        return [os.path.basename(plan.target) for plan in folders.plan_moves(places, places.archive, rels, **known)]

    others = [os.path.join(places.archive, name) for name in ("X.mp4", "logo.png")]
    assert planned(planned=others) == ["x-2.mp4", "x-2.txt", "logo-2.png"]
    assert planned(planned=[os.path.join(places.rejects, "x.mp4")]) == rels
    moved = os.path.join(places.archive, "x.mp4")
    Path(moved).touch()
    Path(places.archive, "x.txt").touch()
    assert planned(kept={"x.mp4": moved}) == ["x.mp4", "x-2.txt", "logo.png"]


def test_equal_content_under_the_planned_name_is_no_copy_of_ours_at_the_first_try(places: Places) -> None:
    ref = drop(places, "x.mp4")
    target = os.path.join(places.archive, "x.mp4")
    Path(target).write_bytes(b"clip")
    assert folders.move_original(places.inbox, ref, places.archive, target, "job", is_first_try=True) == "taken"
    assert names(places.inbox) == ["x.mp4"]
    assert not folders.has_moved(places.inbox, ref, target)
    os.unlink(target)
    assert folders.move_original(places.inbox, ref, places.archive, target, "job", is_first_try=True) == "moved"
    assert folders.has_moved(places.inbox, ref, target)


def test_many_at_the_very_same_time_get_names_of_their_own(places: Places, tmp_path: Path) -> None:
    """Eight threads publish eight spellings of one name at once, each planning again as often as it must."""
    spellings = ["talk", "Talk", "tAlk", "taLk", "talK", "TALK", "TAlk", "taLK"]
    results = {spelling: result(tmp_path, spelling.encode()) for spelling in spellings}
    start = threading.Barrier(len(spellings))
    errors: list[BaseException] = []

    def deliver(spelling: str) -> None:
        try:
            source, digest = results[spelling]
            mark = folders.temp_mark(OURS)
            target = folders.plan_name(places.outbox, "Sub" if spelling < "a" else "sub", spelling, ".mp4")
            start.wait(30)
            while not folders.publish(places.outbox, Plan(source, target, digest), mark):
                target = folders.plan_name(places.outbox, "sub", spelling, ".mp4")
        except BaseException as error:  # noqa: BLE001  # it is looked at below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=deliver, args=(spelling,)) for spelling in spellings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    (folder,) = names(places.outbox)
    there = names(os.path.join(places.outbox, folder))
    assert len({key(name) for name in there}) == len(there) == len(spellings)
    assert sorted(read(os.path.join(places.outbox, folder, name)).decode() for name in there) == sorted(spellings)


# ---------------------------------------------------------------- sub-folders


@pytest.mark.parametrize(
    ("folder", "mirrored"),
    [
        ("CON/talks", "CON_/talks"),
        ("nul.old", "nul_.old"),
        ("talks.", "talks._"),
        ("talks /b", "talks _/b"),
        ("x" * 255, "x" * 255),
        ("y" * 254 + ".", "y" * 254),
    ],
)
def test_sub_folders_get_names_that_every_system_takes(places: Places, folder: str, mirrored: str) -> None:
    ref = drop(places, f"{folder}/clip.mp4")
    assert move(places, ref) == "moved"
    assert files_below(places.archive) == [f"{mirrored}/clip.mp4"]
    assert move(places, drop(places, f"{folder}/clip.mp4")) == "moved"
    assert files_below(places.archive) == [f"{mirrored}/clip-2.mp4", f"{mirrored}/clip.mp4"]


def test_sub_folders_that_only_case_tells_apart_are_mirrored_as_one(places: Places) -> None:
    for folder in ("Caf\u00e9", "CAFE\u0301", "caf\u00e9"):
        assert move(places, drop(places, f"{folder}/clip.mp4", folder.encode())) == "moved"
    assert files_below(places.archive) == [
        "Caf\u00e9/clip-2.mp4",
        "Caf\u00e9/clip-3.mp4",
        "Caf\u00e9/clip.mp4",
    ]


def test_a_file_with_the_name_of_a_sub_folder_is_no_obstacle(places: Places) -> None:
    Path(places.archive, "Sub").write_bytes(b"somebody's file")
    for _ in range(2):
        assert move(places, drop(places, "sub/clip.mp4")) == "moved"
    assert files_below(places.archive) == ["Sub", "sub-2/clip-2.mp4", "sub-2/clip.mp4"]


# ---------------------------------------------------------------- temporary names


def test_two_ledgers_never_touch_each_others_temporary_files(places: Places, tmp_path: Path) -> None:
    """Another daemon is half way through its copy for the same name: it loses nothing, and neither do we."""
    source, digest = result(tmp_path, b"ours")
    theirs = os.path.join(places.outbox, f"{folders.TEMP_PREFIX}{folders.temp_mark(THEIRS)}.tmp")
    Path(theirs).write_bytes(b"their ha")
    assert folders.publish(
        places.outbox, Plan(source, os.path.join(places.outbox, "talk.mp4"), digest), folders.temp_mark(OURS)
    )
    assert read(theirs) == b"their ha"
    assert folders.temp_mark(OURS) != folders.temp_mark(OURS)


def test_only_temporary_files_of_this_ledger_are_found(places: Places) -> None:
    mine, used = folders.temp_mark(OURS), folders.temp_mark(OURS)
    outside = os.path.join(places.inbox, f"{folders.TEMP_PREFIX}{mine}.tmp")
    Path(outside).touch()
    for rel in (
        f"a/b/{folders.TEMP_PREFIX}{mine}.tmp",
        f"{folders.TEMP_PREFIX}{used}.tmp",
        f"{folders.TEMP_PREFIX}{folders.temp_mark(THEIRS)}.tmp",
        f"a/{folders.TEMP_PREFIX}{mine}-0badcafe.tmp",  # a user's file on its way out of an inbox
        f"a/{folders.TEMP_PREFIX}check.tmp",
        "a/talk.mp4",
    ):
        Path(places.outbox, rel).parent.mkdir(parents=True, exist_ok=True)
        Path(places.outbox, rel).touch()
    os.symlink(places.inbox, os.path.join(places.outbox, "link"))
    found = folders.find_temps(places.outbox, OURS)
    assert found == {f"a/b/{folders.TEMP_PREFIX}{mine}.tmp": mine, f"{folders.TEMP_PREFIX}{used}.tmp": used}
    before = files_below(places.outbox)
    removed = folders.remove_temps(places.outbox, [f"a/b/{folders.TEMP_PREFIX}{mine}.tmp", "a/b/gone.tmp"])
    assert removed == [f"a/b/{folders.TEMP_PREFIX}{mine}.tmp"]
    assert files_below(places.outbox) == [rel for rel in before if rel not in removed]
    assert os.path.exists(outside)


# ---------------------------------------------------------------- what can be known of a file


def test_only_what_is_not_there_is_gone(places: Places) -> None:
    ref = drop(places, "sub/clip.mp4")
    assert folders.standing(places.inbox, ref) == "same"
    drop(places, "sub/clip.mp4", b"another version")
    assert folders.standing(places.inbox, ref) == "changed"
    assert folders.standing(places.inbox, ref_of(places, "sub/clip.mp4")) == "same"
    os.unlink(os.path.join(places.inbox, "sub", "clip.mp4"))
    assert folders.standing(places.inbox, ref) == "gone"
    os.rmdir(os.path.join(places.inbox, "sub"))
    assert folders.standing(places.inbox, ref) == "gone"
    Path(places.inbox, "sub").touch()
    assert folders.standing(places.inbox, ref) == "gone"


def test_an_inbox_that_cannot_be_asked_knows_nothing(places: Places) -> None:
    ref = drop(places, "clip.mp4")
    unanswerable = FileRef("x" * 300, FileStamp(1, 1, 1))
    with pytest.raises(FolderError) as caught:
        folders.is_unchanged(places.inbox, unanswerable)
    assert caught.value.code == "inbox_unavailable"
    os.rename(places.inbox, places.inbox + ".away")
    with pytest.raises(FolderError) as away:
        folders.is_unchanged(places.inbox, ref)
    assert away.value.code == "inbox_unavailable"
