"""`check`: look at everything the daemon needs, and say how to mend what is wrong.

Touches: folders (trying to write, and undoing it), the backend (the balance), the media tool.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console

from nemo_watch import config as configuration
from nemo_watch import media, skills
from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD
from nemo_watch.cli.pictures import safe
from nemo_watch.config import Config
from nemo_watch.daemon import build_client, refuse_bad_layout
from nemo_watch.errors import CloudError, ConfigError, LedgerError, MediaToolError
from nemo_watch.folders import TEMP_PREFIX
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S
from nemo_watch.ledger import Ledger
from nemo_watch.statefolder import LEDGER_NAME, is_running

CLIP_CREDITS = 50
LEAST_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `mend` says what to do if it is not good."""

    what: str
    level: Literal["good", "note", "bad"]
    found: str
    mend: str = ""


def run_check(config_path: str | None, *, as_json: bool, adopt: bool = False) -> int:
    """Print every finding; exit 1 if one of them stops the work. `adopt` takes over the folders that are refused."""
    from nemo_watch.cli.standing import standings

    config = configuration.load(config_path, os.environ)
    if adopt:
        refuse_bad_layout(config)
    findings = [
        Finding("config", "good", config.source or "no file, the defaults"),
        *_layout(config),
        *_folders(config),
        *standings(config, adopt=adopt),
        _writable("state", config.state.path, must_write=True),
        _writable("spool", config.state.spool, must_write=True),
        _disk("disk", config.state.spool),
        *_ledger(os.path.join(config.state.path, LEDGER_NAME)),
        _tool(),
        *asyncio.run(_backend(config)),
    ]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    return EXIT_FOUND if any(finding.level == "bad" for finding in findings) else EXIT_GOOD


def _print(findings: list[Finding]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    marks = {"good": "[green]good[/green]", "note": "[yellow]note[/yellow]", "bad": "[red]bad [/red]"}
    for finding in findings:
        console.print(f"{marks[finding.level]}  {safe(finding.what)}: {safe(finding.found)}")
        if finding.mend:
            console.print(f"      -> {safe(finding.mend)}")


def _layout(config: Config) -> list[Finding]:
    try:
        refuse_bad_layout(config)
    except ConfigError as error:
        mend = "Change it in the config; `nemo-watch run` refuses to start with it."
        return [Finding("layout", "bad", problem, mend) for problem in error.problems]
    return [Finding("layout", "good", "the folders do not lie inside each other")]


def _folders(config: Config) -> list[Finding]:
    findings = []
    for inbox in config.inboxes:
        for role, path in (
            ("inbox", inbox.path),
            ("outbox", inbox.outbox),
            ("rejects", inbox.rejects),
            ("archive", inbox.archive),
        ):
            name = f"{inbox.name}: {role}"
            try:
                findings.append(answer_within(START_WAIT_S, _folder, name, role, path, keeps=inbox.originals == "keep"))
            except NoAnswerError:
                mend = "It hangs: look at the server or the program behind this mount. Other folders are not held up."
                findings.append(Finding(name, "bad", f"{path} does not answer", mend))
    return findings


def _folder(name: str, role: str, path: str, *, keeps: bool) -> Finding:
    if role == "inbox" and not os.path.isdir(path):
        return Finding(name, "bad", f"{path} is not there", "Make it, or run `nemo-watch init`.")
    return _writable(name, path, must_write=role != "inbox" or not keeps)


def _writable(name: str, path: str, *, must_write: bool) -> Finding:
    """Try what the daemon will do: make a file, rename it, remove it."""
    if os.path.lexists(path) and not os.path.isdir(path):
        return Finding(name, "bad", f"{path} is not a folder", "Move that file away, or name another folder.")
    place = path
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)  # the daemon makes missing folders itself, if it may
    first = os.path.join(place, f"{TEMP_PREFIX}check-{uuid.uuid4().hex}.tmp")
    second = first.removesuffix(".tmp") + "-b.tmp"
    try:
        os.listdir(place)
        os.close(os.open(first, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.rename(first, second)
        os.unlink(second)
    except OSError as error:
        mend = f"Give the user {os.getuid()} the right to write in {place}, or mount it."
        return Finding(name, "bad" if must_write else "note", f"{path}: {error.strerror}", mend)
    finally:
        for left in (first, second):
            if os.path.lexists(left):
                os.unlink(left)
    return Finding(name, "good", path if place == path else f"{path} will be made in {place}")


def _disk(what: str, path: str) -> Finding:
    place = path
    while not os.path.isdir(place) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    free = shutil.disk_usage(place).free
    found = f"{path}, {free / 1024**3:.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        return Finding(what, "note", found, "Results are downloaded there first: make room for a few of them.")
    return Finding(what, "good", found)


def _ledger(path: str) -> list[Finding]:
    if not os.path.exists(path):
        return [Finding("ledger", "good", "none yet, it is made at the first start")]
    try:
        asyncio.run(Ledger(path, create=False).close())
    except LedgerError as error:
        return [Finding("ledger", "bad", error.message, error.hint)]
    return [Finding("ledger", "good", path)]


def _tool() -> Finding:
    try:
        tool = media.find_ffmpeg()
        missing = media.check_tool(tool)
    except MediaToolError as error:
        return Finding("ffmpeg", "note", error.message, error.hint)
    if missing:
        mend = "Unset IMAGEIO_FFMPEG_EXE to use the one that came with the installation."
        return Finding("ffmpeg", "note", f"{tool.path} lacks {', '.join(missing)}", mend)
    return Finding("ffmpeg", "good", f"{tool.version} at {tool.path}")


async def _backend(config: Config) -> list[Finding]:
    if config.backend.url == "sandbox":
        running = "the daemon runs it" if is_running(config.state.path) else "it starts with the daemon"
        return [Finding("backend", "good", f"the embedded sandbox; {running}")]
    client = build_client(config, config.backend.url, os.environ)
    try:
        balance = await client.balance(
            skills.headers(skills.profile(config.inboxes[0].skill), os.environ, os.path.expanduser("~"))
        )
    except CloudError as error:
        return [Finding("backend", "bad", f"{config.backend.url}: {error.message}", error.hint)]
    finally:
        await client.aclose()
    found = f"{balance.available:g} credits, about {int(balance.available // CLIP_CREDITS)} clips"
    mend = "Register or top up the account." if balance.available < CLIP_CREDITS else ""
    return [
        Finding("backend", "good", config.backend.url),
        Finding("credits", "note" if mend else "good", found, mend),
    ]
