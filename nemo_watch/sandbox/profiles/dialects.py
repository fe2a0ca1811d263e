"""The events of a turn as JSON and as bytes: simplified, or as two versions of the agent framework. Pure."""

from __future__ import annotations

import json
from typing import Any, Protocol, assert_never

from nemo_watch.sandbox.wire import (
    Failed,
    Json,
    ModelError,
    Said,
    Stamped,
    Thought,
    ToolCall,
    ToolResult,
    compact,
)


class Dialect(Protocol):
    """How an event of a turn is told. Source: contract.md 6.2, 6.3."""

    def event(self, stamped: Stamped) -> Json | None:
        """Give an event as JSON, None if this dialect does not tell of it."""
        ...

    def frame(self, stamped: Stamped) -> bytes:
        """Give an event as a frame of the stream, b"" if this dialect does not tell of it."""
        ...


class Simplified:
    """D1: a type and its content. Thoughts are not told; the end of the turn is the end of the stream."""

    def event(self, stamped: Stamped) -> Json | None:
        """Give an event as JSON."""
        match stamped.event:
            case Thought():
                return None
            case Said(text):
                return {"type": "text", "content": text}
            case ToolCall(_, name, args):
                return {"type": "tool_call", "name": name, "args": args}
            case ToolResult(_, name, response):
                return {"type": "tool_result", "name": name, "result": response}
            case ModelError(code, message):
                return {"type": "error", "error": {"code": code, "message": message}}
            case Failed(message, code):
                return {"type": "error", "error": _coded(message, code)}
            case _:
                assert_never(stamped.event)

    def frame(self, stamped: Stamped) -> bytes:
        """Give an event as a frame of the stream."""
        event = self.event(stamped)
        return b"" if event is None else framed(compact(event))


class Framework1:
    """D2: events as version 1.18 of the agent framework tells them.

    Source: contract.md 6.3, 6.5, Appendix A.
    """

    def event(self, stamped: Stamped) -> Json | None:
        """Give an event as JSON, its keys in the framework's order."""
        role = "model"
        part: Json | None = None
        extra: Json = {}
        delta: Json = {}
        match stamped.event:
            case Thought(text):
                part = {"text": text, "thought": True}
            case Said(text, last):
                part = {"text": text}
                extra = {"turnComplete": True, "finishReason": "STOP"} if last else {}
            case ToolCall(call_id, name, args):
                part = {"functionCall": {"id": call_id, "args": args, "name": name}}
            case ToolResult(call_id, name, response, delta):
                role = "user"
                part = {"functionResponse": {"id": call_id, "name": name, "response": response}}
            case ModelError(code, message):
                extra = {"errorCode": code, "errorMessage": message}
            case Failed(message, code):
                return self._failed(message, code, stamped.at_s)
            case _:
                assert_never(stamped.event)
        return {
            **({"content": {"parts": [part], "role": role}} if part is not None else {}),
            **extra,
            "invocationId": stamped.invocation_id,
            "author": "nemo_agent",
            "actions": {
                "stateDelta": delta,
                "artifactDelta": {},
                "requestedAuthConfigs": {},
                "requestedToolConfirmations": {},
            },
            **self._more(),
            "id": stamped.event_id,
            "timestamp": stamped.at_s,
        }

    def frame(self, stamped: Stamped) -> bytes:
        """Give an event as a frame of the stream."""
        event = self.event(stamped)
        # The framework writes what broke a turn by another way than its events: with spaces, and in ASCII.
        return framed(json.dumps(event) if isinstance(stamped.event, Failed) else compact(event))

    def _more(self) -> Json:
        return {}

    def _failed(self, message: str, code: int, at_s: float) -> Json:
        return {"error": _coded(message, code)}


class Framework2(Framework1):
    """D2: events as version 2.13 of the agent framework tells them: with a place in its graph, errors with details."""

    def _more(self) -> Json:
        return {"nodeInfo": {"path": ""}}

    def _failed(self, message: str, code: int, at_s: float) -> Json:
        details = {"error_type": "RuntimeError", "error_message": message, "timestamp": at_s}
        return {"error": _coded(f"RuntimeError: {message}", code), "error_details": details}


def framed(text: str) -> bytes:
    """Make one frame of a stream. Lone surrogates become question marks: they are legal in JSON, not in UTF-8."""
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"


def _coded(message: str, code: int) -> Any:
    """Give a failure's words, with its business code if it has one. Source: contract.md "What no source says" 5."""
    return {"code": code, "message": message} if code else message
