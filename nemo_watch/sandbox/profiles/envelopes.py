"""What a reply is wrapped in: with a code, with a success flag, or in nothing. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from nemo_watch.sandbox.wire import Json, Refusal


class Envelope(Protocol):
    """How success and refusal look. Source: contract.md 1.3."""

    def ok(self, data: Any) -> Any:
        """Wrap a success."""
        ...

    def refused(self, refusal: Refusal) -> Json:
        """Wrap a refusal."""
        ...


@dataclass(frozen=True)
class Coded:
    """E1: a code, 0 for success. `said` is the message of a success, "" for none."""

    said: str = ""

    def ok(self, data: Any) -> Any:
        """Wrap a success."""
        return {"code": 0, **({"message": self.said} if self.said else {}), "data": data}

    def refused(self, refusal: Refusal) -> Json:
        """Wrap a refusal."""
        return {"code": refusal.code, "message": refusal.message}


class Flagged:
    """E2: whether it was a success. What kind of refusal it is, only the HTTP status tells."""

    def ok(self, data: Any) -> Any:
        """Wrap a success."""
        return {"success": True, "data": data}

    def refused(self, refusal: Refusal) -> Json:
        """Wrap a refusal."""
        return {"success": False, "error": refusal.message}


class Bare(Coded):
    """E3: a success is the object itself. A refusal keeps its code: by the status alone 2001 would look like 402."""

    def ok(self, data: Any) -> Any:
        """Give a success as it is."""
        return data
