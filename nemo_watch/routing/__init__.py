"""What of a text is for the chat and what is done through the API: messages, exports and questions. Pure.

Export, download, upload, credits and status are never the chat's business. Of a message that asks for more than that,
a clause is taken out only if the closed vocabulary covers it from end to end and nothing around it makes its meaning
doubtful. In doubt the text is sent as it is: that costs nothing, because the result is exported in any case.

Source: contract.md 9
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

from nemo_watch import vocabulary as words
from nemo_watch.model import Export, Routed
from nemo_watch.routing.clauses import Clause, Purpose, clauses_of, taken_apart, unquoted
from nemo_watch.routing.wish import Wish

PLACE_MESSAGE = "Put the uploaded clip on the timeline unchanged, in its full length."
"""What is sent when a drop only asks for an export and there is no timeline yet."""

Question = Literal["credits", "status"]
Asked = Literal["credits", "status", "tracks"]

_ANSWERED: dict[Question, str] = {
    "credits": "The question about credits is answered by the report's account_credits.",
    "status": "The question about the status is answered by `nemo-watch status`.",
}
_WHY_TAKEN: dict[Purpose, str] = {
    "export": "It only asks for an export, which is made without the chat.",
    "credits": "It only asks for credits, which are answered without the chat.",
    "status": "It only asks for the status, which is answered without the chat.",
    "courtesy": "It is a courtesy beside something that is not sent.",
    "edit": "It is an edit.",
}
_QUOTE_SIGNS = re.compile(r"""["“”„«»‘`「」『』《》#*_]|(?<!\w)['’]|['’](?!\w)""")


def route(steps: Sequence[str], exports: Sequence[Export]) -> Routed:
    """Split what was asked for into messages for the chat, exports and questions.

    Exports that were written out count as they are; what they leave open is filled from the words. Without any there
    is one, and several only where the words ask for several. `exports` is empty if nothing but questions was asked.
    """
    messages: list[str] = []
    taken: list[Clause] = []
    for step in steps:
        kept, clauses = taken_apart(step)
        taken += clauses
        if kept:
            messages.append(kept)
    questions = tuple(kind for kind in get_args(Question) if any(clause.purpose == kind for clause in taken))
    asked = [clause.words for clause in taken if clause.purpose == "export"]
    if questions and not messages and not asked and not exports:
        return Routed((), (), questions)
    wish = Wish()
    for text in asked:
        wish.read(text)
    wish.fill(unquoted(message) for message in messages)
    if asked:
        messages = [message for message in messages if not words.BARE_EDIT.fullmatch(message)]
    wanted = tuple(wish.complete(export) for export in exports) or tuple(wish.exports)
    notes = (*wish.notes, *wish.not_offered(wanted), *(_ANSWERED[question] for question in questions))
    return Routed(tuple(messages), wanted, questions, notes)


def taken_out(steps: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Name what of the steps is not sent, word for word, each with a sentence that says why."""
    found: list[tuple[str, str]] = []
    bare: list[str] = []
    for step in steps:
        kept, clauses = taken_apart(step)
        found += [(clause.words, _WHY_TAKEN[clause.purpose]) for clause in clauses]
        bare += [kept] if words.BARE_EDIT.fullmatch(kept) else []
    if any(why == _WHY_TAKEN["export"] for _text, why in found):
        found += [(text, "It names no edit beside the export.") for text in bare]
    return tuple(found)


def generation(text: str) -> Routed:
    """Read a text that a video is made from: all of it is the message; the exports are read from it.

    Source: product.md 3
    """
    kept, taken = taken_apart(text)
    wish = Wish()
    for clause in taken:
        if clause.purpose == "export":
            wish.read(clause.words)
    wish.fill([unquoted(kept)])
    wanted = tuple(wish.exports)
    return Routed((text,), wanted, (), (*wish.notes, *wish.not_offered(wanted)))


def asked(text: str) -> tuple[Asked, ...]:
    """Tell what a text asks for that does nothing but ask, in its order; () if there is anything else in it.

    Source: contract.md 9
    """
    found: list[Asked] = []
    for clause in clauses_of(_QUOTE_SIGNS.sub(" ", text)):  # people copy the word with the quotes around it
        kinds = words.cover(clause.words, asks=True)
        if kinds is None or not kinds <= {*get_args(Asked), "ask", "object", "courtesy", "weak"}:
            return ()
        found += [kind for kind in get_args(Asked) if kind in kinds]
    return tuple(dict.fromkeys(found))
