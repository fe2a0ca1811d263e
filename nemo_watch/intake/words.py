"""The sentences of the intake: why a file waits, and why one is refused. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import assert_never

from nemo_watch.intake.entries import Entry, Phase
from nemo_watch.intake.names import FOREIGN, TEXT_ROLES, WORK_ROLES, Role, printable, split_name
from nemo_watch.intake.rules import MAX_UPLOAD_BYTES, SettleRules
from nemo_watch.model import Failure, Waiting

NOT_USED = "is not used"
_VIDEO_WORDS = "mp4, mov, avi, webm or mkv"
_PICTURE_WORDS = "jpg, png or webp"
_SOUND_WORDS = "mp3, wav, m4a or aac"
_PICTURES = frozenset({"heic", "heif", "avif", "tif", "tiff", "bmp", "cr2", "cr3", "nef", "arw", "dng"})
_SOUNDS = frozenset({"flac", "ogg", "oga", "opus", "wma", "aif", "aiff", "mka", "amr", "ac3"})


def age(seconds: float) -> str:
    """Write a duration as a person would say it."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def foreign_type(name: str) -> Failure:
    """Refuse with 4001, and say what the cloud takes in place of this kind of file."""
    known = split_name(name)[1]
    extension = printable(known)
    what = f"is of a type that the cloud does not take (.{extension})" if extension else "has no known file type"
    if known in FOREIGN:
        target = _PICTURE_WORDS if known in _PICTURES else _SOUND_WORDS if known in _SOUNDS else _VIDEO_WORDS
        action = f"Convert it to {target} and drop the new file together with its sidecar."
    else:
        action = (
            f"Only media can be edited: video ({_VIDEO_WORDS}), pictures ({_PICTURE_WORDS}), sound ({_SOUND_WORDS}). "
            "Drop such a file together with its sidecar, and take this one away."
        )
    return Failure("4001", f"{printable(name)} {what}.", action)


def too_large(name: str, size_bytes: int) -> Failure:
    """Refuse with 4002."""
    return Failure(
        "4002",
        f"{printable(name)} has {size_bytes / 2**20:.1f} MB; the cloud takes {MAX_UPLOAD_BYTES // 2**20} MB at most.",
        "Shorten or compress it below that size and drop it again.",
    )


def empty_file(name: str, still_s: float) -> Failure:
    """Refuse with empty_file."""
    return Failure(
        "empty_file",
        f"{printable(name)} is empty, and has been for {age(still_s)}.",
        "Copy the file again and look whether the program that sent it ended well.",
    )


_ASKED: dict[Role, tuple[str, str]] = {
    "ask": ("what you want to know", "credits"),
    "refine": ("what is to be changed", "make the title larger and the music softer"),
    "prompt": ("what the clip is to show", "a paper boat sails down a street in the rain, 10 seconds"),
}
"""What is to be written into a text that gives work by itself, and an example."""


def empty_text(name: str, role: Role) -> Failure:
    """Refuse with sidecar_invalid."""
    what, example = _ASKED[role]
    return Failure(
        "sidecar_invalid",
        f"{printable(name)} is empty.",
        f'Write into it {what}, for example "{example}", and drop it again.',
    )


def not_there(toml: str, name: str, rule: str) -> Failure:
    """Refuse a clip of a batch with asset_missing; `rule` is why its name does not count, if that is so."""
    why = f" or does not count: {rule}" if rule else ""
    return Failure(
        "asset_missing",
        f"{printable(toml)} names {printable(name)}, which is not there{why}.",
        f"Put the missing clip and {printable(toml)} into the folder again.",
    )


def not_media(name: str) -> Failure:
    """Refuse with not_media."""
    return Failure(
        "not_media",
        f"{printable(name)} is not a video, an image or a sound: its content is something else than its name says.",
        "Look at the file with a player; drop the real one, or give it the name that fits its content.",
    )


def unreadable(name: str, detail: str) -> Failure:
    """Refuse with unreadable."""
    why = f" ({detail})" if detail else ""
    return Failure(
        "unreadable",
        f"{printable(name)} cannot be opened{why}.",
        "Give the user that runs nemo-watch the right to read it (chmod a+r) and drop it again.",
    )


def symlink(name: str, sidecar: str = "") -> Failure:
    """Refuse with symlink."""
    if sidecar:
        return Failure(
            "symlink",
            f"{printable(sidecar)}, the sidecar of {printable(name)}, is a link, and links are never followed.",
            "Put a copy of the text file itself beside the clip and drop both again.",
        )
    return Failure(
        "symlink",
        f"{printable(name)} is a link, and links are never followed out of an inbox.",
        "Drop the file itself (a hard link is fine).",
    )


def batch_begun(nearer: Collection[str], *, was_told: bool) -> str:
    """Say of a `project.toml` that nothing of it is waited for, and why; `nearer` are those its clips belong to."""
    if nearer:
        return f"its clips belong to {_all_of(sorted(nearer))}"
    if was_told:
        return "it is a batch, and its clips are jobs"
    return "it changed after its clips became jobs: what is still to be changed is written into CLIP.refine.txt"


def not_used(toml: str, clips: Sequence[str]) -> str:
    """Say of the sidecar of clips that a batch names them, so that it does not count."""
    return f"{printable(toml)} says what is done with {_all_of(clips)}; this text {NOT_USED}"


def _all_of(names: Sequence[str]) -> str:
    return " and ".join(printable(name) for name in names)


def waiting(entry: Entry, now_s: float, rules: SettleRules, window_s: float, told: str = "") -> Waiting:
    """Say which rule holds a file, since when, and when it is looked at next; `told` is said in place of the rule."""
    lasts = entry.phase in _LASTING
    said = Waiting(
        entry.rel,
        entry.phase,
        "",
        entry.since_s,
        entry.due_s,
        rule=told or _rule(entry, now_s, rules, window_s),
        upcoming="" if lasts else _upcoming(entry),
        window_s=window_s if entry.phase == "settling" else None,
        changed_s=None if lasts else entry.changed_s,
    )
    still_s = None if said.changed_s is None else now_s - said.changed_s
    next_s = None if entry.due_s is None else entry.due_s - now_s
    return replace(said, sentence=sentence(said.rule, said.upcoming, said.window_s, still_s, next_s))


def sentence(rule: str, upcoming: str, window_s: float | None, still_s: float | None, next_s: float | None) -> str:
    """Put the parts of a `Waiting` together, at whatever moment. Units: seconds from now, None where there are none."""
    if still_s is None:
        return rule
    if window_s is None:
        reason = f"{rule}, unchanged for {age(still_s)}"
    else:
        reason = f"settling: unchanged for {age(min(still_s, window_s))} of {age(window_s)}{rule}"
    return f"{reason}; {upcoming.replace(_WHEN, 'now' if next_s is None or next_s <= 0 else 'in ' + age(next_s))}"


_LASTING: frozenset[Phase] = frozenset({"asset", "ignored", "settled"})
"""These are answers, not waits: nothing is looked at again."""
_WHEN = "{when}"
"""Stands for the moment in what comes next; the words around it are all ours."""


def _upcoming(entry: Entry) -> str:
    match entry.phase:
        case "grace" | "broken" if entry.due_s is not None:
            return f"it is refused {_WHEN} unless it changes"
        case "incomplete":
            return "next look when it changes"
        case _ if entry.due_s is not None:
            return f"next look {_WHEN}"
        case "control":
            return "next look when that file goes or this one changes"
        case "no_instruction":
            return "next look when one comes"
        case "clip":
            return "it goes on when that clip is a job, or gone"
        case "member":
            return "it goes on when all of them are there and whole"
        case "batch":
            return "it goes on when all of them are"
        case "sidecar":
            return "next look when that file stands still"
        case "offered" if entry.about:
            return "it is tried again every half minute"
        case "offered":
            return "next it is a job"
        case _:
            return "next look now"


def _rule(entry: Entry, now_s: float, rules: SettleRules, window_s: float) -> str:
    still_s = now_s - entry.changed_s
    about = printable(entry.about)
    match entry.phase:
        case "settling":
            return _why_long(entry, rules, window_s)
        case "control":
            return f"{about} beside it says that it is still being transferred"
        case "inspecting":
            return "it stood still and is being looked into"
        case "writer":
            return f"somebody still has it open for writing, which is waited for {age(rules.lease_cap_s)} at most"
        case "kept_open":
            return "somebody still has it open for writing, and nothing in it proves that it is whole"
        case "placeholder":
            return "it has a size, but its content is not on this disk yet"
        case "grace":
            return _suspicion(entry)
        case "incomplete" if still_s < rules.incomplete_after_s:
            return "it is not whole: its end or its index is missing"
        case "incomplete":
            return "it is not whole, so it is parked: copy it again if nothing is sending it any more"
        case "reading" if entry.is_text:
            return "it is being read"
        case "reading":
            return "a TOML sidecar of its folder is read first, as it may name this file"
        case "sidecar" if entry.about and entry.about == entry.folder.rel:
            quiet = age(rules.sidecar_wait_s)
            return f"it has no sidecar, and its folder {about}/ is still being filled: {quiet} of quiet are waited for"
        case "sidecar" if about:
            return f"its sidecar {about} is settling"
        case "sidecar":
            return f"it waits {age(rules.sidecar_wait_s)} for a sidecar"
        case "listing" if entry.role in TEXT_ROLES:
            return "its folder is being listed once more to see whether the clips came that are missing"
        case "listing":
            return "its folder is being listed once more to see whether a sidecar came"
        case "no_instruction" if about:
            return f"{about} is a link, and links are never followed: put the text file itself there"
        case "no_instruction":
            return (
                "nothing says what to do with it: put a text file of the same name beside it, a _default.txt into its "
                "folder, or an instruction into the inbox's config"
            )
        case "clip":
            return f"it goes on from the clip {about}, which is not a job yet"
        case "member":
            return f"it is a clip of the batch {about}, whose clips begin together"
        case "batch":
            return f"it is a batch, and its clip {about} is not ready"
        case "missing":
            return f"it names {about}, which is not there: {age(rules.batch_quiet_s)} of quiet are waited for it"
        case "broken":
            return "it is a batch and cannot be read, so no clip beside it is begun that has no sidecar of its own"
        case "asset" if about:
            return f"the sidecar {about} names it as an asset"
        case "asset":
            return "images and sound serve as assets until they get a sidecar of their own"
        case "ignored":
            return f"it is ignored: {about}"
        case "settled" if entry.role == "default":
            return "it is the instruction for clips of this folder and below that have no sidecar"
        case "settled" if not entry.folder.has_clip_for(entry.name):
            return "no clip of its name is here; it waits for one"
        case "settled":
            return "it serves the clips of its name"
        case "offered" if about:
            return f"it is ready, but cannot be made a job yet: {about.rstrip('.')}"
        case "offered":
            return "it is ready and is being entered as a job"
        case _:
            assert_never(entry.phase)


def _why_long(entry: Entry, rules: SettleRules, window_s: float) -> str:
    if entry.role in WORK_ROLES:
        return ""
    if entry.role in TEXT_ROLES:
        return "" if entry.stamp.size_bytes else ", as it is empty"
    if window_s > max(rules.open_s, rules.closed_s):
        return ", as only looking tells of changes here"
    if entry.verdict is not None and entry.writer == "unknown":
        return ", as it belongs to somebody else and so cannot be asked whether it is open for writing"
    return "" if entry.closed or rules.open_s <= rules.closed_s else ", as nobody was seen to close it"


def _suspicion(entry: Entry) -> str:
    if entry.kind == "symlink":
        return "it is a link, and links are never followed"
    if entry.stamp.size_bytes == 0 or entry.verdict == "empty":
        return "it is empty"
    if entry.verdict == "unreadable":
        return "it cannot be opened for reading"
    if entry.verdict == "not_media":
        return "its content is neither video, image nor sound"
    return f"its sidecar {printable(entry.about)} is a link, and links are never followed"
