"""How a message to the agent is read, and what is answered to one that cannot be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from starlette.exceptions import HTTPException

from nemo_watch.sandbox.wire import Json, malformed

APP_NAME = "nemo_agent"


@dataclass(frozen=True, slots=True)
class Asked:
    """A message as it came. `broken` is not "" if the stream begins and ends with that error, in place of a turn."""

    session_id: str
    user: str
    text: str
    broken: str = ""


class Asking(Protocol):
    """The front of the agent."""

    def read(self, body: Json) -> Asked:
        """Read a message. Raises: HTTPException."""
        ...

    def no_session(self, session_id: str) -> HTTPException | None:
        """Make the answer for a session that is not there, None if it is the backend's own 1002."""
        ...


class Lenient:
    """Takes what the documents leave out, the user and the app. Source: contract.md 6.1."""

    def read(self, body: Json) -> Asked:
        """Read a message."""
        session_id = _session_id(body)
        app = _field(body, "app_name", "appName")
        if app not in (None, APP_NAME):
            raise HTTPException(404, f"Agent not found: {app!r}.")
        message = _field(body, "new_message", "newMessage")
        parts = message.get("parts") if isinstance(message, dict) else None
        if not isinstance(parts, list):
            raise malformed("missing", "newMessage", "A new_message with parts is needed", message)
        user = _field(body, "user_id", "userId")
        return Asked(session_id, user if isinstance(user, str) else "me", _text(parts))

    def no_session(self, session_id: str) -> HTTPException | None:
        """Leave it to the backend: 1002."""
        del session_id
        return None


class Framework1:
    """As version 1.18 of the agent framework does. Source: contract.md 6.5, Appendix A."""

    needed: tuple[tuple[str, str], ...] = (
        ("app_name", "appName"),
        ("user_id", "userId"),
        ("session_id", "sessionId"),
        ("new_message", "newMessage"),
    )

    def read(self, body: Json) -> Asked:
        """Read a message."""
        for snake, camel in self.needed:
            if _field(body, snake, camel) is None:
                raise malformed("missing", camel, "Field required", None)
        session_id, user = _session_id(body), _field(body, "user_id", "userId")
        if not isinstance(user, str):
            raise malformed("string_type", "userId", "Input should be a valid string", user)
        app = _field(body, "app_name", "appName")
        if app != APP_NAME:
            raise self.no_app(app, session_id)
        message = _field(body, "new_message", "newMessage")
        parts = message.get("parts") if isinstance(message, dict) else None
        if message is not None and not isinstance(message, dict):
            raise malformed("model_attributes_type", "newMessage", "Input should be a valid dictionary", message)
        if parts is not None and not isinstance(parts, list):
            raise malformed("list_type", "newMessage", "Input should be a valid list", parts)
        broken = "" if parts else "No new_message was sent." if message is None else "No parts in the new_message."
        return Asked(session_id, user, _text(parts or []), broken)

    def no_app(self, app: object, session_id: str) -> HTTPException:
        """Make the answer for an app that is not there."""
        del app, session_id
        return HTTPException(404, "Session not found")

    def no_session(self, session_id: str) -> HTTPException | None:
        """Make the answer for a session that is not there."""
        del session_id
        return HTTPException(404, "Session not found")


class Framework2(Framework1):
    """As version 2.13 of the agent framework does. Source: contract.md 6.5, Appendix A."""

    needed = (("user_id", "userId"), ("session_id", "sessionId"))

    def no_app(self, app: object, session_id: str) -> HTTPException:
        """Make the answer for an app that is not there, or not named."""
        del session_id
        if app is None:
            return HTTPException(400, "app_name is required when ADK_DEFAULT_APP_NAME is not set")
        return HTTPException(404, f"Agent not found: {app!r}. No agent of that name is served here.")

    def no_session(self, session_id: str) -> HTTPException | None:
        """Make the answer for a session that is not there."""
        return HTTPException(404, f"Session not found: {session_id}")


def _field(body: Json, snake: str, camel: str) -> Any:
    """Read a field in either spelling: the framework takes both."""
    return body.get(snake, body.get(camel))


def _session_id(body: Json) -> str:
    session_id = _field(body, "session_id", "sessionId")
    if session_id is None:
        raise malformed("missing", "sessionId", "A session_id is needed, as a string", None)
    if not isinstance(session_id, str):
        raise malformed("string_type", "sessionId", "A session_id is needed, as a string", session_id)
    return session_id


def _text(parts: list[Any]) -> str:
    told = (part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
    return "\n".join(told)
