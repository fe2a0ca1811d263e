"""Hands: deliver, reject and archive; the only room that moves users' files.

Touches: inbox, outbox, rejects, archive and spool. Every function here blocks and belongs on a folder's own pool.
"""

from nemo_watch.folders.files import TEMP_PREFIX
from nemo_watch.folders.moving import MoveResult, delete_original, move_original
from nemo_watch.folders.planning import Places, Plan, plan_moves, plan_name
from nemo_watch.folders.publishing import make_folder, publish, remove_own, take_name, write_new
from nemo_watch.folders.reading import (
    CHUNK_BYTES,
    fingerprint,
    hash_file,
    is_content,
    is_unchanged,
    last_part,
    opened,
    read_small,
    resolve_asset,
    stamp_of,
)

__all__ = [
    "CHUNK_BYTES",
    "TEMP_PREFIX",
    "MoveResult",
    "Places",
    "Plan",
    "delete_original",
    "fingerprint",
    "hash_file",
    "is_content",
    "is_unchanged",
    "last_part",
    "make_folder",
    "move_original",
    "opened",
    "plan_moves",
    "plan_name",
    "publish",
    "read_small",
    "remove_own",
    "resolve_asset",
    "stamp_of",
    "take_name",
    "write_new",
]
