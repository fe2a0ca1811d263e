"""The shapes of replies, as the vendor's newest documents give them: envelope, errors, poll, stream events. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from nemo_watch.sandbox.records import Render

Json = dict[str, Any]


def compact(value: object) -> str:
    """Write JSON as the backend sends it: no spaces, text as UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """An answer with an error code in place of the work that was asked for.

    `code` is a business code (1001, 1002, 2001, 4001, 4002) or the HTTP status once more. The documents do not say
    which HTTP status goes with a business code: 200 here.

    Source: contract.md 2, "What no source says" 3.
    """

    def __init__(self, code: int, message: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
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
class Failed:
    """The turn broke inside: nothing comes after this."""

    message: str


Event = Thought | Said | ToolCall | ToolResult | Failed


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event of a turn with what identifies it on the wire."""

    event: Event
    invocation_id: str
    event_id: str
    at_s: float


class Official:
    """E1 envelope, bare poll body (R1), ADK events (D2)."""

    heartbeat = b'data: {"type":"heartbeat"}\n\n'

    def ok(self, data: Json) -> Json:
        """Wrap a success."""
        return {"code": 0, "data": data}

    def refused(self, refusal: Refusal) -> Json:
        """Wrap a refusal."""
        return {"code": refusal.code, "message": refusal.message}

    def submitted(self, render: Render) -> Json:
        """Answer a render submit."""
        return self.ok({"id": render.render_id, "status": render.state, "progress": 0})

    def cancelled(self, render_id: str) -> Json:
        """Answer a cancel."""
        return self.ok({"id": render_id, "status": "cancelled"})

    def poll(self, render: Render, progress: int, url: str) -> Json:
        """Tell how a render stands; `url` is where its file lies, "" while there is none.

        Source: contract.md 8.2, R1.
        """
        body: Json = {"taskId": render.render_id, "status": render.state, "progress": progress}
        if url:
            body["output"] = {"url": url, "duration": render.duration_ms / 1000, "size": render.size_bytes}
        if render.error:
            body["error"] = render.error
        return body

    def frame(self, stamped: Stamped) -> bytes:
        """Write one event of a turn as the bytes of the stream.

        Source: contract.md 6.2, 6.3 and Appendix A.
        """
        event = stamped.event
        extra: Json = {}
        role = "model"
        state_delta: Json = {}
        part: Json
        match event:
            case Thought(text):
                part = {"text": text, "thought": True}
            case Said(text, last):
                part = {"text": text}
                extra = {"turnComplete": True, "finishReason": "STOP"} if last else {}
            case ToolCall(call_id, name, args):
                part = {"functionCall": {"id": call_id, "args": args, "name": name}}
            case ToolResult(call_id, name, response, delta):
                state_delta = delta
                part = {"functionResponse": {"id": call_id, "name": name, "response": response}}
                role = "user"
            case Failed(message):
                return _frame({"error": message})
            case _:
                assert_never(event)
        return _frame(
            {
                "content": {"parts": [part], "role": role},
                **extra,
                "invocationId": stamped.invocation_id,
                "author": "nemo_agent",
                "actions": {
                    "stateDelta": state_delta,
                    "artifactDelta": {},
                    "requestedAuthConfigs": {},
                    "requestedToolConfirmations": {},
                },
                "id": stamped.event_id,
                "timestamp": stamped.at_s,
            }
        )


def _frame(data: Json) -> bytes:
    return b"data: " + compact(data).encode("utf-8", "replace") + b"\n\n"
