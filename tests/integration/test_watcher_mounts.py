"""Inboxes on file systems that come, go and change under them, and limits of the kernel."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_watch.watcher.native import watch_limit_sentence
from tests.integration.watching import mp4, watching
from tests.mounting import Mounts, mounting

FEW = "NEMO_WATCH_TEST_FEW_WATCHES"


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    with mounting(tmp_path) as made:
        yield made


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    root = tmp_path / "inbox"
    root.mkdir()
    return root


@pytest.mark.parametrize("lazily", [False, True], ids=["unmounted", "lazily"])
async def test_a_file_system_that_goes_and_comes_back(inbox: Path, mounts: Mounts, *, lazily: bool) -> None:
    mounts.tmpfs(inbox)
    half = mp4()
    (inbox / "half.mp4").write_bytes(half[:-1])
    async with watching(inbox, guard_s=0.1, rescan_s=3600.0) as w:
        await w.until(lambda: w.reason("half.mp4") == "incomplete")
        mounts.unmount(inbox, lazily=lazily)
        await w.until(lambda: "is the share mounted?" in w.watcher.state, 10)
        assert w.reason("half.mp4") == "incomplete"
        mounts.tmpfs(inbox)
        (inbox / "half.mp4").write_bytes(half)
        await w.until(lambda: w.names() == ["half.mp4"])
        (inbox / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["half.mp4", "new.mp4"])


async def test_a_file_system_that_is_swapped_between_two_looks(inbox: Path, mounts: Mounts) -> None:
    mounts.tmpfs(inbox)
    (inbox / "old.mp4").write_bytes(mp4())
    async with watching(inbox, guard_s=0.5, rescan_s=3600.0) as w:
        await w.until(lambda: w.names() == ["old.mp4"])
        mounts.unmount(inbox, lazily=False)  # device, inode and mount id may all be the same again
        mounts.tmpfs(inbox)
        (inbox / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["new.mp4", "old.mp4"], 10)


async def test_a_file_system_mounted_over_it(inbox: Path, mounts: Mounts, tmp_path: Path) -> None:
    (inbox / "old.mp4").write_bytes(mp4()[:-1])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "other.mp4").write_bytes(mp4())
    async with watching(inbox, guard_s=0.1, rescan_s=3600.0) as w:
        await w.until(lambda: w.reason("old.mp4") == "incomplete")
        mounts.bind(tmp_path / "other", inbox)
        await w.until(lambda: w.names() == ["other.mp4"], 10)
        (inbox / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["new.mp4", "other.mp4"])
        mounts.unmount(inbox)
        await w.until(lambda: w.reason("old.mp4") == "incomplete", 10)


async def test_the_same_folder_mounted_over_itself_is_another_mount(inbox: Path, mounts: Mounts) -> None:
    (inbox / "old.mp4").write_bytes(mp4())
    async with watching(inbox, guard_s=0.1, rescan_s=3600.0) as w:
        await w.until(lambda: w.names() == ["old.mp4"])
        before = w.watcher._guard.identity
        mounts.bind(inbox, inbox)
        await w.until(lambda: w.watcher._guard.identity != before, 10)
        (inbox / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["new.mp4", "old.mp4"])
        assert not w.watcher._guard.file_system.read_only
        mounts.remount(inbox, "ro,bind")
        await w.until(lambda: w.watcher._guard.file_system.read_only, 10)


async def test_what_is_mounted_inside_is_watched_too(inbox: Path, mounts: Mounts) -> None:
    (inbox / "usb").mkdir()
    async with watching(inbox, guard_s=0.05, rescan_s=0.3, poll_s=0.1) as w:
        guard = w.watcher._guard
        eyes = guard.eyes
        mounts.tmpfs(inbox / "usb")
        (inbox / "usb" / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["usb/clip.mp4"])
        await w.until(lambda: guard.eyes is not eyes and not guard._unwatched)
        assert w.watcher.mode == "native events (inotify) and a rescan every 0.3 s"


async def test_fuse_is_polled_by_its_type(inbox: Path, mounts: Mounts, tmp_path: Path) -> None:
    behind = mounts.fuse(tmp_path / "behind", inbox).content
    async with watching(inbox, poll_s=0.1, guard_s=0.1) as w:
        assert w.watcher.mode == "polling every 0.1 s, as fuse tells nobody about changes made behind it"
        (behind / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["clip.mp4"])
        assert w.watcher._guard.eyes is None
        assert not w.watcher._guard.file_system.leases
        mounts.unmount(inbox)
        mounts.tmpfs(inbox)
        (inbox / "native.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["clip.mp4", "native.mp4"], 10)
        assert w.watcher.mode.startswith("native events")
        await w.until(lambda: not w.watcher._intake.polled)


def in_a_world_with(limit: str, test: str) -> None:
    """Run a test again in a user namespace with a limit of its own."""
    script = f'echo {limit.split("=")[1]} > /proc/sys/user/{limit.split("=")[0]} && exec "$@"'
    probe = ["unshare", "-Ur", "sh", "-c", script, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*probe, "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are needed")
    told = subprocess.run(
        [*probe, sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", test],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env={**os.environ, FEW: "1"},
    )
    assert "1 passed" in told.stdout, told.stdout


async def test_folders_that_cannot_be_watched_are_listed_instead(inbox: Path, request: pytest.FixtureRequest) -> None:
    if FEW not in os.environ:
        await asyncio.to_thread(in_a_world_with, "max_inotify_watches=20", request.node.nodeid)
        return
    for number in range(30):
        (inbox / f"{number}").mkdir()
    async with watching(inbox, rescan_s=2.0, poll_s=0.2, guard_s=0.1) as w:
        guard = w.watcher._guard
        await w.until(lambda: guard._is_half_blind)
        assert "native events (inotify) and a listing every 0.2 s, as 11 of 31 folders" in w.watcher.mode
        assert "user.max_inotify_watches is 20: raise it with `sysctl user.max_inotify_watches=" in w.watcher.mode
        for number in range(30):
            (inbox / f"{number}" / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: len(w.drops) == 30)
        for number in range(15):
            shutil.rmtree(inbox / f"{number}")
        await w.until(lambda: w.watcher.mode == "native events (inotify) and a rescan every 2 s")


async def test_an_inbox_without_any_watch_is_polled(inbox: Path, request: pytest.FixtureRequest) -> None:
    if FEW not in os.environ:
        await asyncio.to_thread(in_a_world_with, "max_inotify_instances=0", request.node.nodeid)
        return
    async with watching(inbox, rescan_s=0.5, poll_s=0.1, guard_s=0.1) as w:
        assert w.watcher.mode.startswith("polling every 0.1 s, as the limit user.max_inotify_instances is 0: raise it")
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["clip.mp4"])
        Path("/proc/sys/user/max_inotify_instances").write_text("10")
        await w.until(lambda: w.watcher.mode.startswith("native events"))
        assert w.watcher._guard.eyes is not None


def test_the_limit_is_named_with_what_raises_it() -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text())
    said = watch_limit_sentence(10**9)
    assert "max" in said
    assert f"is {limit}: raise it with `sysctl " in said
    assert said.endswith("=2000000000`")
