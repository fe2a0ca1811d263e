"""Render and download: free, but never twice for nothing, and never lost.

Touches: the backend, the spool, the ledger.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from nemo_watch import folders, policy
from nemo_watch.client import DUPLICATE_ID
from nemo_watch.errors import CloudError, MediaError, RefusedError
from nemo_watch.folders.files import target_errors
from nemo_watch.model import Export, Job, Json, RenderStatus, Session
from nemo_watch.pipeline.house import House, RejectedError, StepAsideError, log, now

MOST_RENDERS = 2
"""One render, and one more if it fails, is forgotten by the backend, or gives a damaged file."""

LAST_BAD = 2
"""So many damaged downloads of one render are fetched again: by its URL, then by the fallback."""

PATIENT_TRIES = 2
"""So often a URL that does not answer is tried before the fallback."""

EMPTY_COMPLETIONS = 3
"""How often a finished render without a URL is asked for again before the fallback is used (contract.md 8.2)."""

_UNKNOWN = {
    True: "the backend does not know its id any more",
    False: "the backend says that its id was used before, and does not know it",
}
"""What is said of a render that the backend does not know: one that it took, and one that it did not."""


async def render(house: House, job: Job, session: Session, draft: Json, number: int, export: Export) -> Json:
    """Have one export made; the render's id is durable before it is submitted, and asked for again after a doubt.

    Returns the finished step's data (`render_id`, `url`, ...). Raises: CloudError, RejectedError, StepAsideError.
    Repeat: safe; a second id is used at most once. Source: contract.md 8, product.md 9.
    """
    name = f"render-{number}"
    step = await house.ledger.step(job.job_id, name)
    if step is not None and step.state == "done":
        return step.data
    data: Json = dict(step.data) if step is not None else _first_render()
    if step is None:
        await house.ledger.intend(job.job_id, name, house.token, data)
    status: RenderStatus | None
    if not data["acknowledged"]:
        status = await _submit_or_find(house, job, session, draft, export, name, data, again=step is not None)
    else:
        status = await _ask(house, job, data["render_id"])
    if status is None or status.state in ("failed", "cancelled"):
        reason = status.error if status is not None else _UNKNOWN[data["acknowledged"]]
        await _another_render(house, job, name, data, reason)
    if status.state != "completed":
        await _wait_for(house, job, name, data, status)
    if not status.url and data["empty"] + 1 < EMPTY_COMPLETIONS:
        await house.ledger.intend(job.job_id, name, house.token, {**data, "empty": data["empty"] + 1})
        raise _poll_later(house, data, 100.0)
    data |= {"url": status.url, "duration_s": status.duration_s, "size_bytes": status.size_bytes}
    await house.done(job, name, data)
    return data


def _first_render() -> Json:
    render_id = f"render_{uuid.uuid4()}"
    return {"render_id": render_id, "ids": [render_id], "acknowledged": False, "empty": 0, "bad": 0}


def _next_render(data: Json) -> Json:
    fresh = _first_render()
    return fresh | {"ids": [*data["ids"], fresh["render_id"]], "bad": data["bad"]}


async def _submit_or_find(
    house: House, job: Job, session: Session, draft: Json, export: Export, name: str, data: Json, *, again: bool
) -> RenderStatus | None:
    """Submit a render; if it may have been submitted before, ask for its id first.

    An id that the backend does not know was never accepted, so the same id is submitted: no second render can come of
    it even if the first request is still on its way. Returns None where the backend refuses the id as one that was
    used before and does not know it: only another id can be taken then.
    """
    status = await _ask(house, job, data["render_id"], any_404=True) if again else None
    if status is None:
        try:
            status = await house.client.submit_render(
                data["render_id"], session.session_id, draft, export, house.skill(job)
            )
        except CloudError as error:
            # A server's failure that speaks of a duplicate is no doubt: the id itself tells what became of it.
            if error.code != DUPLICATE_ID:
                if error.refused and len(data["ids"]) == 1:
                    await house.ledger.clear(job.job_id, name)
                raise
            status = await _ask(house, job, data["render_id"])
            if status is None:
                told = error.__cause__
                if len(data["ids"]) > 1 and isinstance(told, RefusedError) and told.code != "409":
                    # A fresh id cannot have been used before: the words were about something else.
                    await house.ledger.clear(job.job_id, name)
                    raise told from None
                return None
    await house.holds.export_passed()
    data |= {"acknowledged": True, "submitted_at": now().isoformat()}
    await house.ledger.intend(job.job_id, name, house.token, data)
    log.info("render.submitted", job=job.job_id, step=name, render=data["render_id"])
    return status


async def _ask(house: House, job: Job, render_id: str, *, any_404: bool = False) -> RenderStatus | None:
    """Ask for a render; None if the backend does not know it.

    Of a proxy's page nothing can be told: only the backend itself can say that it does not know an id. But where the
    same id would be submitted then, which makes no second render, `any_404` will do.
    """
    try:
        return await house.client.render_status(render_id, house.skill(job))
    except CloudError as error:
        is_its_word = isinstance(error, RefusedError) and (error.code == "404" or error.status == 404)
        if error.status < 500 and (is_its_word or (any_404 and error.status == 404)):
            return None
        raise


async def _another_render(house: House, job: Job, name: str, data: Json, reason: str) -> NoReturn:
    """Plan one more render under a new id, or reject. Never returns."""
    if len(data["ids"]) >= MOST_RENDERS:
        # The next time the file is put back, it may be tried anew.
        await house.ledger.clear(job.job_id, name)
        raise RejectedError(policy.render_failed(name, reason))
    fresh = _next_render(data)
    await house.ledger.intend(job.job_id, name, house.token, fresh)
    log.warning("render.again", job=job.job_id, step=name, why=reason, render=fresh["render_id"])
    raise StepAsideError(0.0, "retry", f"The export failed ({reason}); it is made once more.")


async def _wait_for(house: House, job: Job, name: str, data: Json, status: RenderStatus) -> NoReturn:
    """Leave the worker to others until the next poll. Never returns."""
    waited_s = _waited_s(data)
    if waited_s >= house.patience.give_up_after_s:
        raise RejectedError(policy.render_timeout(name, data["render_id"]))
    await house.ledger.update(job.job_id, step=name, progress=status.progress)
    house.count(job, name, status.progress, 100.0, in_bytes=False)
    raise _poll_later(house, data, status.progress)


def _poll_later(house: House, data: Json, progress: float) -> StepAsideError:
    patience = house.patience
    waited_s = _waited_s(data)
    if waited_s < patience.first_poll_s:
        after_s = min(patience.first_poll_s, patience.render_poll_s)
    elif waited_s < patience.slow_after_s:
        after_s = patience.render_poll_s
    else:
        after_s = max(patience.render_poll_s, patience.slow_poll_s)
    return StepAsideError(after_s, "render", f"The export is being made ({progress:.0f} %).")


def _waited_s(data: Json) -> float:
    return (now() - datetime.fromisoformat(data["submitted_at"])).total_seconds()


async def kept_export_passes(house: House) -> bool | None:
    """Try the export of one job that was rejected because its plan did not allow it; None if none of them is kept.

    Its render id is durable first and stays with the job: what is made now is what a retry of it asks for.
    Raises: CloudError. Repeat: safe. Source: product.md 9, rows 402 and 403.
    """
    for job in await house.ledger.jobs(("rejected",)):
        failure = job.failure
        if failure is None or failure.code not in policy.EXPORT_REFUSED or not failure.step.startswith("render-"):
            continue
        owner = job.reuses or job.job_id
        session, draft = await house.ledger.step(owner, "session"), await house.ledger.step(owner, "draft")
        if session is None or draft is None or house.backend_key != job.work.backend:
            continue
        number = int(failure.step.removeprefix("render-"))
        begun = Session(session.data["session_id"], session.data["task_id"], session.data["user_id"])
        # An earlier try whose answer was lost has left its id.
        tried = await house.ledger.step(job.job_id, failure.step)
        data = dict(tried.data) if tried is not None else _first_render()
        await house.ledger.intend(job.job_id, failure.step, house.token, data)
        export, is_again = job.work.exports[number - 1], tried is not None
        what = (draft.data["draft"], export, failure.step)
        try:
            found = await _submit_or_find(house, job, begun, *what, data, again=is_again)
            if found is None and len(data["ids"]) < MOST_RENDERS:
                data = _next_render(data)
                await house.ledger.intend(job.job_id, failure.step, house.token, data)
                found = await _submit_or_find(house, job, begun, *what, data, again=False)
        except CloudError as error:
            if error.code in policy.EXPORT_REFUSED:
                return False
            if error.code != "1002":
                raise
            continue
        if found is not None:
            return True
    return None


# ---------------------------------------------------------------- download


async def download(house: House, job: Job, number: int, made: Json) -> bool:
    """Fetch one result into the spool and see that it is whole and opens.

    Returns False if the bytes stayed bad and the export has to be made once more. Raises: CloudError, RejectedError,
    FolderError. Repeat: safe; a partial download goes on where it was. Source: contract.md 8.3, product.md 9.
    """
    name, rendering = f"download-{number}", f"render-{number}"
    path = os.path.join(house.spool.root, job.job_id, f"{number}.mp4")
    known = await house.recorded(job, name)
    if known is not None and await house.spool.call(_size_bytes, path) == known["size_bytes"]:
        return True
    await house.spool.call(folders.make_folder, os.path.dirname(path))
    started_at = now()
    house.show(job, name, 0.0)

    def on_progress(got: int, total: int) -> None:
        house.count(job, name, got, total)

    part = path + ".part"
    try:
        await _fetch(house, job, made, part, on_progress)
        info = await house.verify(part, made["duration_s"] or None, made["size_bytes"] or None)
    except MediaError as error:
        return await _bad_bytes(house, job, name, rendering, made, part, error)
    except CloudError as error:
        is_gone = error.status in (403, 404, 410) or error.code in ("402", "403", "404", "410")
        if error.status >= 500 or not is_gone:
            raise
        # Neither address has it any more: the kept draft is made into a file once more, which is free.
        gone = MediaError("the backend does not have it any more.", code="download_corrupt")
        return await _bad_bytes(house, job, name, rendering, {**made, "bad": LAST_BAD}, part, gone)
    await house.spool.call(folders.take_name, part, path)
    digest, size_bytes = await house.spool.call(_content, path)
    data = {"path": path, "sha256": digest, "size_bytes": size_bytes, "duration_s": info.duration_ms / 1000}
    await house.done(job, name, data, started_at=started_at)
    log.info("download.done", job=job.job_id, step=name, size_bytes=size_bytes)
    return True


def _size_bytes(path: str) -> int | None:
    with target_errors(os.path.dirname(path)):
        try:
            return os.stat(path).st_size
        except FileNotFoundError:
            return None


def _content(path: str) -> tuple[str, int]:
    with target_errors(os.path.dirname(path)):
        return folders.hash_file(path), os.stat(path).st_size


def _throw_away(path: str) -> None:
    with target_errors(os.path.dirname(path)), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


async def _fetch(house: House, job: Job, made: Json, part: str, on_progress: Callable[[int, int], None]) -> None:
    """Take the URL first; the backend's own download route if the URL is missing, refused or gave bad bytes before."""
    if made["url"] and made["bad"] < 2:
        try:
            await house.client.download(made["url"], part, disk=house.spool.call, on_progress=on_progress)
            return
        except CloudError as error:
            # A host that stays silent or broken may be gone for good: then the backend's own route is asked, too.
            if not 400 <= error.status < 500 and job.attempts < PATIENT_TRIES:
                raise
            log.warning("download.fallback", job=job.job_id, why=error.message)
    await house.client.download_fallback(
        made["render_id"], part, house.skill(job), disk=house.spool.call, on_progress=on_progress
    )


async def _bad_bytes(
    house: House, job: Job, name: str, rendering: str, made: Json, part: str, error: MediaError
) -> bool:
    """Count a damaged download: again, then the fallback, then one more render, then reject."""
    await house.spool.call(_throw_away, part)
    bad = made["bad"] + 1
    made = {**made, "bad": bad}
    log.warning("download.bad", job=job.job_id, step=name, times=bad, why=error.message)
    if bad <= LAST_BAD:
        await house.ledger.done(job.job_id, rendering, house.token, made)
        raise StepAsideError(0.0, "retry", f"The result came damaged ({error.message}); it is fetched again.")
    if len(made["ids"]) >= MOST_RENDERS:
        await house.ledger.clear(job.job_id, rendering)
        raise RejectedError(policy.download_corrupt(name, error.message))
    fresh = _first_render()
    await house.ledger.intend(job.job_id, rendering, house.token, fresh | {"ids": [*made["ids"], fresh["render_id"]]})
    return False
