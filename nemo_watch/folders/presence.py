"""Whether a folder still is the one it was: a marker in its root says so, and whose an inbox is.

Touches: the root of an inbox, outbox, rejects or archive folder; what the ledger remembers, through `Memory`.
Everything here blocks and belongs on a folder's own threads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from dataclasses import replace
from typing import Protocol

from nemo_watch.errors import FolderError, LedgerError
from nemo_watch.folders import marker as markers
from nemo_watch.folders.judging import FSTAB, MOUNTINFO, REFUSED, Fact, Ground, Judge, Judgement
from nemo_watch.folders.marker import MARKER_NAME, Marker, Owner, Role
from nemo_watch.model import Json

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)
COMPLETE_AGAIN_S = 3600.0
"""An old marker that could not be completed is tried again after so long: each try is a file that comes and goes."""


class Memory(Protocol):
    """What is remembered of folders from one start to the next, durable when `remember` returns. Blocking."""

    def recall(self, key: str) -> Json | None:
        """Read a fact, None if there is none. Raises: LedgerError."""

    def remember(self, key: str, value: Json) -> None:
        """Keep a fact. Raises: LedgerError. Repeat: safe."""


class Presence:
    """Guards one folder: nothing is believed of it and nothing written to it unless it is the one it was."""

    def __init__(
        self,
        root: str,
        role: Role,
        owner: Owner,
        memory: Memory,
        *,
        mountinfo: str = MOUNTINFO,
        fstab: str = FSTAB,
    ) -> None:
        """Remember what to guard; nothing is touched yet. `root` is absolute."""
        self.root = root
        self.role = role
        self.owner = owner
        self._memory = memory
        self._judge = Judge(root, role, owner, mountinfo, fstab)
        self._key = f"place:{root}"
        self._marker = os.path.join(root, MARKER_NAME)
        self._lock = threading.Lock()
        self._fact: Fact | None = None
        self._known: tuple[int, ...] | None = None
        self._is_tidy = False
        self._complete_again_s = 0.0
        self.sentence = ""
        """Why the folder was refused at the last look, "" if it was not."""

    # ------------------------------------------------------------ what others ask

    def refusal(self) -> str:
        """Look at the folder in full; give "" if it can be used, else the sentence that says why not.

        Effects: writes the marker where it belongs, after the ledger knows of the folder. Repeat: safe.
        """
        with self._lock:
            try:
                self.sentence = self._settle(self.judge())
            except LedgerError as error:
                self.sentence = f"What is known of {self.root} cannot be kept: {error.message}"
            except FileNotFoundError:
                self.sentence = f"{self.root} is not there."
            except OSError as error:
                self.sentence = f"{self.root} cannot be used: {error.strerror or error}."
            return self.sentence

    def insist(self) -> None:
        """Refuse to go on unless the folder is the one it was: one `stat` where nothing changed.

        Raises: FolderError with code "inbox_unavailable", "outbox_unavailable" or "disk_full".
        """
        try:
            if self._known is not None and not self.sentence and self._glance() == self._known:
                return
            with self._lock:
                sentence = self.sentence = self._settle(self.judge())
        except OSError as error:
            self._known = None
            raise self.unavailable(error) from error
        if sentence:
            raise FolderError(sentence, code=self._code, hint="It goes on by itself when this is mended.")

    def unavailable(self, error: OSError) -> FolderError:
        """Describe what the operating system said when the folder was used."""
        if error.errno in _FULL:
            return FolderError(
                f"The disk of {self.root} is full.",
                code="disk_full",
                hint="Free some space; it goes on by itself then.",
            )
        return FolderError(
            f"The folder {self.root} cannot be used: {error.strerror or error}.",
            code=self._code,
            hint="Mount it, or give the daemon's user the right to use it; it goes on by itself then.",
        )

    def judge(self) -> Judgement:
        """Say how the folder stands. Raises: OSError, LedgerError. Effects: reads only. Repeat: safe."""
        if self._fact is None:
            self._fact = self._recalled()
        judgement = self._judge.judge(self._fact)
        if judgement.standing in ("elsewhere", "owned"):
            # A person may have adopted it meanwhile, in another process.
            self._fact = self._recalled()
            judgement = self._judge.judge(self._fact)
        return judgement

    def can_be_marked(self) -> bool:
        """Tell whether the folder's rights let us write a marker there. Repeat: safe."""
        return os.access(self.root, os.W_OK | os.X_OK, effective_ids=True)

    def adopt(self) -> str:
        """Take the folder over, as a person asked for it; give a sentence of what was done, "" if nothing had to be.

        Raises: OSError, LedgerError, FolderError where a person must mend something else first. Repeat: safe.
        """
        with self._lock:
            judgement = self.judge()
            if judgement.standing not in REFUSED:
                return ""
            marker, ground = judgement.marker, judgement.ground
            if not judgement.can_be_adopted or ground is None:
                raise FolderError(judgement.sentence, code=self._code)
            before = "it was not known as it is"
            if marker is not None:
                before = f"it was marked as {marker.words(self.owner)}"
            if marker is not None and self._is_fine_as_it_is(marker):
                self._keep(Fact(ground, is_marked=True, folder_id=marker.folder_id))
                return f"{self.root} is taken as it is now; {before}."
            if self.can_be_marked():
                fact = Fact(ground, is_marked=True, folder_id=markers.new_id())
                self._keep(fact)
                markers.write(self.root, self._marker_for(fact), over=True)
                return f"{self.root} is ours now; {before}."
            over, folder_id = (marker.owner.ledger, marker.folder_id) if marker is not None else ("", "")
            self._keep(Fact(ground, is_marked=False, over=over, folder_id=folder_id))
            return f"{self.root} is ours now, though its marker cannot be written; {before}."

    # ------------------------------------------------------------ acting on it

    def _is_fine_as_it_is(self, marker: Marker) -> bool:
        """Tell whether only what is remembered must change; outboxes are shared, and others know theirs by its id."""
        is_ours = self.role == "target" or marker.owner.ledger == self.owner.ledger
        return is_ours and marker.is_complete and marker.role == self.role

    def _settle(self, judgement: Judgement) -> str:
        """Write what has to be written after a judgement; give the sentence of a refusal."""
        ground = judgement.ground
        if judgement.standing in REFUSED or ground is None:
            self._known = None
            return judgement.sentence
        if self.role == "target" and judgement.standing in ("new", "again"):
            os.makedirs(self.root, exist_ok=True)
        if judgement.standing == "good":
            self._know(judgement.marker, ground)
        else:
            fact = self._fact
            if fact is None or not fact.ground.same_mount(ground):
                fact = Fact(ground, is_marked=False)
            if self.role == "target" or self.can_be_marked():
                # The ledger first: a kill between the two leaves a known folder without a marker, which then gets it.
                # An id is kept only once it is on the disk: another daemon's marker may come first.
                self._keep(fact)
                if not self._mark(fact):
                    return self._settle(self.judge())  # somebody else's came first
            else:
                self._keep(fact)
        self._tidy()
        self._known = self._glance()
        return ""

    def _know(self, marker: Marker | None, ground: Ground) -> None:
        """Remember a folder that is marked; a marker of ours that does not tell which folder it is learns to."""
        before = self._fact or Fact(ground, is_marked=False)
        folder_id = before.folder_id if before.is_marked or before.over else ""  # else it never was on the disk
        fact = Fact(ground, is_marked=True, over=before.over, folder_id=folder_id)
        if marker is not None and marker.folder_id:
            fact = replace(fact, folder_id=marker.folder_id)
        self._keep(fact)
        if marker is not None and marker.owner.ledger == self.owner.ledger and not marker.is_complete:
            self._complete(fact)

    def _complete(self, fact: Fact) -> None:
        """Have an old marker of ours tell which folder it is, if that can be written: it is good without that, too."""
        if time.monotonic() < self._complete_again_s or not self.can_be_marked():
            return
        self._complete_again_s = time.monotonic() + COMPLETE_AGAIN_S
        fact = _with_id(fact)
        # A full disk, or another user's marker in a sticky folder: what was good before an upgrade stays so.
        with contextlib.suppress(OSError):
            markers.write(self.root, self._marker_for(fact), over=True)
            self._keep(fact)

    def _mark(self, fact: Fact) -> bool:
        """Write the marker and remember it; False if another one is there by now."""
        fact = _with_id(fact)
        try:
            if not markers.write(self.root, self._marker_for(fact), over=False):
                return False
        except OSError as error:
            if self.role == "target" or error.errno not in _READ_ONLY:
                raise
            return True  # its mount alone will tell it
        self._keep(replace(fact, ground=replace(fact.ground, inode=os.stat(self.root).st_ino), is_marked=True))
        return True

    def _marker_for(self, fact: Fact) -> Marker:
        return Marker(self.owner, self.role, fact.folder_id, self.root)

    def _tidy(self) -> None:
        if not self._is_tidy:
            self._is_tidy = True
            with contextlib.suppress(OSError):  # a hidden file too many harms nobody, and most often there is none
                markers.tidy(self.root, self.owner.ledger)

    def _glance(self) -> tuple[int, ...] | None:
        """Take what changes if the marker or, where there is none, the folder is another one."""
        for path in (self._marker, self.root):
            with contextlib.suppress(FileNotFoundError):
                found = os.lstat(path)
                if path == self.root:
                    return (found.st_dev, found.st_ino)
                return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        return None

    def _recalled(self) -> Fact | None:
        value = self._memory.recall(self._key)
        return Fact.from_json(value) if value is not None else None

    def _keep(self, fact: Fact) -> None:
        if fact != self._fact:
            self._memory.remember(self._key, fact.to_json())
            self._fact = fact

    @property
    def _code(self) -> str:
        return "inbox_unavailable" if self.role == "inbox" else "outbox_unavailable"


def _with_id(fact: Fact) -> Fact:
    return fact if fact.folder_id else replace(fact, folder_id=markers.new_id())
