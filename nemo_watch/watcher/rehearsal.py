"""What would become of the files that lie in an inbox, if nothing changed any more: the real rules, the clock put on.

Blocking. Touches: the inbox, reading only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from nemo_watch.intake import Decision, Intake
from nemo_watch.intake.batches import PROJECT_KEY
from nemo_watch.intake.names import ancestors, is_within, join_rel, name_key, split_name, split_rel
from nemo_watch.model import ANY_INODE, Drop, FileRef, FileStamp, Sighting, Waiting
from nemo_watch.watcher import disk, inspecting


@dataclass(slots=True)
class Rehearsal:
    """How it ended: every file that was listed, the drops in their order, and why the others are none.

    `parts` are the clips of batches, each with the drop it is a part of.
    `known` are files that the ledger knows as they are now, `unread` folders that could not be listed, `targets` those
    that are not looked into as they are marked as ones that are written to, `expected` the
    files that are drops by their names, of all that was looked at. `after_s` is how long after its first look a daemon
    would take each drop. `busy` are files that somebody has open for writing, `unsure` those whose end was not read, as
    only the daemon takes the time for that.
    """

    files: list[FileRef] = field(default_factory=list)
    drops: dict[str, Drop] = field(default_factory=dict)
    parts: dict[str, Drop] = field(default_factory=dict)
    after_s: dict[str, float] = field(default_factory=dict)
    known: dict[str, FileStamp] = field(default_factory=dict)
    waits: dict[str, Waiting] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    expected: frozenset[str] = frozenset()


def rehearse(
    root: str,
    intake: Intake,
    *,
    sniff: inspecting.Sniffer,
    facts_of: inspecting.FactsOf,
    known: Iterable[FileRef] = (),
    about: str = "",
) -> Rehearsal:
    """Play through what the daemon would do with an inbox as it is now. `intake` must be new.

    `about` is the file or folder that is asked about, "" for the inbox: nothing else is told of, and only what has a
    say in it is looked at, which lies in its folder and those above (what a sidecar names lies beside or below it).
    A file that changes while this looks is left as settling. Raises: OSError if the inbox cannot be listed, or `about`
    is not there. Repeat: safe, with another intake.
    """
    return _Play(root, intake, sniff, facts_of, about).run({ref.rel: ref.stamp for ref in known})


def _concerns(rel: str, about: str) -> bool:
    """Tell whether a file in the folder of another file or above has a say in it, or in what a folder holds."""
    if is_within(rel, about):
        return True
    folder, name = split_rel(rel)
    asked_in, asked = split_rel(about)
    if name_key(name).endswith(".toml"):
        return True
    if split_name(name_key(name))[0] == "_default":
        return is_within(about, folder)
    return folder == asked_in and bool(_bases(name) & _bases(asked))


def _bases(name: str) -> set[str]:
    """Fold a name, and what is left of it without one extension and without two: what pairs clips with their texts."""
    key = name_key(name)
    stem = split_name(key)[0]
    return {key, stem, split_name(stem)[0]}


class _Play:
    def __init__(
        self,
        root: str,
        intake: Intake,
        sniff: inspecting.Sniffer,
        facts_of: inspecting.FactsOf,
        about: str,
    ) -> None:
        self._root = root
        self._about = about
        self._intake = intake
        self._inspector = inspecting.Inspector(root, sniff)
        self._facts_of = facts_of
        self._now_s = 0.0
        self._first: dict[str, FileStamp] = {}
        self._result = Rehearsal()

    def run(self, known: dict[str, FileStamp]) -> Rehearsal:
        intake, result = self._intake, self._result
        self._file_system = disk.ground_of(self._root).file_system
        for rel, stamp in known.items():
            # Inode numbers may be others after a reboot: the file is known by its name, size and time.
            intake.known(rel, replace(stamp, inode=ANY_INODE))
        found = self._scan()
        self._identity, result.unread, result.targets = found.identity, found.unread, sorted(found.targets)
        for folder, listing in sorted(found.tree.items()):
            for name, (_kind, stamp) in sorted(listing.items()):
                rel = f"{folder}/{name}" if folder else name
                self._first[rel] = stamp
                if is_within(rel, self._about):
                    result.files.append(FileRef(rel, stamp))
        intake.scanned(found.tree, started_s=0.0, unread=found.unread)
        expected = intake.expected()
        for rel, stamp in known.items():
            seen = self._first.get(rel)
            if seen is not None and (seen.size_bytes, seen.mtime_ns) == (stamp.size_bytes, stamp.mtime_ns):
                result.known[rel] = seen
        while True:
            decision = intake.decide(self._now_s)
            for drop in decision.drops:
                result.drops[drop.clip.rel] = drop
                result.after_s[drop.clip.rel] = self._now_s
                for part in drop.parts:
                    result.parts[part.clip.rel] = drop
                    result.after_s[part.clip.rel] = self._now_s
                intake.taken(drop.clip.rel, drop.clip.stamp)
            asked = self._answer(decision)
            if asked or decision.drops:
                continue
            if decision.next_check_s is None or (intake.idle() and not intake.misses()):
                break  # what waits for somebody would wait for ever
            self._now_s = max(self._now_s, decision.next_check_s)
        left = {rel for rel in expected if rel in result.parts or not intake.namer(rel)}
        given = {rel for rel, drop in result.drops.items() if drop.kind not in ("edit", "batch", "ask")}
        parts = {part.clip.rel for drop in result.drops.values() for part in drop.parts if part.refusal is None}
        result.expected = frozenset(left | given | parts)
        for ref in result.files:
            if ref.rel not in result.drops and ref.rel not in result.parts:
                said = intake.why(ref.rel, self._now_s)
                if said is not None:
                    result.waits[ref.rel] = said
        return result

    def _answer(self, decision: Decision) -> bool:
        """Answer what the intake asks for; a file that changed since the listing gets no answer any more."""
        for ref in decision.inspect:
            self._inspect(ref)
        for ref in decision.read:
            facts, writer = inspecting.read_text(self._root, ref, self._facts_of, leases=self._file_system.leases)
            self._intake.text_answered(ref.rel, ref.stamp, facts, writer, self._now_s)
        if decision.look:
            self._look(decision.look)
        for folder in decision.listings:
            self._list(folder)
        return bool(decision.inspect or decision.read or decision.look or decision.listings)

    def _scan(self) -> disk.Scan:
        def enters(folder: str) -> bool:
            return not self._intake.names.folder_rule(folder)

        about = self._about
        if not about:
            return disk.scan(self._root, "", enters)
        if stat.S_ISDIR(os.lstat(disk.below(self._root, about)).st_mode):
            found = disk.scan(self._root, about, enters)
            inside = disk.target_over(self._root, f"{about}/")
            found.targets = [inside] if inside else found.targets
        else:
            found = disk.Scan(disk.identity_of(self._root))
        for folder in ancestors(split_rel(about)[0]):
            listing = disk.list_folder(self._root, folder, found.identity) or {}
            if any(name_key(name) == PROJECT_KEY for name in listing):  # the others of a batch have a say in it
                found.tree.update(disk.scan(self._root, folder, enters).tree)
            else:
                found.tree[folder] = {
                    name: seen for name, seen in listing.items() if _concerns(join_rel(folder, name), about)
                }
        return found

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
