"""What would become of the files that lie in an inbox, if nothing changed any more: the real rules, the clock put on.

Blocking. Touches: the inbox, reading only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from nemo_watch.intake import Decision, Intake
from nemo_watch.model import ANY_INODE, Drop, FileRef, FileStamp, Sighting, Waiting
from nemo_watch.watcher import disk, inspecting


@dataclass(slots=True)
class Rehearsal:
    """How it ended: every file that was listed, the drops in their order, and why the others are none.

    `known` are files that the ledger knows as they are now, `unread` folders that could not be listed, `expected` is
    how many files are drops by their names. `busy` are files that somebody has open for writing, `unsure` those whose
    end was not read, as only the daemon takes the time for that.
    """

    files: list[FileRef] = field(default_factory=list)
    drops: dict[str, Drop] = field(default_factory=dict)
    known: dict[str, FileStamp] = field(default_factory=dict)
    waits: dict[str, Waiting] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    expected: int = 0


def rehearse(
    root: str,
    intake: Intake,
    *,
    sniff: inspecting.Sniffer,
    assets_of: Callable[[bytes, str], Iterable[str]],
    known: Iterable[FileRef] = (),
) -> Rehearsal:
    """Play through what the daemon would do with an inbox as it is now. `intake` must be new.

    A file that changes while this looks is left as settling. Raises: OSError if the inbox cannot be listed.
    Repeat: safe, with another intake.
    """
    return _Play(root, intake, sniff, assets_of).run({ref.rel: ref.stamp for ref in known})


class _Play:
    def __init__(
        self,
        root: str,
        intake: Intake,
        sniff: inspecting.Sniffer,
        assets_of: Callable[[bytes, str], Iterable[str]],
    ) -> None:
        self._root = root
        self._intake = intake
        self._inspector = inspecting.Inspector(root, sniff)
        self._assets_of = assets_of
        self._now_s = 0.0
        self._first: dict[str, FileStamp] = {}
        self._result = Rehearsal()

    def run(self, known: dict[str, FileStamp]) -> Rehearsal:
        intake, result = self._intake, self._result
        self._file_system = disk.ground_of(self._root).file_system
        for rel, stamp in known.items():
            # Inode numbers may be others after a reboot: the file is known by its name, size and time.
            intake.known(rel, replace(stamp, inode=ANY_INODE))
        found = disk.scan(self._root, "", lambda folder: not intake.names.folder_rule(folder))
        self._identity, result.unread = found.identity, found.unread
        for folder, listing in sorted(found.tree.items()):
            for name, (_kind, stamp) in sorted(listing.items()):
                rel = f"{folder}/{name}" if folder else name
                result.files.append(FileRef(rel, stamp))
                self._first[rel] = stamp
        intake.scanned(found.tree, started_s=0.0, unread=found.unread)
        result.expected = intake.expected()
        for rel, stamp in known.items():
            seen = self._first.get(rel)
            if seen is not None and (seen.size_bytes, seen.mtime_ns) == (stamp.size_bytes, stamp.mtime_ns):
                result.known[rel] = seen
        while True:
            decision = intake.decide(self._now_s)
            for drop in decision.drops:
                result.drops[drop.clip.rel] = drop
                intake.taken(drop.clip.rel, drop.clip.stamp)
            asked = self._answer(decision)
            if asked or decision.drops:
                continue
            if decision.next_check_s is None or intake.idle():  # what waits for somebody would wait for ever
                break
            self._now_s = max(self._now_s, decision.next_check_s)
        for ref in result.files:
            if ref.rel not in result.drops:
                said = intake.why(ref.rel, self._now_s)
                if said is not None:
                    result.waits[ref.rel] = said
        return result

    def _answer(self, decision: Decision) -> bool:
        """Answer what the intake asks for; a file that changed since the listing gets no answer any more."""
        for ref in decision.inspect:
            self._inspect(ref)
        for ref in decision.read:
            data, writer = inspecting.read_text(self._root, ref, leases=self._file_system.leases)
            name = ref.rel.rpartition("/")[2]
            names = self._assets_of(data, name) if data and name.lower().endswith(".toml") else ()
            self._intake.text_read(ref.rel, ref.stamp, names, writer, self._now_s)
        if decision.look:
            self._look(decision.look)
        for folder in decision.listings:
            self._list(folder)
        return bool(decision.inspect or decision.read or decision.look or decision.listings)

    def _inspect(self, ref: FileRef) -> None:
        leases, blocks = self._file_system.leases, self._file_system.blocks
        seen = self._inspector.look_into(ref, leases=leases, blocks=blocks).inspection
        if seen.writer == "open":
            self._result.busy.add(ref.rel)  # and gets no answer any more either
        elif seen.verdict == "unread":
            self._result.unsure.add(ref.rel)
            self._intake.inspected(ref.rel, ref.stamp, replace(seen, verdict="unchecked"), self._now_s)
        elif seen.verdict != "changed":
            self._intake.inspected(ref.rel, ref.stamp, seen, self._now_s)

    def _look(self, rels: Iterable[str]) -> None:
        looks, _blind = disk.look_at(self._root, list(rels), self._identity, lambda: self._now_s)
        for look in looks:
            if look.stamp is None or look.stamp == self._first.get(look.rel):
                self._intake.see(Sighting(look.rel, "scanned", look.stamp, look.at_s, look.kind))

    def _list(self, folder: str) -> None:
        listing = disk.list_folder(self._root, folder, self._identity)
        if listing is None:
            self._intake.scanned({}, started_s=self._now_s, under=folder)
            return
        # What came or changed since the first listing is not part of this play.
        there = {
            name: seen
            for name, seen in listing.items()
            if self._first.get(f"{folder}/{name}" if folder else name) == seen[1]
        }
        self._intake.listed(folder, there, started_s=self._now_s)
