"""The marker file itself: written whole, never over another's, and nothing of ours left behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_watch.folders import files, marker
from nemo_watch.folders.marker import MARKER_NAME, Marker, Owner

OURS = Marker(Owner("ledger-one", "nas", "/state"), "inbox", "id-one", "/srv/inbox")
OTHERS = Marker(Owner("ledger-two", "laptop", "/state"), "target", "id-two", "/srv/outbox")
WAYS = ["renameat2", "link", "create"]


@pytest.fixture(params=WAYS)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system that knows all, no exclusive rename, or no hard links either."""
    if request.param != "renameat2":
        monkeypatch.setattr(files, "_renameat2", None)
    if request.param == "create":

        def link(*_args: object, **_more: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", link)
    return str(request.param)


def test_it_is_written_whole_and_never_over_another_s(tmp_path: Path, file_system: str) -> None:
    assert file_system in WAYS
    assert marker.read(str(tmp_path)) is None
    assert marker.write(str(tmp_path), OURS, over=False)
    assert marker.read(str(tmp_path)) == OURS
    assert not marker.write(str(tmp_path), OTHERS, over=False)
    assert marker.read(str(tmp_path)) == OURS
    assert marker.write(str(tmp_path), OTHERS, over=True)
    assert marker.read(str(tmp_path)) == OTHERS
    assert os.listdir(tmp_path) == [MARKER_NAME]
    assert (tmp_path / MARKER_NAME).stat().st_mode & 0o777 == 0o644


def test_a_link_is_not_written_through(tmp_path: Path, file_system: str) -> None:
    assert file_system in WAYS
    inbox, precious = tmp_path / "inbox", tmp_path / "precious"
    inbox.mkdir()
    precious.write_text("precious")
    (inbox / MARKER_NAME).symlink_to(precious)
    assert not marker.write(str(inbox), OURS, over=False)
    assert marker.write(str(inbox), OURS, over=True)
    assert not (inbox / MARKER_NAME).is_symlink()
    assert precious.read_text() == "precious"


def test_only_a_folder_that_is_written_to_is_a_target(tmp_path: Path) -> None:
    assert not marker.is_target(str(tmp_path))
    marker.write(str(tmp_path), OURS, over=False)
    assert not marker.is_target(str(tmp_path))
    marker.write(str(tmp_path), OTHERS, over=True)
    assert marker.is_target(str(tmp_path))
    (tmp_path / MARKER_NAME).write_text("what?")
    assert not marker.is_target(str(tmp_path))
    assert not marker.is_target(str(tmp_path / "nowhere"))


def test_what_a_kill_left_is_removed_and_what_others_left_is_not(tmp_path: Path) -> None:
    program = f"""
import os, signal
from nemo_watch.folders import marker
from nemo_watch.folders.marker import Marker, Owner
os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
marker.write({str(tmp_path)!r}, Marker(Owner("ledger-one"), "inbox", "id", "/x"), over=False)
"""
    killed = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    (tmp_path / ".nemo-watch-notes").write_text("a person's")
    (tmp_path / ".nemo-watch-ledger-two.tmp").write_text("another daemon's")
    marker.tidy(str(tmp_path), "ledger-one")
    assert sorted(os.listdir(tmp_path)) == [".nemo-watch-ledger-two.tmp", ".nemo-watch-notes"]
    marker.tidy(str(tmp_path), "ledger-one")
