"""Users' files leave the inbox: each only if it still is the one that was read, and only once its copy is whole.

Touches: inbox, rejects and archive.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Literal

from nemo_watch.errors import FolderError
from nemo_watch.folders.files import (
    TEMP_PREFIX,
    Spot,
    cannot_leave,
    inbox_errors,
    is_same,
    pour,
    rename_new,
    target_errors,
    write_whole,
)
from nemo_watch.folders.naming import is_crowded, naming
from nemo_watch.folders.reading import hash_descriptor, stamp_of
from nemo_watch.folders.targets import is_below, target_spot
from nemo_watch.folders.temps import temp_name
from nemo_watch.model import FileRef, FileStamp
from nemo_watch.openbelow import folder_below

MoveResult = Literal["moved", "changed", "gone", "taken", "kept"]
"""What became of a file that was to leave: "changed" (a new version lies there: it stays), "gone" (removed, or moved
before a kill), "taken" (plan again), "kept" (nothing can be taken out: the inbox is mounted read-only)."""

COARSEST_NS = 2_000_000_000
"""The coarsest time stamps that a copy is given (vfat)."""


def move_original(
    inbox: str, ref: FileRef, root: str, target: str, mark: str, *, is_first_try: bool = False
) -> MoveResult:
    """Move a user's file to its planned name below `root`, but only if it still is the one that was read.

    In one file system it is one rename, and a version that was saved in that very instant is put back. Across file
    systems: copied, proven, made durable, named; only then the source goes. A symbolic link is moved as a link.
    Owner, mode and times stay; in a set-group-ID folder a copy takes that folder's group. `mark` is of the plan that
    was committed before: files under its temporary names are ours. A file of the same content under the planned name is
    taken for our own copy from before a kill, but not at the plan's first try: then it is somebody else's.
    Raises: FolderError. Repeat: safe.
    """
    with _place_of(inbox, ref) as source:
        if source is None:
            return "gone"
        found = _look(source, ref.stamp, mark)
        if isinstance(found, str):
            return found
        if not is_below(root, target):
            return "taken"
        if not _may_leave(source, found):
            return "kept"
        with target_spot(root, target) as goal:
            if is_first_try and goal.stat() is not None:
                return "taken"
            if is_same(source, goal):
                return _remove(source, ref.stamp, mark)
            try:
                if not _rename_into(source, goal):
                    if is_first_try:
                        return "taken"
                    # The name may be taken by our own copy, from before a kill.
                    return _across(source, goal, found, mark)
            except OSError as error:
                if error.errno == errno.ENOENT and source.stat() is None:
                    return "gone"
                if error.errno != errno.EXDEV:
                    raise _whose_fault(error, source, goal) from error
                return _across(source, goal, found, mark)
            return _see_what_moved(source, goal, ref.stamp)


def has_moved(inbox: str, ref: FileRef, target: str) -> bool:
    """Tell whether a file that is not in the inbox any more lies under its planned name. Raises: FolderError."""
    with inbox_errors(inbox), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if stamp_of(os.lstat(os.path.join(inbox, ref.rel))) == ref.stamp:
            return False
    with target_errors(os.path.dirname(target)):
        try:
            found = os.lstat(target)
        except (FileNotFoundError, NotADirectoryError):
            return False
    is_near = abs(found.st_mtime_ns - ref.stamp.mtime_ns) <= COARSEST_NS
    return found.st_size == ref.stamp.size_bytes and is_near


def delete_original(inbox: str, ref: FileRef, mark: str) -> MoveResult:
    """Delete a user's file because `originals = "delete"` asks for it, if it still is the one that was read.

    Raises: FolderError. Repeat: safe.
    """
    with _place_of(inbox, ref) as source:
        if source is None:
            return "gone"
        found = _look(source, ref.stamp, mark)
        if isinstance(found, str):
            return found
        return _remove(source, ref.stamp, mark) if _may_leave(source, found) else "kept"


# ---------------------------------------------------------------- the source


@contextlib.contextmanager
def _place_of(inbox: str, ref: FileRef) -> Iterator[Spot | None]:
    """Hold the folder of a file of the inbox open; None if that folder is gone, or a link lies in its way."""
    folder, _, name = ref.rel.rpartition("/")
    with contextlib.ExitStack() as stack:
        path = os.path.join(inbox, ref.rel)
        with inbox_errors(inbox):
            stack.enter_context(folder_below(inbox, ""))
        with inbox_errors(os.path.dirname(path)):
            try:
                at = stack.enter_context(folder_below(inbox, folder))
            except (FileNotFoundError, NotADirectoryError):
                at = -1
        yield Spot(at, name, path) if at >= 0 else None


def _look(source: Spot, stamp: FileStamp, mark: str) -> Literal["changed", "gone", "moved"] | os.stat_result:
    """See that the file is the one that was read, on the opened file where it may be opened."""
    with inbox_errors(os.path.dirname(source.path)):
        aside = _aside(source, mark)
        if aside.stat() is not None:
            # A kill came while it was being removed: that was decided, and its copy, if any, was whole.
            return _remove_aside(source, aside, stamp)
        found = source.stat()
        if found is not None and stat.S_ISREG(found.st_mode):
            # Network file systems tell the newest truth only to who opens.
            with contextlib.suppress(PermissionError, FileNotFoundError):
                fd = source.open()
                found = os.fstat(fd)
                os.close(fd)
        if found is None:
            return "gone"
        is_ours = stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)
        return found if is_ours and stamp_of(found) == stamp else "changed"


def _may_leave(source: Spot, found: os.stat_result) -> bool:
    """Tell whether the inbox is writable at all, before anything is copied. Raises: FolderError if we may not."""
    folder = os.path.dirname(source.path)
    with inbox_errors(folder):
        if os.statvfs(source.at).f_flag & os.ST_RDONLY:
            return False
        home = os.fstat(source.at)
        is_sticky = home.st_mode & stat.S_ISVTX and os.geteuid() not in (0, home.st_uid, found.st_uid)
        if is_sticky or not os.access(".", os.W_OK | os.X_OK, dir_fd=source.at, effective_ids=True):
            raise cannot_leave(folder, "the daemon's user may not write there")
    return True


def _whose_fault(error: OSError, source: Spot, goal: Spot) -> FolderError:
    """Say which of two folders a rename failed for."""
    refused = error.errno in (errno.EACCES, errno.EPERM)
    if refused and os.access(".", os.W_OK | os.X_OK, dir_fd=goal.at, effective_ids=True):
        return cannot_leave(os.path.dirname(source.path), error.strerror or "it failed")
    try:
        with target_errors(os.path.dirname(goal.path)):
            raise error
    except FolderError as said:
        return said


def _aside(source: Spot, mark: str) -> Spot:
    # One for each file of a plan: the instruction must not be taken for the clip. Never mistaken for a copy that may
    # be thrown away.
    own = hashlib.sha256(os.fsencode(source.name)).hexdigest()[:8]
    return source.beside(f"{TEMP_PREFIX}{mark}-{own}.tmp")


def _remove(source: Spot, stamp: FileStamp, mark: str) -> Literal["moved", "changed", "gone"]:
    """Remove exactly the file that was read: by name alone a version saved a moment ago would go instead.

    So it is renamed aside, looked at once more, and only then unlinked. Repeat: `_look` finds what a kill left.
    """
    aside = _aside(source, mark)
    with inbox_errors(os.path.dirname(source.path)):
        try:
            if not rename_new(source, aside):
                return "changed"
        except FileNotFoundError:
            return "gone"
        return _remove_aside(source, aside, stamp)


def _remove_aside(source: Spot, aside: Spot, stamp: FileStamp) -> Literal["moved", "changed"]:
    found = aside.stat()
    if found is not None and stamp_of(found) != stamp and rename_new(aside, source):
        return "changed"
    # A version between that has been saved over by a third one is what its writer replaced.
    if is_same(source, aside):
        source.unlink()
    aside.unlink()
    aside.sync()
    return "moved"


# ---------------------------------------------------------------- the two ways


def _rename_into(source: Spot, goal: Spot) -> bool:
    """Give a file its name in the target folder; False if that is taken, where case and Unicode form do not count."""
    with naming(goal.at):
        return not is_crowded(goal) and rename_new(source, goal)


def _see_what_moved(source: Spot, goal: Spot, stamp: FileStamp) -> MoveResult:
    moved = goal.stat()
    if moved is not None and stamp_of(moved) != stamp:
        # Somebody saved a new version between the look and the rename: it is theirs, put it back. If yet another one
        # lies there, this one stays where it is: nothing is lost.
        with inbox_errors(os.path.dirname(source.path)):
            rename_new(goal, source)
        return "changed"
    with target_errors(os.path.dirname(goal.path)):
        goal.sync()
    with inbox_errors(os.path.dirname(source.path)):
        source.sync()
    return "moved"


def _across(source: Spot, goal: Spot, found: os.stat_result, mark: str) -> MoveResult:
    """Copy, prove, name; then remove the source. Everything is durable before the source goes."""
    result: MoveResult
    if stat.S_ISLNK(found.st_mode):
        result = _link_across(source, goal, found)
    else:
        try:
            fd = source.open()
        except PermissionError:
            return "kept"  # nobody can copy what he may not read; its report says so
        except FileNotFoundError:
            return "gone"
        try:
            result = _copy_across(fd, goal, found, mark)
        finally:
            os.close(fd)
    return _remove(source, stamp_of(found), mark) if result == "moved" else result


def _copy_across(fd: int, goal: Spot, found: os.stat_result, mark: str) -> Literal["moved", "taken", "changed"]:
    if stamp_of(os.fstat(fd)) != stamp_of(found):
        return "changed"
    temp = goal.beside(temp_name(mark))

    def feed(copy_fd: int) -> str:
        sha256 = pour(fd, copy_fd)
        _keep_looks(copy_fd, fd, found, goal)
        return sha256

    with target_errors(os.path.dirname(goal.path)):
        if goal.stat() is not None:
            if not goal.has(hash_descriptor(fd)):
                return "taken"
            if is_same(temp, goal):
                temp.unlink()
        elif is_crowded(goal):
            temp.unlink()
            return "taken"
        else:
            # Nobody else may read it before it has its own mode.
            write_whole(temp, feed, mode=0o600)
            if stamp_of(os.fstat(fd)) != stamp_of(found):
                temp.unlink()
                return "changed"
            if not _rename_into(temp, goal):
                temp.unlink()
                return "taken"
        goal.sync()
    return "moved"


def _keep_looks(copy_fd: int, fd: int, found: os.stat_result, goal: Spot) -> None:
    """Give a copy its original's owner, mode, attributes and times, as far as the file system and our rights go."""
    takes_group = os.fstat(goal.at).st_mode & stat.S_ISGID
    group = -1 if takes_group else found.st_gid
    try:
        os.fchown(copy_fd, found.st_uid, group)
    except OSError:
        with contextlib.suppress(OSError):
            os.fchown(copy_fd, -1, group)
    with contextlib.suppress(OSError):
        for name in os.listxattr(fd):
            if name.startswith("user.") or name == "system.posix_acl_access":
                os.setxattr(copy_fd, name, os.getxattr(fd, name))
    with contextlib.suppress(OSError):
        os.fchmod(copy_fd, stat.S_IMODE(found.st_mode) & 0o777)
    with contextlib.suppress(OSError):
        os.utime(copy_fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _link_across(source: Spot, goal: Spot, found: os.stat_result) -> Literal["moved", "taken", "gone"]:
    try:
        text = os.readlink(source.name, dir_fd=source.at)
    except FileNotFoundError:
        return "gone"
    with target_errors(os.path.dirname(goal.path)):
        there = goal.stat()
        if there is None:
            try:
                with naming(goal.at):
                    if is_crowded(goal):
                        return "taken"
                    os.symlink(text, goal.name, dir_fd=goal.at)
            except FileExistsError:
                return "taken"
            with contextlib.suppress(OSError):
                os.chown(goal.name, found.st_uid, found.st_gid, dir_fd=goal.at, follow_symlinks=False)
        elif not stat.S_ISLNK(there.st_mode) or os.readlink(goal.name, dir_fd=goal.at) != text:
            return "taken"
        goal.sync()
    return "moved"
