"""sniff: whatever the bytes are, a verdict and nothing else."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nemo_watch.errors import MediaError
from nemo_watch.media import Sniff, box_duration_ms, sniff

VERDICTS = {"whole", "incomplete", "unchecked", "not_media", "empty"}


@contextmanager
def in_memory(data: bytes) -> Iterator[int]:
    """A descriptor of memory: no disk is touched."""
    fd = os.memfd_create("sniffed")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def judge(data: bytes, name: str = "clip.mp4") -> Sniff:
    with in_memory(data) as fd:
        return sniff(fd, len(data), name)


def box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2")
MVHD = box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 600, 1500) + bytes(80))
MOOV = box(b"moov", MVHD)
MDAT = box(b"mdat", bytes(100))


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (FTYP + MOOV + MDAT, "whole"),
        (FTYP + MDAT + MOOV, "whole"),
        (MDAT + MOOV, "whole"),
        (FTYP + MOOV + struct.pack(">I4s", 0, b"mdat") + bytes(50), "whole"),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100), "whole"),
        (FTYP + MOOV + MDAT[:-1], "incomplete"),
        (FTYP + MDAT, "incomplete"),
        (FTYP + struct.pack(">I4s", 0, b"mdat") + bytes(50), "incomplete"),
        (FTYP + MOOV + MDAT + bytes(4096), "incomplete"),
        (FTYP + MOOV + MDAT + b"x", "incomplete"),
        (FTYP + MOOV + struct.pack(">I4s", 7, b"mdat"), "incomplete"),
        (FTYP + MOOV + struct.pack(">I4sQ", 1, b"mdat", 3), "incomplete"),
        (FTYP[:10], "incomplete"),
        (bytes(100_000), "incomplete"),
        (b"", "empty"),
        (b"hello, this is no video", "not_media"),
        (b"ffconcat version 1.0\nfile a.mp4\n", "not_media"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_media"),
        (b"#EXTM3U\n#EXTINF:10,\na.ts\n", "not_media"),
        (b"%PDF-1.7", "not_media"),
        (box(b"ftyp", b"heic\0\0\0\0mif1") + MDAT, "not_media"),
        (b"\xff\xff\xff\xff\xff\xff", "not_media"),
    ],
)
def test_verdict(data: bytes, verdict: str) -> None:
    assert judge(data).verdict == verdict


@pytest.mark.parametrize(
    ("data", "name", "kind", "container"),
    [
        (
            b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm",
            "a.webm",
            "video",
            "webm",
        ),
        (b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroska", "a.mkv", "video", "mkv"),
        (b"RIFF\x24\0\0\0AVI LIST", "a.avi", "video", "avi"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a.wav", "audio", "wav"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "a.webp", "image", "webp"),
        (b"GIF89a\1\0\1\0", "a.gif", "image", "gif"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.png", "image", "png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a.jpg", "image", "jpg"),
        (b"ID3\4\0\0\0\0\0\0", "a.mp3", "audio", "mp3"),
        (b"ID3\4\0\0\0\0\0\0", "a.aac", "audio", "aac"),
        (2 * (b"\xff\xfb\x54\xc4" + bytes(188)), "a.mp3", "audio", "mp3"),
        (2 * (b"\xff\xf1\x4c\x80\x02\x1f\xfc" + bytes(9)), "a.aac", "audio", "aac"),
    ],
)
def test_known_beginnings(data: bytes, name: str, kind: str, container: str) -> None:
    seen = judge(data, name)
    assert (seen.verdict, seen.kind, seen.container) == ("unchecked", kind, container)


def test_a_sync_word_alone_is_no_sound() -> None:
    assert judge(b"\xff\xfb\x50\xc4" + b"text" * 500).verdict == "not_media"
    assert judge(b"\xff\xf1\x4c\x80\x02\x1f\xfc" + b"text" * 500).verdict == "not_media"


def test_sound_in_boxes_is_sound() -> None:
    assert judge(box(b"ftyp", b"M4A \0\0\0\0") + MOOV + MDAT, "x.mp4").kind == "audio"
    assert judge(FTYP + MOOV + MDAT, "x.m4a").kind == "audio"
    assert judge(FTYP + MOOV + MDAT, "x.mp4").kind == "video"


def test_a_file_of_a_million_boxes_is_left_after_twenty_thousand() -> None:
    assert judge(FTYP + MOOV + box(b"free") * 1_000_000).verdict == "unchecked"


def test_a_file_that_shrinks_while_it_is_read_is_incomplete() -> None:
    with in_memory(FTYP + MOOV + MDAT[:20]) as fd:
        assert sniff(fd, len(FTYP + MOOV + MDAT), "clip.mp4").verdict in ("whole", "incomplete")
    with in_memory(FTYP) as fd:
        assert sniff(fd, len(FTYP + MOOV), "clip.mp4").verdict == "incomplete"


def test_a_descriptor_that_cannot_be_read_is_our_error() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(MediaError) as caught:
            sniff(reader, 100, "clip.mp4")
        assert caught.value.code == "unreadable"
    finally:
        os.close(reader)
        os.close(writer)


def test_length_of_the_movie_header() -> None:
    wide = box(b"mvhd", struct.pack(">B3xQQIQ", 1, 0, 0, 1000, 2**33))
    for data, length_ms in (
        (FTYP + MOOV + MDAT, 2500),
        (FTYP + MDAT + box(b"moov", box(b"free") + wide), 2**33),
        (FTYP + MDAT, 0),
        (FTYP + box(b"moov", box(b"mvhd", b"\0\0\0")), 0),
        (FTYP + box(b"moov", box(b"mvhd", struct.pack(">IIIII", 0, 0, 0, 0, 5))), 0),
    ):
        with in_memory(data) as fd:
            assert box_duration_ms(fd, len(data)) == length_ms


BEGINNINGS = st.sampled_from(
    [
        b"",
        FTYP,
        MOOV,
        FTYP + MOOV,
        b"\0" * 8,
        b"\xff\xfb",
        b"\xff\xf1",
        b"RIFF",
        b"ID3",
        b"\x1aE\xdf\xa3",
        b"\0\0\0\1mdat",
    ]
)


@settings(max_examples=300, deadline=None)
@given(beginning=BEGINNINGS, rest=st.binary(max_size=300), lie=st.integers(-50, 2**40), name=st.text(max_size=20))
@example(beginning=FTYP, rest=struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), lie=0, name="")
def test_any_bytes_of_any_claimed_size_give_a_verdict(beginning: bytes, rest: bytes, lie: int, name: str) -> None:
    data = beginning + rest
    with in_memory(data) as fd:
        seen = sniff(fd, len(data) + lie, name)
        assert seen.verdict in VERDICTS
        assert seen.sentence
        assert box_duration_ms(fd, len(data) + lie) >= 0


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(1, len(FTYP + MOOV + MDAT) - 1))
def test_no_file_that_is_cut_short_is_whole(cut: int) -> None:
    assert judge((FTYP + MOOV + MDAT)[:cut]).verdict != "whole" or cut == len(FTYP + MOOV)
