"""The marker in a folder's root: a small file that says whose the folder is, what it is used for and which one it is.

Touches: the marker and the temporary files it is written through. Everything here blocks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import tomllib
import uuid
from dataclasses import asdict, dataclass
from typing import Literal, assert_never

import tomli_w

from nemo_watch.folders.files import Spot, rename_exclusively, write_all

MARKER_NAME = ".nemo-watch"
"""Hidden, so it is never a drop."""

LONGEST_BYTES = 16 * 1024

_ABOUT = """\
# This folder is used by nemo-watch, which keeps this file so that it knows the folder again when a share or disk is
# mounted late, and so that no other nemo-watch works on the same files. Please leave it here.
"""
_CANNOT_LINK = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES)

Role = Literal["inbox", "target"]
"""An inbox, or one of the folders that are written to: outbox, rejects or archive."""


class MarkerError(Exception):
    """A marker that cannot be read; its text says why. `is_folder`: nothing but a person's hand can replace it."""

    def __init__(self, why: str, *, is_folder: bool = False) -> None:
        super().__init__(why)
        self.is_folder = is_folder


@dataclass(frozen=True, slots=True)
class Owner:
    """Who uses a folder: the ledger's id decides, host and state folder are for people."""

    ledger: str
    host: str = ""
    state: str = ""

    @staticmethod
    def here(ledger_id: str, state_path: str) -> Owner:
        """Describe the ledger of this process."""
        return Owner(ledger_id, socket.gethostname(), state_path)

    def __str__(self) -> str:
        return f"the nemo-watch on {self.host or 'an unnamed host'} with the state folder {self.state or '(not told)'}"


@dataclass(frozen=True, slots=True)
class Marker:
    """What a marker says. `folder_id` goes wherever the disk or share goes; `path` is where it was when it was marked.

    `role` None and "" are those of a marker from before these were written.
    """

    owner: Owner
    role: Role | None = None
    folder_id: str = ""
    path: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether it tells this folder from every other one."""
        return self.role is not None and bool(self.folder_id)

    def words(self, reader: Owner) -> str:
        """Say which folder it is, to whoever `reader` is."""
        whose = "ours" if self.owner.ledger == reader.ledger else f"that of {self.owner}"
        where = f" ({self.path})" if self.path else ""
        match self.role:
            case "inbox":
                return f"an inbox{where}, {whose}"
            case "target":
                return f"a folder that results or originals are put into{where}, {whose}"
            case None:
                return f"a folder{where}, {whose}"
            case _:
                assert_never(self.role)


def new_id() -> str:
    """Make an id for a folder that has none."""
    return uuid.uuid4().hex


def read(root: str) -> Marker | None:
    """Read the marker of a folder, None if there is none; a link is not followed, and nothing but a file is opened.

    Raises: MarkerError, OSError. Repeat: safe.
    """
    path = os.path.join(root, MARKER_NAME)
    try:
        data = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO):
            raise MarkerError("a link" if error.errno == errno.ELOOP else str(error.strerror)) from error
        raise
    return _parsed(data)


def is_target(root: str) -> bool:
    """Tell whether a folder is marked as one that is written to, by whomever. Raises: OSError. Repeat: safe."""
    try:
        found = read(root)
    except MarkerError:
        return False
    return found is not None and found.role == "target"


def write(root: str, marker: Marker, *, over: bool) -> bool:
    """Write a folder's marker whole; False if there is one and it is not to be written `over`. Raises: OSError."""
    told = {key: value for key, value in asdict(marker).items() if key != "owner" and value}
    content = (_ABOUT + tomli_w.dumps({**asdict(marker.owner), **told})).encode("utf-8", "replace")
    at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        target = Spot(at, MARKER_NAME, os.path.join(root, MARKER_NAME))
        temp = target.beside(_temp_name(marker.owner.ledger))
        temp.unlink()  # from before a kill
        try:
            _create(temp, content)
            if over:
                os.rename(temp.name, target.name, src_dir_fd=at, dst_dir_fd=at)
                return True
            return _put_new(temp, target, content)
        finally:
            temp.unlink()
    finally:
        os.close(at)


def tidy(root: str, ledger_id: str) -> None:
    """Remove what a kill while writing left of this ledger's marker; what others left is theirs. Raises: OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(root, _temp_name(ledger_id)))


def _temp_name(ledger_id: str) -> str:
    # One name for each ledger, so that what is left of it is found without listing a folder of any size.
    return f"{MARKER_NAME}-{ledger_id}.tmp"


def _content(path: str) -> bytes:
    # Seen before it is opened: opening a device may do something.
    _insist_on_file(os.lstat(path))
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _insist_on_file(os.fstat(fd))
        data = b""
        while len(data) <= LONGEST_BYTES and (block := os.read(fd, LONGEST_BYTES + 1 - len(data))):
            data += block
        return data
    finally:
        os.close(fd)


def _insist_on_file(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise MarkerError("a link")
    if stat.S_ISDIR(found.st_mode):
        raise MarkerError("a folder", is_folder=True)
    if not stat.S_ISREG(found.st_mode):
        raise MarkerError("not a file")


def _parsed(data: bytes) -> Marker:
    if len(data) > LONGEST_BYTES:
        raise MarkerError("longer than what we write there")
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise MarkerError("not what we write there") from error
    ledger, host, state, role, folder_id, path = (
        value if isinstance(value := table.get(key), str) else ""
        for key in ("ledger", "host", "state", "role", "folder_id", "path")
    )
    if not ledger:
        raise MarkerError("it names no owner")
    known: Role | None = "inbox" if role == "inbox" else "target" if role == "target" else None
    return Marker(Owner(ledger, host, state), known, folder_id, path)


def _create(spot: Spot, content: bytes) -> None:
    fd = os.open(spot.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=spot.at)
    try:
        with contextlib.suppress(PermissionError):  # file systems without modes
            os.fchmod(fd, 0o644)  # the user of another ledger must be able to read whose it is
        write_all(fd, content)
        os.fsync(fd)
    except OSError:
        spot.unlink()
        raise
    finally:
        os.close(fd)


def _put_new(temp: Spot, target: Spot, content: bytes) -> bool:
    """Give the marker its name without ever taking the place of what another daemon wrote just now."""
    done = rename_exclusively(temp, target)
    if done is not None:
        return done
    try:
        os.link(temp.name, target.name, src_dir_fd=temp.at, dst_dir_fd=target.at, follow_symlinks=False)
        return True
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
    try:
        # Not whole at once, but no other's: a kill right here leaves a marker that a person is asked about.
        _create(target, content)
        return True
    except FileExistsError:
        return False
