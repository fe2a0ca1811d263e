"""The play of what a daemon would do: one file is found out without opening the others, and to the same end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nemo_watch import media
from nemo_watch.intake import InboxRules, Intake
from nemo_watch.sidecar import facts
from nemo_watch.watcher.rehearsal import Rehearsal, rehearse
from tests.integration.watching import mp4

ASKED = ["shorts/clip.mp4", "shorts/intro.mp4", "shorts/outro.mp4", "shorts/clip.txt", "shorts/part.mp4", "alone.mp4"]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Lay out who has a say in what: texts of the name, defaults above, sidecars elsewhere, control files."""
    root = tmp_path / "inbox"
    for folder in ("shorts", "long/deep"):
        (root / folder).mkdir(parents=True)
    for number in range(20):
        for folder in ("", "shorts", "long/deep"):
            (root / folder / f"other{number}.mp4").write_bytes(mp4())
            (root / folder / f"other{number}.txt").write_text("cut")
    for rel in ("shorts/clip.mp4", "shorts/intro.mp4", "shorts/outro.mp4", "shorts/part.mp4", "alone.mp4"):
        (root / rel).write_bytes(mp4())
    (root / "shorts" / "clip.txt").write_text("cut the pauses")
    (root / "shorts" / "part.mp4.part").write_bytes(b"")
    (root / "_default.txt").write_text("make it vertical")
    (root / "shorts" / "other1.toml").write_text('prompt = "cut"\nassets = ["intro.mp4"]\n')
    (root / "film.toml").write_text('prompt = "cut"\nassets = ["shorts/outro.mp4"]\n')
    return root


def play(root: Path, about: str = "") -> tuple[Rehearsal, set[str]]:
    opened: set[str] = set()

    def sniff(fd: int, size_bytes: int, name: str) -> media.Sniffed:
        opened.add(os.path.relpath(os.readlink(f"/proc/self/fd/{fd}"), root))
        return media.sniff(fd, size_bytes, name)

    intake = Intake(InboxRules("videos"))
    return rehearse(str(root), intake, sniff=sniff, facts_of=facts, about=about), opened


def outcome(seen: Rehearsal, rel: str) -> object:
    drop = seen.drops.get(rel)
    if drop is not None:
        return (drop.source, drop.sidecar, drop.refusal, seen.after_s[rel])
    return seen.waits[rel].reason


@pytest.mark.parametrize("rel", ASKED)
def test_one_file_comes_to_the_same_end_alone_as_with_all_others(inbox: Path, rel: str) -> None:
    everything, opened = play(inbox)
    assert len(opened) > 60
    alone, opened = play(inbox, rel)
    assert outcome(alone, rel) == outcome(everything, rel)
    assert opened <= {rel, "shorts/clip.mp4"}
    assert [ref.rel for ref in alone.files] == [rel]
    assert alone.expected & {rel} == everything.expected & {rel}


def test_the_ends_are_what_the_layout_says(inbox: Path) -> None:
    seen, _opened = play(inbox)
    assert seen.waits["shorts/intro.mp4"].reason == seen.waits["shorts/outro.mp4"].reason == "asset"
    assert seen.waits["shorts/part.mp4"].reason == "control"
    assert seen.after_s["shorts/clip.mp4"] == 10.0
    assert seen.after_s["alone.mp4"] == 40.0
    assert seen.drops["alone.mp4"].source == "default"
    assert not {"shorts/intro.mp4", "shorts/outro.mp4"} & seen.expected
    assert "shorts/clip.mp4" in seen.expected


def test_a_folder_comes_to_the_same_end_alone(inbox: Path) -> None:
    everything, _opened = play(inbox)
    alone, opened = play(inbox, "shorts")
    assert {ref.rel for ref in alone.files} == {ref.rel for ref in everything.files if ref.rel.startswith("shorts/")}
    assert all(outcome(alone, ref.rel) == outcome(everything, ref.rel) for ref in alone.files)
    assert all(rel.startswith("shorts/") for rel in opened)


def test_a_file_that_is_not_there_cannot_be_played(inbox: Path) -> None:
    with pytest.raises(FileNotFoundError):
        play(inbox, "shorts/gone.mp4")
