"""Temporary names: one of its own for every plan, and what runs that died have left under them.

Touches: outbox, rejects and archive (listing them, removing temporary files of ours).
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable

from nemo_watch.folders.files import TEMP_PREFIX, target_errors
from nemo_watch.folderthreads import beat
from nemo_watch.openbelow import folder_below

_TEMP_NAME = re.compile(re.escape(TEMP_PREFIX) + r"([0-9a-f]{12}-[0-9a-f]{16})\.tmp")


def temp_mark(ledger_id: str) -> str:
    """Draw what tells the temporary files of one plan from all others; the ledger's id in it shows whose they are."""
    return f"{ledger_id[:12]}-{secrets.token_hex(8)}"


def temp_name(mark: str) -> str:
    """Name the temporary file of a plan."""
    return f"{TEMP_PREFIX}{mark}.tmp"


def find_temps(root: str, ledger_id: str) -> dict[str, str]:
    """Find what this ledger's plans have left under temporary names below a target folder: path below it, and mark.

    Links are not followed. Raises: FolderError.
    """
    found: dict[str, str] = {}

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | PermissionError):
            raise error

    with target_errors(root):
        for folder, _folders, names in os.walk(root, onerror=failed):
            beat()
            for name in names:
                ours = _TEMP_NAME.fullmatch(name)
                if ours is not None and ours[1].startswith(ledger_id[:12]):
                    found[os.path.relpath(os.path.join(folder, name), root)] = ours[1]
    return found


def remove_temps(root: str, rels: Iterable[str]) -> list[str]:
    """Remove temporary files of ours below a target folder; give those that were removed.

    What cannot be removed (its folder became read-only, say) stays for the next time. Raises: FolderError.
    """
    removed: list[str] = []
    with target_errors(root):
        for rel in rels:
            folder, _, name = rel.rpartition("/")
            try:
                with folder_below(root, folder) as at:
                    os.unlink(name, dir_fd=at)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            removed.append(rel)
    return removed
