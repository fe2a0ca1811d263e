"""The nouns of the house: what was seen, what is to be done, what came of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]
"""A JSON object as parsed: integers of any size, keys in their order."""

# ---------------------------------------------------------------- what was seen

FileKind = Literal["file", "symlink", "other"]
SightingKind = Literal["created", "modified", "closed", "moved", "scanned", "gone"]


ANY_INODE = -1
"""In the stamp of a file that is known from before a start: inode numbers do not outlast every mount."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What `stat` says of a file's identity and content: equal stamps mean the same bytes, as far as can be seen.

    The device number is not in it: it changes at every mount.
    """

    inode: int
    size_bytes: int
    mtime_ns: int


def same_file(one: FileStamp, other: FileStamp) -> bool:
    """Tell whether two stamps are of the same file, where the inode of one may not be known any more."""
    inodes = {one.inode, other.inode} - {ANY_INODE}
    return len(inodes) < 2 and (one.size_bytes, one.mtime_ns) == (other.size_bytes, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at one name in an inbox, by an event or by a scan.

    `rel` is the path below the inbox, "/"-separated, with bytes that are not UTF-8 as surrogates (os.fsdecode).
    `stamp` is None if nothing is there any more. `at_s` is monotonic.
    """

    rel: str
    kind: SightingKind
    stamp: FileStamp | None
    at_s: float
    file_kind: FileKind = "file"


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file below an inbox as it was when it was judged whole."""

    rel: str
    stamp: FileStamp


InstructionSource = Literal["sidecar", "default", "inbox"]

WorkKind = Literal["edit", "refine", "generate", "url", "batch", "ask"]
"""A way to give work: a clip, `.refine`, `.prompt`, a `.toml` with `url`, a `project.toml` with clips, `.ask`."""


@dataclass(frozen=True, slots=True)
class TomlFacts:
    """What a TOML sidecar says that must be known before it is anybody's instruction.

    `assets` are the files it names beside its clip. `is_url`: it gives work by itself. `clips` are the files of a
    batch, None if it is none; `is_broken`: it means to be a batch, and nobody knows of which files, or of which others.
    Names are as written there.
    """

    assets: tuple[str, ...] = ()
    is_url: bool = False
    clips: tuple[str, ...] | None = None
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed: what a report's `code`, `name`, `message` and `action` are made from.

    `paid` is "no", "yes" or "unknown"; `link` is a page to go to, "" if there is none.
    """

    code: str
    message: str
    action: str
    paid: Literal["no", "yes", "unknown"] = "no"
    step: str = ""
    link: str = ""
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One clip of a batch: whole, or with what is wrong with it. One that never came has a stamp of nothing."""

    clip: FileRef
    companions: tuple[FileRef, ...] = ()
    refusal: Failure | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that is whole and whose instruction is settled: ready to become a job.

    `clip` is the video, or the text that gives work by itself (every `kind` but "edit"). `sidecar` is the clip's own
    sidecar or the folder's default, None if the inbox's instruction is used. `companions` are subtitles with the
    clip's stem. `refusal` is set if the file can only be rejected. `parts` are the clips of a batch, in the order of
    its `project.toml`.
    """

    inbox: str
    clip: FileRef
    source: InstructionSource
    sidecar: FileRef | None = None
    companions: tuple[FileRef, ...] = ()
    refusal: Failure | None = None
    kind: WorkKind = "edit"
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a file in an inbox is not a job yet.

    `reason` is a short word ("settling", "sidecar", "incomplete", "ignored", ...), `sentence` is for a person at the
    moment it was asked for. `rule` and `upcoming` are the parts of it that time does not change, for those who word it
    later; `window_s` is how long a settling file must stand still. `since_s`, `changed_s` and `next_check_s` are
    monotonic (`changed_s` None: its age is of no interest; `next_check_s` None: only a change of the file can help).
    """

    rel: str
    reason: str
    sentence: str
    since_s: float
    next_check_s: float | None = None
    rule: str = ""
    upcoming: str = ""
    window_s: float | None = None
    changed_s: float | None = None


# ---------------------------------------------------------------- what is to be done

Originals = Literal["archive", "delete", "keep"]
Duplicates = Literal["reuse", "process", "reject"]
Quality = Literal["draft", "standard", "high", "best"]
EXPORT_FORMATS = ("mp4", "mov")
EXPORT_HEIGHTS = (360, 480, 540, 720, 1080)


@dataclass(frozen=True, slots=True)
class Export:
    """One file to make of an edit.

    `resolution` is "" (as edited) or like "1080p"; `fps` 0 is as edited; `name` is a bare stem.
    """

    format: str = "mp4"
    quality: str = "high"
    resolution: str = ""
    fps: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class BatchClip:
    """One `[[clip]]` of a batch: `file` as written, relative to `project.toml`; no exports: those of the batch."""

    file: str
    steps: tuple[str, ...]
    exports: tuple[Export, ...] = ()
    assets: tuple[str, ...] = ()
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a sidecar says, before routing. None means: not said there, the inbox's value counts.

    `url` is as written, with whatever secret it holds. `clips` are those of a batch, which has no steps of its own.
    """

    steps: tuple[str, ...]
    exports: tuple[Export, ...] = ()
    language: str | None = None
    skill: str | None = None
    assets: tuple[str, ...] = ()
    priority: int = 0
    not_before_at: datetime | None = None
    title: str | None = None
    originals: Originals | None = None
    duplicates: Duplicates | None = None
    url: str = ""
    clips: tuple[BatchClip, ...] = ()


@dataclass(frozen=True, slots=True)
class Routed:
    """What routing made of the steps: what is sent to the chat, word for word, and what is exported.

    `questions` are pure credits or status requests, answered without the chat. `notes` are sentences for the report
    (a wish above 1080p, for example).
    """

    messages: tuple[str, ...]
    exports: tuple[Export, ...]
    questions: tuple[Literal["credits", "status"], ...] = ()
    notes: tuple[str, ...] = ()


# ---------------------------------------------------------------- the other side's answers


@dataclass(frozen=True, slots=True)
class SkillHeaders:
    """The three attribution headers that go with every authenticated call (contract.md 1.1), never empty."""

    source: str
    version: str
    platform: str


@dataclass(frozen=True, slots=True)
class Session:
    """An editing session at the backend. `session_id` is a string of digits beyond 2^53: never a number."""

    session_id: str
    task_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Credits:
    """The account's balance in credits; `frozen` is reserved for running operations."""

    available: float
    frozen: float
    total: float


@dataclass(frozen=True, slots=True)
class SessionState:
    """What the backend says of a session (contract.md 4.3). `draft` is opaque and goes back untouched; {} if none."""

    draft: Json
    video_infos: tuple[Any, ...] = ()
    generated_media: Any = None
    canvas_config: Any = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One message's answer, from the stream's first event to its end.

    `text` is the final text without GUI talk removed yet; `tools` are names of tools in order; `error_code` and
    `error_message` are of an in-stream error ("" if none). `ended` is False if the stream broke off.
    """

    text: str
    tools: tuple[str, ...] = ()
    error_code: str = ""
    error_message: str = ""
    ended: bool = True
    unknown: tuple[str, ...] = ()


RenderState = Literal["pending", "processing", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class RenderStatus:
    """A render as the backend tells it.

    `progress` is 0-100, not monotonic; `duration_s` and `size_bytes` are 0 if untold.
    """

    render_id: str
    state: RenderState
    progress: float = 0.0
    url: str = ""
    duration_s: float = 0.0
    size_bytes: int = 0
    error: str = ""


# ---------------------------------------------------------------- a job

JobState = Literal["ready", "waiting", "held", "delivered", "rejected", "cancelled"]
OPEN_STATES: tuple[JobState, ...] = ("ready", "waiting", "held")


@dataclass(frozen=True, slots=True)
class Work:
    """What a job has to do, decided when the drop was accepted and kept in the ledger as it is.

    Everything here is needed to run the job again after a restart without reading the sidecar again. `backend` is the
    one the job was made for: what was begun there is nothing to another one. `fingerprints` are the SHA-256 of the
    companions, then of the assets.

    `chain` names the jobs that share one session, "" if this one shares none: the parts of a batch, or a clip and its
    refinements (then it is the first one's job id). `parent` is the job that a refinement goes on from. `position` is
    a part's place in its batch, `version` that of a refinement (2 and up). `name` is the result's stem, "" for the
    clip's; `upload_name` what a part is called in its session, "" for its file's name. `url` is what is uploaded,
    without user info and query: the secret stays in the sidecar.
    """

    messages: tuple[str, ...]
    exports: tuple[Export, ...]
    language: str
    skill: str
    title: str
    originals: Originals
    duplicates: Duplicates = "reuse"
    instruction: str = ""
    source: InstructionSource = "inbox"
    sidecar: FileRef | None = None
    companions: tuple[FileRef, ...] = ()
    assets: tuple[FileRef, ...] = ()
    notes: tuple[str, ...] = ()
    backend: str = ""
    fingerprints: tuple[str, ...] = ()
    kind: WorkKind = "edit"
    chain: str = ""
    parent: str = ""
    position: int = 0
    version: int = 1
    name: str = ""
    upload_name: str = ""
    url: str = ""

    def fingerprint_of(self, ref: FileRef) -> str:
        """Look up the SHA-256 of a companion or asset, "" if none was taken."""
        known = zip((*self.companions, *self.assets), self.fingerprints, strict=False)
        return next((sha256 for other, sha256 in known if other == ref), "")


@dataclass(frozen=True, slots=True)
class Job:
    """One drop's way through the house, as the ledger knows it.

    `job_id` is the edit id and the run number, and a further number for a drop that only re-uses a paid edit
    (`reuses` is then the id of the job that paid). `active`: a worker is on it now. `sentence` says why it waits or is
    held. Moments are aware UTC.
    """

    job_id: str
    edit_id: str
    inbox: str
    clip: FileRef
    sha256: str
    work: Work
    state: JobState
    priority: int
    created_at: datetime
    updated_at: datetime
    reuses: str = ""
    active: bool = False
    reason: str = ""
    sentence: str = ""
    next_try_at: datetime | None = None
    attempts: int = 0
    first_failed_at: datetime | None = None
    step: str = ""
    progress: float = 0.0
    failure: Failure | None = None


StepState = Literal["intent", "done"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a job as recorded. `token` names the process attempt that wrote the intent; `data` is what the step
    needs to be found again (state before, render id, final names) or what it gave."""

    job_id: str
    name: str
    state: StepState
    token: str
    data: Json = field(default_factory=dict)
    started_at: datetime | None = None
    ended_at: datetime | None = None
