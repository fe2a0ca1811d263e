"""In whose name calls are made: the token for each, one new anonymous token where it is refused, links for people.

Touches: the network through the line, the state folder through the credentials.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

from nemo_watch.client import wire
from nemo_watch.client.credentials import Credentials
from nemo_watch.client.gate import Gate
from nemo_watch.client.line import Line, unwrapped
from nemo_watch.client.refusals import refusal
from nemo_watch.client.wire import AnonymousToken
from nemo_watch.errors import CloudError, RefusedError

T = TypeVar("T")

_SHORT_WAIT_S = 60.0
_QUOTA_PAUSE_S = 30.0
_SETTLE_S = 15.0
_LINKED = frozenset({"2001", "402", "403"})


class Account:
    """The account of one client; made and used inside one event loop."""

    def __init__(self, line: Line, credentials: Credentials, web: str) -> None:
        self._line = line
        self._credentials = credentials
        self._web = web
        self._gate = Gate()
        self._renewing = asyncio.Lock()
        self._quota: tuple[float, RefusedError] | None = None
        self._asking: asyncio.Task[AnonymousToken] | None = None

    async def settle(self) -> None:
        """Wait for a token that was asked for: nobody gives it out a second time, so it must be kept."""
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=_SETTLE_S)
            self._asking.cancel()

    async def make(self, once: Callable[[str], Awaitable[T]]) -> T:
        """Make a call with the token, and once more with a new one if an anonymous token was refused before anything
        was accepted. Raises: whatever the call raises, and "429" while the gate is closed; refusals that more money or
        rights would end get the page where those can be had.
        """
        token = await _before_the_call(self.token())
        try:
            return await self._linked(once, token)
        except RefusedError as error:
            if error.code != "1001" or not error.refused or not self._credentials.is_anonymous:
                raise
        return await self._linked(once, await _before_the_call(self._renewed(token)))

    async def _linked(self, once: Callable[[str], Awaitable[T]], token: str) -> T:
        went_s = self._gate.pass_through()
        try:
            answer = await once(token)
        except RefusedError as error:
            if error.code == "429":
                self._gate.closed_by(error, went_s)
            else:
                self._gate.passed(went_s)
            if error.code in _LINKED:
                error.link = self.link
            raise
        self._gate.passed(went_s)
        return answer

    async def token(self, life_s: float = 0.0) -> str:
        """Give the token to use now; an anonymous one that ends within `life_s` is renewed first.

        Raises: RefusedError ("token_quota", "429" while the gate is closed), CloudError, ConfigError, FolderError.
        """
        given = self._credentials.given()
        if given:
            return given
        kept = self._credentials.kept()
        now = datetime.now(UTC)
        if kept and kept.expires_at > now + timedelta(seconds=life_s):
            return kept.token
        try:
            return await self._renewed(kept.token if kept else "")
        except RefusedError as error:
            if not kept or error.code != "token_quota":
                raise
            if kept.expires_at > now:
                # Where one token at a time is given, the next can be had when this one ends, whatever else was said.
                raise _again(error, until=min(error.until or kept.expires_at, kept.expires_at)) from error
            # By the backend's clock the old one may still be good; if not, it will say so.
            return kept.token

    async def _renewed(self, stale: str) -> str:
        """Get an anonymous token other than the stale one; calls that wait here together ask the backend once."""
        loop = asyncio.get_running_loop()
        async with self._renewing:
            kept = self._credentials.kept()
            if kept and kept.token != stale:
                return kept.token
            if self._quota and loop.time() < self._quota[0]:
                raise _again(self._quota[1])
            try:
                # A task of its own, shielded: who waits here may be cancelled, the token must be kept all the same,
                # and who comes next waits for it instead of asking once more.
                if self._asking is None or self._asking.done():
                    self._asking = loop.create_task(self._anonymous_token_kept())
                    self._asking.add_done_callback(_seen)
                return (await asyncio.shield(self._asking)).token
            except RefusedError as error:
                if error.code == "token_quota":
                    self._quota = (loop.time() + _QUOTA_PAUSE_S, error)
                raise

    async def _anonymous_token_kept(self) -> AnonymousToken:
        fresh = await self._anonymous_token()
        self._credentials.keep(fresh)
        return fresh

    async def _anonymous_token(self) -> AnonymousToken:
        """Ask for a token. Repeat: once per client in seven days. Source: contract.md 2, 3.1."""
        self._gate.pass_through()
        doing = "asking for an anonymous token"
        client_id = self._credentials.client_id()
        first = True
        while True:
            response, answer = await self._line.exchange(
                "POST", "/api/auth/anonymous-token", doing, {"X-Client-Id": client_id}, b"", alone=True
            )
            try:
                return wire.read_token(unwrapped(response, answer, doing), doing, datetime.now(UTC))
            except RefusedError as error:
                wait_s = error.retry_after_s
                if error.code == "429" and not (first and wait_s is not None and wait_s <= _SHORT_WAIT_S):
                    raise _quota(error, answer, doing) from error
                if error.code == "429":
                    await asyncio.sleep(wait_s or 0.0)
                elif error.code == "400" and first:
                    client_id = self._credentials.new_client_id()
                else:
                    raise
            first = False

    @property
    def link(self) -> str:
        """The page where the account gets more rights or credits. Source: contract.md 2."""
        user_id = self._credentials.user_id
        if user_id.startswith("anon_") or (self._credentials.is_anonymous and user_id):
            return f"{self._web}/register?bind={quote(user_id, safe='')}"
        return f"{self._web}/register" if self._credentials.is_anonymous else self._web


async def _before_the_call(asked: Awaitable[T]) -> T:
    """Wait for a token; where there is none, the call it was for had no effect, as it never went out."""
    try:
        return await asked
    except CloudError as error:
        error.refused = True
        raise


def _seen(task: asyncio.Task[AnonymousToken]) -> None:
    """Take note of how it ended, where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()


def _quota(error: RefusedError, answer: bytes, doing: str) -> RefusedError:
    now = datetime.now(UTC)
    until = wire.read_until(answer)
    if until is None:
        until = now + (timedelta(seconds=error.retry_after_s) if error.retry_after_s is not None else wire.TOKEN_LIFE)
    quota = refusal("token_quota", doing, status=error.status, retry_after_s=error.retry_after_s)
    return _again(quota, until=until)


def _again(error: RefusedError, until: datetime | None = None) -> RefusedError:
    """Make the same error anew, or one that holds until another moment: one exception is never raised in two tasks."""
    hint = error.hint
    if until is not None:
        hint = f"Set NEMO_TOKEN to a token of your own, or wait until {until:%Y-%m-%d %H:%M} UTC."
    return RefusedError(
        error.message,
        code=error.code,
        hint=hint,
        status=error.status,
        refused=error.refused,
        retry_after_s=error.retry_after_s,
        until=until or error.until,
        link=error.link,
    )
