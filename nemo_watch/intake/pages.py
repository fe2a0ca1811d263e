"""Keeps what is there of an inbox: the files by folder, and who must hear of a change. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from nemo_watch.intake.agenda import Agenda
from nemo_watch.intake.assets import NamedAssets
from nemo_watch.intake.batches import PROJECT_KEY, Batch, Batches
from nemo_watch.intake.entries import Entry, Folder, Phase, drop_from
from nemo_watch.intake.names import (
    CLIP_ROLES,
    SUBTITLE,
    TEXT,
    TEXT_ROLES,
    NameRules,
    Role,
    ancestors,
    guarded_keys,
    is_within,
    join_rel,
    name_key,
    sidecar_keys,
    split_name,
    split_rel,
)
from nemo_watch.intake.stamps import packed, unpacked
from nemo_watch.model import FileKind, FileStamp, TomlFacts, same_file


class Pages(Agenda):
    """The files of one inbox, by folder. All times are monotonic seconds and come from the caller."""

    def __init__(self, names: NameRules, *, accept_all: bool = False) -> None:
        super().__init__()
        self.names = names
        self._accept_all = accept_all
        self.folders: dict[str, Folder] = {"": Folder("")}
        self._folders_by_key: dict[str, tuple[str, ...]] = {"": ("",)}
        self._assets = NamedAssets()
        self._urls: set[str] = set()
        self.batches = Batches()

    def entries(self) -> Iterator[Entry]:
        """Give all files that are not handled."""
        for folder in self.folders.values():
            yield from folder.entries.values()

    def entry(self, rel: str) -> Entry | None:
        """Find a file that is not handled."""
        folder_rel, name = split_rel(rel)
        folder = self.folders.get(folder_rel)
        return folder.entries.get(name) if folder is not None else None

    def seen_as(self, rel: str) -> FileStamp | None:
        """Give the stamp that a file was last seen with, handled or not; None if it is not there."""
        folder_rel, name = split_rel(rel)
        folder = self.folders.get(folder_rel)
        if folder is None:
            return None
        entry = folder.entries.get(name)
        if entry is not None:
            return entry.stamp
        kept = folder.handled.get(name)
        return None if kept is None else unpacked(kept)

    def folders_at(self, key: str) -> list[Folder]:
        """Find the folders of a folded path."""
        return [self.folders[rel] for rel in self._folders_by_key.get(key, ())]

    def entries_at(self, key: str) -> list[Entry]:
        """Find the files of a folded path that are not handled, by name: on some systems that is only one."""
        folder_key, name = split_rel(key)
        found = [entry for folder in self.folders_at(folder_key) for entry in folder.at(name)]
        return sorted(found, key=lambda entry: entry.rel)

    def key_of(self, entry: Entry) -> str:
        """Fold the path of a file."""
        return name_key(entry.rel)

    def is_handled_at(self, key: str) -> bool:
        """Tell whether a file of a folded path is handled."""
        folder_key, name_part = split_rel(key)
        folders = self.folders_at(folder_key)
        if split_name(name_part)[1] in TEXT | SUBTITLE:  # those are handled only as a part that was refused
            return any(name_key(name) == name_part for folder in folders for name in folder.handled)
        return any(name in folder.handled for folder in folders for name in folder.named(name_part))

    def folder(self, rel: str) -> Folder:
        """Find or begin a folder."""
        folder = self.folders.get(rel)
        if folder is None:
            folder = self.folders[rel] = Folder(rel)
            key = name_key(rel)
            self._folders_by_key[key] = (*self._folders_by_key.get(key, ()), rel)
        return folder

    def _drop_folder(self, rel: str) -> None:
        if self.folders.pop(rel, None) is not None:
            drop_from(self._folders_by_key, name_key(rel), rel)

    def enter(self, entry: Entry, phase: Phase, due_s: float | None, *, about: str = "") -> None:
        """Put a file into a phase; what becomes no job any more sets the refinements of its name free."""
        super().enter(entry, phase, due_s, about=about)
        if phase in ("asset", "ignored") and entry.folder.followers:
            self._wake_followers(entry.folder, entry.name)

    def _wake_followers(self, folder: Folder, name: str) -> None:
        for key in {name_key(name), name_key(split_name(name)[0])}:
            for follower in folder.followers.pop(key, ()):
                self.wake(follower)

    def _see_new(
        self, folder_rel: str, name: str, stamp: FileStamp, kind: FileKind, at_s: float, *, closing: bool, scanned: bool
    ) -> None:
        rel = join_rel(folder_rel, name)
        named = self.names.classify(rel)
        if named.role == "ignored":
            folder = self.folders.get(folder_rel)
            if folder is not None and not scanned and not self.names.ignored_by_user(rel):
                folder.changed_s = max(folder.changed_s, at_s)
            return
        folder = self.folder(folder_rel)
        folder.listing = None
        folder.handled.pop(name, None)
        self.batches.left.discard(name_key(rel))
        entry = Entry(folder, name, named.role, packed(stamp), kind, at_s, at_s, at_s, closed=closing)
        folder.add(entry)
        folder.changed_s = max(folder.changed_s, at_s)
        self.begin(entry)
        self._began(entry, at_s)

    def _see_again(self, entry: Entry, stamp: FileStamp, kind: FileKind, at_s: float, *, closing: bool) -> None:
        if packed(stamp) == entry.packed_stamp and kind == entry.kind:
            entry.looks += 1
            entry.looked_s = max(entry.looked_s, at_s)
            if closing and not entry.closed:
                entry.closed = True
                self.changes += 1
            if entry.phase in ("settling", "grace"):
                entry.asked = False
                self.wake(entry)
            elif closing and entry.phase in ("writer", "kept_open"):
                entry.verdict = None  # whoever had it open may be done: look now
                self.wake(entry)
        elif at_s >= entry.looked_s:
            # Writing only moves the time on: one that goes back is set after the close (rsync, unzip, curl -R).
            old = entry.stamp
            dated = (old.inode, old.size_bytes) == (stamp.inode, stamp.size_bytes) and stamp.mtime_ns < old.mtime_ns
            entry.packed_stamp, entry.kind = packed(stamp), kind
            self._restart(entry, at_s, closing=closing or (entry.closed and dated))

    def _restart(self, entry: Entry, at_s: float, *, closing: bool = False) -> None:
        entry.folder.listing = None
        entry.changed_s = entry.looked_s = at_s
        entry.looks, entry.closed, entry.asked = 1, closing, False
        entry.verdict, entry.verdict_s = None, 0.0
        self.changes += 1
        entry.folder.changed_s = max(entry.folder.changed_s, at_s)
        self.enter(entry, "settling", None)
        self._began(entry, at_s)

    def _began(self, entry: Entry, at_s: float) -> None:
        """See to what follows from a file that is new or changed."""
        entry.since_s = at_s
        self.wake(entry)
        self.wake_batch_of(entry)
        self._wake_namesakes(entry)
        if entry.role == "control":
            self.enter(entry, "ignored", None, about="it is a temporary file of a transfer")
            self._wake_guarded(entry)
        elif entry.is_text:
            self.unblock(entry)
            if entry.is_toml and entry.kind == "file":
                entry.folder.unread[entry] = at_s
            if entry.role in TEXT_ROLES:
                self.wake_clips_of(entry)

    # ------------------------------------------------------------ going

    def _remove(self, folder_rel: str, name: str, at_s: float) -> None:
        folder = self.folders.get(folder_rel)
        if folder is None:
            return
        folder.listing = None
        entry = folder.entries.get(name)
        if entry is None:
            if name in folder.handled:
                self.changes += 1
                if any(above.projects() for above in self._folders_above(folder_rel)):
                    self.batches.left.add(name_key(join_rel(folder_rel, name)))
                folder.discard(name, self.names.classify(join_rel(folder_rel, name)).role)
                self._release_assets(join_rel(folder_rel, name))
                self._wake_urls_of(folder, name)
            return
        self.enter(entry, "ignored", None)
        self.unblock(entry)
        folder.discard(name, entry.role)
        folder.changed_s = max(folder.changed_s, at_s)
        self.wake_batch_of(entry)
        self._wake_namesakes(entry)
        if entry.role == "control":
            self._wake_guarded(entry)
        elif entry.role in TEXT_ROLES:
            if entry.role == "instruction":
                for clip in folder.clips_of_text(name):  # an editor may be about to put it back: wait afresh
                    clip.wait_from_s = max(clip.wait_from_s, at_s)
                self._urls.discard(entry.rel)
                self._end_batch(entry, at_s)
            self._release_assets(entry.rel)
            self.wake_clips_of(entry)
        elif entry.role == "refine":
            self._release_assets(entry.rel)
        else:
            self._wake_urls_of(folder, name)

    def _hand_over(self, folder: Folder, name: str, stamp: FileStamp, entry: Entry | None) -> None:
        """Put a file among the handled ones: only its name and stamp are kept."""
        folder.listing = None
        if entry is not None:
            self.enter(entry, "ignored", None)
            self.unblock(entry)
            folder.release(entry)
            self._urls.discard(entry.rel)
            if entry.role in TEXT_ROLES:
                self.wake_clips_of(entry)
        elif name not in folder.handled:
            folder.add_stem(name)
        folder.handled[name] = packed(stamp)
        folder.handled_s = max(folder.handled_s, entry.looked_s if entry is not None else folder.handled_s)

    # ------------------------------------------------------------ assets named by sidecars

    def _release_assets(self, sidecar_rel: str) -> None:
        """Let go of a sidecar that is gone; what it named and still lies there stays no drop until it changes."""
        released = self._assets.let_go(sidecar_rel)
        for entry in [entry for key in released for entry in self.entries_at(key) if entry.role in CLIP_ROLES]:
            if entry.phase != "offered" and (entry.role != "still" or self._accept_all):
                self._hand_over(entry.folder, entry.name, entry.stamp, entry)

    def namer(self, rel: str) -> str:
        """Give the sidecar that names a file as its asset, "" if none does."""
        return self._assets.namer(rel)

    # ------------------------------------------------------------ batches

    def note_batch(self, toml: Entry, facts: TomlFacts) -> None:
        """Take in what a `project.toml` says of the clips of its folder."""
        if name_key(toml.name) == PROJECT_KEY:
            self._wake_clips_below(toml)
            self.batches.note(toml, facts)

    def _end_batch(self, toml: Entry, at_s: float) -> None:
        if name_key(toml.name) == PROJECT_KEY:
            for clip in self._wake_clips_below(toml):
                if clip.phase == "member":  # a sidecar of its own may come now: wait afresh
                    clip.wait_from_s = max(clip.wait_from_s, at_s)
            self.batches.let_go(toml)

    def _wake_clips_below(self, toml: Entry) -> list[Entry]:
        folders = [folder for rel, folder in self.folders.items() if is_within(rel, toml.folder.rel)]
        found = [entry for folder in folders for entry in folder.entries.values() if entry.role in CLIP_ROLES]
        for entry in found:
            self.wake(entry)
        return found

    def naming(self, rel: str) -> Batch | None:
        """Find the batch that names a file: of several whose names differ only in their case, the one as written."""
        batch = self.batches.named(rel)
        if batch is None:
            return None
        key = name_key(rel)
        written = batch.written(key)
        if rel == written:
            return batch
        if key in self.batches.left or self.seen_as(written) is not None:
            return None
        return batch if rel == min(self._spelled(key), default=(False, rel))[1] else None

    def _spelled(self, key: str) -> list[tuple[bool, str]]:
        """List the files of a folded path, each with whether it is not handled yet."""
        found = [(True, entry.rel) for entry in self.entries_at(key)]
        folder_key, name_part = split_rel(key)
        for folder in self.folders_at(folder_key):
            found += [(False, join_rel(folder.rel, name)) for name in folder.named(name_part) if name in folder.handled]
        return found

    def batch_of(self, entry: Entry) -> Batch | None:
        """Find the batch a file belongs to: one that names it, or a broken one beside it if nothing else is its own."""
        found = self.naming(entry.rel)
        if found is None and entry.role in CLIP_ROLES and self.batches.named(entry.rel) is None:
            broken = self.batches.broken_in(entry.folder.rel)
            if broken is not None:
                own = entry.folder.own_sidecar(entry.name, shares_stem=self.shares_stem(entry.role))
                return broken if own is None or own is broken.toml else None
        return found

    def wake_batch_of(self, entry: Entry) -> None:
        """Have the batch judged again that a file belongs to; what was wrong with the file is found anew."""
        batch = self.batch_of(entry) or self.batches.named(entry.rel)
        if batch is not None and batch.toml is not entry:
            batch.refusals.pop(entry, None)
            self.wake(batch.toml)

    def _wake_namesakes(self, entry: Entry) -> None:
        """Have the files judged again whose names differ from one that came or went only in their case."""
        if self.batches.named(entry.rel) is not None:
            for other in self.entries_at(name_key(entry.rel)):
                self.wake(other)

    def _folders_above(self, rel: str) -> list[Folder]:
        return [self.folders[above] for above in ancestors(rel) if above in self.folders]

    # ------------------------------------------------------------ URLs

    def is_url(self, toml: Entry) -> bool:
        """Tell whether a text that was read gives work by itself: it names a URL, and no clip lies there to use it."""
        return toml.rel in self._urls and toml.kind == "file" and not self.users_of(toml)

    def users_of(self, toml: Entry) -> list[str]:
        """Name the clips here, jobs or not, whose own sidecar a text is."""
        key, folder = name_key(toml.name), toml.folder
        users = []
        for name in folder.names_of_text(toml.name):
            if key in (other for other, _by_stem in sidecar_keys(name)):
                role = self.names.classify(join_rel(folder.rel, name)).role
                if folder.own_sidecar(name, shares_stem=self.shares_stem(role)) is toml:
                    users.append(name)
        return users

    def shares_stem(self, role: Role) -> bool:
        """Tell whether a file may use the sidecar that goes by the stem, though a video has that stem too."""
        return role == "video" or (role == "still" and self._accept_all)

    def _wake_urls_of(self, folder: Folder, name: str) -> None:
        """Have the URLs judged again that a clip, which is gone, would have used as its sidecar."""
        for key, _by_stem in sidecar_keys(name) if self._urls else ():
            for toml in folder.texts.get(key, ()):
                if toml.rel in self._urls:
                    self.wake(toml)

    # ------------------------------------------------------------ who must be judged again

    def wake_clips_of(self, text: Entry) -> None:
        """Have those judged again that a sidecar, default or subtitle may belong to."""
        if text.role == "default":
            for folder in self.folders.values():
                if is_within(folder.rel, text.folder.rel):
                    self._wake_awaiting(folder)
                    for clip in folder.entries.values():
                        if clip.phase == "no_instruction":
                            self.wake(clip)
            return
        for clip in text.folder.clips_of_text(text.name):
            self.wake(clip)

    def _wake_guarded(self, control: Entry) -> None:
        for key in guarded_keys(control.name):
            for name in control.folder.guarded(key):
                entry = control.folder.entries.get(name)
                if entry is not None:
                    self.wake(entry)

    def _wake_awaiting(self, folder: Folder) -> None:
        for entry in folder.awaiting:
            self.wake(entry)
        folder.awaiting = {}

    def await_reading(self, entry: Entry) -> None:
        """Let a clip wait until the TOML sidecars that were there before it was whole have been read."""
        heapq.heappush(entry.folder.reading, (entry.wait_from_s, self.number(), entry))
        self.enter(entry, "reading", None)

    def unblock(self, toml: Entry) -> None:
        """Take a TOML sidecar out of those to be read, and wake the clips that waited for no other."""
        folder = toml.folder
        if folder.unread.pop(toml, None) is None:
            return
        if name_key(toml.name) == PROJECT_KEY:
            self._wake_awaiting(folder)
        oldest_s = next(iter(folder.unread.values()), float("inf"))
        while folder.reading and folder.reading[0][0] < oldest_s:
            self.wake(heapq.heappop(folder.reading)[2])


def is_handled(folder: Folder, name: str, stamp: FileStamp) -> bool:
    """Tell whether a file is the handled one of this name; at the first sighting after a start its inode is learned."""
    known, now = folder.handled.get(name), packed(stamp)
    if known is None or known == now:
        return known is not None
    if not same_file(unpacked(known), stamp):
        return False
    folder.handled[name] = now
    return True
