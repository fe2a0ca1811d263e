"""Results brought into the spool: resumed where they broke off, checked for their length, durable at the end.

Touches: the spool, through the threads it is given; the network, through the responses it is given.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import httpx

from nemo_watch.client.refusals import unintelligible
from nemo_watch.client.transport import bounded
from nemo_watch.client.upload import Progress
from nemo_watch.client.wire import error_words, first_words, loads
from nemo_watch.errors import CloudError, FolderError, MediaError, RefusedError
from nemo_watch.reply import without_secrets

T = TypeVar("T")

Disk = Callable[..., Awaitable[Any]]
"""Runs a blocking function with its arguments on the threads of the folder that it touches."""

WRITE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class DownloadResult:
    """A file that is whole in the spool. `resumed_from` is where the last request began, `etag` "" if untold."""

    size_bytes: int
    resumed_from: int
    etag: str


@dataclass(frozen=True, slots=True)
class Partial:
    """What lies beside a download that is under way, so that only the same file is ever gone on with.

    `place` is a digest of the address without its query (a signed address changes at every poll), `address` of all of
    it. `total_bytes` is 0 if it was not told.
    """

    place: str
    address: str
    etag: str
    modified: str
    total_bytes: int
    offset: int = 0

    @property
    def validator(self) -> str:
        """What If-Range can be asked with: a strong ETag, else the date; "" if there is neither."""
        return self.etag if self.etag.startswith('"') else self.modified


class Spool:
    """Writes downloads: every file operation runs on the folder's threads, and its failures become FolderErrors."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def partial(self, path: str, url: str) -> Partial | None:
        """Find what is there of a download of this address; None if it has to begin anew."""
        return await self._do(path, _read_partial, path, url)

    async def save(
        self,
        response: httpx.Response,
        path: str,
        found: Partial,
        on_progress: Progress | None,
        on_move: Callable[[], None],
    ) -> DownloadResult:
        """Write a body to its end, from `found.offset` on.

        Raises: FolderError, MediaError("download_corrupt"). Effects: on a break what has come stays for the next time.
        """
        coded = response.headers.get("content-encoding", "identity").lower() not in ("", "identity")
        total = 0 if coded else found.total_bytes
        offset = found.offset
        await self._do(path, _begin, path, None if coded else found)
        held = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                on_move()
                held += chunk
                if total and offset + len(held) > total:
                    held.clear()
                    await self._do(path, _discard, path)
                    raise _corrupt(f"it is longer than the {total} bytes that were announced")
                if len(held) >= WRITE_BYTES:
                    await self._do(path, _write_at, path, offset, bytes(held))
                    offset += len(held)
                    held.clear()
                    if on_progress:
                        on_progress(offset, total)
        finally:
            # What has come stays, whatever broke it off; the next try goes on from there.
            if held:
                await self._do(path, _write_at, path, offset, bytes(held))
                offset += len(held)
        if total and offset < total:
            # A stream that ended early without an error: what there is can be gone on with.
            raise _corrupt(f"{offset} of {total} bytes came")
        if not offset:
            raise _corrupt("it is empty")
        await self._do(path, _finish, path)
        if on_progress:
            on_progress(offset, total or offset)
        return DownloadResult(offset, found.offset, found.etag)

    async def finish(self, path: str, found: Partial) -> DownloadResult:
        """Close a download that turned out to be complete already."""
        await self._do(path, _finish, path)
        return DownloadResult(found.offset, found.offset, found.etag)

    async def _do(self, path: str, work: Callable[..., T], *args: object) -> T:
        try:
            result: T = await self._disk(work, *args)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise FolderError(
                f"The result cannot be written to {path}: {error.strerror}.",
                code="disk_full" if full else "spool",
                hint="Free some space; the download then goes on where it was."
                if full
                else "Give the daemon's user a spool folder it can write to.",
            ) from error
        return result


def ranges(found: Partial | None) -> dict[str, str]:
    """Give the request headers that go on where a download broke off."""
    headers = {"Accept-Encoding": "identity"}
    if found:
        headers["Range"] = f"bytes={found.offset}-"
        if found.validator:
            headers["If-Range"] = found.validator
    return headers


def body_of(response: httpx.Response, url: str, asked: Partial | None) -> Partial | None:
    """Say what a good answer brings: from which offset on, how long in all. None: this range cannot be used.

    Source: RFC 9110 14.4, 15.3.7, 13.1.5.
    """
    length = response.headers.get("content-length", "")
    total = int(length) if length.isascii() and length.isdigit() and len(length) < 18 else 0
    offset = 0
    if response.status_code == 206:
        told = re.fullmatch(
            r"\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*", response.headers.get("content-range", "")
        )
        if asked is None or told is None or int(told[1]) != asked.offset:
            return None
        offset = asked.offset
        total = int(told[3]) if told[3] != "*" else asked.total_bytes
        if asked.total_bytes and total != asked.total_bytes:
            return None
    return Partial(
        place=_digest(url.partition("?")[0]),
        address=_digest(url),
        etag=response.headers.get("etag", "")[:500],
        modified=response.headers.get("last-modified", "")[:100],
        total_bytes=total,
        offset=offset,
    )


def is_whole(response: httpx.Response, asked: Partial) -> bool:
    """Say whether a 416 means that there is nothing left to fetch."""
    told: str = response.headers.get("content-range", "")
    return told.replace(" ", "") == f"bytes*/{asked.offset}"


async def bad_answer(response: httpx.Response, doing: str) -> CloudError:
    """Make the error for an answer that is not the result; the codes of the API do not count at another host."""
    body = await bounded(response.aiter_bytes(), doing, response.status_code, 1 << 20)
    status = response.status_code
    if status < 400:
        return unintelligible(doing, status, first_words(body))
    try:
        words = error_words(loads(body))
    except ValueError:
        words = first_words(body)
    said = f' It says: "{without_secrets(words)}".' if words else ""
    return RefusedError(
        f"The result cannot be fetched from where it lies (HTTP {status}).{said}",
        code=f"http_{status}",
        hint="It is tried again, and through the backend's own download address.",
        status=status,
        refused=status < 500,
    )


def is_document(response: httpx.Response) -> bool:
    """Say whether an answer is a page or JSON and so cannot be a video."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml", "application/json") or kind.endswith("+json")


# ---------------------------------------------------------------- in the folder's threads


def _meta(path: str) -> str:
    return path + ".meta"


def _read_partial(path: str, url: str) -> Partial | None:
    try:
        with open(_meta(path), "rb") as file:
            told = json.loads(file.read(10_000))
        known = Partial(**told)
        size = os.stat(path).st_size
    except (FileNotFoundError, ValueError, TypeError):
        return None
    strings = (known.place, known.address, known.etag, known.modified)
    if not all(isinstance(value, str) and value.isascii() for value in strings) or not isinstance(
        known.total_bytes, int
    ):
        return None
    same = known.address == _digest(url) and known.total_bytes > 0
    same = same or (known.place == _digest(url.partition("?")[0]) and bool(known.validator))
    if not same or not size or (known.total_bytes and size > known.total_bytes):
        return None
    return Partial(known.place, known.address, known.etag, known.modified, known.total_bytes, offset=size)


def _begin(path: str, found: Partial | None) -> None:
    offset = found.offset if found else 0
    if not offset:
        # First no meta, then no content: never a meta beside bytes of another file.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_meta(path))
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, offset)
    finally:
        os.close(fd)
    if found and not offset:
        told = asdict(found)
        with open(_meta(path), "w", encoding="utf-8") as file:
            json.dump(told, file)


def _write_at(path: str, offset: int, content: bytes) -> None:
    # Opened for every megabyte: a write that is still under way when its task is cancelled then has a descriptor of
    # its own and can never hit a file that was opened since.
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        view = memoryview(content)
        while view:
            written = os.pwrite(fd, view, offset)
            offset += written
            view = view[written:]
        # Without this a power cut could leave a hole below the file's size, and the next try would go on after it.
        os.fdatasync(fd)
    finally:
        os.close(fd)


def _discard(path: str) -> None:
    for name in (_meta(path), path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _finish(path: str) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_meta(path))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _corrupt(why: str) -> MediaError:
    return MediaError(f"The result came damaged: {why}.", code="download_corrupt", hint="It is fetched again.")
