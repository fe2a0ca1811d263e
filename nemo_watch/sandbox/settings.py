"""How the sandbox behaves. Touches: the clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nemo_watch.sandbox.faults import Faults
from nemo_watch.sandbox.profiles import OFFICIAL, Profile


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen when a sandbox is started.

    `credits` is what a new token grants, `edit_price` what a session costs once, when it is first edited,
    `card_price` what it costs in its stead if that first edit makes a clip out of words. `now` tells
    the time in seconds since 1970. `reissues_unused`: a client whose token was never used may ask for another one, as
    it may have been killed before it could keep the first; otherwise that is refused, as the cloud seems to do.
    `speech_model` is the folder of a model to hear captions with, "" the one of the extra [captions].
    `fetches_from` are addresses that uploads are fetched from although they are not public; a fetch may take `fetch_s`
    in all and be silent for `fetch_stall_s`, in real seconds.
    `profile` is the variant of the protocol that is spoken; `faults` the script of what goes wrong; `pace` how many of
    the sandbox's seconds pass in a real one.

    Source: contract.md 2 (sizes), 3 (tokens), 7 (credits), "What no source says" 2 (heartbeat).
    """

    credits: int = 10_000
    edit_price: int = 50
    card_price: int = 100
    heartbeat_s: float = 15.0
    token_ttl_s: float = 7 * 86_400.0
    max_upload_bytes: int = 500 * 1024 * 1024
    fonts_dir: str = ""
    speech_model: str = ""
    reissues_unused: bool = False
    now: Callable[[], float] = time.time
    fetches_from: tuple[str, ...] = ()
    fetch_s: float = 900.0
    fetch_stall_s: float = 30.0
    profile: Profile = OFFICIAL
    faults: Faults = field(default_factory=Faults)
    pace: float = 1.0

    async def sleep(self, seconds: float) -> None:
        """Wait so many of the sandbox's seconds."""
        await asyncio.sleep(seconds / self.pace)


def paced_clock(pace: float) -> Callable[[], float]:
    """Make a clock that starts now and runs `pace` times as fast as the real one."""
    began_s, began_monotonic_s = time.time(), time.monotonic()
    return time.time if pace == 1.0 else lambda: began_s + (time.monotonic() - began_monotonic_s) * pace
