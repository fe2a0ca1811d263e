"""Levers from the command's side: asked of the running daemon through the ledger, else done in it under its lock.

Touches: the ledger, the lock of the state folder, the terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable

from rich.console import Console

from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.pictures import safe
from nemo_watch.cli.places import load_config, named_inboxes
from nemo_watch.config import Config
from nemo_watch.errors import OperatorError
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.levers import Levers
from nemo_watch.model import Json
from nemo_watch.pipeline import levers
from nemo_watch.pipeline.first_run import let_go
from nemo_watch.pipeline.holds import PAUSED
from nemo_watch.statefolder import LEDGER_NAME, is_running, state_lock

ANSWER_WITHIN_S = 15.0
BUSY_WITHIN_S = 1200.0
"""Longer than the longest turn of the editor: so long a command waits for a paid message in flight."""
LOOK_S = 0.1
BUSY_LOOK_S = 1.0

Stopped = Callable[[Ledger], Awaitable[Json]]
"""What a lever does in the ledger of a daemon that does not run."""


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
                    raise OperatorError(answer["error"], code=answer.get("code", "lever"), hint=answer.get("hint", ""))
                return answer
            await asyncio.sleep(LOOK_S)
        return None
    finally:
        await levers.withdraw(number)


async def pull(
    config: Config,
    kind: str,
    argument: Callable[[Ledger], Awaitable[Json]],
    stopped: Callable[[Ledger, Json], Awaitable[Json]],
    *,
    busy: Callable[[str], None] = lambda _said: None,
) -> Json:
    """Pull a lever, whether a daemon runs or not; `argument` is made first, `stopped` does it without one.

    While the daemon says that it cannot be done at this moment, it is asked again; `busy` is told once why.
    Raises: OperatorError if it is refused, or not answered. Repeat: safe.
    """
    ledger = Ledger(os.path.join(config.state.path, LEDGER_NAME), create=False)
    deadline_s = time.monotonic() + BUSY_WITHIN_S
    told = False
    try:
        asked = await argument(ledger)
        while True:
            try:
                with state_lock(config.state.path):
                    return await stopped(ledger, asked)
            except OperatorError as error:
                if error.code != "locked":
                    raise
            answer = await ask(ledger, kind, asked)
            if answer is None:
                if not is_running(config.state.path):
                    continue  # it ended meanwhile
                raise OperatorError(
                    "The running daemon gave no answer.",
                    code="lever",
                    hint="Look with nemo-watch status whether it still works and what it did, then try again.",
                )
            if "busy" not in answer:
                return answer
            if time.monotonic() > deadline_s:
                raise OperatorError(answer["busy"], code="busy", hint="Nothing was done; try again later.")
            if not told:
                busy(answer["busy"])
                told = True
            await asyncio.sleep(BUSY_LOOK_S)
    finally:
        await ledger.close()


# ---------------------------------------------------------------- pause and resume


def run_pause(config_path: str | None, *, as_json: bool) -> int:
    """Hold all paid work that has not begun, until `resume`; works beside a running daemon and without one."""
    answer = pause(load_config(config_path))
    if as_json:
        print(json.dumps(answer, indent=2))
        return EXIT_GOOD
    console = Console(highlight=False, soft_wrap=True)
    if answer["changed"]:
        console.print(
            "Paused: no message to the editor goes out until nemo-watch resume, after a restart neither. Exports of "
            "what is paid go on."
        )
    else:
        console.print("It was paused already; nemo-watch resume ends that.")
    return EXIT_GOOD


def pause(config: Config) -> Json:
    """Pull the lever and give what came of it. Raises: OperatorError."""

    async def argument(_ledger: Ledger) -> Json:
        return {}

    async def stopped(ledger: Ledger, _asked: Json) -> Json:
        return {"paused": True, "changed": await levers.pause(ledger)}

    return asyncio.run(pull(config, "pause", argument, stopped))


def run_resume(config_path: str | None, inbox: str | None, *, as_json: bool) -> int:
    """End the holds that wait for a person's word; works beside a running daemon and without one."""
    config = load_config(config_path)
    answer = resume(config, inbox)
    if as_json:
        print(json.dumps(answer, indent=2))
    else:
        _print(answer, inbox, running=is_running(config.state.path))
    return EXIT_GOOD


def resume(config: Config, inbox: str | None = None) -> Json:
    """Pull the lever and give what came of it. Raises: OperatorError."""
    if inbox is not None and inbox not in {known.name for known in config.inboxes}:
        raise OperatorError(
            f'There is no inbox "{inbox}".', code="inbox_unknown", hint=f"The inboxes are {named_inboxes(config)}."
        )

    async def argument(_ledger: Ledger) -> Json:
        return {"inbox": inbox or ""}

    async def stopped(ledger: Ledger, _asked: Json) -> Json:
        return await _resume_stopped(config, ledger, inbox)

    return asyncio.run(pull(config, "resume", argument, stopped))


async def _resume_stopped(config: Config, ledger: Ledger, inbox: str | None) -> Json:
    paths = {known.name: known.path for known in config.inboxes}
    names = [inbox] if inbox is not None else list(paths)
    freed = {name: await let_go(ledger, name, paths[name], config.backend.url) for name in names}
    told: Json = {"resumed": {name: jobs for name, jobs in freed.items() if jobs is not None}, "ended": [], "held": []}
    if inbox is None:
        told["ended"] = [PAUSED] if await levers.unpause(ledger) else []
        told["held"] = await levers.look_again(ledger)
    return told


def _print(answer: Json, inbox: str | None, *, running: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for name, jobs in answer["resumed"].items():
        console.print(f'The inbox "{safe(name)}" is not held any more: {safe(resumed_words(jobs, running=running))}.')
    for reason in answer["ended"]:
        console.print(f"{ended_words(reason)}: paid work goes on {'now' if running else 'when the daemon starts'}.")
    for reason in answer["held"]:
        when = "It was looked at once more just now" if running else "It is looked at again when the daemon starts"
        console.print(f'All paid work is still held ("{safe(reason)}"). {when}; nemo-watch status says why.')
    if not any(answer.values()):
        where = f'in the inbox "{safe(inbox)}" ' if inbox else ""
        console.print(f"Nothing {where}waits for this: there is no hold that a person must end.")


def ended_words(reason: str) -> str:
    """Say that a hold of all paid work has ended."""
    return "The pause is over" if reason == PAUSED else f'The hold "{reason}" is over'


def resumed_words(jobs: int, *, running: bool) -> str:
    """Say what goes on in an inbox that was let go, with so many jobs made of its files already."""
    when = "now" if running else "when the daemon starts"
    rest = f"what else lies there is taken {'from now on' if running else 'then'}, as it becomes ready"
    if jobs == 0:
        return f"what lies there is taken {'from now on' if running else when}, as it becomes ready"
    return f"{'1 job goes' if jobs == 1 else f'{jobs} jobs go'} on {when}, and {rest}"
