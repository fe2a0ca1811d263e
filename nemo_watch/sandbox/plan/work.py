"""One message being worked on: the board, the reply so far and the tools that were used. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from nemo_watch.sandbox.facts import Asset
from nemo_watch.sandbox.plan import say
from nemo_watch.sandbox.plan.board import Board


@dataclass(slots=True)
class Work:
    """One message being worked on; `named` are the uploads it names, `unheard` those whose words are still needed.

    `missing` are names of files that are not among the uploads: no other file stands in for them.
    """

    board: Board
    language: say.Language
    said: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    named: tuple[Asset, ...] = ()
    missing: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()

    def tell(self, key: str, **values: object) -> None:
        """Add a sentence to the reply."""
        self.said.append(say.say(self.language, key, **values))

    def used(self, tool: str) -> None:
        """Note that something was changed, and how."""
        if tool not in self.tools:
            self.tools.append(tool)

    def s(self, ms: int) -> str:
        """Write a length in the reply's language."""
        return say.seconds(self.language, ms)
