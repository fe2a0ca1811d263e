"""Each way to give work, killed at chosen commits: it goes on from there, nothing is sent twice and none is lost."""

from __future__ import annotations

import functools
import http.server
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.faults.stepwise import Point, Stepwise, stepwise
from tests.faults.test_ways import version
from tests.media_fixtures import clip
from tests.program import Place

NOT_SENT = Point("intent of edit-1", 1, "after")
"""The fence is up and the message has not gone out: nobody can tell, so a person is asked."""
PAID_WAY = (
    Point("entry", 1, "after"),
    NOT_SENT,
    Point("end of edit-1", 1, "before"),
    Point("end of draft", 1, "after"),
    Point("intent of deliver", 1, "after"),
)
"""For a clip every commit is tried (test_kill_each_step); these are the moments at which a way differs from that."""
UPLOADED = Point("end of upload-0", 1, "before")


@dataclass(frozen=True)
class Given:
    """What was dropped: the messages that belong to it, its results, and its files."""

    messages: tuple[str, ...]
    results: tuple[str, ...]
    files: tuple[str, ...]


class World:
    """A backend that outlives every kill, one set of folders, and a web server with a clip."""

    def __init__(self, root: Path, source: str, web: str) -> None:
        self.root, self.source, self.web = root, source, web
        self.server = SandboxServer(root / "backend", credits=100_000, fetches_from=("127.0.0.1",))

    def begin(self) -> Place:
        return Place(self.root / "place", backend=f'url = "{self.server.url}"\nrender_poll = "0.2s"')

    def sent(self) -> Counter[str]:
        """Count the accepted messages."""
        with Records(self.root / "backend") as records:
            charges = Counter(charge.session_id for charge in records.charges())
            assert set(charges.values()) <= {1}, "no session is charged twice"
            return Counter(turn.message for turn in records.turns())


def refine(world: World, place: Place, number: int) -> Given:
    message = f"trim 0.{number + 1}s off the start"
    place.text("talk.refine.txt", message)
    done = sum(name.endswith(".mp4") for name in place.files("outbox"))
    return Given((message,), (f"talk-v{done + 1}.mp4",), ("talk.refine.txt",))


def generate(world: World, place: Place, number: int) -> Given:
    message = f"make a 3 second video about the number {number}"
    place.text(f"film{number}.prompt.txt", message)
    return Given((message,), (f"film{number}.mp4",), (f"film{number}.prompt.txt",))


def address(world: World, place: Place, number: int) -> Given:
    message = f'add the title "Number {number}"'
    place.text(f"far{number}.toml", f"url = '{world.web}?key=secret{number}'\nprompt = '{message}'")
    return Given((message,), (f"far{number}.mp4",), (f"far{number}.toml",))


def batch(world: World, place: Place, number: int) -> Given:
    names = ("one.mp4", "two.mp4")
    wishes = [f'add the title "{name} {number}"' for name in names]
    for at, name in enumerate(names):
        place.text(f"trip{number}/{name}", version(world.source, number * 10 + at))
    entries = [f"[[clip]]\nfile = '{name}'\nprompt = '{wish}'\n" for name, wish in zip(names, wishes, strict=True)]
    place.text(f"trip{number}/project.toml", "".join(entries))
    messages = tuple(f'Work only on the file "{name}": {wish}' for name, wish in zip(names, wishes, strict=True))
    files = tuple(f"trip{number}/{name}" for name in (*names, "project.toml"))
    return Given(messages, files[:2], files)


def ask(world: World, place: Place, number: int) -> Given:
    place.text(f"money{number}.ask.txt", "credits?")
    return Given((), (f"money{number}.answer.txt",), (f"money{number}.ask.txt",))


WAYS: dict[str, tuple[Callable[[World, Place, int], Given], tuple[Point, ...]]] = {
    "refine": (refine, PAID_WAY),
    "generate": (generate, PAID_WAY),
    "url": (address, (UPLOADED, *PAID_WAY)),
    "batch": (
        batch,
        (
            Point("entry", 1, "after"),
            Point("end of session", 1, "after"),
            Point("end of upload-0", 2, "before"),
            *(Point("end of edit-1", time, "before") for time in (1, 2)),
            Point("intent of archive", 1, "after"),
        ),
    ),
    "ask": (
        ask,
        (
            Point("entry", 1, "after"),
            Point("end of answer", 1, "after"),
            Point("intent of deliver", 1, "after"),
            Point("intent of archive", 1, "after"),
        ),
    ),
}


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback and give its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_killed_on_its_way_it_goes_on_and_nothing_is_paid_twice(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, way: str
) -> None:
    give, points = WAYS[way]
    source = Path(clip(tmp_path_factory, "mute.mp4"))
    with web(source.parent) as url:
        world = World(tmp_path, str(source), f"{url}/{source.name}")
        with world.server, stepwise() as program:
            place = world.begin()
            noted = tmp_path / "noted.txt"
            if way == "refine":
                place.drop("talk.mp4", source, "trim 0.5s off the start")
                assert program.run(place.config_path, noted) == 0
            for number, point in enumerate(points):
                given = give(world, place, number)
                before = world.sent()
                ended = _killed_once(place, program, noted, point)
                sent = {message: world.sent()[message] - before[message] for message in given.messages}
                if point == NOT_SENT and given.messages:
                    assert (ended, sent) == ("edit_no_effect", dict.fromkeys(given.messages, 0)), point
                    _clear(place)
                    continue
                assert (ended, sent) == ("", dict.fromkeys(given.messages, 1)), (point, _told(place))
                assert {*given.results} <= {*place.files("outbox")}, point
                assert {*given.files} <= {*place.files("archive")}, point
                _clear(place)
    assert not any("secret" in line for line in _everything_written(tmp_path / "place", noted))


def _killed_once(place: Place, program: Stepwise, noted: Path, point: Point) -> str:
    """Kill the daemon at a point, start it again, and tell the code of what was rejected ("" nothing)."""
    log = noted.with_name(noted.name + ".log")
    assert program.run(place.config_path, noted, point) == -signal.SIGKILL, (point, log.read_text()[-3000:])
    assert program.run(place.config_path, noted) == 0, (point, log.read_text()[-3000:])
    assert place.files("inbox") == [], point
    reports = [name for name in place.files("rejects") if name.endswith(".error.toml")]
    return ",".join(str(place.report(name, "rejects")["code"]) for name in reports)


def _clear(place: Place) -> None:
    """Take away what is there, as a person does who works on with the results."""
    for folder in ("rejects", "archive"):
        for name in place.files(folder):
            (place.root / folder / name).unlink()


def _everything_written(place: Path, noted: Path) -> Iterator[str]:
    """Give what the program has written where somebody may read it: reports, logs, its ledger."""
    for path in [*place.rglob("*.report.toml"), *place.rglob("*.error.toml"), *noted.parent.glob("noted.txt*")]:
        yield path.read_text(errors="replace")
    for path in (place / "state").glob("*.db*"):
        yield path.read_bytes().decode("latin-1")


def _told(place: Place) -> str:
    return "\n".join((place.root / "rejects" / name).read_text() for name in place.files("rejects") if "error" in name)
