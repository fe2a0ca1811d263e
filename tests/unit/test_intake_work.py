"""Texts that give work by themselves: when they become drops, and what they wait for."""

from __future__ import annotations

import pytest

from nemo_watch.intake import Intake
from nemo_watch.model import ANY_INODE, FileStamp, TomlFacts
from tests.unit.intake_world import World, world

KINDS = {
    "credits.ask.txt": "ask",
    "clip.refine.txt": "refine",
    "clip.mp4.refine.toml": "refine",
    "cat.prompt.txt": "generate",
}


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_a_text_that_stands_still_is_a_drop_of_its_kind_once(name: str, kind: str) -> None:
    w = world(has_instruction=False)
    stamp = w.put(f"deep/{name}")
    w.run(1.9)
    assert not w.drops
    w.run(0.2)
    (drop,) = w.drops
    assert (drop.kind, drop.clip.rel, drop.clip.stamp, drop.source) == (kind, f"deep/{name}", stamp, "sidecar")
    assert (drop.sidecar, drop.companions, drop.parts, drop.refusal) == (None, (), (), None)
    assert w.reason(f"deep/{name}") == "taken"
    w.scan()
    w.run(900)
    assert len(w.drops) == 1
    w.put(f"deep/{name}")
    w.run(3)
    assert len(w.drops) == 2


@pytest.mark.parametrize("name", KINDS)
def test_what_the_ledger_knows_is_no_drop_until_it_changes(name: str) -> None:
    w = world()
    stamp = w.put(name, event=None)
    w.intake.known(name, FileStamp(ANY_INODE, stamp.size_bytes, stamp.mtime_ns))
    w.scan()
    w.run(100)
    assert not w.drops
    w.intake.forget(name, w.now_s)
    w.run(3)
    assert w.dropped() == [name]


def test_a_text_that_is_open_for_writing_is_waited_for() -> None:
    w = world()
    w.put("cat.prompt.txt", writer="open")
    w.run(50)
    assert w.reason("cat.prompt.txt") == "writer"
    assert w.intake.waiting_count == 1
    w.files["cat.prompt.txt"].writer = "none"
    w.see("cat.prompt.txt", "closed")
    w.run(3)
    assert w.dropped() == ["cat.prompt.txt"]


def test_a_control_file_holds_a_text_too() -> None:
    w = world()
    w.put("cat.prompt.txt")
    w.put("cat.prompt.txt.part", event="created")
    w.run(100)
    assert w.reason("cat.prompt.txt") == "control"
    w.remove("cat.prompt.txt.part")
    w.run(1)
    assert w.dropped() == ["cat.prompt.txt"]


@pytest.mark.parametrize("name", KINDS)
def test_an_empty_text_is_refused_after_its_grace(name: str) -> None:
    w = world()
    w.put(name, size=0)
    w.run(59)
    assert not w.drops
    assert "it is empty" in w.sentence(name)
    assert "it is refused in 1.0 s unless it changes" in w.sentence(name)
    w.run(2)
    refusal = w.drops[0].refusal
    assert refusal is not None
    assert refusal.code == "sidecar_invalid"
    assert "is empty" in refusal.message
    assert "for example" in refusal.action


def test_a_link_is_refused_as_a_clip_would_be() -> None:
    w = world()
    w.put("cat.prompt.txt", kind="symlink")
    w.run(11)
    assert not w.drops
    assert w.reason("cat.prompt.txt") == "grace"
    w.run(2)
    refusal = w.drops[0].refusal
    assert refusal is not None
    assert refusal.code == "symlink"


@pytest.mark.parametrize("name", ["clip.refine.txt", "clip.mp4.refine.txt", "CLIP.refine.toml"])
def test_a_refinement_waits_while_its_clip_is_not_a_job_yet(name: str) -> None:
    w = world()
    w.put("clip.mp4", verdict="incomplete")
    w.put("other.mp4", verdict="incomplete")
    w.put(name)
    w.run(100)
    assert not w.drops
    assert w.reason(name) == "clip"
    assert "clip.mp4" in w.sentence(name)
    w.put("clip.mp4")
    w.run(40)
    assert w.dropped() == ["clip.mp4", name]


@pytest.mark.parametrize("then", ["gone", "named", "known"])
def test_a_refinement_goes_on_when_its_clip_is_gone_ignored_or_known(then: str) -> None:
    w = world()
    stamp = w.put("clip.mp4", verdict="incomplete")
    w.put("clip.refine.txt")
    w.run(100)
    assert not w.drops
    if then == "gone":
        w.remove("clip.mp4")
    elif then == "named":
        w.put("film.toml", assets=("clip.mp4",))
    else:
        w.intake.known("clip.mp4", stamp)
    w.run(3)
    assert w.dropped() == ["clip.refine.txt"]


def test_a_refinement_of_another_name_does_not_wait() -> None:
    w = world()
    w.put("clip.mp4", verdict="incomplete")
    w.put("clip.pdf")
    w.put("clip.mov.refine.txt")
    w.put("clip2.refine.txt")
    w.run(3)
    assert sorted(w.dropped()) == ["clip.mov.refine.txt", "clip2.refine.txt"]


def test_such_a_text_is_never_the_sidecar_of_a_clip() -> None:
    w = world()
    for name in ("clip.refine.mp4", "clip.ask.mp4", "clip.prompt.mp4"):
        w.put(name)
        w.put(f"{name[:-4]}.txt")
    w.run(60)
    assert {drop.clip.rel: drop.source for drop in w.drops if drop.kind == "edit"} == {
        "clip.refine.mp4": "inbox",
        "clip.ask.mp4": "inbox",
        "clip.prompt.mp4": "inbox",
    }
    assert w.intake.sidecar_of("clip.ask.txt") is None
    assert not w.intake.serves("clip.ask.txt")


def test_the_assets_of_a_refinement_are_no_drops() -> None:
    w = world()
    w.put("new.mp4")
    w.put("clip.refine.toml", assets=("new.mp4",))
    w.run(100)
    assert w.dropped() == ["clip.refine.toml"]
    assert w.reason("new.mp4") == "asset"


def test_what_costs_is_expected_and_a_question_is_not() -> None:
    w = world()
    for name in KINDS:
        w.put(name)
    intake: Intake = w.intake
    assert intake.expected() == {name for name, kind in KINDS.items() if kind != "ask"}
    assert intake.waiting_count == len(KINDS)


# ---------------------------------------------------------------- URLs

URL = TomlFacts(is_url=True)


def test_a_toml_with_a_url_is_a_drop_once() -> None:
    w = world(has_instruction=False)
    stamp = w.put("a/film.toml", facts=URL)
    w.run(3)
    (drop,) = w.drops
    assert (drop.kind, drop.clip.rel, drop.clip.stamp, drop.sidecar) == ("url", "a/film.toml", stamp, None)
    assert w.reason("a/film.toml") == "taken"
    w.scan()
    w.run(900)
    assert len(w.drops) == 1
    w.intake.forget("a/film.toml", w.now_s)
    w.run(3)
    assert len(w.drops) == 2


def test_what_was_a_url_may_become_a_sidecar_and_the_reverse() -> None:
    w = world(has_instruction=False)
    w.put("film.toml")
    w.run(3)
    assert w.reason("film.toml") == "settled"
    w.put("film.toml", facts=URL)
    w.run(3)
    assert w.dropped() == ["film.toml"]
    w.put("film.toml")
    w.run(3)
    assert w.reason("film.toml") == "settled"
    w.put("film.mp4")
    w.run(3)
    assert w.dropped() == ["film.toml", "film.mp4"]
    assert w.drops[1].sidecar is not None


@pytest.mark.parametrize("name", ["film.mp4", "film.png", "film"])
def test_beside_a_clip_of_its_name_it_is_that_clips_sidecar(name: str) -> None:
    w = world()
    w.put(name)
    w.put("film.toml", facts=URL)
    w.run(100)
    assert [(drop.kind, drop.clip.rel) for drop in w.drops] == [("edit", name)]
    assert w.drops[0].sidecar is not None
    assert w.reason("film.toml") == "settled"
    w.remove(name)
    w.run(1)
    assert [(drop.kind, drop.clip.rel) for drop in w.drops] == [("edit", name), ("url", "film.toml")]


def test_another_files_better_sidecar_leaves_the_url_alone() -> None:
    w = world()
    w.put("film.mp4")
    w.put("film.mp4.toml")
    w.put("film.toml", facts=URL)
    w.run(5)
    assert sorted((drop.kind, drop.clip.rel) for drop in w.drops) == [("edit", "film.mp4"), ("url", "film.toml")]


def test_a_default_and_a_link_are_never_urls() -> None:
    w = world()
    w.put("_default.toml", facts=URL)
    w.put("film.toml", facts=URL)
    w.take = False
    w.run(3)
    assert w.dropped() == ["film.toml"]
    w.put("film.toml", kind="symlink", facts=URL)
    w.run(100)
    assert w.dropped() == ["film.toml"]


def test_a_url_that_the_ledger_knows_is_no_drop_after_a_start() -> None:
    w = world()
    stamp = w.put("film.toml", event=None, facts=URL)
    w.intake.known("film.toml", FileStamp(ANY_INODE, stamp.size_bytes, stamp.mtime_ns))
    w.scan()
    w.run(100)
    assert not w.drops
    assert not w.intake.expected()


def test_a_url_costs_and_is_waited_for_only_when_it_is_one() -> None:
    w = world()
    w.take = False
    w.put("film.toml", facts=URL)
    w.put("other.toml")
    assert w.intake.reads_sidecars
    assert (w.intake.expected(), w.intake.waiting_count) == (frozenset(), 0)
    w.run(3)
    assert (w.intake.expected(), w.intake.waiting_count) == (frozenset({"film.toml"}), 1)
    w.remove("film.toml")
    assert (w.intake.expected(), w.intake.waiting_count) == (frozenset(), 0)


# ---------------------------------------------------------------- subtitles


def companions(w: World, rel: str) -> list[str]:
    return [ref.rel for drop in w.drops if drop.clip.rel == rel for ref in drop.companions]


def test_subtitles_with_a_language_go_with_their_clip() -> None:
    w = world()
    w.put("Clip.mp4")
    w.put("clip.txt")
    for name in ("clip.zh-CN.srt", "Clip.en.VTT", "clip.pt_BR.srt", "clip.srt", "clip.part one.srt", "clip.2.srt"):
        w.put(name)
    w.run(5)
    assert companions(w, "Clip.mp4") == ["clip.srt", "Clip.en.VTT", "clip.pt_BR.srt", "clip.zh-CN.srt"]


def test_one_with_the_whole_stem_of_another_clip_belongs_to_that_one() -> None:
    w = world()
    for name in ("clip.mp4", "clip.txt", "clip.en.mov", "clip.en.txt", "clip.en.srt", "clip.de.srt", "clip.de.pdf"):
        w.put(name)
    w.run(5)
    assert companions(w, "clip.en.mov") == ["clip.en.srt"]
    assert companions(w, "clip.mp4") == ["clip.de.srt"]


def test_a_subtitle_with_a_language_is_waited_for_and_may_go() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    w.put("clip.en.srt", writer="open")
    w.run(20)
    assert (w.reason("clip.mp4"), w.intake.serves("clip.en.srt")) == ("sidecar", True)
    w.remove("clip.en.srt")
    w.run(1)
    assert w.dropped() == ["clip.mp4"]
    assert not companions(w, "clip.mp4")
