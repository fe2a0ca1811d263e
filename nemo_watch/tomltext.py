"""TOML with the place of every key, so that a complaint can name a line and the word that was meant. Pure.

`tomllib` gives values without lines. This room lets it judge the text and only then walks the same text once more to
note where each key and value stands; the walk may therefore trust that the text is valid.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DEEPEST = 16
"""How deep keys may be nested: what reading costs grows with the cube of it."""
Path = tuple[str | int, ...]
"""The way to a value: names of keys, and numbers for the entries of an array."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the text, line and column counted from 1; 0 where none is known."""

    line: int = 0
    column: int = 0


class TomlTextError(ValueError):
    """The text is not TOML; `place` is where the parser gave up."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed text: its values, and the places of its keys and values."""

    values: dict[str, Any]
    keys: Mapping[Path, Place]
    value_places: Mapping[Path, Place]

    def key(self, path: Path) -> Place:
        """Say where a key stands, or the nearest thing around it that stands somewhere."""
        return self._find(self.keys, path)

    def value(self, path: Path) -> Place:
        """Say where a value begins, or the nearest thing around it that stands somewhere."""
        return self.value_places.get(path) or self._find(self.keys, path)

    @staticmethod
    def _find(places: Mapping[Path, Place], path: Path) -> Place:
        while path:
            if path in places:
                return places[path]
            path = path[:-1]
        return Place()


def parse(text: str) -> Document:
    """Parse TOML and note the place of every key and value.

    Raises: TomlTextError with the line and column.
    """
    text = text.replace("\r\n", "\n")
    if (deep := _too_deep(text)) is not None:
        raise TomlTextError(f"keys are nested deeper than {DEEPEST} here", deep)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _converted(error, text) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets nested without end
        raise TomlTextError("a number is too long, or brackets are nested too deeply", Place(1, 1)) from error
    walk = _Walk(text)
    walk.document()
    return Document(values, walk.keys, walk.values)


def nearest(word: str, valid: Iterable[str]) -> str:
    """Return the valid word that was most likely meant, "" if none is near."""
    names = list(valid)
    plain = {_plain(name): name for name in names}
    if _plain(word) in plain:
        return plain[_plain(word)]
    close = difflib.get_close_matches(_plain(word), list(plain), n=1, cutoff=0.6)
    return plain[close[0]] if close else ""


def did_you_mean(word: str, valid: Sequence[str]) -> str:
    """Return the end of a sentence about an unknown word: the one that was meant, or all that there are."""
    if near := nearest(word, valid):
        return f'did you mean "{near}"?'
    return f"valid here: {', '.join(valid)}."


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", word.casefold()).strip("_")


def _converted(error: tomllib.TOMLDecodeError, text: str) -> TomlTextError:
    message = re.sub(r"\s*\(at [^()]*\)$", "", str(error))
    found = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    lines = text.split("\n")
    place = Place(int(found[1]), int(found[2])) if found else Place(len(lines), len(lines[-1]) + 1)
    return TomlTextError(message, place)


_PART = r"""(?:[A-Za-z0-9_-]++|"(?:\\[^\n]|[^"\\\n])*+"|'[^'\n]*+')"""
_TOKEN = re.compile(
    r"#[^\n]*+"
    r'|"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    rf"|(?P<names>(?!\"{{3}}|'{{3}}){_PART}(?:[ \t]*+\.[ \t]*+{_PART})*+)(?P<equals>[ \t]*+=)?"
    r"|[^\S\n]++|.",
    re.DOTALL,
)
_NAME = re.compile(_PART)


def _too_deep(text: str) -> Place | None:
    """Find the first key that is nested too deeply, in a text that need not be TOML: the parser would not come back."""
    table = value = 0  # how deep the header's table is, and the value that is read
    around: list[int] = []  # how deep whatever has an open bracket is
    in_value = False
    for token in _TOKEN.finditer(text):
        names = token["names"]
        if names is not None:
            is_header = not around and not in_value and not token["equals"]
            depth = sum(1 for _ in _NAME.finditer(names))
            if token["equals"]:
                depth += around[-1] if around else table
                value, in_value = depth, True
            elif is_header:
                table = depth
            if depth > DEEPEST:
                return Place(text.count("\n", 0, token.start()) + 1, token.start() - text.rfind("\n", 0, token.start()))
            continue
        sign = token[0]
        if sign in ('"', "'"):
            return None  # a text without an end: the parser stops here, too
        if sign in ("[", "{") and in_value:
            around.append(value)
        elif sign in ("]", "}") and around:
            value = around.pop()
        elif sign == "\n" and not around:
            in_value = False
    return None


_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


class _Walk:
    """One pass over a text that is known to be valid TOML."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.keys: dict[Path, Place] = {}
        self.values: dict[Path, Place] = {}
        self.counts: dict[Path, int] = {}
        self.line = 1
        self.line_start = 0
        self.measured = 0

    def document(self) -> None:
        table: Path = ()
        while True:
            self.skip(_BLANK_LINES)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> Path:
        place = self.place()
        many = self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        names = self.dotted()
        self.at += 2 if many else 1
        path: Path = ()
        for position, name in enumerate(names):
            path = (*path, name)
            last = position == len(names) - 1
            if last and many:
                self.counts[path] = self.counts.get(path, -1) + 1
            if path not in self.keys:
                self.note(path, place, place)
            if path in self.counts:
                path = (*path, self.counts[path])
                if last and many:
                    self.note(path, place, place)
        return path

    def pair(self, table: Path) -> None:
        place = self.place()
        names = self.dotted()
        self.skip(_BLANK)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        value_place = self.place()
        path = table
        for name in names:
            path = (*path, name)
            self.keys.setdefault(path, place)
            self.values.setdefault(path, value_place)
        self.value(path)

    def value(self, path: Path) -> None:
        start = self.text[self.at]
        if start in "\"'":
            self.skip(_STRING)
        elif start == "[":
            self.array(path)
        elif start == "{":
            self.inline_table(path)
        else:
            self.skip(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while True:
            self.skip(_BLANK_LINES)
            if self.text[self.at] == "]":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            here = (*path, index)
            self.note(here, self.place(), self.place())
            self.value(here)
            index += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while True:
            self.skip(_BLANK_LINES)  # line breaks and comments in here are TOML 1.1, which newer Pythons read
            if self.text[self.at] == "}":
                self.at += 1
                return
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path)

    def dotted(self) -> list[str]:
        names: list[str] = []
        while True:
            self.skip(_BLANK)
            start = self.at
            if self.text[start] in "\"'":
                self.skip(_STRING)
                names.append(str(tomllib.loads(f"k = {self.text[start : self.at]}")["k"]))
            else:
                self.skip(_BARE)
                names.append(self.text[start : self.at])
            self.skip(_BLANK)
            if self.text[self.at] != ".":
                return names
            self.at += 1

    def note(self, path: Path, key: Place, value: Place) -> None:
        self.keys[path] = key
        self.values[path] = value

    def skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()

    def place(self) -> Place:
        """Where the walk stands; it only ever moves forward, so each character is counted once."""
        self.line += self.text.count("\n", self.measured, self.at)
        self.line_start = self.text.rfind("\n", 0, self.at) + 1
        self.measured = self.at
        return Place(self.line, self.at - self.line_start + 1)
