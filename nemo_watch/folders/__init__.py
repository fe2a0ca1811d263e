"""Hands: deliver, reject and archive; the only room that moves users' files.

Touches: inbox, outbox, rejects, archive and spool. Every function here blocks and belongs on a folder's own pool.
"""

from nemo_watch.folders.files import TEMP_PREFIX
from nemo_watch.folders.moving import MoveResult, delete_original, has_moved, move_original
from nemo_watch.folders.planning import Places, Plan, plan_moves, plan_name, plan_names
from nemo_watch.folders.publishing import make_folder, publish, remove_own, take_name, write_new
from nemo_watch.folders.reading import (
    CHUNK_BYTES,
    fingerprint,
    hash_file,
    is_content,
    is_mounted_read_only,
    is_unchanged,
    last_part,
    opened,
    read_small,
    resolve_asset,
    stamp_of,
    standing,
)
from nemo_watch.folders.temps import find_temps, remove_temps, temp_mark

__all__ = [
    "CHUNK_BYTES",
    "TEMP_PREFIX",
    "MoveResult",
    "Places",
    "Plan",
    "delete_original",
    "find_temps",
    "fingerprint",
    "has_moved",
    "hash_file",
    "is_content",
    "is_mounted_read_only",
    "is_unchanged",
    "last_part",
    "make_folder",
    "move_original",
    "opened",
    "plan_moves",
    "plan_name",
    "plan_names",
    "publish",
    "read_small",
    "remove_own",
    "remove_temps",
    "resolve_asset",
    "stamp_of",
    "standing",
    "take_name",
    "temp_mark",
    "write_new",
]
