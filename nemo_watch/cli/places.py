"""Which of the config's folders a path lies in, as the daemon would see it.

Touches: folders (links resolved), the ledger's notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from nemo_watch import config as configuration
from nemo_watch.config import Config, Inbox, with_real_paths
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S
from nemo_watch.ledger import Ledger

Role = Literal["inbox", "outbox", "rejects", "archive"]
ROLES: tuple[Role, ...] = ("inbox", "outbox", "rejects", "archive")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place below one of the folders; `rel` is "" for the folder itself. `link` is a link on the way, if any."""

    inbox: Inbox
    role: Role
    rel: str
    link: str = ""

    @property
    def path(self) -> str:
        """The absolute path in the words of the config, as the ledger writes it."""
        root = folder_of(self.inbox, self.role)
        return os.path.join(root, self.rel) if self.rel else root


def load_config(path: str | None) -> Config:
    """Read the config with the folders' paths as the daemon resolves them. Raises: ConfigError."""
    return with_real_paths(configuration.load(path, os.environ), _real)


def _real(path: str) -> str:
    """Resolve the links in a path; one that hangs is taken as it was written."""
    try:
        return answer_within(START_WAIT_S, os.path.realpath, path)
    except NoAnswerError:
        return path


def folder_of(inbox: Inbox, role: Role) -> str:
    """Give one of an inbox's four folders."""
    return inbox.path if role == "inbox" else str(getattr(inbox, role))


def lexical(config: Config, path: str) -> Spot | None:
    """Find the folder that a path names by its words alone; nothing is touched."""
    whole = os.path.abspath(path)
    for inbox, role in _all_spots(config):
        rel = _below(whole, folder_of(inbox, role))
        if rel is not None:
            return Spot(inbox, role, rel)
    return None


def locate(config: Config, path: str) -> Spot | None:
    """Find the folder that a path lies in, by its words or behind links; None if in none of them."""
    spot = lexical(config, path)
    if spot is not None:
        return Spot(spot.inbox, spot.role, spot.rel, _link_on_the_way(spot))
    whole = os.path.abspath(path)
    # The last part is not resolved: a link in an inbox is spoken of as what it is.
    beside = os.path.join(_real(os.path.dirname(whole)), os.path.basename(whole))
    for real in (beside, _real(whole)):
        for inbox, role in _all_spots(config):
            rel = _below(real, _real(folder_of(inbox, role)))
            if rel is not None and (rel or os.path.isdir(whole)):
                return Spot(inbox, role, rel)
    return None


def _all_spots(config: Config) -> list[tuple[Inbox, Role]]:
    return [(inbox, role) for inbox in config.inboxes for role in ROLES]


def _below(path: str, folder: str) -> str | None:
    if path == folder:
        return ""
    head = folder.rstrip("/") + "/"
    return path[len(head) :] if path.startswith(head) else None


def _link_on_the_way(spot: Spot) -> str:
    parts = spot.rel.split("/")
    root = folder_of(spot.inbox, spot.role)
    heads = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return next((head for head in heads if os.path.islink(os.path.join(root, head))), "")


def named_inboxes(config: Config) -> str:
    """List the inboxes for a sentence."""
    return ", ".join(f'"{inbox.name}" ({inbox.path})' for inbox in config.inboxes)


async def hung_folders(config: Config, ledger: Ledger | None) -> dict[str, str]:
    """Tell which of the folders do not answer, with the words for it: whoever touches them would hang as well.

    The running daemon's word is taken (`ledger`: its ledger, None if it does not run); the others are touched, all at
    once. Takes up to 3 s if one hangs. Repeat: safe.
    """
    notices = await ledger.notices() if ledger is not None else {}
    hung: dict[str, str] = {}
    for inbox in config.inboxes:
        state = str(notices.get(f"inbox:{inbox.name}", {}).get("state", ""))
        if state.startswith("hung"):
            hung[inbox.path] = state
    others = sorted({folder_of(*spot) for spot in _all_spots(config)} - hung.keys())
    loop, threads = asyncio.get_running_loop(), ThreadPoolExecutor(max(1, len(others)))
    answers = await asyncio.gather(*(loop.run_in_executor(threads, _answers, folder) for folder in others))
    threads.shutdown(wait=False)
    silent = (folder for folder, answered in zip(others, answers, strict=True) if not answered)
    return hung | {folder: f"hung: {folder} has not answered for {START_WAIT_S:g} s" for folder in silent}


def _answers(folder: str) -> bool:
    with contextlib.suppress(OSError):  # what is away or not ours answers, too
        try:
            answer_within(START_WAIT_S, _touch, folder)
        except NoAnswerError:
            return False
    return True


def _touch(folder: str) -> None:
    # A look at the folder itself may come from the kernel's memory; a list of it does not.
    with os.scandir(folder) as entries:
        next(entries, None)
