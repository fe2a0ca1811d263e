"""Hands: deliver, reject and archive; the only room that moves users' files.

Touches: inbox, outbox, rejects, archive and spool. Every function here blocks and belongs on a folder's own pool.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nemo_watch.errors import FolderError
from nemo_watch.folders.names import free_name, free_names, split
from nemo_watch.folders.reading import (
    CHUNK_BYTES,
    fingerprint,
    hash_descriptor,
    hash_file,
    is_unchanged,
    last_part,
    opened,
    read_small,
    resolve_asset,
    stamp_of,
)
from nemo_watch.model import FileRef, FileStamp

__all__ = [
    "CHUNK_BYTES",
    "MoveResult",
    "Places",
    "Plan",
    "delete_original",
    "fingerprint",
    "hash_file",
    "is_content",
    "is_unchanged",
    "last_part",
    "make_folder",
    "move_original",
    "opened",
    "plan_moves",
    "plan_name",
    "publish",
    "read_small",
    "remove_own",
    "resolve_asset",
    "stamp_of",
    "sweep",
    "take_name",
    "write_new",
]

TEMP_PREFIX = "~nemo-watch-"
"""Sync clients and our own intake leave `~*.tmp` alone."""


@dataclass(frozen=True, slots=True)
class Places:
    """One inbox and where its files go; all paths absolute. Sub-folders of the inbox are mirrored in the others."""

    inbox: str
    outbox: str
    rejects: str
    archive: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One file on its way to its final name: committed before anything is moved, so that a kill leaves no doubt.

    `source` and `target` are absolute. `sha256` is of the whole file; "" if it is not known yet (a move in one file
    system needs none).
    """

    source: str
    target: str
    sha256: str = ""


# ---------------------------------------------------------------- planning


def plan_name(root: str, folder: str, stem: str, suffix: str, *, also_taken: Sequence[str] = ()) -> str:
    """Choose a free final path below `root`, making the folders on the way.

    Raises: FolderError. Effects: makes folders. Repeat: safe.
    """
    place = os.path.join(root, folder) if folder else root
    with _folder_errors(root):
        os.makedirs(place, exist_ok=True)
        return os.path.join(place, free_name(stem, suffix, [*os.listdir(place), *also_taken]))


def plan_moves(places: Places, target_root: str, rels: Sequence[str]) -> list[Plan]:
    """Choose where an original and what belongs to it go: under their own names, or all with the same number.

    A clip that becomes `clip-2.mp4` has its instruction beside it as `clip-2.txt`, so that they are a pair again when
    they are put back. The first of `rels` is the clip. Raises: FolderError. Effects: makes folders.
    """
    _folder, stem, _suffix = split(rels[0])
    plans, alone = [], []
    groups: dict[str, list[tuple[str, str]]] = {}
    for rel in rels:
        folder, name = os.path.split(rel)
        if name.startswith(stem):
            groups.setdefault(folder, []).append((rel, name[len(stem) :]))
        else:
            alone.append(rel)
    for folder, members in groups.items():
        place = os.path.join(target_root, folder) if folder else target_root
        with _folder_errors(target_root):
            os.makedirs(place, exist_ok=True)
            names = free_names(stem, [suffix for _rel, suffix in members], os.listdir(place))
        pairs = zip(members, names, strict=True)
        plans += [Plan(os.path.join(places.inbox, rel), os.path.join(place, name)) for (rel, _s), name in pairs]
    for rel in alone:
        folder, own_stem, suffix = split(rel)
        plans.append(Plan(os.path.join(places.inbox, rel), plan_name(target_root, folder, own_stem, suffix)))
    return plans


# ---------------------------------------------------------------- acting


def publish(plan: Plan, job_id: str) -> bool:
    """Copy a file of ours to its final name: it appears there whole or not at all.

    Returns False if the name was taken by another file since it was planned: plan again. A file that is already there
    with the planned content is ours, from before a kill. Raises: FolderError. Repeat: safe.
    """
    folder = os.path.dirname(plan.target)
    with _folder_errors(folder):
        if os.path.lexists(plan.target):
            return is_content(plan.target, plan.sha256)
        temp = os.path.join(folder, f"{TEMP_PREFIX}{job_id}.tmp")
        _copy(plan.source, temp, plan.sha256)
        if not _rename_new(temp, plan.target):
            os.unlink(temp)
            return False
        _sync_folder(folder)
    return True


def write_new(target: str, content: bytes, job_id: str) -> bool:
    """Write a small file of ours whole under a new name; the same content already there counts as written.

    Returns False if the name is taken by something else. Raises: FolderError. Repeat: safe.
    """
    folder = os.path.dirname(target)
    with _folder_errors(folder):
        if os.path.lexists(target):
            return is_content(target, hashlib.sha256(content).hexdigest())
        temp = os.path.join(folder, f"{TEMP_PREFIX}{job_id}.tmp")
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(fd, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        if not _rename_new(temp, target):
            os.unlink(temp)
            return False
        _sync_folder(folder)
    return True


def remove_own(path: str, content: bytes) -> None:
    """Remove a small file of ours, if it still is what we wrote. Raises: FolderError. Repeat: safe."""
    with _folder_errors(os.path.dirname(path)):
        if os.path.lexists(path) and is_content(path, hashlib.sha256(content).hexdigest()):
            os.unlink(path)


def make_folder(path: str) -> None:
    """Make a folder of ours with its parents. Raises: FolderError. Repeat: safe."""
    with _folder_errors(path):
        os.makedirs(path, exist_ok=True)


def take_name(source: str, target: str) -> None:
    """Rename a file of ours inside the spool, replacing what lies there. Raises: FolderError. Repeat: once."""
    with _folder_errors(os.path.dirname(target)):
        os.replace(source, target)


MoveResult = Literal["moved", "changed", "gone", "taken"]


def move_original(plan: Plan, stamp: FileStamp, job_id: str) -> MoveResult:
    """Move a user's file to its planned name, but only if it still is the one that was read.

    Across file systems: copy, verify, rename, only then remove the source. A symbolic link is moved as a link, never
    followed. Returns "moved", "changed" (a new version
    lies there: it stays), "gone" (removed, or moved before a kill) or "taken" (plan again). Raises: FolderError.
    Repeat: safe.
    """
    folder = os.path.dirname(plan.target)
    try:
        found = os.stat(plan.source, follow_symlinks=False)
    except FileNotFoundError:
        return "gone"
    is_link = stat.S_ISLNK(found.st_mode)
    if not (is_link or stat.S_ISREG(found.st_mode)) or stamp_of(found) != stamp:
        return "changed"
    _refuse_read_only(os.path.dirname(plan.source))
    with _folder_errors(folder):
        if is_link and os.lstat(folder).st_dev != found.st_dev:
            return _move_link_across(plan)
        if os.lstat(folder).st_dev == found.st_dev:
            try:
                if not _rename_new(plan.source, plan.target):
                    return "taken"
            except OSError as error:
                if error.errno != errno.EXDEV:  # bind mounts share a device number and still refuse
                    raise
                return _move_across(plan, stamp, job_id)
            if stamp_of(os.lstat(plan.target)) != stamp:
                # Somebody saved a new version between the look and the rename: it is theirs, put it back.
                _rename_new(plan.target, plan.source)
                return "changed"
            _sync_folder(folder)
            _sync_folder(os.path.dirname(plan.source))
            return "moved"
        return _move_across(plan, stamp, job_id)


def _refuse_read_only(folder: str) -> None:
    """Say it before anything is copied, and name the folder that is meant, if nothing can be taken out of it."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FolderError(
            f"Files cannot be taken out of {folder}: it is read-only, or the daemon's user may not write there.",
            code="inbox_unavailable",
            hint='Give the daemon\'s user the right to write there, or set originals = "keep" for this inbox.',
        )


def _move_link_across(plan: Plan) -> MoveResult:
    try:
        os.symlink(os.readlink(plan.source), plan.target)
    except FileExistsError:
        if not os.path.islink(plan.target) or os.readlink(plan.target) != os.readlink(plan.source):
            return "taken"
    os.unlink(plan.source)
    return "moved"


def _move_across(plan: Plan, stamp: FileStamp, job_id: str) -> MoveResult:
    folder = os.path.dirname(plan.target)
    source_fd = os.open(plan.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(source_fd)
        if stamp_of(found) != stamp:
            return "changed"
        digest = hash_descriptor(source_fd)
        if os.path.lexists(plan.target):
            if not is_content(plan.target, digest):
                return "taken"
        else:
            temp = os.path.join(folder, f"{TEMP_PREFIX}{job_id}.tmp")
            _copy(plan.source, temp, digest)
            with contextlib.suppress(PermissionError, NotImplementedError):  # file systems without modes or owners
                os.utime(temp, ns=(found.st_atime_ns, found.st_mtime_ns))
                os.chmod(temp, stat.S_IMODE(found.st_mode))
            if not _rename_new(temp, plan.target):
                os.unlink(temp)
                return "taken"
            _sync_folder(folder)
        if stamp_of(os.fstat(source_fd)) != stamp or stamp_of(os.lstat(plan.source)) != stamp:
            os.unlink(plan.target)
            return "changed"
        os.unlink(plan.source)
        return "moved"
    finally:
        os.close(source_fd)


def delete_original(root: str, ref: FileRef) -> MoveResult:
    """Delete a user's file because `originals = "delete"` asks for it, if it still is the one that was read."""
    path = os.path.join(root, ref.rel)
    if not os.path.lexists(path):
        return "gone"
    if not is_unchanged(root, ref):
        return "changed"
    _refuse_read_only(os.path.dirname(path))
    with _folder_errors(os.path.dirname(path)):
        os.unlink(path)
    return "moved"


def sweep(root: str, job_ids: Sequence[str] | None = None) -> int:
    """Remove half-written files of ours below a folder, left by a kill; return how many. Repeat: safe."""
    removed = 0
    for folder, _folders, files in os.walk(root):
        for name in files:
            if name.startswith(TEMP_PREFIX) and name.endswith(".tmp"):
                job_id = name[len(TEMP_PREFIX) : -len(".tmp")]
                if job_ids is None or job_id in job_ids:
                    os.unlink(os.path.join(folder, name))
                    removed += 1
    return removed


# ---------------------------------------------------------------- the small moves


def _copy(source: str, temp: str, sha256: str) -> None:
    digest = hashlib.sha256()
    source_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        target_fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            while block := os.read(source_fd, CHUNK_BYTES):
                digest.update(block)
                view = memoryview(block)
                while view:
                    view = view[os.write(target_fd, view) :]
            os.fsync(target_fd)
            if digest.hexdigest() != sha256 or hash_descriptor(target_fd) != sha256:
                raise OSError(errno.EIO, "the copy differs from its source")
        finally:
            os.close(target_fd)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temp)
        raise
    finally:
        os.close(source_fd)


def is_content(path: str, sha256: str) -> bool:
    """Tell whether a regular file with this content lies there. Raises: OSError other than its absence."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and hash_file(path) == sha256


_RENAME_NOREPLACE = 1
_AT_FDCWD = -100


def _rename_new(source: str, target: str) -> bool:
    """Rename without ever replacing; False if the target exists."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        if renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
            return True
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            return False
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(code, os.strerror(code), target)
    # File systems without the flag (some network and FUSE ones): look, then rename.
    if os.path.lexists(target):
        return False
    os.rename(source, target)
    return True


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # some network file systems cannot
            raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def _folder_errors(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FolderError(
                f"The disk of {folder} is full.", code="disk_full", hint="Free some space; it goes on by itself then."
            ) from error
        raise FolderError(
            f"The folder {folder} cannot be used: {error.strerror}.",
            code="outbox_unavailable",
            hint="Mount it, or give the daemon's user the right to write there; it goes on by itself then.",
        ) from error
