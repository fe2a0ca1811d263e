"""What an instruction file says: its bytes become Instructions or a text, or a complaint with its line. Pure.

A `.txt` is one message, or several with a line `---` between them. A `.toml` says more (product.md 3). All complaints
about one file are told at once, because the person who reads them may sit behind a slow synced folder.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from datetime import tzinfo
from itertools import chain
from typing import Any

from nemo_watch.errors import SidecarError
from nemo_watch.model import Instructions, Originals, TomlFacts
from nemo_watch.sidecar.text import LIMIT_BYTES, decoded, empty, is_visible, messages
from nemo_watch.sidecar.toml import BATCH_NAME, KEYS, TomlSidecar, folded, gives_work_alone, read_toml

__all__ = ["BATCH_NAME", "KEYS", "LIMIT_BYTES", "facts", "gentler", "parse", "parse_text"]

_KINDNESS: tuple[Originals, ...] = ("delete", "archive", "keep")
_MEANS_CLIPS = re.compile(r"\[\[\s*[\"']?clip\b")
_MEANS_URL = re.compile(r"^[ \t]*[\"']?url[\"']?[ \t]*=[ \t]*[\"']*https?:", re.MULTILINE)


def parse(data: bytes, name: str, *, zone: tzinfo | None = None) -> Instructions:
    """Read a sidecar's bytes; `name` tells by its ending whether it is TOML or plain text.

    A `not_before` without an offset is in `zone`, by default the host's own.

    Raises: SidecarError naming line and column, or the byte offset where the text cannot be read.
    """
    text = decoded(data)
    if _is_toml(name):
        return TomlSidecar(read_toml(text), name, zone).instructions()
    return Instructions(steps=messages(text))


def parse_text(data: bytes) -> str:
    """Read a `.prompt.txt` or `.ask.txt`: all of it is one text, nothing is split. Raises: SidecarError."""
    text = decoded(data).strip()
    if not is_visible(text):
        raise empty("a sunrise over the sea, 10 seconds")
    return text


def facts(data: bytes, name: str) -> TomlFacts:
    """Find out what must be known of a TOML sidecar before it is anybody's instruction. Never raises.

    One that cannot be used names no files, but a batch whose TOML can be parsed: so only its own clips wait for it. It
    still gives work by itself if it means to: so what is wrong with it is told to somebody.
    """
    if not _is_toml(name):
        return TomlFacts()
    can_be_url, can_be_batch = gives_work_alone(name), folded(name) == BATCH_NAME
    try:
        document = read_toml(decoded(data))
    except SidecarError:
        means_clips, means_url = _guessed(data)
    else:
        with contextlib.suppress(SidecarError):
            return _usable(TomlSidecar(document, name, None).instructions())
        if can_be_batch and "clip" in document.values:
            return _named(document.values)
        means_clips, means_url = "clip" in document.values, "url" in document.values
    return TomlFacts(is_url=can_be_url and means_url and not means_clips, is_broken=can_be_batch and means_clips)


def _usable(said: Instructions) -> TomlFacts:
    if said.clips:
        assets = dict.fromkeys(chain(said.assets, *(clip.assets for clip in said.clips)))
        return TomlFacts(tuple(assets), clips=tuple(clip.file for clip in said.clips))
    return TomlFacts(said.assets, is_url=bool(said.url))


def _guessed(data: bytes) -> tuple[bool, bool]:
    """Guess whether a file that is no TOML means to be a batch, and whether it means to give an address."""
    try:
        text = decoded(data)
    except SidecarError:  # UTF-16 that broke off is read by its letters
        text = data.replace(b"\0", b"").decode("latin-1")
    return bool(_MEANS_CLIPS.search(text)), bool(_MEANS_URL.search(text))


def _named(table: Mapping[str, Any]) -> TomlFacts:
    """Tell which files a batch names that cannot be used as it is; it is broken only if not every clip has a name."""
    clips = table["clip"] if isinstance(table["clip"], list) else [table["clip"]]
    tables = [clip for clip in clips if isinstance(clip, dict)]
    names = [clip["file"] for clip in tables if isinstance(clip.get("file"), str)]
    assets = [entry for given in (table, *tables) for entry in _list(given.get("assets")) if isinstance(entry, str)]
    return TomlFacts(tuple(dict.fromkeys(assets)), clips=tuple(names), is_broken=len(names) < len(clips))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def gentler(inbox: Originals, sidecar: Originals | None) -> Originals:
    """Choose what happens to the originals: the sidecar may only ask for something gentler than the inbox's way."""
    if sidecar is None:
        return inbox
    return max(inbox, sidecar, key=_KINDNESS.index)


def _is_toml(name: str) -> bool:
    return name.casefold().endswith(".toml")
