"""Decides from sightings, listings and inspections what becomes a drop: settled, whole, paired, exactly once. Pure.

Nothing is believed because of an event: a file stands still only between two looks that saw the same stamp, and "there
is no sidecar" is believed only of a listing that began after the wait for one. Only what changed or came due is judged
again, so the cost of `decide` does not grow with the number of files.
"""

from __future__ import annotations

from itertools import islice

from nemo_watch.intake import words
from nemo_watch.intake.batches import PROJECT_KEY
from nemo_watch.intake.book import Book
from nemo_watch.intake.entries import Entry
from nemo_watch.intake.gathering import unread_above
from nemo_watch.intake.judge import Judge
from nemo_watch.intake.names import CLIP_ROLES, TEXT_ROLES, NameRules, join_rel, name_key, split_rel
from nemo_watch.intake.rules import Decision, InboxRules, SettleRules, Writer
from nemo_watch.intake.standing import Standing, Todo
from nemo_watch.model import FileRef, FileStamp, TomlFacts, Waiting


class Intake(Book):
    """One inbox: the book of what was seen, and what follows from it."""

    def __init__(self, inbox: InboxRules, settle: SettleRules | None = None, *, polled: bool = False) -> None:
        super().__init__(NameRules(ignore=inbox.ignore, recursive=inbox.recursive), accept_all=inbox.accept_all)
        self._settle = settle if settle is not None else SettleRules()
        self._standing = Standing(self, self._settle)
        self._standing.polled = polled
        self._judge = Judge(self, inbox, self._settle, self._standing)

    @property
    def polled(self) -> bool:
        """Whether only polling sees this inbox: longer windows, several looks."""
        return self._standing.polled

    @polled.setter
    def polled(self, polled: bool) -> None:
        self._standing.polled = polled

    def decide(self, now_s: float, *, most: int | None = None) -> Decision:
        """Judge what changed or came due, or the first `most` of it. What is asked for is asked once. Repeat: safe."""
        todo = Todo()
        for entry in self.to_judge(now_s, most):
            self._judge.judge(entry, now_s, todo)
        return Decision(
            drops=tuple(todo.drops),
            inspect=tuple(todo.inspect),
            to_end=frozenset(todo.to_end),
            look=tuple(todo.look),
            listings=tuple(todo.listings),
            read=tuple(todo.read),
            next_check_s=self.next_due_s(now_s),
        )

    def text_answered(self, rel: str, stamp: FileStamp, facts: TomlFacts | None, writer: Writer, now_s: float) -> None:
        """Take in what was found in a text, or (`facts` None) that it cannot be read just now.

        That one is asked again for a while, as nobody knows which files it names. Then a `project.toml` counts as one
        that is broken; of any other the job that uses it tells what is wrong.
        """
        entry = self.entry(rel)
        if facts is not None or entry is None or entry.stamp != stamp:
            self.text_read(rel, stamp, facts or TomlFacts(), writer, now_s)
            return
        if entry.verdict != "unreadable":
            entry.verdict, entry.verdict_s = "unreadable", now_s
        grace_s = self._settle.lease_cap_s if writer == "open" else self._settle.unreadable_grace_s
        if now_s < entry.verdict_s + grace_s:
            self.missed(rel, now_s)
        else:
            is_project = entry.role == "instruction" and name_key(entry.name) == PROJECT_KEY
            self.text_read(rel, stamp, TomlFacts(is_broken=is_project), "untried", now_s)

    def idle(self) -> bool:
        """Tell whether nothing is on its way: what still waits, waits for somebody."""
        return self.active == 0 and self.is_judged

    def misses(self) -> bool:
        """Tell whether a batch waits for a clip that is not there: by itself it goes on only when it gives that up."""
        return any(entry.phase == "missing" for entry in self.entries())

    def waiting(self, now_s: float, most: int | None = None) -> list[Waiting]:
        """List the files that may still become drops (the first `most` of them), and why they are not."""
        wanted = (entry for entry in self.entries() if entry.may_become_a_drop)
        return [self._waiting(entry, now_s) for entry in islice(wanted, most)]

    def why(self, rel: str, now_s: float) -> Waiting | None:
        """Say why a file is not a job, None if nothing is known of it."""
        entry = self.entry(rel)
        if entry is not None:
            return self._waiting(entry, now_s)
        folder_rel, name = split_rel(rel)
        named = self.names.classify(rel)
        if named.role == "ignored":
            return Waiting(rel, "ignored", f"it is ignored: {named.rule}", now_s)
        folder = self.folders.get(folder_rel)
        if folder is not None and name in folder.handled:
            return Waiting(
                rel, "taken", "it is known to the ledger: only a change of the file makes it a new drop", now_s
            )
        return None

    def sidecar_of(self, rel: str) -> FileRef | None:
        """Find the own sidecar beside a clip as it is now, settled or not: it may have come late."""
        folder_rel, name = split_rel(rel)
        folder = self.folders.get(folder_rel)
        role = self.names.classify(rel).role
        if folder is None or role not in CLIP_ROLES:
            return None
        batch = self.naming(rel)
        if batch is not None:
            return batch.toml.ref
        entry = folder.own_sidecar(name, shares_stem=self.shares_stem(role))
        return entry.ref if entry is not None and entry.kind == "file" else None

    def is_read_above(self, rel: str) -> bool:
        """Tell whether every `project.toml` in the folder of a file and above it was read."""
        return unread_above(self, split_rel(rel)[0]) is None

    def serves(self, rel: str, *, but: str = "") -> bool:
        """Tell whether a sidecar or subtitle belongs to a clip that is not a job yet, other than the clip `but`.

        A folder's default belongs to whatever comes.
        """
        text = self.entry(rel)
        if text is None or text.role not in TEXT_ROLES:
            return False
        if text.role == "default":
            return True
        batch = self.batches.get(rel)
        if batch is not None:
            return any(clip.rel != but for key in batch.names for clip in self.entries_at(key))
        for clip in text.folder.clips_of_text(text.name):
            own = text.folder.own_sidecar(clip.name, shares_stem=self.shares_stem(clip.role))
            if clip.rel != but and (own is text or text in text.folder.companions(clip.name)):
                return True
        return False

    @property
    def reads_sidecars(self) -> bool:
        """Whether TOML sidecars wait to be read, which may name files that look like drops as their assets."""
        return any(folder.unread for folder in self.folders.values())

    def expected(self) -> frozenset[str]:
        """Name the files that are or will be drops, as far as their names and the sidecars that were read tell."""
        return frozenset(entry.rel for entry in self.entries() if self._is_expected(entry))

    def _is_expected(self, entry: Entry) -> bool:
        if entry.kind == "file" and self.naming(entry.rel) is not None:
            return entry.role in ("video", "still")
        if entry.kind != "file" or self.namer(entry.rel):
            return False
        if entry.role in ("refine", "prompt"):  # a question costs nothing
            return True
        if entry.role == "instruction":
            return self.is_url(entry)
        if entry.role == "video" or (entry.role == "still" and self._accept_all):
            return True
        own = entry.folder.own_sidecar(entry.name, shares_stem=self.shares_stem(entry.role))
        return entry.role == "still" and own is not None

    def count(self) -> int:
        """Count the files that are there, handled ones too."""
        return sum(len(folder.entries) + len(folder.handled) for folder in self.folders.values())

    def _waiting(self, entry: Entry, now_s: float) -> Waiting:
        told = self._told_of_batch(entry) if entry.phase == "settled" else ""
        return words.waiting(entry, now_s, self._settle, self._standing.window_s(entry), told)

    def _told_of_batch(self, entry: Entry) -> str:
        """Say what a settled text has to do with a batch, "" if nothing."""
        batch = self.batches.get(entry.rel)
        if batch is not None:
            nearer = {named.toml.rel for key in batch.names if (named := self.batches.named(key)) not in (None, batch)}
            own = [key for key in batch.names if self.batches.named(key) is batch]
            return words.batch_begun(nearer if not own else (), was_told=self.batches.was_told(entry))
        clips = self.users_of(entry) if entry.role == "instruction" else []
        named_by = [self.naming(join_rel(entry.folder.rel, clip)) for clip in clips]
        first = next(iter(named_by), None)
        return words.not_used(first.toml.rel, clips) if first is not None and None not in named_by else ""
