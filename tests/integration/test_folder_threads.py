"""A folder that hangs: who is told, what waits, and that nothing is ever repeated beside a call that is stuck."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nemo_watch.errors import FolderError, LedgerError
from nemo_watch.folders.marker import Owner
from nemo_watch.folders.presence import Presence
from nemo_watch.folderthreads import FolderThreads, NoAnswerError, answer_within, beat
from nemo_watch.guarded import LoopMemory
from nemo_watch.ledger import Ledger
from tests.program import eventually

HUNG_S = 0.3


@dataclass
class Stuck:
    """Work that stands still until it is let go, and counts how often it ran."""

    gate: threading.Event = field(default_factory=threading.Event)
    runs: int = 0

    def __call__(self) -> str:
        self.runs += 1
        assert self.gate.wait(30)
        return "done"


@dataclass
class File:
    """Something that must be closed."""

    closed: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
async def changes() -> list[bool]:
    return []


@pytest.fixture
async def threads(changes: list[bool]) -> AsyncIterator[FolderThreads]:
    it = FolderThreads("/mnt/nas", hung_s=HUNG_S, on_change=changes.append)
    yield it
    it.close()


async def refused(threads: FolderThreads, work: Callable[[], object]) -> FolderError:
    with pytest.raises(FolderError) as error:
        await threads.call(work)
    return error.value


async def test_results_and_errors_come_back(threads: FolderThreads) -> None:
    assert await threads.call(os.path.join, "a", "b") == "a/b"
    with pytest.raises(FileNotFoundError):
        await threads.call(os.stat, "/nowhere/at/all")
    assert not threads.is_hung


async def test_a_stuck_call_fails_and_everybody_else_at_once(threads: FolderThreads, changes: list[bool]) -> None:
    one, two, behind = Stuck(), Stuck(), Stuck()
    errors = await asyncio.gather(*(refused(threads, work) for work in (one, two, behind)))
    assert {error.code for error in errors} == {"folder_hung"}
    assert "/mnt/nas has not answered" in errors[0].message
    assert threads.is_hung
    assert (await refused(threads, behind)).code == "folder_hung"
    assert changes == [True]
    one.gate.set()
    await asyncio.sleep(0)
    assert threads.is_hung
    two.gate.set()
    await eventually(lambda: changes == [True, False], "it answers")
    # What stood behind the stuck calls was told to come back: it never ran on its own account.
    assert behind.runs == 0
    behind.gate.set()
    assert await threads.call(behind) == "done"
    assert (one.runs, two.runs, behind.runs) == (1, 1, 1)


async def test_a_repeat_never_runs_beside_a_stuck_call(threads: FolderThreads) -> None:
    stuck, repeat = Stuck(), Stuck()
    repeat.gate.set()
    await refused(threads, stuck)
    # One of the two threads is free, and yet nothing is done until the stuck call is back.
    assert (await refused(threads, repeat)).code == "folder_hung"
    assert repeat.runs == 0
    stuck.gate.set()


async def test_slow_but_alive_is_not_hung(threads: FolderThreads, changes: list[bool]) -> None:
    stop = threading.Event()

    def slow() -> str:
        for _ in range(30):
            beat()
            stop.wait(HUNG_S / 10)
        return "copied"

    waiting = asyncio.gather(threads.call(slow), threads.call(slow), threads.call(os.getpid))
    assert await waiting == ["copied", "copied", os.getpid()]
    assert changes == []


async def test_what_comes_too_late_is_closed(threads: FolderThreads, changes: list[bool]) -> None:
    stuck, file = Stuck(), File()

    def opens() -> File:
        stuck()
        return file

    await refused(threads, opens)
    stuck.gate.set()
    await eventually(lambda: changes == [True, False], "it answers")
    await eventually(file.closed.is_set, "closed")


async def test_a_cancelled_call_that_has_not_begun_never_runs(threads: FolderThreads) -> None:
    one, two, third = Stuck(), Stuck(), Stuck()
    tasks = [asyncio.create_task(threads.call(work)) for work in (one, two, third)]
    await eventually(lambda: one.runs + two.runs == 2, "both threads are busy")
    tasks[2].cancel()
    await asyncio.gather(tasks[2], return_exceptions=True)
    one.gate.set()
    two.gate.set()
    assert await asyncio.gather(*tasks[:2]) == ["done", "done"]
    await threads.call(os.getpid)
    assert third.runs == 0


async def test_duties_wait_out_a_hang(threads: FolderThreads, changes: list[bool]) -> None:
    stuck, file = Stuck(), File()
    other = Stuck()
    await asyncio.gather(refused(threads, stuck), refused(threads, other))
    threads.soon(file.close)
    assert not file.closed.is_set()
    stuck.gate.set()
    other.gate.set()
    await eventually(file.closed.is_set, "closed")
    await eventually(lambda: changes == [True, False], "it answers")


async def test_a_ledger_that_does_not_answer_is_a_sentence(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger.db"))
    loop = asyncio.get_running_loop()
    broken: list[object] = []
    loop.set_exception_handler(lambda _loop, context: broken.append(context))
    memory = LoopMemory(ledger, loop, wait_s=0.1)
    fact = {"seen": True}
    await asyncio.to_thread(memory.remember, "place:/srv", fact)
    assert await asyncio.to_thread(memory.recall, "place:/srv") == fact
    # The ledger's thread is busy; what was begun beside it is not torn out of the loop's hands.
    held, release = threading.Event(), threading.Event()

    def hold(_connection: object) -> None:
        held.set()
        assert release.wait(30)

    busy = asyncio.create_task(ledger.transact(hold))
    await eventually(held.is_set, "the ledger is busy")
    with pytest.raises(LedgerError, match="did not answer"):
        await asyncio.to_thread(memory.recall, "place:/srv")
    presence = Presence(str(tmp_path), "inbox", Owner("x"), memory)
    assert "the daemon is stopping, or very busy" in await asyncio.to_thread(presence.refusal)
    release.set()
    await busy
    assert await asyncio.to_thread(memory.recall, "place:/srv") == fact
    await ledger.close()
    gc.collect()  # a task that ended badly says so when it goes
    await asyncio.sleep(0)
    assert broken == []


def test_a_loop_that_ended_is_a_sentence(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path / "ledger.db"))
    loop = asyncio.new_event_loop()
    stopped = LoopMemory(ledger, loop, wait_s=0.1)
    with pytest.raises(LedgerError, match="did not answer"):
        stopped.recall("place:/srv")  # the loop does not turn any more
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    with pytest.raises(LedgerError, match="stopping"):
        stopped.recall("place:/srv")
    asyncio.run(ledger.close())


def test_asking_for_a_while_only() -> None:
    stuck = Stuck()
    with pytest.raises(NoAnswerError):
        answer_within(0.05, stuck)
    stuck.gate.set()
    assert answer_within(30, os.path.basename, "/a/b") == "b"
    with pytest.raises(FileNotFoundError):
        answer_within(30, os.stat, "/nowhere/at/all")


def test_a_stuck_call_does_not_keep_the_process() -> None:
    program = """
import asyncio, threading
from nemo_watch.errors import FolderError
from nemo_watch.folderthreads import FolderThreads

async def main():
    threads = FolderThreads("/mnt/nas", hung_s=0.05)
    try:
        await threads.call(threading.Event().wait)
    except FolderError as error:
        print(error.code)
    threads.close()

asyncio.run(main())
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["folder_hung"]
