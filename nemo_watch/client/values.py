"""Single values of the wire, read with tolerance: whatever comes, a value of ours or none. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from nemo_watch.model import Json
from nemo_watch.reply import printable


def to_int(value: Any) -> int | None:
    """Read an integer from a number or a string of digits, None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if isinstance(value, float) and value == int_or_none(value):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        if text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18:
            return int(text)
    return None


def int_or_none(value: float) -> int | None:
    """Give a float as an integer if it is finite and of a sensible size."""
    return int(value) if math.isfinite(value) and abs(value) < 1e15 else None


def to_number(value: Any) -> float:
    """Read a number that is not negative from a number or a string, 0 for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and 0 <= number < 1e18 else 0.0


def moment(value: Any) -> datetime | None:
    """Read a moment from ISO 8601 text or epoch seconds or milliseconds, None for anything else."""
    if isinstance(value, str) and value.strip():
        try:
            return aware(datetime.fromisoformat(value.strip()))
        except ValueError:
            pass
    seconds = to_number(value)
    if seconds > 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC) if 1e9 < seconds < 1e11 else None


def is_token(text: str) -> bool:
    """Say whether a text can go into an Authorization header as a token."""
    return 0 < len(text) <= 8192 and all("!" <= char <= "~" for char in text)


def aware(value: datetime) -> datetime:
    """Give a moment in UTC; one without a zone is taken to be in UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def id_of(source: Json, *keys: str) -> str:
    """Read the first id that one of the keys holds, as text; "" if none does."""
    for key in keys:
        value = source.get(key)
        if isinstance(value, str) and value.strip():
            return printable(value)[:200]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value) if abs(value) < 10**100 else ""
    return ""


def as_dict(value: Any) -> Json:
    """Give a JSON object, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def deeper_than(value: Any, limit: int) -> bool:
    """Tell whether lists and objects are nested deeper than this."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True
