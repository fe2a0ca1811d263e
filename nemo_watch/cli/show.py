"""`show JOB`: everything that is known of one job; with `--link` a link that opens its session in a browser.

Touches: the ledger (reading), the folders (looking); for the link the backend.
"""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nemo_watch import reply, skills
from nemo_watch.building import build_client
from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.jobrows import kind_words
from nemo_watch.cli.jobs import find_job
from nemo_watch.cli.jobwords import job_words
from nemo_watch.cli.places import load_config
from nemo_watch.cli.showing import print_job
from nemo_watch.config import Config
from nemo_watch.errors import LedgerError, OperatorError
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S
from nemo_watch.ledger.chains import of_chain
from nemo_watch.ledger.finding import reading
from nemo_watch.ledger.turning import RETRY
from nemo_watch.model import Export, Job, Json, Session, Step
from nemo_watch.pipeline.levers import paid_in_all
from nemo_watch.policy import name_of
from nemo_watch.reports import printable, source_table
from nemo_watch.statefolder import LEDGER_NAME, is_running

MOST_ANSWER = 64 * 1024


def run_show(config_path: str | None, what: str, *, link: bool, as_json: bool) -> int:
    """Print one job. The link is a credential: it is printed and kept nowhere."""
    config = load_config(config_path)
    told = asyncio.run(look_up(config, what, link=link))
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        print_job(told)
    return EXIT_GOOD


async def look_up(config: Config, what: str, *, link: bool = False) -> dict[str, Any]:
    """Gather what is known of one job. Raises: LedgerError, OperatorError, CloudError (for the link alone)."""
    path = os.path.join(config.state.path, LEDGER_NAME)
    running = is_running(config.state.path)
    async with reading(path, in_use=running) as ledger:
        if ledger is None:
            raise LedgerError(
                f"There is no ledger at {path}.",
                hint="Start the daemon once, or name its state folder in the config ([state] path); "
                "if it runs as another user, run this command as that user.",
            )
        job = await find_job(config, ledger, what)
        steps = await ledger.steps(job.job_id)
        paying = await ledger.steps(job.reuses) if job.reuses else steps
        told = picture(job, steps, paying, running=running)
        told["paid"] = paid_in_all(steps)
        told["files"] = await asyncio.to_thread(_files, config, job, steps)
        told["answer"] = next((str(step.data["text"]) for step in steps if step.name == "answer"), "")
        told["session_shared_with"] = [
            _other(other)
            for other in await of_chain(ledger, job.work.chain or job.job_id)
            if other.job_id != job.job_id
        ]
    if link:
        told["link"] = await _link(config, job, paying)
    return told


def picture(job: Job, steps: Sequence[Step], paying: Sequence[Step], *, running: bool) -> dict[str, Any]:
    """Put a job together from its steps; `paying` are those of the job whose edit it uses: mostly its own. Pure."""
    done = {step.name: step.data for step in steps if step.state == "done"}
    bought = {step.name: step.data for step in paying if step.state == "done"}
    report = _report(done)
    results = [printable(one["target"]) for one in done["deliver"]["files"]] if "deliver" in done else []
    failure = job.failure
    return {
        "job": job.job_id,
        **{key.replace("source", "file"): value for key, value in source_table(job.clip.rel).items()},
        "inbox": job.inbox,
        "kind": job.work.kind,
        "work": kind_words(job.work),
        "parent": job.work.parent,
        "url": job.work.url,
        "state": "running" if job.active and running else job.state,
        "says": printable(job_words(job, results, running=running)),
        "reason": job.reason,
        "why": printable(job.sentence),
        "entered": job.created_at.isoformat(),
        "changed": job.updated_at.isoformat(),
        "next_try": job.next_try_at.isoformat() if job.next_try_at else None,
        "attempts": job.attempts,
        "priority": job.priority,
        "backend": job.work.backend,
        "reused_from": job.reuses,
        "instruction": printable(job.work.instruction),
        "messages": [printable(message) for message in job.work.messages],
        "skill": job.work.skill,
        "language": job.work.language,
        "session": str(bought.get("session", {}).get("session_id", "")),
        "steps": [_step(step) for step in steps if step.name != RETRY],
        "reply": printable("\n".join(str(data["text"]) for name, data in bought.items() if _spoke(name, data))),
        "timeline": printable(str(bought.get("draft", {}).get("timeline", ""))),
        "length": reply.total_duration_s(bought.get("draft", {}).get("draft")),
        "tracks": [asdict(track) for track in reply.tracks_of(bought.get("draft", {}).get("draft"))],
        "credits": _credits(bought, report),
        "exports": [_export(number, export, steps, done) for number, export in enumerate(job.work.exports, start=1)],
        "notes": [printable(note) for note in job.work.notes],
        "failure": None
        if failure is None
        else {
            "code": failure.code,
            "name": name_of(failure.code),
            "message": printable(failure.message),
            "action": printable(failure.action),
            "paid": failure.paid,
            "step": failure.step,
            "link": failure.link,
        },
    }


def _spoke(name: str, data: Json) -> bool:
    return name.startswith("edit-") and bool(data.get("text"))


def _report(done: dict[str, Json]) -> Json:
    """Read the report as it was written beside the result."""
    return tomllib.loads(str(done["deliver"].get("report", ""))) if "deliver" in done else {}


def _credits(bought: dict[str, Json], report: Json) -> Json:
    account = report.get("account_credits", {"before": bought.get("session", {}).get("credits_before")})
    return {"before": account.get("before"), "after": account.get("after"), "spent": report.get("credits_spent")}


def _step(step: Step) -> dict[str, Any]:
    seconds = (step.ended_at - step.started_at).total_seconds() if step.started_at and step.ended_at else None
    return {
        "step": step.name,
        "state": step.state,
        "started": step.started_at.isoformat() if step.started_at else None,
        "ended": step.ended_at.isoformat() if step.ended_at else None,
        "seconds": round(seconds, 3) if seconds is not None else None,
    }


def _export(number: int, export: Export, steps: Sequence[Step], done: dict[str, Json]) -> dict[str, Any]:
    rendered = next((step.data for step in steps if step.name == f"render-{number}"), {})
    fetched = done.get(f"download-{number}", {})
    files = done.get("deliver", {}).get("files", [])
    return {
        "format": export.format,
        "quality": export.quality,
        "resolution": export.resolution,
        "fps": export.fps,
        "render": str(rendered.get("render_id", "")),
        "file": printable(files[number - 1]["target"]) if len(files) >= number else "",
        "duration": fetched.get("duration_s"),
        "size": fetched.get("size_bytes"),
        "sha256": str(fetched.get("sha256", "")),
    }


def _files(config: Config, job: Job, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """List where each file of a job was put, and whether it is still there (None: that cannot be told now)."""
    known = {step.name: step for step in steps}
    inbox = next((inbox.path for inbox in config.inboxes if inbox.name == job.inbox), "")
    files: list[tuple[str, str]] = []
    for name in ("reject", "archive"):
        moves = known[name].data["moves"] if name in known and known[name].state == "done" else []
        files += [("original" if not number else "beside it", move["target"]) for number, move in enumerate(moves)]
    if not files and RETRY in known and known[RETRY].state == "intent":
        files = [("original" if file["clip"] else "beside it", file["path"]) for file in known[RETRY].data["files"]]
    if not files and inbox:
        own = [job.work.sidecar] if job.work.sidecar is not None else []
        files = [("original", os.path.join(inbox, job.clip.rel))]
        files += [("beside it", os.path.join(inbox, ref.rel)) for ref in (*own, *job.work.companions)]
    if "deliver" in known and known["deliver"].state == "done":
        data = known["deliver"].data
        files += [("result", one["target"]) for one in data["files"]]
        files.append(("result" if job.work.kind == "ask" else "report", data["report_target"]))
    if "reject" in known and known["reject"].state == "done" and known["reject"].data["report"]:
        files.append(("report", known["reject"].data["report_target"]))
    return [{"what": what, "path": printable(path), "there": _is_there(path)} for what, path in files if path]


def _other(job: Job) -> Json:
    return {"job": job.job_id, "file": printable(job.clip.rel), "work": kind_words(job.work), "state": job.state}


def _is_there(path: str) -> bool | None:
    try:
        return answer_within(START_WAIT_S, os.path.lexists, path)
    except NoAnswerError:
        return None


async def _link(config: Config, job: Job, paying: Sequence[Step]) -> str:
    """Ask the backend for the link. Raises: OperatorError where there can be none, CloudError."""
    session = next((step.data for step in paying if step.name == "session" and step.state == "done"), None)
    if config.backend.url == "sandbox" or job.work.backend not in ("", config.backend.url):
        where = "the embedded sandbox has no page" if config.backend.url == "sandbox" else "it is at another backend"
        raise OperatorError(
            f"Job {job.job_id} cannot be opened in a browser: {where}.", code="link", hint="Leave out --link."
        )
    if session is None:
        raise OperatorError(
            f"Job {job.job_id} has no session yet: there is nothing to open in a browser.",
            code="link",
            hint="Try again when its clip was uploaded.",
        )
    client = build_client(config, config.backend.url, os.environ)
    try:
        skill = skills.headers(skills.profile(job.work.skill), os.environ, os.path.expanduser("~"))
        return await client.claim_link(Session(session["session_id"], session["task_id"], session["user_id"]), skill)
    finally:
        await client.aclose()
