"""Fetch files from public addresses for an upload: bounded in time, size and redirects, from checked hosts only.

The host's name is resolved once, every address of it is checked, and the connection goes to a checked address itself:
what the name means a moment later does not matter. Host header and TLS name stay the name. Requests go through httpx's
transport and not its client, so that there are no proxies or passwords of the environment, no cookies, no redirects but
those followed here, and no log with the whole address.

Touches: the network, one folder.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import httpx

from nemo_watch.sandbox.addresses import Target, UrlError, all_may_be_fetched, redirected
from nemo_watch.sandbox.landing import MIME_OF, SUBTITLE_MIME_OF, Landing, accepted_suffix, safe_name, too_large
from nemo_watch.sandbox.wire import Refusal

MAX_REDIRECTS = 5
_CONNECT_S = 10.0
_PIECE_BYTES = 1024 * 1024
_RESOLVERS = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429})
"""Answers below 500 after which a later try may go well."""
_SUFFIX_OF = {mime: suffix for suffix, mime in (MIME_OF | SUBTITLE_MIME_OF).items()} | {
    "video/avi": "avi",
    "audio/mp3": "mp3",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/x-m4a": "m4a",
}
_EXTENDED_NAME = re.compile(r"(?i)(?:^|;)\s*filename\*\s*=\s*utf-8''([^;\s]+)")
_PLAIN_NAME = re.compile(r'(?i)(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))')


class Fetcher:
    """Fetches one file at a time for each caller. `let_pass` are addresses that need not be public.

    Names are looked up in threads of its own: a resolver that hangs keeps its thread for longer than the fetch lasts.
    """

    def __init__(self, let_pass: Collection[str] = (), *, total_s: float, stall_s: float) -> None:
        self._let_pass = frozenset(let_pass)
        self._total_s, self._stall_s = total_s, stall_s
        self._tls: ssl.SSLContext | None = None
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")

    def close(self) -> None:
        """Look up no names any more; does not wait for those that hang."""
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def fetch(self, target: Target, folder: Path, limit_bytes: int) -> Landing:
        """Write what is found at an address into the folder; the caller finishes or abandons it.

        Raises: Refusal: 400 for an address nothing is fetched from and for one that has nothing to give, 502 and 504
        for what may go well later, 4001 and 4002 for the file.
        Effects: none that stay, if it raises.
        Repeat: safe
        """
        try:
            async with asyncio.timeout(self._total_s):
                return await self._followed(target, folder, limit_bytes)
        except TimeoutError as error:
            why = f"{target.told} could not be fetched: it took longer than {self._total_s:g} seconds."
            raise Refusal(504, why, status=504) from error

    async def _followed(self, first: Target, folder: Path, limit_bytes: int) -> Landing:
        target = first
        for _ in range(MAX_REDIRECTS + 1):
            addresses = await self._resolved(target)
            if self._tls is None:
                self._tls = await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)
            transport = httpx.AsyncHTTPTransport(verify=self._tls, http2=False, retries=0)
            try:
                response = await self._asked(transport, target, addresses)
                async with aclosing(response):
                    if response.status_code not in _REDIRECTS:
                        return await self._written(first, target, response, folder, limit_bytes)
                    target = _next(target, response)
            except (httpx.TransportError, httpx.StreamError) as error:
                raise _broken(target, error) from error
            finally:
                await transport.aclose()
        why = f"{first.told} could not be fetched: it redirects more than {MAX_REDIRECTS} times."
        raise Refusal(400, why, status=400)

    async def _resolved(self, target: Target) -> tuple[str, ...]:
        """Give the addresses of a target's host, every one of them checked."""
        look_up = partial(socket.getaddrinfo, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._resolvers, look_up, target.host, target.port)
        except (OSError, UnicodeError) as error:
            raise Refusal(502, f"{target.told} could not be fetched: its host is not known.", status=502) from error
        addresses = tuple(dict.fromkeys(str(row[4][0]) for row in found))
        if not all_may_be_fetched(addresses, self._let_pass):
            why = f"{target.told} is not fetched: its host is this machine, in a private network or not public."
            raise Refusal(400, why, status=400)
        return addresses

    async def _asked(
        self, transport: httpx.AsyncHTTPTransport, target: Target, addresses: tuple[str, ...]
    ) -> httpx.Response:
        """Ask the first address that can be connected to."""
        headers = {
            "Host": target.authority,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "nemo-watch-sandbox",
            "Connection": "close",
        }
        if target.authorization:
            headers["Authorization"] = target.authorization
        waits = {"connect": _CONNECT_S, "read": self._stall_s, "write": self._stall_s, "pool": _CONNECT_S}
        extensions = {"timeout": waits, "sni_hostname": target.host.rstrip(".")}
        failure: httpx.TransportError | None = None
        for address in addresses:
            literal = f"[{address}]" if ":" in address else address
            url = f"{target.scheme}://{literal}:{target.port}{target.request}"
            try:
                request = httpx.Request("GET", url, headers=headers, extensions=extensions)
                return await transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
            except httpx.InvalidURL as error:
                raise Refusal(400, f"{target.told} cannot be asked for.", status=400) from error
        assert failure is not None  # noqa: S101 - for the type checker: there is at least one address
        raise failure

    async def _written(
        self, first: Target, target: Target, response: httpx.Response, folder: Path, limit_bytes: int
    ) -> Landing:
        status = response.status_code
        if status != httpx.codes.OK:
            passing = status >= 500 or status in _AGAIN
            why = f"{target.told} could not be fetched: its host answered with {status}."
            raise Refusal(502 if passing else 400, why, status=502 if passing else 400)
        name = file_name(first, target, response.headers)
        suffix = accepted_suffix(name)
        announced = response.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit_bytes:
            raise too_large(name, limit_bytes)
        landing = await asyncio.to_thread(Landing, folder, name, suffix, limit_bytes=limit_bytes)
        try:
            piece = bytearray()
            async with aclosing(_decoded(target, response)) as body:
                async for data in body:
                    piece += data
                    if len(piece) >= _PIECE_BYTES:
                        await asyncio.to_thread(landing.write, bytes(piece))
                        piece.clear()
            await asyncio.to_thread(landing.write, bytes(piece))
        except BaseException:
            await asyncio.to_thread(landing.abandon)
            raise
        return landing


def file_name(first: Target, last: Target, headers: httpx.Headers) -> str:
    """Name a fetched file: as the address does, else as the answer does; the type comes from there, too.

    Where the address names no type, the answer's Content-Type does.
    """
    names = [safe_name(name) for name in (first.filename, last.filename, _disposed(headers)) if name]
    for name in names:
        if "." in name and name.rpartition(".")[2].lower() in (*MIME_OF, *SUBTITLE_MIME_OF, "jpeg"):
            return name
    name = names[0] if names else "file"
    mime = headers.get("content-type", "").partition(";")[0].strip().lower()
    return f"{name}.{_SUFFIX_OF[mime]}" if "." not in name and mime in _SUFFIX_OF else name


def _disposed(headers: httpx.Headers) -> str:
    value = headers.get("content-disposition", "")[:2000]
    if match := _EXTENDED_NAME.search(value):
        return unquote(match[1], errors="replace")
    if match := _PLAIN_NAME.search(value):
        return re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2]
    return ""


def _next(target: Target, response: httpx.Response) -> Target:
    try:
        location = response.headers["location"]
        return redirected(target, location)
    except KeyError as error:
        why = f"{target.told} could not be fetched: it redirects to nowhere."
        raise Refusal(502, why, status=502) from error
    except UrlError as error:
        why = f"{target.told} could not be fetched: it redirects to an address that is not followed. {error}"
        raise Refusal(400, why, status=400) from error


async def _decoded(target: Target, response: httpx.Response) -> AsyncGenerator[bytes]:
    """Give the body; what came compressed although nobody asked for that is unpacked piece by piece."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        async for data in response.aiter_raw():
            yield data
        return
    if encoding not in ("gzip", "x-gzip"):
        raise Refusal(502, f"{target.told} could not be fetched: it comes packed in an unknown way.", status=502)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        async for data in response.aiter_raw():
            rest = data
            while rest:
                if unpacker.eof:  # one packing may follow another, with zeros to fill up behind it
                    if not (rest := rest.lstrip(b"\0")):
                        break
                    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
                yield unpacker.decompress(rest, _PIECE_BYTES)
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error as error:
        raise Refusal(502, f"{target.told} could not be fetched: its packing is damaged.", status=502) from error
    if not unpacker.eof:
        raise Refusal(502, f"{target.told} could not be fetched: it ended before its end.", status=502)


def _is_of_tls(error: BaseException) -> bool:
    """Look for a failure of TLS among the causes: the layers in between wrap it more than once."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _broken(target: Target, error: Exception) -> Refusal:
    """Say what went wrong on the way, in words of ours: the library's may name the whole address."""
    match error:
        case httpx.TimeoutException():
            return Refusal(504, f"{target.told} could not be fetched: its host did not answer in time.", status=504)
        case httpx.ConnectError() if _is_of_tls(error):
            why = f"{target.told} could not be fetched: its certificate or its TLS is not accepted."
            return Refusal(502, why, status=502)
        case httpx.ConnectError():
            return Refusal(502, f"{target.told} could not be fetched: its host cannot be reached.", status=502)
        case httpx.RemoteProtocolError() | httpx.ReadError():
            return Refusal(502, f"{target.told} could not be fetched: it ended before its end.", status=502)
    return Refusal(502, f"{target.told} could not be fetched: the connection broke.", status=502)
