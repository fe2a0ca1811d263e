"""Lets all senders work into one inbox at the same time and judges what was taken. Touches: folders, children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nemo_watch import mounts
from tests.conformance import clips
from tests.conformance.desk import SENDERS, Desk, NotHereError, Sender, SenderError
from tests.conformance.scoring import RULES, Row, count, owner
from tests.conformance.watching import RULES as SETTLE
from tests.conformance.watching import SIDECAR_WAIT_S, Naive, Settled, Stillness

STALL_S = 2 * SETTLE.open_s + 2.0
"""Longer than two of the longest windows of a local file system, and its half longer than one."""
PLACES = ("/var/tmp", "/dev/shm")
MOST_BYTES = 2 * 1024**3
HEAD_START_S = 2.0
DEADLINE_S = 100.0
AFTERWARDS_S = SETTLE.open_s + SIDECAR_WAIT_S + 1.0
"""So long is looked on when all was taken: a second take of something would come by then."""


def conformance(names: Sequence[str] = (), *, stall_s: float = STALL_S) -> list[Row]:
    """Run the senders (all, or those named) and give a row for each. Effects: about a minute and a half, one inbox."""
    wanted = [SENDERS[name] for name in names] if names else list(SENDERS.values())
    rows = {sender.name: Row(sender.name, skipped=sender.missing()) for sender in wanted}
    here = [sender for sender in wanted if not rows[sender.name].skipped]
    with _rooms() as (root, other):
        inbox = root / "inbox"
        sources = root / "clips"
        for folder in (inbox, sources):
            folder.mkdir()
        inbox.chmod(0o777)  # servers drop their rights
        made = clips.make(sources)
        desks = [Desk(s.name, inbox, _new(root / "rooms" / s.name), _room(other, s.name), made, stall_s) for s in here]
        settled, naive, still = Settled(inbox), Naive(inbox), Stillness(inbox)
        with naive.running(), still.running():
            ends = asyncio.run(_deliver(settled, here, desks))
        for desk, end in zip(desks, ends, strict=True):
            if isinstance(end, NotHereError):
                rows[desk.name] = Row(desk.name, skipped=str(end))
                continue
            mine = [take for take in settled.takes if owner(take.rel, rows) == desk.name]
            blind = {
                rule: count(
                    desk.sent, [t for t in naive.takes(rule) if owner(t.rel, rows) == desk.name], sidecars=False
                )
                for rule in RULES
            }
            rows[desk.name] = Row(
                desk.name,
                SENDERS[desk.name].program(),
                len(desk.sent),
                max((still.longest_s(file) for file in desk.sent), default=0.0),
                count(desk.sent, mine),
                blind,
                failed=str(end or ("" if desk.sent else "it sent nothing")),
            )
        nobodys = [take for take in settled.takes if not owner(take.rel, rows)]
        if nobodys:
            rows["(nobody)"] = Row("(nobody)", count=count([], nobodys))
    return list(rows.values())


async def _deliver(settled: Settled, senders: Sequence[Sender], desks: Sequence[Desk]) -> list[Exception | None]:
    """Let everybody deliver at once, then wait until all is taken, and for a while more."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max(1, len(desks)), thread_name_prefix="sender") as pool:
        pairs = list(zip(senders, desks, strict=True))
        work = {s.name: loop.run_in_executor(pool, _send, s, desk) for s, desk in pairs if s.early}
        if work:
            await asyncio.sleep(HEAD_START_S)
        async with settled.running():
            try:
                work |= {s.name: loop.run_in_executor(pool, _send, s, desk) for s, desk in pairs if not s.early}
                ends = [await work[s.name] for s in senders]
                sent = [file for desk in desks for file in desk.sent]
                end_s = time.monotonic() + DEADLINE_S
                while True:
                    await asyncio.sleep(0.1)
                    if not settled.lacks(sent) or time.monotonic() > end_s:
                        break
                await asyncio.sleep(AFTERWARDS_S)
                for file in (file for file in sent if settled.lacks([file])):
                    waiting = settled.watcher.why(file.rel)
                    print(f"not taken: {file.rel}: {waiting}", file=sys.stderr)
            finally:
                for desk in desks:
                    desk.close()
    return ends


def _send(sender: Sender, desk: Desk) -> Exception | None:
    try:
        sender.send(desk)
    except (SenderError, NotHereError) as error:
        return error
    except (OSError, ValueError, AssertionError, subprocess.SubprocessError) as error:
        return SenderError(f"{type(error).__name__}: {error}")
    return None


def place() -> str:
    """Choose where the inbox lies: where the kernel's word on open files can be trusted, as an overlay's cannot.

    The product says of such a file system that a half-written file of final size cannot be told from a whole one.
    """
    known = mounts.parse(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    for folder in (tempfile.gettempdir(), *PLACES):
        if os.access(folder, os.W_OK) and mounts.classify(mounts.mount_of(os.path.realpath(folder), known)).leases:
            found = os.statvfs(folder)
            if found.f_bavail * found.f_frsize >= MOST_BYTES:
                return folder
    return tempfile.gettempdir()


@contextlib.contextmanager
def _rooms() -> Iterator[tuple[Path, Path | None]]:
    """Give a folder that servers' users may enter, and one on another file system if there is any."""
    with contextlib.ExitStack() as stack:
        at = place()
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nemo-watch-conformance-", dir=at)))
        root.chmod(0o755)
        (root / "rooms").mkdir()
        other = None
        for elsewhere in (*PLACES, "/run", str(Path.home())):
            if os.access(elsewhere, os.W_OK) and os.stat(elsewhere).st_dev != root.stat().st_dev:
                other = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nemo-watch-", dir=elsewhere)))
                break
        yield root, other


def _room(other: Path | None, name: str) -> Path | None:
    return _new(other / name) if other is not None else None


def _new(path: Path) -> Path:
    path.mkdir(parents=True)
    return path
