"""Files of ours: results and reports appear in outbox and rejects whole or not at all.

Touches: outbox, rejects and spool.
"""

from __future__ import annotations

import hashlib
import os

from nemo_watch.errors import MediaError
from nemo_watch.folders.files import (
    Spot,
    is_same,
    pour,
    rename_new,
    target_errors,
    write_all,
    write_whole,
)
from nemo_watch.folders.naming import is_crowded, naming
from nemo_watch.folders.planning import Plan
from nemo_watch.folders.reading import is_content
from nemo_watch.folders.targets import is_below, target_spot
from nemo_watch.folders.temps import temp_name


def publish(root: str, plan: Plan, mark: str) -> bool:
    """Copy a file of ours to its final name below `root`: it appears there whole or not at all.

    Returns False if the name was taken by another file since it was planned (one whose name differs by case or Unicode
    form alone takes it, too), or lies elsewhere since the config was changed: plan again. A file that is already there
    with the planned content is ours, from before a kill, and so is a temporary one with the plan's mark. It gets the
    rights that the umask gives. Raises: FolderError; MediaError ("spool_damaged") if the file to be copied is not what
    was planned any more. Repeat: safe.
    """
    if not is_below(root, plan.target):
        return is_content(plan.target, plan.sha256)

    def feed(fd: int) -> str:
        try:
            source_fd = os.open(plan.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise _spool_damaged(plan.source, "is gone") from error
        try:
            if pour(source_fd, fd) != plan.sha256:
                raise _spool_damaged(plan.source, "is not what was downloaded any more")
        finally:
            os.close(source_fd)
        return plan.sha256

    with target_spot(root, plan.target) as target, target_errors(os.path.dirname(plan.target)):
        temp = target.beside(temp_name(mark))
        if target.stat() is not None:
            return _is_ours(target, temp, plan.sha256)
        if is_crowded(target):
            temp.unlink()
            return False
        write_whole(temp, feed)
        return _give_name(temp, target)


def _spool_damaged(path: str, how: str) -> MediaError:
    return MediaError(
        f"The result in the spool {how} ({path}).",
        code="spool_damaged",
        hint="It is fetched again by itself, which is free; look at the disk of the spool.",
    )


def write_new(root: str, target: str, content: bytes, mark: str) -> bool:
    """Write a small file of ours whole under a new name below `root`; the same content already there counts as written.

    Returns False if the name is taken by something else. Raises: FolderError. Repeat: safe.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if not is_below(root, target):
        return is_content(target, sha256)

    def feed(fd: int) -> str:
        write_all(fd, content)
        return sha256

    with target_spot(root, target) as spot, target_errors(os.path.dirname(target)):
        temp = spot.beside(temp_name(mark))
        if spot.stat() is not None:
            return _is_ours(spot, temp, sha256)
        write_whole(temp, feed)
        return _give_name(temp, spot)


def _is_ours(target: Spot, temp: Spot, sha256: str) -> bool:
    if not target.has(sha256):
        return False
    if is_same(temp, target):
        temp.unlink()
    target.sync()  # a kill may have come before the first one
    return True


def _give_name(temp: Spot, target: Spot) -> bool:
    with naming(target.at):
        is_named = not is_crowded(target) and rename_new(temp, target)
    if not is_named:
        temp.unlink()
        return False
    target.sync()
    return True


def remove_own(path: str, content: bytes) -> None:
    """Remove a small file of ours, if it still is what we wrote. Raises: FolderError. Repeat: safe."""
    with target_errors(os.path.dirname(path)):
        if os.path.lexists(path) and is_content(path, hashlib.sha256(content).hexdigest()):
            os.unlink(path)


def make_folder(path: str) -> None:
    """Make a folder of ours with its parents. Raises: FolderError. Repeat: safe."""
    with target_errors(path):
        os.makedirs(path, exist_ok=True)


def take_name(source: str, target: str) -> None:
    """Rename a file of ours inside the spool, replacing what lies there. Raises: FolderError. Repeat: once."""
    with target_errors(os.path.dirname(target)):
        os.replace(source, target)
