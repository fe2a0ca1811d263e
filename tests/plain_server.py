"""A tiny HTTP server of raw bytes on loopback, for answers that no framework would give."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Request:
    """One request as it came; `port` is the client's and tells connections apart."""

    method: str
    path: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    port: int
    body: bytes = b""


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


def reply(body: bytes | str, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    """Answer completely, with its length."""
    content = body.encode() if isinstance(body, str) else body
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} Some\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{more}\r\n"
        writer.write(head.encode() + content)
        await writer.drain()

    return answer


def stream(*pieces: bytes, end: bool = True, kind: str = "text/event-stream", gap_s: float = 0.0) -> Answer:
    """Answer in chunks; `end=False` breaks off without the last one."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(gap_s)
        if end:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    return answer


def raw(content: bytes) -> Answer:
    """Answer with these bytes and close."""

    async def answer(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return answer


@dataclass
class Plain:
    """The server: `routes` maps paths to answers in turn, of which the last stays; `seen` is what came."""

    routes: dict[str, list[Answer]] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    url: str = ""
    read_bodies: bool = True
    keep_open: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def on(self, route: str, *answers: Answer) -> None:
        self.routes[route] = list(answers)

    def calls(self, path: str) -> list[Request]:
        return [request for request in self.seen if request.path.partition("?")[0] == path]

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._answer(reader, writer)
                while self.keep_open:
                    await self._answer(reader, writer)
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()
            self.tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        request = Request(method, path, headers, reader, writer.get_extra_info("peername")[1])
        self.seen.append(request)
        if self.read_bodies:
            request.body = await reader.readexactly(int(headers.get("content-length", "0")))
        bare = path.partition("?")[0]
        answers = self.routes.get(bare) or [reply("{}", 404)]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        await answer(request, writer)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Plain]:
    """Serve on a free port until the block ends."""
    plain = Plain()
    server = await asyncio.start_server(plain._handle, "127.0.0.1", 0, limit=1 << 20)
    plain.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield plain
    finally:
        server.close()
        tasks = list(plain.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # One more turn of the loop: the aborted transports close their sockets in it.
        await asyncio.sleep(0)


@contextlib.contextmanager
def elsewhere() -> Iterator[Plain]:
    """Serve from a thread of its own, as a host called localhost."""
    ready, end = threading.Event(), threading.Event()
    found: list[Plain] = []

    async def serve() -> None:
        async with serving() as plain:
            plain.url = plain.url.replace("127.0.0.1", "localhost")
            found.append(plain)
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield found[0]
    finally:
        end.set()
        thread.join()
