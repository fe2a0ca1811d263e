"""Threads of a folder's own: a mount that hangs stops who waits for it, and nothing else.

Touches: threads, the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from nemo_watch.errors import FolderError

P = ParamSpec("P")
T = TypeVar("T")

HUNG_S = 30.0
PULSE_S = 5.0
PULSES = 4
"""How often within the time that makes a folder hung it is looked whether it is."""

_thread = threading.local()


def beat() -> None:
    """Say from inside a long call that it lives: each block that was read or written is a sign of life.

    Does nothing outside a folder's threads. Repeat: safe.
    """
    call: _Call | None = getattr(_thread, "call", None)
    if call is not None:
        call.alive_s = call.clock()


def folder_hung(about: str, seconds: float) -> FolderError:
    """Describe a folder that does not answer."""
    return FolderError(
        f"{about} has not answered for {seconds:g} s.",
        code="folder_hung",
        hint="Look whether its share or disk is still there; it goes on by itself when it answers again.",
    )


class DaemonPool(Executor):
    """At most so many threads, begun when they are needed, that never keep the process from ending.

    Those of ThreadPoolExecutor are joined when the interpreter ends: one stuck in a hung mount would stop it for ever.
    """

    def __init__(self, most: int, name: str) -> None:
        """Remember how many; nothing is begun yet."""
        self._most = most
        self._name = name
        self._todo: queue.SimpleQueue[tuple[Future[Any], Callable[[], None]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something run by the next free thread."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  # it is raised again where the result is awaited
                future.set_exception(error)

        with self._lock:
            if self._closed:
                raise RuntimeError("these threads were closed")
            self._todo.put((future, run))
            if self._idle:
                self._idle -= 1
            elif self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name} {self._threads}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Take nothing more; what waits is dropped if asked for, and nothing is waited for. Repeat: safe."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if cancel_futures:
                with contextlib.suppress(queue.Empty):
                    while (item := self._todo.get_nowait()) is not None:
                        item[0].cancel()
            for _ in range(self._threads):
                self._todo.put(None)

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            item[1]()
            del item  # what it holds must not live as long as this thread waits
            with self._lock:
                self._idle += 1


@dataclass(slots=True, eq=False)
class _Call:
    """A call on its way. `alive_s` is its last sign of life, None before it began; `is_unwanted` once nobody waits,
    `is_duty` if it is done all the same.
    """

    answer: asyncio.Future[Any]
    about: str
    clock: Callable[[], float]
    alive_s: float | None = None
    is_unwanted: bool = False
    is_duty: bool = False


class FolderThreads:
    """Runs blocking calls on one folder and stands up for them while it hangs.

    A call that gives no sign of life for `hung_s` marks the folder as hung: it and those that wait behind it fail with
    "folder_hung", and so does every new one at once, until each stuck call has returned. So nothing is ever repeated
    beside a call that may still take effect. `on_change(hung)` is called on the loop when it hangs and when it answers.
    """

    def __init__(
        self,
        root: str,
        *,
        hung_s: float = HUNG_S,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[bool], None] = lambda _hung: None,
    ) -> None:
        """Remember what to stand up for; no thread is begun yet."""
        self.root = root
        self._hung_s = hung_s
        self._clock = clock
        self._on_change = on_change
        self._pool = DaemonPool(2, f"folder {root}")
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()
        self._stuck: set[_Call] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    @property
    def is_hung(self) -> bool:
        """Tell whether a call is stuck in the folder."""
        return bool(self._stuck)

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something in one of the threads and wait for it as long as it lives.

        What comes back after nobody waits any more is closed, if it can be. Raises: FolderError with code
        "folder_hung"; whatever `work` raises.
        """
        return await self.call_about("", work, *args, **kwargs)

    async def call_about(self, about: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something as `call` does; `about` names who hangs if it does and the folder alone would be a guess."""
        named = about or self.root
        if self._stuck:
            raise folder_hung(next(iter(self._stuck)).about, self._hung_s)
        loop = asyncio.get_running_loop()
        call = _Call(loop.create_future(), named, self._clock)
        self._calls.add(call)
        self._pool.submit(self._run, loop, call, lambda: work(*args, **kwargs))
        self._keep_looking(loop)
        try:
            result: T = await call.answer
        except asyncio.CancelledError:
            self._let_go(call)
            raise
        return result

    def soon(self, work: Callable[[], object]) -> None:
        """Have something run when a thread is free, without waiting for it: after a hang, too."""
        if self._is_closed:
            return  # the process ends, and with it what was to be tidied up
        loop = asyncio.get_running_loop()
        call = _Call(loop.create_future(), self.root, self._clock, is_duty=True)
        call.answer.set_result(None)
        self._calls.add(call)
        self._pool.submit(self._run, loop, call, work)
        self._keep_looking(loop)

    def close(self) -> None:
        """Take nothing more. A call that is stuck is left behind. Repeat: safe."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._pool.shutdown(wait=False)

    # ------------------------------------------------------------ in the threads

    def _run(self, loop: asyncio.AbstractEventLoop, call: _Call, work: Callable[[], Any]) -> None:
        with self._lock:
            begins = not call.is_unwanted
            if begins:
                call.alive_s = self._clock()
        result: Any = None
        error: BaseException | None = None
        if begins:
            _thread.call = call
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001  # it is raised again where the result is awaited
                error = raised
            finally:
                _thread.call = None
        with contextlib.suppress(RuntimeError):  # the loop is closed: the daemon has ended
            loop.call_soon_threadsafe(self._returned, call, result, error)

    # ------------------------------------------------------------ on the loop

    def _returned(self, call: _Call, result: Any, error: BaseException | None) -> None:
        self._calls.discard(call)
        if call.answer.done():  # nobody waits for it any more
            close = getattr(result, "close", None)
            if callable(close):
                self.soon(close)
        elif error is not None:
            call.answer.set_exception(error)
        else:
            call.answer.set_result(result)
        if call in self._stuck:
            self._stuck.discard(call)
            if not self._stuck and not self._is_closed:
                self._on_change(False)  # noqa: FBT003  # a callback's only argument

    def _let_go(self, call: _Call) -> bool:
        """Give up a call; False if it was under way already, and so may take effect."""
        with self._lock:
            call.is_unwanted = True
            return call.alive_s is None

    def _keep_looking(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None and self._calls and not self._is_closed:
            self._timer = loop.call_later(min(PULSE_S, self._hung_s / PULSES), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now_s = self._clock()
        silent = [c for c in self._calls if c.alive_s is not None and now_s - c.alive_s >= self._hung_s]
        new = [call for call in silent if call not in self._stuck]
        was_hung = self.is_hung
        self._stuck.update(new)
        if self._stuck:
            # What stands behind a stuck call has not begun and never will: its job comes back when the folder answers.
            waits = [call for call in self._calls if call.alive_s is None and not call.is_duty]
            behind = [call for call in waits if self._let_go(call)]
            for call in (*new, *behind):
                if not call.answer.done():
                    call.answer.set_exception(folder_hung(next(iter(self._stuck)).about, self._hung_s))
        if self._stuck and not was_hung:
            self._on_change(True)  # noqa: FBT003  # a callback's only argument
        self._keep_looking(loop)


class NoAnswerError(Exception):
    """A blocking call did not return in time."""


def answer_within(seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run something in a thread of its own and wait for it, but not for ever; what is stuck is left behind.

    Raises: NoAnswerError; whatever `work` raises.
    """
    pool = DaemonPool(1, "asks a folder")
    future = pool.submit(work, *args, **kwargs)
    pool.shutdown(wait=False)
    try:
        return future.result(timeout=seconds)
    except FutureTimeoutError:
        if future.done():
            raise
        raise NoAnswerError from None
