"""What earlier messages made, taken back: one thing off the timeline, or the last message, or all. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from nemo_watch.sandbox.intent import Remove, Undo
from nemo_watch.sandbox.plan.board import AUDIO, TEXT, Board, is_captions
from nemo_watch.sandbox.plan.work import Work


def undo(work: Work, op: Undo, earlier: Sequence[Mapping[str, Any]]) -> None:
    """Go back to the draft before the last message that changed something, or with `all` to the uploads as they came.

    An empty draft is what was before the first message: the uploads are placed in its stead by whatever comes next.
    """
    if not work.board.main() or (not op.all and not earlier):
        work.tell("nothing_to_undo")
        return
    steps = min(op.steps, len(earlier))
    target: Mapping[str, Any] = {} if op.all else earlier[-steps]
    board = Board(copy.deepcopy(dict(target)), work.board.all, work.board.alone)
    if not board.main() and board.usual():
        board.start_over(board.usual())
    if not board.main() or board.draft == work.board.draft:
        work.tell("nothing_to_undo")
        return
    work.board = board
    told = "started_over" if op.all else "undone" if steps == 1 else "undone_more"
    work.tell(told, steps=steps, total=work.s(board.duration_ms))
    work.used("undo")


def remove(work: Work, op: Remove) -> None:
    """Take something off the timeline; what is not there is named."""
    if _removed(work, op):
        work.tell(f"removed_{op.thing}", text=op.text)
        work.used(f"remove_{op.thing}")
    else:
        work.tell(f"no_{op.thing}_here", text=op.text)


def _removed(work: Work, op: Remove) -> bool:
    board = work.board
    draft, facts = board.draft, board.draft["m"]
    match op.thing:
        case "title":
            wanted = op.text.casefold()
            return board.drop(
                TEXT, lambda track, seg: not is_captions(track) and wanted in str(seg.get("tx", "")).casefold()
            )
        case "captions":
            return board.drop(TEXT, lambda track, _: is_captions(track))
        case "music":
            return board.drop(AUDIO, lambda _track, _seg: True)
        case "logo":
            return board.drop_logos()
        case "fade":
            had = bool(draft.get("fi") or draft.get("fo"))
            draft.pop("fi", None)
            draft.pop("fo", None)
            return had
        case "fade_in":
            return bool(draft.pop("fi", None))
        case "fade_out":
            return bool(draft.pop("fo", None))
        case "loudness":
            return facts.pop("lufs", None) is not None
        case "bars":
            return facts.pop("fit", None) is not None
        case "speed":
            if all(float(seg.get("sp", 1.0)) == 1 for seg in board.moving()):
                return False
            board.speed(None)
            return True
        case _:
            assert_never(op.thing)
