"""Names in outbox, rejects and archive: never one that is taken, never too long, never one that other systems reserve.

Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

LONGEST_BYTES = 255
"""The longest file name of the usual file systems, in bytes."""

RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
)
"""Names that Windows and many NAS boxes refuse with any extension."""


def key(name: str) -> str:
    """Compute what two names must share to collide somewhere: Unicode form and case do not count."""
    return unicodedata.normalize("NFC", name).casefold()


def free_name(stem: str, suffix: str, taken: Iterable[str]) -> str:
    """Find the first of `stem + suffix`, `stem-2 + suffix`, ... that is not taken, cut to 255 bytes.

    `suffix` is kept whole, so ".report.toml" stays recognisable. `taken` are names as listed in the folder.
    """
    return free_names(stem, [suffix], taken)[0]


def free_names(stem: str, suffixes: Sequence[str], taken: Iterable[str]) -> list[str]:
    """Find names that are free together: the same number, if any, for all suffixes of one stem."""
    keys = {key(name) for name in taken}
    if stem.split(".")[0].casefold() in RESERVED:
        stem += "_"
    number = 1
    while True:
        mark = "" if number == 1 else f"-{number}"
        longest = max(len(encode(mark + suffix)) for suffix in suffixes)
        short = cut(stem, LONGEST_BYTES - longest)
        names = [short + mark + suffix for suffix in suffixes]
        if not any(key(name) in keys for name in names):
            return names
        number += 1


def cut(text: str, longest_bytes: int) -> str:
    """Cut a name to so many bytes without splitting a character."""
    raw = encode(text)
    if len(raw) <= longest_bytes:
        return text
    while text and len(encode(text)) > longest_bytes:
        text = text[:-1]
    return text


def encode(name: str) -> bytes:
    """Turn a name into the bytes that the disk knows it by."""
    return name.encode("utf-8", "surrogateescape")


def split(rel: str) -> tuple[str, str, str]:
    """Split a path below an inbox into folder ("" for the root), stem and suffix with its dot."""
    folder, _, name = rel.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return (folder, stem, dot + suffix) if stem else (folder, name, "")
