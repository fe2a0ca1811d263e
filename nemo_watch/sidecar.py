"""What a sidecar says: the bytes of a `.txt` or `.toml` become Instructions, or a complaint with its line. Pure.

A `.txt` is one message, or several with a line `---` between them. A `.toml` says more (product.md 3). All complaints
about one file are told at once, because the person who reads them may sit behind a slow synced folder.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, TypeVar, get_args

from nemo_watch import tomltext
from nemo_watch.errors import SidecarError
from nemo_watch.model import EXPORT_FORMATS, EXPORT_HEIGHTS, Duplicates, Export, Instructions, Originals, Quality
from nemo_watch.tomltext import Document, Path, Place

LIMIT_BYTES = 64 * 1024
KEYS = (
    "prompt",
    "steps",
    "language",
    "skill",
    "assets",
    "export",
    "priority",
    "not_before",
    "title",
    "originals",
    "duplicates",
)
EXPORT_KEYS = ("format", "quality", "resolution", "fps", "name")
_LATER = {
    "url": "uploading by URL is not supported yet; drop the file itself",
    "clip": "several clips in one session ([[clip]]) are not supported yet; give each clip a sidecar of its own",
}
_EXAMPLE = "cut the pauses and add background music"
_KINDNESS: tuple[Originals, ...] = ("delete", "archive", "keep")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
_RESOLUTION = re.compile(r"(\d{3,4})p?")
_FRAME = re.compile(r"(\d{3,4})[x×](\d{3,4})")
_EXPORT_EXAMPLES: Final = {
    "format": 'format = "mp4"',
    "quality": 'quality = "high"',
    "resolution": 'resolution = "1080p"',
    "fps": "fps = 30",
    "name": 'name = "teaser"',
}

T = TypeVar("T")


def parse(data: bytes, name: str, *, zone: tzinfo | None = None) -> Instructions:
    """Read a sidecar's bytes; `name` tells by its ending whether it is TOML or plain text.

    A `not_before` without an offset is in `zone`, by default the host's own.

    Raises: SidecarError naming line and column, or the byte offset where the text cannot be read.
    """
    text = _decoded(data)
    if name.casefold().endswith(".toml"):
        return _Toml(text, zone).instructions()
    return Instructions(steps=_messages(text))


def gentler(inbox: Originals, sidecar: Originals | None) -> Originals:
    """Choose what happens to the originals: the sidecar may only ask for something gentler than the inbox's way."""
    if sidecar is None:
        return inbox
    return max(inbox, sidecar, key=_KINDNESS.index)


# ---------------------------------------------------------------- bytes to text


def _decoded(data: bytes) -> str:
    if len(data) > LIMIT_BYTES:
        raise SidecarError(
            f"the instruction file has {len(data)} bytes, more than {LIMIT_BYTES} (64 KiB).",
            hint="Shorten it: an instruction is a few sentences.",
        )
    encoding, skipped = "utf-8", 0
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise SidecarError("the instruction file is UTF-32 text.", hint="Save it as UTF-8 and drop it again.")
    for mark, marked in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            encoding, skipped = marked, len(mark)
    body = data[skipped:]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(encoding, skipped + error.start) from error
    if (nul := text.find("\0")) >= 0:
        raise _not_text(encoding, skipped + len(text[:nul].encode(encoding)))
    return text


def _not_text(encoding: str, offset: int) -> SidecarError:
    kind = "UTF-8" if encoding == "utf-8" else "UTF-16"
    return SidecarError(
        f"the instruction file is not {kind} text: the byte at offset {offset} does not fit.",
        hint="Save it as UTF-8 (in Notepad: Save as, Encoding UTF-8) and drop it again.",
    )


# ---------------------------------------------------------------- plain text


def _messages(text: str) -> tuple[str, ...]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.strip() == "---":
            parts.append([])
        else:
            parts[-1].append(line)
    messages = tuple(message for part in parts if _visible(message := "\n".join(part).strip()))
    if not messages:
        raise SidecarError(
            "the instruction file is empty.",
            hint=f'Write what to do with the clip, for example "{_EXAMPLE}".',
        )
    return messages


def _visible(text: str) -> bool:
    """Whether there is anything to see: zero-width signs and blanks are no instruction."""
    return any(unicodedata.category(sign)[0] not in "ZC" for sign in text)


# ---------------------------------------------------------------- TOML


class _Toml:
    """One TOML sidecar on its way to Instructions, with the complaints gathered so far."""

    def __init__(self, text: str, zone: tzinfo | None) -> None:
        self.zone = zone
        self.problems: list[SidecarError] = []
        try:
            self.document: Document = tomltext.parse(text)
        except tomltext.TomlTextError as error:
            raise SidecarError(
                f"line {error.place.line}, column {error.place.column}: {error.message}.",
                hint=f'Text stands in quotes, for example: prompt = "{_EXAMPLE}"',
                line=error.place.line,
                column=error.place.column,
            ) from error

    def instructions(self) -> Instructions:
        self.known_keys((), self.document.values, KEYS, _LATER)
        read = self.read
        result = Instructions(
            steps=self.steps(),
            exports=self.exports(),
            language=read(("language",), _language, 'language = "zh-CN"'),
            skill=read(("skill",), _line_of_text, 'skill = "ai-video-pro-online"'),
            assets=self.assets(),
            priority=read(("priority",), _whole_number, "priority = 10") or 0,
            not_before_at=read(("not_before",), self.moment, "not_before = 2030-01-31T22:00:00+01:00"),
            title=read(("title",), _line_of_text, 'title = "Summer in Rome"'),
            originals=read(("originals",), _one_of(get_args(Originals)), 'originals = "keep"'),
            duplicates=read(("duplicates",), _one_of(get_args(Duplicates)), 'duplicates = "reuse"'),
        )
        if not self.problems and not result.steps and not result.exports:
            self.complain((), Place(1, 1), "it does not say what to do", f'prompt = "{_EXAMPLE}"')
        if self.problems:
            raise self.together()
        return result

    # ------------------------------------------------ complaints

    def complain(
        self, path: Path, place: Place, what: str, example: str = "", *, code: str = "sidecar_invalid"
    ) -> None:
        where = f"line {place.line}, column {place.column}: " if place.line else ""
        key = ".".join(str(part) for part in path if isinstance(part, str))
        self.problems.append(
            SidecarError(
                f"{where}{f'{chr(34)}{key}{chr(34)} ' if key else ''}{what}.",
                code=code,
                hint=f"Write for example: {example}" if example else "",
                line=place.line,
                column=place.column,
            )
        )

    def together(self) -> SidecarError:
        ordered = sorted(self.problems, key=lambda problem: (problem.line, problem.column))
        first = ordered[0]
        hints = list(dict.fromkeys(problem.hint for problem in ordered if problem.hint))
        return SidecarError(
            " ".join(problem.message for problem in ordered),
            code=first.code,
            hint=" ".join(hints) or "Mend the file and drop it again.",
            line=first.line,
            column=first.column,
        )

    def known_keys(
        self, path: Path, table: Mapping[str, Any], valid: tuple[str, ...], later: Mapping[str, str] | None = None
    ) -> None:
        for key in table:
            if key in valid:
                continue
            place = self.document.key((*path, key))
            if later and key in later:
                self.complain((*path, key), place, f"cannot be used: {later[key]}")
            else:
                hint = tomltext.did_you_mean(key, valid).rstrip(".")
                self.complain((*path, key), place, f"is not a key of a sidecar ({hint})")

    # ------------------------------------------------ values

    def read(self, path: Path, convert: Callable[[Any], T], example: str) -> T | None:
        """Convert the value at `path`; None if there is none or if it is wrong, which is then a complaint."""
        value: Any = self.document.values
        for part in path:
            if isinstance(part, str) and part not in value:
                return None
            value = value[part]
        try:
            return convert(value)
        except _WrongError as wrong:
            self.complain(path, self.document.value(path), wrong.what, example, code=wrong.code)
            return None

    def steps(self) -> tuple[str, ...]:
        prompt = self.read(("prompt",), _message, f'prompt = "{_EXAMPLE}"')
        steps = self.list_of(("steps",), _message, 'steps = ["cut the pauses", "add background music"]')
        values = self.document.values
        if "prompt" in values and "steps" in values:
            later = max(self.document.key(("prompt",)), self.document.key(("steps",)), key=lambda at: at.line)
            self.complain((), later, 'there is both "prompt" and "steps": keep one of them')
        if values.get("steps") == []:
            self.complain(("steps",), self.document.value(("steps",)), "is empty", 'steps = ["cut the pauses"]')
        return (prompt,) if prompt else steps

    def assets(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.list_of(("assets",), _asset, 'assets = ["logo.png", "_assets/music.mp3"]')))

    def list_of(self, path: Path, convert: Callable[[Any], T], example: str) -> tuple[T, ...]:
        entries = self.read(path, _list, example) or []
        found = (self.read((*path, index), convert, example) for index in range(len(entries)))
        return tuple(entry for entry in found if entry is not None)

    def exports(self) -> tuple[Export, ...]:
        tables = self.read(("export",), _list, '[[export]] on a line of its own, below it resolution = "720p"') or []
        return tuple(self.export(("export", index), table) for index, table in enumerate(tables))

    def export(self, path: Path, table: object) -> Export:
        if not isinstance(table, dict):
            self.complain(path, self.document.value(path), "must be a table", '[[export]] and below it format = "mp4"')
            return Export()
        self.known_keys(path, table, EXPORT_KEYS)

        def read(key: str, convert: Callable[[Any], T]) -> T | None:
            return self.read((*path, key), convert, _EXPORT_EXAMPLES[key])

        return Export(
            format=read("format", _one_of(EXPORT_FORMATS)) or "mp4",
            quality=read("quality", _one_of(get_args(Quality))) or "high",
            resolution=read("resolution", _resolution) or "",
            fps=read("fps", _fps) or 0,
            name=read("name", _stem) or "",
        )

    def moment(self, value: object) -> datetime:
        if not isinstance(value, datetime):
            raise _WrongError("must be a date with a time, without quotes")
        try:
            there = value if value.tzinfo or self.zone is None else value.replace(tzinfo=self.zone)
            return there.astimezone(UTC)
        except (OverflowError, ValueError, OSError) as error:
            raise _WrongError("is beyond the calendar") from error


class _WrongError(Exception):
    """A value that cannot be used, in words that follow the key's name."""

    def __init__(self, what: str, *, code: str = "sidecar_invalid") -> None:
        super().__init__(what)
        self.what = what
        self.code = code


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _WrongError("must be text in quotes")
    if not _visible(value):
        raise _WrongError("is empty")
    if "\0" in value:
        raise _WrongError("holds a zero character")
    return value.strip()


def _message(value: object) -> str:
    return _text(value).replace("\r\n", "\n")


def _line_of_text(value: object) -> str:
    text = _text(value)
    if any(unicodedata.category(sign) in {"Cc", "Zl", "Zp"} for sign in text):
        raise _WrongError("must be a single line")
    return text


def _language(value: object) -> str:
    text = _text(value)
    if not _LANGUAGE.fullmatch(text):
        raise _WrongError("must be the code of a language")
    return text


def _whole_number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongError("must be a whole number")
    if abs(value) > 1_000_000:
        raise _WrongError("must be between -1000000 and 1000000")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise _WrongError("must be a list")
    return value


def _one_of(words: tuple[T, ...]) -> Callable[[Any], T]:
    def convert(value: object) -> T:
        text = _text(value).casefold()
        for word in words:
            if word == text:
                return word
        listed = ", ".join(f'"{word}"' for word in words)
        raise _WrongError(f"must be one of {listed}")

    return convert


def _resolution(value: object) -> str:
    """Bring "1080p", "1080" and "1920x1080" to the one form "1080p": the height of the picture when it lies."""
    text = _text(value).casefold().replace(" ", "")
    if frame := _FRAME.fullmatch(text):
        height, long_side = sorted((int(frame[1]), int(frame[2])))
    elif single := _RESOLUTION.fullmatch(text):
        height, long_side = int(single[1]), 0
    elif text in {"2k", "4k", "8k", "uhd"}:
        height, long_side = 2160, 0
    else:
        raise _WrongError("must be a height with a p")
    if height > 1080 or long_side > 1920:
        raise _WrongError("is above 1080p (1920x1080), the most that can be exported")
    if height not in EXPORT_HEIGHTS:
        raise _WrongError(f"must be one of {', '.join(f'{each}p' for each in EXPORT_HEIGHTS)}")
    return f"{height}p"


def _fps(value: object) -> int:
    fps = _whole_number(value)
    if not 1 <= fps <= 60:
        raise _WrongError("must be between 1 and 60")
    return fps


def _stem(value: object) -> str:
    text = _line_of_text(value)
    if "/" in text or "\\" in text:
        raise _WrongError("must be a bare name without slashes")
    if text.startswith("."):
        raise _WrongError("must not begin with a dot")
    if text.casefold().endswith((".mp4", ".mov")):
        raise _WrongError("must be a name without its ending, which comes from the format")
    if len(text.encode("utf-8", "replace")) > 200:
        raise _WrongError("is too long for a file name")
    return text


def _asset(value: object) -> str:
    text = _line_of_text(value)
    if "://" in text:
        raise _WrongError("must be a file in the inbox, not an address")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if text.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:[\\/]", text) or ".." in re.split(r"[\\/]", text):
        raise _WrongError("leads out of the inbox: name a file beside or below the sidecar", code="asset_outside_inbox")
    if not parts or text.endswith("/"):
        raise _WrongError("must name a file")
    return "/".join(parts)
