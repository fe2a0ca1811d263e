"""The other ways to give work: what a refinement, a generation, an address, a question or a batch asks for.

Touches: the inbox (reading only), the ledger (reading only).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace

from nemo_watch import folders, routing, sidecar
from nemo_watch.errors import MediaError, SidecarError
from nemo_watch.folders.names import key, split
from nemo_watch.intake.names import VIDEO
from nemo_watch.ledger import Ledger, chains
from nemo_watch.model import (
    OPEN_STATES,
    BatchClip,
    Drop,
    Export,
    FileRef,
    Instructions,
    Job,
    Part,
    Routed,
    Work,
    same_file,
)
from nemo_watch.pipeline.house import InboxRules
from nemo_watch.urls import redacted

SIDECAR_MOST_BYTES = 64 * 1024
_GIVEN = re.compile(r"(?P<name>.+)\.(?:refine|ask|prompt)\.(?:txt|toml)", re.IGNORECASE | re.DOTALL)
_ANSWERED = "no_edit_made"
"""The one reject that can be gone on from: the editor only answered, and its session is kept."""


async def understand(rules: InboxRules, drop: Drop, ledger: Ledger | None = None) -> tuple[Instructions, Work]:
    """Read a drop's instruction and decide what there is to do. Nothing is written, so that a plan can be made of it.

    A refinement is looked up in the `ledger`; without one it is understood as far as its text goes. Not for a batch:
    see `understand_batch`. Raises: SidecarError, MediaError. Repeat: safe.
    """
    match drop.kind:
        case "ask":
            return await _question(rules, drop)
        case "generate":
            return await _generation(rules, drop)
        case "url":
            return await _address(rules, drop)
        case "refine":
            return await _refinement(rules, drop, ledger)
        case _:
            return await _edit(rules, drop)


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


async def _edit(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    if drop.sidecar is None:
        instructions = Instructions(steps=(rules.instruction,))
    else:
        instructions = await read_instructions(rules, drop.sidecar)
        _refuse(instructions, "the instruction of a file", url="Take the url out, or take the file away.")
    return instructions, await plan_work(rules, drop, instructions)


async def _question(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    text = await _read_text(rules, drop.clip)
    work = _work(rules, drop, Instructions(steps=(text,)), Routed((), ()))
    return Instructions(steps=(text,)), replace(work, kind="ask", name=given_name(drop.clip.rel))


async def _generation(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
    text = await _read_text(rules, drop.clip)
    instructions, name = Instructions(steps=(text,)), given_name(drop.clip.rel)
    work = _work(rules, drop, instructions, routing.generation(text), title=name)
    return instructions, replace(work, kind="generate", name=name)


async def _address(rules: InboxRules, drop: Drop) -> tuple[Instructions, Work]:
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


def _refuse(instructions: Instructions, what: str, *, url: str = "") -> None:
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


# ---------------------------------------------------------------- refinements


async def _refinement(rules: InboxRules, drop: Drop, ledger: Ledger | None) -> tuple[Instructions, Work]:
    instructions = await read_instructions(rules, drop.clip)
    _refuse(instructions, "a refinement")
    work = await plan_work(rules, drop, instructions)
    only_exports = not routing.route(instructions.steps, instructions.exports).messages
    name = given_name(drop.clip.rel)
    if ledger is None:
        return instructions, replace(work, name=f"{name}-v2", title=name)
    line = await _find_line(ledger, drop, name)
    if line is None:
        raise SidecarError(
            f'No clip named "{name}" was delivered from this folder, so there is nothing to go on from.',
            hint=f"A refinement is named after its clip and lies where that lay: {name}.refine.txt for {name}.mp4. "
            "To edit a clip for the first time, drop it with an instruction file.",
        )
    root = line.root
    if line.others:
        other = line.others[-1].work.name
        raise SidecarError(
            f'The same clip with the same instruction was given twice: "{name}" shares its timeline, which was gone on '
            f'from as "{other}".',
            hint="To refine this clip alone, drop it again with a TOML instruction that says: "
            'duplicates = "process" (a new edit, which is paid)',
        )
    if only_exports and not _only_answered(line.last):
        work = replace(work, messages=())  # there is a timeline: it is only exported, which is free
    if root.work.kind == "batch":
        work = replace(work, messages=tuple(only_on(upload_name(root), message) for message in work.messages))
    work = replace(
        work,
        language=instructions.language or root.work.language,
        skill=instructions.skill or root.work.skill,
        title=instructions.title or root.work.title,
        chain=line.chain,
        upload_name=root.work.upload_name,
    )
    again = line.again(drop, work)
    if again is not None and (again.work.parent in line.living or await ledger.step(again.job_id, "session")):
        return instructions, replace(work, parent=again.work.parent, version=again.work.version, name=again.work.name)
    number = line.next_version
    return instructions, replace(work, parent=line.last.job_id, version=number, name=f"{line.base}-v{number}")


@dataclass(frozen=True, slots=True)
class _Line:
    """A clip's job (`root`) and the refinements of it, the oldest first; `base` is the stem of the first result.

    `others` are refinements of another clip that uses the same edit, and with it the same timeline.
    """

    root: Job
    chain: str
    base: str
    refinements: tuple[Job, ...]
    others: tuple[Job, ...] = ()

    @property
    def living(self) -> frozenset[str]:
        """The jobs that can be gone on from."""
        return frozenset(job.job_id for job in (self.root, *self.refinements) if may_be_refined(job))

    @property
    def last(self) -> Job:
        """The job whose timeline the next refinement goes on from."""
        return next((job for job in reversed(self.refinements) if may_be_refined(job)), self.root)

    @property
    def next_version(self) -> int:
        counted = [job.work.version for job in self.refinements if job.state in ("delivered", *OPEN_STATES)]
        return max(counted, default=1) + 1

    def again(self, drop: Drop, work: Work) -> Job | None:
        """Find the refinement that this drop is once more: the last one, or a file that was put back as it was.

        The same words after other ones are a new wish: "add the title", "remove it", "add the title".
        """
        for job in reversed(self.refinements):
            same_words = (job.work.messages, job.work.language) == (work.messages, work.language)
            put_back = same_file(job.clip.stamp, replace(drop.clip.stamp, inode=job.clip.stamp.inode))
            same_words = same_words and _looks(job.work.assets) == _looks(work.assets)
            same_words = same_words and (bool(work.messages) or job.work.exports == work.exports)
            if same_words and job.state != "cancelled" and (put_back or job is self.refinements[-1]):
                return job
        return None


def _looks(refs: tuple[FileRef, ...]) -> list[tuple[str, int, int]]:
    return [(ref.rel, ref.stamp.size_bytes, ref.stamp.mtime_ns) for ref in refs]


def _only_answered(job: Job) -> bool:
    return job.state == "rejected" and job.failure is not None and job.failure.code == _ANSWERED


def may_be_refined(job: Job) -> bool:
    """Tell whether a job has a timeline to go on from, or will have: delivered, under way, or its edit is kept."""
    failure = job.failure
    if job.state == "rejected" and failure is not None:
        return _only_answered(job) or (failure.paid == "yes" and failure.code != "1002")
    return job.state == "delivered" or (job.state in OPEN_STATES and failure is None)


async def _find_line(ledger: Ledger, drop: Drop, name: str) -> _Line | None:
    """Find what a refinement of this name goes on from: by the clip's name, its stem, or that of a result."""
    wanted = key(name)
    found: Job | None = None
    for job in await chains.jobs_in_folder(ledger, drop.inbox, split(drop.clip.rel)[0]):
        names = {key(result_stem(job)), key(folders.last_part(job.clip.rel))}
        if job.work.kind != "ask" and job.sha256 and wanted in names and may_be_refined(job):
            found = job
    while found is not None and found.work.kind == "refine":
        found = await ledger.job(found.work.parent)
    if found is None:
        return None
    base = result_stem(found)
    root = (await ledger.job(found.reuses) or found) if found.reuses else found
    chain = root.work.chain or root.job_id
    refined = [job for job in await chains.of_chain(ledger, chain) if job.work.kind == "refine" and not job.reuses]
    of_base = [job for job in refined if key(job.work.name.rpartition("-v")[0]) == key(base)]
    # The parts of a batch have a timeline each; of all other jobs in one session there is one.
    others = [job for job in refined if job not in of_base and may_be_refined(job)] if root.work.kind != "batch" else []
    return _Line(root, chain, base, tuple(of_base), tuple(others))


# ---------------------------------------------------------------- batches


def only_on(name: str, message: str) -> str:
    """Word a message that is about one file of a session that holds several. Source: product.md 3, Batch."""
    return f'Work only on the file "{name}": {message}'


def upload_name(job: Job) -> str:
    """Give the name under which a job's clip lies in its session."""
    return job.work.upload_name or folders.last_part(job.clip.rel)


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
