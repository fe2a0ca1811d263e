"""A clause on its way: what was understood of it is taken out, what is denied in it is known. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nemo_watch.sandbox.intent import words as w
from nemo_watch.sandbox.intent.ops import Op
from nemo_watch.sandbox.intent.passage import D, Passage, R

Doing = str
"""What a clause does to its objects: "add", "remove", "keep" or "" if it does not say."""

TAKEN = "\x1f"


@dataclass(slots=True)
class Reading:
    """A clause being read. `rest` has the clause's length always: what was understood is blanked out.

    `limited` tells that it asks for something impossible too: its times may belong to that.
    `forced`: whatever is named here is to go, a later clause says so.
    `refused`: a rule saw that what is meant cannot be done: the clause is named, and nothing of it is done.
    """

    passage: Passage
    low: str
    rest: str = ""
    inherited: Doing = ""
    inherited_not: bool = False
    limited: bool = False
    forced: bool = False
    refused: bool = False
    ops: list[Op] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rest = self.low

    def find(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        """Find `pattern` in what is left."""
        return re.search(pattern, self.rest)

    def take(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        """Find `pattern` in what is left and take it out."""
        match = re.search(pattern, self.rest)
        if match is not None:
            self.blank(match)
        return match

    def blank(self, match: re.Match[str]) -> None:
        taken = re.sub(r"[^\s]", TAKEN, match[0])
        self.rest = self.rest[: match.start()] + taken + self.rest[match.end() :]

    def has(self, pattern: str | re.Pattern[str]) -> bool:
        return re.search(pattern, self.low) is not None

    def denied(self, at: int) -> bool:
        """Tell whether a "don't" or a "not" stands before `at`."""
        return self.inherited_not or re.search(w.NOT_VERB, self.low[:at]) is not None

    def without(self, at: int) -> bool:
        """Tell whether a "no" or a "without" stands closely before `at`, or "-free" right after."""
        return re.search(w.NOT_THING, self.low[max(0, at - 26) : at]) is not None

    @property
    def timed(self) -> bool:
        """Tell whether what is left is about a part of the time."""
        return re.search(f"{D}|{R}", self.rest) is not None

    @property
    def removes(self) -> bool:
        return self.has(w.REMOVE) or self.has(w.REMOVE_ZH) or (self.inherited == "remove" and not self.has(w.KEEP))

    @property
    def keeps(self) -> bool:
        return self.has(w.KEEP) or self.has(w.KEEP_ZH) or (self.inherited == "keep" and not self.removes)
