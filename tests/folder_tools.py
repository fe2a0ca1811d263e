"""Folders and drops for the tests of `nemo_watch.folders`."""

from __future__ import annotations

import os

from nemo_watch import folders
from nemo_watch.folders import MoveResult, Places
from nemo_watch.model import FileRef


def make_places(root: str, **elsewhere: str) -> Places:
    """Make the four folders of an inbox below `root`; some of them may lie elsewhere."""
    paths = {
        name: elsewhere.get(name) or os.path.join(root, name) for name in ("inbox", "outbox", "rejects", "archive")
    }
    for path in paths.values():
        os.makedirs(path, exist_ok=True)
    return Places(**paths)


def drop(places: Places, rel: str, content: bytes = b"clip") -> FileRef:
    """Write a file into the inbox."""
    path = os.path.join(places.inbox, rel)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(content)
    return ref_of(places, rel)


def ref_of(places: Places, rel: str) -> FileRef:
    """Give a file of the inbox as it is now."""
    return FileRef(rel, folders.stamp_of(os.lstat(os.path.join(places.inbox, rel))))


def target_of(places: Places, rel: str, root: str = "") -> str:
    """Plan where a file of the inbox goes."""
    return folders.plan_moves(places, root or places.archive, [rel])[0].target


def move(places: Places, ref: FileRef, root: str = "", target: str = "") -> MoveResult:
    """Move a file of the inbox to the archive, or elsewhere."""
    root = root or places.archive
    return folders.move_original(places.inbox, ref, root, target or target_of(places, ref.rel, root), "job")


def names(folder: str) -> list[str]:
    """List a folder."""
    return sorted(os.listdir(folder))


def read(path: str) -> bytes:
    """Read a file."""
    with open(path, "rb") as file:
        return file.read()
