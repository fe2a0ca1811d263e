"""Looks at an inbox: listings, stamps, and openings that never leave it. Blocking. Touches: files, reading only.

Every answer that something is not there is given only if the inbox is still the same folder: below an unmounted share
everything seems to be gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nemo_watch.errors import MediaError
from nemo_watch.intake import Inspection, Verdict
from nemo_watch.model import FileKind, FileRef, FileStamp

Identity = tuple[int, int]
"""Device and inode of the inbox's folder: another one means that something was mounted or put in its place."""

MAX_SIDECAR_BYTES = 64 * 1024
_GONE = (FileNotFoundError, NotADirectoryError)


class RootChangedError(OSError):
    """The inbox is not the folder any more that was looked at before."""


class Sniffed(Protocol):
    """What a look at a file's bytes found."""

    @property
    def verdict(self) -> Verdict: ...


Sniffer = Callable[[int, int, str], Sniffed]
"""(open descriptor, size in bytes, name) -> what the bytes say."""


@dataclass(slots=True)
class Scan:
    """The files of a tree by folder; `unread` are folders that could not be listed."""

    identity: Identity
    tree: dict[str, dict[str, tuple[FileKind, FileStamp]]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.unread and not any(self.tree.values())


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one name: `stamp` None means that no file is there. `at_s` is before the look."""

    rel: str
    at_s: float
    kind: FileKind = "file"
    stamp: FileStamp | None = None


def identity_of(root: str) -> Identity:
    """Tell which folder lies at a path. Raises: OSError if there is none."""
    found = os.stat(root)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
    return found.st_dev, found.st_ino


def stamp_of(found: os.stat_result) -> FileStamp:
    """Take from a stat what identifies a file and its content."""
    return FileStamp(found.st_ino, found.st_size, found.st_mtime_ns)


def kind_of(found: os.stat_result) -> FileKind:
    """Tell what lies under a name, without following it."""
    if stat.S_ISREG(found.st_mode):
        return "file"
    return "symlink" if stat.S_ISLNK(found.st_mode) else "other"


def below(root: str, rel: str) -> str:
    """Give the path of a relative path below the inbox, "" being the inbox itself."""
    return os.path.join(root, rel) if rel else root


def scan(root: str, under: str, enters: Callable[[str], bool]) -> Scan:
    """List a tree from the folder `under` on, not following links; hidden and temporary names are left out.

    Raises: OSError if the inbox itself cannot be listed; RootChangedError if it was replaced meanwhile.
    """
    result = Scan(identity_of(root))
    todo = [under]
    while todo:
        folder = todo.pop()
        try:
            result.tree[folder], inner = _list_one(below(root, folder))
        except OSError as error:
            if not folder:
                raise
            if not isinstance(error, _GONE):
                result.unread.append(folder)
            continue
        paths = (f"{folder}/{name}" if folder else name for name in inner)
        todo.extend(path for path in paths if enters(path))
    if identity_of(root) != result.identity:
        raise RootChangedError(errno.ESTALE, os.strerror(errno.ESTALE), root)
    return result


def list_folder(root: str, folder: str, identity: Identity) -> dict[str, tuple[FileKind, FileStamp]] | None:
    """List the files of one folder; None if it is gone. Raises: OSError if that cannot be told."""
    try:
        return _list_one(below(root, folder))[0]
    except _GONE:
        _insist(root, identity)
        return None


def _list_one(path: str) -> tuple[dict[str, tuple[FileKind, FileStamp]], list[str]]:
    files: dict[str, tuple[FileKind, FileStamp]] = {}
    folders: list[str] = []
    with os.scandir(path) as found:
        for item in found:
            if item.name.startswith((".", "~")):
                continue
            with contextlib.suppress(FileNotFoundError):  # it went while the folder was being read
                if item.is_dir(follow_symlinks=False):
                    folders.append(item.name)
                else:
                    seen = item.stat(follow_symlinks=False)
                    files[item.name] = (kind_of(seen), stamp_of(seen))
    return files, folders


def look_at(
    root: str, rels: Sequence[str], identity: Identity, clock: Callable[[], float]
) -> tuple[list[Look], list[str]]:
    """Look at some names; gives the looks, and the names at which it was not possible to look.

    Raises: RootChangedError.
    """
    looks: list[Look] = []
    blind: list[str] = []
    for rel in rels:
        at_s = clock()
        try:
            found = os.lstat(below(root, rel))
        except _GONE:
            looks.append(Look(rel, at_s))
        except (OSError, ValueError):
            blind.append(rel)
        else:
            is_folder = stat.S_ISDIR(found.st_mode)
            looks.append(Look(rel, at_s) if is_folder else Look(rel, at_s, kind_of(found), stamp_of(found)))
    if any(look.stamp is None for look in looks):
        _insist(root, identity)
    return looks, blind


def _insist(root: str, identity: Identity) -> None:
    if identity_of(root) != identity:
        raise RootChangedError(errno.ESTALE, os.strerror(errno.ESTALE), root)


def open_below(root: str, rel: str) -> int:
    """Open a file of an inbox for reading, following no link anywhere below the inbox and never waiting for a writer.

    Raises: OSError (ELOOP or ENOTDIR where a link lies in the way). Effects: the caller closes the descriptor.
    """
    *folders, name = rel.split("/")
    at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = inner
        return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    finally:
        os.close(at)


@contextlib.contextmanager
def _opened(root: str, ref: FileRef) -> Iterator[int | None]:
    """Open a file and give its descriptor, or None if it is not the regular file any more that was judged."""
    fd = open_below(root, ref.rel)
    try:
        found = os.fstat(fd)
        yield fd if kind_of(found) == "file" and stamp_of(found) == ref.stamp else None
    finally:
        os.close(fd)


def inspect(root: str, ref: FileRef, sniff: Sniffer) -> Inspection:
    """Look into a file that stood still. Repeat: safe."""
    try:
        with _opened(root, ref) as fd:
            if fd is None:
                return Inspection("changed")
            return Inspection(sniff(fd, ref.stamp.size_bytes, ref.rel.rpartition("/")[2]).verdict)
    except MediaError as error:
        return Inspection("unreadable", error.message)
    except OSError as error:
        if isinstance(error, _GONE) or error.errno == errno.ELOOP:
            return Inspection("changed")
        return Inspection("unreadable", error.strerror or "")


def read_text(root: str, ref: FileRef) -> bytes:
    """Read a sidecar as it was when it stood still; b"" if it changed, is too long or cannot be read."""
    try:
        with _opened(root, ref) as fd:
            if fd is None or ref.stamp.size_bytes > MAX_SIDECAR_BYTES:
                return b""
            return os.read(fd, MAX_SIDECAR_BYTES)
    except OSError:
        return b""  # the job that uses it will say what is wrong with it
