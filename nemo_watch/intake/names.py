"""What a file's name alone tells: drop, sidecar, subtitle, control file of a transfer, or to be ignored. Pure.

Names are compared by NFC and casefold; bytes that are not UTF-8 come as surrogates and go through untouched.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal[
    "video", "still", "foreign", "other", "instruction", "default", "subtitle", "ask", "refine", "prompt", "control",
    "ignored",
]  # fmt: skip
"""`still` is an image or a sound, `foreign` is media the cloud does not take, `default` a folder's own instruction;
`ask`, `refine` and `prompt` are texts that give work by themselves."""

CLIP_ROLES: frozenset[Role] = frozenset({"video", "still", "foreign", "other"})
TEXT_ROLES: frozenset[Role] = frozenset({"instruction", "default", "subtitle"})
WORK_ROLES: frozenset[Role] = frozenset({"ask", "refine", "prompt"})

VIDEO = frozenset({"mp4", "mov", "avi", "webm", "mkv"})
STILL = frozenset({"jpg", "jpeg", "png", "gif", "webp", "mp3", "wav", "m4a", "aac"})
FOREIGN = frozenset({
    "m4v", "mts", "m2ts", "ts", "wmv", "flv", "f4v", "mpg", "mpeg", "m2v", "mpv", "vob", "3gp", "3g2", "ogv", "asf",
    "rm", "rmvb", "divx", "mxf", "dv", "qt", "heic", "heif", "avif", "tif", "tiff", "bmp", "cr2", "cr3", "nef", "arw",
    "dng", "flac", "ogg", "oga", "opus", "wma", "aif", "aiff", "mka", "amr", "ac3",
})  # fmt: skip
SUBTITLE = frozenset({"srt", "vtt"})
TEXT = frozenset({"txt", "toml"})
CONTROL_SUFFIXES = (".aria2", ".aria2__temp", ".part", ".crdownload", ".filepart", ".partial", ".tmp")
SIDECAR_SUFFIXES = (".toml", ".txt")

# Parts of a path that are litter of systems, sync clients and downloaders (Source: arrivals.md 2, peers.md 2). Names
# that begin with "." or "~" need no row: no part of a path may.
_LITTER = (
    "thumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "#recycle", "*.sync-conflict-*", "*~", "*.download",
    "*.temp", "*.!qb", "*.!ut", "*.opdownload", "*.insyncdl", "*.lock", "*.unmanic.part", "_unpack_*", "_failed_*",
    "lost+found", "$recycle.bin", "system volume information", "*.temp.mp4", "*.temp.mkv", "*.temp.webm", "*.temp.mov",
    "*.f[0-9][0-9][0-9]*.mp4", "*.f[0-9][0-9][0-9]*.webm", "*.f[0-9][0-9][0-9]*.mkv", "*.f[0-9][0-9][0-9]*.m4a",
)  # fmt: skip
_OWN = ("*.report.toml", "*.error.toml", "*.answer.txt")
_WORK: tuple[tuple[str, Role], ...] = (
    (".refine.txt", "refine"),
    (".refine.toml", "refine"),
    (".ask.txt", "ask"),
    (".prompt.txt", "prompt"),
)
_ANY_LITTER = re.compile("|".join(fnmatch.translate(glob) for glob in _LITTER))
_ANY_OWN = re.compile("|".join(fnmatch.translate(glob) for glob in _OWN))
_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8}){0,2}\Z")
_HEX8 = re.compile(r"[0-9a-f]{8}\Z")


@dataclass(frozen=True, slots=True)
class Named:
    """A name's role, and for an ignored one the rule as a sentence's end: "it is ignored: {rule}"."""

    role: Role
    rule: str = ""


def name_key(name: str) -> str:
    """Fold a name for comparing: composed form, no case. Two names with one key are one name on some system."""
    key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return name if key == name else key


def split_name(name: str) -> tuple[str, str]:
    """Split a name into stem and extension without its dot, lower case; a leading dot begins no extension."""
    stem, dot, extension = name.rpartition(".")
    return (stem, extension.casefold()) if dot and stem else (name, "")


def split_rel(rel: str) -> tuple[str, str]:
    """Split a relative path into its folder ("" for the inbox itself) and its name."""
    folder, _, name = rel.rpartition("/")
    return folder, name


def join_rel(folder: str, name: str) -> str:
    """Put a folder ("" for the inbox itself) and a name together."""
    return f"{folder}/{name}" if folder else name


def is_within(rel: str, folder: str) -> bool:
    """Tell whether a path is a folder ("" for the inbox itself) or lies below it."""
    return not folder or rel == folder or rel.startswith(folder + "/")


def ancestors(folder: str) -> list[str]:
    """List a folder and all above it, nearest first, the inbox itself ("") last."""
    chain = []
    while folder:
        chain.append(folder)
        folder = folder.rpartition("/")[0]
    chain.append("")
    return chain


def printable(name: str) -> str:
    """Make a name fit for a sentence: no control characters, no half characters, one line."""
    whole = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in whole)


def sidecar_keys(name: str) -> tuple[tuple[str, bool], ...]:
    """List the folded names of a clip's sidecars in their order, each with whether it goes by the stem alone."""
    full, stem = name_key(name), name_key(split_name(name)[0])
    return tuple(pair for suffix in SIDECAR_SUFFIXES for pair in ((full + suffix, False), (stem + suffix, True)))


def refined_key(name: str) -> str:
    """Fold what a `.refine` file goes on from: a clip's name or its stem; "" if it is no such file."""
    key = name_key(name)
    return next((key[: -len(suffix)] for suffix, role in _WORK if role == "refine" and key.endswith(suffix)), "")


def stem_without_language(name: str) -> str:
    """Fold the stem of a subtitle without its language: `clip` of `clip.zh-CN.srt`; "" if it names none."""
    stem, _dot, tag = name_key(split_name(name)[0]).rpartition(".")
    return stem if stem and _LANGUAGE_TAG.match(tag) else ""


def guarded_keys(control_name: str) -> tuple[str, ...]:
    """List the folded names of the files that a control file marks as unfinished.

    Beside `NAME.part` for NAME there are `STEM.RANDOM.EXT.part` (Firefox) and `NAME.8hex.partial` (rclone >= 1.63).
    Source: measured (arrivals.md 1).
    """
    key = name_key(control_name)
    base = next((key[: -len(suffix)] for suffix in CONTROL_SUFFIXES if key.endswith(suffix)), "")
    if not base:
        return ()
    keys = [base]
    head, dot, last = base.rpartition(".")
    if dot and head and _HEX8.match(last):
        keys.append(head)
    stem, dot, _ = head.rpartition(".")
    if dot and stem and key.endswith(".part"):
        keys.append(f"{stem}.{last}")
    return tuple(keys)


class NameRules:
    """Tells the role of any name below an inbox, by the built-in rules and the inbox's own globs.

    A glob without "/" is compared with every part of the path, one with "/" with the path from the inbox on (a folder's
    glob covers all below it); case and composed form do not count.
    """

    def __init__(self, *, ignore: Sequence[str] = (), recursive: bool = True) -> None:
        self._recursive = recursive
        globs = [(glob, name_key(glob.strip("/"))) for glob in ignore]
        self._part_globs = [(glob, re.compile(fnmatch.translate(key))) for glob, key in globs if "/" not in key]
        self._path_globs = [(glob, re.compile(fnmatch.translate(key))) for glob, key in globs if "/" in key]
        self._folders: dict[str, str] = {"": ""}

    def folder_rule(self, folder: str) -> str:
        """Name the rule by which nothing in a folder counts, "" if there is none."""
        rule = self._folders.get(folder)
        if rule is None:
            parent, name = split_rel(folder)
            rule = self.folder_rule(parent) or self._own_folder_rule(folder, name)
            if len(self._folders) > 10_000:  # a folder tree that comes and goes must not grow this for ever
                self._folders = {"": ""}
            self._folders[folder] = rule
        return rule

    def _own_folder_rule(self, folder: str, name: str) -> str:
        if not self._recursive:
            return "sub-folders of this inbox are not watched (recursive = false)"
        if name_key(name) == "_assets":
            return "it lies in _assets/, where files only serve other clips"
        return self._part_rule(folder, name)

    def _part_rule(self, rel: str, name: str) -> str:
        if name.startswith((".", "~")):
            return f'"{printable(name)}" begins with "{name[0]}", as hidden and temporary names do'
        key = name_key(name)
        if _ANY_LITTER.match(key):
            glob = next(glob for glob in _LITTER if fnmatch.fnmatchcase(key, glob))
            return f'"{printable(name)}" fits the built-in pattern "{printable(glob)}"'
        return self._user_rule(rel, key)

    def _user_rule(self, rel: str, key: str) -> str:
        for glob, pattern in self._part_globs:
            if pattern.match(key):
                return f'it fits "{printable(glob)}" of the inbox\'s ignore list'
        if self._path_globs:
            whole = name_key(rel)
            for glob, pattern in self._path_globs:
                if pattern.match(whole):
                    return f'it fits "{printable(glob)}" of the inbox\'s ignore list'
        return ""

    def ignored_by_user(self, rel: str) -> bool:
        """Tell whether one of the inbox's own globs is what hides a file."""
        parts = rel.split("/")
        heads = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        return any(self._user_rule(head, name_key(part)) for head, part in zip(heads, parts, strict=True))

    def classify(self, rel: str) -> Named:
        """Tell the role of a file by its path."""
        folder, name = split_rel(rel)
        rule = self.folder_rule(folder)
        return Named("ignored", rule) if rule else self.classify_name(rel, name)

    def classify_name(self, rel: str, name: str) -> Named:
        """Tell the role of a file whose folder is known to count."""
        key = name_key(name)
        if key.endswith(CONTROL_SUFFIXES) and not name.startswith((".", "~")):
            return Named("control", "it is a temporary file of a transfer")
        rule = self._part_rule(rel, name)
        if rule:
            return Named("ignored", rule)
        stem, extension = split_name(name)
        if extension in VIDEO:
            return Named("video")
        if extension in STILL:
            return Named("still")
        if extension in FOREIGN:
            return Named("foreign")
        if extension in SUBTITLE:
            return Named("subtitle")
        if extension in TEXT:
            return _classify_text(key, name_key(stem))
        return Named("other", "it is not a file to edit, and nothing beside it says what to do with it")


def _classify_text(key: str, stem_key: str) -> Named:
    if _ANY_OWN.match(key):
        return Named("ignored", "it is a report or an answer of nemo-watch")
    for suffix, role in _WORK:
        if key.endswith(suffix):
            return Named(role)
    return Named("default" if stem_key == "_default" else "instruction")


def rel_keys(folder: str, names: Iterable[str]) -> frozenset[str]:
    """Fold the paths of files that a sidecar in `folder` names, ".." resolved; those outside the inbox fall away."""
    keys = set()
    for name in names:
        parts = folder.split("/") if folder else []
        inside = name not in ("", ".") and not name.startswith("/")
        for part in name.split("/"):
            if part == ".." and not parts:
                inside = False
            elif part == "..":
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        if inside and parts:
            keys.add(name_key("/".join(parts)))
    return frozenset(keys)
