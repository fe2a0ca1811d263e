"""Takes in what was seen of an inbox: looks, listings, inspections, and what became of the files. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from nemo_watch.intake.batches import NOTHING, PROJECT_KEY
from nemo_watch.intake.entries import Entry, Folder
from nemo_watch.intake.names import CLIP_ROLES, WORK_ROLES, Role, is_within, name_key, rel_keys, split_name, split_rel
from nemo_watch.intake.pages import Pages, is_handled
from nemo_watch.intake.rules import Inspection, Writer
from nemo_watch.intake.stamps import packed, unpacked
from nemo_watch.model import FileKind, FileRef, FileStamp, Sighting, TomlFacts

Listing = Mapping[str, tuple[FileKind, FileStamp]]
"""The files (not the folders) of one folder by name."""

RETRY_LOOK_S = 5.0
_TAKEN_IN: tuple[FileKind, FileStamp] = ("file", FileStamp(0, 0, 0))
STEP = 2000
"""So many names of a listing are taken in before others are served."""


class Book(Pages):
    """What was seen of one inbox, and since when each file stands still."""

    # ------------------------------------------------------------ what was seen

    def see(self, sighting: Sighting) -> None:
        """Take in one look at one name. Repeat: safe."""
        folder_rel, name = split_rel(sighting.rel)
        if sighting.stamp is None or sighting.kind == "gone":
            self._remove(folder_rel, name, sighting.at_s)
            return
        folder = self.folders.get(folder_rel)
        entry = folder.entries.get(name) if folder is not None else None
        closing = sighting.kind in ("closed", "moved")
        if entry is not None:
            self._see_again(entry, sighting.stamp, sighting.file_kind, sighting.at_s, closing=closing)
        elif folder is None or not is_handled(folder, name, sighting.stamp):
            scanned = sighting.kind == "scanned"
            self._see_new(
                folder_rel, name, sighting.stamp, sighting.file_kind, sighting.at_s, closing=closing, scanned=scanned
            )

    def listed(self, folder_rel: str, listing: Listing, *, started_s: float) -> None:
        """Take in all files of one folder as they were at or after `started_s`.

        What was looked at since then is left as it is: a listing is older than the looks made while it ran.
        """
        self.listed_part(folder_rel, listing, started_s=started_s)
        self.listing_ended(folder_rel, listing, started_s=started_s)

    def listed_part(self, folder_rel: str, part: Listing, *, started_s: float) -> None:
        """Take in some of the files of one folder; `listing_ended` follows when all were given."""
        if not self.names.folder_rule(folder_rel):
            self.folder(folder_rel).listing = None
            for _ in self._see_each(folder_rel, part, started_s):
                pass

    def listing_ended(self, folder_rel: str, names: Collection[str], *, started_s: float) -> None:
        """Note that all files of one folder were given, by these names: what is not among them is gone."""
        if not self.names.folder_rule(folder_rel):
            self._end_listing(self.folder(folder_rel), names, started_s)

    def _take_in(
        self, folder_rel: str, listing: Listing, started_s: float, *, comes_again: bool, used_up: bool = False
    ) -> Iterator[None]:
        folder = self.folder(folder_rel)
        if folder.listing is listing:
            self._see_all_again(folder, started_s)
        else:
            folder.listing = listing if comes_again else None  # until anything is found to differ, now or later
            yield from self._see_each(folder_rel, listing, started_s, used_up=used_up)
            folder = self.folder(folder_rel)
            self._remove_unlisted(folder, listing, started_s)
        self._end_listing(folder, None, started_s)

    def _see_each(
        self, folder_rel: str, listing: Listing, started_s: float, *, used_up: bool = False
    ) -> Iterator[None]:
        folder = self.folder(folder_rel)
        for number, (name, (kind, stamp)) in enumerate(listing.items(), 1):
            entry = folder.entries.get(name)
            if entry is not None:
                if entry.looked_s <= started_s:
                    self._see_again(entry, stamp, kind, started_s, closing=False)
                else:
                    folder.listing = None
            elif not is_handled(folder, name, stamp):
                self._see_new(folder_rel, name, stamp, kind, started_s, closing=False, scanned=True)
            if used_up and isinstance(listing, dict):
                listing[name] = _TAKEN_IN
            if number % STEP == 0:
                yield
                folder = self.folder(folder_rel)

    def _end_listing(self, folder: Folder, names: Collection[str] | None, started_s: float) -> None:
        if names is not None:
            self._remove_unlisted(folder, names, started_s)
        folder.asked = False
        folder.listed_s = max(folder.listed_s, started_s)
        self._wake_awaiting(folder)

    def _see_all_again(self, folder: Folder, at_s: float) -> None:
        """Do what seeing every file again as it is does, for a folder that is as it was when it was last taken in."""
        for entry in folder.entries.values():
            if entry.looked_s <= at_s:
                entry.looks += 1
                entry.looked_s = at_s
                if entry.phase in ("settling", "grace"):
                    entry.asked = False
                    self.wake(entry)

    def scanned(
        self, tree: Mapping[str, Listing], *, started_s: float, under: str = "", unread: Collection[str] = ()
    ) -> None:
        """Take in a whole tree (or the part below the folder `under`): folders that are not in it are gone.

        `unread` are folders that could not be listed: nothing below them is believed to be gone.
        """
        for _ in self.scan_in_steps(tree, started_s=started_s, under=under, unread=unread):
            pass

    def scan_in_steps(
        self,
        tree: Mapping[str, Listing],
        *,
        started_s: float,
        under: str = "",
        unread: Collection[str] = (),
        same: Collection[str] = (),
        comes_again: bool = False,
        used_up: bool = False,
    ) -> Iterator[None]:
        """Do as `scanned`, in steps between which others may be served: a large tree takes seconds.

        `same` are folders that were not listed because no name in them came or went. `comes_again`: the listings are
        kept, and a folder of which nothing changed will be given as the very same object. `used_up`: nobody needs the
        listings afterwards, and what was taken in is let go at once.
        """
        taken = 0
        for folder_rel, listing in tree.items():
            if self.names.folder_rule(folder_rel):
                continue
            yield from self._take_in(folder_rel, listing, started_s, comes_again=comes_again, used_up=used_up)
            taken += len(listing) + 1
            if taken >= STEP:
                taken = 0
                yield
        blind, there = tuple(unread), frozenset(same)
        gone = [rel for rel in self.folders if rel not in tree and rel not in there and is_within(rel, under)]
        for folder_rel in gone:
            folder = self.folders.get(folder_rel)
            if folder is not None and not any(is_within(folder_rel, rel) for rel in blind):
                self._remove_unlisted(folder, {}, started_s)

    def incomplete(self) -> list[str]:
        """List the files that were looked into and are not whole."""
        return [entry.rel for entry in self.entries() if entry.phase == "incomplete"]

    def inspected(self, rel: str, stamp: FileStamp, inspection: Inspection, now_s: float) -> None:
        """Take in what was found inside a file that had this stamp when it was opened."""
        entry = self.entry(rel)
        if entry is None or entry.stamp != stamp:
            return
        entry.asked = False
        entry.looked_s = max(entry.looked_s, now_s)
        if inspection.verdict == "changed":
            self._restart(entry, now_s)
            return
        if entry.verdict == "placeholder" and inspection.verdict != "placeholder":
            self._restart(entry, now_s)  # its content began to come: that is a change, whatever its stamp says
            return
        verdict = inspection.verdict
        if verdict == "unread" and inspection.writer == "open" and entry.verdict == "unchecked":
            verdict = entry.verdict  # it was read to its end before
        if (entry.verdict, entry.writer) != (verdict, inspection.writer):
            entry.since_s = now_s
            self.changes += 1
        entry.verdict, entry.verdict_s, entry.about = verdict, now_s, inspection.detail
        entry.writer = inspection.writer
        entry.wait_from_s = max(entry.wait_from_s, now_s)
        self.wake(entry)

    def missed(self, rel: str, now_s: float) -> None:
        """Note that a file asked for by `look`, `inspect` or `read` could not be looked at: ask again later."""
        entry = self.entry(rel)
        if entry is not None and entry.asked:
            entry.asked = False
            self.schedule(entry, now_s + RETRY_LOOK_S)

    def missed_listing(self, folder_rel: str, now_s: float) -> None:
        """Note that a folder asked for by `listings` could not be listed: ask again a little later."""
        folder = self.folders.get(folder_rel)
        if folder is not None:
            folder.asked = False
            for entry in folder.awaiting:
                self.schedule(entry, now_s + RETRY_LOOK_S)

    def text_read(self, rel: str, stamp: FileStamp, facts: TomlFacts, writer: Writer, now_s: float) -> None:
        """Take in what was found in a text: the files that it names are never drops, and a URL is one."""
        entry = self.entry(rel)
        if entry is None or entry.stamp != stamp:
            return
        entry.asked = False
        entry.verdict, entry.verdict_s, entry.writer = "whole", now_s, writer
        keys = rel_keys(entry.folder.rel, facts.assets)
        self._assets.name(rel, keys)
        self.note_batch(entry, facts)
        if facts.is_url and entry.role == "instruction" and self.batches.get(rel) is None:
            self._urls.add(rel)
        else:
            self._urls.discard(rel)
        for named in [named for key in keys for named in self.entries_at(key)]:
            self.wake(named)
        self.wake(entry)

    # ------------------------------------------------------------ what became of it

    def known(self, rel: str, stamp: FileStamp) -> None:
        """Note that the ledger knows this file (in flight, kept, an asset of a job): not a drop until it changes."""
        folder_rel, name = split_rel(rel)
        entry = self.entry(rel)
        role = self.names.classify(rel).role
        gives_work = role in CLIP_ROLES or role in WORK_ROLES or self._may_be_url(rel, role)
        if not gives_work or (entry is not None and entry.stamp != stamp):
            return
        if name_key(name) == PROJECT_KEY and rel not in self._urls:
            self._known_project(rel, stamp, entry)
        else:
            self._hand_over(self.folder(folder_rel), name, stamp, entry)

    def _known_project(self, rel: str, stamp: FileStamp, entry: Entry | None) -> None:
        """Note that a `project.toml` is known: it stays among the texts, as it says which clips are its own."""
        self.batches.told[rel] = packed(stamp)
        if entry is not None and entry.phase == "offered":
            self.enter(entry, "settled", None)
            self.wake(entry)

    def _may_be_url(self, rel: str, role: Role) -> bool:
        """Tell whether what is known by this name is a job of its own; before it was read only the ledger can tell."""
        return role == "instruction" and split_name(rel)[1] == "toml"

    def taken(self, rel: str, stamp: FileStamp) -> None:
        """Note that a drop became a job, with all its parts. What changed since is on its way to the next drop.

        Repeat: safe.
        """
        for ref in self.batches.offers.pop(FileRef(rel, stamp), ()):
            if self.is_offered(ref.rel, ref.stamp):
                folder_rel, name = split_rel(ref.rel)
                self._hand_over(self.folder(folder_rel), name, ref.stamp, self.entry(ref.rel))
        self.known(rel, stamp)

    def withdrawn(self, rel: str, stamp: FileStamp) -> list[str]:
        """Note that a drop was not taken, and name those of its parts that are to be forgotten. Repeat: safe."""
        parts = self.batches.offers.pop(FileRef(rel, stamp), ())
        return [ref.rel for ref in parts if ref.stamp == NOTHING or self.is_offered(ref.rel, ref.stamp)]

    def is_offered(self, rel: str, stamp: FileStamp) -> bool:
        """Tell whether this very file was handed over as a drop and is neither taken nor forgotten."""
        entry = self.entry(rel)
        return entry is not None and entry.phase == "offered" and entry.stamp == stamp

    def not_accepted(self, rel: str, stamp: FileStamp, why: str) -> None:
        """Note why a drop could not be made a job just now; it is offered again later."""
        entry = self.entry(rel)
        if entry is not None and self.is_offered(rel, stamp):
            self.enter(entry, "offered", None, about=why)

    def forget(self, rel: str, now_s: float, *, is_done: bool = False) -> None:
        """Start again with a file as if it had just been seen: it changed while it was read, or was not accepted.

        `is_done`: a job has taken it away; a batch that names it does not miss it, unless it comes and goes again.
        """
        folder_rel, name = split_rel(rel)
        entry = self.entry(rel)
        if entry is not None:
            self._restart(entry, now_s)
            self.batches.told.pop(rel, None)
            return
        if not is_done:
            self._forget_absent(rel)
        folder = self.folders.get(folder_rel)
        kept = folder.handled.pop(name, None) if folder is not None else None
        if kept is not None:
            self._see_new(folder_rel, name, unpacked(kept), "file", now_s, closing=False, scanned=True)
        if is_done and self.batches.named(rel) is not None:
            self.not_missed(rel)

    def not_missed(self, rel: str) -> None:
        """Note that the job of a clip of a batch took it away before this start, until it is seen again."""
        self.batches.left.add(name_key(rel))

    def _forget_absent(self, rel: str) -> None:
        """Let a clip that is not there be missed again."""
        batch, key = self.batches.named(rel), name_key(rel)
        self.batches.left.discard(key)
        if batch is not None:
            batch.absent.discard(key)
            self.wake(batch.toml)

    def _remove_unlisted(self, folder: Folder, listing: Collection[str], started_s: float) -> None:
        for name in [name for name, entry in folder.entries.items() if name not in listing]:
            if folder.entries[name].looked_s <= started_s:
                self._remove(folder.rel, name, started_s)
            else:
                folder.listing = None
        if folder.handled_s <= started_s:
            for name in [name for name in folder.handled if name not in listing]:
                self._remove(folder.rel, name, started_s)
        else:
            folder.listing = None
        if folder.is_empty and not listing and folder.rel and not folder.awaiting:
            self._drop_folder(folder.rel)
