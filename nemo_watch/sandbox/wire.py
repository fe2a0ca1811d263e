"""What is told over the wire before a profile gives it its shape: refusals, events of a turn, heartbeats. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.exceptions import HTTPException

Json = dict[str, Any]


Heartbeat = Literal["json", "bare", "word", "event", "comment"]
HEARTBEATS: dict[Heartbeat, bytes] = {
    "json": b'data: {"type":"heartbeat"}\n\n',
    "bare": b"data:\n\n",
    "word": b"data: heartbeat\n\n",
    "event": b"event: heartbeat\ndata: {}\n\n",
    "comment": b": heartbeat\n\n",
}
"""Every form in which a heartbeat may come; the first is what all profiles send.

Source: contract.md 6.2, "What no source says" 2.
"""


def compact(value: object) -> str:
    """Write JSON as the backend sends it: no spaces, text as UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """An answer with an error code in place of the work that was asked for.

    `code` is a business code (1001, 1002, 2001, 4001, 4002) or the HTTP status once more. The documents do not say
    which HTTP status goes with a business code: `status` 0 leaves it to the profile.

    Source: contract.md 2, "What no source says" 3.
    """

    def __init__(self, code: int, message: str, *, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Thought:
    """What the agent thinks: never shown to people."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """Text for the user; `last` ends the turn."""

    text: str
    last: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent starts a tool."""

    call_id: str
    name: str
    args: Json


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool has answered."""

    call_id: str
    name: str
    response: Json
    state_delta: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelError:
    """The model behind the agent failed; the stream itself goes on to a good end."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn broke inside: nothing comes after this. `code` is a business code, 0 for none."""

    message: str
    code: int = 0


Event = Thought | Said | ToolCall | ToolResult | ModelError | Failed


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event of a turn with what identifies it on the wire."""

    event: Event
    invocation_id: str
    event_id: str
    at_s: float


def malformed(kind: str, where: str, message: str, given: Any) -> HTTPException:
    """Make the answer to a body that is not what it should be, in the agent framework's form.

    `where` is the field, "" for the body itself; `given` is what was there instead, told if it is a text or a number.
    Source: contract.md 1.3 E4, Appendix A.
    """
    loc = ["body", where] if where else ["body"]
    told: Any = given if isinstance(given, (str, int)) else {}
    detail = [{"type": kind, "loc": loc, "msg": message, "input": told}]
    return HTTPException(422, detail=detail)  # type: ignore[arg-type]  # the annotation says str, any JSON is written
