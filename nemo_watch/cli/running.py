"""`run` and `sandbox`: the programs that stay.

Touches: the terminal, signals; everything else through the daemon.
"""

from __future__ import annotations

import asyncio
import io
import os
import sys
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nemo_watch import config as configuration
from nemo_watch import log
from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD, EXIT_WAITING
from nemo_watch.cli.pictures import MOST_WAITS, progress_table
from nemo_watch.daemon import Daemon, Outcome, stop_on_signals
from nemo_watch.errors import ConfigError, OperatorError


def run_daemon(config_path: str | None, *, once: bool, verbose: bool) -> int:
    """Run until a signal, or with `once` until nothing can go on; return the exit code of product.md 7."""
    config = configuration.load(config_path, os.environ)
    if config.source is None and not any(os.path.isdir(inbox.path) for inbox in config.inboxes):
        raise ConfigError(
            f"There is no config, and the default inbox {config.inboxes[0].path} is not there.",
            hint="Begin with `nemo-watch init`, or with `nemo-watch init --sandbox` to try it without an account.",
        )
    console = Console(stderr=True) if sys.stderr.isatty() else None
    stream = AboveTheTable(console) if console is not None else None
    log.configure(stream=stream, json=console is None, level="debug" if verbose else "info")
    return asyncio.run(_run(Daemon(config), once=once, console=console))


class AboveTheTable(io.TextIOBase):
    """A stream that writes each line above the table at the foot of a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> int:
        """Write whole lines, as the log's handler gives them."""
        if text.strip():
            self._console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)
        return len(text)

    def isatty(self) -> bool:
        """Say that colours are welcome."""
        return True


async def _run(daemon: Daemon, *, once: bool, console: Console | None) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    async with daemon.running():
        failed = asyncio.create_task(daemon.failed())
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait()), failed]
        work = asyncio.create_task(daemon.work_off()) if once else None
        if work is not None:
            waits.append(work)
        show = asyncio.create_task(show_progress(daemon, console)) if console is not None else None
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in [*waits, *([show] if show else [])]:
            task.cancel()
        if failed.done() and not failed.cancelled():
            failed.result()
        outcome = work.result() if work is not None and work.done() and not work.cancelled() else None
    if outcome is None:
        # Stopped by a signal: that is how `run` ends, but `--once` was not done yet.
        return EXIT_WAITING if once else EXIT_GOOD
    print(once_words(outcome))
    return exit_code(outcome)


def once_words(outcome: Outcome) -> str:
    """Say what `--once` came to."""
    more = "; nemo-watch status tells of each" if outcome.rejected or outcome.waiting else ""
    return f"{outcome.delivered} delivered, {outcome.rejected} rejected, {outcome.waiting} wait or are held{more}"


def exit_code(outcome: Outcome) -> int:
    """Turn what `--once` came to into an exit code."""
    if outcome.rejected:
        return EXIT_FOUND
    return EXIT_WAITING if outcome.waiting else EXIT_GOOD


async def show_progress(daemon: Daemon, console: Console) -> None:
    """Keep a small table of the work under way at the foot of the terminal, until cancelled."""
    # The picture goes away with the block, also when it is cancelled.
    with Live(
        console=console, transient=True, auto_refresh=False, redirect_stderr=False, redirect_stdout=False
    ) as live:
        while True:
            eyes = daemon.watchers.values()
            waits = [(each.rel, each.sentence) for watcher in eyes for each in watcher.waiting(MOST_WAITS)]
            count = sum(watcher.waiting_count for watcher in eyes)
            live.update(
                progress_table(list(daemon.progress.values()), waits, waiting_count=count, now_s=time.monotonic()),
                refresh=True,
            )
            await asyncio.sleep(0.25)


def run_sandbox(
    listen: str,
    store: str,
    *,
    credits: int,  # noqa: A002 - the option's name
    profile: str = "official",
    faults: str = "",
    clock: float = 1.0,
    speech_model: str = "",
) -> int:
    """Serve the embedded backend until a signal, in one variant of the protocol, `clock` times as fast and with the
    faults of a script.
    """
    from nemo_watch.sandbox.faults import parse
    from nemo_watch.sandbox.server import serve_forever

    log.configure()
    script = None
    if faults:
        try:
            with open(os.path.expanduser(faults), encoding="utf-8") as file:
                script = parse(file.read(), faults)
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(f"The faults in {faults} cannot be read: {error}.", code="config") from error
    place = os.path.expanduser(store)
    model = os.path.abspath(os.path.expanduser(speech_model)) if speech_model else ""
    serve_forever(place, listen=listen, credits=credits, profile=profile, faults=script, pace=clock, speech_model=model)
    return EXIT_GOOD
