"""Runs the sandbox: two loopback ports, a thread and a loop of its own. Touches: sockets, threads, the store folder."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

import uvicorn
from starlette.types import ASGIApp

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox import app, cdn
from nemo_watch.sandbox.backend import Backend
from nemo_watch.sandbox.cutting import CuttableProtocol
from nemo_watch.sandbox.faults import Faults
from nemo_watch.sandbox.profiles import profile_of
from nemo_watch.sandbox.settings import Settings, paced_clock
from nemo_watch.sandbox.store import Store

log = logging.getLogger("nemo_watch.sandbox")

_CDN_PORT = "cdn_port"
_KEEP_ALIVE_S = 75
"""Longer than clients keep idle connections: one closed just as a message is sent would leave that message in doubt."""
_STOP_S = 2


class SandboxServer:
    """The embedded backend on loopback. A context manager; `start` and `stop` may be called from any thread.

    `listen` and `cdn_listen` are "host:port", port 0 takes a free one (for the CDN port the one it had before, if that
    is free: addresses in drafts name it). `profile` names the variant of the protocol it speaks, `faults` is what goes
    wrong by script, `pace` how fast its clock runs. `fetches_from` are addresses that uploads are fetched from
    although they are not public: for tests, so neither the config nor the command has it.
    Raises: OperatorError for an address that is not loopback or a profile there is not.
    """

    def __init__(
        self,
        store_dir: str | os.PathLike[str],
        *,
        listen: str = "127.0.0.1:0",
        cdn_listen: str = "127.0.0.1:0",
        credits: int = 10_000,  # noqa: A002 - the word of the contract
        fonts_dir: str = "",
        speech_model: str = "",
        heartbeat_s: float = 15.0,
        max_upload_bytes: int = 500 * 1024 * 1024,
        token_ttl_s: float = 7 * 86_400.0,
        reissues_unused: bool = False,
        fetches_from: Sequence[str] = (),
        fetch_s: float = 900.0,
        fetch_stall_s: float = 30.0,
        now: Callable[[], float] | None = None,
        profile: str = "official",
        faults: Faults | None = None,
        pace: float = 1.0,
    ) -> None:
        self._store_dir = store_dir
        self._listen, self._cdn_listen = _loopback(listen), _loopback(cdn_listen)
        self._settings = Settings(
            credits=credits,
            heartbeat_s=heartbeat_s,
            token_ttl_s=token_ttl_s,
            max_upload_bytes=max_upload_bytes,
            fonts_dir=fonts_dir,
            speech_model=speech_model,
            reissues_unused=reissues_unused,
            fetches_from=tuple(fetches_from),
            fetch_s=fetch_s,
            fetch_stall_s=fetch_stall_s,
            now=now if now is not None else paced_clock(pace),
            profile=profile_of(profile),
            faults=faults if faults is not None else Faults(),
            pace=pace,
        )
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._end: Callable[[], object] = _nothing
        self.url = ""
        self.cdn_url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; returns when both ports answer.

        Raises: OperatorError if the folder or a port cannot be used.
        Effects: a thread; work that an earlier process left unfinished goes on.
        Repeat: once, and again after `stop`.
        """
        store = Store(self._store_dir, now=self._settings.now)
        try:
            api = _bind(*self._listen)
            cdn_socket = _bind_again(self._cdn_listen, store.noted(_CDN_PORT))
            store.note(_CDN_PORT, str(cdn_socket.getsockname()[1]))
        except BaseException:
            store.close()
            raise
        self.url, self.cdn_url = _url(api), _url(cdn_socket)
        self._ready.clear()
        self._failure = None
        self._thread = threading.Thread(
            target=self._run, args=(store, api, cdn_socket), name="nemo-watch-sandbox", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Stop serving and wait for the end. What was accepted and not finished goes on at the next start.

        Repeat: safe.
        """
        if self._thread is not None:
            self._end()
            self._thread.join()
            self._thread = None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has stopped by itself; False if it has not in that time.

        Raises: what ended it, if that was a failure.
        """
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        if thread.is_alive():
            return False
        if self._failure is not None:
            raise self._failure
        return True

    def _run(self, store: Store, api: socket.socket, cdn_socket: socket.socket) -> None:
        try:
            asyncio.run(self._main(store, api, cdn_socket))
        except BaseException as error:
            log.exception("the sandbox has ended")
            self._failure = error
        finally:
            api.close()
            cdn_socket.close()
            store.close()
            self._ready.set()

    async def _main(self, store: Store, api: socket.socket, cdn_socket: socket.socket) -> None:
        backend = Backend(store, self._settings, cdn_url=self.cdn_url)
        loop, stopping = asyncio.get_running_loop(), asyncio.Event()
        servers = {_Server(app.build(backend)): api, _Server(cdn.build(backend)): cdn_socket}
        serving: set[asyncio.Future[Any]] = set()
        try:
            await backend.start()
            serving = {asyncio.create_task(server.serve(sockets=[sock])) for server, sock in servers.items()}
            up = asyncio.gather(*(server.up.wait() for server in servers))
            await asyncio.wait({up, *serving}, return_when=asyncio.FIRST_COMPLETED)
            self._end = lambda: loop.call_soon_threadsafe(stopping.set)
            self._ready.set()
            asked = asyncio.create_task(stopping.wait())
            await asyncio.wait({asked, *serving}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
        finally:
            # Streams end with the turns they tell of; only then can the servers see their connections close.
            await backend.stop()
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*serving)
            # Requests that were cut short still note their end.
            if late := {task for server in servers for task in server.server_state.tasks}:
                await asyncio.wait(late, timeout=_STOP_S)
            backend.fetcher.close()
            await asyncio.to_thread(backend.db.close)


class _Server(uvicorn.Server):
    """`up` is set as soon as connections are taken."""

    def __init__(self, built: ASGIApp) -> None:
        self.up = asyncio.Event()
        logging.getLogger("uvicorn.error").addFilter(_not_ours)
        super().__init__(
            uvicorn.Config(
                built,
                http=CuttableProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_STOP_S,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()


def _not_ours(record: logging.LogRecord) -> bool:
    """Drop the one complaint about what is meant here: a stream that is broken off because its turn was."""
    return not record.getMessage().startswith("ASGI callable returned without completing response")


def serve_forever(
    store_dir: str | os.PathLike[str],
    *,
    listen: str = "127.0.0.1:0",
    cdn_listen: str = "127.0.0.1:0",
    credits: int = 10_000,  # noqa: A002 - the word of the contract
    fonts_dir: str = "",
    speech_model: str = "",
    heartbeat_s: float = 15.0,
    profile: str = "official",
    faults: Faults | None = None,
    pace: float = 1.0,
) -> None:
    """Serve in the foreground until SIGTERM or Ctrl-C, from the main thread. Prints one line with both addresses.

    Raises: OperatorError as `SandboxServer.start` does.
    """
    asked = threading.Event()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with SandboxServer(
            store_dir,
            listen=listen,
            cdn_listen=cdn_listen,
            credits=credits,
            fonts_dir=fonts_dir,
            speech_model=speech_model,
            heartbeat_s=heartbeat_s,
            profile=profile,
            faults=faults,
            pace=pace,
        ) as server:
            print(f"sandbox at {server.url}, files at {server.cdn_url}; Ctrl-C ends it", flush=True)
            while not asked.is_set() and not server.wait(0.1):
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing() -> None:
    return


def _loopback(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        number = int(port)
    except ValueError as error:
        raise OperatorError(f'"{listen}" is not an address and a port like "127.0.0.1:8900".', code="config") from error
    if not address.is_loopback or not 0 <= number <= 65_535:
        raise OperatorError(
            f"The sandbox listens on this machine only, not on {listen}.",
            code="config",
            hint="Use 127.0.0.1: it has no accounts to keep anyone out.",
        )
    return str(address), number


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: asyncio turns Nagle's algorithm off only then, and every answer would take 40 ms longer.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise OperatorError(
            f"The sandbox cannot listen on {host}:{port}: {error.strerror}.",
            code="config",
            hint="Another program may be using that port; choose another one.",
        ) from error
    return sock


def _bind_again(listen: tuple[str, int], before: str) -> socket.socket:
    host, port = listen
    if port == 0 and before.isdecimal():
        try:
            return _bind(host, int(before))
        except OperatorError:
            log.warning("the CDN port %s of the last run is taken; another one is used", before)
    return _bind(host, port)


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
