"""Which exports the words ask for, and what of it cannot be had. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from nemo_watch import vocabulary as words
from nemo_watch.model import EXPORT_HEIGHTS, Export

_OFFERED = ", ".join(f"{height}p" for height in EXPORT_HEIGHTS)
_TOP = max(EXPORT_HEIGHTS)
_TOP_FPS = 60


class Wish:
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
