"""What a person is told: what to do with a file that is not taken, and why a file waits. Pure."""

from __future__ import annotations

import pytest

from nemo_watch.intake import words
from nemo_watch.model import FileKind
from tests.unit.intake_world import World, world


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("photo.HEIC", "jpg, png or webp"),
        ("scan.tiff", "jpg, png or webp"),
        ("song.flac", "mp3, wav, m4a or aac"),
        ("memo.opus", "mp3, wav, m4a or aac"),
        ("tape.m4v", "mp4, mov, avi, webm or mkv"),
        ("tape.wmv", "mp4, mov, avi, webm or mkv"),
    ],
)
def test_media_is_to_be_converted_to_a_type_of_its_own_kind(name: str, target: str) -> None:
    failure = words.foreign_type(name)
    assert failure.code == "4001"
    assert failure.action == f"Convert it to {target} and drop the new file together with its sidecar."


@pytest.mark.parametrize("name", ["slides.pdf", "table.xlsx", "README"])
def test_of_what_is_no_media_it_is_said_that_only_media_can_be_edited(name: str) -> None:
    failure = words.foreign_type(name)
    assert failure.code == "4001"
    assert failure.action.startswith("Only media can be edited: video (mp4")
    assert "Convert" not in failure.action


def _of(rel: str, after_s: float, *, polled: bool = False, **put: object) -> str:
    w = world(has_instruction=False, polled=polled)
    w.put(rel, **put)  # type: ignore[arg-type]  # a row of keyword arguments
    w.run(after_s)
    return w.sentence(rel)


@pytest.mark.parametrize(
    ("sentence", "rule", "since", "following"),
    [
        (_of("a.mp4", 1.2), "settling: unchanged for 1.2 s of 2.0 s;", "1.2 s", "next look in 0.8 s"),
        (_of("a.mp4", 1.2, event="created"), "of 10 s, as nobody was seen to close it", "1.2 s", "next look in 8.8 s"),
        (_of("a.mp4", 5, polled=True), "of 30 s, as only looking tells of changes here", "5.0 s", "next look in 25 s"),
        (_of("a.mp4", 5, writer="unknown"), "of 10 s, as it belongs to somebody else", "5.0 s", "next look in 5.0 s"),
        (_of("a.mp4", 5, writer="open"), "waited for 60 s at most", "unchanged for 5.0 s", "next look in 3.0 s"),
        (_of("a.mp4", 90, verdict="unchecked", writer="open"), "nothing in it proves", "90 s", "next look in 30 s"),
        (_of("a.mp4", 5, verdict="placeholder"), "not on this disk yet", "unchanged for 5.0 s", "next look in 7.0 s"),
        (_of("a.mp4", 5, verdict="incomplete"), "it is not whole", "unchanged for 5.0 s", "when it changes"),
        (_of("a.mp4", 7200, verdict="incomplete"), "parked", "unchanged for 2 h", "when it changes"),
        (_of("a.mp4", 5, verdict="not_media"), "neither video", "unchanged for 5.0 s", "refused in 7.0 s"),
        (_of("a.mp4", 5, kind="symlink"), "links are never followed", "unchanged for 5.0 s", "refused in 7.0 s"),
        (_of("a.mp4", 20, size=0), "it is empty", "unchanged for 20 s", "refused in 40 s"),
        (_of("a.mp4", 5), "waits 30 s for a sidecar", "unchanged for 5.0 s", "next look in 27 s"),
        (_of("a.mp4", 90), "nothing says what to do with it", "unchanged for 90 s", "next look when one comes"),
        (_of("a.txt", 1), "settling: unchanged for 1.0 s of 2.0 s;", "1.0 s", "next look in 1.0 s"),
        (_of("a.txt", 9, size=0), "of 60 s, as it is empty", "9.0 s", "next look in 51 s"),
    ],
)
def test_a_wait_names_its_rule_its_age_and_the_next_look(sentence: str, rule: str, since: str, following: str) -> None:
    assert rule in sentence
    assert since in sentence
    assert sentence.count(";") == 1
    assert following in sentence.partition(";")[2]


def _beside(*others: str, kind: FileKind = "file") -> World:
    w = world(has_instruction=False)
    w.put("sub/a.mp4")
    w.run(20)
    for other in others:
        w.put(other, event="created", kind=kind)
    w.step()
    return w


@pytest.mark.parametrize(
    ("other", "rule", "following"),
    [
        ("sub/a.mp4.part", "a.mp4.part beside it says", "when that file goes"),
        ("sub/a.txt", "its sidecar a.txt is settling", "when that file stands still"),
    ],
)
def test_a_wait_for_another_file_names_it(other: str, rule: str, following: str) -> None:
    sentence = _beside(other).sentence("sub/a.mp4")
    assert rule in sentence
    assert "unchanged for 20 s" in sentence
    assert following in sentence.partition(";")[2]


def test_a_wait_for_a_quiet_folder_names_it() -> None:
    w = _beside("sub/b.mp4")
    w.run(15)
    sentence = w.sentence("sub/a.mp4")
    assert "its folder sub/ is still being filled: 30 s of quiet are waited for, unchanged for 35 s" in sentence
    assert sentence.endswith("; next look in 15 s")
