"""The sandbox as a process that is killed: what it accepted is finished by the next one, and charged once."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from nemo_watch.media import probe
from nemo_watch.sandbox.records import Records, RenderState, TurnState
from tests.sandbox_wire import Caller, clip, events, eventually, tone

SERVE = "import sys; from nemo_watch.sandbox.server import serve_forever; serve_forever(sys.argv[1], heartbeat_s=0.05)"
MEGABYTE = 1024 * 1024


class Process:
    """A sandbox in a process of its own."""

    def __init__(self, store: Path) -> None:
        self._child = subprocess.Popen([sys.executable, "-c", SERVE, str(store)], stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        found = re.match(r"sandbox at (\S+), files at (\S+);", self._child.stdout.readline())
        if found is None:
            self.end(signal.SIGKILL)
        assert found is not None, "the sandbox did not start"
        self.url, self.cdn_url = found.groups()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals) -> int:
        self._child.send_signal(how)
        code = self._child.wait(timeout=30)
        assert self._child.stdout is not None
        self._child.stdout.close()
        return code

    def peak_bytes(self) -> int:
        """The most memory it ever held."""
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{self._child.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound that takes seconds to measure."""
    return tone(tmp_path_factory.mktemp("sounds") / "long.wav", 1800)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def turn_states(store: Path, session: str) -> list[tuple[TurnState, int]]:
    with Records(store) as records:
        return [(turn.state, turn.runs) for turn in records.turns(session)]


def render_state(store: Path) -> tuple[RenderState, int]:
    with Records(store) as records:
        (render,) = records.renders()
    return render.state, render.runs


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_turn_that_was_accepted_is_finished_and_charged_once(
    store: Path, long_sound: Path, how: signal.Signals
) -> None:
    with Process(store) as first, Caller(first.url) as caller:
        session, token = caller.session(), caller.token
        caller.upload(session, long_sound)
        # The head of the answer is the promise: from then on the turn is kept.
        with caller.saying(session, "cut the pauses") as stream:
            assert caller.balance() == {"available": 9_950, "frozen": 50, "total": 10_000}
            code = first.end(how)
            # Broken off, not closed in order: it must not look like the end of the turn.
            with pytest.raises(httpx.RemoteProtocolError):
                stream.read()
    assert code == (0 if how == signal.SIGTERM else -how)
    assert [state for state, _ in turn_states(store, session)] == ["running"]
    with Process(store) as second, Caller(second.url, token=token) as caller:
        assert second.cdn_url == first.cdn_url
        draft = eventually(lambda: caller.state(session)["draft"])
        assert draft["t"]
        assert caller.balance() == {"available": 9_950, "frozen": 0, "total": 9_950}
        caller.say(session, 'add the title "Hello"')
    with Records(store) as records:
        assert [(turn.state, turn.message) for turn in records.turns()] == [
            ("done", "cut the pauses"),
            ("done", 'add the title "Hello"'),
        ]
        assert records.turns()[0].runs == 2
        assert [(entry.session_id, entry.amount) for entry in records.charges()] == [(session, 50)]


def test_a_render_that_was_accepted_is_finished(store: Path, tmp_path: Path) -> None:
    with Process(store) as first, Caller(first.url) as caller:
        session, token = caller.session(), caller.token
        caller.upload(session, clip(tmp_path / "clip.mp4", 8))
        caller.say(session, "cut the pauses")
        draft = caller.state(session)["draft"]
        Caller.ok(caller.submit(session, draft, "render_1", quality="best", resolution="720p"))
        # Killed while a part of the file is there.
        eventually(lambda: [p for p in store.glob("renders/*/*.part") if p.stat().st_size])
        first.end(signal.SIGKILL)
    assert render_state(store) == ("processing", 1)
    with Process(store) as second, Caller(second.url, token=token) as caller:
        done = caller.rendered("render_1")
        assert done["status"] == "completed"
        content = httpx.get(done["output"]["url"], trust_env=False).content
        repeated = caller.submit(session, draft, "render_1")
        assert (repeated.status_code, repeated.json()["code"]) == (409, 409)
    assert render_state(store) == ("completed", 2)
    assert len(content) == done["output"]["size"]
    result = tmp_path / "result.mp4"
    result.write_bytes(content)
    info = asyncio.run(probe(str(result)))
    assert info.duration_ms == pytest.approx(draft["d"], abs=50)
    assert list(store.glob("renders/*/*.part")) == []
    with Records(store) as records:
        (render,) = records.renders()
    kept = [place.name for place in (store / "renders").iterdir() if not place.name.startswith(".")]
    assert kept == [render.path.split("/")[1]]


def test_pending_renders_keep_their_order_over_a_kill(store: Path, tmp_path: Path) -> None:
    names = [f"render_{number}" for number in range(4)]
    with Process(store) as first, Caller(first.url) as caller:
        session, token = caller.session(), caller.token
        caller.upload(session, clip(tmp_path / "clip.mp4", 4))
        caller.say(session, "cut the pauses")
        draft = caller.state(session)["draft"]
        for name in names:
            Caller.ok(caller.submit(session, draft, name, quality="draft"))
        first.end(signal.SIGKILL)
    with Process(store) as second, Caller(second.url, token=token) as caller:
        assert [caller.rendered(name)["status"] for name in names] == ["completed"] * 4
    with Records(store) as records:
        ended = [(render.ended_ms, render.render_id) for render in records.renders()]
    assert [name for _, name in sorted(ended)] == names


def test_what_a_killed_upload_left_is_swept(store: Path) -> None:
    def body() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
        for _ in range(4):
            yield bytes(MEGABYTE)
        eventually(lambda: list(store.glob("sessions/*/*.part")))
        first.end(signal.SIGKILL)
        while True:
            yield bytes(MEGABYTE)

    with Process(store) as first, Caller(first.url) as caller:
        url = f"/api/upload-video/nemo_agent/me/{caller.session()}"
        with pytest.raises(httpx.TransportError):
            caller.http.post(url, headers={"Content-Type": "multipart/form-data; boundary=x"}, content=body())
    assert list(store.glob("sessions/*/*.part"))
    with Process(store):
        assert list(store.glob("sessions/*/*")) == []


def test_an_upload_is_not_held_in_memory(store: Path, tmp_path: Path) -> None:
    large = tone(tmp_path / "large.wav", 1800, rate=44_100)
    with Process(store) as sandbox, Caller(sandbox.url) as caller:
        session = caller.session()
        caller.upload(session, tone(tmp_path / "small.wav", 4))
        before = sandbox.peak_bytes()
        (file,) = caller.upload(session, large)
        grown = sandbox.peak_bytes() - before
    assert large.stat().st_size > 150 * MEGABYTE
    assert file["duration"] == pytest.approx(1800, abs=0.1)
    assert grown < 16 * MEGABYTE


def test_records_can_be_read_while_it_runs_and_after_a_kill(store: Path) -> None:
    with Process(store) as sandbox, Caller(sandbox.url) as caller:
        session = caller.session()
        events(caller.http.post("/run_sse", json=caller.message(session, "hello")).content)
        assert turn_states(store, session) == [("done", 1)]
    assert turn_states(store, session) == [("done", 1)]
    with Records(store) as records:
        assert [entry.kind for entry in records.ledger()] == ["grant"]
        answered = [(r.method, r.path) for r in records.requests()]
    assert answered[-1] == ("POST", "/run_sse")
