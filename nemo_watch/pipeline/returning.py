"""Where the original of a retried job lies, and bringing it back into the inbox where its next steps need it.

Touches: inbox, rejects and archive (looking; moving what a person has retried), the ledger.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from nemo_watch import folders
from nemo_watch.errors import FolderError, MediaError
from nemo_watch.guarded import GuardedFolder
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.rows import pack_stamp, unpack_stamp
from nemo_watch.ledger.turning import RETRY
from nemo_watch.model import ANY_INODE, FileRef, FileStamp, Job, Json, Step, same_file
from nemo_watch.pipeline.house import EndedError, House, InboxRules, log

Place = Literal["rejects", "archive"]
ENDS: tuple[tuple[Place, str], ...] = (("rejects", "reject"), ("archive", "archive"))


# ---------------------------------------------------------------- where it lies


@dataclass(frozen=True, slots=True)
class _Put:
    """A file that was put somewhere; `rel` is its path below the inbox before."""

    rel: str
    path: str
    size_bytes: int
    is_clip: bool


async def find_original(rules: InboxRules, job: Job, steps: Sequence[Step], *, needed: bool) -> Json:
    """Write down what a retried job must know: where its files lie, and the report beside them that is void now.

    `needed`: its next steps read the clip. Raises: FolderError; MediaError ("gone") with where it was looked for.
    """
    place, put = _where_put(steps)
    note: Json = {"place": place, "files": [], "needed": needed, "as_drop": False, "paid": "no"}
    note["report"] = _report_of(steps)
    looked = [os.path.join(rules.places.inbox, job.clip.rel)]
    is_found = False
    try:
        for file in put:
            found = await _look_at(_folder(rules, place), file.path)
            # What lies beside the clip may have been mended.
            if found is not None and (found.size_bytes == file.size_bytes or not file.is_clip):
                entry = {"rel": file.rel, "path": file.path, "stamp": pack_stamp(found), "clip": file.is_clip}
                note["files"].append(entry)
                is_found = is_found or file.is_clip
            elif file.is_clip:
                looked.append(file.path)
        if needed and not is_found:
            lies = await _look_at(rules.inbox, looked[0])
            is_found = lies is not None and lies.size_bytes == job.clip.stamp.size_bytes
    except FolderError:
        if needed:
            raise
        note["files"] = []  # what is left to be done reads no file; it stays where it is
    if needed and not is_found:
        raise MediaError(
            f"The original of job {job.job_id} is needed and cannot be found; it was looked for at "
            f"{' and at '.join(looked)}.",
            code="gone",
            hint="Put the clip, and its instruction file, back into the inbox: it goes on by itself then.",
        )
    return note


def _where_put(steps: Sequence[Step]) -> tuple[Place, list[_Put]]:
    """Read where the files of a job were put: by its end, or where an earlier retry found them and left them."""
    by_name = {step.name: step for step in steps}
    for place, name in ENDS:
        step = by_name.get(name)
        moves = step.data["moves"] if step is not None else []
        if moves:
            return place, [
                _Put(move["rel"], move["target"], unpack_stamp(move["stamp"]).size_bytes, move.get("clip", number == 0))
                for number, move in enumerate(moves)
                if move["target"]
            ]
    before = by_name.get(RETRY)
    if before is not None and before.state == "intent":
        left = [
            _Put(file["rel"], file["path"], unpack_stamp(file["stamp"]).size_bytes, file["clip"])
            for file in before.data["files"]
        ]
        return before.data["place"], left
    return "rejects", []


def _report_of(steps: Sequence[Step]) -> Json | None:
    for step in steps:
        if step.name == "reject" and step.data["report"]:
            return {"target": step.data["report_target"], "content": step.data["report"]}
    return None


async def _look_at(folder: GuardedFolder, path: str) -> FileStamp | None:
    try:
        return await folder.call(_stamp, path)
    except OSError as error:
        raise FolderError(
            f"{path} cannot be looked at: {error.strerror or error}.",
            code="outbox_unavailable",
            hint="Look whether its disk or share is there, and whether this user may read it.",
        ) from error


def _stamp(path: str) -> FileStamp | None:
    try:
        return folders.stamp_of(os.stat(path, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _folder(rules: InboxRules, place: Place) -> GuardedFolder:
    return rules.rejects if place == "rejects" else rules.archive


# ---------------------------------------------------------------- bringing it back


async def bring_back(house: House, job: Job) -> Job:
    """Do what a retry left to the worker: the void report goes, the files come back if the next steps read them.

    Names are committed before anything is moved. Raises: FolderError, MediaError ("gone", "changed"), EndedError if the
    files are a new drop now. Repeat: safe.
    """
    step = await house.ledger.step(job.job_id, RETRY)
    if step is None or step.state == "done":
        return job
    note = await remove_void_report(house, job, step)
    if not note["needed"]:
        return job  # where the files lie stays written: at the job's end they leave from there
    house.show(job, RETRY)
    while "targets" not in note or not await _carry_back(house, job, note):
        rules = house.rules(job)
        coming = [file["rel"] for file in note["files"] if "at" not in file]
        plans = await rules.inbox.call(folders.plan_moves, rules.places, rules.places.inbox, coming) if coming else []
        targets = {rel: plan.target for rel, plan in zip(coming, plans, strict=True)}
        note = {**note, "targets": targets, "temp": folders.temp_mark(house.ledger.ledger_id)}
        await house.ledger.intend(job.job_id, RETRY, house.token, note)
    return await _settle(house, job, note)


async def remove_void_report(house: House, job: Job, step: Step | None = None) -> Json:
    """Remove the error report of a job that a person had go on; give what is left to be done. Repeat: safe."""
    step = step or await house.ledger.step(job.job_id, RETRY)
    if step is None or step.state == "done" or step.data["report"] is None:
        return step.data if step is not None else {}
    report, rules = step.data["report"], house.inboxes.get(job.inbox)
    if rules is None:  # the config does not know it any more, nor where its rejects are
        return step.data
    try:
        await rules.rejects.call(folders.remove_own, report["target"], report["content"].encode())
    except FolderError as error:
        log.info("report.left", path=report["target"], why=error.message)
    note = {**step.data, "report": None}
    await house.ledger.intend(job.job_id, RETRY, house.token, note)
    return note


async def _carry_back(house: House, job: Job, note: Json) -> bool:
    """Move every file to its planned name, the clip last; False if a name was taken meanwhile."""
    rules = house.rules(job)
    source = _folder(rules, note["place"])
    for file in reversed(note["files"]):
        if "at" in file:
            continue
        target = note["targets"][file["rel"]]
        stamp = unpack_stamp(file["stamp"])
        rel = os.path.relpath(target, rules.places.inbox)
        if file["clip"] and not note["as_drop"]:
            # Before it lies there: nobody must take it for a new drop.
            house.on_return(job.inbox, FileRef(rel, replace(stamp, inode=ANY_INODE)))
        ref = FileRef(os.path.relpath(file["path"], source.root), stamp)
        result = await source.call_with(
            rules.inbox, folders.move_original, source.root, ref, rules.inbox.root, target, note["temp"]
        )
        if result == "taken":
            return False
        if result == "kept":
            raise FolderError(
                f"{file['path']} cannot be taken out of its folder, which cannot be written to.",
                code="outbox_unavailable",
                hint="Give the daemon's user the right to write there; it goes on by itself then.",
            )
        lies = await _look_at(rules.inbox, target)
        if lies is not None and lies.size_bytes == stamp.size_bytes:
            file["at"] = target
        elif file["clip"]:
            what = "was changed" if result == "changed" else "was removed"
            code = "changed" if result == "changed" else "gone"
            raise MediaError(f"{file['path']} {what} before it was brought back.", code=code)
    return True


async def _settle(house: House, job: Job, note: Json) -> Job:
    """Write down where the files lie now. What did not come back is not waited for: its words are in the ledger."""
    rules = house.rules(job)
    there: dict[str, FileRef] = {}
    clip = job.clip
    for file in note["files"]:
        stamp = await _look_at(rules.inbox, file["at"]) if "at" in file else None
        if stamp is not None:
            there[file["rel"]] = FileRef(os.path.relpath(file["at"], rules.places.inbox), stamp)
            clip = there[file["rel"]] if file["clip"] else clip
    if note["as_drop"]:
        sentence = "Its files lie in the inbox and are looked at anew, like a new drop."
        await house.ledger.release(job.job_id, sentence)
        await house.ledger.done(job.job_id, RETRY, house.token, {**note, "files": []})
        house.on_release(job.inbox, clip.rel)
        raise EndedError
    work, own = job.work, job.work.sidecar
    if own is not None and work.source == "sidecar":
        here = there.get(own.rel)
        if here is None and not await rules.inbox.call(folders.is_unchanged, rules.places.inbox, own):
            work = replace(work, sidecar=None)
        elif here is not None and same_file(replace(own.stamp, inode=ANY_INODE), here.stamp):
            work = replace(work, sidecar=here)
        # A mended one is found to be changed before anything is paid, and makes a new drop of the clip.
    found = {rel: ref for rel, ref in there.items() if ref != clip}
    work = replace(work, companions=tuple(found.get(ref.rel, ref) for ref in work.companions))
    if clip == job.clip and not note["files"]:
        clip = await _as_it_lies(rules, job)
    await house.ledger.move_clip(job.job_id, job.inbox, clip, work)
    house.on_return(job.inbox, clip)
    await house.ledger.done(job.job_id, RETRY, house.token, {**note, "files": []})
    log.info("file.back", job=job.job_id, file=clip.rel)
    return replace(job, clip=clip, work=work)


async def _as_it_lies(rules: InboxRules, job: Job) -> FileRef:
    """Give the clip that never left the inbox with the inode it has today."""
    lies = await _look_at(rules.inbox, os.path.join(rules.places.inbox, job.clip.rel))
    same = lies is not None and (lies.size_bytes, lies.mtime_ns) == (
        job.clip.stamp.size_bytes,
        job.clip.stamp.mtime_ns,
    )
    return FileRef(job.clip.rel, lies) if lies is not None and same else job.clip


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where the files of a retried job lie: each with its absolute path, its stamp, and whether it is the clip."""

    place: Place
    files: list[tuple[str, FileStamp, bool]]

    @property
    def clip_path(self) -> str:
        """Where the clip lies, "" if it is not among them."""
        return next((path for path, _stamp, is_clip in self.files if is_clip), "")


async def left_elsewhere(ledger: Ledger, job: Job) -> Elsewhere | None:
    """Tell where files lie that a retry has not brought back, as nothing reads them any more; None if in the inbox."""
    step = await ledger.step(job.job_id, RETRY)
    if step is None or step.state == "done" or not step.data["files"]:
        return None
    files = [(file["path"], unpack_stamp(file["stamp"]), file["clip"]) for file in step.data["files"]]
    return Elsewhere(step.data["place"], files)


async def is_coming_back(ledger: Ledger, job: Job) -> bool:
    """Tell whether the clip of a retried job is still to be brought back: it is not missed in the inbox until then."""
    step = await ledger.step(job.job_id, RETRY)
    return step is not None and step.state == "intent"
