"""The beginning of a message that says which upload alone it is about: one clip of a batch. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

_BEGINNING = re.compile(r'\s*work only on the file "', re.IGNORECASE)
_END = re.compile(r'":(?=\s|\Z) ?')
_LONGEST_NAME = 1000
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_SET_OFF = re.compile(r'"[^"]*"|“[^”]*”|「[^」]*」|\S+\.\w{2,4}\b')


@dataclass(frozen=True, slots=True)
class Alone:
    """What a message says it is about: the `name` as written, the upload's `filename` ("" if there is none of that
    name), and the `text` that is left for the work itself."""

    name: str
    filename: str
    text: str


def only_on(message: str, filenames: Iterable[str]) -> Alone | None:
    """Read `Work only on the file "NAME.mp4": ` off a message; None if it does not begin so.

    The name ends where it first can: what comes after it may look like the end of another name and is work. A name with
    a folder or a double quote in it is no upload's, as nobody writes those there. Names are compared as uploads come to
    be called: without what cannot be seen, in one case and normal form.
    """
    begin = _BEGINNING.match(message)
    if begin is None:
        return None
    head = message[begin.end() : begin.end() + _LONGEST_NAME]
    end = _END.search(head)
    if end is None:
        return None
    name, text = head[: end.start()], message[begin.end() + end.end() :]
    if any(sign in name for sign in '/\\"'):
        return Alone(name, "", text)
    known = {_key(filename): filename for filename in filenames}
    return Alone(name, known.get(_key(name), ""), text)


def _key(name: str) -> str:
    seen = "".join(c for c in name if c.isprintable())[-200:]
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", seen).casefold())


def is_chinese(text: str) -> bool:
    """Tell whether a text, without what it quotes and the files it names, is written in Chinese."""
    bare = _SET_OFF.sub(" ", text)
    return len(_HAN.findall(bare)) > len(_LATIN.findall(bare))
