"""Calls the store from the loop without stopping it. Touches: one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from nemo_watch.sandbox.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Keeper:
    """The store and the only thread that calls it: calls are done in the order they were made."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-store")

    async def __call__(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a call and wait for what it gives."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Wait for calls under way and close the store."""
        self._thread.shutdown()
        self.store.close()
