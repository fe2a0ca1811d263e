"""The daemon's own folders: private, and held by one process at a time.

Touches: the state folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import Literal

from nemo_watch.errors import FolderError, OperatorError

LEDGER_NAME = "ledger.db"
LOCK_NAME = "lock"

Holder = Literal["daemon", "command"]
"""Who holds the state folder: it is written into the lock's file."""

_COMMAND_ENDS_S = 15.0
_LOOK_ENDS_S = 0.5


def private_folder(path: str) -> None:
    """Make a folder of the daemon's own that nobody else may enter, and see that it can be written.

    Raises: FolderError. Repeat: safe.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if os.stat(path).st_uid == os.getuid():
            os.chmod(path, 0o700)
        os.close(os.open(os.path.join(path, LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise FolderError(
            f"The daemon's own folder {path} cannot be used: {error.strerror}.",
            code="state",
            hint="Name another one in the config ([state] path or spool), or give the daemon's user the right to write "
            "there.",
        ) from error


@contextlib.contextmanager
def state_lock(path: str, holder: Holder = "command") -> Iterator[None]:
    """Hold the state folder for this process: two daemons on one ledger would do everything twice.

    A daemon waits for a command that holds it, which is soon done; for another daemon nobody waits.
    Raises: OperatorError if another process holds it. Effects: the kernel lets go of it when the process ends.
    """
    fd = os.open(os.path.join(path, LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(fd, path, _COMMAND_ENDS_S if holder == "daemon" else 0.0)
        os.ftruncate(fd, 0)
        os.pwrite(fd, holder.encode(), 0)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, path: str, wait_s: float) -> None:
    began_s = time.monotonic()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            waited_s = time.monotonic() - began_s
            # What is written there may be a killed daemon's, and the holder somebody who only looks.
            is_daemon = os.pread(fd, 16, 0) == b"daemon" and waited_s > _LOOK_ENDS_S
            if is_daemon or waited_s >= wait_s:
                raise OperatorError(
                    f"Another nemo-watch already runs with the state folder {path}.",
                    code="locked",
                    hint="Look at it with `nemo-watch status`, or give this one a state folder of its own.",
                ) from error
            time.sleep(0.02)
        else:
            return


def is_running(path: str) -> bool:
    """Tell whether a daemon holds the state folder. Repeat: safe."""
    try:
        fd = os.open(os.path.join(path, LOCK_NAME), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
