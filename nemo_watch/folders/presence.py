"""Whether a folder still is the one it was: a marker in its root says so, and whose an inbox is.

Touches: the root of an inbox, outbox, rejects or archive folder; mountinfo and fstab (reading); what the ledger
remembers, through `Memory`. Everything here blocks and belongs on a folder's own threads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
import tomllib
import uuid
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import tomli_w

from nemo_watch import mounts
from nemo_watch.errors import FolderError, LedgerError
from nemo_watch.model import Json

MARKER_NAME = ".nemo-watch"
"""Hidden, so it is never a drop."""

LONGEST_BYTES = 4096
MOUNTINFO = "/proc/self/mountinfo"
FSTAB = "/etc/fstab"
ADOPT = "`nemo-watch check --adopt`"

_ABOUT = """\
# This folder is used by nemo-watch, which keeps this file so that it knows the folder again when a share or disk is
# mounted late, and so that no other nemo-watch works on the same files. Please leave it here.
"""
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL = (errno.ENOSPC, errno.EDQUOT)

Role = Literal["inbox", "target"]


class Memory(Protocol):
    """What is remembered of folders from one start to the next, durable when `remember` returns. Blocking."""

    def recall(self, key: str) -> Json | None:
        """Read a fact, None if there is none. Raises: LedgerError."""

    def remember(self, key: str, value: Json) -> None:
        """Keep a fact. Raises: LedgerError. Repeat: safe."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who uses a folder: the ledger's id decides, host and state folder are for people."""

    ledger: str
    host: str = ""
    state: str = ""

    @staticmethod
    def here(ledger_id: str, state_path: str) -> Owner:
        """Describe the ledger of this process."""
        return Owner(ledger_id, socket.gethostname(), state_path)

    def __str__(self) -> str:
        return f"the nemo-watch on {self.host or 'an unnamed host'} with the state folder {self.state or '(not told)'}"


@dataclass(frozen=True, slots=True)
class Ground:
    """Which folder lies at a path: its mount by what stays the same from one mount to the next, and its inode."""

    source: str
    fs_type: str
    root: str
    inode: int

    def same_mount(self, other: Ground) -> bool:
        """Tell whether both are of one mount; device numbers change with every mount, so they are not asked."""
        return (self.source, self.fs_type, self.root) == (other.source, other.fs_type, other.root)

    def __str__(self) -> str:
        return f"{self.source} ({self.fs_type})"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is remembered of a folder. `is_marked`: a marker of ours was written; `over`: an owner who was overruled."""

    ground: Ground
    is_marked: bool
    over: str = ""

    def to_json(self) -> Json:
        """Pack it for the ledger."""
        return asdict(self)

    @staticmethod
    def from_json(value: Json) -> Fact:
        """Unpack what the ledger kept."""
        return Fact(Ground(**value["ground"]), value["is_marked"], value["over"])


Standing = Literal["good", "new", "again", "bare", "owned", "broken", "elsewhere", "unmounted", "missing"]
"""good: as it was. new: never seen. again: as it was, the marker is gone. bare: as it was, and can hold no marker.
owned: another ledger's. broken: the marker cannot be read. elsewhere: another folder lies there now."""

REFUSED: frozenset[Standing] = frozenset({"owned", "broken", "elsewhere", "unmounted", "missing"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a folder stands, and the sentence for people if it cannot be used. `owner` is who the marker names."""

    standing: Standing
    sentence: str = ""
    owner: Owner | None = None
    ground: Ground | None = None


class _MarkerError(Exception):
    """A marker that cannot be read; its text says why."""


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
        self._mountinfo = mountinfo
        self._fstab = fstab
        self._key = f"place:{root}"
        self._marker = os.path.join(root, MARKER_NAME)
        self._lock = threading.Lock()
        self._fact: Fact | None = None
        self._known: tuple[int, ...] | None = None
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
        judgement = self._judge()
        if judgement.standing in ("elsewhere", "owned"):
            # A person may have adopted it meanwhile, in another process.
            self._fact = self._recalled()
            judgement = self._judge()
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
            if judgement.standing in ("unmounted", "missing") or judgement.ground is None:
                raise FolderError(judgement.sentence, code=self._code)
            over = judgement.owner.ledger if judgement.owner is not None else ""
            before = f"it belonged to {judgement.owner}" if judgement.owner is not None else "it was not known as it is"
            if self.can_be_marked():
                self._keep(Fact(judgement.ground, is_marked=True))
                self._write_marker(over=True)
                return f"{self.root} is ours now; {before}."
            self._keep(Fact(judgement.ground, is_marked=False, over=over))
            return f"{self.root} is ours now, though its marker cannot be written; {before}."

    # ------------------------------------------------------------ judging

    def _judge(self) -> Judgement:
        is_inbox = self.role == "inbox"
        with open(self._mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            lines = mounts.parse(file.read())
        found: os.stat_result | None = None
        try:
            found = os.stat(self.root)  # enters an automount, too
        except FileNotFoundError:
            if is_inbox:
                return Judgement("missing", f"{self.root} is not there.")
        if found is not None and not stat.S_ISDIR(found.st_mode):
            return Judgement("missing", f"{self.root} is not a folder.")
        real = os.path.realpath(self.root)
        point = mounts.unmounted_point(real, self._fstab_points(), lines)
        if point:
            return Judgement(
                "unmounted", f"Nothing is mounted on {point}, as /etc/fstab says there should be: mount it."
            )
        mount = mounts.mount_of(real, lines)
        inode = found.st_ino if found is not None else 0
        here = Ground(mount.source, mount.fs_type, mount.root, inode) if mount else Ground("", "", "", inode)
        try:
            owner = self._read_marker()
        except _MarkerError as error:
            if not is_inbox:
                return Judgement("good", ground=here)
            mend = f"remove it to begin anew, or run {ADOPT}"
            return Judgement("broken", f"The marker {self._marker} cannot be read ({error}): {mend}.", ground=here)
        if owner is not None:
            return self._judge_marked(owner, here)
        return self._judge_unmarked(here)

    def _judge_marked(self, owner: Owner, here: Ground) -> Judgement:
        overruled = self._fact is not None and self._fact.over == owner.ledger
        if self.role == "inbox" and owner.ledger != self.owner.ledger and not overruled:
            sentence = (
                f"{self.root} belongs to {owner}: two of them would do and pay everything twice. Stop one of them; "
                f"to make it ours, run {ADOPT}."
            )
            return Judgement("owned", sentence, owner, here)
        return Judgement("good", owner=owner, ground=here)

    def _judge_unmarked(self, here: Ground) -> Judgement:
        fact = self._fact
        if fact is None:
            return Judgement("new", ground=here)
        if fact.ground.same_mount(here):
            # A folder that things are only put into may have been made anew; an inbox made anew has lost its drops.
            if self.role == "target" or fact.ground.inode == here.inode:
                return Judgement("again", ground=here)
            if not fact.is_marked:
                return Judgement("bare", ground=here)
        return Judgement(
            "elsewhere",
            f"Another folder lies at {self.root} now: it was on {fact.ground} and is on {here}, without our marker. "
            f"Is its share or disk mounted? If it is right so, run {ADOPT}.",
            ground=here,
        )

    def _fstab_points(self) -> tuple[str, ...]:
        try:
            with open(self._fstab, encoding="utf-8", errors="surrogateescape") as file:
                return mounts.fstab_points(file.read())
        except FileNotFoundError:
            return ()

    # ------------------------------------------------------------ acting on it

    def _settle(self, judgement: Judgement) -> str:
        """Write what has to be written after a judgement; give the sentence of a refusal."""
        if judgement.standing in REFUSED or judgement.ground is None:
            self._known = None
            return judgement.sentence
        fact = self._fact
        if self.role == "target" and judgement.standing in ("new", "again"):
            os.makedirs(self.root, exist_ok=True)
        if judgement.standing == "good":
            if fact is None or not fact.is_marked or fact.ground != judgement.ground:
                over = fact.over if fact is not None else ""
                self._keep(Fact(judgement.ground, is_marked=True, over=over))
        else:
            # The ledger first: a kill between the two leaves a known folder without a marker, which then gets it.
            if fact is None or not fact.ground.same_mount(judgement.ground):
                self._keep(Fact(judgement.ground, is_marked=False))
            if self.role == "target" or self.can_be_marked():
                return self._mark(judgement.ground)
        self._known = self._glance()
        return ""

    def _mark(self, ground: Ground) -> str:
        try:
            is_ours = self._write_marker(over=False)
        except OSError as error:
            if self.role == "target" or error.errno not in _READ_ONLY:
                raise
            self._known = self._glance()  # its mount alone will tell it
            return ""
        if not is_ours:
            return self._settle(self.judge())  # somebody else's came first
        self._keep(Fact(replace(ground, inode=os.stat(self.root).st_ino), is_marked=True))
        self._known = self._glance()
        return ""

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

    # ------------------------------------------------------------ the marker

    def _read_marker(self) -> Owner | None:
        """Read whose the folder is, None if no marker is there. Raises: _MarkerError, OSError."""
        try:
            fd = os.open(self._marker, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO):
                raise _MarkerError("a link" if error.errno == errno.ELOOP else error.strerror) from error
            raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise _MarkerError("not a file")
            data = os.read(fd, LONGEST_BYTES)
        finally:
            os.close(fd)
        try:
            table = tomllib.loads(data.decode())
        except ValueError as error:
            raise _MarkerError("not what we write there") from error
        ledger, host, state = (str(table.get(key, "")) for key in ("ledger", "host", "state"))
        if not ledger:
            raise _MarkerError("it names no owner")
        return Owner(ledger, host, state)

    def _write_marker(self, *, over: bool) -> bool:
        """Write the marker whole; False if there is one and it is not to be written `over`. Raises: OSError."""
        text = _ABOUT + tomli_w.dumps(asdict(self.owner))
        temp = f"{self._marker}-{uuid.uuid4().hex}.tmp"
        try:
            fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with os.fdopen(fd, "wb") as out:
                with contextlib.suppress(PermissionError):  # file systems without modes
                    os.fchmod(fd, 0o644)  # the user of another ledger must be able to read whose it is
                out.write(text.encode("utf-8", "replace"))
                out.flush()
                os.fsync(fd)
            return _put(temp, self._marker, over=over)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temp)


def _put(temp: str, target: str, *, over: bool) -> bool:
    if not over:
        try:
            os.link(temp, target)  # unlike a rename it never takes the place of what another daemon wrote just now
            return True
        except FileExistsError:
            return False
        except OSError:
            if os.path.lexists(target):  # a file system without hard links: look, then rename
                return False
    os.rename(temp, target)
    return True
