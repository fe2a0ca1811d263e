"""How a render is told of: taken, under way, cancelled. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from nemo_watch.sandbox.profiles.envelopes import Envelope
from nemo_watch.sandbox.records import Render
from nemo_watch.sandbox.wire import Json


@dataclass(frozen=True)
class Renders(ABC):
    """The shapes around a render. `envelope` is around submit, cancel and whatever is refused at their paths; `id_key`
    is what they call its id.

    Source: contract.md 8.1, 8.2, "What no source says" 30.
    """

    envelope: Envelope
    id_key: str = "id"

    def submitted(self, render: Render, progress: int) -> Any:
        """Answer a submit."""
        return self.envelope.ok({self.id_key: render.render_id, "status": render.state, "progress": progress})

    def cancelled(self, render_id: str) -> Any:
        """Answer a cancel."""
        return self.envelope.ok({self.id_key: render_id, "status": "cancelled"})

    @abstractmethod
    def poll(self, render: Render, progress: int, url: str) -> Any:
        """Tell how a render stands; `url` is where its file lies, "" while there is none."""


class TopLevel(Renders):
    """R1: the status is the body itself, without an envelope."""

    def poll(self, render: Render, progress: int, url: str) -> Any:
        """Tell how a render stands."""
        body: Json = {"taskId": render.render_id, "status": render.state, "progress": progress}
        if url:
            body["output"] = {"url": url, "duration": render.duration_ms / 1000, "size": render.size_bytes}
        return body | _error(render)


class Wrapped(Renders):
    """R2: the status lies in the envelope, with its moments in milliseconds since 1970."""

    def poll(self, render: Render, progress: int, url: str) -> Any:
        """Tell how a render stands."""
        body: Json = {"id": render.render_id, "status": render.state, "progress": progress}
        if url:
            body["outputUrl"] = url
        body["createdAt"] = render.created_ms
        if render.ended_ms:
            body["completedAt"] = render.ended_ms
        return self.envelope.ok(body | _error(render))


class Sibling(Renders):
    """R3: as R2 without an id and without moments, as the sibling gateway's own client reads it."""

    def poll(self, render: Render, progress: int, url: str) -> Any:
        """Tell how a render stands."""
        body: Json = {"status": render.state, "progress": progress}
        if url:
            body["outputUrl"] = url
        return self.envelope.ok(body | _error(render))


def _error(render: Render) -> Json:
    return {"error": render.error} if render.error else {}
