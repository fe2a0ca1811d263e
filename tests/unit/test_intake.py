"""When a file becomes a drop, with which instruction, and why not yet."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest

from nemo_watch.intake import Inspection, SettleRules, Verdict, settle_rules
from nemo_watch.model import FileKind, FileStamp
from tests.unit.intake_world import World, world


def test_a_closed_clip_with_its_sidecar_goes_after_two_seconds() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    w.run(1.9)
    assert not w.drops
    assert w.reason("clip.mp4") == "settling"
    w.run(0.2)
    (drop,) = w.drops
    assert (drop.source, drop.refusal) == ("sidecar", None)
    assert drop.sidecar is not None
    assert drop.sidecar.rel == "clip.txt"
    assert w.reason("clip.mp4") == "taken"


def test_without_a_closing_event_ten_seconds() -> None:
    w = world()
    w.put("clip.mp4", event="created")
    w.put("clip.txt")
    w.run(9.9)
    assert not w.drops
    assert "nobody was seen to close it" in w.sentence("clip.mp4")
    w.run(0.2)
    assert w.dropped() == ["clip.mp4"]


def test_a_start_up_backlog_is_settled_too() -> None:
    w = world()
    w.put("clip.mp4", event=None)
    w.put("clip.txt", event=None)
    w.scan()
    w.run(9.9)
    assert not w.drops
    w.run(0.2)
    assert w.dropped() == ["clip.mp4"]


def test_polled_folders_need_thirty_seconds_and_three_looks() -> None:
    w = world(polled=True)
    w.put("clip.mp4", event=None)
    w.put("clip.txt", event=None)
    w.scan()
    w.run(40)
    assert not w.drops
    w.scan()
    w.run(0)
    assert not w.drops
    w.scan()
    w.run(0)
    assert w.dropped() == ["clip.mp4"]


def test_sidecars_of_polled_folders_need_two_seconds_and_two_looks() -> None:
    w = world(polled=True)
    w.put("clip.txt", event=None)
    w.scan()
    w.run(1.9)
    assert w.reason("clip.txt") == "settling"
    w.run(0.2)  # the second look was asked for
    assert w.reason("clip.txt") == "settled"
    exact = world(polled=True, settle=settle_rules(settle_s=0.0, literal=True))
    exact.put("clip.txt", event=None)
    exact.scan()
    decision = exact.intake.decide(exact.now_s)
    assert decision.look == ("clip.txt",)
    assert exact.reason("clip.txt") == "settling"


def test_every_change_starts_the_window_again_and_a_lost_event_is_no_proof() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4")
    w.run(1.5)
    w.put("clip.mp4", event=None)  # changed, nobody told us: the look at the end of the window sees it
    w.run(9)
    assert not w.drops
    w.run(4)
    assert w.dropped() == ["clip.mp4"]
    assert w.drops[0].clip.stamp == w.files["clip.mp4"].stamp


def test_a_change_between_window_and_inspection_starts_again() -> None:
    w = world()
    w.put("clip.mp4")
    w.now_s += 2
    asked = w.intake.decide(w.now_s)
    assert asked.look == ("clip.mp4",)
    w.see("clip.mp4", "scanned")
    (ref,) = w.intake.decide(w.now_s).inspect
    new = w.put("clip.mp4", event=None)
    w.intake.inspected("clip.mp4", ref.stamp, Inspection("changed"), w.now_s)
    w.see("clip.mp4", "closed")
    w.put("clip.txt")
    w.run(3)
    assert [drop.clip.stamp for drop in w.drops] == [new]


@pytest.mark.parametrize(
    "control", ["clip.mp4.aria2", "clip.mp4.part", "clip.ab3.mp4.part", "clip.mp4.0123abcd.partial"]
)
def test_a_control_file_holds_the_clip(control: str) -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    w.put(control, event="created")
    w.run(600)
    assert not w.drops
    assert w.reason("clip.mp4") == "control"
    assert control in w.sentence("clip.mp4")
    assert w.intake.idle()
    w.remove(control)
    w.run(0.1)
    assert w.dropped() == ["clip.mp4"]


def test_firefox_placeholder_is_not_refused_as_empty() -> None:
    w = world()
    w.put("clip.mp4", size=0)
    w.put("clip.Xy1.mp4.part", event="created")
    w.run(900)
    assert not w.drops
    w.put("clip.mp4", event="moved")
    w.remove("clip.Xy1.mp4.part")
    w.put("clip.txt")
    w.run(3)
    assert [drop.refusal for drop in w.drops] == [None]


# ---------------------------------------------------------------- who still has it open


def test_a_writer_is_waited_for_and_the_looks_grow_rarer() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", writer="open")
    w.run(50)
    assert not w.drops
    assert w.reason("clip.mp4") == "writer"
    assert "somebody still has it open for writing" in w.sentence("clip.mp4")
    assert not w.intake.idle()
    gaps = [later - earlier for earlier, later in pairwise(w.inspection_times)]
    assert gaps[:3] == [2, 4, 8]
    assert max(gaps) == 10
    w.files["clip.mp4"].writer = "none"
    w.run(8)
    assert w.dropped() == ["clip.mp4"]


def test_a_writer_that_closes_without_writing_more_is_noticed_at_once() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", event="created", writer="open")
    w.run(30)
    w.files["clip.mp4"].writer = "none"
    w.see("clip.mp4", "closed")
    w.run(0.1)
    assert w.dropped() == ["clip.mp4"]


@pytest.mark.parametrize("verdict", ["whole", "unread"])
def test_after_a_minute_a_whole_container_is_taken_though_it_is_open(verdict: Verdict) -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", verdict=verdict, writer="open")
    w.run(59.9)
    assert not w.drops
    assert not w.ends
    w.run(0.2)
    assert w.dropped() == ["clip.mp4"]
    assert len(w.ends) == (verdict == "unread")
    assert w.inspection_times[-1] == w.drop_times[0], "what is believed then was seen then"


def test_what_cannot_be_proved_whole_waits_for_its_writer_without_end() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.avi", verdict="unread", writer="open")
    w.files["clip.avi"].at_end = "unchecked"
    w.run(3000)
    assert not w.drops
    assert w.reason("clip.avi") == "kept_open"
    assert "nothing in it proves" in w.sentence("clip.avi")
    assert w.intake.idle()
    assert w.ends == ["clip.avi"], "it is read to its end once, not at every look"
    w.files["clip.avi"].writer = "none"
    w.run(61)
    assert w.dropped() == ["clip.avi"]
    assert w.ends == ["clip.avi"] * 2


def test_an_open_file_that_is_not_whole_is_parked_after_a_minute() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", verdict="incomplete", writer="open")
    w.run(59)
    assert w.reason("clip.mp4") == "writer"
    w.run(3000)
    assert (w.reason("clip.mp4"), w.drops) == ("incomplete", [])
    assert w.intake.idle()


def test_every_change_begins_the_minute_again() -> None:
    w = world()
    w.put("clip.txt")
    for _ in range(5):
        w.put("clip.mp4", event="created", writer="open")
        w.run(50)
    assert not w.drops


@pytest.mark.parametrize("verdict", ["whole", "unread"])
def test_who_cannot_be_asked_is_given_the_long_window(verdict: Verdict) -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", verdict=verdict, writer="unknown")
    w.run(9.9)
    assert not w.drops
    assert "cannot be asked" in w.sentence("clip.mp4")
    w.run(0.2)
    assert w.dropped() == ["clip.mp4"]
    assert len(w.ends) == (verdict == "unread")


def test_where_leases_are_not_trusted_the_windows_alone_decide() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", writer="untried")
    w.run(2.1)
    assert w.dropped() == ["clip.mp4"]


def test_a_placeholder_is_looked_at_again_until_its_content_came() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", size=5_000_000, verdict="placeholder", event="moved")
    w.run(3000)
    assert not w.drops
    assert w.reason("clip.mp4") == "placeholder"
    assert "not on this disk yet" in w.sentence("clip.mp4")
    assert w.intake.idle()
    assert 90 < len(w.inspections) < 110
    w.files["clip.mp4"].verdict = "whole"  # its stamp did not change
    w.run(41)
    assert w.dropped() == ["clip.mp4"]
    assert w.inspection_times[-1] - w.inspection_times[-2] == 10, "it began to come, so it must stand still again"


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("put", "code", "after_s"),
    [
        ({"size": 0}, "empty_file", 60),
        ({"verdict": "not_media"}, "not_media", 12),
        ({"verdict": "unreadable"}, "unreadable", 32),
        ({"kind": "symlink"}, "symlink", 12),
        ({"size": 500 * 1024 * 1024 + 1}, "4002", 2),
    ],
)
def test_what_is_refused_and_when(put: dict[str, object], code: str, after_s: float) -> None:
    w = world()
    w.put("clip.mp4", **put)  # type: ignore[arg-type]  # a row of keyword arguments
    w.put("clip.txt")
    w.run(after_s - 0.5)
    assert not w.drops
    assert not w.intake.idle()
    w.run(1)
    (drop,) = w.drops
    assert drop.refusal is not None
    assert drop.refusal.code == code
    assert drop.refusal.message
    assert drop.refusal.action
    assert drop.sidecar is not None
    assert drop.sidecar.rel == "clip.txt"
    assert w.intake.idle()


@pytest.mark.parametrize("put", [{"size": 0}, {"verdict": "not_media"}, {"verdict": "unreadable"}, {"kind": "symlink"}])
@pytest.mark.parametrize("polled", [False, True])
def test_graces_hold_for_what_is_found_at_start_too(put: dict[str, object], polled: bool) -> None:
    w = world(polled=polled)
    w.put("clip.mp4", event=None, **put)  # type: ignore[arg-type]  # a row of keyword arguments
    for _ in range(3):
        w.scan()
        w.run(1)
    assert not w.drops
    w.put("clip.mp4", event=None)  # the real one comes inside the grace
    w.put("clip.txt", event=None)
    for _ in range(3):
        w.scan()
        w.run(31)
    assert [drop.refusal for drop in w.drops] == [None]


def test_500_mb_exactly_is_fine() -> None:
    w = world()
    w.put("clip.mp4", size=500 * 1024 * 1024)
    w.put("clip.txt")
    w.run(3)
    assert w.drops[0].refusal is None


def test_a_link_is_never_inspected_and_a_fifo_is_left_alone() -> None:
    w = world()
    w.put("link.mp4", kind="symlink", event="created")
    w.put("pipe.mp4", kind="other", event="created")
    w.run(600)
    assert not w.inspections
    assert [(d.clip.rel, d.refusal.code) for d in w.drops if d.refusal] == [("link.mp4", "symlink")]
    assert w.reason("pipe.mp4") == "ignored"
    assert "regular file" in w.sentence("pipe.mp4")


def test_a_linked_sidecar_is_not_followed_and_not_passed_over() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt", kind="symlink", event="created")
    w.run(60)
    (drop,) = w.drops
    assert drop.refusal is not None
    assert drop.refusal.code == "symlink"
    assert "clip.txt" in drop.refusal.message
    assert drop.sidecar is None


def test_rights_that_come_later_save_the_clip() -> None:
    w = world()
    w.put("clip.mp4", verdict="unreadable")
    w.put("clip.txt")
    w.run(20)
    assert w.reason("clip.mp4") == "grace"
    w.files["clip.mp4"].verdict = "whole"  # chmod changes neither size nor mtime
    w.run(15)
    assert [drop.refusal for drop in w.drops] == [None]


def test_incomplete_is_parked_and_reopened_by_a_change() -> None:
    w = world()
    w.put("clip.mp4", verdict="incomplete")
    w.put("clip.txt")
    w.run(3000)
    assert not w.drops
    assert w.intake.idle()
    assert w.reason("clip.mp4") == "incomplete"
    assert "parked" in w.sentence("clip.mp4")
    assert [waiting.rel for waiting in w.intake.waiting(w.now_s)] == ["clip.mp4"]
    w.put("clip.mp4")
    w.run(3)
    assert w.dropped() == ["clip.mp4"]


def test_media_the_cloud_does_not_take_and_files_that_ask_for_it() -> None:
    w = world()
    for name in ("tape.m4v", "slides.pdf", "slides.pdf.txt", "README.md", "invoice.pdf"):
        w.put(name)
    w.run(120)
    assert {(d.clip.rel, d.refusal.code) for d in w.drops if d.refusal} == {
        ("tape.m4v", "4001"),
        ("slides.pdf", "4001"),
    }
    assert w.reason("README.md") == "ignored"
    assert w.sentence("README.md").startswith("it is ignored: ")
    assert w.intake.idle()


# ---------------------------------------------------------------- what counts as a drop


def test_images_and_sound_are_assets_unless_told_otherwise() -> None:
    w = world()
    for name in ("logo.png", "song.mp3", "photo.jpg", "photo.jpg.txt"):
        w.put(name)
    w.run(120)
    assert w.dropped() == ["photo.jpg"]
    assert w.reason("logo.png") == "asset"
    w.put("song.txt")
    w.run(5)
    assert w.dropped() == ["photo.jpg", "song.mp3"]


def test_accept_all() -> None:
    w = world(accept_all=True)
    w.put("logo.png")
    w.run(120)
    assert w.dropped() == ["logo.png"]


def test_a_still_beside_a_video_does_not_take_the_videos_sidecar() -> None:
    w = world()
    for name in ("clip.mp4", "clip.jpg", "clip.txt"):
        w.put(name)
    w.run(120)
    assert w.dropped() == ["clip.mp4"]


@pytest.mark.parametrize("first", ["intro.toml", "logo.mp4"])
def test_files_named_by_a_sidecar_are_no_drops(first: str) -> None:
    w = world()
    for name in sorted(("intro.toml", "intro.mp4", "logo.mp4"), key=lambda name: name != first):
        w.put(name, assets=("LOGO.mp4",))
    w.run(120)
    assert w.dropped() == ["intro.mp4"]
    assert w.reason("logo.mp4") == "asset"
    assert "intro.toml" in w.sentence("logo.mp4")
    w.remove("intro.mp4")
    w.remove("intro.toml")  # archived: its asset must not become a paid edit now
    w.run(600)
    w.scan()
    w.run(600)
    assert w.dropped() == ["intro.mp4"]
    w.put("logo.mp4")  # but a new file of that name is nobody's asset any more
    w.run(60)
    assert w.dropped() == ["intro.mp4", "logo.mp4"]


def test_a_clip_with_its_own_sidecar_waits_for_a_toml_that_came_before_it_was_whole() -> None:
    w = world()
    w.put("logo.mp4")
    w.put("logo.txt")
    w.run(1)
    w.put("intro.toml", assets=("logo.mp4",))
    w.run(60)
    assert not w.drops
    assert w.reason("logo.mp4") == "asset"


def test_toml_sidecars_that_keep_coming_do_not_starve_a_clip() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    for number in range(10):
        w.put(f"other{number}.toml")
        w.run(0.9)
    assert w.dropped() == ["clip.mp4"]


def test_a_name_that_is_no_longer_named_becomes_a_drop() -> None:
    w = world()
    w.put("a.toml", assets=("b.mp4",))
    w.put("b.mp4")
    w.run(100)
    assert not w.drops
    w.put("a.toml", assets=())
    w.run(3)
    w.scan()
    w.run(60)
    assert w.dropped() == ["b.mp4"]


# ---------------------------------------------------------------- pairing


@pytest.mark.parametrize("order", list(permutations(["clip.mp4", "clip.txt", "clip.mp4.toml"])))
def test_the_first_of_the_names_wins_in_any_order(order: tuple[str, ...]) -> None:
    w = world()
    for name in order:
        w.put(name)
        w.run(0.5)
    w.run(5)
    (drop,) = w.drops
    assert drop.sidecar is not None
    assert drop.sidecar.rel == "clip.mp4.toml"


@pytest.mark.parametrize("sidecar", ["clip.mp4.toml", "clip.toml", "clip.mp4.txt", "clip.txt"])
@pytest.mark.parametrize("delay_s", [0.0, 1.0, 10.0, 29.0])
def test_a_late_sidecar_inside_the_wait_pairs(sidecar: str, delay_s: float) -> None:
    w = world()
    w.put("clip.mp4")
    w.run(2)
    w.run(delay_s)
    assert not w.drops
    w.put(sidecar)
    w.run(40)
    (drop,) = w.drops
    assert drop.sidecar is not None
    assert drop.sidecar.rel == sidecar


def test_a_sidecar_nobody_told_of_is_found_by_the_listing() -> None:
    w = world()
    w.put("clip.mp4")
    w.run(25)
    w.put("clip.txt", event=None)
    w.run(20)
    (drop,) = w.drops
    assert drop.source == "sidecar"


def test_the_wait_does_not_end_while_a_sidecar_is_settling() -> None:
    w = world()
    w.put("clip.mp4")
    for _ in range(40):  # written every second, beyond the wait
        w.put("clip.txt", event="created")
        w.run(1)
    assert not w.drops
    assert w.reason("clip.mp4") == "sidecar"
    w.run(5)
    assert w.drops[0].source == "sidecar"


def test_a_sidecar_rewritten_by_removing_it_first_is_waited_for() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4")
    w.run(1)
    w.remove("clip.txt")
    w.run(5)
    assert not w.drops
    w.put("clip.txt")
    w.run(3)
    assert w.drops[0].source == "sidecar"


def test_a_sidecar_that_goes_begins_the_wait_afresh() -> None:
    w = world()
    w.put("clip.mp4")
    for _ in range(40):  # its own wait has long passed
        w.put("clip.txt", event="created")
        w.run(1)
    w.remove("clip.txt")
    w.run(10)
    assert not w.drops
    w.put("clip.txt")
    w.run(3)
    assert w.drops[0].source == "sidecar"


@pytest.mark.parametrize(
    ("clip", "sidecar"),
    [("Cafe\u0301.MP4", "caf\u00e9.txt"), ("CLIP.mp4", "clip.MP4.TXT"), ("a\udcff.mp4", "a\udcff.txt")],
)
def test_pairs_by_composed_form_and_case(clip: str, sidecar: str) -> None:
    w = world()
    w.put(clip)
    w.put(sidecar)
    w.run(5)
    assert [drop.source for drop in w.drops] == ["sidecar"]


def test_of_two_sidecars_that_differ_by_case_the_like_written_is_used() -> None:
    w = world()
    for name in ("clip.txt", "CLIP.txt", "CLIP.mp4", "clip.mov"):
        w.put(name)
    w.run(5)
    assert {(d.clip.rel, d.sidecar.rel) for d in w.drops if d.sidecar} == {
        ("CLIP.mp4", "CLIP.txt"),
        ("clip.mov", "clip.txt"),
    }


def test_one_sidecar_serves_several_videos() -> None:
    w = world()
    for name in ("clip.mov", "clip.mp4", "clip.txt"):
        w.put(name)
    w.run(5)
    assert sorted(w.dropped()) == ["clip.mov", "clip.mp4"]
    assert {d.sidecar.rel for d in w.drops if d.sidecar} == {"clip.txt"}


def test_subtitles_travel_along_and_are_waited_for() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    w.run(1)
    w.put("clip.srt")
    w.put("clip.vtt", size=0)
    w.run(1.5)
    assert not w.drops
    w.run(2)
    (drop,) = w.drops
    assert [ref.rel for ref in drop.companions] == ["clip.srt"]


@pytest.mark.parametrize(
    ("defaults", "clip", "used"),
    [
        (["_default.txt"], "clip.mp4", "_default.txt"),
        (["_default.txt", "_default.toml"], "clip.mp4", "_default.toml"),
        (["_default.txt", "a/_default.txt"], "a/b/clip.mp4", "a/_default.txt"),
        (["_default.toml", "x/_default.txt"], "a/clip.mp4", "_default.toml"),
    ],
)
def test_the_nearest_default_up_the_tree(defaults: list[str], clip: str, used: str) -> None:
    w = world()
    for name in [*defaults, clip]:
        w.put(name)
    w.run(60)
    (drop,) = w.drops
    assert (drop.source, drop.sidecar.rel if drop.sidecar else "") == ("default", used)


def test_the_inbox_instruction_comes_last_and_only_after_the_wait() -> None:
    w = world()
    w.put("clip.mp4")
    w.run(31)
    assert not w.drops
    w.run(2)
    (drop,) = w.drops
    assert (drop.source, drop.sidecar) == ("inbox", None)


def test_without_any_instruction_it_waits_until_one_comes() -> None:
    w = world(has_instruction=False)
    w.put("a/one.mp4")
    w.put("a/two.mp4")
    w.run(1000)
    assert w.reason("a/one.mp4") == "no_instruction"
    assert w.intake.idle()
    w.put("a/one.txt")
    w.run(3)
    assert w.dropped() == ["a/one.mp4"]
    w.put("_default.txt")
    w.run(60)
    assert w.dropped() == ["a/one.mp4", "a/two.mp4"]


def test_in_a_sub_folder_a_clip_without_sidecar_waits_for_quiet() -> None:
    w = world()
    w.put("show/one.mp4")
    for number in range(5):
        w.run(20)
        w.put(f"show/part{number}.mp4")
    assert not w.drops
    assert "still being filled" in w.sentence("show/one.mp4")
    w.run(40)
    assert len(w.drops) == 6


def test_temporary_files_keep_a_sub_folder_unquiet_but_the_users_ignored_ones_do_not() -> None:
    w = world(ignore=("*.log",))
    w.put("show/one.mp4")
    for _ in range(5):
        w.run(20)
        w.put("show/.two.mp4.Ab12Cd", event="created")
    assert not w.drops
    for _ in range(5):
        w.run(20)
        w.put("show/camera.log", event="closed")
    assert w.dropped() == ["show/one.mp4"]


def test_an_orphan_sidecar_is_left_alone() -> None:
    w = world()
    w.put("clip.txt")
    w.run(100)
    assert not w.drops
    assert "no clip of its name" in w.sentence("clip.txt")
    assert w.intake.idle()


# ---------------------------------------------------------------- once, and again


def test_each_once_and_a_changed_one_again() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    w.run(100)
    w.scan()
    w.see("clip.mp4", "closed")
    w.run(100)
    assert len(w.drops) == 1
    w.put("clip.mp4")
    w.run(100)
    assert len(w.drops) == 2


def test_what_the_ledger_knows_is_no_drop_until_it_changes() -> None:
    w = world()
    stamp = w.put("clip.mp4", event=None)
    w.intake.known("clip.mp4", stamp)
    w.scan()
    w.run(100)
    assert not w.drops
    w.put("clip.mp4", event=None)
    w.scan()
    w.run(100)
    assert w.dropped() == ["clip.mp4"]


def test_a_file_put_back_is_a_new_drop() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt")
    w.run(10)
    kept = w.files["clip.mp4"]
    w.remove("clip.mp4")
    w.files["clip.mp4"] = kept  # moved to rejects and back: same inode, size and mtime
    w.see("clip.mp4", "moved")
    w.run(10)
    assert len(w.drops) == 2


def test_offered_once_until_taken_or_forgotten() -> None:
    w = world()
    w.take = False
    stamp = w.put("clip.mp4")
    w.put("clip.txt")
    w.run(100)
    w.scan()
    w.run(100)
    assert len(w.drops) == 1
    assert not w.intake.idle()
    assert w.intake.is_offered("clip.mp4", stamp)
    w.intake.forget("clip.mp4", w.now_s)
    w.run(20)
    assert len(w.drops) == 2
    w.intake.taken("clip.mp4", stamp)
    assert w.intake.idle()
    w.intake.forget("clip.mp4", w.now_s)
    w.run(20)
    assert len(w.drops) == 3


def test_deleted_files_are_forgotten() -> None:
    w = world()
    w.put("a/clip.mp4")
    w.put("b/clip.mp4")
    w.run(1)
    w.remove("a/clip.mp4")
    w.remove("b/clip.mp4", event=False)
    w.scan()
    w.run(100)
    assert not w.drops
    assert w.intake.count() == 0
    assert w.intake.why("a/clip.mp4", w.now_s) is None


def test_a_listing_older_than_what_was_seen_meanwhile_removes_nothing() -> None:
    w = world()
    w.put("clip.txt")
    tree, started_s = w.tree(), w.now_s
    w.now_s += 1
    w.put("clip.mp4")
    w.intake.scanned(tree, started_s=started_s)
    w.run(3)
    assert w.dropped() == ["clip.mp4"]
    w.intake.scanned(tree, started_s=started_s)
    w.scan()
    w.run(30)
    assert len(w.drops) == 1


def test_a_listing_older_than_the_last_look_changes_nothing() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4", event="created")
    tree, started_s = w.tree(), w.now_s + 0.1
    w.now_s += 1
    new = w.put("clip.mp4", event="closed")
    w.intake.scanned(tree, started_s=started_s)
    w.run(2.1)
    assert [drop.clip.stamp for drop in w.drops] == [new]


def test_an_inspection_of_what_is_no_longer_there_says_nothing() -> None:
    w = world()
    w.put("clip.txt")
    old = w.put("clip.mp4")
    w.run(1)
    w.now_s += 1
    w.intake.decide(w.now_s)
    w.see("clip.mp4", "scanned")
    assert w.intake.decide(w.now_s).inspect
    w.put("clip.mp4", verdict="incomplete")
    w.intake.inspected("clip.mp4", old, Inspection("whole"), w.now_s)
    w.run(60)
    assert not w.drops
    assert w.reason("clip.mp4") == "incomplete"


def test_a_folder_that_could_not_be_listed_is_asked_for_again() -> None:
    w = world()
    w.put("clip.mp4")
    w.run(31)
    w.now_s += 1
    assert w.intake.decide(w.now_s).listings == ("",)
    assert w.intake.decide(w.now_s).listings == ()
    w.intake.missed_listing("", w.now_s)
    w.run(6)
    assert w.dropped() == ["clip.mp4"]


def test_whom_a_sidecar_serves() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.mov", verdict="incomplete")
    for name in ("clip.txt", "clip.srt", "clip.jpg", "_default.txt"):
        w.put(name)
    w.run(5)
    assert w.dropped() == ["clip.mp4"]
    assert w.intake.serves("clip.txt", but="clip.mp4")
    assert w.intake.serves("clip.srt", but="clip.mp4")
    assert w.intake.serves("_default.txt", but="clip.mp4")
    assert not w.intake.serves("clip.txt", but="clip.mov")
    w.remove("clip.mov")
    assert not w.intake.serves("clip.txt", but="clip.mp4")


def test_folders_that_could_not_be_listed_are_not_empty() -> None:
    w = world()
    w.put("a/b/clip.mp4", verdict="incomplete")
    w.run(5)
    w.intake.scanned({"": {}}, started_s=w.now_s, unread=("a",))
    assert w.reason("a/b/clip.mp4") == "incomplete"
    w.intake.scanned({"": {}}, started_s=w.now_s)
    assert w.intake.why("a/b/clip.mp4", w.now_s) is None


def test_what_could_not_be_looked_at_is_asked_for_again() -> None:
    w = world()
    w.put("clip.txt")
    w.put("clip.mp4")
    w.run(1)
    w.now_s += 1
    first = w.intake.decide(w.now_s)
    assert set(first.look) == {"clip.txt", "clip.mp4"}
    assert w.intake.decide(w.now_s).look == ()
    for rel in first.look:
        w.intake.missed(rel, w.now_s)
    w.run(6)
    assert w.dropped() == ["clip.mp4"]


def test_ten_thousand_files_are_judged_only_when_something_happened() -> None:
    w = world()
    for number in range(10_000):
        w.put(f"clip{number}.mp4", verdict="incomplete")
    w.run(5)
    assert len(w.inspections) == 10_000
    judged = []
    real = w.intake._judge._judge_clip
    w.intake._judge._judge_clip = lambda entry, now_s, todo: (judged.append(entry), real(entry, now_s, todo))  # type: ignore[method-assign]  # counted, then done
    w.put("one.txt")
    w.put("one.mp4")
    w.run(60)
    assert w.dropped() == ["one.mp4"]
    assert {entry.name for entry in judged} == {"one.mp4"}


@pytest.mark.parametrize(
    ("rel", "kind", "word"),
    [
        (".x.mp4", "file", "hidden"),
        ("_assets/x.mp4", "file", "_assets/"),
        ("a.report.toml", "file", "report"),
        ("x.wip.mp4", "file", "*.wip.mp4"),
        ("clip.mp4.part", "file", "transfer"),
    ],
)
def test_why_names_the_rule(rel: str, kind: FileKind, word: str) -> None:
    w = world(ignore=("*.wip.mp4",))
    w.put(rel, kind=kind)
    w.run(1)
    assert w.reason(rel) == "ignored"
    assert word in w.sentence(rel)


def test_settle_rules_from_the_config() -> None:
    assert settle_rules() == SettleRules()
    longer = settle_rules(settle_s=5.0, sidecar_wait_s=1.0)
    assert (longer.closed_s, longer.open_s, longer.polled_s, longer.sidecar_s) == (5.0, 10.0, 30.0, 2.0)
    exact = settle_rules(settle_s=0.2, literal=True)
    assert {exact.closed_s, exact.open_s, exact.polled_s, exact.sidecar_s} == {0.2}


def test_zero_windows_work() -> None:
    w = world(settle=settle_rules(settle_s=0.0, literal=True, sidecar_wait_s=0.0))
    w.put("clip.mp4")
    w.step()
    assert w.dropped() == ["clip.mp4"]


def _late(w: World) -> str:
    found = w.intake.sidecar_of("clip.mp4")
    return found.rel if found is not None else ""


def test_a_sidecar_that_comes_after_the_clip_was_taken_can_be_found() -> None:
    w = world()
    w.put("clip.mp4")
    w.run(60)
    assert (w.dropped(), _late(w)) == (["clip.mp4"], "")
    w.put("clip.txt")
    assert _late(w) == "clip.txt"


def test_a_sidecar_that_somebody_still_writes_is_waited_for_as_a_clip_is() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt", writer="open")
    w.run(30)
    assert not w.drops
    assert "clip.txt" in w.sentence("clip.mp4")
    w.files["clip.txt"].writer = "none"
    w.see("clip.txt", "closed")
    w.run(0.1)
    assert w.dropped() == ["clip.mp4"]


def test_a_sidecar_that_is_never_closed_is_waited_for_a_minute() -> None:
    w = world()
    w.put("clip.mp4")
    w.put("clip.txt", writer="open")
    w.run(59)
    assert not w.drops
    w.run(2)
    assert w.dropped() == ["clip.mp4"]


def test_a_time_that_is_set_back_after_the_close_is_no_new_writing() -> None:
    w = world()
    stamp = w.put("clip.mp4")
    w.put("clip.txt")
    w.files["clip.mp4"].stamp = FileStamp(stamp.inode, stamp.size_bytes, stamp.mtime_ns - 1)
    w.see("clip.mp4", "scanned")
    w.run(2.1)
    assert w.dropped() == ["clip.mp4"]


def test_a_time_that_moves_on_after_the_close_is_new_writing() -> None:
    w = world()
    stamp = w.put("clip.mp4")
    w.put("clip.txt")
    w.files["clip.mp4"].stamp = FileStamp(stamp.inode, stamp.size_bytes, stamp.mtime_ns + 1)
    w.see("clip.mp4", "scanned")
    w.run(9.9)
    assert not w.drops
    w.run(0.2)
    assert w.dropped() == ["clip.mp4"]
