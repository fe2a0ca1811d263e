"""Judges the texts of an inbox: those that serve clips, and those that give work by themselves. Pure."""

from __future__ import annotations

from nemo_watch.intake import words
from nemo_watch.intake.book import Book
from nemo_watch.intake.entries import Entry
from nemo_watch.intake.gathering import BatchJudge
from nemo_watch.intake.names import WORK_ROLES, Role, name_key, refined_key
from nemo_watch.intake.rules import InboxRules, SettleRules
from nemo_watch.intake.standing import Standing, Todo
from nemo_watch.model import Drop, Failure, WorkKind

KINDS: dict[Role, WorkKind] = {"ask": "ask", "refine": "refine", "prompt": "generate"}
"""What the texts that give work by themselves are drops of, by the roles of their names."""


class TextJudge:
    """The rules for texts of one inbox over its book."""

    def __init__(self, book: Book, inbox: InboxRules, settle: SettleRules, standing: Standing) -> None:
        self._book = book
        self._inbox = inbox
        self._settle = settle
        self._standing = standing
        self._batches = BatchJudge(book, inbox, settle, standing)

    def judge(self, entry: Entry, now_s: float, todo: Todo) -> None:
        """Judge a text as it is now."""
        if entry.kind == "other":
            self._book.enter(entry, "ignored", None, about="it is not a regular file")
        elif self._standing.stands(entry, 0.0, now_s, todo):
            if entry.role in WORK_ROLES:
                self._judge_work(entry, now_s, todo)
            elif entry.kind != "file" or self._standing.is_free(entry, now_s, todo):
                self._settle_down(entry, now_s, todo)

    def _settle_down(self, entry: Entry, now_s: float, todo: Todo) -> None:
        batch = self._book.batches.get(entry.rel)
        if batch is not None and entry.kind == "file":
            self._book.unblock(entry)
            self._batches.judge(batch, now_s, todo)
        elif self._book.is_url(entry) and self._book.batches.was_told(entry):
            self._book.known(entry.rel, entry.stamp)  # only now it is seen what the ledger knows it as
        elif self._book.is_url(entry):
            self._emit(entry, None, todo)
        elif entry.phase != "settled":
            self._book.unblock(entry)
            self._book.enter(entry, "settled", None)
            self._book.wake_clips_of(entry)

    def _judge_work(self, entry: Entry, now_s: float, todo: Todo) -> None:
        rules = self._settle
        controls = entry.folder.controls.get(name_key(entry.name))
        if entry.kind == "symlink":
            if self._standing.stands(entry, rules.link_grace_s, now_s, todo):
                self._emit(entry, words.symlink(entry.name), todo)
        elif controls:
            self._book.enter(entry, "control", None, about=controls[0])
        elif entry.stamp.size_bytes == 0:
            if self._standing.stands(entry, max(0.0, rules.empty_grace_s - rules.sidecar_s), now_s, todo):
                self._emit(entry, words.empty_text(entry.name, entry.role), todo)
        elif self._standing.is_free(entry, now_s, todo):
            self._book.unblock(entry)
            clip = self._not_a_job_yet(entry)
            if clip is None:
                self._emit(entry, None, todo)
            else:
                self._book.enter(entry, "clip", None, about=clip.name)

    def _not_a_job_yet(self, entry: Entry) -> Entry | None:
        """Find the clip beside a refinement that is on its way to be a job: that one comes first."""
        key = refined_key(entry.name)
        clips = entry.folder.clips_to_refine(key) if key else []
        if clips:
            entry.folder.followers.setdefault(key, {})[entry] = None
        return clips[0] if clips else None

    def _emit(self, entry: Entry, refusal: Failure | None, todo: Todo) -> None:
        self._book.unblock(entry)
        self._book.enter(entry, "offered", None)
        todo.drops.append(
            Drop(self._inbox.name, entry.ref, "sidecar", refusal=refusal, kind=KINDS.get(entry.role, "url"))
        )
