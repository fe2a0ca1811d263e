"""A video out of words: which messages ask for one, and what the card is to be."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.intent import Music
from nemo_watch.sandbox.intent.generating import Card, asks_for_a_video, card_of, describes_one
from nemo_watch.sandbox.plan.cards import lay_out

WISHES = {
    "make a 15 second video about a lighthouse at night": Card(("A lighthouse at night",), 15_000, wished_ms=15_000),
    "create a 5 s clip about how to export coffee, and export in 720p": Card(
        ("How to export coffee",), 5000, wished_ms=5000
    ),
    "生成一个关于秋天的视频": Card(("秋天",), 10_000),
    "做一个猫咪冲浪的短片": Card(("猫咪冲浪",), 10_000),
    "make a vertical 10 second video about autumn leaves with calm music": Card(
        ("Autumn leaves",), 10_000, 9, 16, Music(mood="calm"), wished_ms=10_000
    ),
    "生成一个15秒的竖屏视频，关于秋天的枫叶，配上轻音乐": Card(
        ("秋天的枫叶",), 15_000, 9, 16, Music(), wished_ms=15_000
    ),
    "Generate a square video of a cat surfing. Slow motion. Golden hour! 2 minutes": Card(
        ("A cat surfing", "Slow motion", "Golden hour!"), 60_000, 1, 1, wished_ms=120_000
    ),
    'create a clip with the title "Big Sale" for our shop': Card(("Big Sale",), 10_000),
    "I need a 4 s video:\nOne. Two. Three.": Card(("One", "Two"), 4000, wished_ms=4000, left_out=1),
}


@pytest.mark.parametrize("text", WISHES)
def test_a_wish_becomes_a_card(text: str) -> None:
    assert asks_for_a_video(text)
    assert card_of(text) == WISHES[text]


@pytest.mark.parametrize(
    "text",
    [
        "A lighthouse at night, waves crashing against the rocks, cinematic, 15 seconds",
        "Golden retriever puppies playing in fresh snow",
        "秋天的枫叶在风中飘落，镜头缓缓推进",
    ],
)
def test_a_description_is_one(text: str) -> None:
    assert describes_one(text)
    assert card_of(text).lines


@pytest.mark.parametrize(
    "text",
    [
        "cut the pauses and add background music",
        "add background music",
        "make it warmer",
        "make the video vertical",
        "make it a 30 second video",
        "turn this into a vertical video",
        "add captions to my clip",
        "trim to the first 4 seconds",
        "what can you do for me?",
        "hello there my friend",
        "undo",
        "剪掉停顿",
        "把视频改成竖屏",
        "你好",
    ],
)
def test_an_instruction_is_none(text: str) -> None:
    assert not asks_for_a_video(text)
    assert not describes_one(text)


@pytest.mark.parametrize("blanks", [" " * 3990, " \n" * 1995, "\t " * 1995, "\n" * 3990, "\u3000" * 3990])
def test_blanks_cost_nothing(blanks: str) -> None:
    began = time.process_time()
    for text in (f"make{blanks}x", f"做{blanks}x", blanks):
        asks_for_a_video(text)
        describes_one(text)
        card_of(text)
    assert time.process_time() - began < 1


def test_a_title_is_as_it_was_written() -> None:
    card = card_of('make  a \n\n video \n with   the title "Big  Sale"')
    assert card.lines == ("Big  Sale",)
    assert card_of("make a video about one\n \n two").lines == ("One", "Two")


@given(st.text(max_size=300) | st.from_regex(r"make a \d{1,5} (second|minute) video about .{0,200}", fullmatch=True))
def test_any_text_makes_a_card_that_can_be_laid_out(text: str) -> None:
    asks_for_a_video(text)
    describes_one(text)
    card = card_of(text)
    assert 3000 <= card.length_ms <= 60_000
    background = Asset("g", "u/g", "g.mp4", "video", card.length_ms, 1280, 720, 30.0, False, False, 1)
    made = lay_out(card, background, (background,), "en")
    titles = [seg for track in made.draft["t"] if track["tt"] == 7 for seg in track["sg"]]
    assert [seg["tx"] for seg in titles] == list(card.lines)
    assert all(seg["d"] >= 1500 for seg in titles)
    if titles:
        assert titles[-1]["s"] + titles[-1]["d"] == card.length_ms
