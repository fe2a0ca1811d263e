"""Jobs of which nothing was paid follow what they were made from: their files, and the backend they were made for.

Touches: the ledger.
"""

from __future__ import annotations

from dataclasses import replace

from nemo_watch import folders
from nemo_watch.ledger import Ledger
from nemo_watch.model import ANY_INODE, OPEN_STATES, Job, same_file
from nemo_watch.pipeline.house import House, log, paid_so_far
from nemo_watch.pipeline.returning import is_coming_back

OTHER_BACKEND = "other_backend"
ALL = 1_000_000


async def turn_to(ledger: Ledger, backend: str) -> None:
    """See to open jobs that were made for another backend than the config names now.

    What paid nothing there is released: its file is a new drop here, and counted as such. What paid there is held until
    that backend is named again, unless all that is left is to be done on this machine. To be called before any file is
    known to a watcher. Raises: LedgerError. Repeat: safe. Source: product.md 4.2, 4.7.
    """
    await ledger.wake(OTHER_BACKEND)
    for job in await ledger.jobs(OPEN_STATES, limit=ALL):
        if not is_of_another(job, backend) or job.failure is not None:
            continue
        if await paid_so_far(ledger, job) == "no":
            sentence = f"It was made for the backend {job.work.backend} and nothing was paid; now it is a new drop."
            await ledger.release(job.job_id, sentence)
            log.info("job.released", job=job.job_id, file=job.clip.rel, why=sentence)
        elif not await _is_downloaded(ledger, job):
            sentence = (
                f"Its edit was paid at the backend {job.work.backend}; it goes on when [backend] url = "
                f'"{job.work.backend}" stands in the config again. To have it edited at {backend} as well, drop the '
                "clip once more."
            )
            await ledger.update(
                job.job_id, state="held", reason=OTHER_BACKEND, sentence=sentence, next_try_at=None, active=False
            )
            log.warning("job.held", job=job.job_id, file=job.clip.rel, reason=OTHER_BACKEND, why=sentence)


def is_of_another(job: Job, backend: str) -> bool:
    """Tell whether a job was made for another backend than this one."""
    return job.work.backend not in ("", backend)


async def _is_downloaded(ledger: Ledger, job: Job) -> bool:
    last = await ledger.step(job.job_id, f"download-{len(job.work.exports)}")
    return last is not None and last.state == "done"


async def follow_files(house: House, inbox: str) -> None:
    """Release held jobs that paid nothing and whose clip or instruction is another one now, or gone.

    What the eyes on the inbox saw last is believed: no file is touched. Raises: LedgerError. Effects: files that are
    still there are new drops. Repeat: safe.
    """
    for job in await house.ledger.jobs(("held",), inbox=inbox, limit=ALL):
        what = _what_changed(house, job)
        if not what or await is_coming_back(house.ledger, job):
            continue
        if job.failure is None and await house.ledger.release_held(job.job_id, what):
            house.on_release(job.inbox, job.clip.rel)
            log.info("job.released", job=job.job_id, file=job.clip.rel, why=what)


def _what_changed(house: House, job: Job) -> str:
    used = job.work.sidecar
    for ref in (job.clip, *((used,) if used else ())):
        seen = house.seen_as(job.inbox, ref.rel)
        # By size and time: inode numbers may be others since the file was read, after a reboot for example.
        if seen is None or not same_file(seen, replace(ref.stamp, inode=ANY_INODE)):
            what = "removed" if seen is None else "changed"
            return f"{folders.last_part(ref.rel)} was {what} before anything was paid."
    own = house.own_sidecar(job.inbox, job.clip.rel) if job.work.kind == "edit" else None
    if own is not None and own.rel != (used.rel if used is not None and job.work.source == "sidecar" else None):
        return f"{folders.last_part(own.rel)} came before anything was paid."
    return ""
