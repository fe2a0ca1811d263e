"""The documented variants of the protocol, one value each: envelopes, stream, renders, errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.profiles.asking import Asked, Asking, Lenient
from nemo_watch.sandbox.profiles.asking import Framework1 as Asking1
from nemo_watch.sandbox.profiles.asking import Framework2 as Asking2
from nemo_watch.sandbox.profiles.dialects import Dialect, Framework1, Framework2, Simplified
from nemo_watch.sandbox.profiles.envelopes import Bare, Coded, Envelope, Flagged
from nemo_watch.sandbox.profiles.renders import Renders, Sibling, TopLevel, Wrapped
from nemo_watch.sandbox.wire import Json, Refusal

__all__ = ["OFFICIAL", "PROFILES", "Asked", "Profile", "profile_of"]

_RENDERS = "/api/render/"
_STATUSES: Mapping[int, int] = {1001: 401, 1002: 404, 2001: 402, 4001: 415, 4002: 413}


@dataclass(frozen=True, slots=True)
class Profile:
    """One variant of the protocol: everything that is said in another way, and nothing that is done.

    In a strict one the HTTP status says what went wrong, too; else whatever is wrong with the business comes with 200.
    Source: contract.md 15.2, "What no source says" 3.
    """

    name: str
    envelope: Envelope
    renders: Renders
    dialect: Dialect
    asking: Asking = field(default_factory=Lenient)
    strict: bool = True

    def ok(self, data: Any) -> Any:
        """Wrap a success of anything but a render."""
        return self.envelope.ok(data)

    def refused(self, refusal: Refusal, path: str) -> tuple[Json, int]:
        """Wrap a refusal of a request to this path, and tell its HTTP status."""
        envelope = self.renders.envelope if path.startswith(_RENDERS) else self.envelope
        return envelope.refused(refusal), refusal.status or self._status(refusal.code)

    def _status(self, code: int) -> int:
        if not self.strict:
            return 200
        return _STATUSES.get(code, code if 400 <= code <= 599 else 200)


OFFICIAL = Profile("official", Coded(), TopLevel(Coded()), Framework1(), strict=False)
"""As the vendor's newest documents have it."""

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        OFFICIAL,
        # The reference that was withdrawn: the only one with whole bodies.
        Profile("ar", Coded(), Wrapped(Flagged()), Simplified()),
        # The agent framework without a gateway's envelope before it, in two versions.
        Profile("adk1", Bare(), TopLevel(Bare()), Framework1(), Asking1()),
        Profile("adk2", Bare(), TopLevel(Bare()), Framework2(), Asking2()),
        # The sibling gateway: only what it says of renders.
        Profile("gateway", Coded(), Sibling(Coded("success"), "render_id"), Framework1()),
    )
}


def profile_of(name: str) -> Profile:
    """Find a profile by its name. Raises: OperatorError with the names there are."""
    if name not in PROFILES:
        raise OperatorError(
            f'The sandbox has no profile "{name}".', code="config", hint=f"Choose one of {', '.join(PROFILES)}."
        )
    return PROFILES[name]
