"""Ends a connection without a word, as a network does. Touches: sockets."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "nemo_watch.transport"


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, with a way to get from a request to its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the parent's
        """Remember the connection for the requests that come on it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _EXTENSION: transport}


async def cut(scope: Scope) -> None:
    """End the connection that a request came on: what was sent may arrive, nothing more does. Repeat: safe."""
    transport: asyncio.Transport = scope["state"][_EXTENSION]
    sock = transport.get_extra_info("socket")
    # With a reset and not in order: nobody may take it for the end of the answer.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0)
