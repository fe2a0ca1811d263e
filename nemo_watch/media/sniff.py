"""Judge a file by its bytes, without a child process: known container, whole or not. Touches: one open descriptor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nemo_watch.media.walks import MAX_PARTS, Ending, read_at, walk

Verdict = Literal["whole", "incomplete", "unchecked", "not_media", "empty"]
SniffKind = Literal["video", "image", "audio", ""]

_HEAD_BYTES = 4096
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"sidx"})
_PICTURE_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P "})
_ENDINGS: dict[Ending, str] = {
    "whole": "it is whole.",
    "incomplete": "its end is missing.",
    "unchecked": "its end tells nothing.",
}
_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


@dataclass(frozen=True, slots=True)
class Sniff:
    """What a file's bytes say.

    "whole": a container that was walked to its end. "incomplete": a known container that is cut short, or zeros that a
    copy has not filled yet. "unchecked": a known container whose end cannot be told from its bytes. `sentence` is for a
    person.
    """

    verdict: Verdict
    kind: SniffKind
    container: str
    sentence: str


def sniff(fd: int, size_bytes: int, name: str) -> Sniff:
    """Judge the file behind an open descriptor, reading a few kilobytes whatever its size.

    `name` only decides between sound and picture where the bytes allow both.

    Raises: MediaError (code "unreadable") if reading fails.
    Repeat: safe; the descriptor's position is not moved.
    Source: ISO/IEC 14496-12 4.2 (boxes), arrivals.md procedure 6; `walks` for the other containers.
    """
    if size_bytes <= 0:
        return Sniff("empty", "", "", "The file is empty.")
    head = read_at(fd, min(size_bytes, _HEAD_BYTES), 0)
    if not head.strip(b"\0"):
        return Sniff("incomplete", "", "", "The file begins with nothing but zeros: its content has not arrived yet.")
    suffix = name.rpartition(".")[2].lower()
    if head[4:8] in _FIRST_BOXES:
        return _sniff_boxes(fd, size_bytes, head, suffix)
    kind, container = _magic(head, suffix)
    if not container:
        return Sniff("not_media", "", "", "The file is neither a video nor an image nor a sound.")
    verdict = walk(fd, size_bytes, container)
    return Sniff(verdict, kind, container, f"The file begins like {container}; {_ENDINGS[verdict]}")


def _sniff_boxes(fd: int, size_bytes: int, head: bytes, suffix: str) -> Sniff:
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _PICTURE_BRANDS:
        return Sniff("not_media", "", "heif", "The file is an HEIF or AVIF picture, which is not an accepted type.")
    kind: SniffKind = "audio" if brand in _SOUND_BRANDS or suffix == "m4a" else "video"
    container = "mov" if brand in (b"qt  ", b"") else "mp4"

    def cut(sentence: str) -> Sniff:
        return Sniff("incomplete", kind, container, sentence)

    has_moov = False
    offset = 0
    for _ in range(MAX_PARTS):
        if offset == size_bytes:
            if has_moov:
                return Sniff("whole", kind, container, f"The file is a whole {container} container.")
            return cut("The file's index (moov) has not been written yet.")
        box = _box_at(fd, size_bytes, offset)
        if box is None:
            return cut(
                f"The file ends or is unwritten at byte {offset} of {size_bytes}, in the middle of its structure."
            )
        name, _, end = box
        if end > size_bytes:
            return cut(f"The file ends at byte {size_bytes}, but its content goes on to byte {end}.")
        has_moov = has_moov or name == b"moov"
        offset = end
    return Sniff("unchecked", kind, container, f"The file has more than {MAX_PARTS} parts; not all were looked at.")


def _box_at(fd: int, limit: int, offset: int) -> tuple[bytes, int, int] | None:
    """Read a box header: its type, where its content begins and where it ends; None if there is no box."""
    header = read_at(fd, 16, offset)
    if len(header) < 8 or offset + 8 > limit:
        return None
    length, name = int.from_bytes(header[:4]), header[4:8]
    if not all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in name):
        return None
    if length == 0:  # to the end of the file
        return name, offset + 8, limit
    if length == 1:
        length = int.from_bytes(header[8:16])
        return (name, offset + 16, offset + length) if len(header) == 16 and length >= 16 else None
    return (name, offset + 8, offset + length) if length >= 8 else None


def box_duration_ms(fd: int, size_bytes: int) -> int:
    """Read the length of an MP4 or MOV file from its movie header, 0 if there is none or it does not say.

    Units: milliseconds.
    Raises: MediaError (code "unreadable") if reading fails.
    Source: ISO/IEC 14496-12 8.2.2.
    """
    begin, end = 0, size_bytes
    for wanted in (b"moov", b"mvhd"):
        offset = begin
        for _ in range(MAX_PARTS):
            box = _box_at(fd, end, offset) if offset < end else None
            if box is None or box[2] > end:
                return 0
            if box[0] == wanted:
                begin, end = box[1], box[2]
                break
            offset = box[2]
        else:
            return 0
    body = read_at(fd, 32, begin)[: end - begin]
    wide = body[:1] == b"\x01"
    at, width = (20, 8) if wide else (12, 4)
    if len(body) < at + 4 + width:
        return 0
    timescale = int.from_bytes(body[at : at + 4])
    duration = int.from_bytes(body[at + 4 : at + 4 + width])
    unknown = (1 << (8 * width)) - 1
    return round(duration * 1000 / timescale) if timescale and duration != unknown else 0


def _magic(head: bytes, suffix: str) -> tuple[SniffKind, str]:
    """Name kind and container of everything that is accepted and has no boxes; ("", "") for all else."""
    riff = head[8:12] if head[:4] == b"RIFF" else b""
    found: tuple[SniffKind, str] = ("", "")
    if head[:4] == b"\x1aE\xdf\xa3":
        found = ("video", "webm" if b"webm" in head[:64] else "mkv")
    elif riff == b"AVI ":
        found = ("video", "avi")
    elif riff == b"WAVE" or (head[:4] == b"RF64" and head[8:12] == b"WAVE"):
        found = ("audio", "wav")
    elif riff == b"WEBP":
        found = ("image", "webp")
    elif head[:6] in (b"GIF87a", b"GIF89a"):
        found = ("image", "gif")
    elif head[:8] == b"\x89PNG\r\n\x1a\n":
        found = ("image", "png")
    elif head[:3] == b"\xff\xd8\xff":
        found = ("image", "jpg")
    elif head[:3] == b"ID3":
        found = ("audio", "aac" if suffix == "aac" else "mp3")
    elif _two_frames(head, _adts_length):
        found = ("audio", "aac")
    elif _two_frames(head, _mp3_length):
        found = ("audio", "mp3")
    return found


def _two_frames(head: bytes, length_of: Callable[[bytes], int]) -> bool:
    """Two bytes of a sync word are nothing: a second frame must follow, unless the head ends before it."""
    first = length_of(head)
    return first > 0 and (first + 6 > len(head) or length_of(head[first:]) > 0)


def _adts_length(frame: bytes) -> int:
    if len(frame) < 6 or frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0 or (frame[2] >> 2) & 0xF > 12:
        return 0
    length = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    return length if length > 7 else 0


def _mp3_length(frame: bytes) -> int:
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = (frame[1] >> 3) & 3, frame[2] >> 4, (frame[2] >> 2) & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    hertz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    kbps, samples = (_MPEG1_KBPS[bitrate], 144) if version == 3 else (_MPEG2_KBPS[bitrate], 72)
    return samples * kbps * 1000 // hertz + ((frame[2] >> 1) & 1)
