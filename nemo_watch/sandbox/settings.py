"""How the sandbox behaves. Pure, but for the default clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be chosen when a sandbox is started.

    `credits` is what a new token grants, `edit_price` what a session costs once, when it is first edited. `now` tells
    the time in seconds since 1970. `reissues_unused`: a client whose token was never used may ask for another one, as
    it may have been killed before it could keep the first; otherwise that is refused, as the cloud seems to do.

    Source: contract.md 2 (sizes), 3 (tokens), 7 (credits), "What no source says" 2 (heartbeat).
    """

    credits: int = 10_000
    edit_price: int = 50
    heartbeat_s: float = 15.0
    token_ttl_s: float = 7 * 86_400.0
    max_upload_bytes: int = 500 * 1024 * 1024
    fonts_dir: str = ""
    reissues_unused: bool = False
    now: Callable[[], float] = time.time
