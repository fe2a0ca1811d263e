"""What earlier runs left behind: temporary files in the target folders, and results in the spool that are delivered.

Touches: outbox, rejects and archive with their sub-folders, the spool, the ledger (reading).
"""

from __future__ import annotations

import os
import re
import shutil

from nemo_watch import folders
from nemo_watch.errors import FolderError
from nemo_watch.folders.files import target_errors
from nemo_watch.guarded import GuardedFolder
from nemo_watch.ledger.finding import marks_in_use
from nemo_watch.pipeline.house import House, log

TIDY_S = 60.0
_JOB_FOLDER = re.compile(r"[0-9a-f]{16}-\d+(\.\d+)?")


class Tidying:
    """Goes through each folder once after a start; one that is away is tried again the next time."""

    def __init__(self, house: House) -> None:
        """Remember where to look; nothing is touched yet."""
        self._house = house
        self._done: set[str] = set()

    async def tidy(self) -> None:
        """Remove what nobody goes on with. Raises: LedgerError. Repeat: safe; what is done is not done again."""
        rules = self._house.inboxes.values()
        targets = {place.root: place for one in rules for place in (one.outbox, one.rejects, one.archive)}
        for root, place in targets.items():
            if root not in self._done:
                await self._try(root, place)
        if self._house.spool.root not in self._done:
            await self._try(self._house.spool.root, None)

    async def _try(self, root: str, target: GuardedFolder | None) -> None:
        try:
            await (self._tidy_spool() if target is None else self._tidy_target(target))
        except FolderError as error:
            log.debug("folder.untidy", path=root, why=error.message)
        else:
            self._done.add(root)

    async def _tidy_target(self, place: GuardedFolder) -> None:
        """Remove this ledger's temporary files that no plan names.

        First the disk is read, then the ledger: the plan of a file that was there then is in the ledger by now, or the
        file is nobody's. Another ledger's files are never touched, whatever their age.
        """
        ledger = self._house.ledger
        found = await place.call(folders.find_temps, place.root, ledger.ledger_id)
        if not found:
            return
        used = await marks_in_use(ledger)
        left = [rel for rel, mark in found.items() if mark not in used]
        for rel in await place.call(folders.remove_temps, place.root, left):
            log.info("temp.removed", path=os.path.join(place.root, rel))

    async def _tidy_spool(self) -> None:
        """Remove the results of delivered jobs: a kill, or a spool that hung, came before that."""
        spool = self._house.spool
        for name in await spool.call(_listed, spool.root):
            job = await self._house.ledger.job(name) if _JOB_FOLDER.fullmatch(name) else None
            if job is not None and job.state == "delivered":
                await spool.call(shutil.rmtree, os.path.join(spool.root, name), ignore_errors=True)
                log.info("spool.removed", job=name)


def _listed(path: str) -> list[str]:
    with target_errors(path):
        return os.listdir(path)
