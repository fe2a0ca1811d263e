"""What is asked for by a clip, a generation, an address or a question.

Touches: the inbox (reading only).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from nemo_watch import folders, routing, sidecar
from nemo_watch.errors import MediaError, SidecarError
from nemo_watch.folders.names import key, split
from nemo_watch.intake.names import VIDEO
from nemo_watch.model import (
    Drop,
    Export,
    FileRef,
    Instructions,
    Job,
    Routed,
    Work,
)
from nemo_watch.pipeline.house import InboxRules
from nemo_watch.urls import redacted

SIDECAR_MOST_BYTES = 64 * 1024
_GIVEN = re.compile(r"(?P<name>.+)\.(?:refine|ask|prompt)\.(?:txt|toml)", re.IGNORECASE | re.DOTALL)


def content_of(instructions: Instructions, work: Work, sha256: str) -> str:
    """Say what stands for the content in a job's identity, where that is not the clip's own. Source: product.md 4.2."""
    match work.kind:
        case "refine" if work.messages:
            return work.parent
        case "refine":  # it is nothing but these exports
            return f"{work.parent}/{work.exports}"
        case "generate":
            return f"generate/{key(work.name)}"
        case "url":
            return f"url/{key(work.name)}/{hashlib.sha256(instructions.url.encode()).hexdigest()}"
        case _:
            return sha256


def result_stem(job: Job) -> str:
    """Give the stem of a job's results, before a number that may follow it."""
    return job.work.name or split(job.clip.rel)[1]


def refinement_name(job: Job) -> str:
    """Name the file that goes on from a job's timeline."""
    stem = result_stem(job)
    base = stem.rpartition("-v")[0] if job.work.kind == "refine" else stem
    return f"{base}.refine.txt"


def given_name(rel: str) -> str:
    """Give what stands before `.refine.txt`, `.ask.txt` or `.prompt.txt` in a file's name."""
    name = folders.last_part(rel)
    found = _GIVEN.fullmatch(name)
    return found["name"] if found else split(name)[1]


# ---------------------------------------------------------------- one by one


async def read_instructions(rules: InboxRules, ref: FileRef) -> Instructions:
    """Read an instruction file. Raises: SidecarError, MediaError. Repeat: safe."""
    data = await rules.inbox.call(folders.read_small, rules.places.inbox, ref, SIDECAR_MOST_BYTES)
    return sidecar.parse(data, folders.last_part(ref.rel))


async def _read_text(rules: InboxRules, ref: FileRef) -> str:
    data = await rules.inbox.call(folders.read_small, rules.places.inbox, ref, SIDECAR_MOST_BYTES)
    return sidecar.parse_text(data)


async def edit_work(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    """Understand a clip with its instruction. Raises: SidecarError, MediaError. Repeat: safe."""
    if drop.sidecar is None:
        instructions = Instructions(steps=(rules.instruction,))
    else:
        instructions = await read_instructions(rules, drop.sidecar)
        refuse_keys(instructions, "the instruction of a file", url="Take the url out, or take the file away.")
    return instructions, await plan_work(rules, drop, instructions)


async def question(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    """Understand a `.ask.txt`: nothing is sent, nothing is exported. Raises: SidecarError, MediaError. Repeat: safe."""
    text = await _read_text(rules, drop.clip)
    work = _work(rules, drop, Instructions(steps=(text,)), Routed((), ()))
    return Instructions(steps=(text,)), replace(work, kind="ask", name=given_name(drop.clip.rel))


async def generation(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    """Understand a `.prompt.txt`, whose text is sent as it is. Raises: SidecarError, MediaError. Repeat: safe."""
    text = await _read_text(rules, drop.clip)
    instructions, name = Instructions(steps=(text,)), given_name(drop.clip.rel)
    work = _work(rules, drop, instructions, routing.generation(text), title=name)
    return instructions, replace(work, kind="generate", name=name)


async def address(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    """Understand a `.toml` with a `url`; what is kept of that holds no secret. Raises: SidecarError, MediaError."""
    instructions = await read_instructions(rules, drop.clip)
    if not instructions.url:
        raise SidecarError(
            "It names no url, and there is no file that it could be the instruction of.",
            hint='Write for example: url = "https://example.com/talk.mp4"',
        )
    name = _stem_of_sidecar(drop.clip.rel)
    work = await plan_work(rules, drop, instructions, title=name)
    return instructions, replace(work, kind="url", name=name, url=redacted(instructions.url))


def _stem_of_sidecar(rel: str) -> str:
    """Give the stem of a result that has no clip: `talk.toml` and `talk.mp4.toml` both make `talk`."""
    stem = split(rel)[1]
    inner, suffix = split(stem)[1:]
    return inner if inner and suffix.lower().lstrip(".") in VIDEO else stem


def refuse_keys(instructions: Instructions, what: str, *, url: str = "") -> None:
    """Refuse keys that mean another way to give work. Raises: SidecarError."""
    if instructions.url:
        raise SidecarError(f'"url" cannot stand in {what}.', hint=url or "Take it out.")
    if instructions.clips:
        raise SidecarError(
            f'"clip" cannot stand in {what}.', hint="A batch is a folder whose project.toml has [[clip]] entries."
        )


async def plan_work(rules: InboxRules, drop: Drop, instructions: Instructions, *, title: str = "") -> Work:
    """Decide what there is to do for a clip. Raises: SidecarError, MediaError. Repeat: safe."""
    routed = routing.route(instructions.steps, instructions.exports)
    if instructions.steps and not routed.messages and not routed.exports:
        name = split(drop.clip.rel)[1]
        raise SidecarError(
            "The instruction only asks for credits or status, there is nothing to do with the clip.",
            hint=f"Write what is to be done with it. To ask, drop a text file named {name}.ask.txt: its answer comes "
            "into the outbox.",
        )
    work = _work(rules, drop, instructions, routed, title=title)
    folder = split((drop.sidecar or drop.clip).rel)[0]
    return replace(work, assets=await find_assets(rules, folder, instructions.assets))


async def find_assets(rules: InboxRules, folder: str, names: tuple[str, ...]) -> tuple[FileRef, ...]:
    """Find the files that an instruction names, beside it or below. Raises: MediaError. Repeat: safe."""
    assets: list[FileRef] = []
    for name in names:
        ref = await rules.inbox.call(folders.resolve_asset, rules.places.inbox, folder, name)
        if ref is None:
            raise MediaError(
                f"The asset {name} is not there.",
                code="asset_missing",
                hint="Put it beside the instruction file, then put the clip back into the inbox.",
            )
        assets.append(ref)
    return tuple(assets)


def _work(rules: InboxRules, drop: Drop, instructions: Instructions, routed: Routed, *, title: str = "") -> Work:
    is_silent = drop.kind == "ask"
    return Work(
        messages=() if is_silent else routed.messages or (routing.PLACE_MESSAGE,),
        exports=() if is_silent else routed.exports or (Export(),),
        language=instructions.language or rules.language,
        skill=instructions.skill or rules.skill,
        title=instructions.title or title or split(drop.clip.rel)[1],
        originals=sidecar.gentler(rules.originals, instructions.originals),
        duplicates=instructions.duplicates or rules.duplicates,
        instruction="\n---\n".join(instructions.steps),
        source=drop.source,
        sidecar=drop.sidecar,
        companions=drop.companions,
        notes=routed.notes,
        kind=drop.kind,
    )


def only_on(name: str, message: str) -> str:
    """Word a message that is about one file of a session that holds several. Source: product.md 3, Batch."""
    return f'Work only on the file "{name}": {message}'


def upload_name(job: Job) -> str:
    """Give the name under which a job's clip lies in its session."""
    return job.work.upload_name or folders.last_part(job.clip.rel)
