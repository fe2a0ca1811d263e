"""A move across two file systems, killed with SIGKILL at every step and at random instants, then repeated."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_watch import folders
from nemo_watch.folders import Places
from nemo_watch.model import FileRef
from tests.folder_tools import drop, make_places, move, names, read, target_of

CONTENT = os.urandom(1 << 16)
LARGE = os.urandom(1 << 20) * 12
RANDOM_KILLS = 60

# Forks a mover for each line it reads, which dies right after its n-th call to the system or is killed from outside.
MOVERS = """
import ctypes, errno, json, os, signal, sys
from nemo_watch import folders
from nemo_watch.folders import files
from nemo_watch.model import FileRef, FileStamp

CALLS = ("open", "close", "stat", "fstat", "mkdir", "link", "unlink", "write", "pread", "fsync", "fchmod", "fchown",
         "utime", "setxattr", "posix_fadvise", "statvfs", "access")

def refuses(*_):
    ctypes.set_errno(errno.EINVAL)
    return -1

def move(inbox, rel, stamp, root, target, how, last):
    left = last
    def counted(real):
        def call(*args, **kwargs):
            nonlocal left
            result = real(*args, **kwargs)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return call
    if last:
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        files._renameat2 = refuses if how == "no-flag" else counted(files._renameat2)
    ref = FileRef(rel, FileStamp(*stamp))
    if how == "delete":
        return folders.delete_original(inbox, ref, "job")
    return folders.move_original(inbox, ref, root, target, "job")

for line in sys.stdin:
    ready, go = os.pipe()
    pid = os.fork()
    if not pid:
        os.read(ready, 1)
        os._exit(0 if move(*json.loads(line)) == "moved" else 1)
    print(pid, flush=True)
    os.write(go, b"!")
    sys.stdin.readline()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    os.close(ready), os.close(go)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert os.stat(folder).st_dev != os.stat(tmp_path).st_dev
        yield folder


class Movers:
    """Moves in processes of their own."""

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", MOVERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, places: Places, ref: FileRef, root: str, target: str, how: str, last: int = 0) -> int:
        """Begin a move; gives its process."""
        stamp = [ref.stamp.inode, ref.stamp.size_bytes, ref.stamp.mtime_ns]
        self._ask(json.dumps([places.inbox, ref.rel, stamp, root, target, how, last]))
        return int(self._line())

    def end(self) -> bool:
        """Wait for the end of a move; tells whether it came to its end."""
        self._ask("")
        status = int(self._line())
        assert status in (0, -signal.SIGKILL)
        return status == 0

    def _ask(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()

    def close(self) -> None:
        self._child.communicate(timeout=60)


@pytest.fixture
def movers() -> Iterator[Movers]:
    made = Movers()
    yield made
    made.close()


def finals(folder: str) -> list[str]:
    return [name for name in names(folder) if not name.endswith(".tmp")]


def see_that_it_is_safe(places: Places, ref: FileRef, target: str, content: bytes) -> None:
    """After a kill: nothing half under a final name, and the content lies in one of the two places, whole."""
    digest = hashlib.sha256(content).hexdigest()
    folder = os.path.dirname(target)
    assert finals(folder) in ([], [os.path.basename(target)])
    whole = [path for path in (target,) if os.path.exists(path)]
    for path in whole:
        assert hashlib.sha256(read(path)).hexdigest() == digest, "half a file under a final name"
    inside = os.path.join(places.inbox, os.path.dirname(ref.rel))
    left = [hashlib.sha256(read(os.path.join(inside, name))).hexdigest() for name in names(inside)]
    assert digest in left or whole, "the file is lost"
    assert set(left) <= {digest}


def see_that_it_is_done(places: Places, ref: FileRef, target: str, content: bytes) -> None:
    """After the repetition: one copy, under its final name, and nothing of ours left anywhere."""
    assert names(os.path.dirname(target)) == [os.path.basename(target)]
    assert read(target) == content
    assert names(os.path.join(places.inbox, os.path.dirname(ref.rel))) == []


@pytest.mark.parametrize("how", ["across", "no-flag"])
def test_killed_after_each_call_to_the_system(movers: Movers, tmp_path: Path, elsewhere: str, how: str) -> None:
    last, ended = 0, False
    while not ended:
        last += 1
        places = make_places(str(tmp_path / str(last)))
        root = os.path.join(elsewhere, str(last))
        ref = drop(places, "sub/clip.mp4", CONTENT)
        target = os.path.join(root, "sub", "clip.mp4")
        movers.begin(places, ref, root, target, how, last)
        ended = movers.end()
        os.makedirs(os.path.dirname(target), exist_ok=True)
        see_that_it_is_safe(places, ref, target, CONTENT)
        assert move(places, ref, root, target) in ("moved", "gone")
        see_that_it_is_done(places, ref, target, CONTENT)
    assert last >= 32, "a move across makes more calls than that"


def test_a_deletion_killed_after_each_call_to_the_system(movers: Movers, tmp_path: Path) -> None:
    last, ended = 0, False
    places = make_places(str(tmp_path))
    while not ended:
        last += 1
        ref = drop(places, "clip.mp4", CONTENT)
        movers.begin(places, ref, "", "", "delete", last)
        ended = movers.end()
        assert folders.delete_original(places.inbox, ref, "job") in ("moved", "gone")
        assert names(places.inbox) == []
    assert last >= 8, "a deletion makes more calls than that"


def test_killed_at_random_instants(movers: Movers, tmp_path: Path, elsewhere: str) -> None:
    """The kill comes at any instant of a move that takes a while, most often in the middle of the copy."""
    chance = random.Random(20261121)
    places = make_places(str(tmp_path))
    longest_s, ended, half_way = 0.0, 0, 0
    for number in range(RANDOM_KILLS + 1):
        ref = drop(places, "clip.mp4", LARGE)
        root = os.path.join(elsewhere, str(number))
        os.mkdir(root)
        target = target_of(places, "clip.mp4", root)
        pid = movers.begin(places, ref, root, target, "across")
        begun_s = time.monotonic()
        if number:
            time.sleep(chance.uniform(0, longest_s))
            os.kill(pid, signal.SIGKILL)  # it is not waited for yet, so its number is still its own
        ended += movers.end()
        longest_s = longest_s or time.monotonic() - begun_s
        see_that_it_is_safe(places, ref, target, LARGE)
        half_way += any(name.endswith(".tmp") for name in (*names(root), *names(places.inbox)))
        assert move(places, ref, root, target) in ("moved", "gone")
        see_that_it_is_done(places, ref, target, LARGE)
        os.unlink(target)
    assert ended < RANDOM_KILLS, "no kill came in time"
    assert half_way, "no kill came in the middle"
