"""Reading what was dropped: one descriptor, no link followed, and proof that it is what was judged whole.

Touches: the inbox (reading).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Literal

from nemo_watch import mounts
from nemo_watch.errors import FolderError, MediaError
from nemo_watch.folderthreads import beat
from nemo_watch.model import FileRef, FileStamp
from nemo_watch.openbelow import folder_below, open_below

CHUNK_BYTES = 1 << 20
MOUNTINFO = "/proc/self/mountinfo"


def is_mounted_read_only(path: str) -> bool:
    """Tell whether a folder's file system is mounted read-only, by the kernel's list alone: the folder is not touched.

    Raises: OSError.
    """
    with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
        mount = mounts.mount_of(path, mounts.parse(file.read()))
    return mount is not None and mount.read_only


def last_part(rel: str) -> str:
    """Take the file name from a path below an inbox."""
    return rel.rpartition("/")[2]


def stamp_of(found: os.stat_result) -> FileStamp:
    """Take from `stat` what tells one content from another."""
    return FileStamp(found.st_ino, found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def opened(root: str, ref: FileRef) -> Iterator[int]:
    """Open a dropped file for reading and see that it is the one that was judged whole.

    Raises: MediaError with code "changed", "gone", "symlink" or "unreadable". Effects: none on the file.
    """
    try:
        fd = open_below(root, ref.rel)
    except (FileNotFoundError, NotADirectoryError) as error:
        # Not a folder: a link was put in the place of one, and below a link nothing is in the inbox.
        raise MediaError("The file was removed before it was read.", code="gone") from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise MediaError("The file is a symbolic link.", code="symlink", hint="Drop the file itself.") from error
        if error.errno == errno.ESTALE:
            raise MediaError("The file was replaced on its share.", code="changed") from error
        raise MediaError(
            f"The file cannot be read: {error.strerror}.",
            code="unreadable",
            hint="Give the daemon's user the right to read it, then put it back into the inbox.",
        ) from error
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or stamp_of(found) != ref.stamp:
            raise MediaError("The file was changed while it was waiting or being read.", code="changed")
        yield fd
    finally:
        os.close(fd)


def standing(root: str, ref: FileRef) -> Literal["same", "changed", "gone"]:
    """Tell whether a dropped file is still the one that was judged whole.

    Only where nothing lies there, or a link lies in the way, it is gone: a share that cannot be asked knows nothing.
    Raises: FolderError with code "inbox_unavailable". Repeat: safe.
    """
    folder, _, name = ref.rel.rpartition("/")
    is_root_there = False
    try:
        with folder_below(root, ""):
            is_root_there = True
        with folder_below(root, folder) as at:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
    except OSError as error:
        if is_root_there and isinstance(error, FileNotFoundError | NotADirectoryError):
            return "gone"
        raise FolderError(
            f"{ref.rel} in {root} cannot be looked at: {error.strerror}.",
            code="inbox_unavailable",
            hint="Look whether its share or disk is still there, and whether the daemon's user may read it; "
            "it goes on by itself then.",
        ) from error
    return "same" if stat.S_ISREG(found.st_mode) and stamp_of(found) == ref.stamp else "changed"


def is_unchanged(root: str, ref: FileRef) -> bool:
    """Tell whether a dropped file is still the one that was judged whole. Raises: FolderError as `standing`."""
    return standing(root, ref) == "same"


def fingerprint(root: str, ref: FileRef) -> str:
    """Compute the SHA-256 of a dropped file from one descriptor.

    Raises: MediaError as `opened`, and code "changed" if the file changed meanwhile.
    """
    with opened(root, ref) as fd:
        digest = hash_descriptor(fd)
        if stamp_of(os.fstat(fd)) != ref.stamp:
            raise MediaError("The file was changed while it was being read.", code="changed")
        return digest


def read_small(root: str, ref: FileRef, most_bytes: int) -> bytes:
    """Read a sidecar, at most one byte more than allowed so that the reader can tell. Raises: as `opened`."""
    with opened(root, ref) as fd:
        return os.pread(fd, most_bytes + 1, 0)


def resolve_asset(root: str, folder: str, name: str) -> FileRef | None:
    """Find an asset that a sidecar names: a regular file inside the inbox with no link on the way; None if not there.

    Raises: MediaError with code "asset_outside_inbox" where a link leads out.
    """
    rel = os.path.normpath(os.path.join(folder, name))
    path = os.path.join(root, rel)
    leads_out = os.path.isabs(rel) or rel.split("/")[0] == ".."
    if not leads_out and not os.path.lexists(path):
        return None
    if leads_out or os.path.realpath(path) != os.path.join(os.path.realpath(root), rel):
        raise MediaError(
            f"The asset {name} leads out of the inbox.",
            code="asset_outside_inbox",
            hint="Put the file itself into the inbox, best into a folder named _assets.",
        )
    found = os.stat(path, follow_symlinks=False)
    return FileRef(rel, stamp_of(found)) if stat.S_ISREG(found.st_mode) else None


def hash_descriptor(fd: int) -> str:
    """Compute the SHA-256 of an open file, whatever its position."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(fd, CHUNK_BYTES, offset):
        beat()
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()


def is_content(path: str, sha256: str) -> bool:
    """Tell whether a regular file with this content lies there. Raises: OSError other than its absence."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and hash_file(path) == sha256


def hash_file(path: str) -> str:
    """Compute the SHA-256 of one of our own files. Raises: OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return hash_descriptor(fd)
    finally:
        os.close(fd)
