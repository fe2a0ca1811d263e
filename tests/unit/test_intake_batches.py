"""A `project.toml` with clips: all of them in one drop, those that are wrong or missing too."""

from __future__ import annotations

import pytest

from nemo_watch.model import ANY_INODE, Drop, FileStamp, TomlFacts
from tests.unit.intake_world import World, world

BROKEN = TomlFacts(is_broken=True)


def batch(*names: str) -> TomlFacts:
    return TomlFacts(clips=names)


def parts(drop: Drop) -> dict[str, str]:
    return {part.clip.rel: part.refusal.code if part.refusal else "" for part in drop.parts}


def dropped(w: World) -> list[tuple[str, str, dict[str, str]]]:
    return [(drop.kind, drop.clip.rel, parts(drop)) for drop in w.drops]


def test_all_named_clips_come_in_one_drop_in_the_order_of_the_toml() -> None:
    w = world()
    for name in ("trip/a.mp4", "trip/b.mp4", "trip/day/c.mov", "trip/song.mp3"):
        w.put(name)
    w.put("trip/Project.TOML", facts=batch("day/c.mov", "./B.MP4", "song.mp3", "a.mp4"))
    w.run(40)
    wanted = {"trip/day/c.mov": "", "trip/b.mp4": "", "trip/song.mp3": "", "trip/a.mp4": ""}
    assert dropped(w) == [("batch", "trip/Project.TOML", wanted)]
    assert list(parts(w.drops[0])) == list(wanted)
    assert (w.drops[0].source, w.drops[0].sidecar, w.drops[0].refusal) == ("sidecar", None, None)
    assert w.reason("trip/a.mp4") == "taken"
    assert w.reason("trip/Project.TOML") == "settled"
    w.scan()
    w.run(2000)
    assert len(w.drops) == 1


def test_it_starts_when_the_last_one_is_whole() -> None:
    w = world()
    w.put("a.mp4")
    w.put("b.mp4", verdict="incomplete")
    w.put("other.mp4")
    w.put("other.txt")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(3000)
    assert w.dropped() == ["other.mp4"]
    assert (w.reason("a.mp4"), w.reason("project.toml")) == ("member", "batch")
    assert "b.mp4" in w.sentence("project.toml")
    assert "project.toml" in w.sentence("a.mp4")
    assert w.intake.idle()
    w.put("b.mp4")
    w.run(3)
    assert dropped(w)[1:] == [("batch", "project.toml", {"a.mp4": "", "b.mp4": ""})]


def test_a_missing_clip_is_told_after_ten_minutes_of_quiet() -> None:
    w = world()
    w.put("a.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4", "day/c.mp4"))
    w.run(590)
    assert w.reason("project.toml") == "missing"
    assert "b.mp4" in w.sentence("project.toml")
    assert w.intake.idle(), "a run that ends with its work does not wait so long"
    assert w.intake.waiting_count == 2
    w.put("day/c.mp4", size=4)
    w.run(590)
    assert not w.drops, "the folder was not quiet for ten minutes"
    w.run(20)
    assert dropped(w) == [("batch", "project.toml", {"a.mp4": "", "b.mp4": "asset_missing", "day/c.mp4": ""})]
    missing = w.drops[0].parts[1]
    assert missing.clip.stamp == FileStamp(ANY_INODE, 0, 0)
    assert missing.refusal is not None
    assert "project.toml names b.mp4, which is not there" in missing.refusal.message
    w.run(3000)
    w.scan()
    assert len(w.drops) == 1
    w.put("b.mp4")
    w.run(3)
    assert dropped(w)[1:] == [("batch", "project.toml", {"b.mp4": ""})]


def test_a_file_that_came_unseen_is_found_by_the_listing_before_it_is_missed() -> None:
    w = world()
    w.put("a.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(100)
    w.put("b.mp4", event=None)
    w.run(700)
    assert dropped(w) == [("batch", "project.toml", {"a.mp4": "", "b.mp4": ""})]


def test_what_is_wrong_with_a_clip_comes_with_its_part() -> None:
    w = world()
    w.put("a.mp4")
    w.put("b.mp4", verdict="not_media")
    w.put("c.mp4", size=0)
    w.put("d.pdf")
    w.put("e.m4v")
    w.put("f.mp4", kind="symlink")
    w.put("g.txt")
    w.put("h.mp4", kind="other")
    names = ("a.mp4", "b.mp4", "c.mp4", "d.pdf", "e.m4v", "f.mp4", "g.txt", "h.mp4")
    w.put("project.toml", facts=batch(*names))
    w.run(100)
    codes = ("", "not_media", "empty_file", "4001", "4001", "symlink", "4001", "not_media")
    assert dropped(w) == [("batch", "project.toml", dict(zip(names, codes, strict=True)))]
    w.scan()
    w.run(2000)
    assert len(w.drops) == 1


def test_subtitles_go_with_their_clip_and_sidecars_of_its_own_do_not_count() -> None:
    w = world()
    w.put("a.mp4")
    w.put("a.srt")
    w.put("a.txt")
    w.put("project.toml", facts=batch("a.mp4"))
    w.run(3)
    (part,) = w.drops[0].parts
    assert [ref.rel for ref in part.companions] == ["a.srt"]


@pytest.mark.parametrize("where", ["", "trip/"])
def test_while_it_is_being_read_no_clip_of_its_folder_or_below_goes(where: str) -> None:
    w = world()
    w.put(f"{where}project.toml", facts=batch("day/a.mp4"), writer="open")
    w.put(f"{where}day/a.mp4")
    w.put(f"{where}day/a.txt")
    w.run(50)
    assert not w.drops
    w.files[f"{where}project.toml"].writer = "none"
    w.run(60)
    assert dropped(w) == [("batch", f"{where}project.toml", {f"{where}day/a.mp4": ""})]


def test_what_the_ledger_knows_is_not_part_of_it_after_a_start() -> None:
    w = world()
    known = w.put("a.mp4", event=None)
    w.put("b.mp4", event=None)
    w.put("project.toml", event=None, facts=batch("a.mp4", "b.mp4", "gone.mp4"))
    w.intake.known("a.mp4", FileStamp(ANY_INODE, known.size_bytes, known.mtime_ns))
    w.intake.known("gone.mp4", FileStamp(ANY_INODE, 7, 7))
    w.scan()
    w.run(900)
    assert dropped(w) == [("batch", "project.toml", {"b.mp4": ""})]


def test_nothing_is_emitted_if_all_are_handled_or_went_as_their_jobs_ended() -> None:
    w = world()
    w.put("a.mp4")
    w.put("b.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(3)
    w.remove("a.mp4")
    w.scan()
    w.run(3000)
    assert len(w.drops) == 1
    assert not w.intake.serves("project.toml")


def test_a_part_that_is_released_comes_again_alone() -> None:
    w = world()
    w.put("a.mp4")
    w.put("b.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(3)
    w.intake.forget("b.mp4", w.now_s)
    w.run(30)
    assert dropped(w)[1:] == [("batch", "project.toml", {"b.mp4": ""})]


def test_a_drop_that_was_not_taken_comes_again_whole() -> None:
    w = world()
    w.take = False
    w.put("a.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(700)
    assert len(w.drops) == 1
    clip = w.drops[0].clip
    assert sorted(w.intake.withdrawn(clip.rel, clip.stamp)) == ["a.mp4", "b.mp4"]
    for rel in ("a.mp4", "b.mp4", "project.toml"):
        w.intake.forget(rel, w.now_s)
    w.run(700)
    assert dropped(w)[1:] == dropped(w)[:1]


def test_a_clip_that_changed_while_the_drop_was_handed_over_comes_again() -> None:
    w = world()
    w.take = False
    w.put("a.mp4")
    w.put("b.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(3)
    clip = w.drops[0].clip
    w.intake.forget("a.mp4", w.now_s)
    w.intake.taken(clip.rel, clip.stamp)
    w.take = True
    w.run(30)
    assert dropped(w)[1:] == [("batch", "project.toml", {"a.mp4": ""})]


def test_without_its_project_the_clips_are_ordinary_ones_again() -> None:
    w = world()
    w.put("a.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(60)
    w.remove("project.toml")
    w.run(60)
    assert dropped(w) == [("edit", "a.mp4", {})]


def test_a_project_that_names_others_lets_its_clips_go() -> None:
    w = world()
    w.put("a.mp4")
    w.put("a.txt")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(60)
    w.put("c.mp4")
    w.put("project.toml", facts=batch("c.mp4"))
    w.run(60)
    assert sorted(dropped(w), key=str) == [("batch", "project.toml", {"c.mp4": ""}), ("edit", "a.mp4", {})]


def test_names_that_lead_out_are_left_to_the_pipeline() -> None:
    w = world()
    w.put("film.mp4")
    w.put("film.txt")
    w.put("trip/a.mp4")
    w.put("trip/project.toml", facts=batch("../film.mp4", "/etc/passwd", "a.mp4"))
    w.put("out/project.toml", facts=batch("../film.mp4"))
    w.run(5)
    assert sorted(dropped(w), key=str) == [
        ("batch", "out/project.toml", {}),
        ("batch", "trip/project.toml", {"trip/a.mp4": ""}),
        ("edit", "film.mp4", {}),
    ]
    w.run(3000)
    assert len(w.drops) == 3


def test_one_that_cannot_be_read_takes_the_clips_beside_it_along_that_have_no_sidecar() -> None:
    w = world()
    w.put("trip/a.mp4")
    w.put("trip/a.txt")
    w.put("trip/b.mp4")
    w.put("trip/bad.mp4", verdict="not_media")
    w.put("trip/day/c.mp4")
    w.put("trip/day/c.txt")
    w.put("trip/cover.png")
    w.put("trip/project.toml", facts=BROKEN)
    w.run(20)
    assert sorted(w.dropped()) == ["trip/a.mp4", "trip/day/c.mp4"]
    assert (w.reason("trip/b.mp4"), w.reason("trip/project.toml")) == ("member", "broken")
    assert "refused in" in w.sentence("trip/project.toml")
    w.run(60)
    assert dropped(w)[2:] == [("batch", "trip/project.toml", {"trip/b.mp4": "", "trip/bad.mp4": "not_media"})]
    w.run(3000)
    assert len(w.drops) == 3


def test_one_that_cannot_be_read_waits_for_no_clip() -> None:
    w = world()
    w.put("trip/project.toml", facts=BROKEN)
    w.put("trip/b.mp4")
    for number in range(40):
        w.put("trip/growing.mp4", size=1000 + number)
        w.run(1)
    assert dropped(w) == [("batch", "trip/project.toml", {"trip/b.mp4": ""})]


def test_one_that_tells_some_of_its_clips_takes_those_and_the_ones_beside_it() -> None:
    w = world()
    w.put("trip/day/a.mp4")
    w.put("trip/b.mp4")
    w.put("trip/b.txt")
    w.put("trip/c.mp4")
    w.put("trip/project.toml", facts=TomlFacts(clips=("day/a.mp4", "gone.mp4"), is_broken=True))
    w.run(100)
    wanted = {"trip/day/a.mp4": "", "trip/c.mp4": ""}
    assert sorted(dropped(w), key=str) == [("batch", "trip/project.toml", wanted), ("edit", "trip/b.mp4", {})]


def test_of_two_files_that_differ_in_case_the_one_as_written_is_meant() -> None:
    w = world()
    w.put("trip/A.mp4")
    w.put("trip/project.toml", facts=batch("a.mp4", "b.mp4"))
    w.put("trip/a.mp4")
    w.run(60)
    assert dropped(w) == [("edit", "trip/A.mp4", {})]
    w.put("trip/b.mp4")
    w.run(60)
    w.remove("trip/a.mp4")
    w.run(700)
    assert dropped(w)[1:] == [("batch", "trip/project.toml", {"trip/a.mp4": "", "trip/b.mp4": ""})]


def test_if_none_is_spelled_as_written_the_first_by_name_is_meant() -> None:
    w = world()
    w.put("trip/A.mp4")
    w.put("trip/a.mp4")
    w.put("trip/project.toml", facts=batch("a.MP4", "b.mp4"))
    w.put("trip/b.mp4")
    w.run(60)
    parted = ("batch", "trip/project.toml", {"trip/A.mp4": "", "trip/b.mp4": ""})
    assert sorted(dropped(w), key=str) == [parted, ("edit", "trip/a.mp4", {})]


def test_a_file_of_nearly_the_same_name_is_meant_when_the_one_as_written_goes() -> None:
    w = world()
    w.put("A.mp4", verdict="incomplete")
    w.put("a.mp4")
    w.put("project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(60)
    w.remove("a.mp4")
    w.put("b.mp4")
    w.put("A.mp4")
    w.run(60)
    assert dropped(w) == [("batch", "project.toml", {"A.mp4": "", "b.mp4": ""})]


def test_a_text_that_goes_takes_nothing_from_a_batch_around_it() -> None:
    w = world()
    w.put("trip/day/a.mp4")
    w.put("trip/day/project.toml", facts=TomlFacts())
    w.put("trip/project.toml", facts=batch("day/a.mp4"))
    w.run(5)
    w.remove("trip/day/a.mp4")
    w.remove("trip/day/project.toml")
    w.put("trip/project.toml", facts=batch("day/a.mp4"))
    w.run(900)
    assert dropped(w) == [("batch", "trip/project.toml", {"trip/day/a.mp4": ""})]


def test_what_a_nearer_project_named_is_not_missed_by_the_one_around_it() -> None:
    w = world()
    w.put("trip/day/a.mp4")
    w.put("trip/b.mp4")
    w.put("trip/project.toml", facts=batch("day/a.mp4", "b.mp4"))
    w.put("trip/day/project.toml", facts=batch("a.mp4"))
    w.run(5)
    w.remove("trip/day/a.mp4")
    w.remove("trip/day/project.toml")
    w.run(900)
    wanted = [
        ("batch", "trip/day/project.toml", {"trip/day/a.mp4": ""}),
        ("batch", "trip/project.toml", {"trip/b.mp4": ""}),
    ]
    assert sorted(dropped(w), key=str) == wanted


def test_a_broken_one_without_clips_comes_once() -> None:
    w = world()
    w.put("trip/project.toml", facts=BROKEN)
    w.run(3000)
    w.scan()
    w.run(3000)
    assert dropped(w) == [("batch", "trip/project.toml", {})]


def test_a_project_without_clips_is_an_ordinary_sidecar_or_a_url() -> None:
    w = world()
    w.put("project.mp4")
    w.put("project.toml")
    w.put("a/project.toml", facts=TomlFacts(is_url=True))
    w.run(3)
    assert sorted((drop.kind, drop.clip.rel) for drop in w.drops) == [
        ("edit", "project.mp4"),
        ("url", "a/project.toml"),
    ]
    stamp = w.put("b/project.toml", event=None, facts=TomlFacts(is_url=True))
    w.intake.known("b/project.toml", FileStamp(ANY_INODE, stamp.size_bytes, stamp.mtime_ns))
    w.scan()
    w.run(100)
    assert len(w.drops) == 2


def test_what_is_expected_and_waits() -> None:
    w = world()
    w.put("a.mp4")
    w.put("cover.png")
    w.put("project.toml", facts=batch("a.mp4", "cover.png", "b.mp4"))
    w.run(10)
    assert w.intake.expected() == {"a.mp4", "cover.png"}
    assert {wait.rel: wait.reason for wait in w.intake.waiting(w.now_s)} == {
        "a.mp4": "member",
        "cover.png": "member",
        "project.toml": "missing",
    }
    assert w.intake.waiting_count == 3
    assert w.intake.serves("project.toml", but="a.mp4")
    sidecar = w.intake.sidecar_of("a.mp4")
    assert sidecar is not None
    assert sidecar.rel == "project.toml"


def test_one_that_cannot_be_read_for_a_moment_is_asked_again() -> None:
    w = world()
    w.put("trip/project.toml", facts=batch("a.mp4"))
    w.files["trip/project.toml"].readable = False
    w.put("trip/a.mp4")
    w.put("trip/a.txt")
    w.run(20)
    assert not w.drops
    assert w.reason("trip/a.mp4") in ("reading", "settling")
    w.files["trip/project.toml"].readable = True
    w.run(10)
    assert dropped(w) == [("batch", "trip/project.toml", {"trip/a.mp4": ""})]


def test_one_that_a_lease_holds_is_waited_for_longer() -> None:
    w = world()
    w.put("trip/project.toml", facts=batch("a.mp4"), writer="open")
    w.files["trip/project.toml"].readable = False
    w.put("trip/a.mp4")
    w.run(50)
    assert not w.drops
    w.files["trip/project.toml"].readable, w.files["trip/project.toml"].writer = True, "none"
    w.run(10)
    assert dropped(w) == [("batch", "trip/project.toml", {"trip/a.mp4": ""})]


def test_one_that_can_never_be_read_is_refused_with_its_clips() -> None:
    w = world()
    w.put("trip/project.toml", facts=batch("a.mp4"))
    w.files["trip/project.toml"].readable = False
    w.put("trip/a.mp4")
    w.put("clip.toml", facts=TomlFacts(("logo.mp4",)))
    w.files["clip.toml"].readable = False
    w.put("clip.mp4")
    w.run(25)
    assert not w.drops
    w.run(100)
    wanted = [("batch", "trip/project.toml", {"trip/a.mp4": ""}), ("edit", "clip.mp4", {})]
    assert sorted(dropped(w), key=str) == wanted


def test_what_is_said_of_a_project_whose_clips_are_jobs() -> None:
    w = world()
    w.put("trip/a.mp4")
    w.put("trip/project.toml", facts=batch("a.mp4"))
    w.run(5)
    assert w.sentence("trip/project.toml") == "it is a batch, and its clips are jobs"
    w.put("trip/project.toml", facts=batch("a.mp4"))
    w.run(50)
    changed = "it changed after its clips became jobs: what is still to be changed is written into CLIP.refine.txt"
    assert w.sentence("trip/project.toml") == changed
    w.put("late/a.mp4")
    w.put("late/a.txt")
    w.run(5)
    w.put("late/project.toml", facts=batch("a.mp4"))
    w.run(50)
    assert w.sentence("late/project.toml") == changed
    assert len(w.drops) == 2


def test_a_project_whose_clips_belong_to_nearer_ones_says_so() -> None:
    w = world()
    w.put("trip/project.toml", facts=batch("day/a.mp4"))
    w.put("trip/day/project.toml", facts=batch("a.mp4", "b.mp4"))
    w.put("trip/day/a.mp4")
    w.run(50)
    assert w.sentence("trip/project.toml") == "its clips belong to trip/day/project.toml"


def test_a_sidecar_of_a_clip_that_a_batch_names_is_not_used() -> None:
    w = world()
    w.put("trip/a.mp4")
    w.put("trip/a.txt")
    w.put("trip/c.txt")
    w.put("trip/c.mp4", verdict="incomplete")
    w.put("trip/project.toml", facts=batch("a.mp4", "b.mp4"))
    w.run(50)
    said = "trip/project.toml says what is done with a.mp4; this text is not used"
    assert w.sentence("trip/a.txt") == said
    assert w.sentence("trip/c.txt") == "it serves the clips of its name"
    w.put("trip/b.mp4")
    w.run(5)
    assert w.sentence("trip/a.txt") == said
