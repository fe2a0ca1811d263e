"""`credits`: what the account has, whose it is, and what of the day's budget is used.

Touches: the backend (the balance; by the running daemon if there is one), the ledger (reading), the terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from rich.console import Console

from nemo_watch import skills
from nemo_watch.building import build_client
from nemo_watch.cli import EXIT_GOOD
from nemo_watch.cli.levers import pull
from nemo_watch.cli.pictures import plain, safe
from nemo_watch.cli.places import load_config
from nemo_watch.config import SESSION_CREDITS, Config, local_day
from nemo_watch.daemon import embedded_sandbox
from nemo_watch.ledger import Ledger
from nemo_watch.model import Json
from nemo_watch.obeying import BACKEND_WITHIN_S, backend_silent
from nemo_watch.pipeline.budget import FACT
from nemo_watch.statefolder import LEDGER_NAME

SOURCES = {
    "anonymous": "an anonymous one of this machine",
    "environment": "your own, by NEMO_TOKEN",
    "file": "your own, by the token file",
    "systemd": "your own, by the systemd credential",
}


def run_credits(config_path: str | None, *, as_json: bool) -> int:
    """Print the balance; works beside a running daemon and without one."""
    told = ask_credits(load_config(config_path))
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        _print(told)
    return EXIT_GOOD


def ask_credits(config: Config) -> Json:
    """Ask the daemon, or the backend where none runs. Raises: OperatorError, CloudError."""
    budget: Json = {"limit": config.budget.credits_per_day or None, "used_today": None}

    async def argument(ledger: Ledger) -> Json:
        if budget["limit"] is not None:
            budget["used_today"] = await _used_today(ledger)
        return {"skill": config.inboxes[0].skill}

    async def stopped(_ledger: Ledger, asked: Json) -> Json:
        return await _ask_backend(config, asked["skill"])

    if os.path.exists(os.path.join(config.state.path, LEDGER_NAME)):
        told = asyncio.run(pull(config, "credits", argument, stopped))
    else:
        told = asyncio.run(_ask_backend(config, config.inboxes[0].skill))  # before the first start
    return told | {"backend": config.backend.url, "budget": budget}


async def _used_today(ledger: Ledger) -> float:
    fact = await ledger.recall(FACT)
    today = local_day(datetime.now(UTC)).isoformat()
    return float(fact["spent"]) if fact is not None and fact["day"] == today else 0.0


async def _ask_backend(config: Config, skill: str) -> Json:
    with _backend_url(config) as url:
        client = build_client(config, url, os.environ)
        try:
            headers = skills.headers(skills.profile(skill), os.environ, os.path.expanduser("~"))
            # The state folder is held meanwhile: a daemon that starts waits for it.
            async with asyncio.timeout(BACKEND_WITHIN_S):
                balance = await client.balance(headers)
            credentials = client.credentials
            link = client.link if credentials.is_anonymous else ""
            return asdict(balance) | {"source": credentials.source, "link": link}
        except TimeoutError as error:
            raise backend_silent() from error
        finally:
            await client.aclose()


@contextlib.contextmanager
def _backend_url(config: Config) -> Iterator[str]:
    """Give the backend's address; the embedded one is started for the moment."""
    if config.backend.url != "sandbox":
        yield config.backend.url
        return
    with embedded_sandbox(config) as url:
        yield url


def _print(told: Json) -> None:
    console = Console(highlight=False, soft_wrap=True)
    available = told["available"]
    clips = int(available // SESSION_CREDITS)
    console.print(f"{available:g} credits available: about {clips} clips of about {SESSION_CREDITS} each")
    console.print(f"{told['frozen']:g} reserved for what is under way, {told['total']:g} in all")
    backend = "the embedded sandbox, which costs nothing" if told["backend"] == "sandbox" else told["backend"]
    console.print(f"backend: {safe(backend)}")
    console.print(f"account: {SOURCES[told['source']]}")
    if told["budget"]["limit"] is not None:
        console.print(f"budget: {told['budget']['used_today']:g} of {told['budget']['limit']:g} credits used today")
    if told["link"] and told["backend"] != "sandbox":
        console.print("To get more credits and to keep what is there, register the account:")
        print(plain(told["link"]))
