"""The connections to the backend and to where its results lie; only the first ever carries the token.

Touches: the network.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from nemo_watch import __version__
from nemo_watch.client import wire
from nemo_watch.client.refusals import unintelligible
from nemo_watch.client.transport import Timeouts, base_url, bounded, converted, is_loopback, location_of

_REDIRECTS_MOST = 5


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Read the certificates that are trusted: a tenth of a second, so once for a process."""
    return httpx.create_ssl_context()


class Line:
    """Four kinds of connections, none of which follows a redirect or tries again by itself."""

    def __init__(self, api_url: str, timeouts: Timeouts, trust: ssl.SSLContext | None) -> None:
        self.api = base_url(api_url, "The backend's address (backend.url)")
        self.timeouts = timeouts
        self._near = is_loopback(self.api.host)
        context = trust or _trusted()

        def session(*, keep: int, proxied: bool) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                verify=context,
                trust_env=proxied,
                follow_redirects=False,
                timeout=httpx.Timeout(None, connect=timeouts.connect_s),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=keep),
                headers={"User-Agent": f"nemo-watch/{__version__}", "Accept-Encoding": "identity"},
            )

        self.calls = session(keep=20, proxied=not self._near)
        # Calls that are paid or unique get a connection of their own: on one that was kept open, a server that closes
        # it just then cannot be told from one that accepted the request and died.
        self.alone = session(keep=0, proxied=not self._near)
        # Other hosts never see a header of ours, and this machine is never reached through a proxy.
        self._elsewhere = session(keep=0, proxied=True)
        self._here = session(keep=0, proxied=False)
        # httpx logs every address with its query, and a query may be a signature.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def aclose(self) -> None:
        """Close all connections. Repeat: safe."""
        for session in (self.calls, self.alone, self._elsewhere, self._here):
            await session.aclose()

    def at(self, path: str) -> httpx.URL:
        """Give the address of a path at the backend, below the path of its base address."""
        return self.api.copy_with(raw_path=self.api.raw_path.rstrip(b"/") + path.encode("ascii"))

    async def exchange(
        self,
        method: str,
        path: str,
        doing: str,
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        alone: bool,
        within_s: float | None = None,
    ) -> tuple[httpx.Response, bytes]:
        """Make a small call from beginning to end, `within_s` if not as long as usual.

        Raises: UnreachableError, UnintelligibleError.
        """
        http = self.alone if alone else self.calls
        with converted(doing):
            async with (
                asyncio.timeout(within_s or self.timeouts.call_s),
                http.stream(method, self.at(path), headers=headers, content=content) as response,
            ):
                return response, await bounded(response.aiter_bytes(), doing, response.status_code)

    @asynccontextmanager
    async def follow(self, url: str, headers: Mapping[str, str], doing: str) -> AsyncIterator[httpx.Response]:
        """Get an address at another host, redirects included; every hop must be https, or this machine from itself."""
        for _ in range(_REDIRECTS_MOST + 1):
            try:
                target = httpx.URL(url)
            except (httpx.InvalidURL, TypeError):
                target = httpx.URL("")
            near = is_loopback(target.host)
            if target.scheme != "https" and not (target.scheme == "http" and near and self._near):
                raise unintelligible(doing, 200, "an address that is not https")
            session = self._here if near else self._elsewhere
            async with session.stream("GET", target.copy_with(userinfo=b""), headers=headers) as response:
                url = location_of(response)
                if not url:
                    yield response
                    return
        raise unintelligible(doing, 302, "redirects without an end")


def unwrapped(response: httpx.Response, answer: bytes, doing: str, *, session: bool = False) -> Any:
    """Give what a complete answer carries. Raises: RefusedError, UnintelligibleError."""
    if response.is_redirect:
        # Followed blindly, the token would go wherever the answer points to.
        raise unintelligible(doing, response.status_code, "a redirect to another address")
    wait_s = wire.retry_after(response.headers.get("retry-after"), datetime.now(UTC))
    return wire.unwrap(response.status_code, answer, doing, retry_after_s=wait_s, session=session)
