"""Names in outbox, rejects and archive: never one that is taken, never too long, never one that other systems reserve.

Pure.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

LONGEST_BYTES = 255
"""The longest file name of the usual file systems, in bytes."""

RESERVED = frozenset(
    {
        "con",
        "prn",
        "aux",
        "nul",
        "conin$",
        "conout$",
        *(f"{port}{n}" for port in ("com", "lpt") for n in "123456789¹²³"),
    }
)
"""Names that Windows and many NAS boxes refuse with any extension."""

_LONGEST_SUFFIX_BYTES = 200
"""What is longer is no suffix that anybody needs to recognise."""

_JOINERS = frozenset("\u200d\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
"""Join two signs into one, or choose the look of the sign before."""


def key(name: str) -> str:
    """Compute what two names must share to collide somewhere: Unicode form and case do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def free_name(stem: str, suffix: str, taken: Iterable[str]) -> str:
    """Find the first of `stem + suffix`, `stem-2 + suffix`, ... that is not taken, cut to 255 bytes.

    `suffix` is kept whole, so ".report.toml" stays recognisable. `taken` are names as listed in the folder.
    """
    return free_together([(stem, suffix)], taken)[0]


def free_together(parts: Sequence[tuple[str, str]], taken: Iterable[str], *, cut_alike: bool = True) -> list[str]:
    """Find names for (stem, suffix) pairs that are free together: with the same number, if any.

    Pairs that are the same get numbers that follow each other. No two names given are the same, either. `cut_alike`:
    stems too long for the longest suffix are cut in all names, so that they stay a pair; else each only where it must.
    """
    keys = {key(name) for name in taken}
    suffixes = [cut(suffix, _LONGEST_SUFFIX_BYTES) for _stem, suffix in parts]
    stems = [_unreserved(stem) for stem, _suffix in parts]
    number = 1
    while True:
        names = _numbered(stems, suffixes, number, cut_alike=cut_alike)
        mine = {key(name) for name in names}
        if len(mine) == len(names) and not mine & keys:
            return names
        number += 1


def _numbered(stems: Sequence[str], suffixes: Sequence[str], number: int, *, cut_alike: bool) -> list[str]:
    mark_bytes = len(_mark(number + max(Counter(zip(stems, suffixes, strict=True)).values()) - 1))
    longest = max(len(encode(suffix)) for suffix in suffixes)
    seen: Counter[str] = Counter()
    names: list[str] = []
    for stem, suffix in zip(stems, suffixes, strict=True):
        suffix_bytes = longest if cut_alike else len(encode(suffix))
        short = cut(stem, LONGEST_BYTES - mark_bytes - suffix_bytes)
        same = key(short + suffix)
        names.append(short + _mark(number + seen[same]) + suffix)
        seen[same] += 1
    return names


def _mark(number: int) -> str:
    return "" if number == 1 else f"-{number}"


def folder_name(part: str) -> str:
    """Make a folder's name fit for every system: not reserved, and not ending in what Windows cuts off."""
    room_bytes = LONGEST_BYTES
    while True:
        name = _unreserved(cut(part, room_bytes))
        name += "_" if name.endswith((".", " ")) else ""
        if len(encode(name)) <= LONGEST_BYTES:
            return name
        room_bytes -= 1


def folder_key(folder: str) -> str:
    """Compute what two "/"-separated folders must share to be mirrored as one."""
    return "/".join(key(folder_name(part)) for part in folder.split("/")) if folder else ""


def _unreserved(stem: str) -> str:
    """Mark a reserved name: with it, whatever follows its first dot is reserved too."""
    first, dot, rest = stem.partition(".")
    return f"{first}_{dot}{rest}" if first.rstrip(" ").casefold() in RESERVED else stem


def suffix_after(stem: str, name: str) -> str | None:
    """Find what follows a stem in the name of a file that belongs to it; None if it has another stem.

    Unicode form and case do not count, as they do not when files are paired.
    """
    wanted = key(stem)
    for length in range(len(name), 0, -1):
        if key(name[:length]) == wanted and name[length : length + 1] in ("", "."):
            return name[length:]
    return None


def cut(text: str, longest_bytes: int) -> str:
    """Cut a name to so many bytes, not in the middle of what a person takes for one sign, if that can be helped."""
    if len(encode(text)) <= longest_bytes:
        return text
    length = len(text)
    while length and len(encode(text[:length])) > longest_bytes:
        length -= 1
    whole = length
    while whole and (_continues(text[whole]) or text[whole - 1] == "\u200d"):
        whole -= 1
    return text[: whole or length]


def _continues(sign: str) -> bool:
    return sign in _JOINERS or unicodedata.category(sign) in ("Mn", "Me")


def encode(name: str) -> bytes:
    """Turn a name into the bytes that the disk knows it by."""
    return name.encode("utf-8", "surrogateescape")


def split(rel: str) -> tuple[str, str, str]:
    """Split a path below an inbox into folder ("" for the root), stem and suffix with its dot."""
    folder, _, name = rel.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return (folder, stem, dot + suffix) if stem else (folder, name, "")
