"""Below the API: addresses, time limits, bounded bodies, and foreign exceptions turned into errors of the house.

Touches: the network, through what it is given.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

from nemo_watch.client.refusals import unintelligible
from nemo_watch.errors import ConfigError, UnreachableError

JSON_MOST_BYTES = 16 << 20
EVENT_MOST_BYTES = 16 << 20
"""JSON of empty lists takes 28 times as much memory as it has bytes, and a second for each 4 MB. Source: measured."""
STREAM_MOST_BYTES = 512 << 20
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the client waits, in seconds.

    `call_s` is for a small call from beginning to end. An upload or a download may take any time as long as bytes
    move at least every `stall_s`; the answer to an upload may take `upload_answer_s`. A turn ends after `turn_s`, or
    after `silent_s` without anything but heartbeats; `after_done_s` is how long the connection may stay open and quiet
    after an event that says that the turn is over. Source: contract.md 6.1, 6.7.
    """

    connect_s: float = 10.0
    call_s: float = 120.0
    stall_s: float = 60.0
    upload_answer_s: float = 600.0
    turn_s: float = 900.0
    silent_s: float = 600.0
    after_done_s: float = 20.0


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine itself."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def base_url(text: str, name: str) -> httpx.URL:
    """Check an address from the config.

    Raises: ConfigError if it is no http(s) address, holds user info or a query, or is plain http to another machine.
    """
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, ValueError, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"{name} is not an address that begins with https:// and names a host.")
    if url.userinfo or url.query or url.fragment:
        raise ConfigError(f"{name} must be a bare address, without user name, query or fragment.")
    if url.scheme == "http" and not is_loopback(url.host):
        raise ConfigError(
            f"{name} is plain http to another machine ({url.host}), so the token could be read on the way.",
            hint="Use https; plain http is taken for this machine only.",
        )
    return url.copy_with(path=url.path.rstrip("/") or "/")


@contextmanager
def converted(doing: str) -> Iterator[None]:
    """Turn what httpx, the sockets, TLS and the clock raise into an UnreachableError with a sentence.

    `refused` is True only if the request cannot have been sent: there was no connection.
    Raises: UnreachableError.
    """
    try:
        yield
    except (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
    ) as error:
        raise UnreachableError(
            f"The backend cannot be reached (while {doing}): {_why_unconnected(error)}.",
            hint="Check the network and the backend's address; it is tried again later.",
            refused=True,
        ) from error
    except (httpx.TimeoutException, TimeoutError) as error:
        raise UnreachableError(
            f"The backend did not answer in time (while {doing}).", hint="It is looked at again later."
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError, OSError) as error:
        raise UnreachableError(
            f"The connection to the backend broke off (while {doing}): {_why_broken(error)}.",
            hint="It is tried again later.",
        ) from error


async def bounded(chunks: AsyncIterator[bytes], doing: str, status: int, most_bytes: int = JSON_MOST_BYTES) -> bytes:
    """Read a whole body.

    Raises: UnintelligibleError if it goes on beyond the bound.
    """
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most_bytes:
            raise unintelligible(doing, status, f"more than {most_bytes >> 20} MiB without an end")
        parts.append(chunk)
    return b"".join(parts)


class EventBytes(httpx.AsyncByteStream):
    """The bytes of an event stream, made safe for the parser: an event and the whole stream have a bound.

    A byte order mark is taken off, and a last event that lacks its blank line is completed, as a stream that ended in
    order has nothing more to come.
    """

    def __init__(self, chunks: AsyncIterator[bytes], doing: str, begin: bytes = b"") -> None:
        self._chunks = chunks
        self._doing = doing
        self._begin = begin

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = event_size = 0
        tail = b""
        async for chunk in self._unmarked():
            size += len(chunk)
            seen = tail + chunk
            ends = [at + len(blank) for blank in (b"\n\n", b"\r\n\r\n", b"\r\r") if (at := seen.rfind(blank)) >= 0]
            event_size = len(seen) - max(ends) if ends else event_size + len(chunk)
            tail = seen[-3:]
            if event_size > EVENT_MOST_BYTES or size > STREAM_MOST_BYTES:
                raise unintelligible(self._doing, 200, "an event without an end")
            yield chunk
        yield b"\n\n"

    async def _unmarked(self) -> AsyncIterator[bytes]:
        """Give the chunks without the mark, which may come in pieces itself."""
        held: bytes | None = b""
        async for chunk in self._all():
            if held is None:
                yield chunk
            elif len(held) + len(chunk) < len(_MARK):
                held += chunk
            else:
                yield (held + chunk).removeprefix(_MARK)
                held = None
        if held:
            yield held

    async def _all(self) -> AsyncIterator[bytes]:
        if self._begin:
            yield self._begin
        async for chunk in self._chunks:
            yield chunk


def looks_like_events(begin: bytes) -> bool:
    """Say whether a body without a telling content type begins as an event stream does."""
    return begin.removeprefix(_MARK).lstrip().startswith((b"data:", b"event:", b":", b"id:", b"retry:"))


def event_response(chunks: AsyncIterator[bytes], doing: str, begin: bytes = b"") -> httpx.Response:
    """Give the stream as a response for the parser, always read as UTF-8 (the standard knows no other)."""
    return httpx.Response(
        200,
        headers={"content-type": "text/event-stream; charset=utf-8"},
        stream=EventBytes(chunks, doing, begin),
    )


def header_value(text: str, default: str) -> str:
    """Give a text as a header's value: printable ASCII, never empty."""
    kept = "".join(char if " " <= char <= "~" else "?" for char in text.strip())
    return kept[:200] or default


def location_of(response: httpx.Response) -> str:
    """Give where a redirect leads as an absolute address, "" if the answer is no redirect."""
    if not response.has_redirect_location:
        return ""
    try:
        return str(response.request.url.join(response.headers["location"]))
    except (httpx.InvalidURL, ValueError):
        return ""


def absolute(base: str, address: str) -> str:
    """Give an address that may be relative to another one, "" if it is none."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def _why_unconnected(error: BaseException) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no connection was made in time"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refused"
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection could be made"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    return "no connection could be made"


def _why_broken(error: BaseException) -> str:
    if isinstance(error, httpx.RemoteProtocolError):
        return "the answer ended before it was complete"
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    return "no reason was given"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk through what an error came from, groups of connection attempts included."""
    pending, seen = [error], 0
    while pending and seen < 50:
        cause = pending.pop(0)
        seen += 1
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            pending.extend(cause.exceptions)
        pending.extend(inner for inner in (cause.__cause__, cause.__context__) if inner is not None)
