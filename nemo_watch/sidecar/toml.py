"""A TOML sidecar on its way to Instructions; all that is wrong with it is told at once, each with its place. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, TypeVar, get_args

from nemo_watch import tomltext
from nemo_watch.errors import SidecarError
from nemo_watch.model import EXPORT_FORMATS, BatchClip, Duplicates, Export, Instructions, Originals, Quality
from nemo_watch.sidecar import values
from nemo_watch.sidecar.text import EXAMPLE
from nemo_watch.sidecar.values import WrongValueError
from nemo_watch.tomltext import Document, Path, Place

EXAMPLES: Final = {
    "prompt": f'prompt = "{EXAMPLE}"',
    "steps": 'steps = ["cut the pauses", "add background music"]',
    "language": 'language = "zh-CN"',
    "skill": 'skill = "ai-video-pro-online"',
    "assets": 'assets = ["logo.png", "_assets/music.mp3"]',
    "url": 'url = "https://example.org/clip.mp4"',
    "export": '[[export]] on a line of its own, below it resolution = "720p"',
    "clip": '[[clip]] on a line of its own, below it file = "one.mp4"',
    "priority": "priority = 10",
    "not_before": "not_before = 2030-01-31T22:00:00+01:00",
    "title": 'title = "Summer in Rome"',
    "originals": 'originals = "keep"',
    "duplicates": 'duplicates = "reuse"',
}
KEYS = tuple(EXAMPLES)
EXPORT_EXAMPLES: Final = {
    "format": 'format = "mp4"',
    "quality": 'quality = "high"',
    "resolution": 'resolution = "1080p"',
    "fps": "fps = 30",
    "name": 'name = "teaser"',
}
CLIP_EXAMPLES: Final = {
    "file": 'file = "one.mp4"',
    "prompt": EXAMPLES["prompt"],
    "steps": EXAMPLES["steps"],
    "assets": EXAMPLES["assets"],
    "title": EXAMPLES["title"],
    "export": '[[clip.export]] on a line of its own, below it resolution = "720p"',
}
MOST_CLIPS = 200
BATCH_NAME = "project.toml"

T = TypeVar("T")


def folded(name: str) -> str:
    """Bring a name to the form in which two names are the same file."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def gives_work_alone(name: str) -> bool:
    """Whether a TOML file of that name may have a `url`: a default or a refinement is about another clip."""
    return not folded(name).startswith("_default.") and not folded(name).endswith(".refine.toml")


def read_toml(text: str) -> Document:
    """Parse the text. Raises: SidecarError with the line and column where it is no TOML."""
    try:
        return tomltext.parse(text)
    except tomltext.TomlTextError as error:
        raise SidecarError(
            f"line {error.place.line}, column {error.place.column}: {error.message}.",
            hint=f"Text stands in quotes, for example: {EXAMPLES['prompt']}",
            line=error.place.line,
            column=error.place.column,
        ) from error


class TomlSidecar:
    """One TOML sidecar with the complaints gathered so far."""

    def __init__(self, document: Document, name: str, zone: tzinfo | None) -> None:
        self.name = name
        self.zone = zone
        self.problems: list[SidecarError] = []
        self.document = document

    def instructions(self) -> Instructions:
        """Read it all. Raises: SidecarError with every complaint."""
        self.known_keys((), self.document.values, EXAMPLES)
        result = Instructions(
            steps=self.steps(()),
            exports=self.exports(("export",)),
            language=self.value("language", values.language),
            skill=self.value("skill", values.skill),
            assets=self.assets(()),
            priority=self.value("priority", values.whole_number) or 0,
            not_before_at=self.value("not_before", self.moment),
            title=self.value("title", values.line_of_text),
            originals=self.value("originals", values.one_of(get_args(Originals))),
            duplicates=self.value("duplicates", values.one_of(get_args(Duplicates))),
            url=self.value("url", values.url) or "",
            clips=self.clips(),
        )
        self.agrees()
        if not self.problems and not result.steps and not result.exports and not result.clips:
            self.complain((), Place(1, 1), "it does not say what to do", EXAMPLES["prompt"])
        if self.problems:
            raise self.together()
        return result

    def agrees(self) -> None:
        """Complain about keys that cannot stand together, or not in a file of that name."""
        said = self.document.values
        if "clip" in said:
            for key in ("prompt", "steps", "url"):
                if key in said:
                    what = "cannot stand beside [[clip]]: each clip has a prompt of its own"
                    self.complain((key,), self.document.key((key,)), what, CLIP_EXAMPLES["file"])
            if folded(self.name) != BATCH_NAME:
                what = f"can only be used in a file that is called {BATCH_NAME}, in the folder of its clips"
                self.complain(("clip",), self.document.key(("clip",)), what)
                return
        if "url" in said and not gives_work_alone(self.name):
            what = "cannot be used in this file, which is about other clips: give it a .toml of its own"
            self.complain(("url",), self.document.key(("url",)), what)

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
            hint=" ".join([*hints, "Mend the file and drop it again."]),
            line=first.line,
            column=first.column,
        )

    def known_keys(self, path: Path, table: Mapping[str, Any], examples: Mapping[str, str]) -> None:
        """Complain about keys that are none, with the one that was meant and how it is written."""
        for key in table:
            if key in examples:
                continue
            place = self.document.key((*path, key))
            if path and key in KEYS:  # TOML's own trap: what stands below a [[header]] belongs to it
                headers = ".".join(part for part in path if isinstance(part, str))
                what = f"is for the whole file: write it above the first [[{headers.partition('.')[0]}]]"
                self.complain((*path, key), place, what, EXAMPLES[key])
                continue
            near = tomltext.nearest(key, examples)
            hint = tomltext.did_you_mean(key, tuple(examples)).rstrip(".")
            self.complain((*path, key), place, f"is not a key of a sidecar ({hint})", examples.get(near, ""))

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
        except WrongValueError as wrong:
            self.complain(path, self.document.value(path), wrong.what, example, code=wrong.code)
            return None

    def value(self, key: str, convert: Callable[[Any], T]) -> T | None:
        return self.read((key,), convert, EXAMPLES[key])

    def steps(self, path: Path) -> tuple[str, ...]:
        table: Any = self.document.values
        for part in path:
            table = table[part]
        prompt = self.read((*path, "prompt"), values.message, EXAMPLES["prompt"])
        steps = self.list_of((*path, "steps"), values.message, EXAMPLES["steps"])
        if "prompt" in table and "steps" in table:
            places = (self.document.key((*path, key)) for key in ("prompt", "steps"))
            later = max(places, key=lambda at: at.line)
            self.complain((), later, 'there is both "prompt" and "steps": keep one of them', EXAMPLES["prompt"])
        if table.get("steps") == []:
            at = (*path, "steps")
            self.complain(at, self.document.value(at), "is empty", EXAMPLES["steps"])
        return (prompt,) if prompt else steps

    def assets(self, path: Path) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.list_of((*path, "assets"), values.asset, EXAMPLES["assets"])))

    def list_of(self, path: Path, convert: Callable[[Any], T], example: str) -> tuple[T, ...]:
        entries = self.read(path, values.list_, example) or []
        found = (self.read((*path, index), convert, example) for index in range(len(entries)))
        return tuple(entry for entry in found if entry is not None)

    def exports(self, path: Path, example: str = EXAMPLES["export"]) -> tuple[Export, ...]:
        tables = self.read(path, values.list_, example) or []
        return tuple(self.export((*path, index), table, example) for index, table in enumerate(tables))

    def export(self, path: Path, table: object, example: str) -> Export:
        if not isinstance(table, dict):
            self.complain(path, self.document.value(path), "must be a table", example)
            return Export()
        self.known_keys(path, table, EXPORT_EXAMPLES)

        def read(key: str, convert: Callable[[Any], T]) -> T | None:
            return self.read((*path, key), convert, EXPORT_EXAMPLES[key])

        return Export(
            format=read("format", values.one_of(EXPORT_FORMATS)) or "mp4",
            quality=read("quality", values.one_of(get_args(Quality))) or "high",
            resolution=read("resolution", values.resolution) or "",
            fps=read("fps", values.fps) or 0,
            name=read("name", values.stem) or "",
        )

    def moment(self, value: object) -> datetime:
        if not isinstance(value, datetime):
            raise WrongValueError("must be a date with a time, without quotes")
        try:
            there = value if value.tzinfo or self.zone is None else value.replace(tzinfo=self.zone)
            return there.astimezone(UTC)
        except (OverflowError, ValueError, OSError) as error:
            raise WrongValueError("is beyond the calendar") from error

    # ------------------------------------------------ a batch

    def clips(self) -> tuple[BatchClip, ...]:
        tables = self.value("clip", values.list_) if folded(self.name) == BATCH_NAME else None
        if tables is None:
            return ()
        at = self.document.key(("clip",))
        if not tables:
            self.complain(("clip",), at, "is empty", EXAMPLES["clip"])
        if len(tables) > MOST_CLIPS:
            what = f"stands here {len(tables)} times; a batch has at most {MOST_CLIPS} clips, more make a second folder"
            self.complain(("clip",), at, what)
            return ()
        found = [self.clip(("clip", index), table) for index, table in enumerate(tables)]
        first: dict[str, int] = {}
        for index, clip in enumerate(found):
            if clip is None or not clip.file:
                continue
            if first.setdefault(folded(clip.file), index) != index:
                path = ("clip", index, "file")
                line = self.document.value(("clip", first[folded(clip.file)], "file")).line
                what = f"names the same file as line {line}: write all that is to be done with it in one [[clip]]"
                self.complain(path, self.document.value(path), what, EXAMPLES["steps"])
        return tuple(clip for clip in found if clip is not None)

    def clip(self, path: Path, table: object) -> BatchClip | None:
        if not isinstance(table, dict):
            self.complain(path, self.document.value(path), "must be a table", EXAMPLES["clip"])
            return None
        self.known_keys(path, table, CLIP_EXAMPLES)
        if "file" not in table:
            self.complain(path, self.document.key(path), 'names no "file"', CLIP_EXAMPLES["file"])
        clip = BatchClip(
            file=self.read((*path, "file"), values.clip_file, CLIP_EXAMPLES["file"]) or "",
            steps=self.steps(path),
            exports=self.exports((*path, "export"), CLIP_EXAMPLES["export"]),
            assets=self.assets(path),
            title=self.read((*path, "title"), values.line_of_text, EXAMPLES["title"]),
        )
        if not {"prompt", "steps", "export"} & set(table) and not self.document.values.get("export"):
            self.complain(path, self.document.key(path), "does not say what to do", EXAMPLES["prompt"])
        return clip
