"""Which files of an inbox are the clips of a batch, and what was told of each batch so far. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from nemo_watch.intake.entries import Entry
from nemo_watch.intake.names import join_rel, name_key, rel_keys
from nemo_watch.intake.stamps import unpacked
from nemo_watch.model import ANY_INODE, Failure, FileRef, FileStamp, TomlFacts, same_file

PROJECT_KEY = "project.toml"
NOTHING = FileStamp(ANY_INODE, 0, 0)
"""The stamp of a clip that never came."""


@dataclass(slots=True, eq=False)
class Batch:
    """One `project.toml` with clips. `names` are those as written by their folded paths, in their order.

    `is_broken`: it does not tell all of them, so every clip of its folder without a sidecar of its own may be one too.
    `absent` are folded paths that were told as missing. `refusals` are what is wrong with files that are there.
    """

    toml: Entry
    names: dict[str, str]
    is_broken: bool
    absent: set[str] = field(default_factory=set)
    refusals: dict[Entry, Failure] = field(default_factory=dict)

    def written(self, key: str) -> str:
        """Give the path of a clip as it is written, by its folded one."""
        return join_rel(self.toml.folder.rel, self.names[key])


class Batches:
    """The batches of an inbox, by their `project.toml` and by their clips.

    `told` are those that became drops or are known to the ledger, by the packed stamp they had. `offers` are the clips
    that were handed over with one, until it is taken or withdrawn. `left` are folded paths of clips that were handled
    and are gone from their folder, as their job ended.
    """

    def __init__(self) -> None:
        self.told: dict[str, bytes] = {}
        self.offers: dict[FileRef, tuple[FileRef, ...]] = {}
        self.left: set[str] = set()
        self._batches: dict[str, Batch] = {}
        self._by_clip: dict[str, Batch] = {}
        self._broken: dict[str, Batch] = {}

    def get(self, toml_rel: str) -> Batch | None:
        """Find the batch of a `project.toml`."""
        return self._batches.get(toml_rel)

    def note(self, toml: Entry, facts: TomlFacts) -> Batch | None:
        """Take in what a `project.toml` says now; gives the batch, if it is one."""
        before = self._batches.pop(toml.rel, None)
        batch = None
        if facts.is_broken or facts.clips is not None:
            batch = Batch(toml, _inside(toml.folder.rel, facts.clips or ()), facts.is_broken)
            batch.absent = before.absent if before is not None else set()
            self._batches[toml.rel] = batch
        if batch is not None or before is not None:
            self._index()
        return batch

    def was_told(self, toml: Entry) -> bool:
        """Tell whether a `project.toml` as it is now became a drop, or is known to the ledger."""
        told = self.told.get(toml.rel)
        return told is not None and same_file(unpacked(told), toml.stamp)

    def let_go(self, toml: Entry) -> None:
        """Forget a `project.toml` that is gone; another one that names its clips, too, does not miss them."""
        self.told.pop(toml.rel, None)
        gone = self._batches.pop(toml.rel, None)
        if gone is not None:
            self._index()
            self.left -= gone.names.keys()
            self.left |= gone.names.keys() & self._by_clip.keys()

    def _index(self) -> None:
        ordered = sorted(self._batches.values(), key=lambda batch: batch.toml.rel.count("/"))
        self._by_clip = {key: batch for batch in ordered for key in batch.names}  # the nearest one last: it counts
        self._broken = {batch.toml.folder.rel: batch for batch in ordered if batch.is_broken}

    def named(self, rel: str) -> Batch | None:
        """Find the batch that names a file."""
        return self._by_clip.get(name_key(rel)) if self._by_clip else None

    def broken_in(self, folder_rel: str) -> Batch | None:
        """Find the batch of a folder that does not tell all of its clips."""
        return self._broken.get(folder_rel)


def _inside(folder: str, names: tuple[str, ...]) -> dict[str, str]:
    """Fold the names that do not lead out of a folder; the others are for the one who reads the file in full."""
    found: dict[str, str] = {}
    for name in names:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." not in parts:
            for key in rel_keys(folder, (name,)):
                found.setdefault(key, "/".join(parts))
    return found
