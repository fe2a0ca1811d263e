"""Session and uploads: free, and nothing but what was checked goes up.

Touches: the inbox (reading), the backend, the ledger.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass

from nemo_watch import folders
from nemo_watch.client import MIME_TYPES, UploadSource
from nemo_watch.errors import CloudError, ConfigError, FolderError, MediaError
from nemo_watch.folders.names import split
from nemo_watch.model import FileRef, Job, Session
from nemo_watch.pipeline import sharing
from nemo_watch.pipeline.giving import read_instructions, upload_name
from nemo_watch.pipeline.house import House, StepAsideError, log, now

UNLISTED = "listing"
LISTING_S = 0.5
"""So soon a job looks again whether its inbox was gone through since the start."""

_ADDRESS_HINT = (
    "Open the address in a browser: it must lead to the file itself, and everybody on the internet must be able to "
    "open it. Mend it and put its file back into the inbox, or drop the clip itself."
)
MOST_UPLOAD_BYTES = 500 * 1024 * 1024
"""What is larger is refused here, before any call. Source: contract.md 5."""


async def ensure_session(house: House, job: Job) -> Session:
    """Open the job's session, or find the one it has. Free. Repeat: safe, at worst an empty session stays behind."""
    known = await house.recorded(job, "session")
    if known is not None:
        return Session(known["session_id"], known["task_id"], known["user_id"])
    house.show(job, "session")
    started_at = now()
    _refuse_what_is_too_large(job)
    await house.holds.refuse(job.job_id, begun=False)
    await see_that_nothing_changed(house, job)
    # A session lives as long as its token, and belongs to nobody else afterwards.
    await house.holds.ensure_token()
    session = await _session_for(house, job)
    others = house.paid_calls - house.own_calls[job.job_id]
    data = {**asdict(session), "credits_before": await read_credits(house, job), "others_calls": others}
    await house.done(job, "session", data, started_at=started_at)
    return session


async def _session_for(house: House, job: Job) -> Session:
    """Open a session, or take the one that the job shares with others. Raises: CloudError, RejectedError."""
    if job.work.kind == "refine":
        return await sharing.parents_session(house, job)
    language = house.session_language(job.work.skill, job.work.language)
    if job.work.kind == "batch":
        return await sharing.batch_session(house, job, language)
    return await house.client.open_session(job.work.title, language, house.skill(job))


async def read_credits(house: House, job: Job) -> float | None:
    """Read the balance for the report; None if it cannot be read now, which must not stop a job.

    None, too, if the job's backend is another one than today's.
    """
    if job.work.backend != house.backend_key:
        return None
    try:
        return (await house.client.balance(house.skill(job))).available
    except (CloudError, ConfigError, FolderError) as error:
        log.info("credits.unread", job=job.job_id, why=error.message)
        return None


def _refuse_what_is_too_large(job: Job) -> None:
    for ref in (*job.work.assets, *job.work.companions):  # the clip itself was judged when it was seen
        if ref.stamp.size_bytes > MOST_UPLOAD_BYTES:
            raise MediaError(
                f"{folders.last_part(ref.rel)} has {ref.stamp.size_bytes / 1024**2:.0f} MB, and the backend takes "
                f"files of up to {MOST_UPLOAD_BYTES >> 20} MB.",
                code="4002",
                hint="Make it smaller (a lower resolution or bit rate, or in parts), then drop it again.",
            )


async def see_that_nothing_changed(house: House, job: Job) -> None:
    """Before the first paid step: a changed clip, instruction or asset is a new drop, nothing was paid for this one."""
    rules = house.rules(job)
    sidecar = (job.work.sidecar,) if job.work.sidecar else ()
    for ref in (job.clip, *sidecar, *job.work.companions, *job.work.assets):
        found = await rules.inbox.call(folders.standing, rules.places.inbox, ref)
        if found != "same":
            what = "was changed" if found == "changed" else "was removed"
            raise MediaError(f"{folders.last_part(ref.rel)} {what} before anything was paid.", code=found)
    if not house.is_known(job.inbox, job.clip.rel):  # an instruction file may have come while the daemon was down
        raise StepAsideError(LISTING_S, UNLISTED, "Its inbox is gone through first, as after every start.")
    own = house.own_sidecar(job.inbox, job.clip.rel) if job.work.kind == "edit" else None
    used = job.work.sidecar.rel if job.work.sidecar is not None and job.work.source == "sidecar" else None
    if own is not None and own.rel != used:
        raise MediaError(f"{folders.last_part(own.rel)} came before anything was paid.", code="changed")


# ---------------------------------------------------------------- uploads


async def upload_files(house: House, job: Job, session: Session) -> bool:
    """Upload the clip, its assets and its subtitles, one by one; False if all were there already. Free.

    Repeat: safe, nothing is sent twice.

    A text that gives work by itself is not uploaded; of an address the backend fetches the file.
    """
    is_new = False
    for number, ref in enumerate((job.clip, *job.work.assets, *job.work.companions)):
        name = f"upload-{number}"
        if await house.recorded(job, name) is not None or (number == 0 and job.work.kind in ("refine", "generate")):
            continue
        try:
            if number == 0 and job.work.kind == "url":
                await _upload_by_url(house, job, session, name)
            elif number == 0 or not await _is_there(house, job, session, name, ref):
                await _upload(house, job, session, name, ref)
        except CloudError as error:
            if error.code != "4001" or ref not in job.work.companions:
                raise
            note = f"The backend does not take subtitles; {folders.last_part(ref.rel)} was left out."
            await house.done(job, name, {"refused": note})
        is_new = True
    return is_new


async def _upload_by_url(house: House, job: Job, session: Session, name: str) -> None:
    """Have the backend fetch the file. The address may hold a secret: it is read where it stands, and kept nowhere."""
    started = await house.ledger.step(job.job_id, name)
    if started is not None:
        state = await house.client.state(session.session_id, house.skill(job))
        if state.video_infos:  # it is the first thing in this session
            await house.done(job, name, {"url": job.work.url, "adopted": True})
            return
    instructions = await read_instructions(house.rules(job), job.clip)
    await see_that_nothing_changed(house, job)
    await house.ledger.intend(job.job_id, name, house.token, {"url": job.work.url})
    house.show(job, name)
    try:
        uploaded = await house.client.upload_url(session.session_id, instructions.url, house.skill(job))
    except CloudError as error:
        if error.code in ("400", "404", "422"):
            error.hint = _ADDRESS_HINT
        raise
    await house.done(job, name, {"url": job.work.url, "filename": uploaded.filename})


async def _is_there(house: House, job: Job, session: Session, name: str, ref: FileRef) -> bool:
    """Of an asset that several parts of a batch name one upload is enough."""
    if job.work.kind != "batch":
        return False
    filename, sha256 = folders.last_part(ref.rel), job.work.fingerprint_of(ref)
    for step in await sharing.uploads_of_others(house, job, session):
        if (step.data.get("filename"), step.data.get("sha256")) == (filename, sha256):
            await house.done(job, name, {"filename": filename, "sha256": sha256, "shared": True})
            return True
    return False


async def _upload(house: House, job: Job, session: Session, name: str, ref: FileRef) -> None:
    rules = house.rules(job)
    filename = upload_name(job) if ref == job.clip else folders.last_part(ref.rel)
    expected = job.sha256 if ref == job.clip else job.work.fingerprint_of(ref)
    started = await house.ledger.step(job.job_id, name)
    if started is not None and await _arrived(house, job, session, name, filename):
        await _see_that_it_was(house, job, ref, expected)
        await house.done(job, name, {"filename": filename, "adopted": True})
        return
    await house.ledger.intend(job.job_id, name, house.token, {"filename": filename})
    house.show(job, name, 0.0)

    def on_progress(sent: int, total: int) -> None:
        house.count(job, name, sent, total)

    suffix = split(filename)[2].lower().lstrip(".")
    file = await rules.inbox.call(_hold_open, rules.places.inbox, ref)
    try:

        async def read(offset: int, count: int) -> bytes:
            return await rules.inbox.read(os.pread, file.fd, count, offset)

        source = UploadSource(filename, ref.stamp.size_bytes, MIME_TYPES.get(suffix, "application/octet-stream"), read)
        uploaded = await house.client.upload(session.session_id, source, house.skill(job), on_progress)
        still = await rules.inbox.call(folders.is_unchanged, rules.places.inbox, ref)
    finally:
        rules.inbox.threads.soon(file.close)  # on a file system that hangs a close hangs, too
    if uploaded.sent_sha256 != expected or not still:
        # What was sent is not what was checked: nothing is paid yet, so the clip starts again from the beginning.
        await _forget_uploads(house, job)
        raise MediaError(f"{filename} was changed while it was uploaded.", code="changed")
    await house.done(job, name, {"filename": filename, "sha256": uploaded.sent_sha256})


async def _see_that_it_was(house: House, job: Job, ref: FileRef, expected: str) -> None:
    """After an upload whose end nobody heard: what was checked was sent only if that is what lies there still."""
    rules = house.rules(job)
    try:
        found = await rules.inbox.call(folders.fingerprint, rules.places.inbox, ref)
    except MediaError:
        await _forget_uploads(house, job)
        raise
    if found != expected:
        await _forget_uploads(house, job)
        raise MediaError(f"{folders.last_part(ref.rel)} was changed while it was uploaded.", code="changed")


async def _forget_uploads(house: House, job: Job) -> None:
    """Leave a session that holds something else than what was checked: it must never be gone on with."""
    names = [step.name for step in await house.ledger.steps(job.job_id)]
    await house.ledger.clear(job.job_id, *(name for name in names if name.startswith(("session", "upload"))))


@dataclass(frozen=True, slots=True)
class _OpenFile:
    """A descriptor of a file in an inbox."""

    fd: int

    def close(self) -> None:
        """Let go of it. Repeat: once."""
        os.close(self.fd)


def _hold_open(root: str, ref: FileRef) -> _OpenFile:
    with folders.opened(root, ref) as fd:
        return _OpenFile(os.dup(fd))


async def _arrived(house: House, job: Job, session: Session, name: str, filename: str) -> bool:
    """After a doubt: is the asset already in the session, beside others of its name? Source: contract.md 5, Retry."""
    state = await house.client.state(session.session_id, house.skill(job))
    there = sum(isinstance(info, dict) and info.get("filename") == filename for info in state.video_infos)
    uploads = [s for s in await house.ledger.steps(job.job_id) if s.name.startswith("upload-") and s.name != name]
    uploads += await sharing.uploads_of_others(house, job, session)
    done = [s for s in uploads if s.state == "done" and s.data.get("filename") == filename and not s.data.get("shared")]
    return bool(there > len(done))
