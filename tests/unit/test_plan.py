"""Operations to a draft: what is cut, where text and music go, and what the reply says."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.sandbox.compile import Output, compile_draft
from nemo_watch.sandbox.facts import Analysis, Asset, Cue
from nemo_watch.sandbox.intent import (
    Aspect,
    Captions,
    CutPauses,
    Fade,
    Highlight,
    Logo,
    Loudness,
    Music,
    Op,
    Place,
    Remove,
    Speed,
    Summary,
    Title,
    Trim,
    Undo,
    Volume,
    measure_for,
    understand,
)
from nemo_watch.sandbox.plan import Edit, edit

SILENCES = ((0, 500), (2500, 4500), (6500, 8500), (10500, 12000))
LOUD = tuple((at, -120.0 if any(a <= at < b for a, b in SILENCES) else -20.0) for at in range(0, 12000, 500))
SPEECH = Analysis(SILENCES, (1500, 9000), LOUD, -20.0, -120.0)


def video(name: str = "talk.mp4", ms: int = 12_000, analysis: Analysis | None = SPEECH, **facts: Any) -> Asset:
    known: dict[str, Any] = {"width": 1920, "height": 1080, "fps": 30.0, "has_audio": True, "hdr": False}
    known |= {"size_bytes": 1_500_000, "analysis": analysis}
    return Asset(f"id-{name}", f"http://cdn.example/{name}", name, "video", ms, **known | facts)


def other(name: str, kind: Any, ms: int = 0, cues: tuple[Cue, ...] = ()) -> Asset:
    size = (800, 600) if kind == "image" else (0, 0)
    return Asset(
        f"id-{name}", f"http://cdn.example/{name}", name, kind, ms, *size, 0.0, kind == "audio", False, 900, None, cues
    )


def told(message: str, *assets: Asset, draft: dict[str, Any] | None = None, language: str = "en") -> Edit:
    understood = understand(message)
    return edit(draft or {}, understood.ops, understood.unsupported, assets, language)


def do(*ops: Op, draft: dict[str, Any] | None = None, assets: tuple[Asset, ...] = (video(),)) -> Edit:
    return edit(draft or {}, ops, (), assets, "en")


def track(draft: dict[str, Any], kind: int, name: str = "") -> list[dict[str, Any]]:
    return [s for t in draft["t"] if t["tt"] == kind and t["m"]["name"].startswith(name) for s in t["sg"]]


def cuts(draft: dict[str, Any]) -> list[tuple[int, int]]:
    """The source's spans on the picture track."""
    return [(s["ss"], s["ss"] + s["sd"]) for s in track(draft, 0)]


def check(draft: dict[str, Any], assets: tuple[Asset, ...]) -> None:
    """Check what must hold of every draft."""
    known = {asset.url: asset for asset in assets}
    ids = [t["id"] for t in draft["t"]] + [s["id"] for t in draft["t"] for s in t["sg"]]
    assert len(ids) == len(set(ids))
    assert all(ids)
    main = track(draft, 0, "main")
    assert draft["d"] == sum(s["d"] for s in main) == max(s["s"] + s["d"] for s in main)
    for t in draft["t"]:
        assert t["sg"]
        assert t["d"] == max(s["s"] + s["d"] for s in t["sg"]) <= draft["d"]
        at = 0
        for s in t["sg"]:
            assert all(type(s[key]) is int for key in ("s", "d"))
            assert s["s"] >= at
            assert s["d"] > 0
            at = s["s"] + s["d"]
            if "src" in s and t["m"]["name"] != "logo" and s["src"] in known and known[s["src"]].duration_ms:
                assert s["ss"] >= 0
                assert s["ss"] + s["sd"] <= known[s["src"]].duration_ms
                assert abs(s["sd"] - s["d"] * s["sp"]) <= (0.5 if s["sp"] == 1 else 10)
    width, height = draft["m"]["width"], draft["m"]["height"]
    assert width % 2 == height % 2 == 0
    assert min(width, height) <= 1080
    assert max(width, height) <= 1920
    compile_draft(draft, known, Output())


# ---------------------------------------------------------------- placing


def test_an_upload_is_placed_unchanged() -> None:
    made = do(Place())
    assert made.draft["m"] == {"title": "talk", "width": 1920, "height": 1080, "fps": 30.0}
    assert made.draft["d"] == 12_000
    assert cuts(made.draft) == [(0, 12_000)]
    assert made.text == "Put talk.mp4 on the timeline, 12.0 s in all."
    check(made.draft, (video(),))


def test_videos_are_placed_in_the_order_of_upload_and_other_files_wait() -> None:
    assets = (other("logo.png", "image"), video("b.mp4"), other("song.mp3", "audio", 9000), video("a.mp4", 3000))
    made = do(Place(), assets=assets)
    assert [s["m"]["name"] for s in track(made.draft, 0)] == ["b.mp4", "a.mp4"]
    assert made.draft["d"] == 15_000


def test_images_alone_are_shown_three_seconds_each() -> None:
    assets = (other("a.png", "image"), other("b.png", "image"))
    made = do(Place(), assets=assets)
    assert [(s["s"], s["d"]) for s in track(made.draft, 0)] == [(0, 3000), (3000, 3000)]
    assert (made.draft["m"]["width"], made.draft["m"]["height"]) == (800, 600)
    check(made.draft, assets)


def test_sound_alone_gets_a_background() -> None:
    assets = (other("song.mp3", "audio", 9000),)
    made = do(Place(), assets=assets)
    assert (made.draft["m"]["width"], made.draft["m"]["height"], made.draft["d"]) == (1280, 720, 9000)
    check(made.draft, assets)


@pytest.mark.parametrize(
    ("size", "canvas"),
    [
        ((1920, 1080), (1920, 1080)),
        ((3840, 2160), (1920, 1080)),
        ((2160, 3840), (1080, 1920)),
        ((639, 357), (640, 356)),
        ((320, 180), (320, 180)),
        ((4000, 1000), (1920, 480)),
        ((16, 16), (64, 64)),
        ((5000, 100), (800, 100)),
    ],
)
def test_the_canvas_is_the_first_videos_within_bounds(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    asset = video(width=size[0], height=size[1])
    made = do(Place(), assets=(asset,))
    assert (made.draft["m"]["width"], made.draft["m"]["height"]) == canvas
    check(made.draft, (asset,))


def test_a_message_that_names_a_file_works_on_that_one() -> None:
    assets = (video("a.mp4"), video("b.mp4", 6000, replace(SPEECH, silences=((1000, 3000),))))
    first = told("cut the pauses in a.mp4", *assets)
    assert {s["m"]["name"] for s in track(first.draft, 0)} == {"a.mp4"}
    second = told("cut the pauses in b.mp4", *assets)
    assert {s["m"]["name"] for s in track(second.draft, 0)} == {"b.mp4"}
    assert second.draft["d"] == 6000 - 1760
    third = told("add music to b.mp4", *assets, draft=second.draft)
    assert third.draft["d"] == second.draft["d"]
    assert cuts(told("把b.mp4放到时间线", *assets).draft) == [(0, 6000)]


def test_work_on_the_timeline_is_not_thrown_away_for_one_file() -> None:
    assets = (video("a.mp4"), video("b.mp4", 6000))
    both = told("add music", *assets)
    one = told("speed up a.mp4", *assets, draft=both.draft)
    assert (one.draft, one.tools) == (both.draft, ())
    assert one.text.startswith("Not done: a.mp4 alone would replace the whole timeline")
    over = told("start over, cut the pauses in a.mp4", *assets, draft=both.draft)
    assert {s["m"]["name"] for s in track(over.draft, 0)} == {"a.mp4"}
    first = told("cut the pauses in a.mp4", *assets)
    more = told("merge a.mp4 and b.mp4", *assets, draft=first.draft)
    assert more.draft["d"] == first.draft["d"] + 6000


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("cut the pauses in x.mp4", "x.mp4 is not among the uploads of this session. Nothing was changed"),
        ("add missing.mp3 as music", "No music was added"),
        ("burn in other.srt", "No captions were added"),
        ("show photo.jpg at the end", "Not done: photo.jpg was not put on the timeline"),
        ("start with photo.jpg", "Not done: photo.jpg was not put on the timeline"),
    ],
)
def test_no_other_file_is_used_in_the_stead_of_a_named_one(message: str, said: str) -> None:
    assets = (video(), other("song.mp3", "audio", 5000), other("photo.jpg", "image"))
    made = told(message, *assets, other("talk.srt", "subtitle", 0, (Cue(0, 1000, "hello"),)))
    assert said in made.text
    assert made.draft == {} or (cuts(made.draft), len(made.draft["t"])) == ([(0, 12_000)], 1)


def test_the_last_word_of_a_name_with_a_space_is_enough() -> None:
    assert told("cut the pauses in talk.mp4", video("My talk.mp4")).draft["d"] < 12_000


@pytest.mark.parametrize("message", ["make it 1x", "use talk.mp4 instead", "remove talk.mp4", "no music", "I like it"])
def test_a_reply_is_never_empty(message: str) -> None:
    draft = told("add a title “A”", video()).draft
    made = told(message, video(), draft=draft)
    assert (made.draft, bool(made.text)) == (draft, True)


def test_music_that_ends_early_says_so() -> None:
    sounds = [other(name, "audio", 2000) for name in ("song.mp3", "jazz.mp3")]
    made = told("add song.mp3 and jazz.mp3", video(ms=60_000), *sounds)
    assert "It is repeated 24 times, no more, and ends at 48.0 s." in made.text
    assert "Not used: jazz.mp3" in made.text


def test_without_uploads_nothing_is_done() -> None:
    made = do(CutPauses(), assets=())
    assert (made.draft, made.tools) == ({}, ())
    assert "no video" in made.text


def test_without_an_operation_the_draft_stays() -> None:
    before = do(CutPauses()).draft
    kept = copy.deepcopy(before)
    for message in ("translate it to French", "please export in 1080p", "don't cut anything"):
        made = told(message, video(), draft=before)
        assert made.draft == before == kept
        assert made.tools == ()
    assert told("translate it to French", video()).text == (
        'Not done: "translate it to French" (there is no translator here).'
    )
    assert "Nothing was changed" in told("export in 1080p", video()).text


# ---------------------------------------------------------------- cutting


def test_pauses_are_cut_and_a_tenth_of_a_second_stays_beside_sound() -> None:
    made = do(CutPauses())
    assert cuts(made.draft) == [(380, 2620), (4380, 6620), (8380, 10_620)]
    assert made.text == "Removed 4 pauses, 5.3 s in all; 12.0 s -> 6.7 s."
    assert made.tools == ("place_media", "cut_pauses")
    check(made.draft, (video(),))
    again = do(CutPauses(), draft=made.draft)
    assert again.draft == made.draft
    assert again.text == "No pauses found of 0.5 s or more: nothing was cut for that."


def test_only_long_pauses_are_cut_if_a_length_is_named() -> None:
    assert cuts(told("cut pauses longer than 1.8 seconds", video()).draft) == [(0, 2620), (4380, 6620), (8380, 12_000)]


def test_what_is_left_between_two_cuts_and_shorter_than_a_fifth_of_a_second_goes_too() -> None:
    analysis = replace(SPEECH, silences=((1000, 2000), (2080, 3000)))
    made = do(CutPauses(500, 50), assets=(video(analysis=analysis),))
    assert cuts(made.draft) == [(0, 1050), (2950, 12_000)]


@pytest.mark.parametrize(
    "analysis",
    [
        replace(SPEECH, speech_db=-20.0, floor_db=-25.0),
        replace(SPEECH, silences=()),
        replace(SPEECH, silences=((0, 12_000),)),
        replace(SPEECH, silences=((3000, 3400),)),
        Analysis((), (), (), None, None),
        None,
    ],
)
def test_a_video_without_pauses_is_left_alone_and_the_reply_says_so(analysis: Analysis | None) -> None:
    made = do(CutPauses(), assets=(video(analysis=analysis),))
    assert cuts(made.draft) == [(0, 12_000)]
    assert "No pauses found" in made.text


@pytest.mark.parametrize(
    ("message", "spans"),
    [
        ("remove the first 2 seconds and the last 3 seconds", [(2000, 9000)]),
        ("keep 0:02-0:05", [(2000, 5000)]),
        ("keep 0:01-0:02 and 0:05-0:06", [(1000, 2000), (5000, 6000)]),
        ("cut from 0:02 to 0:05", [(0, 2000), (5000, 12_000)]),
        ("keep the last 4 seconds", [(8000, 12_000)]),
        ("trim to 5 seconds", [(0, 5000)]),
        ("trim the clip", [(380, 10_620)]),
        ("trim the intro", [(1500, 12_000)]),
        ("remove the first 20 seconds", [(0, 12_000)]),
        ("keep 0:20-0:30", [(0, 12_000)]),
        ("remove the first 7 seconds and the last 7 seconds", [(0, 12_000)]),
    ],
)
def test_trims(message: str, spans: list[tuple[int, int]]) -> None:
    made = told(message, video())
    assert cuts(made.draft) == spans
    if spans == [(0, 12_000)]:
        assert made.text.startswith("Not trimmed as asked: the timeline is 12.0 s long")
    check(made.draft, (video(),))


def test_the_intro_ends_at_the_first_pause_or_scene_between_one_second_and_a_fifth() -> None:
    def cut(silences: tuple[tuple[int, int], ...], scenes: tuple[int, ...], ms: int) -> int:
        analysis = replace(SPEECH, silences=silences, scenes_ms=scenes)
        return cuts(do(Trim("intro"), assets=(video(ms=ms, analysis=analysis),)).draft)[0][0]

    assert cut(((4000, 5000),), (), 60_000) == 4880
    assert cut(((4000, 5000),), (3000,), 60_000) == 3000
    assert cut((), (500, 900, 2000), 60_000) == 2000
    assert cut((), (15_500,), 600_000) == 0
    assert cut((), (13_000,), 60_000) == 0
    made = do(Trim("intro"), assets=(video(analysis=replace(SPEECH, silences=(), scenes_ms=())),))
    assert made.text.startswith("No intro was cut")


def test_an_outro_is_found_the_same_way_from_the_end() -> None:
    analysis = replace(SPEECH, silences=((50_000, 51_000), (57_000, 58_000)), scenes_ms=(30_000,))
    assert cuts(do(Trim("outro"), assets=(video(ms=60_000, analysis=analysis),)).draft) == [(0, 57_120)]


# ---------------------------------------------------------------- highlight


def loud_at(*windows: int, ms: int = 120_000, scenes: tuple[int, ...] = ()) -> Asset:
    loudness = tuple((at, -15.0 if at // 6000 in windows else -40.0) for at in range(0, ms, 500))
    return video(ms=ms, analysis=Analysis((), scenes, loudness, -15.0, -40.0))


def test_the_loudest_windows_are_kept_in_their_order() -> None:
    made = do(Highlight(18_000), assets=(loud_at(12, 3, 7),))
    assert cuts(made.draft) == [(18_000, 24_000), (42_000, 48_000), (72_000, 78_000)]
    assert made.text == "Kept the strongest 18.0 s of 120.0 s."


def test_a_change_of_scene_counts() -> None:
    assert cuts(do(Highlight(6000), assets=(loud_at(ms=60_000, scenes=(33_000,)),)).draft) == [(30_000, 36_000)]


def test_a_highlight_begins_and_ends_at_pauses() -> None:
    asset = loud_at(3, 8)
    analysis = replace(asset.analysis or SPEECH, silences=((17_000, 18_500), (24_300, 25_000)))
    spans = cuts(do(Highlight(12_000), assets=(replace(asset, analysis=analysis),)).draft)
    assert spans[0] == (18_380, 24_420)
    assert sum(b - a for a, b in spans) == 12_000


@pytest.mark.parametrize("target", [1000, 5999, 6000, 6001, 17_333, 60_000, 119_999])
def test_a_highlight_has_its_length_to_the_millisecond(target: int) -> None:
    made = do(Highlight(target), assets=(loud_at(2, 19),))
    assert made.draft["d"] == target
    check(made.draft, (loud_at(2, 19),))


def test_a_source_that_is_not_longer_is_kept_whole() -> None:
    made = told("cut the pauses and export as a 1-minute highlight", video())
    assert made.draft["d"] == 6720
    assert "all of it is kept" in made.text


# ---------------------------------------------------------------- picture, sound, text


@pytest.mark.parametrize(
    ("size", "op", "canvas"),
    [
        ((1920, 1080), Aspect(9, 16), (1080, 1920)),
        ((1920, 1080), Aspect(1, 1), (1080, 1080)),
        ((1080, 1920), Aspect(16, 9), (1920, 1080)),
        ((320, 180), Aspect(9, 16), (180, 320)),
        ((1920, 1080), Aspect(4, 5), (1080, 1350)),
        ((1920, 1080), Aspect(21, 9), (1920, 822)),
    ],
)
def test_shapes(size: tuple[int, int], op: Aspect, canvas: tuple[int, int]) -> None:
    asset = video(width=size[0], height=size[1])
    made = do(op, assets=(asset,))
    assert (made.draft["m"]["width"], made.draft["m"]["height"]) == canvas
    check(made.draft, (asset,))
    assert do(op, draft=made.draft, assets=(asset,)).draft == made.draft


def test_music_lies_under_everything_and_a_second_one_replaces_it() -> None:
    made = do(CutPauses(), Music())
    (bed,) = track(made.draft, 1)
    assert (bed["src"], bed["s"], bed["d"], bed["v"], bed["m"]["name"]) == (
        "gen:warm",
        0,
        6720,
        0.35,
        "Warm pad (generated)",
    )
    made = told("make the music calm", video(), draft=made.draft)
    assert [s["src"] for s in track(made.draft, 1)] == ["gen:calm"]
    assert made.text.startswith("Changed the music to Calm pad")


def test_an_uploaded_sound_is_the_music_and_is_repeated() -> None:
    assets = (video(), other("song.mp3", "audio", 5000))
    made = do(Music(), assets=assets)
    assert [(s["s"], s["d"], s["ss"], s["src"]) for s in track(made.draft, 1)] == [
        (0, 5000, 0, assets[1].url),
        (5000, 5000, 0, assets[1].url),
        (10_000, 2000, 0, assets[1].url),
    ]
    assert "song.mp3" in made.text
    check(made.draft, assets)


def test_titles() -> None:
    made = told('add a title "Hello" at the top for 5 seconds and the text "Bye" at the end', video())
    first, last = track(made.draft, 7, "Title")
    assert (first["tx"], first["s"], first["d"], first["ts"]["py"]) == ("Hello", 0, 5000, 0.12)
    assert (last["tx"], last["s"], last["d"]) == ("Bye", 9000, 3000)
    made = do(Title("One"), Title("Two"))
    assert [(s["tx"], s["s"]) for s in track(made.draft, 7)] == [("One", 0), ("Two", 3000)]
    made = do(Title("Late", 20_000))
    assert track(made.draft, 7) == []
    assert "was not added" in made.text


CUES = (Cue(500, 2000, "one"), Cue(2200, 5000, "two"), Cue(9000, 10_000, "three"), Cue(11_000, 11_900, "lost"))


def test_captions_follow_the_cuts() -> None:
    assets = (video(), other("talk.srt", "subtitle", cues=CUES))
    made = told("trim silences, add captions", *assets)
    assert [(s["tx"], s["s"], s["s"] + s["d"]) for s in track(made.draft, 7, "Captions")] == [
        ("one", 120, 1620),
        ("two", 1820, 2860),
        ("three", 5100, 6100),
    ]
    assert "3 cues from talk.srt" in made.text
    check(made.draft, assets)
    later = do(CutPauses(), draft=do(Captions(), assets=assets).draft, assets=assets)
    assert [(s["tx"], s["s"], s["d"]) for s in track(later.draft, 7)] == [
        (s["tx"], s["s"], s["d"]) for s in track(made.draft, 7)
    ]


def test_subtitles_belong_to_the_clip_of_their_name() -> None:
    clips = (video("a.mp4"), video("b.mp4"))
    made = do(Captions(), assets=(*clips, other("b.en.srt", "subtitle", cues=CUES[:1])))
    assert [(s["tx"], s["s"]) for s in track(made.draft, 7)] == [("one", 12_500)]
    made = do(Captions(), assets=(*clips, other("x.srt", "subtitle", cues=CUES[:1])))
    assert [(s["tx"], s["s"]) for s in track(made.draft, 7)] == [("one", 500)]
    made = do(Captions(), assets=(*clips, other("x.srt", "subtitle", cues=CUES), other("y.srt", "subtitle", cues=CUES)))
    assert "Captions were skipped" in made.text


def test_without_a_subtitle_file_captions_are_skipped_and_never_made_up() -> None:
    made = told("trim the intro, add captions", video())
    assert track(made.draft, 7) == []
    assert cuts(made.draft) == [(1500, 12_000)]
    assert "Captions were skipped" in made.text
    assert ".srt" in made.text
    assert "已跳过字幕" in told("加字幕", video(), language="zh-CN").text


def test_a_later_cut_moves_text_and_music_along() -> None:
    draft = do(
        Music(),
        Title("Hi"),
        Title("There", 5000, 2000),
        Title("End", at_end=True),
        Title("All", dur_ms=0, position="top"),
    ).draft
    made = do(Trim("head", 3000), Trim("tail", 1000), draft=draft)
    assert made.draft["d"] == 8000
    assert {s["tx"]: (s["s"], s["d"]) for s in track(made.draft, 7)} == {
        "Hi": (0, 3000),
        "There": (3000, 2000),
        "End": (5000, 3000),
        "All": (0, 8000),
    }
    assert [(s["s"], s["d"]) for s in track(made.draft, 1)] == [(0, 8000)]
    check(made.draft, (video(),))


def test_a_summary_tells_measured_facts_only() -> None:
    made = do(Summary())
    assert made.text == (
        "talk.mp4: 12.0 s long, 1920x1080, 30 fps, 1.5 MB, sound on 50 % of the time, -23 dB on average, "
        "pauses of 0.5 s or more: 4, scenes: 3."
    )
    assert made.draft["d"] == 12_000


def test_the_reply_is_in_the_language_of_the_session() -> None:
    made = told("剪掉停顿，翻译成英文", video(), language="zh-CN")
    assert made.text == "剪掉 4 处停顿，共 5.3 秒；12.0 秒 -> 6.7 秒。 未做：“翻译成英文”（这里没有翻译功能）。"
    made = told("加点平静的音乐", video(), language="zh-CN")
    assert "平静的铺底（生成）" in made.text
    assert track(made.draft, 1)[0]["m"]["name"] == "Calm pad (generated)"
    assert told("剪掉停顿", video(), language="fr").text.startswith("Removed 4 pauses")


# ---------------------------------------------------------------- for any operations and assets

TIMES = st.integers(0, 40_000)
OPS = st.one_of(
    st.builds(CutPauses, st.integers(200, 3000), st.integers(0, 500)),
    st.builds(
        Trim, st.sampled_from(["intro", "outro", "edges", "head_edge", "tail_edge", "head", "tail", "last"]), TIMES
    ),
    st.builds(lambda part, a, b: Trim(part, min(a, b), max(a, b)), st.sampled_from(["keep", "drop"]), TIMES, TIMES),
    st.builds(Highlight, st.integers(1000, 60_000)),
    st.sampled_from([Aspect(9, 16), Aspect(1, 1), Aspect(16, 9), Aspect(21, 9)]),
    st.builds(Music, st.sampled_from(["warm", "upbeat", "calm", "cinematic"])),
    st.builds(
        Title,
        st.sampled_from(["A", "B {x}", "你好"]),
        TIMES,
        st.integers(0, 9000),
        st.sampled_from(["center", "top"]),
        st.booleans(),
    ),
    st.sampled_from([Captions(), Summary(), Place(), Place(("v0.mp4",)), Place(("nothing.mp4",))]),
    st.sampled_from([Speed(2.0), Speed(0.3), Speed(1.5), Speed(10.0), Loudness(), Aspect(9, 16, "blur")]),
    st.sampled_from(
        [Aspect(0, 0, "pad"), Aspect(1, 1, "pad"), Fade(1000, 500), Fade(None, 9000), Logo(), Logo("v1.x")]
    ),
    st.builds(Volume, st.sampled_from([0.0, 0.5, 3.0]), st.sampled_from(["clip", "music"]), st.booleans()),
    st.builds(Remove, st.sampled_from(["title", "music", "captions", "logo", "fade", "speed", "loudness", "bars"])),
    st.sampled_from([Undo(), Undo(all=True)]),
)


@st.composite
def an_asset(draw: st.DrawFn, number: int) -> Asset:
    ms = draw(st.integers(200, 40_000))
    marks = sorted(draw(st.lists(st.integers(0, ms), max_size=12, unique=True)))
    silences = tuple(zip(marks[::2], marks[1::2], strict=False))
    loudness = tuple((at, draw(st.sampled_from([-10.0, -30.0, -120.0]))) for at in range(0, ms, 2000))
    analysis = Analysis(
        silences,
        tuple(draw(st.lists(st.integers(0, ms), max_size=4))),
        loudness,
        -10.0,
        draw(st.sampled_from([-12.0, -60.0])),
    )
    cues = tuple(
        Cue(a, a + draw(st.integers(1, 4000)), draw(st.sampled_from("xyz"))) for a in draw(st.lists(TIMES, max_size=6))
    )
    kind = draw(st.sampled_from(["video", "video", "image", "audio", "subtitle"]))
    if kind == "video":
        return video(
            f"v{number}.mp4",
            ms,
            draw(st.sampled_from([analysis, None])),
            width=draw(st.integers(2, 4000)),
            height=draw(st.integers(2, 4000)),
        )
    return other(
        f"v{number}.x", kind, 0 if kind in ("image", "subtitle") else ms, tuple(sorted(cues, key=lambda c: c.start_ms))
    )


@settings(max_examples=250)
@given(st.data())
def test_whatever_is_asked_the_draft_can_be_rendered(data: st.DataObject) -> None:
    assets = tuple(data.draw(an_asset(number)) for number in range(data.draw(st.integers(1, 4))))
    draft: dict[str, Any] = {}
    earlier: list[dict[str, Any]] = []
    for _ in range(data.draw(st.integers(1, 3))):
        ops = data.draw(st.lists(OPS, min_size=1, max_size=5))
        before = copy.deepcopy(draft)
        made = edit(draft, ops, (), assets, data.draw(st.sampled_from(["en", "zh"])), earlier)
        assert draft == before
        earlier.append(before)
        draft = made.draft
        if draft:
            check(draft, assets)


CLAUSES = [
    "cut the pauses",
    "add upbeat music",
    "add captions",
    'add a title "Hello"',
    "make it vertical",
    "trim the intro",
    "remove the last 2 seconds",
    "make a 5 second highlight",
    "2x speed",
    "half volume",
    "fade out 1 second",
    "put logo.png in the top right corner",
    "normalize the audio",
]


@settings(max_examples=25)
@given(st.permutations(CLAUSES))
def test_the_order_in_the_sentence_does_not_change_the_draft(clauses: list[str]) -> None:
    assets = (video(), other("talk.srt", "subtitle", cues=CUES), other("logo.png", "image"))
    assert told(", ".join(clauses), *assets).draft == told(", ".join(CLAUSES), *assets).draft


ALL: list[Op] = [
    *(Trim("intro"), CutPauses(), Highlight(5000), Speed(1.5), Aspect(9, 16, "blur"), Music(), Volume(0.5), Loudness()),
    *(Logo(), Title("A"), Captions(), Fade(500, 500)),
]


@settings(max_examples=25)
@given(st.permutations(ALL))
def test_operations_are_applied_in_one_order_however_they_come(ops: list[Op]) -> None:
    assets = (video(), other("talk.srt", "subtitle", cues=CUES), other("logo.png", "image"))
    straight = do(*ALL, assets=assets)
    assert do(*ops, assets=assets) == straight


@pytest.mark.parametrize(
    ("words", "measure"),
    [
        ('add the title "One" and music', "nothing"),
        ("cut the first 5 seconds", "nothing"),
        ("cut the pauses and add music", "sound"),
        ("cut the silence at the start", "sound"),
        ("trim the intro", "everything"),
        ("cut the pauses and make a 10 second highlight", "everything"),
        ("generate a summary", "everything"),
    ],
)
def test_only_what_an_operation_needs_is_measured(words: str, measure: str) -> None:
    assert measure_for(understand(words).ops) == measure
