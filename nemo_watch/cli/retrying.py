"""`retry JOB` and `cancel JOB`: what a person decides about one job.

Touches: the ledger; inbox, rejects and archive (looking for an original); the terminal.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import typer
from rich.console import Console

from nemo_watch.building import inbox_rules
from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD
from nemo_watch.cli.jobs import find_job
from nemo_watch.cli.levers import pull
from nemo_watch.cli.pictures import safe
from nemo_watch.cli.places import load_config
from nemo_watch.config import SESSION_CREDITS, Config
from nemo_watch.errors import OperatorError
from nemo_watch.guarded import GuardedFolder, unguarded
from nemo_watch.ledger import Ledger
from nemo_watch.model import OPEN_STATES, Job, Json
from nemo_watch.pipeline import levers
from nemo_watch.pipeline.levers import Desk, Pulled


def run_retry(config_path: str | None, what: str, *, start: str, fresh: bool, yes: bool, as_json: bool) -> int:
    """Let a job go on, or run anew; exit 1 if a person at the terminal does not want to pay again after all."""
    answer = retry(load_config(config_path), what, start=start, fresh=fresh, asks=fresh and not yes)
    return _say(answer, as_json=as_json)


def retry(config: Config, what: str, *, start: str = "", fresh: bool = False, asks: bool = False) -> Json:
    """Pull the lever and give what came of it. Raises: OperatorError."""
    if fresh and start:
        raise OperatorError(
            "--fresh begins from the beginning: it takes no --from.", code="step", hint="Leave one of them out."
        )

    async def argument(ledger: Ledger) -> Json:
        job = await find_job(config, ledger, what)
        if asks:
            _ask_whether_to_pay(config, job)
        return {"job": job.job_id, "start": start, "fresh": fresh}

    async def stopped(ledger: Ledger, asked: Json) -> Json:
        return await _at_desk(config, ledger, lambda desk: levers.retry(desk, asked["job"], start=start, fresh=fresh))

    return asyncio.run(pull(config, "retry", argument, stopped, busy=_busy))


def run_cancel(config_path: str | None, what: str, *, as_json: bool) -> int:
    """End a job for good."""
    return _say(cancel(load_config(config_path), what), as_json=as_json)


def cancel(config: Config, what: str) -> Json:
    """Pull the lever and give what came of it. Raises: OperatorError."""

    async def argument(ledger: Ledger) -> Json:
        return {"job": (await find_job(config, ledger, what)).job_id}

    async def stopped(ledger: Ledger, asked: Json) -> Json:
        return await _at_desk(config, ledger, lambda desk: levers.cancel(desk, asked["job"]))

    return asyncio.run(pull(config, "cancel", argument, stopped, busy=_busy))


def _busy(said: str) -> None:
    aside = Console(stderr=True, highlight=False, soft_wrap=True)
    aside.print(f"{safe(said)} Waiting for that to end; Ctrl-C gives up, and nothing is done.")


def _say(answer: Json, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        Console(highlight=False, soft_wrap=True).print(safe(answer["sentence"]))
    return EXIT_GOOD


async def _at_desk(config: Config, ledger: Ledger, act: Callable[[Desk], Awaitable[Pulled]]) -> Json:
    """Do it without a daemon: the folders are only looked at."""
    opened: list[GuardedFolder] = []

    def folder(path: str, role: object) -> GuardedFolder:
        opened.append(unguarded(path))
        return opened[-1]

    try:
        rules = {inbox.name: inbox_rules(inbox, folder) for inbox in config.inboxes}
        return asdict(await act(Desk(ledger, rules, config.backend.url, is_running=False)))
    finally:
        for one in opened:
            one.threads.close()


def _ask_whether_to_pay(config: Config, job: Job) -> None:
    """Ask the person at the terminal; where nobody can be asked, the option itself is the word."""
    if job.state in OPEN_STATES or config.backend.url == "sandbox" or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    name = safe(job.clip.rel)
    said = f"{name} is uploaded and edited anew: about {SESSION_CREDITS} credits, whatever was paid for it before."
    Console(stderr=True, highlight=False, soft_wrap=True).print(said)
    if not typer.confirm("Pay again?", err=True):
        raise typer.Exit(EXIT_FOUND)
