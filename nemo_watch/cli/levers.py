"""Levers from the command's side: ask the running daemon through the ledger; and `resume`.

Touches: the ledger, the lock of the state folder, the terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
import time

from rich.console import Console

from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.pictures import safe
from nemo_watch.cli.places import load_config, named_inboxes
from nemo_watch.config import Config
from nemo_watch.errors import OperatorError
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.levers import Levers
from nemo_watch.model import Json
from nemo_watch.pipeline.first_run import let_go
from nemo_watch.statefolder import LEDGER_NAME, is_running, state_lock

ANSWER_WITHIN_S = 15.0
LOOK_S = 0.1


async def ask(ledger: Ledger, kind: str, argument: Json, *, within_s: float = ANSWER_WITHIN_S) -> Json | None:
    """Pull a lever and wait for the daemon's answer; None if there is none in time, and then the wish is taken back.

    Raises: OperatorError with the daemon's words if it refuses.
    """
    levers = Levers(ledger)
    number = await levers.pull(kind, argument)
    deadline_s = time.monotonic() + within_s
    try:
        while time.monotonic() < deadline_s:
            answer = await levers.answered(number)
            if answer is not None:
                if "error" in answer:
                    raise OperatorError(answer["error"], code="lever", hint=answer.get("hint", ""))
                return answer
            await asyncio.sleep(LOOK_S)
        return None
    finally:
        await levers.withdraw(number)


def run_resume(config_path: str | None, inbox: str | None, *, as_json: bool) -> int:
    """End the holds that wait for a person's word; works beside a running daemon and without one."""
    config = load_config(config_path)
    if inbox is not None and inbox not in {known.name for known in config.inboxes}:
        raise OperatorError(
            f'There is no inbox "{inbox}".', code="inbox_unknown", hint=f"The inboxes are {named_inboxes(config)}."
        )
    resumed = asyncio.run(_resume(config, inbox or ""))
    if as_json:
        print(json.dumps({"resumed": resumed}, indent=2))
    else:
        _print(resumed, inbox, running=is_running(config.state.path))
    return EXIT_GOOD


def _print(resumed: dict[str, int], inbox: str | None, *, running: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, jobs in resumed.items():
        console.print(f'The inbox "{safe(name)}" is not held any more: {safe(resumed_words(jobs, running=running))}.')
    if not resumed:
        where = f'in the inbox "{safe(inbox)}" ' if inbox else ""
        console.print(f"Nothing {where}waits for this: there is no hold that a person must end.")


def resumed_words(jobs: int, *, running: bool) -> str:
    """Say what goes on in an inbox that was let go, with so many jobs made of its files already."""
    when = "now" if running else "when the daemon starts"
    rest = f"what else lies there is taken {'from now on' if running else 'then'}, as it becomes ready"
    if jobs == 0:
        return f"what lies there is taken {'from now on' if running else when}, as it becomes ready"
    return f"{'1 job goes' if jobs == 1 else f'{jobs} jobs go'} on {when}, and {rest}"


async def _resume(config: Config, inbox: str) -> dict[str, int]:
    ledger = Ledger(os.path.join(config.state.path, LEDGER_NAME), create=False)
    try:
        try:
            with state_lock(config.state.path):
                names = [inbox] if inbox else [known.name for known in config.inboxes]
                return await _resume_stopped(config, ledger, names)
        except OperatorError as error:
            if error.code != "locked":
                raise
        answer = await ask(ledger, "resume", {"inbox": inbox})
        if answer is None:
            raise OperatorError(
                "The running daemon gave no answer.",
                code="lever",
                hint="Look with nemo-watch status whether it still works and what it did, then try again.",
            )
        return dict(answer["resumed"])
    finally:
        await ledger.close()


async def _resume_stopped(config: Config, ledger: Ledger, names: list[str]) -> dict[str, int]:
    paths = {inbox.name: inbox.path for inbox in config.inboxes}
    freed = {name: await let_go(ledger, name, paths[name], config.backend.url) for name in names}
    return {name: jobs for name, jobs in freed.items() if jobs is not None}
