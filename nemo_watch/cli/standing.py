"""How the folders of every inbox stand: whose they are, whether they are the ones they were; and taking them over.

Touches: the folders (reading; with `adopt` their markers), the ledger.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

from nemo_watch.cli.findings import Finding
from nemo_watch.config import Config, with_real_paths
from nemo_watch.errors import LedgerError, NemoWatchError
from nemo_watch.folders.judging import REFUSED
from nemo_watch.folders.marker import Owner, Role
from nemo_watch.folders.presence import Presence
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S, real_path
from nemo_watch.ledger import Ledger
from nemo_watch.model import Json
from nemo_watch.statefolder import LEDGER_NAME, is_running


class CommandMemory:
    """What the ledger remembers, for a command; without a ledger nothing."""

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger

    def recall(self, key: str) -> Json | None:
        """Read a fact, None if there is none. Raises: LedgerError."""
        return asyncio.run(self._ledger.recall(key)) if self._ledger is not None else None

    def remember(self, key: str, value: Json) -> None:
        """Keep a fact; durable when it returns. Raises: LedgerError. Repeat: safe."""
        if self._ledger is None:
            raise LedgerError("There is no ledger to keep it in.")
        asyncio.run(self._ledger.remember(key, value))


def standings(config: Config, *, adopt: bool = False) -> list[Finding]:
    """Look at every folder, or take over those that are refused.

    Raises: LedgerError if the ledger cannot be used, or if there is none to adopt a folder for.
    """
    path = os.path.join(config.state.path, LEDGER_NAME)
    # A folder that is adopted for a ledger that nobody works with is lost to everybody.
    ledger = Ledger(path, create=False) if adopt or os.path.exists(path) else None
    try:
        owner = Owner.here(ledger.ledger_id if ledger is not None else "", config.state.path)
        return list(_each(with_real_paths(config, real_path), owner, CommandMemory(ledger), adopt=adopt))
    finally:
        if ledger is not None:
            asyncio.run(ledger.close())


def _each(config: Config, owner: Owner, memory: CommandMemory, *, adopt: bool) -> Iterator[Finding]:
    for inbox in config.inboxes:
        folders: tuple[tuple[str, str, Role], ...] = (
            ("inbox", inbox.path, "inbox"),
            ("outbox", inbox.outbox, "target"),
            ("rejects", inbox.rejects, "target"),
            ("archive", inbox.archive, "target"),
        )
        for what, root, role in folders:
            presence = Presence(root, role, owner, memory)
            name = f"{inbox.name}: whose {what}"
            try:
                finding = answer_within(START_WAIT_S, _adopt if adopt else _look, name, presence)
            except NoAnswerError:
                found = f"{root} has not answered for {START_WAIT_S:g} s"
                finding = Finding(name, "bad", found, "Look whether its share or disk is still there.")
            except OSError as error:
                finding = Finding(name, "bad", f"{root}: {error.strerror or error}", "Mend it and run this again.")
            except NemoWatchError as error:
                finding = Finding(name, "bad", error.message, error.hint)
            if finding is not None:
                yield finding


def _look(name: str, presence: Presence) -> Finding | None:
    judgement = presence.judge()
    if judgement.standing == "missing":
        return None  # said where the folder itself is looked at
    if judgement.sentence:
        return Finding(name, "bad", judgement.sentence)
    if judgement.flaw:
        return Finding(name, "note", judgement.flaw)
    marker = judgement.marker
    if marker is not None:
        is_shared = presence.role == "target" and marker.owner.ledger != presence.owner.ledger
        return Finding(name, "good", f"marked, and shared with {marker.owner}" if is_shared else "ours")
    if presence.role == "inbox" and not presence.can_be_marked():
        return Finding(
            name,
            "note",
            f"{presence.root} cannot be written to, so no marker can say that it is ours",
            "See to it that no other nemo-watch uses it: both would do and pay everything.",
        )
    return Finding(name, "good", "it becomes ours at the first start")


def _adopt(name: str, presence: Presence) -> Finding | None:
    judgement = presence.judge()
    marker = judgement.marker
    other = marker.owner if marker is not None and marker.owner.ledger != presence.owner.ledger else None
    runs = _runs(other, presence.owner) if other is not None and judgement.standing in REFUSED else False
    if runs:
        return Finding(
            name,
            "bad",
            f"{presence.root} is in use: {other} is running at this moment, and both would do and pay what lies there",
            "Stop that one (or take the folder out of its config and restart it), then run this again.",
        )
    done = presence.adopt()
    if not done:
        return _look(name, presence)
    if runs is None:
        mend = "Make sure that the other one is stopped or uses this folder no more; that cannot be seen from here."
        return Finding(name, "note", done, mend)
    return Finding(name, "good", done)


def _runs(other: Owner, own: Owner) -> bool | None:
    """Tell whether the daemon of another ledger is alive; None where that cannot be told from here."""
    # On another machine, or in another container, its state folder would be another one under the same name.
    if other.host != own.host or not os.path.isabs(other.state) or other.state == own.state:
        return None
    path = os.path.join(other.state, LEDGER_NAME)
    if not os.access(path, os.R_OK):
        return None
    if not is_running(other.state):
        return False
    try:
        ledger = Ledger(path, reading="live")
    except LedgerError:
        return True
    try:
        return True if ledger.ledger_id == other.ledger else None
    finally:
        asyncio.run(ledger.close())
