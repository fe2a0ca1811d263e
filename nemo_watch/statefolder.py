"""The daemon's own folders: private, and held by one process at a time.

Touches: the state folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from nemo_watch.errors import FolderError, OperatorError

LEDGER_NAME = "ledger.db"
LOCK_NAME = "lock"


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
def state_lock(path: str) -> Iterator[None]:
    """Hold the state folder for this process: two daemons on one ledger would do everything twice.

    Raises: OperatorError if another daemon holds it. Effects: the kernel lets go of it when the process ends.
    """
    fd = os.open(os.path.join(path, LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(
                f"Another nemo-watch already runs with the state folder {path}.",
                code="locked",
                hint="Look at it with `nemo-watch status`, or give this one a state folder of its own.",
            ) from error
        yield
    finally:
        os.close(fd)


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
