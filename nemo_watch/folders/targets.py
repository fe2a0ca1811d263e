"""Folders of outbox, rejects and archive, held open while something is put into them.

Touches: outbox, rejects and archive (making folders).
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from nemo_watch.errors import FolderError
from nemo_watch.folders.files import Spot, sync_folder, target_errors
from nemo_watch.folders.names import folder_name, free_name, key
from nemo_watch.folders.naming import naming


def is_below(root: str, path: str) -> bool:
    """Tell whether a planned path lies below a folder of the config, as the config is now."""
    return path.startswith(os.path.join(root, ""))


@contextlib.contextmanager
def target_folder(root: str, folder: str) -> Iterator[int]:
    """Hold a folder below `root` open, making what is missing on the way.

    The names of these folders come from whoever can drop. So a symbolic link among them is followed only if somebody
    laid it who may decide where files go: root, the daemon's own user, or the owner of `root`. Anybody else's would
    let him write with the daemon's rights where he has none.
    Raises: FolderError. Effects: makes folders, durably. Repeat: safe.
    """
    with _walk(root, folder, mirrors=False) as (at, _names):
        yield at


@contextlib.contextmanager
def mirrored_folder(root: str, folder: str) -> Iterator[tuple[int, str]]:
    """Hold open what mirrors a folder of the inbox below `root`, and give its path below `root`.

    Its names are fit for every system. Folders that cannot be told apart elsewhere, as only case or Unicode form
    differs, are mirrored as one. Raises, Effects: as `target_folder`.
    """
    with _walk(root, folder, mirrors=True) as (at, names):
        yield at, "/".join(names)


@contextlib.contextmanager
def _walk(root: str, folder: str, *, mirrors: bool) -> Iterator[tuple[int, list[str]]]:
    names: list[str] = []
    with target_errors(root):
        os.makedirs(root, exist_ok=True)
        at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        trusted = (0, os.geteuid(), os.fstat(at).st_uid)
        path = root
        for part in folder.split("/") if folder else ():
            with target_errors(os.path.join(path, part)), naming(at) if mirrors else contextlib.nullcontext():
                name = _mirror(at, part) if mirrors else part
                path = os.path.join(path, name)
                inner = _enter(at, name, path, trusted)
            names.append(name)
            os.close(at)
            at = inner
        yield at, names
    finally:
        os.close(at)


@contextlib.contextmanager
def target_spot(root: str, target: str) -> Iterator[Spot]:
    """Hold the folder of a planned path below `root` open. Raises: FolderError."""
    folder, name = os.path.split(os.path.relpath(target, root))
    with target_folder(root, folder) as at:
        yield Spot(at, name, target)


def _mirror(at: int, part: str) -> str:
    """Choose the name of a mirrored folder: the one that is there, or a free one if a file has its name."""
    wanted = folder_name(part)
    if _may_be_entered(at, wanted):
        return wanted
    number, names = 1, os.listdir(at)
    while True:
        name = wanted if number == 1 else free_name(f"{wanted}-{number}", "", ())
        alike = sorted(other for other in names if key(other) == key(name))
        if not alike:
            return name
        for other in alike:
            if _may_be_entered(at, other):
                return other
        number += 1


def _may_be_entered(at: int, name: str) -> bool:
    try:
        found = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode)


def _enter(at: int, part: str, path: str, trusted: tuple[int, ...]) -> int:
    try:
        os.mkdir(part, dir_fd=at)
        sync_folder(at)
    except FileExistsError:
        pass
    way = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        found = os.fstat(way)
        if not stat.S_ISLNK(found.st_mode):
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=way)
        if found.st_uid not in trusted:
            raise FolderError(
                f"{path} is a symbolic link that another user (number {found.st_uid}) made; it is not followed.",
                code="outbox_unavailable",
                hint="Put a folder in its place, or make the link again as the owner of the folder that it lies in; "
                "it goes on by itself then.",
            )
        # Read from the link that was looked at, not from its name: it may be another one by now.
        return os.open(os.readlink("", dir_fd=way), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(way)
