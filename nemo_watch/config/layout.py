"""How the folders may lie to each other: nothing that is written may lie where it would be taken as a drop.

Touches: in `check_layout` the folders (links resolved, mount points seen); `overlaps` itself is pure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from nemo_watch.config.options import Config, Inbox

TARGETS = ("outbox", "rejects", "archive")


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two folders that may not lie so; `key` is the way to the option that should change."""

    key: tuple[str | int, ...]
    sentence: str


def check_layout(
    config: Config,
    resolve: Callable[[str], str] | None = None,
    is_mount: Callable[[str], bool] | None = None,
) -> list[str]:
    """Look at the real folders: links that make two of them one, and inboxes that are mount points.

    `resolve` and `is_mount` look for it, by default those of os.path.
    Effects: reads the folders' metadata; a mount that hangs makes this call hang, unless what looks there gives up.
    Repeat: safe
    """
    found = [overlap.sentence for overlap in overlaps(config, resolve or os.path.realpath)]
    for inbox in config.inboxes:
        missing = [key for key in TARGETS if (inbox.name, key) in config.unnamed]
        if missing and (is_mount or os.path.ismount)(inbox.path):
            found.append(
                f'the inbox "{inbox.name}" ({inbox.path}) is itself a mount point, so its {" and ".join(missing)} '
                f"would lie outside that file system: name {'it' if len(missing) == 1 else 'them'} in [[inbox]]."
            )
    return found


def with_real_paths(config: Config, resolve: Callable[[str], str]) -> Config:
    """Resolve the links on the way to every inbox once: it stays that folder as long as the program runs.

    Effects: as `check_layout`. Repeat: safe
    """
    inboxes = (inbox.model_copy(update={"path": resolve(inbox.path)}) for inbox in config.inboxes)
    return replace(config, inboxes=tuple(inboxes))


def overlaps(config: Config, resolve: Callable[[str], str]) -> Iterator[Overlap]:
    """Find folders that contain each other; `resolve` makes a path comparable."""
    inboxes = list(enumerate(config.inboxes))
    for (_, one), (number, other) in combinations(inboxes, 2):
        if one.name == other.name:
            yield Overlap(
                ("inbox", number, "name"), f'two inboxes are called "{one.name}": give each a name of its own.'
            )
        if _touch(resolve(one.path), resolve(other.path)):
            yield Overlap(
                ("inbox", number, "path"),
                f'the inboxes "{one.name}" ({resolve(one.path)}) and "{other.name}" ({resolve(other.path)}) overlap: '
                "a file would be taken twice.",
            )
    for number, inbox in inboxes:
        for key, path, who in _written(config):
            if _touch(resolve(inbox.path), resolve(path)):
                yield Overlap(key, _inside(inbox, resolve(inbox.path), who, resolve(path)))
        for one_key, other_key in combinations(TARGETS, 2):
            if resolve(getattr(inbox, one_key)) == resolve(getattr(inbox, other_key)):
                yield Overlap(
                    ("inbox", number, other_key),
                    f'the {one_key} and the {other_key} of the inbox "{inbox.name}" are the same folder '
                    f"({resolve(getattr(inbox, one_key))}): give each its own.",
                )


def _written(config: Config) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    for number, inbox in enumerate(config.inboxes):
        for key in TARGETS:
            yield ("inbox", number, key), getattr(inbox, key), f'the {key} of the inbox "{inbox.name}"'
    yield ("state", "path"), config.state.path, "the state folder"
    if not _within(config.state.spool, config.state.path):
        yield ("state", "spool"), config.state.spool, "the spool"


def _inside(inbox: Inbox, inbox_path: str, who: str, path: str) -> str:
    watched = f'the inbox "{inbox.name}" ({inbox_path})'
    if inbox_path == path:
        return f"{who} ({path}) is the same folder as {watched}: what is written there would be taken as a drop."
    if _within(path, inbox_path):
        return f"{who} ({path}) lies inside {watched}: what is written there would be taken as a drop."
    return f"{watched} lies inside {who} ({path}): drops would lie among what is written."


def _touch(one: str, other: str) -> bool:
    return _within(one, other) or _within(other, one)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
