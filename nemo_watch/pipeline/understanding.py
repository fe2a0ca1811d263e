"""What a drop asks for, whatever way it was given: for the daemon, and for a plan of what it would do.

Touches: the inbox and the ledger, reading only.
"""

from __future__ import annotations

from nemo_watch.ledger import Ledger
from nemo_watch.model import Drop, Instructions, Work
from nemo_watch.pipeline.giving import address, edit_work, generation, question
from nemo_watch.pipeline.house import InboxRules
from nemo_watch.pipeline.refining import refinement


async def understand(rules: InboxRules, drop: Drop, ledger: Ledger | None = None) -> tuple[Instructions, Work]:
    """Read a drop's instruction and decide what there is to do. Nothing is written, so that a plan can be made of it.

    A refinement is looked up in the `ledger`; without one it is understood as far as its text goes. Not for a batch:
    see `understand_batch`. Raises: SidecarError, MediaError. Repeat: safe.
    """
    match drop.kind:
        case "ask":
            return await question(rules, drop)
        case "generate":
            return await generation(rules, drop)
        case "url":
            return await address(rules, drop)
        case "refine":
            return await refinement(rules, drop, ledger)
        case _:
            return await edit_work(rules, drop)
