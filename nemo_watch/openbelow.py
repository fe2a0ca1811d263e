"""Opens what lies below an inbox without ever leaving it: every name on the way is opened from the folder before it.

Touches: folders and files, opening only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


def open_below(root: str, rel: str) -> int:
    """Open a file of an inbox for reading, following no link anywhere below the inbox and never waiting for a writer.

    Raises: OSError (ELOOP or ENOTDIR where a link lies in the way). Effects: the caller closes the descriptor.
    """
    folder, _, name = rel.rpartition("/")
    with folder_below(root, folder) as at:
        return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)


@contextlib.contextmanager
def folder_below(root: str, folder: str) -> Iterator[int]:
    """Hold a folder of an inbox, "" being the inbox itself, as a place to look, rename and unlink from.

    A parent that is swapped for a link meanwhile leads nowhere: the descriptor stays with the folder that was there.
    Raises: OSError (ENOTDIR where a link lies in the way).
    """
    at = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folder.split("/") if folder else ():
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)
