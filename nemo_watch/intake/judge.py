"""Judges one file of an inbox: settled, whole, paired with its instruction, or what it waits for. Pure."""

from __future__ import annotations

from typing import assert_never

from nemo_watch.intake import words
from nemo_watch.intake.book import Book
from nemo_watch.intake.entries import Entry, Folder, Phase
from nemo_watch.intake.gathering import unread_above
from nemo_watch.intake.names import ancestors, name_key
from nemo_watch.intake.rules import MAX_UPLOAD_BYTES, InboxRules, SettleRules
from nemo_watch.intake.standing import Standing, Todo
from nemo_watch.intake.texts import TextJudge
from nemo_watch.model import Drop, Failure, InstructionSource

_DEFAULT_KEYS = ("_default.toml", "_default.txt")


class Judge:
    """The rules of one inbox over its book."""

    def __init__(self, book: Book, inbox: InboxRules, settle: SettleRules, standing: Standing) -> None:
        self._book = book
        self._inbox = inbox
        self._settle = settle
        self._standing = standing
        self._texts = TextJudge(book, inbox, settle, standing)

    def judge(self, entry: Entry, now_s: float, todo: Todo) -> None:
        """Judge a file as it is now: enter the phase it is in, and ask for what is needed to go on."""
        if entry.is_text:
            self._texts.judge(entry, now_s, todo)
        elif entry.role != "control":
            self._judge_clip(entry, now_s, todo)

    def _judge_clip(self, entry: Entry, now_s: float, todo: Todo) -> None:
        own = entry.folder.own_sidecar(entry.name, shares_stem=self._book.shares_stem(entry.role))
        namer = self._book.namer(entry.rel)
        if entry.kind == "other":
            self._book.enter(entry, "ignored", None, about="it is not a regular file")
            self._book.wake_batch_of(entry)
        elif self._book.naming(entry.rel) is not None:
            if self._standing.stands(entry, 0.0, now_s, todo) and self._may_go_on(entry, None, now_s, todo):
                self._arrive(entry, None)
        elif namer:
            entry.folder.awaiting[entry] = None
            self._book.enter(entry, "asset", None, about=namer)
        elif entry.role == "still" and own is None and not self._inbox.accept_all:
            self._book.enter(entry, "asset", None)
        elif entry.role == "other" and own is None:
            rule = self._book.names.classify_name(entry.rel, entry.name).rule
            self._book.enter(entry, "ignored", None, about=rule)
        elif self._standing.stands(entry, 0.0, now_s, todo) and self._may_go_on(entry, own, now_s, todo):
            self._pair(entry, own, now_s, todo)

    def _may_go_on(self, entry: Entry, own: Entry | None, now_s: float, todo: Todo) -> bool:
        """Judge what the file is; what is wrong with it is refused here, after its grace."""
        name, rules = entry.name, self._settle
        if entry.kind == "symlink":
            if self._standing.stands(entry, rules.link_grace_s, now_s, todo):
                self._refuse(entry, own, words.symlink(name), todo)
            return False
        controls = entry.folder.controls.get(name_key(name))
        if controls:
            self._book.enter(entry, "control", None, about=controls[0])
            return False
        if entry.stamp.size_bytes == 0:
            if self._standing.stands(
                entry, max(0.0, rules.empty_grace_s - self._standing.window_s(entry)), now_s, todo
            ):
                self._refuse(entry, own, words.empty_file(name, now_s - entry.changed_s), todo)
            return False
        if entry.role in ("foreign", "other"):
            self._refuse(entry, own, words.foreign_type(name), todo)
            return False
        if entry.verdict is None or entry.verdict_s < entry.changed_s + self._standing.window_s(entry):
            self._inspect(entry, todo)
            return False
        if entry.writer == "open" and self._waits_for_writer(entry, now_s, todo):
            return False
        match entry.verdict:
            case "whole" | "unchecked":
                if entry.stamp.size_bytes > MAX_UPLOAD_BYTES:
                    self._refuse(entry, own, words.too_large(name, entry.stamp.size_bytes), todo)
                    return False
                return True
            case "unread":
                self._inspect(entry, todo, to_end=True)
            case "incomplete":
                parked_s = entry.changed_s + rules.incomplete_after_s  # from then on it is told as parked
                self._book.enter(entry, "incomplete", parked_s if now_s < parked_s else None)
            case "placeholder":
                rest_s = min(rules.placeholder_again_s, max(rules.open_s, entry.verdict_s - entry.changed_s))
                self._look_again(entry, "placeholder", entry.verdict_s + rest_s, now_s, todo)
            case "not_media" | "empty":
                self._suspect(entry, own, rules.not_media_grace_s, words.not_media(name), now_s, todo)
            case "unreadable":
                failure = words.unreadable(name, entry.about)
                self._suspect(entry, own, rules.unreadable_grace_s, failure, now_s, todo)
            case "changed":
                raise AssertionError("a file that changed has no verdict")
            case _:
                assert_never(entry.verdict)
        return False

    def _waits_for_writer(self, entry: Entry, now_s: float, todo: Todo) -> bool:
        """Tell whether somebody who has a file open for writing is still waited for: not for ever, if it is whole."""
        rules = self._settle
        cap_s = entry.changed_s + rules.lease_cap_s
        if now_s < cap_s:
            rest_s = min(rules.lease_rest_s, max(rules.lease_again_s, entry.verdict_s - entry.changed_s))
            self._look_again(entry, "writer", min(entry.verdict_s + rest_s, cap_s), now_s, todo)
        elif entry.verdict_s < cap_s or entry.verdict == "unread":
            self._inspect(entry, todo, phase="writer", to_end=True)
        elif entry.verdict == "unchecked":
            self._look_again(entry, "kept_open", entry.verdict_s + rules.lease_cap_s, now_s, todo)
        else:
            return False
        return True

    def _look_again(self, entry: Entry, phase: Phase, due_s: float, now_s: float, todo: Todo) -> None:
        """Look into a file once more at a given time: what is wrong with it may end without a change of its stamp."""
        if now_s < due_s:
            self._book.enter(entry, phase, due_s)
        else:
            self._inspect(entry, todo, phase=phase)

    def _inspect(self, entry: Entry, todo: Todo, *, phase: Phase = "inspecting", to_end: bool = False) -> None:
        if not entry.asked:
            entry.asked = True
            todo.inspect.append(entry.ref)
            if to_end:
                todo.to_end.append(entry.ref)
        self._book.enter(entry, phase, None, about=entry.about)

    def _suspect(
        self, entry: Entry, own: Entry | None, grace_s: float, failure: Failure, now_s: float, todo: Todo
    ) -> None:
        """Refuse after the grace, if a second inspection at its end finds the same: rights change without a stamp."""
        due_s = entry.changed_s + self._standing.window_s(entry) + grace_s
        if now_s < due_s:
            self._book.enter(entry, "grace", due_s, about=entry.about)
        elif entry.verdict_s < due_s:
            self._inspect(entry, todo)
        else:
            self._refuse(entry, own, failure, todo)

    # ------------------------------------------------------------ finding the instruction

    def _pair(self, entry: Entry, own: Entry | None, now_s: float, todo: Todo) -> None:
        folder = entry.folder
        if self._waits_for_project(entry):
            return
        if self._book.batch_of(entry) is not None:
            self._arrive(entry, None)
            return
        if folder.unread and next(iter(folder.unread.values())) <= entry.wait_from_s:
            self._book.await_reading(entry)
            return
        if own is not None and own.kind == "symlink":
            self._refuse_linked_sidecar(entry, own, now_s, todo)
            return
        if own is not None:
            self._offer(entry, "sidecar", own, todo)
            return
        quiet_s = folder.changed_s if folder.rel else entry.wait_from_s
        due_s = max(entry.wait_from_s, quiet_s) + self._settle.sidecar_wait_s
        if now_s < due_s:
            self._book.enter(entry, "sidecar", due_s, about=folder.rel if quiet_s > entry.wait_from_s else "")
            return
        if not self._standing.is_listed(entry, ancestors(folder.rel), due_s, todo):
            return
        default = self._default_for(folder)
        if default is not None and default.kind == "symlink":
            self._book.enter(entry, "no_instruction", None, about=default.name)
        elif default is not None:
            self._offer(entry, "default", default, todo)
        elif self._inbox.instruction.strip():
            self._offer(entry, "inbox", None, todo)
        else:
            self._book.enter(entry, "no_instruction", None)

    def _default_for(self, folder: Folder) -> Entry | None:
        for rel in ancestors(folder.rel):
            above = self._book.folders.get(rel)
            for key in _DEFAULT_KEYS if above is not None else ():
                found = above.text(key, key) if above is not None else None
                if found is not None:
                    return found
        return None

    def _refuse_linked_sidecar(self, entry: Entry, own: Entry, now_s: float, todo: Todo) -> None:
        due_s = max(own.changed_s, entry.changed_s) + self._settle.link_grace_s
        if now_s < due_s:
            self._book.enter(entry, "grace", due_s, about=own.name)
        else:
            self._refuse(entry, None, words.symlink(entry.name, own.name), todo)

    def _offer(self, entry: Entry, source: InstructionSource, text: Entry | None, todo: Todo) -> None:
        companions = [found for found in entry.folder.companions(entry.name) if found.stamp.size_bytes]
        unsettled = next((e for e in (text, *companions) if e is not None and e.phase != "settled"), None)
        if unsettled is not None:
            unsettled.folder.awaiting[entry] = None
            self._book.enter(entry, "sidecar", None, about=unsettled.name)
            return
        self._emit(entry, source, text, companions, None, todo)

    def _waits_for_project(self, entry: Entry) -> bool:
        """Tell whether a `project.toml` is read first, which may say that a file is a clip of its batch."""
        unread = unread_above(self._book, entry.folder.rel)
        if unread is not None:
            unread.folder.awaiting[entry] = None
            self._book.enter(entry, "reading", None)
        return unread is not None

    def _arrive(self, entry: Entry, refusal: Failure | None) -> None:
        """Let a file that is whole, or can only be refused, wait for the other clips of its batch."""
        batch = self._book.batch_of(entry)
        if batch is not None:
            self._book.enter(entry, "member", None, about=batch.toml.rel)
            self._book.wake_batch_of(entry)
            if refusal is not None:
                batch.refusals[entry] = refusal

    def _refuse(self, entry: Entry, own: Entry | None, failure: Failure, todo: Todo) -> None:
        if self._waits_for_project(entry):
            return
        if self._book.batch_of(entry) is not None:
            self._arrive(entry, failure)
            return
        sidecar = own if own is not None and own.kind == "file" else None
        if sidecar is not None and sidecar.phase != "settled":
            self._book.enter(entry, "sidecar", None, about=sidecar.name)
            return
        settled = [found for found in entry.folder.companions(entry.name) if found.phase == "settled"]
        self._emit(entry, "sidecar" if sidecar is not None else "inbox", sidecar, settled, failure, todo)

    def _emit(
        self,
        entry: Entry,
        source: InstructionSource,
        text: Entry | None,
        companions: list[Entry],
        refusal: Failure | None,
        todo: Todo,
    ) -> None:
        self._book.enter(entry, "offered", None)
        todo.drops.append(
            Drop(
                inbox=self._inbox.name,
                clip=entry.ref,
                source=source,
                sidecar=text.ref if text is not None else None,
                companions=tuple(found.ref for found in companions),
                refusal=refusal,
            )
        )
