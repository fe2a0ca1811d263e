"""What of a text is for the chat and what is done through the API: messages, exports and questions. Pure.

Export, download, upload, credits and status are never the chat's business. Of a message that asks for more than that,
a clause is taken out only if the closed vocabulary covers it from end to end and nothing around it makes its meaning
doubtful. In doubt the text is sent as it is: that costs nothing, because the result is exported in any case.

Source: contract.md 9
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, get_args

from nemo_watch import vocabulary as words
from nemo_watch.model import EXPORT_HEIGHTS, Export, Routed

PLACE_MESSAGE = "Put the uploaded clip on the timeline unchanged, in its full length."
"""What is sent when a drop only asks for an export and there is no timeline yet."""

Question = Literal["credits", "status"]
Purpose = Literal["edit", "export", "credits", "status", "courtesy"]

_ANSWERED: dict[Question, str] = {
    "credits": "The question about credits is answered by the report's account_credits.",
    "status": "The question about the status is answered by `nemo-watch status`.",
}
_OFFERED = ", ".join(f"{height}p" for height in EXPORT_HEIGHTS)
_TOP = max(EXPORT_HEIGHTS)
_TOP_FPS = 60
_QUOTED = re.compile(
    r"""["](?:[^"]*)(?:"|$)|“[^”]*(?:”|$)|「[^」]*(?:」|$)|『[^』]*(?:』|$)|《[^》]*(?:》|$)|«[^»]*(?:»|$)|`[^`]*(?:`|$)"""
    r"""|(?<!\w)‘[^’\n]*’(?!\w)|(?<!\w)'[^'\n]*'(?!\w)""",
)
_BRACKETED = re.compile(r"[(（][^()（）]*(?:[)）]|$)")
_GAP = r"[^\S\n]*+"  # blanks on one line; possessive, so that thousands of them cost no time
_JOIN = rf"(?:{words.JOINERS_ENGLISH}(?![A-Za-z0-9])|{words.JOINERS_CHINESE})"
_POINT = (
    r"(?:(?<![0-9])[,，]|[,，](?![0-9])|[;；、。！？!?]|\.(?=\s|$)|->|→|=>|\|"
    r"|\n(?:[ \t]*+(?:[0-9]{1,2}[.)、]|[-*•–])[ \t])?)"
)
_SEPARATOR = re.compile(
    rf"(?<![^\S\n]){_GAP}{_POINT}(?:{_GAP}{_POINT})*\s*+(?:{_JOIN}\s*+(?:,\s*+)?)*"
    rf"|(?<!\s)\s++(?:{words.JOINERS_ENGLISH}\s++)+"
    r"|(?<!\s)\s*+(?:然后|并且|(?<![合一兼归吞])并(?![不非列排购])|(?<![不一])再(?![次三见现生])|接着|随后|以及|(?<![温暖柔饱缓])和)\s*+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;!?。；！？\n]")
_COLON = re.compile(r"(?<![0-9])[:：](?!//)\s*\S")
_SURE_CREDITS = re.compile(r"\b(?:my|how|left|remaining|check|account|available)\b|积分|余额|点数", re.IGNORECASE)


def route(steps: Sequence[str], exports: Sequence[Export]) -> Routed:
    """Split what was asked for into messages for the chat, exports and questions.

    Exports that were written out count as they are; what they leave open is filled from the words. Without any there
    is one, and several only where the words ask for several. `exports` is empty if nothing but questions was asked.
    """
    messages: list[str] = []
    taken: list[_Clause] = []
    for step in steps:
        kept, clauses = _routed(step)
        taken += clauses
        if kept:
            messages.append(kept)
    questions = tuple(kind for kind in get_args(Question) if any(clause.purpose == kind for clause in taken))
    asked = [clause.words for clause in taken if clause.purpose == "export"]
    if questions and not messages and not asked and not exports:
        return Routed((), (), questions)
    wish = _Wish()
    for text in asked:
        wish.read(text)
    wish.fill(_unquoted(message) for message in messages)
    if asked:
        messages = [message for message in messages if not words.BARE_EDIT.fullmatch(message)]
    wanted = tuple(wish.complete(export) for export in exports) or tuple(wish.exports)
    notes = (*wish.notes, *wish.not_offered(wanted), *(_ANSWERED[question] for question in questions))
    return Routed(tuple(messages), wanted, questions, notes)


# ---------------------------------------------------------------- clauses


@dataclass(frozen=True, slots=True)
class _Clause:
    """A stretch of a message between two joints; `words` is its text with quotations blanked out."""

    start: int
    end: int
    words: str
    purpose: Purpose
    has_option: bool = False
    is_bare: bool = False


def _routed(text: str) -> tuple[str, list[_Clause]]:
    """Take clauses out until none is left to take, so that routing its own output changes nothing."""
    text = text.strip()
    taken: list[_Clause] = []
    while text:
        clauses = list(_clauses(text))
        removed = _removable(text, clauses)
        if not removed:
            break
        taken += [clauses[number] for number in sorted(removed)]
        text = _without(text, clauses, removed)
    return text, taken


def _unquoted(text: str) -> str:
    return _QUOTED.sub(lambda found: "\x01" * len(found[0]), text)


def _clauses(text: str) -> Iterator[_Clause]:
    unquoted = _unquoted(text)
    whole = _BRACKETED.sub(lambda found: "\x01" * len(found[0]), unquoted)
    at = 0
    for joint in [*_SEPARATOR.finditer(whole), None]:
        start, end = at, joint.start() if joint else len(text)
        at = joint.end() if joint else end
        covered = unquoted[start:end].strip()
        if covered:
            start += len(unquoted[start:end]) - len(unquoted[start:end].lstrip())
            yield _clause(start, start + len(covered), covered)


def _clause(start: int, end: int, text: str) -> _Clause:
    kinds = words.cover(text)
    purpose: Purpose = "edit"
    if kinds is None:
        return _Clause(start, end, text, purpose)
    if "courtesy" in kinds and kinds <= {"courtesy", "weak"}:
        return _Clause(start, end, text, "courtesy")
    if "foreign" in kinds and not kinds & {"action", "upload"}:  # "a GIF" alone may be a picture to put in
        return _Clause(start, end, text, purpose)
    for_export = bool(kinds & {"action", "upload", "option"})
    if for_export and not kinds & {"credits", "status", "ask"}:
        purpose = "export"
    elif not for_export and "credits" in kinds and "status" not in kinds:
        purpose = "credits"
    elif not for_export and "status" in kinds and "credits" not in kinds:
        purpose = "status"
    is_bare = len(kinds) == 1 and len(text.split()) == 1
    return _Clause(start, end, text, purpose, has_option=bool(kinds & {"option", "foreign"}), is_bare=is_bare)


# ---------------------------------------------------------------- which of them may go


def _removable(text: str, clauses: Sequence[_Clause]) -> set[int]:
    pure = {number for number, clause in enumerate(clauses) if clause.purpose not in {"edit", "courtesy"}}
    polite = {number for number, clause in enumerate(clauses) if clause.purpose == "courtesy"}
    if len(pure | polite) == len(clauses):
        return pure | polite if pure else set()
    kept: set[int] = set()
    for sentence in _sentences(text, clauses):
        kept |= _doubtful(text, clauses, sentence)
    removed = pure - kept
    return removed | {number for number in polite if number - 1 in removed}  # "export in 720p, please"


def _sentences(text: str, clauses: Sequence[_Clause]) -> Iterator[list[int]]:
    sentence: list[int] = []
    for number in range(len(clauses)):
        if number and _SENTENCE_END.search(_joint(text, clauses, number)):
            yield sentence
            sentence = []
        sentence.append(number)
    if sentence:
        yield sentence


def _joint(text: str, clauses: Sequence[_Clause], number: int) -> str:
    """What stands between a clause and the one before it."""
    return text[clauses[number - 1].end : clauses[number].start]


def _doubtful(text: str, clauses: Sequence[_Clause], sentence: Sequence[int]) -> set[int]:
    """Name the clauses of a sentence that may not be taken out of it, because they may mean something else there."""
    kept = _with_a_tail(text, clauses, sentence)
    named = talks_of_api = tells = False
    for number in sentence:
        clause = clauses[number]
        if clause.purpose == "courtesy":
            continue
        if clause.purpose == "edit":
            named = named or bool(words.NAMING.search(clause.words) or _COLON.search(clause.words))
            talks_of_api = talks_of_api or bool(words.API_WORD.search(clause.words))
            tells = bool(words.SUBORDINATE.search(clause.words))
            named = named or (tells and talks_of_api)
            continue
        joint = _joint(text, clauses, number) if number else ""
        if not re.search(r"^\s*[a-z&+]*\s*$|^\s*[并再和以及接着随后然且]+\s*$", joint, re.IGNORECASE):
            tells = False  # a comma ends the subordinate clause
        doubts = named or (not clause.has_option and (tells or (talks_of_api and clause.is_bare)))
        if clause.purpose == "credits":  # "add a title and credits": those of a film
            doubts = doubts or not _SURE_CREDITS.search(clause.words)
        elif clause.purpose == "status":
            doubts = doubts or clause.is_bare
        if doubts:
            kept.add(number)
    return kept


def _with_a_tail(text: str, clauses: Sequence[_Clause], sentence: Sequence[int]) -> set[int]:
    """Name those with something behind them that may belong to them: "export the video and the transcript"."""
    found: set[int] = set()
    tail_follows = False
    for number in reversed(sentence):
        clause = clauses[number]
        if clause.purpose == "edit":
            joint = _joint(text, clauses, number) if number else ""
            tail_follows = not (words.EDIT_VERB.match(clause.words) or words.SEQUENCE.search(joint))
        elif tail_follows:
            found.add(number)
    return found


def _without(text: str, clauses: Sequence[_Clause], removed: set[int]) -> str:
    """Take clauses out with their joints; between two that stay apart the strongest joint is kept."""
    kept = [number for number in range(len(clauses)) if number not in removed]
    if not kept:
        return ""
    first, last = kept[0], kept[-1]
    result = text[0 if first == 0 else clauses[first].start : clauses[first].end]
    for before, number in pairwise(kept):
        joints = [_joint(text, clauses, each) for each in range(before + 1, number + 1)]
        result += max(reversed(joints), key=_strength) + text[clauses[number].start : clauses[number].end]
    tail = text[clauses[last].end :]
    if last != len(clauses) - 1:
        end = re.match(r"\s*([.!?。！？]*)", tail)
        tail = end[1] if end else ""
    return (result + tail).strip()


def _strength(joint: str) -> int:
    return 2 if _SENTENCE_END.search(joint) else 1 if re.search(r"[,，、|>→]", joint) else 0


# ---------------------------------------------------------------- export options


class _Wish:
    """The exports that the words ask for, gathered from left to right.

    A second value for the same thing begins a second export: "export in 720p and 1080p".
    """

    def __init__(self) -> None:
        self.exports: list[Export] = [Export()]
        self.notes: list[str] = []
        self._set: set[str] = set()
        self._foreign: list[str] = []

    def read(self, text: str) -> None:
        """Read a clause that is nothing but an export."""
        self._not_offered(text, sent=False)
        for name, value, note in _options(text):
            if name in self._set and getattr(self.exports[-1], name) != value:
                self.exports.append(self.exports[-1])
                self._set = set()
            self._apply(len(self.exports) - 1, name, value, note)
        if elsewhere := words.SENT_ELSEWHERE.search(text):
            place = elsewhere["en"] or elsewhere["zh"]
            self._note(f"Nothing is uploaded to {place}: the finished file lies in the outbox.")

    def fill(self, texts: Iterable[str]) -> None:
        """Fill what is still open from what was sent to the chat, where an option is only mentioned."""
        found: dict[str, tuple[str | int, str]] = {}
        for text in texts:
            self._not_offered(text, sent=True)
            found |= {name: (value, note) for name, value, note in _mentioned(text)}
        for name, (value, note) in found.items():
            default = getattr(Export(), name)
            if all(getattr(export, name) == default for export in self.exports) and name not in self._set:
                for number in range(len(self.exports)):
                    self._apply(number, name, value, note)

    def complete(self, written: Export) -> Export:
        """Fill what an export that was written out leaves open."""
        words_say = self.exports[0]
        return replace(written, resolution=written.resolution or words_say.resolution, fps=written.fps or words_say.fps)

    def not_offered(self, wanted: Sequence[Export]) -> Iterator[str]:
        """Say what is made in place of the formats that are not offered."""
        made = " and ".join(dict.fromkeys(export.format for export in wanted))
        for name in dict.fromkeys(self._foreign):
            yield f"{name} was asked for and is not offered as an export: the file is made as {made} instead."

    def _not_offered(self, text: str, *, sent: bool) -> None:
        """Take note of what nobody can export. In what is sent it must be plain that the file is meant."""
        for match in words.FOREIGN_FORMAT.finditer(text):
            if not sent or words.FOREIGN_ASKED_BEFORE.search(_shortly_before(text, match)):
                self._foreign.append(match[0].upper())
        for match in words.RESOLUTION.finditer(text):
            if _resolution(match) is None and (not sent or _asked(text, match)):
                self._note(f"{match[0]} was asked for; {_OFFERED} are offered: the picture's size stays as edited.")
        names_a_size = any(_resolution(match) for match in words.RESOLUTION.finditer(text))
        for match in () if names_a_size else words.ANY_HD.finditer(text):
            if not sent or _asked(text, match):
                self._note(
                    f"{match[0]} names no certain resolution: the picture's size stays as edited. "
                    "Write 720p or 1080p to choose one."
                )
        for match in words.BROKEN_FPS.finditer(text):
            if not sent or _asked(text, match):
                rate = match["rate"] or match["rate_zh"]
                self._note(
                    f"{rate} frames per second were asked for; whole numbers up to {_TOP_FPS} are offered: "
                    f"the frame rate stays as edited."
                )

    def _apply(self, number: int, name: str, value: str | int, note: str) -> None:
        change: dict[str, Any] = {name: value}
        self.exports[number] = replace(self.exports[number], **change)
        self._set.add(name)
        if note:
            self._note(note)

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


_Option = tuple[str, str | int, str]


def _options(text: str) -> list[_Option]:
    """Read the options of a clause in the order in which they stand."""
    heights = ((match.start(), _resolution(match)) for match in words.RESOLUTION.finditer(text))
    found = [(at, option) for at, option in heights if option]
    found += [(match.start(), _fps(match)) for match in words.FPS.finditer(text)]
    for name, pattern in (("quality", words.QUALITY), ("format", words.FORMAT)):
        found += [(match.start(), (name, str(match.lastgroup), "")) for match in pattern.finditer(text)]
    return [option for _, option in sorted(found, key=lambda each: each[0])]


def _mentioned(text: str) -> Iterator[_Option]:
    for match in words.RESOLUTION.finditer(text):
        option = _resolution(match)
        if option and (not match["k"] or words.K_ASKED.search(text)):
            yield option
    for match in words.FPS.finditer(text):
        name, value, note = _fps(match)
        if not note:  # 120 fps in an edit are slow motion, not a wish for the file
            yield name, value, note
    for match in words.QUALITY.finditer(text):
        if _asked(text, match):
            yield "quality", str(match.lastgroup), ""
    for match in words.FORMAT_ASKED.finditer(text):
        yield "format", str(match.lastgroup), ""


def _asked(text: str, match: re.Match[str]) -> bool:
    """Whether something that stands in what is sent is plainly a wish for the file."""
    if words.OF_A_PART.match(text, match.end()):
        return False
    before = words.ASKED_BEFORE.search(_shortly_before(text, match))
    return bool(before or words.ASKED_BEHIND.match(text, match.end()))


def _shortly_before(text: str, match: re.Match[str]) -> str:
    return text[max(match.start() - 80, 0) : match.start()]


def _resolution(match: re.Match[str]) -> _Option | None:
    """Turn "720p", "1920x1080", "4K" or "full HD" into a height that can be exported."""
    height = words.height(match)
    if height > _TOP:
        return "resolution", f"{_TOP}p", f"{match[0]} was asked for; {_TOP}p is the most that can be exported."
    return ("resolution", f"{height}p", "") if height in EXPORT_HEIGHTS else None


def _fps(match: re.Match[str]) -> _Option:
    fps = int(match["a"] or match["b"] or match["c"] or match["d"])
    if fps > _TOP_FPS:
        return "fps", _TOP_FPS, f"{fps} frames per second were asked for; {_TOP_FPS} is the most that can be exported."
    return "fps", max(fps, 1), ""
