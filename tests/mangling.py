"""Input that somebody else broke: real bytes and real JSON with pieces cut, flipped, repeated and exchanged."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st


@contextlib.contextmanager
def within_cpu(seconds: float) -> Iterator[None]:
    """Fail if the block takes more of the processor than this, whatever else the machine does meanwhile."""
    begun_s = time.process_time()
    yield
    assert time.process_time() - begun_s < seconds, "too much of the processor"


@contextlib.contextmanager
def bounded(*, cpu_s: float, mib: int = 256) -> Iterator[None]:
    """Fail if the block takes more of the processor or of memory than this.

    Memory is the most that the process held while the block ran, beyond what it held before.
    """
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # from now on the most is counted anew
    held_kib = _most_kib()
    with within_cpu(cpu_s):
        yield
    assert _most_kib() - held_kib < mib * 1024, "too much memory"


def _most_kib() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters(codec=None), max_size=12)
    | st.sampled_from(
        [0, 1, 7, -1, 10**400, 1e308, "0", "2001", "", "\ud83d", "a" * 5000, "https://cdn.example.com/a.mp4"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
"""Any JSON, with the kinds of values that readers trip over."""

Place = tuple[str | int, ...]


@st.composite
def mangled(draw: st.DrawFn, of: Any, *, junk: st.SearchStrategy[Any] = JUNK) -> Any:
    """A copy of a JSON value in which some parts, at any depth, are gone, are repeated or are something else."""
    value = json.loads(json.dumps(of))
    for _ in range(draw(st.integers(1, 3))):
        paths = list(_paths(value))
        if not paths:
            return draw(junk)
        value = _changed(draw, value, draw(st.sampled_from(paths)), junk)
    return value


def _paths(value: Any, at: Place = ()) -> Iterator[Place]:
    parts: Sequence[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    for key, inner in parts:
        yield (*at, key)
        yield from _paths(inner, (*at, key))


def _changed(draw: st.DrawFn, value: Any, path: Place, junk: st.SearchStrategy[Any]) -> Any:
    holder = value
    for key in path[:-1]:
        holder = holder[key]
    last = path[-1]
    match draw(st.sampled_from(["other", "gone", "wrapped", "repeated", "renamed"])):
        case "gone":
            del holder[last]
        case "wrapped":
            holder[last] = [holder[last]]
        case "repeated" if isinstance(holder, list):
            holder.extend([holder[last]] * draw(st.integers(1, 3)))
        case "renamed" if isinstance(holder, dict):
            holder[draw(st.text(max_size=4))] = holder.pop(last)
        case _:
            holder[last] = draw(junk)
    return value


@st.composite
def mangled_bytes(draw: st.DrawFn, of: bytes) -> bytes:
    """A copy of some bytes: cut short, with bits flipped, and with runs of it overwritten, repeated or left out."""
    data = bytearray(of)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        many = draw(st.sampled_from([1, 2, 4, 8, 64, 1024]))
        match draw(st.sampled_from(["flip", "write", "number", "cut", "drop", "repeat", "zero"])):
            case "flip" if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "write":
                data[at : at + many] = draw(st.binary(max_size=8))
            case "number":
                # What lengths and counts are made of: the largest, the smallest, the sign.
                width = draw(st.sampled_from([1, 2, 4, 8]))
                number = draw(
                    st.sampled_from([0, 1, (1 << 8 * width) - 1, 1 << 8 * width - 1, (1 << 8 * width - 1) - 1])
                )
                data[at : at + width] = number.to_bytes(width, draw(st.sampled_from(["big", "little"])))
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + many]
            case "repeat":
                data[at:at] = data[at : at + many] * draw(st.integers(1, 4))
            case _:
                data[at : at + many] = bytes(min(many, len(data) - at))
    return bytes(data)


@st.composite
def in_pieces(draw: st.DrawFn, of: st.SearchStrategy[bytes]) -> list[bytes]:
    """Some bytes as a connection may bring them: in pieces of any length."""
    data = draw(of)
    cuts = sorted(draw(st.sets(st.integers(0, len(data)), max_size=6)))
    edges = [0, *cuts, len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges) if begin < end]


# ---------------------------------------------------------------- streams of a turn

ADK: list[Any] = [
    {
        "content": {
            "parts": [{"text": "planning", "thought": True}, {"text": "I'll add the title – 标题."}],
            "role": "model",
        },
        "usageMetadata": {"candidatesTokenCount": 7},
        "invocationId": "e-1",
        "author": "nemo_agent",
        "actions": {"stateDelta": {}, "artifactDelta": {}},
        "id": "a",
        "timestamp": 1795247504.137935,
    },
    {
        "content": {"parts": [{"functionCall": {"id": "c", "args": {"text": "Hi"}, "name": "edit_multitrack"}}]},
        "id": "b",
    },
    {
        "content": {
            "parts": [{"functionResponse": {"id": "c", "name": "edit_multitrack", "response": {"status": "ok"}}}]
        }
    },
    {"content": {"parts": [{"text": "frag"}]}, "partial": True, "id": "d"},
    {"content": {"parts": [{"text": "fragment"}], "role": "model"}, "turnComplete": True, "id": "d"},
    {"errorCode": "RESOURCE_EXHAUSTED", "errorMessage": "quota exceeded", "id": "e"},
    {"error": "RuntimeError: boom", "error_details": {"error_type": "RuntimeError", "error_message": "boom"}},
]
SIMPLE: list[Any] = [
    {"type": "text", "content": "Done."},
    {"type": "tool_call", "name": "generate_video_with_seedance", "args": {}},
    {"type": "tool_result", "name": "generate_video_with_seedance", "result": {"code": 2001, "message": "no credits"}},
    {"type": "heartbeat"},
    {"type": "error", "error": {"code": 2001, "message": "no"}},
    {"code": 0, "data": [{"text": "Hi"}]},
    {"type": "done"},
]


def lines(events: Sequence[Any]) -> bytes:
    return b"".join(
        b"data: " + json.dumps(event, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n" for event in events
    )


FRAMES = st.sampled_from(
    [
        *(
            b"data:",
            b"data: ",
            b"event: error\n",
            b"event: heartbeat\n",
            b"id: 7\n",
            b"id: \0\n",
            b"retry: " + b"9" * 5000,
        ),
        *(
            b": comment\n",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\r\r",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"[DONE]",
            b"heartbeat",
        ),
        *(
            b"\xe2\x80\xa8",
            b"\xc2\x85",
            b"\x1c",
            b"\xe6",
            b"\xa0\x87",
            b"\0",
            b"data",
            b"data : x\n",
            b'"\\ud83d"',
            b"{",
            b"[",
        ),
    ]
)
STREAMS = st.one_of(
    st.binary(max_size=300),
    st.lists(
        FRAMES | mangled(ADK).map(lambda value: lines(value if isinstance(value, list) else [value])), max_size=8
    ).map(b"".join),
    mangled(SIMPLE).map(lambda value: lines(value if isinstance(value, list) else [value])),
    mangled_bytes(lines(ADK)),
    mangled_bytes(lines(SIMPLE).replace(b"\n", b"\r\n")),
)


# ---------------------------------------------------------------- a draft

DRAFT: dict[str, Any] = json.loads("""
{"d": 10000, "m": {"title": "Urban Dreams", "width": 1920, "height": 1080, "fps": 30}, "t": [
 {"id": "trk_v1", "tt": 0, "d": 10000, "m": {"name": "main"}, "sg": [
  {"id": "seg_v1", "s": 0, "d": 6000, "src": "https://cdn.example.com/v/abc/city_a.mp4", "ss": 1500, "sd": 6000,
   "sp": 1.0, "v": 1.0, "tf": {"x": 0, "y": 0, "sc": 1, "ro": 0, "op": 1},
   "fx": [{"ty": "color_grade", "p": {"preset": "neon", "amount": 0.6}}], "m": {"name": "city timelapse"}},
  {"id": "seg_v2", "s": 6000, "d": 4000, "src": "https://cdn.example.com/v/abc/city_b.mp4", "ss": 0, "sd": 8000,
   "sp": 2.0, "v": 0.0, "m": {"name": "city timelapse"}}]},
 {"id": "trk_a1", "tt": 1, "d": 10000, "m": {"name": "BGM"}, "sg": [
  {"id": "seg_a1", "s": 0, "d": 10000, "src": "https://cdn.example.com/a/def/lofi.mp3", "ss": 0, "sd": 10000,
   "sp": 1.0, "v": 0.35, "fi": 500, "fo": 1000, "m": {"name": "Lo-fi"}}]},
 {"id": "trk_t1", "tt": 7, "d": 3000, "m": {"name": "title"}, "sg": [
  {"id": "seg_t1", "s": 0, "d": 3000, "tx": "Urban Dreams",
   "ts": {"ff": "Inter", "fs": 64, "c": "#00E5FF", "b": true, "al": "center", "px": 0.5, "py": 0.15, "sh": true},
   "an": {"in": {"ty": "fade", "d": 300}, "out": {"ty": "fade", "d": 300}}, "m": {"name": "Urban Dreams"}}]}],
 "tr": [{"ty": "cross_dissolve", "a": "seg_v1", "b": "seg_v2", "at": 6000, "d": 500}]}
""")
"""The example of contract.md 11.3."""
