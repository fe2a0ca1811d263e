"""Subtitle files to cues."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_watch.sandbox.captions import MAX_BYTES, MAX_CUE_CHARS, CaptionsError, read_cues
from nemo_watch.sandbox.facts import Cue
from tests.mangling import bounded

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello <i>there</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nTwo\nlines\n"
VTT = "WEBVTT - a title\n\nNOTE nothing\n\nfirst\n00:01.000 --> 00:02.500 align:start\n"
VTT += "Hello <c.loud>there</c> &amp; you\n"


def test_srt() -> None:
    assert read_cues(SRT.encode()) == (Cue(1000, 2500, "Hello there"), Cue(3000, 4000, "Two\nlines"))


def test_vtt() -> None:
    assert read_cues(VTT.encode()) == (Cue(1000, 2500, "Hello there & you"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings(encoding: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\n你好，世界\n"
    assert read_cues(text.encode(encoding)) == (Cue(1000, 2000, "你好，世界"),)


@pytest.mark.parametrize(
    "words", ["Le résultat du café", "Größe für Ärzte", "¡Mañana! ¿Qué pasó?", "It’s “déjà vu” — naïve"]
)
def test_accents_of_windows_are_no_chinese(words: str) -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{words}\n"
    assert read_cues(text.encode("cp1252"))[0].text == words


def test_chinese_among_latin_letters() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nPython 和 C 语言, iPhone 的价格\n"
    assert read_cues(text.encode("gbk"))[0].text == "Python 和 C 语言, iPhone 的价格"


def test_line_ends_and_order() -> None:
    text = "2\r\n00:00:05,000 --> 00:00:06,000\r\nlater\r\n\r\n1\r\n00:00:01,000 --> 00:00:02,000\r\nearlier\r\n"
    assert [cue.text for cue in read_cues(text.encode())] == ["earlier", "later"]


def test_empty_and_backward_cues_are_dropped() -> None:
    text = SRT + "\n3\n00:00:09,000 --> 00:00:08,000\nbackward\n\n4\n00:00:10,000 --> 00:00:11,000\n<b></b>\n"
    assert len(read_cues(text.encode())) == 2


def test_a_text_never_keeps_marks_of_style() -> None:
    text = '1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<font color="red">Hi</font>\n'
    assert read_cues(text.encode())[0].text == "Hi"


def test_a_long_text_is_bounded() -> None:
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{'word ' * 700}\n"
    assert len(read_cues(text.encode())[0].text) <= MAX_CUE_CHARS


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"just a letter to you", "neither SRT nor WebVTT"),
        (b"\x00\x01\x02 --> ", "not text"),
        (b"\xff\xfe1\x00\n", "breaks off"),
        (b"1\n00:00:01,000 --> 00:00:02,000\n\n", "no cue"),
        (b"1\n00:00:02,000 --> 00:00:01,000\nbackward\n", "no cue"),
        (b"WEBVTT\n\n--> \n", "no cue"),
        (b"a" * (MAX_BYTES + 1), "larger than"),
        (b"-->" + b"a" * 100_000, "a line of more than"),
        (b"".join(b"1\n00:00:01,000 --> 00:00:02,000\nx\n\n" for _ in range(5001)), "more than 5000 cues"),
    ],
)
def test_what_cannot_be_used_gives_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(CaptionsError, match=says) as caught:
        read_cues(data)
    assert caught.value.message.endswith(".")


@settings(max_examples=200)
@given(
    st.one_of(st.binary(max_size=400), st.binary(max_size=60).map(lambda junk: junk.join([SRT.encode(), VTT.encode()])))
)
def test_any_bytes_give_cues_or_a_sentence(data: bytes) -> None:
    try:
        with bounded(cpu_s=2):
            cues = read_cues(data)
    except CaptionsError:
        return
    assert cues
    assert all(0 <= cue.start_ms < cue.end_ms and cue.text.strip() for cue in cues)


@settings(max_examples=200)
@given(st.text(alphabet="0123456789:,.-> \n<{}\\NhWEBVTaé你", max_size=300))
def test_any_text_near_the_format_gives_cues_or_a_sentence(text: str) -> None:
    for data in (text.encode(), ("WEBVTT\n\n" + text).encode()):
        with bounded(cpu_s=2), contextlib.suppress(CaptionsError):
            read_cues(data)


@pytest.mark.parametrize(
    "text",
    [
        # Marks of style over a line's end join what was two numbers; Python takes none of more than 4300 digits.
        "&#" + "1" * 3990 + "{\n}" + "1" * 3000 + ";",
        "&#" + "1" * 3990 + "<a\n>" + "1" * 3000 + ";",
    ],
)
def test_a_number_without_end_is_no_character(text: str) -> None:
    assert len(read_cues(f"1\n00:00:01,000 --> 00:00:02,000\nHi\n{text}\n".encode())) == 1


@pytest.mark.parametrize("mark", ["<a", "<", "{\\", "\\N", "&#1", "\n", "\n ", "\n1", "{\n", "i >", "00:00:01,000 "])
def test_what_is_repeated_without_end_takes_no_long_time(mark: str) -> None:
    unit = mark * (3000 // len(mark)) + "\n"
    text = "1\n00:00:01,000 --> 00:00:02,000\nHi" + unit * (200_000 // len(unit)) + "there\n"
    for data in (text.encode(), ("WEBVTT\n\n" + text.replace(",000", ".000")).encode()):
        with bounded(cpu_s=5), contextlib.suppress(CaptionsError):
            read_cues(data)
