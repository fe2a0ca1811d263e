"""Input as large as it may be, made of what costs most: read in seconds and within a bound of memory, or refused.

Each case runs in a process of its own, whose memory the kernel limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from nemo_watch.client import wire
from nemo_watch.client.transport import EVENT_MOST_BYTES, JSON_MOST_BYTES, event_response
from nemo_watch.errors import UnintelligibleError
from nemo_watch.model import SessionState
from nemo_watch.reply import TurnBuilder, plain_words, state_digest, timeline_summary, total_duration_s, what_changed
from nemo_watch.sandbox.captions import MAX_BYTES, CaptionsError, read_cues
from nemo_watch.sandbox.compile import Output, compile_draft
from nemo_watch.sandbox.desk import MAX_JSON_BYTES
from nemo_watch.sandbox.draft import MOST_SEGMENTS
from nemo_watch.sandbox.errors import DraftError
from nemo_watch.sandbox.facts import Asset

MEMORY_BYTES = 1 << 30
CPU_S = 60.0
DIGITS_CPU_S = 15.0
"""Strings cost far less than structure; a pattern that looks at each digit again and again took 30."""
UNITS = {
    "lists": "[],",
    "objects": "{},",
    "events": '{"text":"a"},',
    "tracks": '{"sg":[{}]},',
    "digits": '"' + "1" * 299 + '",',
}
CUE = "1\n00:00:01,000 --> 00:00:02,000\n"
MARKS = ("<a", "&#1", "\n1")


def filled(unit: str, size: int) -> str:
    return unit * (size // len(unit))


def reply(unit: str) -> None:
    body = f"[{filled(UNITS[unit], JSON_MOST_BYTES - 8)}0]".encode()
    with contextlib.suppress(UnintelligibleError):
        wire.read_render(wire.unwrap(200, body, "testing"), "testing", "r")


def draft(unit: str) -> None:
    made = wire.loads(f'{{"t":[{filled(UNITS[unit], JSON_MOST_BYTES - 16)}0]}}'.encode())
    state = SessionState(made)
    assert len(timeline_summary(made)) < 20_000
    assert len(what_changed(SessionState({}), state)) < 20_000
    assert not total_duration_s(made)
    assert state_digest(state)
    assert wire.dumps(made)


def track(unit: str) -> None:
    made = wire.loads(f'{{"t":[{{"tt":7,"sg":[{filled(UNITS[unit], JSON_MOST_BYTES - 40)}0]}}]}}'.encode())
    assert "cues" in timeline_summary(made)


def program(kind: str) -> None:
    """Give the sandbox a draft as large as a request may be, and the most costly one that it compiles."""
    url = "https://cdn.example.com/v/abc/city_a.mp4"
    clip = Asset(url, url, "city_a.mp4", "video", 60_000, 1920, 1080, 30.0, has_audio=True, hdr=False, size_bytes=9)
    empty, size = '{"tt":0,"sg":[]}', MAX_JSON_BYTES - 300
    # Each of them begins before the last: an input each, and a part for every sixteen.
    jumps = [{"s": at * 100, "d": 100, "src": url, "ss": 50_000 - at * 20} for at in range(MOST_SEGMENTS)]
    one = {"tt": 0, "sg": jumps[:1]}
    drafts: dict[str, Any] = {
        "tracks": {"t": [json.loads(empty)] * (size // (len(empty) + 1))},
        "segments": {"t": [{"tt": 0, "sg": [{}] * (size // 4)}]},
        "jumps": {"t": [{"tt": 0, "sg": jumps}]},
        "text": {"t": [one, {"tt": 7, "sg": [{"s": 0, "d": 100, "tx": filled("{an1}", size)}]}]},
        "names": {"t": [one], **{f"{number:09}": 0 for number in range(size // 14)}},
    }
    assert len(json.dumps(drafts[kind], separators=(",", ":"))) <= MAX_JSON_BYTES
    with contextlib.suppress(DraftError):
        made = compile_draft(drafts[kind], {url: clip}, Output())
        assert kind in ("jumps", "names")
        assert len(made.stages) == (126 if kind == "jumps" else 1)
        return
    assert kind in ("tracks", "segments", "text")


def event(unit: str) -> None:
    data = f"[{filled(UNITS[unit], EVENT_MOST_BYTES - 8)}0]"
    builder = TurnBuilder()
    builder.feed("", data)
    assert len(builder.finish(ended=True).text) <= 1_000_000


def flood(unit: str) -> None:
    """Send a stream of many small events, each with an id of its own."""

    async def chunks() -> AsyncIterator[bytes]:
        for block in range(40):
            yield b"".join(
                b'data: {"id":"%d","content":{"parts":[{"text":"%b"}]}}\n\n' % (block * 10_000 + at, unit.encode())
                for at in range(10_000)
            )

    async def read() -> None:
        from httpx_sse import EventSource

        builder = TurnBuilder()
        async for one in EventSource(event_response(chunks(), "testing")).aiter_sse():
            builder.feed(one.event, one.data)
        assert len(builder.finish(ended=True).text) <= 1_000_000

    asyncio.run(read())


def fragments(unit: str) -> None:
    """Send far more fragments than a text may have, and look at the text after each one, as the daemon does."""
    builder = TurnBuilder()
    builder.feed("", json.dumps({"partial": True, "content": {"parts": [{"text": "x" * 999_990}]}}))
    for number in range(20_000):
        builder.feed("", json.dumps({"id": str(number), "partial": True, "content": {"parts": [{"text": unit}]}}))
        assert len(builder.text_so_far) <= 1_000_000


def words(unit: str) -> None:
    for pad in (" ", "\t", "\n ", "click the ", "http://a?", '"'):
        assert plain_words(f"{unit}{filled(pad, 1_000_000)}{unit}")


def cues(mark: str) -> None:
    line = filled(mark, 3000) + "\n"
    long = CUE + "x" + filled(line, MAX_BYTES - 1000)
    many = filled(CUE + filled(mark, 300) + "\n\n", MAX_BYTES - 1000)
    for text in (long, many):
        for data in (text.encode(), ("WEBVTT\n\n" + text).replace(",000", ".000").encode()):
            with contextlib.suppress(CaptionsError):
                read_cues(data)


def deep(begin: str) -> None:
    for body in (begin * (JSON_MOST_BYTES // len(begin)), begin * 500 + "0", "[" * 150 + "0" + "]" * 150):
        with contextlib.suppress(UnintelligibleError):
            wire.read_state(wire.unwrap(200, body.encode(), "testing"), "testing")
        TurnBuilder().feed("", body)


CASES: dict[str, Callable[[str], None]] = {
    one.__name__: one for one in (reply, draft, track, program, event, flood, fragments, words, cues, deep)
}


@pytest.mark.parametrize(
    ("case", "argument"),
    [
        *(("reply", unit) for unit in ("lists", "objects", "digits")),
        *(("draft", unit) for unit in ("lists", "tracks")),
        ("track", "objects"),
        *(("program", kind) for kind in ("tracks", "segments", "jumps", "text", "names")),
        *(("event", unit) for unit in ("lists", "events")),
        ("flood", "a"),
        ("fragments", "a"),
        ("words", "Done."),
        *(("deep", begin) for begin in ("[", '{"data":')),
        *(("cues", mark) for mark in MARKS),
    ],
)
def test_it_is_read_in_seconds_and_within_a_gigabyte(case: str, argument: str) -> None:
    argv = [sys.executable, "-m", "tests.faults.test_heavy_input", case, json.dumps(argument)]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=110, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    used_s, megabytes = told.stdout.split()
    assert float(used_s) < (DIGITS_CPU_S if argument == "digits" else CPU_S)
    assert int(megabytes) << 20 < MEMORY_BYTES


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    begun_s = time.process_time()
    CASES[sys.argv[1]](json.loads(sys.argv[2]))
    print(f"{time.process_time() - begun_s:.2f}", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
