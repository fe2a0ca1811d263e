"""What happens to an inbox itself: lost events, dead eyes, polling, and a folder that goes, hangs or comes back."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest

from nemo_watch import media
from tests.integration.watching import mp4, watching


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    root = tmp_path / "inbox"
    root.mkdir()
    return root


async def test_a_file_nobody_told_of_is_found_by_the_rescan(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(inbox, rescan_s=0.3) as w:
        eyes = w.watcher._guard.eyes
        assert eyes is not None
        eyes._on_hint = lambda rel, kind: None  # the events are lost
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["clip.mp4"])


async def test_a_real_overflow_brings_a_rescan(inbox: Path) -> None:
    queue = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if queue > 100_000:
        pytest.skip(f"the kernel's queue holds {queue} events: too many to fill it here")
    async with watching(inbox, rescan_s=3600.0) as w:
        eyes = w.watcher._guard.eyes
        assert eyes is not None
        assert eyes._observer is not None
        (group,) = eyes._observer._groups()
        with group._lock:  # the reader of the kernel's queue stands still
            for number in range(queue // 2 + 3000):  # beyond what the reader has already taken
                name = inbox / f".{number % 2}"
                name.touch()
                name.unlink()
            (inbox / "folder").mkdir()
            for number in range(20):
                (inbox / f"{number}.mp4").write_bytes(mp4())
                (inbox / "folder" / f"{number}.mp4").write_bytes(mp4())
        await w.until(lambda: len(w.drops) == 40)
        (inbox / "folder" / "later.mp4").write_bytes(mp4())
        await w.until(lambda: "folder/later.mp4" in w.names())
        await w.idle()
        assert len(w.drops) == 41


async def test_what_grows_in_a_folder_that_is_not_listed_again(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nemo_watch.watcher.disk.RECENT_NS", 0)
    data = mp4(50_000)
    (inbox / "half.mp4").write_bytes(data[:20_000])
    async with watching(inbox, rescan_s=0.2, guard_s=0.1) as w:
        await w.until(lambda: w.reason("half.mp4") == "incomplete")
        eyes = w.watcher._guard.eyes
        assert eyes is not None
        eyes._on_hint = lambda rel, kind: None  # the events are lost
        await w.until(lambda: w.watcher._guard._light_rescans > 1)
        with (inbox / "half.mp4").open("ab") as out:
            out.write(data[20_000:])
        await w.until(lambda: w.names() == ["half.mp4"])
        (inbox / "sub").mkdir()
        (inbox / "sub" / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["half.mp4", "sub/new.mp4"])


async def test_eyes_that_died_are_opened_again(inbox: Path) -> None:
    async with watching(inbox, rescan_s=3600.0, guard_s=0.1) as w:
        eyes = w.watcher._guard.eyes
        assert eyes is not None
        assert eyes._observer is not None
        eyes._observer._inotify_fd.stop()  # the reader of the kernel's queue ends, everything else lives on
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["clip.mp4"])
        assert w.watcher._guard.eyes is not eyes


async def test_polling_sees_the_same(inbox: Path) -> None:
    (inbox / "before.mp4").write_bytes(mp4())
    async with watching(inbox, watch="polling", poll_s=0.1) as w:
        assert w.watcher.mode == "polling every 0.1 s, as the config says"
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["before.mp4", "clip.mp4"])


async def test_polling_slows_down_while_nothing_happens(inbox: Path) -> None:
    async with watching(inbox, watch="polling", poll_s=0.02, rescan_s=0.1, guard_s=0.01) as w:
        guard = w.watcher._guard

        def interval_s() -> float:
            return round(guard._due_s() - guard._listed_s, 6)

        assert interval_s() == 0.02
        await w.until(lambda: interval_s() == 0.1)  # six polls would be longer than a rescan
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: interval_s() == 0.02)
        await w.until(lambda: w.names() == ["clip.mp4"])
        await w.until(lambda: interval_s() == 0.1)


async def test_an_inbox_that_must_not_be_believed(inbox: Path) -> None:
    said = ["this inbox belongs to another"]
    (inbox / "clip.mp4").write_bytes(mp4())
    async with watching(inbox, guard_s=0.05, trust=lambda: said[0]) as w:
        assert w.watcher.state == "paused: this inbox belongs to another"
        said[0] = ""
        await w.until(lambda: w.names() == ["clip.mp4"])
        said[0] = "the marker is gone"
        await w.until(lambda: w.watcher.state == "paused: the marker is gone")
        (inbox / "new.mp4").write_bytes(mp4())
        (inbox / "clip.mp4").unlink()
        said[0] = ""
        await w.until(lambda: w.names() == ["clip.mp4", "new.mp4"])
        assert w.watcher.why("clip.mp4") is None


async def test_another_folder_in_its_place(inbox: Path, tmp_path: Path) -> None:
    (inbox / "old.mp4").write_bytes(mp4()[:-1])
    other = tmp_path / "other"
    other.mkdir()
    (other / "other.mp4").write_bytes(mp4())
    async with watching(inbox, guard_s=0.1, rescan_s=3600.0) as w:
        await w.until(lambda: w.reason("old.mp4") == "incomplete")
        inbox.rename(tmp_path / "away")
        other.rename(inbox)
        await w.until(lambda: w.names() == ["other.mp4"])
        (inbox / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["new.mp4", "other.mp4"])
        assert w.watcher.why("old.mp4") is None


async def test_a_vanished_inbox_is_not_an_empty_one(inbox: Path, tmp_path: Path) -> None:
    (inbox / "half.mp4").write_bytes(mp4()[:-1])
    (inbox / "kept.mp4").write_bytes(mp4())
    async with watching(inbox, guard_s=0.1) as w:
        await w.until(lambda: w.names() == ["kept.mp4"] and w.reason("half.mp4") == "incomplete")
        inbox.rename(tmp_path / "away")
        await w.until(lambda: w.watcher.state.startswith("paused"))
        assert "is not there" in w.watcher.state
        assert w.watcher.idle()
        assert w.reason("half.mp4") == "incomplete"
        inbox.mkdir()  # what an unmounted share looks like
        await w.until(lambda: "empty folder" in w.watcher.state)
        assert w.reason("half.mp4") == "incomplete"
        inbox.rmdir()
        (tmp_path / "away").rename(inbox)
        await w.until(lambda: w.watcher.state == "watching")
        (inbox / "new.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["kept.mp4", "new.mp4"])
        await w.idle()
        assert w.names() == ["kept.mp4", "new.mp4"]


async def test_an_inbox_that_is_not_there_at_the_start(inbox: Path) -> None:
    inbox.rmdir()
    async with watching(inbox, guard_s=0.1) as w:
        assert w.watcher.state.startswith("paused")
        inbox.mkdir()
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["clip.mp4"])
        assert w.watcher.state == "watching"


async def test_a_hung_inbox_says_so_and_goes_on_when_it_answers(inbox: Path) -> None:
    gate = threading.Event()

    def hanging(fd: int, size_bytes: int, name: str) -> media.Sniff:
        gate.wait(20)
        return media.sniff(fd, size_bytes, name)

    async with watching(inbox, hung_s=0.2) as w:
        w.watcher._inspector.sniff = hanging
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.watcher.state.startswith("hung"))
        alive_s = w.watcher.last_alive_s
        await w.until(lambda: w.watcher.last_alive_s > alive_s)
        gate.set()
        await w.until(lambda: w.names() == ["clip.mp4"])
        assert w.watcher.state == "watching"


async def test_no_thread_is_left_behind(inbox: Path) -> None:
    before = set(threading.enumerate())
    async with watching(inbox) as w:
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: len(w.drops) == 1)
        assert len(set(threading.enumerate()) - before) >= 3
    end_s = time.monotonic() + 10
    while left := [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]:
        assert time.monotonic() < end_s, left
        await asyncio.sleep(0.02)
