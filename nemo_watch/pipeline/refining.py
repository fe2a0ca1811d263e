"""Refinements: what they go on from, and which of them is the same work again.

Touches: the inbox and the ledger, reading only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nemo_watch import folders, routing
from nemo_watch.errors import SidecarError
from nemo_watch.folders.names import key, split
from nemo_watch.ledger import Ledger, chains
from nemo_watch.model import OPEN_STATES, Drop, FileRef, Instructions, Job, Work, same_file
from nemo_watch.pipeline.giving import (
    given_name,
    only_on,
    plan_work,
    read_instructions,
    refuse_keys,
    result_stem,
    upload_name,
)
from nemo_watch.pipeline.house import InboxRules

_ANSWERED = "no_edit_made"
"""The one unpaid reject that can be gone on from: the editor only answered, and its session is kept."""


def may_be_refined(job: Job) -> bool:
    """Tell whether a job has a timeline to go on from, or will have: delivered, under way, or its edit is kept."""
    failure = job.failure
    if job.state == "rejected" and failure is not None:
        return _only_answered(job) or (failure.paid == "yes" and failure.code != "1002")
    return job.state == "delivered" or (job.state in OPEN_STATES and failure is None)


def _only_answered(job: Job) -> bool:
    return job.state == "rejected" and job.failure is not None and job.failure.code == _ANSWERED


async def refinement(rules: InboxRules, drop: Drop, ledger: Ledger | None) -> tuple[Instructions, Work]:
    """Understand a `.refine` text, and find what it goes on from. Raises: SidecarError, MediaError. Repeat: safe."""
    instructions = await read_instructions(rules, drop.clip)
    refuse_keys(instructions, "a refinement")
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
