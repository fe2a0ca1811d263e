"""What a value of a TOML sidecar must be, key by key: a converter each, with the words for what is wrong. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

from nemo_watch import profiles, tomltext, urls
from nemo_watch.model import EXPORT_HEIGHTS
from nemo_watch.sidecar.text import is_visible

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_RESOLUTION = re.compile(r"(\d{3,4})p?")
_FRAME = re.compile(r"(\d{3,4})[x×](\d{3,4})")

T = TypeVar("T")


class WrongValueError(Exception):
    """A value that cannot be used, in words that follow the key's name."""

    def __init__(self, what: str, *, code: str = "sidecar_invalid") -> None:
        super().__init__(what)
        self.what = what
        self.code = code


def text(value: object) -> str:
    if not isinstance(value, str):
        raise WrongValueError("must be text in quotes")
    if not is_visible(value):
        raise WrongValueError("is empty")
    if "\0" in value:
        raise WrongValueError("holds a zero character")
    return value.strip()


def message(value: object) -> str:
    return text(value).replace("\r\n", "\n")


def line_of_text(value: object) -> str:
    said = text(value)
    if any(unicodedata.category(sign) in {"Cc", "Zl", "Zp"} for sign in said):
        raise WrongValueError("must be a single line")
    return said


def language(value: object) -> str:
    said = text(value)
    if not _LANGUAGE.fullmatch(said):
        raise WrongValueError("must be the code of a language")
    return said


def skill(value: object) -> str:
    said = line_of_text(value)
    if said not in profiles.NAMES:
        raise WrongValueError(
            f"is not a skill that is known ({tomltext.did_you_mean(said, profiles.NAMES).rstrip('.')})"
        )
    return said


def url(value: object) -> str:
    said = text(value)
    if wrong := urls.problem(said):
        raise WrongValueError(wrong)
    return said


def whole_number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongValueError("must be a whole number")
    if abs(value) > 1_000_000:
        raise WrongValueError("must be between -1000000 and 1000000")
    return value


def list_(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise WrongValueError("must be a list")
    return value


def one_of(words: tuple[T, ...]) -> Callable[[Any], T]:
    def convert(value: object) -> T:
        said = text(value).casefold()
        for word in words:
            if word == said:
                return word
        listed = ", ".join(f'"{word}"' for word in words)
        raise WrongValueError(f"must be one of {listed}")

    return convert


def resolution(value: object) -> str:
    """Bring "1080p", "1080" and "1920x1080" to the one form "1080p": the height of the picture when it lies."""
    said = text(value).casefold().replace(" ", "")
    if frame := _FRAME.fullmatch(said):
        height, long_side = sorted((int(frame[1]), int(frame[2])))
    elif single := _RESOLUTION.fullmatch(said):
        height, long_side = int(single[1]), 0
    elif said in {"2k", "4k", "8k", "uhd"}:
        height, long_side = 2160, 0
    else:
        raise WrongValueError("must be a height with a p")
    if height > 1080 or long_side > 1920:
        raise WrongValueError("is above 1080p (1920x1080), the most that can be exported")
    if height not in EXPORT_HEIGHTS:
        raise WrongValueError(f"must be one of {', '.join(f'{each}p' for each in EXPORT_HEIGHTS)}")
    return f"{height}p"


def fps(value: object) -> int:
    said = whole_number(value)
    if not 1 <= said <= 60:
        raise WrongValueError("must be between 1 and 60")
    return said


def stem(value: object) -> str:
    said = line_of_text(value)
    if "/" in said or "\\" in said:
        raise WrongValueError("must be a bare name without slashes")
    if said.startswith("."):
        raise WrongValueError("must not begin with a dot")
    if said.casefold().endswith((".mp4", ".mov")):
        raise WrongValueError("must be a name without its ending, which comes from the format")
    if len(said.encode("utf-8", "replace")) > 200:
        raise WrongValueError("is too long for a file name")
    return said


def asset(value: object) -> str:
    said = line_of_text(value)
    if "://" in said:
        raise WrongValueError("must be a file in the inbox, not an address")
    return _below(said, "leads out of the inbox: name a file beside or below the sidecar")


def clip_file(value: object) -> str:
    said = line_of_text(value)
    if "://" in said:
        raise WrongValueError("must be a file in this folder, not an address")
    found = _below(said, "leads out of the folder: name a file beside or below project.toml")
    if "\\" in said:
        raise WrongValueError("must be written with / between folders")
    return found


def _below(said: str, leads_out: str) -> str:
    parts = [part for part in said.split("/") if part not in {"", "."}]
    if said.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:[\\/]", said) or ".." in re.split(r"[\\/]", said):
        raise WrongValueError(leads_out, code="asset_outside_inbox")
    if not parts or said.endswith("/"):
        raise WrongValueError("must name a file")
    return "/".join(parts)
