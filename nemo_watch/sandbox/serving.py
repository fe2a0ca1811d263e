"""A file as an answer, whole or as a script of faults wants it. Touches: the file, the connection."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from nemo_watch.sandbox.cutting import cut
from nemo_watch.sandbox.faults import Fault

_DAMAGE = 4096
"""So many bytes in the middle of a file are turned over: its frame is still there, its content is not."""


def served(path: Path, mime: str, fault: Fault | None) -> Response:
    """Make the answer that gives a file, with ranges."""
    return SpoiledFile(path, mime, fault) if fault is not None else FileResponse(path, media_type=mime)


class SpoiledFile(FileResponse):
    """A file that comes in part, damaged, or whole where a part of it was asked for."""

    def __init__(self, path: Path, mime: str, fault: Fault) -> None:
        super().__init__(path, media_type=mime)
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. Effects: ends the connection where the script wants it."""
        whole = os.stat(self.path).st_size
        end, middle, sent, ended = int(whole * self._fault.share), whole // 2, 0, False

        async def truncate(message: Message) -> None:
            nonlocal sent, ended
            body = message.get("body", b"")[: max(0, end - sent)]
            sent += len(body)
            if not ended:
                await send({**message, "body": body, "more_body": True} if "body" in message else message)
            if not ended and sent == end and "body" in message:
                ended = True
                await cut(scope)

        async def damage(message: Message) -> None:
            nonlocal sent
            body = message.get("body", b"")
            first, last = max(0, middle - sent), max(0, middle + _DAMAGE - sent)
            sent += len(body)
            spoiled = body[:first] + bytes(byte ^ 0xFF for byte in body[first:last]) + body[last:]
            await send({**message, "body": spoiled} if "body" in message else message)

        if self._fault.do == "no_ranges":
            scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if k not in (b"range", b"if-range")]}
        ways = {"truncate": truncate, "corrupt": damage}
        await super().__call__(scope, receive, ways.get(self._fault.do, send))
