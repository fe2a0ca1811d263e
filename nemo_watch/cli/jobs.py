"""Which job a person means: by its id or the beginning of it, or by a clip that one job alone knows.

Touches: the folders (resolving a path), the ledger (reading).
"""

from __future__ import annotations

import os

from nemo_watch.cli.jobwords import clock
from nemo_watch.cli.places import locate
from nemo_watch.config import Config
from nemo_watch.errors import OperatorError
from nemo_watch.ledger import Ledger, turning
from nemo_watch.ledger.finding import job_that_put
from nemo_watch.model import Job
from nemo_watch.reports import printable_name

MOST_NAMED = 10


async def find_job(config: Config, ledger: Ledger, what: str) -> Job:
    """Find the one job that is meant. Raises: OperatorError that lists the candidates, or says what can be named."""
    jobs = await turning.named(ledger, what) if what else []
    if not jobs and what:
        jobs = await _of_path(config, ledger, what)
    if len(jobs) == 1:
        return jobs[0]
    if not jobs:
        raise OperatorError(
            f'No job is known as "{printable_name(what)}".',
            code="job_unknown",
            hint="Name the id of a job, or its beginning, or a clip; nemo-watch status --json lists the jobs.",
        )
    lines = [
        f"{job.job_id}  {job.state}, {clock(job.updated_at)}  {printable_name(job.clip.rel)}"
        for job in jobs[:MOST_NAMED]
    ]
    more = [f"and {len(jobs) - MOST_NAMED} more"] if len(jobs) > MOST_NAMED else []
    raise OperatorError(
        f'"{printable_name(what)}" is known to {len(jobs)} jobs; name one of them by its id.',
        code="job_unclear",
        hint="\n".join([*lines, *more]),
    )


async def _of_path(config: Config, ledger: Ledger, what: str) -> list[Job]:
    """Find the jobs of a file: a path in one of the folders, or a name or path below any inbox."""
    spot = locate(config, what) if os.path.isabs(what) or os.path.lexists(what) else None
    if spot is not None and spot.role == "inbox":
        return await turning.of_clip(ledger, spot.rel, inbox=spot.inbox.name)
    if spot is not None:
        put = await job_that_put(ledger, spot.path)
        return [put[0]] if put is not None else []
    rel = os.path.normpath(what)
    return [] if os.path.isabs(rel) or rel.split("/")[0] == ".." else await turning.of_clip(ledger, rel)
