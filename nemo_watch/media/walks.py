"""Tell by a container's own lengths and end marks whether a file is whole. Touches: one open descriptor."""

from __future__ import annotations

import os
from typing import Literal

from nemo_watch.errors import MediaError

Ending = Literal["whole", "incomplete", "unchecked"]

MAX_PARTS = 20_000
"""A file of 500 MB can claim 60 million parts; fragmented recordings of hours have some ten thousand."""
_TAIL_BYTES = 65_536
_ZEROS_BYTES = 512
_UNKNOWN_LENGTHS = frozenset({0, 0xFFFFFFFF})
_RIFF_SLACK_BYTES = 8
_EBML, _SEGMENT, _EBML_VOID = b"\x1aE\xdf\xa3", b"\x18\x53\x80\x67", b"\xec"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"
_FILM_WORDS = (b"MotionPhoto", b"MicroVideo", b"MPF\0")


def read_at(fd: int, count: int, offset: int) -> bytes:
    """Read without moving the descriptor's position. Raises: MediaError (code "unreadable") if reading fails."""
    try:
        return os.pread(fd, count, offset)
    except (OSError, OverflowError) as error:
        raise MediaError(
            f"The file cannot be read: {error}.", code="unreadable", hint="Check its permissions and the disk."
        ) from error


def walk(fd: int, size_bytes: int, container: str) -> Ending:
    """Judge the end of a file whose beginning is of this container ("mkv", "avi", "png", ...), in a few small reads.

    "unchecked": it cannot be told, as of a live recording, which never learns its own length, of raw frames of sound,
    or where what should be the end is still zeros.

    Raises: MediaError (code "unreadable") if reading fails.
    Source: RFC 8794 4 (EBML lengths), RFC 9559 (Segment), Microsoft's and OpenDML's RIFF, EBU 3306 (RF64), PNG 11.2.5,
        GIF89a 27, ITU T.81 B.2.1.
    """
    match container:
        case "mkv" | "webm":
            return _walk_matroska(fd, size_bytes)
        case "avi" | "wav" | "webp":
            return _walk_riff(fd, size_bytes)
        case "png":
            return _walk_png(fd, size_bytes)
        case "gif":
            return _end_of_gif(fd, size_bytes)
        case "jpg":
            return _end_of_jpeg(fd, size_bytes)
        case _:
            return "unchecked"


def _tail(fd: int, size_bytes: int, count: int) -> bytes:
    count = min(count, size_bytes)
    return read_at(fd, count, size_bytes - count)


def _ends_in_zeros(fd: int, size_bytes: int) -> bool:
    """Tell whether the end looks reserved and not written yet; no container whose lengths fit ends so by itself."""
    return not _tail(fd, size_bytes, _ZEROS_BYTES).strip(b"\0")


# ---------------------------------------------------------------- Matroska, WebM


def _number_at(data: bytes, at: int) -> tuple[int | None, int] | None:
    """Read an EBML length: its value (None: unknown) and where it ends; None if it is cut or none at all."""
    if at >= len(data) or not data[at]:
        return None
    width = 9 - data[at].bit_length()
    if at + width > len(data):
        return None
    value = int.from_bytes(data[at : at + width]) & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width


def _walk_matroska(fd: int, size_bytes: int) -> Ending:
    offset = 0
    for _ in range(MAX_PARTS):
        head = read_at(fd, 12, offset)
        name = next((name for name in (_EBML, _SEGMENT, _EBML_VOID) if head.startswith(name)), None)
        length = _number_at(head, len(name)) if name is not None else None
        if name is None or length is None:
            # Cut or still zeros before its content begins; anything else is for somebody who knows more.
            return "incomplete" if offset >= size_bytes or not head.strip(b"\0") else "unchecked"
        value, begin = length
        if value is None:
            return "unchecked"
        offset += begin + value
        if offset > size_bytes:
            return "incomplete"
        if name == _SEGMENT:
            return "unchecked" if _ends_in_zeros(fd, size_bytes) else "whole"
    return "unchecked"


# ---------------------------------------------------------------- AVI, WAV, WebP


def _walk_riff(fd: int, size_bytes: int) -> Ending:
    """Walk the RIFF chunks (OpenDML has several), and what lies in each: writers err about the outer length by 8."""
    offset = 0
    for _ in range(MAX_PARTS):
        head = read_at(fd, 28, offset)
        if len(head) < 12:
            return "incomplete" if not offset else "whole"  # a few bytes behind the last chunk belong to nobody
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"RF64" and head[12:16] == b"ds64":
            length = int.from_bytes(head[20:28], "little")
        elif head[:4] != b"RIFF":
            return "unchecked" if _ends_in_zeros(fd, size_bytes) else "whole"
        elif length in _UNKNOWN_LENGTHS:
            return "unchecked"
        end = offset + 8 + length
        if end > size_bytes + _RIFF_SLACK_BYTES:
            return "incomplete"
        inside = _walk_chunks(fd, size_bytes, offset + 12, min(end, size_bytes)) if head[:4] == b"RIFF" else "whole"
        if inside != "whole":
            return inside
        offset = end + length % 2
        if offset >= size_bytes:
            # Silence is zeros too; an index of film or the end of a picture is not.
            return "unchecked" if head[8:12] != b"WAVE" and _ends_in_zeros(fd, size_bytes) else "whole"
    return "unchecked"


def _walk_chunks(fd: int, size_bytes: int, offset: int, end: int) -> Ending:
    for _ in range(MAX_PARTS):
        if offset >= end:
            return "whole"
        head = read_at(fd, 8, offset)
        if len(head) < 8:
            return "incomplete"
        length = int.from_bytes(head[4:8], "little")
        if length == 0xFFFFFFFF or (length == 0 and head[:4] == b"data"):
            return "unchecked"
        offset += 8 + length
        if offset > size_bytes:
            return "incomplete"
        offset += length % 2
    return "unchecked"


# ---------------------------------------------------------------- pictures


def _walk_png(fd: int, size_bytes: int) -> Ending:
    if _PNG_END in _tail(fd, size_bytes, 64):
        return "whole"
    offset = 8
    for _ in range(MAX_PARTS):
        head = read_at(fd, 8, offset)
        offset += 12 + int.from_bytes(head[:4])
        if len(head) < 8 or offset > size_bytes or not head[4:8].isalpha():
            return "incomplete"
        if head[4:8] == b"IEND":
            return "whole"
    return "unchecked"


def _end_of_gif(fd: int, size_bytes: int) -> Ending:
    tail = _tail(fd, size_bytes, 1024)
    if tail.rstrip(b"\0").endswith(b";"):
        return "whole"
    return "unchecked" if b"\0;" in tail else "incomplete"


def _end_of_jpeg(fd: int, size_bytes: int) -> Ending:
    """Look for the end mark; cameras and telephones append whole films to it, so "incomplete" needs to be sure."""
    tail = _tail(fd, size_bytes, _TAIL_BYTES)
    if tail.rstrip(b"\0\n\r ").endswith(_JPEG_END):
        return "whole"
    scan = _first_scan(fd, size_bytes)  # previews with end marks of their own lie before it
    if scan is None or scan >= size_bytes:
        return "unchecked" if scan is None else "incomplete"
    if _JPEG_END in tail[max(0, scan - (size_bytes - len(tail))) :]:
        return "whole"
    appended = tail.endswith(b"SEFT") or any(word in read_at(fd, _TAIL_BYTES, 0) for word in _FILM_WORDS)
    return "unchecked" if appended else "incomplete"


def _first_scan(fd: int, size_bytes: int) -> int | None:
    """Find where the picture itself begins, behind the segments; the file's end if it is cut before, None if odd."""
    offset = 2
    for _ in range(MAX_PARTS):
        head = read_at(fd, 4, offset)
        if len(head) < 4:
            return size_bytes
        if head[0] != 0xFF:
            return None if head.strip(b"\0") else size_bytes
        if head[1] == 0xDA:
            return offset
        offset += 1 if head[1] == 0xFF else 2 + int.from_bytes(head[2:4])
    return None
