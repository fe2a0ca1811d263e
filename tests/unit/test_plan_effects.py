"""Effects to a draft and off it again: what the keys become, what the reply says, what cannot be done."""

from __future__ import annotations

from typing import Any

import pytest

from nemo_watch.sandbox.intent import Aspect, CutPauses, Fade, Logo, Loudness, Music, Remove, Speed, Title, Undo, Volume
from nemo_watch.sandbox.plan import edit
from tests.unit.test_plan import check, cuts, do, other, told, track, video

LOGO = other("logo.png", "image")
BOTH = (video(), LOGO)


def main(draft: dict[str, Any], key: str) -> list[Any]:
    return [segment[key] for segment in track(draft, 0, "main")]


# ---------------------------------------------------------------- speed


def test_speed_shortens_every_piece_and_takes_the_same_of_the_source() -> None:
    slow = do(CutPauses(), Music(), Title("Late", 4000, 2000))
    made = do(Speed(2.0), draft=slow.draft)
    assert made.draft["d"] == slow.draft["d"] // 2
    assert cuts(made.draft) == cuts(slow.draft)
    assert set(main(made.draft, "sp")) == {2.0}
    assert [(s["s"], s["d"]) for s in track(made.draft, 7)] == [(1360, 2000)]
    assert [(s["s"], s["d"]) for s in track(made.draft, 1)] == [(0, made.draft["d"])]
    assert made.text == "Changed the speed to 2 times what it was; 6.7 s -> 3.4 s."
    check(made.draft, (video(),))


def test_speed_is_what_it_was_times_the_figure_and_goes_back() -> None:
    twice = do(Speed(2.0))
    assert main(do(Speed(0.5), draft=twice.draft).draft, "sp") == [1.0]
    made = do(Remove("speed"), draft=twice.draft)
    assert made.draft == do(Title("x"), Remove("title")).draft | {"t": do(Music()).draft["t"][:1]}
    assert made.text == "The clips run at their own speed again."


def test_speed_has_bounds_and_says_so() -> None:
    made = do(Speed(10.0))
    assert (main(made.draft, "sp"), made.draft["d"]) == ([4.0], 3000)
    assert "a quarter to four times" in made.text
    further = do(Speed(2.0), draft=made.draft)
    assert further.draft == made.draft
    assert further.tools == ()
    assert "stills" in do(Speed(2.0), assets=(other("a.png", "image"),)).text


def test_a_later_cut_keeps_the_speed_and_counts_in_the_timeline_s_time() -> None:
    fast = do(Speed(2.0)).draft
    made = told("remove the first 2 seconds", video(), draft=fast)
    assert cuts(made.draft) == [(4000, 12_000)]
    assert made.draft["d"] == 4000
    check(made.draft, (video(),))


# ---------------------------------------------------------------- sound


def test_volumes_are_set_and_changed() -> None:
    half = do(Volume(0.5))
    assert main(half.draft, "v") == [0.5]
    assert half.text == "Set the clips' own sound to 50 %."
    assert main(do(Volume(0.5, relative=True), draft=half.draft).draft, "v") == [0.25]
    loud = do(Volume(1.5)).draft["t"][0]["sg"][0]
    assert (loud["v"], loud["fx"]) == (1.0, [{"ty": "volume", "p": {"gain": 1.5}}])
    assert main(do(Volume(0.0)).draft, "v") == [0.0]
    assert "Muted" in do(Volume(0.0)).text
    assert "no sound" in do(Volume(0.5), assets=(video(has_audio=False),)).text
    check(do(Volume(9.0)).draft, (video(),))


def test_music_is_made_quieter_only_if_there_is_some() -> None:
    made = do(Volume(0.2, "music"), draft=do(Music()).draft)
    assert [s["v"] for s in track(made.draft, 1)] == [0.2]
    assert main(made.draft, "v") == [1.0]
    assert "none was added" in do(Volume(0.2, "music")).text
    assert [s["v"] for s in track(told("add music, lower the music to 10%", video()).draft, 1)] == [0.1]


def test_a_later_bed_and_a_later_cut_keep_what_was_muted() -> None:
    muted = do(Volume(0.0)).draft
    assert set(main(do(CutPauses(), Music(), draft=muted).draft, "v")) == {0.0}


def test_loudness_is_a_number_of_the_whole() -> None:
    made = do(Loudness())
    assert made.draft["m"]["lufs"] == -14.0
    assert "-14 LUFS" in made.text
    assert do(Loudness(), draft=made.draft).tools == ()
    assert "lufs" not in do(Remove("loudness"), draft=made.draft).draft["m"]


# ---------------------------------------------------------------- picture


@pytest.mark.parametrize(("fit", "said"), [("pad", "with bars"), ("blur", "blurred background")])
def test_a_shape_can_keep_the_whole_picture(fit: Any, said: str) -> None:
    made = do(Aspect(9, 16, fit))
    assert (made.draft["m"]["width"], made.draft["m"]["height"], made.draft["m"]["fit"]) == (1080, 1920, fit)
    assert said in made.text
    check(made.draft, (video(),))
    cropped = do(Remove("bars"), draft=made.draft)
    assert "fit" not in cropped.draft["m"]
    assert (cropped.draft["m"]["width"], cropped.draft["m"]["height"]) == (1080, 1920)


def test_bars_without_another_shape_are_none() -> None:
    made = do(Aspect(0, 0, "pad"))
    assert "fit" not in made.draft["m"]
    assert "Name another shape" in made.text
    tall = do(Aspect(9, 16)).draft
    assert do(Aspect(0, 0, "pad"), draft=tall).draft["m"]["fit"] == "pad"


def test_a_logo_lies_in_its_corner_whatever_the_shape() -> None:
    made = do(Logo("logo.png", "bottom-left"), assets=BOTH)
    (segment,) = track(made.draft, 0, "logo")
    place = segment["tf"]
    assert place["x"] < -0.35
    assert place["y"] > 0.35
    assert (segment["s"], segment["d"], segment["src"]) == (0, 12_000, LOGO.url)
    assert made.text == "Put logo.png in the bottom left corner."
    tall = do(Aspect(9, 16), CutPauses(), draft=made.draft, assets=BOTH).draft
    (moved,) = track(tall, 0, "logo")
    assert moved["d"] == tall["d"]
    assert moved["tf"] != place
    check(tall, BOTH)
    new = do(Logo("", "top-right"), draft=tall, assets=BOTH).draft
    assert [s["m"]["corner"] for s in track(new, 0, "logo")] == ["top-right"]
    assert track(do(Remove("logo"), draft=new, assets=BOTH).draft, 0, "logo") == []


def test_which_image_is_the_logo() -> None:
    photo = other("photo.jpg", "image")
    assert track(do(Logo(), assets=(video(), photo)).draft, 0, "logo")[0]["src"] == photo.url
    assert track(do(Logo(), assets=(video(), photo, LOGO)).draft, 0, "logo")[0]["src"] == LOGO.url
    assert "several images" in do(Logo(), assets=(video(), photo, other("b.png", "image"))).text
    assert "not among the images" in do(Logo("x.png"), assets=BOTH).text
    assert "no image was uploaded" in do(Logo()).text


def test_fades_are_of_the_whole_and_no_longer_than_half_of_it() -> None:
    made = do(Fade(1000, 2000))
    assert (made.draft["fi"], made.draft["fo"]) == (1000, 2000)
    assert made.text == "Added a fade in of 1 s and a fade out of 2 s, for picture and sound."
    assert do(Fade(None, 90_000)).draft["fo"] == 6000
    short = told("keep only the first 2 seconds", video(), draft=made.draft).draft
    assert (short["fi"], short["fo"]) == (1000, 1000)
    gone = do(Remove("fade"), draft=made.draft)
    assert "fi" not in gone.draft
    assert "fo" not in gone.draft


# ---------------------------------------------------------------- taking back


def test_things_are_taken_off_and_what_is_not_there_is_named() -> None:
    draft = told('add music, title "One", title "Two" at the top', video()).draft
    one = told('remove the title "One"', video(), draft=draft)
    assert [s["tx"] for s in track(one.draft, 7)] == ["Two"]
    assert track(told("remove the title", video(), draft=draft).draft, 7) == []
    bare = told("remove the music and the title", video(), draft=draft)
    assert bare.draft == do(Title("x"), Remove("title")).draft | {"t": bare.draft["t"]}
    assert len(bare.draft["t"]) == 1
    again = told("remove the music", video(), draft=bare.draft)
    assert (again.draft, again.tools) == (bare.draft, ())
    assert "none was added" in again.text


def test_nothing_is_placed_only_to_take_something_off() -> None:
    for message in ("remove the music", "undo"):
        made = told(message, video())
        assert (made.draft, made.tools) == ({}, ())


def test_undo_goes_back_one_draft_and_to_the_uploads_at_last() -> None:
    placed = do(Title("x"), Remove("title")).draft
    cut = do(CutPauses()).draft
    titled = do(Title("A"), draft=cut).draft
    back = edit(titled, [Undo()], (), (video(),), "en", [{}, cut])
    assert back.draft == cut
    assert back.text == "Took back the last change; the timeline is 6.7 s long."
    first = edit(cut, [Undo()], (), (video(),), "en", [{}])
    assert cuts(first.draft) == [(0, 12_000)]
    assert edit(titled, [Undo(all=True)], (), (video(),), "en", [{}, cut]).draft == first.draft
    assert edit(titled, [Undo()], (), (video(),), "zh", []).text == "没有可以撤销的修改。"
    mixed = edit(titled, [Undo(), Music()], (), (video(),), "en", [{}, cut])
    assert (track(mixed.draft, 7), len(track(mixed.draft, 1))) == ([], 1)
    assert placed == {} or cuts(placed) == [(0, 12_000)]


def test_a_speed_that_is_taken_off_leaves_no_millisecond_that_the_source_has_not() -> None:
    clip = video(ms=11, analysis=None)
    fast = edit({}, [Speed(2.0)], (), [clip], "en").draft
    slow = edit(fast, [Remove("speed")], (), [clip], "en").draft
    (piece,) = slow["t"][0]["sg"]
    assert (piece["sp"], piece["s"], piece["d"], piece["sd"]) == (1.0, 0, 11, 11)


def test_clips_of_different_speeds_all_go_back_to_their_own() -> None:
    clips = (video("a.mp4"), video("b.mp4", 6000))
    fast = told("speed up a.mp4 2x", *clips).draft
    both = told("merge a.mp4 and b.mp4, add title “A” at 0:07", *clips, draft=fast).draft
    assert main(both, "sp") == [2.0, 1.0]
    own = told("normal speed", *clips, draft=both).draft
    assert (main(own, "sp"), main(own, "d"), track(own, 7)[0]["s"]) == ([1.0, 1.0], [12_000, 6000], 13_000)


def test_everything_is_muted_and_what_was_muted_comes_back() -> None:
    draft = told("add music", video()).draft
    silent = told("mute everything", video(), draft=draft).draft
    assert (main(silent, "v"), [s["v"] for s in track(silent, 1)]) == ([0.0], [0.0])
    assert told("unmute", video(), draft=silent).draft == draft
    quiet = told("mute the music", video(), draft=draft).draft
    assert told("unmute", video(), draft=quiet).draft == draft
    assert told("unmute", video(), draft=draft).text == "Nothing was muted."


def test_one_fade_is_taken_off_and_the_other_stays() -> None:
    draft = told("fade in and out", video()).draft
    made = told("remove the fade in", video(), draft=draft)
    assert ("fi" in made.draft, made.draft["fo"], made.text) == (False, 1000, "Removed the fade in.")
    assert told("remove the fade in", video(), draft=made.draft).text == "There is no fade in to remove."


def test_several_changes_are_taken_back_at_once() -> None:
    first, second = do(CutPauses()).draft, do(CutPauses(), Title("A")).draft
    third = edit(second, [Music()], (), (video(),), "en").draft
    back = edit(third, [Undo(steps=2)], (), (video(),), "en", [{}, first, second])
    assert (back.draft, back.text) == (first, "Took back the last 2 changes; the timeline is 6.7 s long.")
    assert cuts(edit(third, [Undo(steps=9)], (), (video(),), "en", [{}, first, second]).draft) == [(0, 12_000)]


def test_a_logo_keeps_its_corner_and_size() -> None:
    files = (video(), other("logo.png", "image"))
    draft = told("add the logo at the bottom left", *files).draft
    made = told("make the logo bigger", *files, draft=draft)
    assert (made.draft, "Not done" in made.text) == (draft, True)
