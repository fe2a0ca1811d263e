"""A pretended inbox: files with stamps, a clock, and a caller that answers the intake as the watcher does."""

from __future__ import annotations

from dataclasses import dataclass, field

from nemo_watch.intake import Decision, InboxRules, Inspection, Intake, SettleRules, Verdict, Writer
from nemo_watch.intake.names import split_rel
from nemo_watch.model import Drop, FileKind, FileRef, FileStamp, Sighting, SightingKind, TomlFacts


@dataclass
class Pretended:
    stamp: FileStamp
    kind: FileKind = "file"
    verdict: Verdict = "whole"
    writer: Writer = "none"
    facts: TomlFacts = field(default_factory=TomlFacts)
    at_end: Verdict = "whole"
    readable: bool = True


@dataclass
class World:
    """Time passes by `run`; what lies in `files` is seen by events (`put`, `change`) or found by listings."""

    intake: Intake
    now_s: float = 1000.0
    files: dict[str, Pretended] = field(default_factory=dict)
    drops: list[Drop] = field(default_factory=list)
    drop_times: list[float] = field(default_factory=list)
    inspections: list[str] = field(default_factory=list)
    inspection_times: list[float] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    serial: int = 0
    take: bool = True

    def put(
        self,
        rel: str,
        *,
        event: SightingKind | None = "closed",
        size: int = 1000,
        kind: FileKind = "file",
        verdict: Verdict = "whole",
        writer: Writer = "none",
        assets: tuple[str, ...] = (),
        facts: TomlFacts | None = None,
    ) -> FileStamp:
        self.serial += 1
        stamp = FileStamp(inode=self.serial, size_bytes=size, mtime_ns=self.serial)
        self.files[rel] = Pretended(stamp, kind, verdict, writer, facts or TomlFacts(assets))
        if event is not None:
            self.see(rel, event)
        return stamp

    def remove(self, rel: str, *, event: bool = True) -> None:
        del self.files[rel]
        if event:
            self.see(rel, "gone")

    def see(self, rel: str, kind: SightingKind) -> None:
        found = self.files.get(rel)
        if found is None:
            self.intake.see(Sighting(rel, "gone", None, self.now_s))
        else:
            self.intake.see(Sighting(rel, kind, found.stamp, self.now_s, found.kind))

    def tree(self) -> dict[str, dict[str, tuple[FileKind, FileStamp]]]:
        tree: dict[str, dict[str, tuple[FileKind, FileStamp]]] = {"": {}}
        for rel, found in self.files.items():
            folder, name = split_rel(rel)
            if not self.intake.names.folder_rule(folder):
                tree.setdefault(folder, {})[name] = (found.kind, found.stamp)
        return tree

    def scan(self) -> None:
        self.intake.scanned(self.tree(), started_s=self.now_s)

    def step(self) -> Decision:
        """Decide, answer everything asked for, until nothing more is asked."""
        while True:
            decision = self.intake.decide(self.now_s)
            for drop in decision.drops:
                self.drops.append(drop)
                self.drop_times.append(self.now_s)
                if self.take:
                    self.intake.taken(drop.clip.rel, drop.clip.stamp)
            for rel in decision.look:
                self.see(rel, "scanned")
            for ref in decision.inspect:
                self.inspections.append(ref.rel)
                self.inspection_times.append(self.now_s)
                self.inspect(ref, to_end=ref in decision.to_end)
            for folder in decision.listings:
                self.intake.listed(folder, self.tree().get(folder, {}), started_s=self.now_s)
            for ref in decision.read:
                found = self.files.get(ref.rel)
                facts, writer = (found.facts, found.writer) if found is not None else (TomlFacts(), "none")
                said = facts if found is None or found.readable else None
                self.intake.text_answered(ref.rel, ref.stamp, said, writer, self.now_s)
            if not (decision.drops or decision.look or decision.inspect or decision.listings or decision.read):
                return decision

    def inspect(self, ref: FileRef, *, to_end: bool) -> None:
        """Answer as the watcher does; a file of which only its end tells has the verdict "unread" here."""
        found = self.files.get(ref.rel)
        if found is None:
            self.see(ref.rel, "gone")
            return
        verdict = found.verdict if found.stamp == ref.stamp else "changed"
        if verdict == "unread" and (to_end or found.writer in ("none", "untried")):
            self.ends.append(ref.rel)
            verdict = found.at_end
        self.intake.inspected(ref.rel, ref.stamp, Inspection(verdict, writer=found.writer), self.now_s)
        if verdict == "changed":
            self.see(ref.rel, "scanned")

    def run(self, seconds: float) -> None:
        """Let time pass, waking up whenever the intake wants to."""
        end_s = self.now_s + seconds
        while True:
            due_s = self.step().next_check_s
            if due_s is None or due_s > end_s:
                break
            assert due_s > self.now_s, "the intake asks to be woken in the past"
            self.now_s = due_s
        self.now_s = end_s
        self.step()

    def dropped(self) -> list[str]:
        return [drop.clip.rel for drop in self.drops]

    def reason(self, rel: str) -> str:
        waiting = self.intake.why(rel, self.now_s)
        return waiting.reason if waiting is not None else ""

    def sentence(self, rel: str) -> str:
        waiting = self.intake.why(rel, self.now_s)
        return waiting.sentence if waiting is not None else ""


def world(
    *,
    accept_all: bool = False,
    has_instruction: bool = True,
    recursive: bool = True,
    ignore: tuple[str, ...] = (),
    settle: SettleRules | None = None,
    polled: bool = False,
) -> World:
    inbox = InboxRules("videos", "cut the pauses" if has_instruction else "", accept_all, recursive, ignore)
    return World(Intake(inbox, settle, polled=polled))
