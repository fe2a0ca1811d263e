"""One at a time: whoever gives a name in a folder looks first at what is there, and nobody else does so in between.

Touches: folders that the caller holds open (listing and locking them).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Iterator

from nemo_watch.folders.files import Spot
from nemo_watch.folders.names import key

_LONGEST_WAIT_S = 1.0
_LOOK_S = 0.01


class _Turn:
    """Lets the threads of this process give names in one folder one after the other."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_turns: weakref.WeakValueDictionary[tuple[int, int], _Turn] = weakref.WeakValueDictionary()
_turns_lock = threading.Lock()


@contextlib.contextmanager
def naming(at: int) -> Iterator[None]:
    """Look at the names of a folder and give a new one, with no other thread doing the same in between.

    Other processes of this machine are kept out where the file system can lock a folder, and waited for a second at
    most. Raises: OSError.
    """
    found = os.fstat(at)
    with _turns_lock:
        turn = _turns.setdefault((found.st_dev, found.st_ino), _Turn())
    with turn.lock:
        is_locked = _lock(at)
        try:
            yield
        finally:
            if is_locked:
                fcntl.flock(at, fcntl.LOCK_UN)


def is_crowded(spot: Spot) -> bool:
    """Tell whether another name of the folder differs by case or Unicode form alone. Raises: OSError."""
    wanted = key(spot.name)
    return any(name != spot.name and key(name) == wanted for name in os.listdir(spot.at))


def _lock(at: int) -> bool:
    last_s = time.monotonic() + _LONGEST_WAIT_S
    while True:
        try:
            fcntl.flock(at, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= last_s:
                return False  # whoever holds it that long gives no name with it
            time.sleep(_LOOK_S)
        except OSError:
            return False  # network file systems cannot lock a folder
        else:
            return True
