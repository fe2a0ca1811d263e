"""How the folders may lie to each other: nothing that is written may lie where it would be taken as a drop.

Touches: in `check_layout` the folders (links resolved, mounts seen); `overlaps` itself is pure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import combinations

from nemo_watch import mounts
from nemo_watch.config.options import Config, Inbox

TARGETS = ("outbox", "rejects", "archive")
MOUNTINFO = "/proc/self/mountinfo"

Identity = tuple[int, int]
"""Device and inode of a folder: the same wherever it is mounted."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two folders that may not lie so; `key` is the way to the option that should change."""

    key: tuple[str | int, ...]
    sentence: str


def check_layout(
    config: Config,
    resolve: Callable[[str], str] | None = None,
    is_mount: Callable[[str], bool] | None = None,
    identify: Callable[[str], Identity | None] | None = None,
) -> list[str]:
    """Look at the real folders: links and mounts that make two of them one, and inboxes that are mount points.

    `resolve`, `is_mount` and `identify` look for it, by default those of os.path and `identity`.
    Effects: reads the folders' metadata; a mount that hangs makes this call hang, unless what looks there gives up.
    Repeat: safe
    """
    find = partial(_find_really, lines=_mounted(), identify=cache(identify or identity))
    found = [overlap.sentence for overlap in overlaps(config, resolve or os.path.realpath, find)]
    for inbox in config.inboxes:
        missing = [key for key in TARGETS if (inbox.name, key) in config.unnamed]
        if missing and (is_mount or os.path.ismount)(inbox.path):
            found.append(
                f'the inbox "{inbox.name}" ({inbox.path}) is itself a mount point, so its {" and ".join(missing)} '
                f"would lie outside that file system: name {'it' if len(missing) == 1 else 'them'} in [[inbox]]."
            )
    return found


def identity(path: str) -> Identity | None:
    """Tell which folder lies at a path, None if none can be seen. Repeat: safe."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _mounted() -> tuple[mounts.Mount, ...]:
    try:
        with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return mounts.parse(file.read())
    except FileNotFoundError:  # no /proc in this container: what the paths say must do
        return ()


def _find_really(
    path: str, folder: str, *, lines: Sequence[mounts.Mount], identify: Callable[[str], Identity | None]
) -> str:
    """Find one folder in another by its path, or by what is mounted there: then it is looked at."""
    guesses = () if _within(path, folder) else mounts.seen_below(path, folder, lines)
    seen = next((guess for guess in guesses if _is_same(guess, path, identify)), "")
    return _find(path, folder) or seen


def _is_same(one: str, other: str, identify: Callable[[str], Identity | None]) -> bool:
    """Tell whether two paths are one folder; of folders that are not made yet, whether they would be."""
    while (first := identify(one)) is None and identify(other) is None:
        if os.path.basename(one) != os.path.basename(other) or os.path.dirname(one) == one:
            return False
        one, other = os.path.dirname(one), os.path.dirname(other)
    return first is not None and first == identify(other)


def with_real_paths(config: Config, resolve: Callable[[str], str]) -> Config:
    """Resolve the links on the way to every inbox once: it stays that folder as long as the program runs.

    Effects: as `check_layout`. Repeat: safe
    """
    inboxes = (inbox.model_copy(update={"path": resolve(inbox.path)}) for inbox in config.inboxes)
    return replace(config, inboxes=tuple(inboxes))


def _find(path: str, folder: str) -> str:
    """Give the path inside a folder (or its own) that another one has, "" if it is not in there."""
    return path if _within(path, folder) else ""


def overlaps(
    config: Config, resolve: Callable[[str], str], find: Callable[[str, str], str] = _find
) -> Iterator[Overlap]:
    """Find folders that contain each other; `resolve` makes a path comparable, `find` looks for one in another."""
    inboxes = list(enumerate(config.inboxes))
    for (_, one), (number, other) in combinations(inboxes, 2):
        if one.name == other.name:
            yield Overlap(
                ("inbox", number, "name"), f'two inboxes are called "{one.name}": give each a name of its own.'
            )
        first, second = resolve(one.path), resolve(other.path)
        if find(first, second) or find(second, first):
            yield Overlap(
                ("inbox", number, "path"),
                f'the inboxes "{one.name}" ({first}) and "{other.name}" ({second}) overlap: a file would be taken '
                "twice.",
            )
    for number, inbox in inboxes:
        for key, path, who in _written(config):
            sentence = _inside(inbox, resolve(inbox.path), who, resolve(path), find)
            if sentence:
                yield Overlap(key, sentence)
        for one_key, other_key in combinations(TARGETS, 2):
            first, second = resolve(getattr(inbox, one_key)), resolve(getattr(inbox, other_key))
            if find(first, second) == second:
                yield Overlap(
                    ("inbox", number, other_key),
                    f'the {one_key} and the {other_key} of the inbox "{inbox.name}" are the same folder '
                    f"({first}{'' if first == second else f' and {second}'}): give each its own.",
                )


def _written(config: Config) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    for number, inbox in enumerate(config.inboxes):
        for key in TARGETS:
            yield ("inbox", number, key), getattr(inbox, key), f'the {key} of the inbox "{inbox.name}"'
    yield ("state", "path"), config.state.path, "the state folder"
    if not _within(config.state.spool, config.state.path):
        yield ("state", "spool"), config.state.spool, "the spool"


def _inside(inbox: Inbox, inbox_path: str, who: str, path: str, find: Callable[[str, str], str]) -> str:
    watched = f'the inbox "{inbox.name}" ({inbox_path})'
    seen = find(path, inbox_path)
    if seen == inbox_path:
        return f"{who} ({path}) is the same folder as {watched}: what is written there would be taken as a drop."
    if seen:
        where = "" if seen == path else f", where it is mounted as {seen}"
        return f"{who} ({path}) lies inside {watched}{where}: what is written there would be taken as a drop."
    seen = find(inbox_path, path)
    where = "" if seen == inbox_path else f", where it is mounted as {seen}"
    return f"{watched} lies inside {who} ({path}){where}: drops would lie among what is written." if seen else ""


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
