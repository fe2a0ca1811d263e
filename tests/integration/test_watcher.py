"""The watcher on real temporary folders, with real writers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import struct
import sys
from pathlib import Path

import pytest

from nemo_watch.intake import SettleRules
from nemo_watch.model import FileStamp
from nemo_watch.watcher import open_below
from tests.integration.watching import QUICK, Watched, box, mp4, run, watching
from tests.program import run_without_privilege


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    root = tmp_path / "inbox"
    root.mkdir()
    return root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A whole clip outside the inbox, on the same file system."""
    path = tmp_path / "source.mp4"
    path.write_bytes(mp4(100_000))
    return path


async def test_cp_mv_and_a_link_are_each_found_once(inbox: Path, source: Path, tmp_path: Path) -> None:
    async with watching(inbox) as w:
        run("cp", source, inbox / "cp.mp4")
        run("cp", "-p", source, inbox / "cp-p.mp4")
        other = tmp_path / "other.mp4"
        shutil.copy(source, other)
        run("mv", other, inbox / "mv.mp4")
        os.link(source, inbox / "ln.mp4")
        (inbox / "mv.txt").write_text("cut the pauses")
        await w.until(lambda: len(w.drops) == 4)
        await w.idle()
        assert w.names() == ["cp-p.mp4", "cp.mp4", "ln.mp4", "mv.mp4"]
        assert {d.clip.rel: d.source for d in w.drops}["mv.mp4"] == "sidecar"
        assert set(w.codes().values()) == {""}


async def test_a_slow_writer_is_waited_for(inbox: Path) -> None:
    data = mp4(50_000)
    async with watching(inbox) as w:
        with (inbox / "slow.mp4").open("wb") as out:
            for start in range(0, len(data), 5000):
                out.write(data[start : start + 5000])
                out.flush()
                await asyncio.sleep(0.1)
                assert not w.drops
        await w.until(lambda: w.names() == ["slow.mp4"])
        assert w.drops[0].clip.stamp.size_bytes == len(data)


async def test_a_writer_that_closes_and_comes_back_is_held_by_the_box_walk(inbox: Path) -> None:
    data = mp4(50_000)
    async with watching(inbox) as w:
        (inbox / "twice.mp4").write_bytes(data[:20_000])
        await w.until(lambda: w.reason("twice.mp4") == "incomplete")
        assert w.watcher.idle()
        assert [waiting.reason for waiting in w.watcher.waiting()] == ["incomplete"]
        with (inbox / "twice.mp4").open("ab") as out:
            out.write(data[20_000:])
        await w.until(lambda: w.names() == ["twice.mp4"])
        await w.idle()
        assert w.names() == ["twice.mp4"]


async def test_rsync_like_temporary_names_and_a_rename_in(inbox: Path) -> None:
    async with watching(inbox) as w:
        (inbox / ".clip.mp4.Xy12Zz").write_bytes(mp4())
        (inbox / "clip.mp4.part").write_bytes(mp4()[:50])
        await w.idle()
        assert not w.drops
        (inbox / "clip.mp4.part").unlink()
        (inbox / ".clip.mp4.Xy12Zz").rename(inbox / "clip.mp4")
        await w.until(lambda: w.names() == ["clip.mp4"])


async def test_a_control_file_beside_holds_until_it_goes(inbox: Path) -> None:
    async with watching(inbox) as w:
        (inbox / "clip.mp4.aria2").write_bytes(b"x")
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: w.reason("clip.mp4") == "control")
        await w.idle()
        assert not w.drops
        (inbox / "clip.mp4.aria2").unlink()
        await w.until(lambda: w.names() == ["clip.mp4"])


async def test_a_folder_moved_in_whole_and_new_nested_folders(inbox: Path, tmp_path: Path) -> None:
    whole = tmp_path / "show"
    (whole / "deep").mkdir(parents=True)
    (whole / "one.mp4").write_bytes(mp4())
    (whole / "deep" / "two.mp4").write_bytes(mp4())
    (whole / "deep" / "_default.txt").write_text("trim the intro")
    async with watching(inbox) as w:
        whole.rename(inbox / "show")
        os.makedirs(inbox / "a" / "b" / "c")
        (inbox / "a" / "b" / "c" / "three.mp4").write_bytes(mp4())
        run("cp", "-r", inbox / "show", inbox / "copy")
        await w.until(lambda: len(w.drops) == 5)
        await w.idle()
        assert w.names() == [
            "a/b/c/three.mp4",
            "copy/deep/two.mp4",
            "copy/one.mp4",
            "show/deep/two.mp4",
            "show/one.mp4",
        ]
        sources = {drop.clip.rel: drop.source for drop in w.drops}
        assert sources["show/deep/two.mp4"] == "default"
        assert sources["show/one.mp4"] == "inbox"


async def test_a_folder_moved_out_takes_its_files_along(inbox: Path, tmp_path: Path) -> None:
    (inbox / "show").mkdir()
    (inbox / "show" / "half.mp4").write_bytes(mp4()[:-10])
    async with watching(inbox) as w:
        await w.until(lambda: w.reason("show/half.mp4") == "incomplete")
        (inbox / "show").rename(tmp_path / "elsewhere")
        await w.until(lambda: w.watcher.why("show/half.mp4") is None)
        assert w.watcher.waiting() == []


async def test_start_up_backlog(inbox: Path) -> None:
    (inbox / "sub").mkdir()
    for name in ("one.mp4", "sub/two.mp4"):
        (inbox / name).write_bytes(mp4())
    (inbox / "one.txt").write_text("cut the pauses")
    (inbox / "half.mp4").write_bytes(mp4()[:-1])
    async with watching(inbox) as w:
        await w.until(w.watcher.idle)
        assert w.names() == ["one.mp4", "sub/two.mp4"]
        assert w.reason("half.mp4") == "incomplete"


async def test_deleted_files_are_no_drops(inbox: Path) -> None:
    async with watching(inbox) as w:
        for number in range(20):
            (inbox / f"{number}.mp4").write_bytes(mp4())
        for number in range(20):
            (inbox / f"{number}.mp4").unlink()
        await w.idle()
        assert w.drops == []
        assert w.watcher.waiting() == []


async def test_what_is_refused(inbox: Path, tmp_path: Path) -> None:
    (inbox / "text.mp4").write_text("this is no video\n" * 100)
    (inbox / "empty.mp4").touch()
    (inbox / "tape.m4v").write_bytes(mp4())
    (tmp_path / "secret.mp4").write_bytes(mp4())
    (inbox / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    os.mkfifo(inbox / "pipe.mp4")
    with (inbox / "large.mp4").open("wb") as out:
        out.write(box(b"ftyp", b"isom\0\0\2\0isomiso2") + box(b"moov", box(b"mvhd", bytes(100))))
        rest = 501 * 1024 * 1024
        out.write(struct.pack(">I4s", rest, b"mdat"))
        out.truncate(out.tell() + rest - 8)
    (inbox / "README.md").write_text("left alone")
    async with watching(inbox) as w:
        await w.until(w.watcher.idle)
        assert w.codes() == {
            "text.mp4": "not_media",
            "empty.mp4": "empty_file",
            "tape.m4v": "4001",
            "link.mp4": "symlink",
            "large.mp4": "4002",
        }
        assert w.reason("pipe.mp4") == "ignored"
        assert w.reason("README.md") == "ignored"


async def test_an_unreadable_file(inbox: Path, request: pytest.FixtureRequest) -> None:
    (inbox / "locked.mp4").write_bytes(mp4())
    (inbox / "locked.mp4").chmod(0)
    if os.access(inbox / "locked.mp4", os.R_OK):
        # Root passes every file mode: this very test again, without that privilege.
        await asyncio.to_thread(run_without_privilege, request.node.nodeid)
        return
    async with watching(inbox) as w:
        await w.until(w.watcher.idle)
        assert w.codes() == {"locked.mp4": "unreadable"}


async def test_weird_names(inbox: Path) -> None:
    root = os.fsencode(inbox)
    names = [
        b"not \xff utf8.mp4",
        b"new\nline.mp4",
        b"x" * 251 + b".mp4",
        "caf\u00e9 \U0001f3ac.mp4".encode(),
        b"-rf.mp4",
    ]
    async with watching(inbox) as w:
        for name in names:
            Path(os.fsdecode(os.path.join(root, name))).write_bytes(mp4())
        (inbox / os.fsdecode(b"not \xff utf8.txt")).write_text("cut")
        await w.until(lambda: len(w.drops) == len(names))
        assert {os.fsencode(drop.clip.rel) for drop in w.drops} == set(names)
        assert w.drops[[os.fsencode(d.clip.rel) for d in w.drops].index(names[0])].source == "sidecar"


async def test_late_sidecar_assets_and_subtitles(inbox: Path) -> None:
    rules = SettleRules(closed_s=0.15, sidecar_s=0.15, sidecar_wait_s=2.0)
    async with watching(inbox, rules) as w:
        (inbox / "logo.mp4").write_bytes(mp4())
        (inbox / "intro.mp4").write_bytes(mp4())
        (inbox / "intro.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
        await w.until(lambda: w.reason("intro.mp4") == "sidecar")
        (inbox / "Intro.toml").write_text('prompt = "add the logo"\nassets = ["logo.mp4"]\n')
        await w.until(lambda: w.names() == ["intro.mp4"])
        await w.idle()
        (drop,) = w.drops
        assert (drop.sidecar.rel if drop.sidecar else "", [ref.rel for ref in drop.companions]) == (
            "Intro.toml",
            ["intro.srt"],
        )
        assert w.reason("logo.mp4") == "asset"


async def test_a_burst_of_ten_thousand_pairs_by_two_writers(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(mp4(200))
    script = (
        "import sys; data = open(sys.argv[2], 'rb').read(); lo, hi = int(sys.argv[3]), int(sys.argv[4])\n"
        "for n in range(lo, hi):\n"
        "    open(f'{sys.argv[1]}/{n}.mp4', 'wb').write(data); open(f'{sys.argv[1]}/{n}.txt', 'w').write('cut')\n"
    )
    async with watching(inbox) as w:
        writers = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", script, str(inbox), str(tmp_path / "clip.mp4"), str(low), str(low + 5000)
            )
            for low in (0, 5000)
        ]
        for writer in writers:
            assert await writer.wait() == 0
        await w.until(lambda: len(w.drops) == 10_000, 100)
        await w.idle()
        assert w.names() == sorted(f"{n}.mp4" for n in range(10_000))
        assert {drop.source for drop in w.drops} == {"sidecar"}


async def test_links_to_folders_are_not_entered(inbox: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "clip.mp4").write_bytes(mp4())
    (inbox / "linked").symlink_to(outside)
    (inbox / "real.mp4").write_bytes(mp4())
    async with watching(inbox) as w:
        (inbox / "later").symlink_to(outside)
        (outside / "more.mp4").write_bytes(mp4())
        await w.until(lambda: w.names() == ["real.mp4"])
        await w.idle()
        assert w.names() == ["real.mp4"]
        with pytest.raises(OSError, match="linked"):
            os.close(open_below(str(inbox), "linked/clip.mp4"))


async def test_a_drop_that_is_not_accepted_is_offered_again(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nemo_watch.watcher.handing.AGAIN_S", 0.1)
    async with watching(inbox) as w:
        w.fail = 2
        (inbox / "clip.mp4").write_bytes(mp4())
        (inbox / "clip.txt").write_text("cut")
        await w.until(lambda: w.names() == ["clip.mp4"])
        await w.idle()
        assert w.names() == ["clip.mp4"]


async def test_a_finished_file_leaves_and_comes_back(inbox: Path, tmp_path: Path) -> None:
    async with watching(inbox) as w:
        (inbox / "clip.mp4").write_bytes(mp4())
        await w.until(lambda: len(w.drops) == 1)
        (inbox / "clip.mp4").rename(tmp_path / "rejected.mp4")
        w.watcher.forget("clip.mp4")
        await w.idle()
        assert w.watcher.why("clip.mp4") is None
        (tmp_path / "rejected.mp4").rename(inbox / "clip.mp4")
        await w.until(lambda: len(w.drops) == 2)


async def test_what_the_ledger_knows_is_no_drop(inbox: Path) -> None:
    (inbox / "known.mp4").write_bytes(mp4())
    (inbox / "new.mp4").write_bytes(mp4())
    found = os.stat(inbox / "known.mp4")
    watched = Watched(inbox, QUICK)
    watched.watcher.known("known.mp4", FileStamp(found.st_ino, found.st_size, found.st_mtime_ns))
    task = asyncio.create_task(watched.watcher.run())
    await watched.until(watched.watcher.idle)
    assert watched.names() == ["new.mp4"]
    assert watched.reason("known.mp4") == "taken"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
