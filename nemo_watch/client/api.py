"""The voice: every call of the cloud API, one method each, with foreign errors turned into ours.

Touches: the network, the state folder through the credentials, the spool through downloads.

No method tries again by itself, with two exceptions: an anonymous token is asked for once more after a short rate
limit, and a complete 1001 refusal of an anonymous token is followed by one new token for the same client id and then by
the same call. A refusal before the first event proves that nothing was accepted: this holds for paid calls too.
After a rate limit every method refuses with "429" by itself until the gate of the account opens; what is under way
goes on.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from httpx_sse import EventSource

from nemo_watch import urls
from nemo_watch.client import download as downloads
from nemo_watch.client import wire
from nemo_watch.client.account import Account
from nemo_watch.client.credentials import Credentials
from nemo_watch.client.download import Disk, DownloadResult, Partial, Spool
from nemo_watch.client.line import Line, unwrapped
from nemo_watch.client.refusals import DUPLICATE_ID, is_of_a_duplicate, refusal, unintelligible
from nemo_watch.client.transport import (
    Timeouts,
    absolute,
    base_url,
    bounded,
    converted,
    event_response,
    header_value,
    location_of,
    looks_like_events,
)
from nemo_watch.client.upload import Multipart, Progress, UploadSource
from nemo_watch.client.wire import UploadedFile
from nemo_watch.errors import CloudError, RefusedError
from nemo_watch.model import Credits, Export, Json, RenderStatus, Session, SessionState, SkillHeaders, Turn
from nemo_watch.reply import TurnBuilder, printable

T = TypeVar("T")

OnEvent = Callable[[str], None]
"""Told the end of the text so far at every event of a turn, heartbeats included ("" while there is no text)."""

_APP = "nemo_agent"


class Client:
    """The cloud API for one account. Make it and use it inside one event loop; close it with `aclose`."""

    def __init__(
        self,
        *,
        api_url: str,
        web_url: str,
        credentials: Credentials,
        timeouts: Timeouts | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Check the addresses; nothing is sent yet.

        Raises: ConfigError if an address cannot be used, or is plain http to another machine.
        """
        web = str(base_url(web_url, "The web address (backend.web_url)")).rstrip("/")
        self._timeouts = timeouts or Timeouts()
        self._line = Line(api_url, self._timeouts, trust)
        self.credentials = credentials
        self._web = web
        self._account = Account(self._line, credentials, web)

    def __repr__(self) -> str:
        return f"Client(api_url={str(self._line.api)!r}, credentials={self.credentials!r})"

    async def aclose(self) -> None:
        """Let a token that is being given arrive, then close all connections. Repeat: safe."""
        await self._account.settle()
        await self._line.aclose()

    # ------------------------------------------------------------ small calls

    @property
    def link(self) -> str:
        """The page where the account gets more credits or rights, for people. Source: contract.md 2."""
        return self._account.link

    async def ensure_token(self, life_s: float = 0.0) -> None:
        """See that there is a token that lives for `life_s` more; ask for an anonymous one if there is none.

        Raises: CloudError ("token_quota" with `until` if there is none to be had), ConfigError, FolderError.
        """
        await self._account.token(life_s)

    async def balance(self, skill: SkillHeaders) -> Credits:
        """Read the account's credits. Raises: CloudError. Repeat: safe. Source: contract.md 7."""
        doing = "reading the credits"
        return wire.read_credits(await self._call("GET", "/api/credits/balance/simple", doing, skill), doing)

    async def open_session(self, title: str, language: str, skill: SkillHeaders) -> Session:
        """Open an editing session.

        Raises: CloudError. Repeat: safe, but each call makes one. Source: contract.md 4.1.
        """
        doing = "opening a session"
        body = {"task_name": title or "project"} | ({"language": language} if language else {})
        payload = await self._call("POST", f"/api/tasks/me/with-session/{_APP}", doing, skill, body=body)
        session = wire.read_session(payload, doing)
        self.credentials.learn_user_id(session.user_id)
        return session

    async def state(self, session_id: str, skill: SkillHeaders) -> SessionState:
        """Read a session's state.

        Raises: CloudError (1002: the session is gone). Repeat: safe. Source: contract.md 4.3.
        """
        doing = "reading the session's state"
        path = f"/api/state/{_APP}/me/{_segment(session_id)}/latest"
        payload = await self._call("GET", path, doing, skill, session=True)
        self.credentials.learn_user_id(wire.read_user_id(payload))
        return wire.read_state(payload, doing)

    async def claim_link(self, session: Session, skill: SkillHeaders) -> str:
        """Get a link that opens a session in a browser: whoever has it can open it, so it is only ever shown.

        Raises: CloudError. Repeat: safe. Source: contract.md 3.3.
        """
        doing = "asking for a browser link"
        body = {"task_id": session.task_id, "session_id": session.session_id}
        payload = await self._call("POST", "/api/auth/claim-token", doing, skill, body=body, session=True)
        return f"{self._web}/workspace/claim?ct={quote(wire.read_claim(payload, doing), safe='')}"

    # ------------------------------------------------------------ upload

    async def upload(
        self, session_id: str, source: UploadSource, skill: SkillHeaders, on_progress: Progress | None = None
    ) -> UploadedFile:
        """Upload one file, streamed in constant memory.

        Raises: CloudError (4001, 4002, 1002), MediaError ("changed" or "unreadable") from the source. Repeat: safe, at
        worst the file is there twice. Source: contract.md 5.
        """
        name = printable(source.filename)
        doing = f"uploading {name}"
        path = f"/api/upload-video/{_APP}/me/{_segment(session_id)}"

        async def once(token: str) -> UploadedFile:
            loop = asyncio.get_running_loop()
            with converted(doing):
                async with asyncio.timeout(self._timeouts.stall_s + self._timeouts.connect_s) as limit:
                    body = Multipart(
                        source,
                        on_progress,
                        on_move=lambda: limit.reschedule(loop.time() + self._timeouts.stall_s),
                        on_sent=lambda: limit.reschedule(loop.time() + self._timeouts.upload_answer_s),
                    )
                    headers = _authenticated(token, skill) | body.headers
                    send = self._line.alone.stream("POST", self._line.at(path), headers=headers, content=body)
                    async with send as response:
                        answer = await bounded(response.aiter_bytes(), doing, response.status_code)
            payload = unwrapped(response, answer, doing, session=True)
            return wire.read_upload(payload, doing, source.filename, body.sent_sha256)

        return await self._account.make(once)

    async def upload_url(self, session_id: str, url: str, skill: SkillHeaders) -> UploadedFile:
        """Have the backend fetch a file into the session.

        The address may hold a secret, so no error of ours repeats it. Raises: CloudError ("4001" type, "4002" size,
        "1002"). Repeat: harmless, but may leave the asset twice: look at the state first. Source: contract.md 5.2.
        """
        doing = "having the file fetched by its address"
        path = f"/api/upload-video/{_APP}/me/{_segment(session_id)}"
        body = {"urls": [url], "source_type": "url"}
        within_s = self._timeouts.upload_answer_s
        try:
            payload = await self._call(
                "POST", path, doing, skill, body=body, alone=True, session=True, within_s=within_s
            )
        except CloudError as error:
            error.message = urls.scrubbed(error.message, url)
            raise
        uploaded = wire.read_upload(payload, doing, "", "")
        return replace(uploaded, filename=urls.scrubbed(uploaded.filename, url))

    # ------------------------------------------------------------ the paid call

    async def say(self, session_id: str, text: str, skill: SkillHeaders, on_event: OnEvent | None = None) -> Turn:
        """Send a message to the editor and listen until its turn ends.

        Before the answer's head came, a break is an UnreachableError, `refused` only if nothing was sent. Once a stream
        has begun nothing is raised: the Turn holds what arrived, with `ended=False` if the stream broke off, stayed
        without content for `silent_s` or lasted longer than `turn_s`. A complete error answer instead of a stream is a
        RefusedError. Repeat: once; whoever calls keeps the fence. Source: contract.md 6, product.md 4.3.
        """
        if not text.strip():
            raise ValueError("an empty message is never sent")
        body = wire.dumps(
            {"app_name": _APP, "user_id": "me", "session_id": session_id, "new_message": {"parts": [{"text": text}]}}
        )

        async def once(token: str) -> Turn:
            headers = _authenticated(token, skill) | {
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",
                "Cache-Control": "no-store",
                "Content-Type": "application/json",
            }
            return await self._turn(headers, body, on_event)

        return await self._account.make(once)

    async def _turn(self, headers: Mapping[str, str], body: bytes, on_event: OnEvent | None) -> Turn:
        doing = "sending the edit message"
        builder = TurnBuilder()
        heard = done = False
        loop = asyncio.get_running_loop()
        times = self._timeouts
        last_s = loop.time() + times.turn_s
        try:
            with converted(doing):
                async with (
                    asyncio.timeout(times.silent_s) as limit,
                    self._line.alone.stream(
                        "POST", self._line.at("/run_sse"), headers=headers, content=body
                    ) as response,
                ):
                    chunks = response.aiter_bytes()
                    kind = response.headers.get("content-type", "").lower()
                    begin = b""
                    heard = response.status_code == 200 and "text/event-stream" in kind
                    if response.status_code == 200 and not heard and "json" not in kind:
                        begin = await anext(chunks, b"")
                        heard = looks_like_events(begin)
                    if not heard:
                        answer = begin + await bounded(chunks, doing, response.status_code)
                        builder.feed_value(unwrapped(response, answer, doing, session=True))
                        return builder.finish(ended=True)
                    silent_until_s = loop.time() + times.silent_s
                    async for event in EventSource(event_response(chunks, doing, begin)).aiter_sse():
                        of = builder.feed(event.event, event.data)
                        if of != "keepalive":
                            silent_until_s = loop.time() + times.silent_s
                        done = done or of == "end"
                        ends_s = loop.time() + times.after_done_s if of == "end" else silent_until_s
                        limit.reschedule(min(last_s, ends_s))
                        if on_event:
                            on_event(builder.text_so_far)
                    done = True
        except CloudError:
            if not heard:
                raise
        return builder.finish(ended=done)

    # ------------------------------------------------------------ render

    async def submit_render(
        self, render_id: str, session_id: str, draft: Json, export: Export, skill: SkillHeaders
    ) -> RenderStatus:
        """Ask for a render under an id of ours; the draft goes out as it came.

        Raises: CloudError ("402", "403": not permitted; "duplicate_id": known already). Repeat: only with care, ask for
        the same id first. Source: contract.md 8.1.
        """
        doing = "asking for the export"
        output: Json = {"format": export.format, "quality": export.quality}
        if export.resolution:
            output["resolution"] = export.resolution
        if export.fps:
            output["fps"] = export.fps
        body = {"id": render_id, "sessionId": session_id, "draft": draft, "output": output}
        try:
            payload = await self._call("POST", "/api/render/proxy/lambda", doing, skill, body=body, alone=True)
        except RefusedError as error:
            if is_of_a_duplicate(error):
                raise refusal(DUPLICATE_ID, doing, status=error.status) from error
            raise
        return wire.read_render(payload, doing, render_id)

    async def render_status(self, render_id: str, skill: SkillHeaders) -> RenderStatus:
        """Ask how a render stands. Raises: CloudError ("404": unknown id). Repeat: safe. Source: contract.md 8.2."""
        doing = "asking for the export's progress"
        payload = await self._call("GET", f"/api/render/proxy/lambda/{_segment(render_id)}", doing, skill)
        return wire.read_render(payload, doing, render_id)

    async def cancel_render(self, render_id: str, skill: SkillHeaders) -> None:
        """Ask for the end of a render that is not wanted any more.

        Raises: CloudError ("409": it has ended, "404": unknown id). Repeat: safe. Source: contract.md 8.4.
        """
        path = f"/api/render/proxy/lambda/{_segment(render_id)}/cancel"
        await self._call("POST", path, "cancelling the export", skill)

    # ------------------------------------------------------------ download

    async def download(
        self, url: str, path: str, *, disk: Disk = asyncio.to_thread, on_progress: Progress | None = None
    ) -> DownloadResult:
        """Fetch a result into the spool, going on where an earlier try of the same file broke off.

        `path` grows while it is fetched; it is whole and durable only when this returns. `disk` runs what touches it.
        No header of ours goes along.
        Raises: CloudError, MediaError ("download_corrupt"), FolderError. Repeat: safe. Source: contract.md 8.3.
        """
        doing = "fetching the result"
        spool = Spool(disk)
        asked = await spool.partial(path, url)
        loop = asyncio.get_running_loop()
        with converted(doing):
            while True:
                async with (
                    asyncio.timeout(self._timeouts.stall_s) as limit,
                    self._line.follow(url, downloads.ranges(asked), doing) as response,
                ):
                    result = await self._saved(spool, response, url, path, asked, on_progress, limit, loop, doing)
                if result:
                    return result
                if asked is None:
                    raise unintelligible(doing, response.status_code, "a part that was not asked for")
                # The range did not hold: once more, from the beginning.
                asked = None

    async def download_fallback(
        self,
        render_id: str,
        path: str,
        skill: SkillHeaders,
        *,
        disk: Disk = asyncio.to_thread,
        on_progress: Progress | None = None,
    ) -> DownloadResult:
        """Fetch a result through the backend itself: bytes, a redirect, or JSON with an address; the last two are
        followed without the token.

        Raises: CloudError, MediaError ("download_corrupt"), FolderError. Repeat: safe. Source: contract.md 8.3.
        """
        doing = "fetching the result from the backend"
        address = self._line.at(f"/api/render/proxy/{_segment(render_id)}/download")
        loop = asyncio.get_running_loop()

        async def once(token: str) -> DownloadResult | str:
            headers = _authenticated(token, skill) | downloads.ranges(None)
            with converted(doing):
                async with (
                    asyncio.timeout(self._timeouts.stall_s) as limit,
                    self._line.calls.stream("GET", address, headers=headers) as response,
                ):
                    if elsewhere := location_of(response):
                        return elsewhere
                    if response.status_code >= 400 or "json" in response.headers.get("content-type", "").lower():
                        answer = await bounded(response.aiter_bytes(), doing, response.status_code)
                        payload = unwrapped(response, answer, doing)
                        return absolute(str(self._line.api), wire.read_render(payload, doing, render_id).url)
                    result = await self._saved(
                        Spool(disk), response, str(address), path, None, on_progress, limit, loop, doing
                    )
                    if result is None:
                        raise unintelligible(doing, response.status_code, "a part that was not asked for")
                    return result

        found = await self._account.make(once)
        if isinstance(found, DownloadResult):
            return found
        if not found or found.rstrip("/") == str(self._line.api).rstrip("/"):
            raise unintelligible(doing, 200, "an answer without an address")
        return await self.download(found, path, disk=disk, on_progress=on_progress)

    async def _saved(
        self,
        spool: Spool,
        response: httpx.Response,
        url: str,
        path: str,
        asked: Partial | None,
        on_progress: Progress | None,
        limit: asyncio.Timeout,
        loop: asyncio.AbstractEventLoop,
        doing: str,
    ) -> DownloadResult | None:
        if asked and response.status_code == 416:
            return await spool.finish(path, asked) if downloads.is_whole(response, asked) else None
        if response.status_code not in (200, 206) or downloads.is_document(response):
            raise await downloads.bad_answer(response, doing)
        body = downloads.body_of(response, url, asked)
        if body is None:
            return None

        def moved() -> None:
            limit.reschedule(loop.time() + self._timeouts.stall_s)

        return await spool.save(response, path, body, on_progress, moved)

    # ------------------------------------------------------------ below

    async def _call(
        self,
        method: str,
        path: str,
        doing: str,
        skill: SkillHeaders,
        *,
        body: Json | None = None,
        session: bool = False,
        alone: bool = False,
        within_s: float | None = None,
    ) -> Any:
        content = None if body is None else wire.dumps(body)

        async def once(token: str) -> Any:
            headers = _authenticated(token, skill)
            if content is not None:
                headers["Content-Type"] = "application/json"
            response, answer = await self._line.exchange(
                method, path, doing, headers, content, alone=alone, within_s=within_s
            )
            return unwrapped(response, answer, doing, session=session)

        return await self._account.make(once)


def _authenticated(token: str, skill: SkillHeaders) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token}",
        "X-Skill-Source": header_value(skill.source, "nemo-watch"),
        "X-Skill-Version": header_value(skill.version, "1.0.0"),
        "X-Skill-Platform": header_value(skill.platform, "unknown"),
    }


def _segment(text: str) -> str:
    return quote(text, safe="")
