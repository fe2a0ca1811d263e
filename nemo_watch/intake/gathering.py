"""Judges a `project.toml` with clips: when every file it names is there and whole, all go together. Pure."""

from __future__ import annotations

from nemo_watch.intake import words
from nemo_watch.intake.batches import NOTHING, Batch
from nemo_watch.intake.book import Book
from nemo_watch.intake.entries import Entry
from nemo_watch.intake.names import ancestors, split_rel
from nemo_watch.intake.rules import InboxRules, SettleRules
from nemo_watch.intake.stamps import packed
from nemo_watch.intake.standing import Standing, Todo
from nemo_watch.model import Drop, FileRef, Part


class BatchJudge:
    """The rules for batches of one inbox over its book."""

    def __init__(self, book: Book, inbox: InboxRules, settle: SettleRules, standing: Standing) -> None:
        self._book = book
        self._inbox = inbox
        self._settle = settle
        self._standing = standing

    def judge(self, batch: Batch, now_s: float, todo: Todo) -> None:
        """Judge a batch whose `project.toml` stands still and was read."""
        toml = batch.toml
        if batch.is_broken:
            self._judge_broken(batch, now_s, todo)
            return
        clips = [entry for entry in self._named(batch) if entry.phase != "offered"]
        pending = next((entry for entry in clips if self._is_pending(entry)), None)
        if pending is not None:
            self._book.enter(toml, "batch", None, about=pending.rel)
            return
        absent = [key for key in batch.names if self._is_absent(batch, key)]
        if absent and not self._is_quiet(batch, absent, now_s, todo):
            return
        is_new = not self._book.batches.was_told(toml)
        if clips or absent or (is_new and not batch.names):
            self._emit(batch, clips, absent, todo)
        else:
            self._book.enter(toml, "settled", None)

    def _judge_broken(self, batch: Batch, now_s: float, todo: Todo) -> None:
        """Refuse one that does not tell all of its clips when it stood still for a while, with those that are ready."""
        toml = batch.toml
        due_s = toml.changed_s + self._settle.sidecar_wait_s
        if now_s < due_s:
            self._book.enter(toml, "broken", due_s)
        elif self._standing.is_listed(toml, [toml.folder.rel], due_s, todo):
            found = dict.fromkeys((*self._named(batch), *toml.folder.entries.values()))
            clips = [entry for entry in found if entry.phase == "member" and self._book.batch_of(entry) is batch]
            if clips or not self._book.batches.was_told(toml):
                self._emit(batch, clips, [], todo)
            else:
                self._book.enter(toml, "settled", None)

    # ------------------------------------------------------------ who belongs to it

    def _named(self, batch: Batch) -> list[Entry]:
        found = [entry for key in batch.names for entry in self._book.entries_at(key)]
        return [entry for entry in found if self._book.naming(entry.rel) is batch]

    def _is_pending(self, entry: Entry) -> bool:
        """Tell whether a file is waited for: its own judgement, or that of the subtitles that go with it."""
        if entry.is_text:
            return entry.phase not in ("settled", "clip")
        if entry.phase == "ignored":  # it is no regular file
            return False
        return entry.phase != "member" or any(found.phase != "settled" for found in self._subtitles(entry))

    def _subtitles(self, entry: Entry) -> list[Entry]:
        return [found for found in entry.folder.companions(entry.name) if found.stamp.size_bytes]

    # ------------------------------------------------------------ what never came

    def _is_absent(self, batch: Batch, key: str) -> bool:
        if key in batch.absent or key in self._book.batches.left or self._book.batches.named(key) is not batch:
            return False
        return not self._book.entries_at(key) and not self._book.is_handled_at(key)

    def _folders(self, batch: Batch) -> list[str]:
        """Name the folders of the batch that are there."""
        wanted = {split_rel(key)[0]: None for key in batch.names}
        there = {folder.rel: None for key in wanted for folder in self._book.folders_at(key)}
        return list({batch.toml.folder.rel: None, **there})

    def _is_quiet(self, batch: Batch, absent: list[str], now_s: float, todo: Todo) -> bool:
        """Tell whether nothing came or changed in the folders of a batch for so long, by a fresh listing."""
        toml, rels = batch.toml, self._folders(batch)
        changed_s = max(toml.changed_s, *(self._book.folder(rel).changed_s for rel in rels))
        due_s = changed_s + self._settle.batch_quiet_s
        if now_s < due_s:
            self._book.enter(toml, "missing", due_s, about=absent[0])
            return False
        return self._standing.is_listed(toml, rels, due_s, todo)

    # ------------------------------------------------------------ handing over

    def _emit(self, batch: Batch, clips: list[Entry], absent: list[str], todo: Todo) -> None:
        toml, parts = batch.toml, dict[str, list[Part]]()
        for entry in clips:
            subtitles = tuple(found.ref for found in self._subtitles(entry) if found.phase == "settled")
            refusal = batch.refusals.get(entry)
            if entry.is_text:
                refusal = words.foreign_type(entry.name)
            elif entry.phase == "ignored":
                refusal = words.not_media(entry.name)
            key = self._book.key_of(entry)
            parts.setdefault(key, []).append(Part(entry.ref, subtitles, refusal))
        for key in absent:
            rel = batch.written(key)
            missing = words.not_there(toml.name, batch.names[key], self._book.names.classify(rel).rule)
            parts.setdefault(key, []).append(Part(FileRef(rel, NOTHING), (), missing))
        ordered = [part for key in dict.fromkeys((*batch.names, *parts)) for part in parts.get(key, ())]
        batch.absent.update(absent)
        for entry in clips:
            self._book.enter(entry, "offered", None)
        self._book.batches.offers[toml.ref] = tuple(part.clip for part in ordered)
        self._book.batches.told[toml.rel] = packed(toml.stamp)
        self._book.enter(toml, "offered", None)
        todo.drops.append(Drop(self._inbox.name, toml.ref, "sidecar", kind="batch", parts=tuple(ordered)))


def unread_above(book: Book, folder_rel: str) -> Entry | None:
    """Find a `project.toml` in a folder or above it that was not read yet: it may say whose the clips here are."""
    for rel in ancestors(folder_rel):
        folder = book.folders.get(rel)
        for toml in folder.projects() if folder is not None else ():
            if toml in toml.folder.unread:
                return toml
    return None
