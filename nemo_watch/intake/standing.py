"""Judges what clips and texts have in common: how long they must stand still, and who still writes them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from nemo_watch.intake.book import Book
from nemo_watch.intake.entries import Entry
from nemo_watch.intake.names import WORK_ROLES
from nemo_watch.intake.rules import SettleRules
from nemo_watch.model import Drop, FileRef


@dataclass(slots=True)
class Todo:
    """What a round of judging asks for."""

    drops: list[Drop] = field(default_factory=list)
    inspect: list[FileRef] = field(default_factory=list)
    to_end: list[FileRef] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    listings: dict[str, None] = field(default_factory=dict)
    read: list[FileRef] = field(default_factory=list)


class Standing:
    """The windows of one inbox over its book."""

    def __init__(self, book: Book, settle: SettleRules) -> None:
        self.polled = False
        self._book = book
        self._settle = settle

    def window_s(self, entry: Entry) -> float:
        """Give the time for which a file must stand still."""
        rules = self._settle
        if entry.role in WORK_ROLES:
            return rules.sidecar_s
        if entry.is_text:
            return rules.sidecar_s if entry.stamp.size_bytes else max(rules.sidecar_s, rules.empty_grace_s)
        if self.polled:
            return rules.polled_s
        # Who cannot ask for a lease sees no difference between a file that was closed and one that was reopened.
        untold = entry.verdict is not None and entry.writer == "unknown"
        return rules.closed_s if entry.closed and not untold else rules.open_s

    def stands(self, entry: Entry, after_s: float, now_s: float, todo: Todo) -> bool:
        """Tell whether a file was seen unchanged `after_s` beyond its window; if it is time for it, ask for a look."""
        due_s = entry.changed_s + self.window_s(entry) + after_s
        looks = 1 if not self.polled else 2 if entry.is_text else self._settle.polls
        if entry.looked_s >= due_s and entry.looks >= looks:
            return True
        if now_s >= due_s and not entry.asked and (entry.is_text or entry.looks >= looks):
            entry.asked = True
            todo.look.append(entry.rel)
        self._book.enter(entry, "grace" if after_s else "settling", due_s if now_s < due_s else None, about=entry.about)
        return False

    def is_free(self, text: Entry, now_s: float, todo: Todo) -> bool:
        """Tell whether a text was read while nobody had it open for writing; one who never closes it has his time."""
        rules = self._settle
        cap_s = text.changed_s + rules.lease_cap_s
        if text.verdict == "unreadable":  # it was asked, and is asked again
            pass
        elif text.verdict is not None and text.writer == "open" and now_s < cap_s:
            rest_s = min(rules.lease_rest_s, max(rules.lease_again_s, text.verdict_s - text.changed_s))
            due_s = min(text.verdict_s + rest_s, cap_s)
            if now_s < due_s:
                self._book.enter(text, "writer", due_s)
                return False
            text.verdict = None
        if text.verdict not in (None, "unreadable"):
            return True
        if not text.asked:
            text.asked = True
            todo.read.append(text.ref)
        self._book.enter(text, "reading", None)
        return False

    def is_listed(self, entry: Entry, rels: list[str], due_s: float, todo: Todo) -> bool:
        """Tell whether these folders were listed since a wait ended; if not, ask for it."""
        stale = [rel for rel in rels if self._book.folder(rel).listed_s < due_s]
        for rel in stale:
            folder = self._book.folder(rel)
            folder.awaiting[entry] = None
            if not folder.asked:
                folder.asked = True
                todo.listings[rel] = None
        if stale:
            self._book.enter(entry, "listing", None)
        return not stale
