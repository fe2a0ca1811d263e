"""Batches: what the `project.toml` of a folder asks for, clip by clip, and what each is called in their session.

Touches: the inbox, reading only.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

from nemo_watch import folders, sidecar
from nemo_watch.errors import MediaError, SidecarError
from nemo_watch.folders.names import key, split
from nemo_watch.model import BatchClip, Drop, Instructions, Job, Part, Work
from nemo_watch.pipeline.giving import SIDECAR_MOST_BYTES, only_on, plan_work, upload_name
from nemo_watch.pipeline.house import InboxRules


async def understand_batch(
    rules: InboxRules, drop: Drop
) -> list[tuple[Part, Instructions, Work | SidecarError | MediaError]]:
    """Read a batch's `project.toml` and decide what there is to do for each of the drop's parts.

    A part that cannot be done has its error in place of its work. Raises: SidecarError, MediaError if the whole cannot
    be understood. Repeat: safe.
    """
    data = await rules.inbox.call(folders.read_small, rules.places.inbox, drop.clip, SIDECAR_MOST_BYTES)
    instructions = sidecar.parse(data, folders.last_part(drop.clip.rel))
    if not instructions.clips:
        raise SidecarError("It names no clips.", hint='Write for each clip: [[clip]] and below it file = "talk.mp4"')
    stamp = drop.clip.stamp
    # Of the same project, dropped again later, nothing goes into the session of the first time.
    identity = f"{drop.inbox}\0{drop.clip.rel}\0{stamp.mtime_ns}\0".encode("utf-8", "surrogatepass") + data
    chain = f"batch-{hashlib.sha256(identity).hexdigest()[:16]}"
    folder = split(drop.clip.rel)[0]
    names = _upload_names(instructions.clips)
    by_rel = {_below(folder, clip.file): number for number, clip in enumerate(instructions.clips)}
    found: list[tuple[Part, Instructions, Work | SidecarError | MediaError]] = []
    for part in drop.parts:
        number = by_rel.get(key(part.clip.rel))
        if number is None:
            continue
        clip = instructions.clips[number]
        own = _instructions_of(instructions, clip)
        try:
            work = await _part_work(rules, drop, part, own)
        except (SidecarError, MediaError) as error:
            if error.code in ("changed", "gone"):
                raise
            found.append((part, own, error))
            continue
        called = names[number]
        messages = tuple(only_on(called, message) for message in work.messages)
        work = replace(work, messages=messages, chain=chain, position=number, upload_name=called)
        found.append((part, own, work))
    return found


def _below(folder: str, name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return key("/".join([folder, *parts] if folder else parts))


def _instructions_of(whole: Instructions, clip: BatchClip) -> Instructions:
    """Put together what a batch says for all its clips, and for this one."""
    return replace(
        whole,
        steps=clip.steps,
        exports=clip.exports or whole.exports,
        assets=tuple(dict.fromkeys((*whole.assets, *clip.assets))),
        title=clip.title or whole.title,
        clips=(),
    )


def drop_of(batch: Drop, part: Part) -> Drop:
    """Give one part of a batch as a drop of its own, whose instruction file is the `project.toml`."""
    return replace(
        batch, clip=part.clip, source="sidecar", sidecar=batch.clip, companions=part.companions, refusal=None, parts=()
    )


async def _part_work(rules: InboxRules, drop: Drop, part: Part, own: Instructions) -> Work:
    folder_name = split(drop.clip.rel)[0].rpartition("/")[2]
    return await plan_work(rules, drop_of(drop, part), own, title=folder_name or "project")


def told_apart(work: Work, sha256: str, others: list[Job]) -> Work:
    """Give a part another name in its session where that is of other content there: its file was replaced meanwhile."""
    taken = {key(upload_name(job)): job.sha256 for job in others if job.work.kind == "batch" and job.sha256}
    stem, suffix = split(work.upload_name)[1:]
    name, number = work.upload_name, 1
    while taken.get(key(name), sha256) != sha256:
        number += 1
        name = f"{stem}-{number}{suffix}"
    if name == work.upload_name:
        return work
    before, now_ = only_on(work.upload_name, ""), only_on(name, "")
    messages = tuple(now_ + message.removeprefix(before) for message in work.messages)
    return replace(work, messages=messages, upload_name=name)


def _upload_names(clips: tuple[BatchClip, ...]) -> list[str]:
    """Give each clip a name in the session that tells it from all others and can stand in quotes."""
    plain = [clip.file.rpartition("/")[2] for clip in clips]
    often = Counter(map(key, plain))
    names: list[str] = []
    for clip, name in zip(clips, plain, strict=True):
        wanted = name if often[key(name)] == 1 else "_".join(part for part in clip.file.split("/") if part != ".")
        wanted = "".join(sign if sign.isprintable() else "_" for sign in wanted).replace('"', "'").replace("\\", "_")
        stem, suffix = split(wanted)[1:]
        taken, number = {key(other) for other in names}, 1
        while key(wanted) in taken:
            number += 1
            wanted = f"{stem}-{number}{suffix}"
        names.append(wanted)
    return names
