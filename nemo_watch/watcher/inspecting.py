"""Looks into files of an inbox through openings that never leave it. Blocking. Touches: files, reading only; leases."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from nemo_watch.errors import MediaError
from nemo_watch.intake import Inspection, Verdict, Writer
from nemo_watch.model import FileRef, TomlFacts
from nemo_watch.openbelow import folder_below, open_below
from nemo_watch.watcher.disk import GONE, kind_of, stamp_of

MAX_SIDECAR_BYTES = 64 * 1024
FactsOf = Callable[[bytes, str], TomlFacts]
"""(bytes of a TOML text, its name) -> what it says that must be known before it is used; it never raises."""
MOST_WITHOUT_BLOCKS_BYTES = 64 * 1024
"""Smaller files may lie in their inode, with no block of their own."""


class Sniffed(Protocol):
    """What a look at a file's bytes found."""

    @property
    def verdict(self) -> Literal["whole", "incomplete", "unchecked", "not_media", "empty"]: ...
    @property
    def kind(self) -> Literal["video", "image", "audio", ""]: ...
    @property
    def container(self) -> str: ...


Sniffer = Callable[[int, int, str], Sniffed]
"""(open descriptor, size in bytes, name) -> what the bytes say."""


class EndReader(Protocol):
    """Reads an open file to its end where its bytes alone do not tell whether it is whole."""

    async def read(self, fd: int, container: str) -> Literal["whole", "incomplete", "unchecked", "not_media"]: ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into a file found; `container` names what is to be read to its end to know more, "" if nothing."""

    inspection: Inspection
    container: str = ""


def writer_of(fd: int) -> Writer:
    """Ask the kernel whether somebody has an open file open for writing, by a read lease that is given back at once.

    A writer who opens it in that very instant waits until it is back. The signal that tells of him would end the
    process if it were SIGIO, so it is made one that is ignored by itself: every time, as giving back resets that.

    Source: fcntl(2), measured: 3 us; it sees mappings of a closed descriptor too.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return "open" if error.errno == errno.EAGAIN else "unknown"
    return "none"


class Inspector:
    """Looks into the files of one inbox that stood still.

    `leases` and `blocks` of its calls say whether the file system tells the truth about writers and about blocks.
    """

    def __init__(self, root: str, sniff: Sniffer) -> None:
        self.sniff = sniff
        self._root = root
        self._saw_blocks = False

    def look_into(self, ref: FileRef, *, leases: bool, blocks: bool) -> Found:
        """Look into a file, if it is still the one that was judged. Repeat: safe.

        What has a size but no content here is not opened: that alone could make a sync client fetch it.
        """
        folder, _, name = ref.rel.rpartition("/")
        with _converted() as refusal:
            with folder_below(self._root, folder) as at:
                seen = os.stat(name, dir_fd=at, follow_symlinks=False)
                if not _is_still(seen, ref):
                    return Found(Inspection("changed"))
                if self._is_placeholder(seen, blocks=blocks):
                    return Found(Inspection("placeholder"))
            with opened(self._root, ref) as fd:
                return Found(Inspection("changed")) if fd is None else self._judge(fd, ref, name, leases=leases)
        return Found(refusal[0])

    def open(self, ref: FileRef) -> int | Inspection:
        """Open a file that is to be read to its end. Effects: the caller has `conclude` close the descriptor."""
        with _converted() as refusal:
            fd = open_below(self._root, ref.rel)
            if _is_still(os.fstat(fd), ref):
                return fd
            os.close(fd)
            return Inspection("changed")
        return refusal[0]

    def conclude(self, fd: int, ref: FileRef, verdict: Verdict, *, leases: bool) -> Inspection:
        """Close a file that was read to its end; what was found counts only if it is still the same."""
        try:
            writer = writer_of(fd) if leases else "untried"
            return Inspection(verdict, writer=writer) if _is_still(os.fstat(fd), ref) else Inspection("changed")
        finally:
            os.close(fd)

    def _judge(self, fd: int, ref: FileRef, name: str, *, leases: bool) -> Found:
        writer = writer_of(fd) if leases else "untried"
        seen = self.sniff(fd, ref.stamp.size_bytes, name)
        if not _is_still(os.fstat(fd), ref):
            return Found(Inspection("changed"))
        if seen.verdict == "unchecked" and seen.kind in ("video", "audio"):
            return Found(Inspection("unread", writer=writer), seen.container)
        return Found(Inspection(seen.verdict, writer=writer))

    def _is_placeholder(self, seen: os.stat_result, *, blocks: bool) -> bool:
        self._saw_blocks = self._saw_blocks or seen.st_blocks > 0
        is_bare = seen.st_blocks == 0 and seen.st_size > MOST_WITHOUT_BLOCKS_BYTES
        return is_bare and (blocks or self._saw_blocks)


@contextlib.contextmanager
def _converted() -> Iterator[list[Inspection]]:
    """Take in what may go wrong with an opening: the list then holds what it says of the file."""
    refusal: list[Inspection] = []
    try:
        yield refusal
    except MediaError as error:
        refusal.append(Inspection("unreadable", error.message))
    except OSError as error:
        if isinstance(error, GONE) or _is_another(error):
            refusal.append(Inspection("changed"))
        elif error.errno == errno.EAGAIN:  # somebody holds a lease of his own, and has not written it back yet
            refusal.append(Inspection("unchecked", writer="open"))
        else:
            refusal.append(Inspection("unreadable", error.strerror or ""))


def _is_another(error: Exception) -> bool:
    """Tell whether a link, a socket or a device without a driver has taken the place of a file."""
    return isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV)


def _is_still(seen: os.stat_result, ref: FileRef) -> bool:
    return kind_of(seen) == "file" and stamp_of(seen) == ref.stamp


@contextlib.contextmanager
def opened(root: str, ref: FileRef) -> Iterator[int | None]:
    """Open a file and give its descriptor, or None if it is not the regular file any more that was judged."""
    fd = open_below(root, ref.rel)
    try:
        yield fd if _is_still(os.fstat(fd), ref) else None
    finally:
        os.close(fd)


def read_text(root: str, ref: FileRef, facts_of: FactsOf, *, leases: bool) -> tuple[TomlFacts | None, Writer]:
    """Read a text as it was when it stood still; nothing is said of one that changed.

    None of one that cannot be read just now, and that may say whose the clips beside it are: it is to be asked again.
    """
    name = ref.rel.rpartition("/")[2]
    try:
        with opened(root, ref) as fd:
            if fd is None:
                return TomlFacts(), "untried"
            writer = writer_of(fd) if leases else "untried"
            # Of one that is too long so much is read that this is seen.
            data = os.read(fd, MAX_SIDECAR_BYTES + 1) if name.lower().endswith(".toml") else b""
            return facts_of(data, name) if data else TomlFacts(), writer
    except (OSError, MediaError) as error:
        if isinstance(error, OSError) and error.errno == errno.EAGAIN:  # somebody holds a lease, and has not written
            return None, "open"
        if not name.lower().endswith(".toml") or isinstance(error, GONE) or _is_another(error):
            return TomlFacts(), "untried"  # the job that uses it will say what is wrong with it
        return None, "untried"
