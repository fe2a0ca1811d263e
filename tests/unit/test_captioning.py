"""Captions on the timeline: whose words are shown, and what is said where there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nemo_watch.sandbox.facts import Asset, Cue, Words
from nemo_watch.sandbox.intent import Captions
from tests.unit.test_plan import do, other, told, track, video

CUES = (Cue(500, 2000, "one"), Cue(2200, 5000, "two"))
HEARD = Words((Cue(1000, 2000, "heard"),), "heard")
CARRIED = Words((Cue(3000, 4000, "carried"),), "carried")


def saying(name: str, words: Words | None) -> Asset:
    return replace(video(name), words=words)


def test_a_file_goes_before_what_a_clip_carries_and_that_is_said() -> None:
    made = do(Captions(), assets=(saying("a.mp4", CARRIED), other("a.srt", "subtitle", cues=CUES)))
    assert [seg["tx"] for seg in track(made.draft, 7)] == ["one", "two"]
    assert "2 cues from a.srt." in made.text
    assert made.unheard == ()
    made = do(Captions(), assets=(saying("a.mp4", CARRIED),))
    assert [(seg["tx"], seg["s"]) for seg in track(made.draft, 7)] == [("carried", 3000)]
    assert "1 cue from the subtitles inside a.mp4." in made.text
    made = do(Captions(), assets=(saying("a.mp4", HEARD),))
    assert "1 cue from the speech in a.mp4 (recognised by machine: read them once)." in made.text
    assert made.tools[-1] == "add_captions"


def test_every_clip_has_its_own_words_at_its_own_place() -> None:
    clips = (video("a.mp4"), saying("b.mp4", CARRIED), saying("c.mp4", HEARD))
    made = do(Captions(), assets=(*clips, other("a.srt", "subtitle", cues=CUES)))
    assert [(seg["tx"], seg["s"]) for seg in track(made.draft, 7)] == [
        ("one", 500),
        ("two", 2200),
        ("carried", 15_000),
        ("heard", 25_000),
    ]
    assert "4 cues from a.srt, the subtitles inside b.mp4, the speech in c.mp4" in made.text


def test_only_clips_that_need_it_are_listened_to() -> None:
    music = other("song.mp3", "audio", 60_000)
    clips = (video("a.mp4"), video("b.mp4"))
    made = do(Captions(), assets=(*clips, music, other("b.srt", "subtitle", cues=CUES)))
    assert made.unheard == (clips[0].url,)
    assert told("cut the pauses", *clips).unheard == ()


@pytest.mark.parametrize(
    ("missing", "english", "chinese"),
    [
        ("no_recogniser", "no speech recogniser is installed. Put NAME.srt beside", "没有安装语音识别"),
        ("no_model", "the speech recogniser has no model it can use", "没有可用的模型"),
        ("no_speech", "no speech that can be understood was found in talk.mp4", "没有找到能听懂的语音"),
        ("broken", "the speech recogniser failed on talk.mp4", "出错"),
    ],
)
def test_why_there_are_no_captions(missing: str, english: str, chinese: str) -> None:
    clip = saying("talk.mp4", Words((), "", missing))  # type: ignore[arg-type]
    made = told("trim the intro, add captions", clip)
    assert track(made.draft, 7) == []
    assert f"Captions were skipped: {english}" in made.text
    assert "add_captions" not in made.tools
    assert "已跳过字幕" in (text := told("加字幕", clip, language="zh").text)
    assert chinese in text


def test_beside_clips_with_captions_those_without_are_named_unless_they_are_mute() -> None:
    mute = replace(saying("mute.mp4", Words((), "", "no_sound")), has_audio=False)
    made = do(Captions(), assets=(saying("a.mp4", HEARD), saying("b.mp4", Words((), "", "no_speech")), mute))
    assert "No captions for b.mp4: no speech that can be understood was found in b.mp4." in made.text
    assert "mute.mp4 has no sound" not in made.text
    assert "mute.mp4 has no sound" in do(Captions(), assets=(mute,)).text


def test_a_file_of_another_name_is_not_used_in_silence() -> None:
    files = (other("x.srt", "subtitle", cues=CUES), other("y.srt", "subtitle", cues=CUES))
    made = do(Captions(), assets=(saying("a.mp4", HEARD), *files))
    assert [seg["tx"] for seg in track(made.draft, 7)] == ["heard"]
    assert "Not used, as no clip on the timeline has that name: x.srt and y.srt." in made.text


def test_a_picture_says_nothing() -> None:
    assert "no clip on the timeline" in do(Captions(), assets=(other("a.png", "image"),)).text


def test_what_was_heard_follows_cuts_and_speed() -> None:
    clip = saying("a.mp4", Words((Cue(2000, 5000, "over the pause"), Cue(9000, 10_000, "late")), "heard"))
    made = told("trim silences, add captions", clip)
    assert [(seg["tx"], seg["s"], seg["s"] + seg["d"]) for seg in track(made.draft, 7)] == [
        ("over the pause", 1620, 2860),
        ("late", 5100, 6100),
    ]
    faster = do(Captions(), assets=(clip,)).draft
    segment = faster["t"][0]["sg"][0]
    segment |= {"d": segment["d"] // 2, "sp": 2.0}
    again = do(Captions(), draft=faster, assets=(clip,))
    assert [(seg["s"], seg["d"]) for seg in track(again.draft, 7)] == [(1000, 1500), (4500, 500)]
