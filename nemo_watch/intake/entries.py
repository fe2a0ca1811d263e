"""What the intake remembers: one entry for each file that may become a drop or belongs to one, by folder. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from nemo_watch.intake.names import (
    CLIP_ROLES,
    FOREIGN,
    SIDECAR_SUFFIXES,
    STILL,
    TEXT,
    TEXT_ROLES,
    VIDEO,
    WORK_ROLES,
    Role,
    guarded_keys,
    join_rel,
    name_key,
    sidecar_keys,
    split_name,
    stem_without_language,
)
from nemo_watch.intake.rules import Verdict, Writer
from nemo_watch.intake.stamps import unpacked
from nemo_watch.model import FileKind, FileRef, FileStamp

_T = TypeVar("_T")

Phase = Literal[
    "settling",  # not still for its window yet, or not looked at again since
    "control",  # a control file of a transfer lies beside it
    "inspecting",  # somebody looks into it
    "writer",  # somebody still has it open for writing
    "kept_open",  # so too, for longer than is waited, and nothing proves that it is whole
    "placeholder",  # its content is not on this disk yet
    "grace",  # it will be refused unless it changes
    "incomplete",  # known container, not whole
    "reading",  # TOML sidecars of its folder are read first: they may name it as an asset
    "sidecar",  # for its own sidecar, or a text that is settling
    "listing",  # for a fresh listing of its folder
    "no_instruction",
    "clip",  # a refinement, for the clip of its name to become a job
    "asset",
    "ignored",
    "settled",  # a text that stands still
    "member",  # a clip of a batch, which waits for the others
    "batch",  # a `project.toml` that waits for its clips
    "missing",  # so too, for one that is not there
    "broken",  # a `project.toml` that cannot be read, which is refused unless it changes
    "offered",  # handed over as a drop, not taken yet
]
ACTIVE: frozenset[Phase] = frozenset(
    {"settling", "inspecting", "writer", "grace", "reading", "sidecar", "listing", "broken", "offered"}
)  # these go on without anybody's help, and soon: a clip that is missing is waited for longer


_GIVING: frozenset[Phase] = frozenset({"batch", "missing", "broken", "listing", "offered"})
"""In these only such a text is that gives work by itself."""


@dataclass(slots=True, eq=False)
class Entry:
    """One file. `changed_s` is since when it stands still as seen by us, `looked_s` when it was last seen so.

    `wait_from_s` is when the wait for a sidecar begins; `about` is the file or rule that the phase is about.
    """

    folder: Folder
    name: str
    role: Role
    packed_stamp: bytes
    kind: FileKind
    changed_s: float
    looked_s: float
    since_s: float
    wait_from_s: float = 0.0
    verdict_s: float = 0.0
    due_s: float | None = None
    looks: int = 1
    closed: bool = False
    asked: bool = False
    gone: bool = False
    woken: bool = False
    verdict: Verdict | None = None
    writer: Writer = "untried"
    phase: Phase = "settling"
    about: str = ""

    @property
    def rel(self) -> str:
        return join_rel(self.folder.rel, self.name)

    @property
    def stamp(self) -> FileStamp:
        return unpacked(self.packed_stamp)

    @property
    def ref(self) -> FileRef:
        return FileRef(self.rel, self.stamp)

    @property
    def may_become_a_drop(self) -> bool:
        """Whether a person waits for it: assets, texts and ignored files are what they are.

        A text that turns out to give work by itself is one of them from that moment on.
        """
        if self.role in TEXT_ROLES:
            return self.phase in _GIVING
        return self.phase not in ("asset", "ignored")

    @property
    def is_text(self) -> bool:
        """Whether it is judged as a text: no container is looked into."""
        return self.role in TEXT_ROLES or self.role in WORK_ROLES

    @property
    def is_toml(self) -> bool:
        return self.role in ("instruction", "default", "refine") and split_name(self.name)[1] == "toml"


@dataclass(slots=True, eq=False)
class Folder:
    """One folder: its entries, and the indexes that find who belongs to whom without a walk.

    `handled` are files that are a job or known to the ledger, with the packed stamp that is. `stems` are names of
    clips by their folded stem, handled ones too, made when first asked for: a folder without texts never needs them,
    and they cost as much as the names. `texts` are sidecars, defaults and subtitles by their folded name, `tagged` are
    those names of subtitles with a language, by the stem before it, `works` are
    texts that give work by themselves. `followers` are refinements that wait, by the folded name or stem of their clip.
    `listing` is the one that was taken in last, if nothing differed from it then and nothing was touched since.
    """

    rel: str
    changed_s: float = float("-inf")
    listed_s: float = float("-inf")
    handled_s: float = float("-inf")
    asked: bool = False
    listing: object = None
    entries: dict[str, Entry] = field(default_factory=dict)
    handled: dict[str, bytes] = field(default_factory=dict)
    _stems: dict[str, tuple[str, ...]] | None = None
    texts: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    tagged: dict[str, tuple[str, ...]] = field(default_factory=dict)
    works: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    followers: dict[str, dict[Entry, None]] = field(default_factory=dict)
    controls: dict[str, tuple[str, ...]] = field(default_factory=dict)
    awaiting: dict[Entry, None] = field(default_factory=dict)
    unread: dict[Entry, float] = field(default_factory=dict)
    reading: list[tuple[float, int, Entry]] = field(default_factory=list)

    @property
    def stems(self) -> dict[str, tuple[str, ...]]:
        if self._stems is None:
            self._stems = {}
            for name in (*self.handled, *(e.name for e in self.entries.values() if e.role in CLIP_ROLES)):
                self.add_stem(name)
        return self._stems

    def add_stem(self, name: str) -> None:
        """Enter a clip's name among those that share its stem, if anybody asked for them yet."""
        stem, extension = split_name(name)
        if self._stems is not None and extension not in TEXT:  # a handled text is no clip
            stem = name_key(stem)
            names = self._stems.get(stem, ())
            if name not in names:
                self._stems[stem] = (*names, name)

    def add(self, entry: Entry) -> None:
        """Enter a file that was not there before."""
        self.entries[entry.name] = entry
        if entry.role in CLIP_ROLES:
            self.add_stem(entry.name)
        elif entry.role in TEXT_ROLES:
            key = name_key(entry.name)
            self.texts[key] = (*self.texts.get(key, ()), entry)
            if entry.role == "subtitle" and (stem := stem_without_language(entry.name)):
                self.tagged[stem] = (*self.tagged.get(stem, ()), key)
        elif entry.role in WORK_ROLES:
            key = name_key(entry.name)
            self.works[key] = (*self.works.get(key, ()), entry)
        elif entry.role == "control":
            for key in guarded_keys(entry.name):
                self.controls[key] = (*self.controls.get(key, ()), entry.name)

    def discard(self, name: str, role: Role) -> None:
        """Forget a name that is gone from the folder."""
        entry = self.entries.get(name)
        self.handled.pop(name, None)
        if role in CLIP_ROLES and self._stems is not None:
            drop_from(self._stems, name_key(split_name(name)[0]), name)
        if entry is not None:
            self.release(entry)

    def release(self, entry: Entry) -> None:
        """Take an entry out, as its file is gone or handled; the name of a handled clip stays among the stems."""
        del self.entries[entry.name]
        key = name_key(entry.name)
        if entry.role in TEXT_ROLES:
            drop_from(self.texts, key, entry)
            if entry.role == "subtitle" and key not in self.texts:
                drop_from(self.tagged, stem_without_language(entry.name), key)
        elif entry.role in WORK_ROLES:
            drop_from(self.works, key, entry)
        elif entry.role == "control":
            for guarded in guarded_keys(entry.name):
                drop_from(self.controls, guarded, entry.name)
        entry.gone = True
        self.awaiting.pop(entry, None)
        self.unread.pop(entry, None)

    def has_clip_for(self, name: str) -> bool:
        """Tell whether a clip is here that a sidecar of this name could belong to, handled ones too."""
        base = split_name(name_key(name))[0]
        return base in self.stems or split_name(base)[0] in self.stems

    @property
    def is_empty(self) -> bool:
        return not self.entries and not self.handled

    def projects(self) -> tuple[Entry, ...]:
        """Give the files here that may be the `project.toml` of a batch."""
        return self.texts.get("project.toml", ()) if self.texts else ()

    def text(self, key: str, near: str) -> Entry | None:
        """Find a text by its folded name; of several, the one written like `near`, else the first by name."""
        found = [entry for entry in self.texts.get(key, ()) if entry.kind != "other"]
        if not found:
            return None
        stem = split_name(near)[0]
        return min(found, key=lambda entry: (not entry.name.startswith(stem), entry.name))

    def own_sidecar(self, name: str, *, shares_stem: bool) -> Entry | None:
        """Find a clip's own sidecar: the first of the four names that is there.

        One that goes by the stem belongs to the videos of that stem, if there are any: not to a still picture of the
        same name beside them (`shares_stem` False).
        """
        for key, by_stem in sidecar_keys(name):
            entry = self.text(key, name)
            if entry is None or entry.role != "instruction":
                continue
            if not (by_stem and not shares_stem and self.has_video(name)):
                return entry
        return None

    def has_video(self, name: str) -> bool:
        """Tell whether a video other than `name` has the same stem."""
        from_stem = self.stems.get(name_key(split_name(name)[0]), ())
        return any(other != name and split_name(other)[1] in VIDEO for other in from_stem)

    def companions(self, name: str) -> list[Entry]:
        """List the subtitles with a clip's stem, then those with a language behind it, by name.

        One whose whole stem is that of another clip belongs to that one.
        """
        stem = name_key(split_name(name)[0])
        keys = [stem + suffix for suffix in (".srt", ".vtt")]
        tagged = sorted(key for key in self.tagged.get(stem, ()) if not self._has_media(split_name(key)[0]))
        found = (self.text(key, name) for key in dict.fromkeys((*keys, *tagged)))
        return [entry for entry in found if entry is not None and entry.kind == "file"]

    def _has_media(self, stem: str) -> bool:
        return any(split_name(name)[1] in VIDEO | STILL | FOREIGN for name in self.stems.get(stem, ()))

    def clips_of_text(self, name: str) -> Iterator[Entry]:
        """Find the waiting clips that a sidecar or subtitle may belong to."""
        for clip in self.names_of_text(name):
            entry = self.entries.get(clip)
            if entry is not None:
                yield entry

    def names_of_text(self, name: str) -> Iterator[str]:
        """Name the clips that a sidecar or subtitle may belong to, handled ones too."""
        key = name_key(name)
        base = next((key[: -len(suffix)] for suffix in SIDECAR_SUFFIXES if key.endswith(suffix)), "")
        for stem in {base, split_name(base)[0], split_name(key)[0], stem_without_language(name)}:
            yield from self.stems.get(stem, ())

    def clips_to_refine(self, key: str) -> list[Entry]:
        """Find the clips here, none of them a job yet, that a `.refine` file for this folded name or stem is about."""
        names = (*self.stems.get(key, ()), *(name for name in self.stems.get(split_name(key)[0], ())))
        found = (self.entries.get(name) for name in dict.fromkeys(names))
        return [
            clip
            for clip in found
            if clip is not None
            and clip.phase not in ("asset", "ignored")
            and key in (name_key(clip.name), name_key(split_name(clip.name)[0]))
        ]

    def at(self, key: str) -> list[Entry]:
        """Find the files of a folded name that are not handled."""
        clips = [self.entries[name] for name in self.named(key) if name in self.entries]
        return [*clips, *self.texts.get(key, ()), *self.works.get(key, ())]

    def guarded(self, key: str) -> list[str]:
        """List the files of a folded name that a control file beside them holds."""
        return [*self.named(key), *(entry.name for entry in self.works.get(key, ()))]

    def named(self, key: str) -> list[str]:
        """List the clips whose folded name is `key`."""
        return [name for name in self.stems.get(split_name(key)[0], ()) if name_key(name) == key]


def drop_from(index: dict[str, tuple[_T, ...]], key: str, value: _T) -> None:
    """Take one of several values out of an index."""
    left = tuple(other for other in index.get(key, ()) if other != value)
    if left:
        index[key] = left
    else:
        index.pop(key, None)
