"""A message cut into clauses, and those taken out of it that are nothing but an export or a question. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from nemo_watch import vocabulary as words

Purpose = Literal["edit", "export", "credits", "status", "courtesy"]

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
    rf"|(?<!\s)\s++{words.BARE_JOINERS_ENGLISH}\s++(?:{words.JOINERS_ENGLISH}\s++)*"
    r"|(?<!\s)\s*+(?:然后|并且|(?<![合一兼归吞])并(?![不非列排购])|(?<![不一])再(?![次三见现生])|接着|随后|以及|(?<![温暖柔饱缓])和)\s*+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;!?。；！？\n]")
_COLON = re.compile(r"(?<![0-9])[:：](?!//)\s*\S")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")
_QUOTE_FOLLOWS = re.compile(r"\W{0,3}\x01")
_SURE_CREDITS = re.compile(r"\b(?:my|how|left|remaining|check|account|available)\b|积分|余额|点数", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of a message between two joints; `words` is its text with quotations blanked out."""

    start: int
    end: int
    words: str
    purpose: Purpose
    has_option: bool = False
    is_bare: bool = False


def taken_apart(text: str) -> tuple[str, list[Clause]]:
    """Take clauses out until none is left to take, so that routing its own output changes nothing."""
    text = text.strip()
    taken: list[Clause] = []
    while text:
        clauses = list(clauses_of(text))
        removed = _removable(text, clauses)
        if not removed:
            break
        taken += [clauses[number] for number in sorted(removed)]
        text = _without(text, clauses, removed)
    return text, taken


def unquoted(text: str) -> str:
    return _QUOTED.sub(lambda found: "\x01" * len(found[0]), text)


def clauses_of(text: str) -> Iterator[Clause]:
    bare = unquoted(text)
    whole = _BRACKETED.sub(lambda found: "\x01" * len(found[0]), bare)
    at = 0
    for joint in [*_SEPARATOR.finditer(whole), None]:
        start, end = at, joint.start() if joint else len(text)
        at = joint.end() if joint else end
        covered = bare[start:end].strip()
        if covered:
            start += len(bare[start:end]) - len(bare[start:end].lstrip())
            yield _clause(start, start + len(covered), covered)


def _clause(start: int, end: int, text: str) -> Clause:
    covered = words.cover(text)
    # What is on the timeline is told with the status of a job.
    kinds = covered and frozenset("status" if kind == "tracks" else kind for kind in covered)
    purpose: Purpose = "edit"
    if kinds is None:
        return Clause(start, end, text, purpose)
    if kinds <= {"courtesy", "weak"} and ("courtesy" in kinds or not kinds):  # or nothing but signs: "🙏"
        return Clause(start, end, text, "courtesy")
    if "foreign" in kinds and not kinds & {"action", "upload"}:  # "a GIF" alone may be a picture to put in
        return Clause(start, end, text, purpose)
    for_export = bool(kinds & {"action", "upload", "option"})
    if for_export and not kinds & {"credits", "status", "ask"}:
        purpose = "export"
    elif not for_export and "credits" in kinds and "status" not in kinds:
        purpose = "credits"
    elif not for_export and "status" in kinds and "credits" not in kinds:
        purpose = "status"
    is_bare = len(kinds) == 1 and len(text.split()) == 1
    return Clause(start, end, text, purpose, has_option=bool(kinds & {"option", "foreign"}), is_bare=is_bare)


# ---------------------------------------------------------------- which of them may go


def _removable(text: str, clauses: Sequence[Clause]) -> set[int]:
    pure = {number for number, clause in enumerate(clauses) if clause.purpose not in {"edit", "courtesy"}}
    polite = {number for number, clause in enumerate(clauses) if clause.purpose == "courtesy"}
    if len(pure | polite) == len(clauses):
        return pure | polite if pure else set()
    kept: set[int] = set()
    for sentence in _sentences(text, clauses):
        kept |= _doubtful(text, clauses, sentence)
    removed = pure - kept
    return removed | {number for number in polite if number - 1 in removed}  # "export in 720p, please"


def _sentences(text: str, clauses: Sequence[Clause]) -> Iterator[list[int]]:
    sentence: list[int] = []
    for number in range(len(clauses)):
        if number and _SENTENCE_END.search(_joint(text, clauses, number)):
            yield sentence
            sentence = []
        sentence.append(number)
    if sentence:
        yield sentence


def _joint(text: str, clauses: Sequence[Clause], number: int) -> str:
    """What stands between a clause and the one before it."""
    return text[clauses[number - 1].end : clauses[number].start]


def _doubtful(text: str, clauses: Sequence[Clause], sentence: Sequence[int]) -> set[int]:
    """Name the clauses of a sentence that may not be taken out of it, because they may mean something else there."""
    kept = _with_a_tail(text, clauses, sentence)
    named = talks_of_api = tells = False
    for number in sentence:
        clause = clauses[number]
        if clause.purpose == "courtesy":
            continue
        if clause.purpose == "edit":
            named = named or _names(clause.words)
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


def _names(clause: str) -> bool:
    """Whether what follows may be something to be shown or spoken; in quotes it has its end and nothing follows."""
    if any(not _QUOTE_FOLLOWS.match(clause, found.end()) for found in words.NAMING.finditer(clause)):
        return True
    return any(not _is_label(clause, found) for found in _COLON.finditer(clause))


def _is_label(clause: str, colon: re.Match[str]) -> bool:
    """Whether a colon only parts the kind of film from what is to be done: "podcast: cut the pauses, export"."""
    before, behind = clause[: colon.start()], clause[colon.end() - 1 :]
    if behind.startswith("\x01"):
        return True
    says_more = any(each.search(before) for each in (words.SHOWN, words.API_WORD, words.SUBORDINATE))
    orders = words.EDIT_VERB.search(_CHINESE.sub(" ", before)) or words.EDIT_VERB.match(before)
    return words.EDIT_VERB.match(behind) is not None and not says_more and not orders


def _with_a_tail(text: str, clauses: Sequence[Clause], sentence: Sequence[int]) -> set[int]:
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


def _without(text: str, clauses: Sequence[Clause], removed: set[int]) -> str:
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
