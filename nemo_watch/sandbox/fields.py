"""The values of a draft, read strictly: right kind, in range, or a sentence that says where they are not. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from nemo_watch.sandbox.errors import DraftError

LONGEST_MS = 6 * 3600 * 1000


def segments_of(track: Mapping[str, Any], number: int) -> Sequence[Mapping[str, Any]]:
    """Give a track's segments; none is no error."""
    segments = track.get("sg", [])
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        raise DraftError(f'Track {number} has no list of segments ("sg").')
    return segments


def in_order(track: Mapping[str, Any], number: int) -> list[Mapping[str, Any]]:
    """Give a track's segments in the order of their times."""
    return sorted(segments_of(track, number), key=lambda segment: whole(segment, "s", label_of(segment, number)))


def label_of(segment: Mapping[str, Any], number: int) -> str:
    """Name a segment as a sentence begins with it."""
    return f"Segment {str(segment.get('id', '?'))[:40]} of track {number}"


def span_of(segment: Mapping[str, Any], where: str) -> tuple[int, int]:
    """Give a segment's start and length.

    Units: milliseconds.
    """
    start_ms, length_ms = whole(segment, "s", where), whole(segment, "d", where)
    if start_ms + length_ms > LONGEST_MS:
        raise DraftError(f"{where} ends after {LONGEST_MS // 3600000} hours, the longest this backend renders.")
    return start_ms, length_ms


def text_of(segment: Mapping[str, Any], key: str) -> str:
    """Give a text, "" if there is none."""
    value = segment.get(key)
    return value if isinstance(value, str) else ""


def real(
    values: Mapping[str, Any], key: str, where: str, *, low: float, high: float, default: float | None = None
) -> float:
    """Give a number within bounds; a bool is none."""
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise DraftError(f'{where}: "{key}" must be a number from {low:g} to {high:g}, not {as_shown(value)}.')
    return float(value)


def whole(values: Mapping[str, Any], key: str, where: str, *, default: int | None = None) -> int:
    """Give whole milliseconds."""
    value = values.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_MS or value % 1:
        raise DraftError(f'{where}: "{key}" must be whole milliseconds from 0 to {LONGEST_MS}, not {as_shown(value)}.')
    return int(value)


def as_shown(value: object) -> str:
    """Write a value from outside so that a sentence can hold it."""
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number too large to show"
    return repr(value)[:40]


def frame_at(ms: float, fps: Fraction) -> int:
    """Round half up: Python's own rounding to even would make equal steps unequal."""
    return math.floor(Fraction(ms) * fps / 1000 + Fraction(1, 2))


def colour_of(values: Mapping[str, Any], key: str, where: str, default: str) -> str:
    """Give a colour as RRGGBBAA."""
    value = values.get(key)
    if value is None or value == "":
        return default
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?", value):
        raise DraftError(f'{where}: "{key}" must be a colour like #RRGGBB, not {as_shown(value)}.')
    return value[1:].upper().ljust(8, "F")
