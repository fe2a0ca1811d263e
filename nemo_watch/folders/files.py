"""The small moves that everything else is made of: copies that are proven, renames that never replace, and syncs.

Touches: files below folders that the caller holds open.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nemo_watch.errors import FolderError
from nemo_watch.folders.reading import CHUNK_BYTES, hash_descriptor
from nemo_watch.folderthreads import beat

TEMP_PREFIX = "~nemo-watch-"
"""Sync clients and our own intake leave `~*.tmp` alone."""

SYNC_BYTES = 16 * CHUNK_BYTES
_RENAME_NOREPLACE = 1
_NO_SUCH_FLAG = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
_renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


@dataclass(frozen=True, slots=True)
class Spot:
    """A name in a folder that is held open: what lies there is reached by no other way.

    `path` is for people.
    """

    at: int
    name: str
    path: str

    def beside(self, name: str) -> Spot:
        """Name another file of the same folder."""
        return Spot(self.at, name, os.path.join(os.path.dirname(self.path), name))

    def stat(self) -> os.stat_result | None:
        """Look at what lies there, not following it; None if nothing does."""
        try:
            return os.stat(self.name, dir_fd=self.at, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self) -> int:
        """Open it for reading. Raises: OSError. Effects: the caller closes the descriptor."""
        return os.open(self.name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.at)

    def unlink(self) -> None:
        """Remove it, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.at)

    def has(self, sha256: str) -> bool:
        """Tell whether a regular file with this content lies there. Raises: OSError other than its absence."""
        found = self.stat()
        if found is None or not stat.S_ISREG(found.st_mode):
            return False
        fd = self.open()
        try:
            return hash_descriptor(fd) == sha256
        finally:
            os.close(fd)

    def sync(self) -> None:
        """Make what happened in the folder durable."""
        sync_folder(self.at)


def write_whole(temp: Spot, feed: Callable[[int], str], *, mode: int = 0o666) -> None:
    """Make a new temporary file, let `feed` write it and say the hash of what it wrote, and prove that hash.

    The proof reads what the disk has, as far as the kernel can be told to forget its own copy.
    Raises: OSError; nothing is left then. Effects: the file is durable, its name not yet.
    """
    temp.unlink()  # ours, from before a kill; a new one cannot be a link that somebody laid there
    fd = os.open(temp.name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=temp.at)
    try:
        try:
            sha256 = feed(fd)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            if hash_descriptor(fd) != sha256:
                raise OSError(errno.EIO, "the copy differs from its source")
        finally:
            os.close(fd)
    except BaseException:
        temp.unlink()
        raise


def write_all(fd: int, block: bytes) -> None:
    """Write all of it. Raises: OSError."""
    view = memoryview(block)
    while view:
        view = view[os.write(fd, view) :]


def pour(source_fd: int, target_fd: int) -> str:
    """Copy a whole file and compute the SHA-256 of what was read. Raises: OSError."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(source_fd, CHUNK_BYTES, offset):
        beat()
        digest.update(block)
        write_all(target_fd, block)
        offset += len(block)
        if offset % SYNC_BYTES == 0:
            os.fdatasync(target_fd)  # one sync of gigabytes at the end would look like a folder that hangs
    return digest.hexdigest()


def rename_exclusively(source: Spot, target: Spot) -> bool | None:
    """Rename in one step without ever replacing: False if the target exists, None if the file system cannot do that.

    Raises: OSError.
    """
    if _renameat2 is None:
        return None
    names = os.fsencode(source.name), os.fsencode(target.name)
    if _renameat2(source.at, names[0], target.at, names[1], _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code == errno.EEXIST:
        return False
    if code in _NO_SUCH_FLAG:
        return None
    raise OSError(code, os.strerror(code), target.path)


def rename_new(source: Spot, target: Spot) -> bool:
    """Rename without ever replacing; False if the target exists. Raises: OSError. Repeat: see `is_same`."""
    done = rename_exclusively(source, target)
    if done is not None:
        return done
    # NFS and many FUSE file systems do not know the flag; a hard link never replaces either.
    try:
        os.link(source.name, target.name, src_dir_fd=source.at, dst_dir_fd=target.at, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if target.stat() is not None:
            return False
        os.rename(source.name, target.name, src_dir_fd=source.at, dst_dir_fd=target.at)
        return True
    source.unlink()
    return True


def is_same(one: Spot, other: Spot) -> bool:
    """Tell whether two names are one file: what a kill between the link and the unlink of `rename_new` leaves."""
    first, second = one.stat(), other.stat()
    if first is None or second is None:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def sync_folder(at: int) -> None:
    """Make the names in a folder durable. Raises: OSError."""
    try:
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    except PermissionError:
        return  # a folder that may be written but not listed cannot be synced
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EROFS):  # some network file systems cannot
            raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def target_errors(folder: str) -> Iterator[None]:
    """Turn what the system says about outbox, rejects, archive or spool into words. Raises: FolderError."""
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


@contextlib.contextmanager
def inbox_errors(folder: str) -> Iterator[None]:
    """Turn what the system says about taking a file out of an inbox into words. Raises: FolderError."""
    try:
        yield
    except OSError as error:
        raise cannot_leave(folder, error.strerror or "it failed") from error


def cannot_leave(folder: str, why: str) -> FolderError:
    """Say that a file cannot be taken out of an inbox."""
    return FolderError(
        f"Files cannot be taken out of {folder}: {why}.",
        code="inbox_unavailable",
        hint='Give the daemon\'s user the right to write there, or set originals = "keep" for this inbox.',
    )
