"""Recognised words to cues that can be read: two lines at most, one to six seconds, broken where speech is. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from nemo_watch.sandbox.facts import Cue

LINE_CHARS = 42
MOST_LINES = 2
SHORTEST_MS = 1000
LONGEST_MS = 6000
_PAUSE_MS = 800
"""So long without a word ends a cue: what comes next is another thought."""
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*$")
_CLAUSE_END = re.compile(r"[,;:，；：、–—-][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Word:
    """A recognised word; `text` begins with a space unless it belongs to the one before."""

    start_ms: int
    end_ms: int
    text: str


def cues_of(words: Sequence[Word]) -> tuple[Cue, ...]:
    """Make cues of words in order of time: a sentence or a part of one each, never two at the same time.

    Units: at most two lines of 42 characters (a Chinese one counts as two) and six seconds; at least one second where
        what follows leaves the room for it.
    """
    runs: list[list[Word]] = []
    for word in words:
        if not word.text.strip():
            continue
        if runs and not _ends(runs[-1][-1], word):
            runs[-1].append(word)
        else:
            runs.append([word])
    pieces = [piece for run in _joined(runs) for piece in _split(run)]
    cues: list[Cue] = []
    for number, piece in enumerate(pieces):
        start = max(piece[0].start_ms, cues[-1].end_ms if cues else 0)
        limit = max(pieces[number + 1][0].start_ms, start) if number + 1 < len(pieces) else start + LONGEST_MS
        end = min(max(piece[-1].end_ms, start + SHORTEST_MS), start + LONGEST_MS, limit)
        if end > start:
            cues.append(Cue(start, end, "\n".join(_lines(_text(piece)))))
    return tuple(cues)


def _ends(before: Word, after: Word) -> bool:
    return after.start_ms - before.end_ms >= _PAUSE_MS or _SENTENCE_END.search(before.text.strip()) is not None


def _joined(runs: Sequence[list[Word]]) -> list[list[Word]]:
    """Put what is too short to be read to its neighbour: "Yes." and the sentence that it begins."""
    found: list[list[Word]] = []
    for run in runs:
        if found and min(_length(found[-1]), _length(run)) < SHORTEST_MS:
            gap = run[0].start_ms - found[-1][-1].end_ms
            # With a pause between them there is room for the short one to stay a little longer.
            if gap < _PAUSE_MS:
                found[-1] = [*found[-1], *run]
                continue
        found.append(list(run))
    return found


def _split(run: list[Word]) -> list[list[Word]]:
    """Cut a run in two until each part fits, best after a comma or at a short pause near the middle."""
    count, text = len(run), _text(run)
    whole = _width(text)
    fits = whole <= MOST_LINES * LINE_CHARS and _length(run) <= LONGEST_MS and len(_lines(text)) <= MOST_LINES
    if count == 1 or fits:
        return [run]
    best, best_cost, before = 1, float("inf"), 0
    for at in range(1, count):
        last, after = run[at - 1], run[at]
        before += _width(last.text)
        if not count // 4 <= at <= count - count // 4:
            continue
        cost = abs(2 * before - whole) / max(whole, 1)
        cost -= 0.5 * min(max(after.start_ms - last.end_ms, 0), _PAUSE_MS) / _PAUSE_MS
        if _SENTENCE_END.search(last.text.strip()):
            cost -= 0.5
        elif _CLAUSE_END.search(last.text.strip()):
            cost -= 0.3
        if min(last.end_ms - run[0].start_ms, run[-1].end_ms - after.start_ms) < SHORTEST_MS:
            cost += 0.5
        if cost < best_cost:
            best, best_cost = at, cost
    return [*_split(run[:best]), *_split(run[best:])]


def _length(run: Sequence[Word]) -> int:
    return run[-1].end_ms - run[0].start_ms


def _text(run: Sequence[Word]) -> str:
    return re.sub(r"\s+", " ", "".join(word.text for word in run)).strip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _lines(text: str) -> list[str]:
    """Break a text into lines: one if it fits, else two of about the same length, the first fit where it has more."""
    whole = _width(text)
    if whole <= LINE_CHARS:
        return [text]
    atoms = re.findall(r"\S+\s*", text)
    if max(_width(atom.rstrip()) for atom in atoms) > LINE_CHARS:  # no spaces, or a word that no line can hold
        atoms = list(text)
    best: list[str] = []
    for at in range(1, len(atoms)):
        pair = ["".join(part).strip() for part in (atoms[:at], atoms[at:])]
        widest = max(map(_width, pair))
        if widest <= LINE_CHARS and (not best or widest < max(map(_width, best))):
            best = pair
    if best:
        return best
    lines = [""]
    for atom in atoms:
        if lines[-1] and _width((lines[-1] + atom).rstrip()) > LINE_CHARS:
            lines.append("")
        lines[-1] += atom
    return [line.strip() for line in lines]
