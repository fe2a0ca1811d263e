"""sniff: whatever the bytes are, a verdict and nothing else."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nemo_watch.errors import MediaError
from nemo_watch.media import RunResult, Sniff, box_duration_ms, judge_ending, sniff

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
    assert (seen.kind, seen.container) == (kind, container)
    assert seen.verdict == ("unchecked" if container in ("mp3", "aac") else "incomplete")
    assert seen.sentence


# ---------------------------------------------------------------- ends


def element(name: bytes, body: bytes, width: int = 8) -> bytes:
    return name + ((1 << 7 * width) | len(body)).to_bytes(width) + body


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def riff(form: bytes, *chunks: bytes) -> bytes:
    return chunk(b"RIFF", form + b"".join(chunks))


def png_part(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), name) + body + struct.pack(">I", zlib.crc32(name + body))


NOISE = bytes(range(1, 255)) * 40
EBML = element(b"\x1aE\xdf\xa3", b"B\x82\x88matroska", width=1)
MKV = EBML + element(b"\x18\x53\x80\x67", NOISE)
LIVE_MKV = EBML + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + NOISE
AVI = riff(b"AVI ", chunk(b"LIST", b"hdrl" + NOISE), chunk(b"LIST", b"movi" + NOISE), chunk(b"idx1", b"00dc" * 9))
OPEN_DML = AVI + riff(b"AVIX", chunk(b"LIST", b"movi" + NOISE))
WAV = riff(b"WAVE", chunk(b"fmt ", bytes(16)), chunk(b"data", NOISE))
RF64 = (
    b"RF64\xff\xff\xff\xffWAVE"
    + chunk(b"ds64", struct.pack("<QQQI", 72 + len(NOISE), len(NOISE), 0, 0))
    + (chunk(b"fmt ", bytes(16)) + b"data\xff\xff\xff\xff" + NOISE)
)
WEBP = riff(b"WEBP", chunk(b"VP8 ", NOISE))
PNG = b"\x89PNG\r\n\x1a\n" + png_part(b"IHDR", bytes(13)) + png_part(b"IDAT", NOISE) + png_part(b"IEND", b"")
GIF = b"GIF89a\1\0\1\0\0\0\0" + NOISE.replace(b";", b"") + b"\0;"
PREVIEW = b"\xff\xe1" + struct.pack(">H", 2 + 8) + b"Exif\xff\xd8\xff\xd9"
SCAN = b"\xff\xda\0\2" + NOISE
JPEG = b"\xff\xd8" + PREVIEW + SCAN + b"\xff\xd9"
FILM = b"\xff\xe1" + struct.pack(">H", 2 + 12) + b"MotionPhoto\0"
SURE = {"mkv": MKV, "avi": AVI, "wav": WAV, "webp": WEBP, "png": PNG, "gif": GIF, "jpg": JPEG}


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        *((data, "whole") for data in SURE.values()),
        (OPEN_DML, "whole"),
        (RF64, "whole"),
        (OPEN_DML[:-300], "incomplete"),
        (RF64[:-300], "incomplete"),
        (MKV + b"trailing", "whole"),
        (MKV[:-2000] + bytes(2000), "unchecked"),
        (EBML, "incomplete"),
        (EBML + bytes(5000), "incomplete"),
        (LIVE_MKV, "unchecked"),
        (LIVE_MKV[:-2000], "unchecked"),
        (EBML + element(b"\xec", bytes(50)) + MKV[len(EBML) :], "whole"),
        (EBML + NOISE, "unchecked"),
        (AVI[:4] + b"\xff\xff\xff\xff" + AVI[8:], "unchecked"),
        (AVI[:4] + bytes(4) + AVI[8:], "unchecked"),
        (OPEN_DML[:-600] + bytes(600), "unchecked"),
        (AVI + bytes(4000), "unchecked"),
        (AVI + b"junk of a recorder", "whole"),
        (WAV[:4] + struct.pack("<I", len(WAV)) + WAV[8:], "whole"),  # a common mistake: 8 too many
        (WAV[:4] + struct.pack("<I", len(WAV)) + WAV[8:-4], "incomplete"),
        (riff(b"WAVE", chunk(b"fmt ", bytes(16)), chunk(b"data", bytes(4000))), "whole"),  # silence
        (WAV[:40] + bytes(4) + WAV[44:], "unchecked"),
        (riff(b"WAVE", chunk(b"data", b"odd"))[:-1], "whole"),
        (PNG + b"trailing" * 100, "whole"),
        (PNG[:-12], "incomplete"),
        (GIF + bytes(100), "whole"),
        (GIF + b"trailing", "unchecked"),
        (JPEG + bytes(100), "whole"),
        (JPEG + b"trailing" * 100, "whole"),
        (JPEG[:-2] + b"x" * 200_000, "incomplete"),
        (b"\xff\xd8" + FILM + JPEG[2:-2] + b"x" * 200_000, "unchecked"),
        (JPEG + b"x" * 200_000 + b"SEFT", "unchecked"),
        (b"\xff\xd8\xff\xe0\0\4ab" + b"odd" * 100, "unchecked"),
    ],
)
def test_ends(data: bytes, verdict: str) -> None:
    assert judge(data).verdict == verdict


@settings(max_examples=200)
@given(kind=st.sampled_from(sorted(SURE)), part=st.floats(0, 1, exclude_max=True))
def test_nothing_that_ends_too_early_is_whole(kind: str, part: float) -> None:
    data = SURE[kind]
    cut = data[: max(1, int(len(data) * part))]
    assert judge(cut).verdict != "whole"


def test_a_png_of_many_parts_is_walked_where_its_tail_tells_nothing() -> None:
    parts = b"".join(png_part(b"IDAT", NOISE[:10]) for _ in range(1000))
    png = b"\x89PNG\r\n\x1a\n" + parts + png_part(b"IEND", b"")
    assert judge(png + NOISE).verdict == "whole"
    assert judge(png[:-12] + png_part(b"IDAT", NOISE)[:-1]).verdict == "incomplete"
    assert judge(b"\x89PNG\r\n\x1a\n" + png_part(b"IDAT", b"") * 30_000).verdict == "unchecked"


# ---------------------------------------------------------------- what ffmpeg says of an end


def told(stderr: str = "", *, code: int = 0, stopped: Literal["", "wall", "stall"] = "") -> RunResult:
    return RunResult(code, stopped, stderr, 0, 0)


@pytest.mark.parametrize(
    ("container", "result", "verdict"),
    [
        ("mkv", told(), "whole"),
        ("webm", told(), "whole"),
        ("avi", told(), "unchecked"),
        ("mp3", told(), "unchecked"),
        ("mkv", told("[in#0/matroska,webm @ 0x5] File ended prematurely"), "incomplete"),
        ("mkv", told("0x00 at pos 309326 (0x4b84e) invalid as first byte of an EBML number"), "incomplete"),
        ("avi", told("[in#0/avi @ 0x5] Packet corrupt (stream = 0, dts = 73)."), "incomplete"),
        ("mp3", told("filesize and duration do not match (growing file?)"), "incomplete"),
        ("mkv", told("Error opening input files: Input/output error", code=251), "incomplete"),
        ("wav", told("[in#0/wav @ 0x5] Packet corrupt (stream = 0, dts = NOPTS)."), "unchecked"),
        ("mkv", told("Output file does not contain any stream", code=234), "not_media"),
        ("mkv", told("Unknown codec", code=234), "unchecked"),
        ("mkv", told(code=-11), "unchecked"),
        ("mkv", told("File ended prematurely", stopped="wall", code=-9), "unchecked"),
    ],
)
def test_what_a_reading_to_the_end_tells(container: str, result: RunResult, verdict: str) -> None:
    assert judge_ending(container, result) == verdict


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


@settings(max_examples=300)
@given(beginning=BEGINNINGS, rest=st.binary(max_size=300), lie=st.integers(-50, 2**40), name=st.text(max_size=20))
@example(beginning=FTYP, rest=struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1), lie=0, name="")
def test_any_bytes_of_any_claimed_size_give_a_verdict(beginning: bytes, rest: bytes, lie: int, name: str) -> None:
    data = beginning + rest
    with in_memory(data) as fd:
        seen = sniff(fd, len(data) + lie, name)
        assert seen.verdict in VERDICTS
        assert seen.sentence
        assert box_duration_ms(fd, len(data) + lie) >= 0


@settings(max_examples=100)
@given(cut=st.integers(1, len(FTYP + MOOV + MDAT) - 1))
def test_no_file_that_is_cut_short_is_whole(cut: int) -> None:
    assert judge((FTYP + MOOV + MDAT)[:cut]).verdict != "whole" or cut == len(FTYP + MOOV)
