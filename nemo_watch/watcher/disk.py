"""Looks at an inbox: listings and stamps. Blocking. Touches: files, reading only.

Every answer that something is not there is given only if the inbox is still the same folder: below an unmounted share
everything seems to be gone. A folder inside that is marked as an outbox, rejects or archive is never looked into, even
if it can be seen there only through a mount: its files would be taken, and paid, over and over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from nemo_watch import mounts
from nemo_watch.folders import marker
from nemo_watch.model import FileKind, FileStamp

Identity = tuple[int, int, int]
"""Device and inode of the inbox's folder, and the id of its mount: another one means that something was mounted over it
or put in its place."""

Listing = dict[str, tuple[FileKind, FileStamp]]
Signature = tuple[int, int, int, int]
"""Device, inode, mtime and ctime of a folder: they change when a name in it comes or goes."""

PART = 500
GONE = (FileNotFoundError, NotADirectoryError)
TYPE_BITS = 0o170000
KINDS: dict[int, FileKind] = {stat.S_IFREG: "file", stat.S_IFLNK: "symlink"}
RECENT_NS = 5_000_000_000
"""Time stamps of folders are coarse (2 s on vfat): one younger than this may stand for two states."""


class RootChangedError(OSError):
    """The inbox is not the folder any more that was looked at before."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What is kept of a folder that was listed: its own stat, whether that can be trusted, and its inner folders.

    A folder that changed just before it was listed may change again without another time stamp: not trusted.
    """

    signature: Signature
    settled: bool
    inner: tuple[str, ...]

    @property
    def inode(self) -> int:
        return self.signature[1]


@dataclass(slots=True)
class Scan:
    """The files of a tree by folder; `unread` are folders that could not be listed.

    `outline` holds every folder that was entered; `same` are those that were not listed, as no name in them changed;
    `targets` those that were found to be ones that are written to.
    """

    identity: Identity
    tree: dict[str, Listing] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    outline: dict[str, Outline] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.unread and not self.same and not any(self.tree.values())


@dataclass(frozen=True, slots=True)
class Ground:
    """Which folder an inbox is, and on what it lies."""

    identity: Identity
    file_system: mounts.FileSystem


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one name: `stamp` None means that no file is there. `at_s` is before the look."""

    rel: str
    at_s: float
    kind: FileKind = "file"
    stamp: FileStamp | None = None


def identity_of(root: str) -> Identity:
    """Tell which folder lies at a path; an automount is triggered. Raises: OSError if there is none."""
    # By "." an automount is entered; by O_PATH nobody else who watches the folder is told of each look.
    fd = os.open(os.path.join(root, "."), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        return found.st_dev, found.st_ino, _mount_id(fd)
    finally:
        os.close(fd)


def _mount_id(fd: int) -> int:
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii", errors="replace") as info:
        return next((int(line[7:]) for line in info if line.startswith("mnt_id:")), -1)


@lru_cache(maxsize=8)
def _judged(root: str, mount_id: int, mountinfo: str) -> mounts.FileSystem:
    return mounts.file_system_of(os.path.abspath(root), mounts.parse(mountinfo), mount_id=mount_id)


def ground_of(root: str) -> Ground:
    """Tell which folder lies at a path and on what kind of file system. Raises: OSError if there is none."""
    identity = identity_of(root)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape", newline="") as info:
        return Ground(identity, _judged(root, identity[2], info.read()))


def stamp_of(found: os.stat_result) -> FileStamp:
    """Take from a stat what identifies a file and its content."""
    return FileStamp(found.st_ino, found.st_size, found.st_mtime_ns)


def kind_of(found: os.stat_result) -> FileKind:
    """Tell what lies under a name, without following it."""
    return KINDS.get(found.st_mode & TYPE_BITS, "other")


def below(root: str, rel: str) -> str:
    """Give the path of a relative path below the inbox, "" being the inbox itself."""
    return os.path.join(root, rel) if rel else root


def scan(
    root: str,
    under: str,
    enters: Callable[[str], bool],
    *,
    before: Mapping[str, Listing] | None = None,
    outline: Mapping[str, Outline] | None = None,
) -> Scan:
    """List a tree from the folder `under` on, not following links; hidden and temporary names are left out.

    `before` is an earlier tree: a folder of which nothing changed is given as the very same object. With an earlier
    `outline` a folder in which no name came or went is not listed at all: its files may have changed in place.
    Raises: OSError if the inbox itself cannot be listed; RootChangedError if it was replaced meanwhile.
    """
    result = Scan(identity_of(root))
    recent_ns = time.time_ns() - RECENT_NS
    todo = [] if _in_target(root, under, {}) else [under]
    while todo:
        folder = todo.pop()
        path = below(root, folder)
        try:
            now = _signature(path, folder)
            old = outline.get(folder) if outline is not None else None
            if old is not None and old.settled and old.signature == now:
                result.same.append(folder)
                result.outline[folder] = old
            else:
                earlier = before.get(folder) if before is not None else None
                listing, inner, is_marked = _list_one(path, earlier)
                if folder and is_marked and marker.is_target(path):
                    listing, inner = earlier if earlier == {} else {}, []
                    result.targets.append(folder)
                result.tree[folder] = listing
                entered = tuple(name for name in inner if enters(f"{folder}/{name}" if folder else name))
                result.outline[folder] = Outline(now, max(now[2:]) < recent_ns, entered)
        except OSError as error:
            if not folder:
                raise
            if not isinstance(error, GONE):
                result.unread.append(folder)
            continue
        names = result.outline[folder].inner
        todo.extend(f"{folder}/{name}" if folder else name for name in names)
    if identity_of(root) != result.identity:
        raise RootChangedError(errno.ESTALE, os.strerror(errno.ESTALE), root)
    return result


def _signature(path: str, folder: str) -> Signature:
    found = os.lstat(path) if folder else os.stat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def list_folder(root: str, folder: str, identity: Identity) -> Listing | None:
    """List the files of one folder; None if it is gone. Raises: OSError if that cannot be told."""
    try:
        return {name: seen for part in list_in_parts(root, folder, identity) for name, seen in part.items()}
    except GONE:
        return None


def list_in_parts(root: str, folder: str, identity: Identity) -> Generator[Listing, None, None]:
    """List the files of one folder, a part at a time, so that a large one need not be in memory as a whole.

    Raises: OSError, one of `GONE` if surely the folder is not there any more.
    """
    try:
        if _in_target(root, folder, {}):
            return
        part: Listing = {}
        with os.scandir(below(root, folder)) as found:
            for item in found:
                with contextlib.suppress(FileNotFoundError):  # it went while the folder was being read
                    if item.name.startswith((".", "~")) or item.is_dir(follow_symlinks=False):
                        continue
                    seen = item.stat(follow_symlinks=False)
                    part[item.name] = (kind_of(seen), stamp_of(seen))
                if len(part) == PART:
                    yield part
                    part = {}
        yield part
    except GONE:
        _insist(root, identity)
        raise


def _in_target(root: str, folder: str, known: dict[str, bool]) -> bool:
    """Tell whether a folder below the inbox, or one on the way to it, is marked as one that is written to.

    Raises: OSError. Effects: adds to `known` what was found.
    """
    if not folder:
        return False
    if folder not in known:
        known[folder] = _in_target(root, folder.rpartition("/")[0], known) or marker.is_target(below(root, folder))
    return known[folder]


def target_over(root: str, rel: str) -> str:
    """Name the folder below the inbox that is marked as one that is written to and holds this file, "" if none does.

    Raises: OSError. Repeat: safe.
    """
    parts = rel.split("/")[:-1]
    chain = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((folder for folder in chain if marker.is_target(below(root, folder))), "")


def _list_one(path: str, before: Listing | None = None) -> tuple[Listing, list[str], bool]:
    """List the files of one folder and its inner ones, and tell whether there is a marker in it.

    If nothing is other than `before`, that very object is given: polling is mostly that.
    """
    is_marked = False
    known: Listing = before if before is not None else {}
    same: list[str] = []
    news: Listing = {}
    folders: list[str] = []
    with os.scandir(path) as found:
        for item in found:
            name = item.name
            try:
                if name in known:
                    seen = item.stat(follow_symlinks=False)
                    kind, stamp = known[name]
                    if (
                        stamp.mtime_ns == seen.st_mtime_ns
                        and stamp.size_bytes == seen.st_size
                        and stamp.inode == seen.st_ino
                        and kind == KINDS.get(seen.st_mode & TYPE_BITS, "other")
                    ):
                        same.append(name)
                        continue
                if name.startswith((".", "~")):
                    is_marked = is_marked or name == marker.MARKER_NAME
                    continue
                if item.is_dir(follow_symlinks=False):
                    folders.append(name)
                    continue
                seen = item.stat(follow_symlinks=False)
            except FileNotFoundError:  # it went while the folder was being read
                continue
            news[name] = (kind_of(seen), stamp_of(seen))
    if before is not None and not news and len(same) == len(before):
        return before, folders, is_marked
    return {**{name: known[name] for name in same}, **news}, folders, is_marked


def look_at(
    root: str, rels: Sequence[str], identity: Identity, clock: Callable[[], float]
) -> tuple[list[Look], list[str]]:
    """Look at some names; gives the looks, and the names at which it was not possible to look.

    Raises: RootChangedError.
    """
    looks: list[Look] = []
    blind: list[str] = []
    targets: dict[str, bool] = {}
    for rel in rels:
        at_s = clock()
        try:
            if _in_target(root, rel.rpartition("/")[0], targets):
                looks.append(Look(rel, at_s))
                continue
            found = os.lstat(below(root, rel))
        except GONE:
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
