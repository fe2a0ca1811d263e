"""Recognised words to cues."""

from __future__ import annotations

import itertools
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.sandbox.speech.cueing import LINE_CHARS, LONGEST_MS, Word, cues_of


def spoken(text: str, *, start_ms: int = 0, each_ms: int = 300) -> list[Word]:
    """Say the words of a text one after the other; "|" is a pause of two seconds."""
    words, at = [], start_ms
    for word in text.split():
        if word == "|":
            at += 2000
        else:
            words.append(Word(at, at + each_ms, f" {word}"))
            at += each_ms
    return words


def test_a_sentence_is_a_cue() -> None:
    cues = cues_of(spoken("Good morning to all of you. Today we talk about money."))
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in cues] == [
        (0, 1800, "Good morning to all of you."),
        (1800, 3300, "Today we talk about money."),
    ]


def test_a_pause_ends_a_cue_and_nothing_is_shown_in_it() -> None:
    cues = cues_of(spoken("this goes on for a | little while"))
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in cues] == [
        (0, 1500, "this goes on for a"),
        (3500, 4500, "little while"),  # 0.6 s of speech, shown for a second
    ]


def test_a_long_sentence_is_broken_after_a_comma_in_lines_of_about_the_same_length() -> None:
    text = (
        "When the meeting in the large hall was over at last, everybody went down to the harbour to see the ships "
        "that had come in at night."
    )
    cues = cues_of(spoken(text, each_ms=250))
    assert [cue.text for cue in cues] == [
        "When the meeting in the\nlarge hall was over at last,",
        "everybody went down to the harbour to\nsee the ships that had come in at night.",
    ]


def test_a_short_word_goes_with_what_it_begins() -> None:
    assert [cue.text for cue in cues_of(spoken("Yes. That is how it was."))] == ["Yes. That is how it was."]
    alone = cues_of(spoken("Yes. | That is how it was."))
    assert [(cue.end_ms - cue.start_ms, cue.text) for cue in alone] == [(1000, "Yes."), (1500, "That is how it was.")]


def test_chinese_has_no_spaces_and_is_twice_as_wide() -> None:
    words = [
        Word(at * 200, at * 200 + 200, char)
        for at, char in enumerate("我们今天讨论新的项目和明年的预算以及假期安排" * 2)
    ]
    cues = cues_of(words)
    assert "".join(cue.text.replace("\n", "") for cue in cues) == "".join(word.text for word in words)
    assert all(len(line) <= LINE_CHARS // 2 for cue in cues for line in cue.text.split("\n"))


def width(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


WORDS = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 9000), st.text("abc.,?预-", min_size=1, max_size=20), st.booleans()),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(WORDS)
def test_any_words(told: list[tuple[int, int, str, bool]]) -> None:
    words, at = [], 0
    for gap, length, text, joined in told:
        words.append(Word(at + gap, at + gap + length, text if joined else f" {text}"))
        at += gap + length
    cues = cues_of(words)
    for cue in cues:
        assert 0 < cue.end_ms - cue.start_ms <= LONGEST_MS
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert all(line and width(line) <= LINE_CHARS for line in lines)
    for one, other in itertools.pairwise(cues):
        assert one.end_ms <= other.start_ms
    if all(length for _, length, _, _ in told):
        kept = "".join(cue.text for cue in cues).replace("\n", "").replace(" ", "")
        assert kept == "".join(word.text for word in words).replace(" ", "")
