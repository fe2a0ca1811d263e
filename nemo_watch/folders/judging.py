"""How a folder stands: what lies at its path now, held against what the ledger remembers and the marker says.

Touches: the root of the folder, mountinfo and fstab, reading only. Everything here blocks.
"""

from __future__ import annotations

import os
import stat
from dataclasses import asdict, dataclass
from typing import Literal

from nemo_watch import mounts
from nemo_watch.folders import marker as markers
from nemo_watch.folders.marker import MARKER_NAME, Marker, MarkerError, Owner, Role
from nemo_watch.model import Json

MOUNTINFO = "/proc/self/mountinfo"
FSTAB = "/etc/fstab"
ADOPT = "`nemo-watch check --adopt`"


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
    """What is remembered of a folder.

    `is_marked`: a marker of ours was written. `over`: an owner who was overruled. `folder_id`: that of its marker.
    """

    ground: Ground
    is_marked: bool
    over: str = ""
    folder_id: str = ""

    def to_json(self) -> Json:
        """Pack it for the ledger."""
        return asdict(self)

    @staticmethod
    def from_json(value: Json) -> Fact:
        """Unpack what the ledger kept."""
        return Fact(Ground(**value["ground"]), value["is_marked"], value["over"], value.get("folder_id", ""))


Standing = Literal["good", "new", "again", "bare", "owned", "broken", "elsewhere", "unmounted", "missing"]
"""good: as it was. new: never seen. again: as it was, the marker is gone. bare: as it was, and can hold no marker.
owned: another ledger's. broken: the marker cannot be read. elsewhere: another folder lies there now."""

REFUSED: frozenset[Standing] = frozenset({"owned", "broken", "elsewhere", "unmounted", "missing"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a folder stands, and the sentence for people if it cannot be used. `flaw`: what does not stop its use."""

    standing: Standing
    sentence: str = ""
    marker: Marker | None = None
    ground: Ground | None = None
    can_be_adopted: bool = False
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges one folder in the name of one ledger."""

    root: str
    role: Role
    owner: Owner
    mountinfo: str = MOUNTINFO
    fstab: str = FSTAB

    def judge(self, fact: Fact | None) -> Judgement:
        """Say how the folder stands to what is remembered of it. Raises: OSError. Repeat: safe."""
        with open(self.mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            lines = mounts.parse(file.read())
        found: os.stat_result | None = None
        try:
            found = os.stat(self.root)  # enters an automount, too
        except FileNotFoundError:
            if self.role == "inbox":
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
            marker = markers.read(self.root)
        except MarkerError as error:
            return self._judge_broken(error, fact, here)
        return self._judge_unmarked(fact, here) if marker is None else self._judge_marked(marker, fact, here)

    def _judge_marked(self, marker: Marker, fact: Fact | None, here: Ground) -> Judgement:
        if fact is not None and fact.over == marker.owner.ledger and fact.folder_id in ("", marker.folder_id):
            return Judgement("good", marker=marker, ground=here)
        is_ours = marker.owner.ledger == self.owner.ledger
        is_other = fact is not None and self._is_other(marker, fact)
        if self.role == "target" and not is_ours and marker.path == self.root:
            # Shared with another daemon, who marked it anew after its marker was lost.
            is_other = is_other and fact is not None and fact.ground != here
        if marker.role not in (None, self.role) or (is_other and (is_ours or self.role == "target")):
            sentence = (
                f"{self.root} is not the folder it was: what lies there now is marked as {marker.words(self.owner)}. "
                f"Are shares or disks mounted in each other's place? Mount each where it belongs; if it is right so, "
                f"run {ADOPT}."
            )
            return Judgement("elsewhere", sentence, marker, here, can_be_adopted=True)
        if self.role == "inbox" and not is_ours:
            sentence = (
                f"{self.root} belongs to {marker.owner}: two of them would do and pay everything twice. Stop one of "
                f"them; to make it ours, run {ADOPT}."
            )
            return Judgement("owned", sentence, marker, here, can_be_adopted=True)
        return Judgement("good", marker=marker, ground=here)

    @staticmethod
    def _is_other(marker: Marker, fact: Fact) -> bool:
        """Tell whether another folder's id is known; one that never was on the disk says nothing."""
        was_there = fact.is_marked or bool(fact.over)
        return was_there and bool(fact.folder_id and marker.folder_id) and fact.folder_id != marker.folder_id

    def _judge_unmarked(self, fact: Fact | None, here: Ground) -> Judgement:
        if fact is None:
            return Judgement("new", ground=here)
        if fact.ground.same_mount(here):
            # A folder that things are only put into may have been made anew; an inbox made anew has lost its drops.
            if self.role == "target" or fact.ground.inode == here.inode:
                return Judgement("again", ground=here)
            if not fact.is_marked:
                return Judgement("bare", ground=here)
        sentence = (
            f"Another folder lies at {self.root} now: it was on {fact.ground} and is on {here}, without our marker. "
            f"Is its share or disk mounted? If it is right so, run {ADOPT}."
        )
        return Judgement("elsewhere", sentence, ground=here, can_be_adopted=True)

    def _judge_broken(self, error: MarkerError, fact: Fact | None, here: Ground) -> Judgement:
        flaw = f"The marker {os.path.join(self.root, MARKER_NAME)} cannot be read ({error})"
        if self.role == "inbox":
            mend = "remove it" if error.is_folder else f"remove it to begin anew, or run {ADOPT}"
            sentence = f"{flaw}: {mend}."
            return Judgement("broken", sentence, ground=here, can_be_adopted=not error.is_folder)
        # Results that were paid for do not wait for that, if the mount says that it is the same folder.
        unmarked = self._judge_unmarked(fact, here)
        if unmarked.standing in REFUSED:
            return unmarked
        return Judgement("good", ground=here, flaw=f"{flaw}: remove it, it is written again.")

    def _fstab_points(self) -> tuple[str, ...]:
        try:
            with open(self.fstab, encoding="utf-8", errors="surrogateescape") as file:
                return mounts.fstab_points(file.read())
        except FileNotFoundError:
            return ()
