"""Faults by script: each spoils what it names, as often as it says, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.faults import Do, Endpoint, Fault, Faults, endpoint_of, parse
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.sandbox_wire import Caller, clip, events, eventually, texts

CUT = "cut the pauses"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("film") / "film.mp4", 3)


@contextlib.contextmanager
def spoiled(folder: Path, *faults: Fault, seed: int = 0, pace: float = 1.0) -> Iterator[Caller]:
    server = SandboxServer(folder, heartbeat_s=0.05 * pace, faults=Faults(faults, seed=seed), pace=pace)
    with server, Caller(server.url) as caller:
        yield caller


def ready(caller: Caller, film: Path) -> str:
    session = caller.session()
    caller.upload(session, film)
    return session


def said(caller: Caller, session: str, text: str = 'add the title "One"') -> list[dict[str, Any]]:
    return [event for event in caller.say(session, text) if event.get("type") != "heartbeat"]


def until_it_breaks(stream: contextlib.AbstractContextManager[httpx.Response]) -> bytes:
    """Read an answer that never comes to its end."""
    got: list[bytes] = []
    with stream as answer, pytest.raises(httpx.TransportError):
        got.extend(answer.iter_raw())
    return b"".join(got)


def has_title(caller: Caller, session: str) -> bool:
    return bool(caller.state(session)["draft"].get("t"))


# ---------------------------------------------------------------- any request


def test_an_answer_of_the_script_comes_before_anything_happened(tmp_path: Path, film: Path) -> None:
    quota = Fault("run_sse", "answer", code=2001, message="No credits.", times=2)
    slow_down = Fault("run_sse", "answer", code=429, status=429, retry_after=7, after=0)
    with spoiled(tmp_path, quota, slow_down) as caller:
        session = ready(caller, film)
        for _ in range(2):
            with caller.saying(session, CUT) as answer:
                assert (answer.status_code, answer.read()) == (200, b'{"code":2001,"message":"No credits."}')
        with caller.saying(session, CUT) as answer:
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert not has_title(caller, session)
        assert texts(said(caller, session))
        assert has_title(caller, session)
    with Records(str(tmp_path)) as records:
        assert len(records.turns()) == 1
        spoils = [request.summary.get("fault") for request in records.requests() if request.path == "/run_sse"]
        assert spoils == ["answer", "answer", "answer", None]


def test_a_page_of_a_proxy_is_html(tmp_path: Path) -> None:
    with spoiled(tmp_path, Fault("balance", "answer", status=502, page=True, message="Bad gateway")) as caller:
        answer = caller.http.get("/api/credits/balance/simple")
        assert answer.status_code == 502
        assert answer.headers["content-type"].startswith("text/html")
        assert caller.balance()["total"] > 0


@pytest.mark.parametrize(("do", "is_done"), [("cut", False), ("lose", True)])
def test_a_connection_ends_before_or_after_the_work(tmp_path: Path, film: Path, do: Do, *, is_done: bool) -> None:
    with spoiled(tmp_path, Fault("upload", do)) as caller:
        session = caller.session()
        with pytest.raises(httpx.TransportError):
            caller.upload(session, film)
        assert len(caller.state(session)["video_infos"]) == int(is_done)


def test_seconds_pass_at_the_pace_of_the_clock(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("state", "delay", seconds=3600), pace=7200.0) as caller:
        session = ready(caller, film)
        assert caller.state(session)["draft"] == {}
        assert caller.balance()["total"]
    with Records(str(tmp_path)) as records:
        late, after = records.requests()[-2:]
        assert after.at_ms - late.at_ms >= 3_600_000


# ---------------------------------------------------------------- the stream


def test_a_stream_breaks_and_the_turn_goes_on(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "break_stream", events=1)) as caller:
        session = ready(caller, film)
        got = until_it_breaks(caller.saying(session, 'add the title "One"'))
        assert len([event for event in events(got) if event.get("type") != "heartbeat"]) == 1
        eventually(lambda: has_title(caller, session))


def test_nothing_but_heartbeats(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "heartbeats")) as caller:
        session = ready(caller, film)
        beats = 0
        with caller.saying(session, 'add the title "One"') as answer:
            for line in answer.iter_lines():
                beats += "heartbeat" in line
                assert not line or "heartbeat" in line
                if beats >= 20 and has_title(caller, session):
                    break
        assert said(caller, session, 'add the title "Two"')


def test_an_edit_of_which_nothing_is_said(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "silent")) as caller:
        session = ready(caller, film)
        assert texts(said(caller, session)) == []
        assert has_title(caller, session)


@pytest.mark.parametrize("do", ["talk", "fail_turn"])
def test_words_without_an_edit(tmp_path: Path, film: Path, do: Do) -> None:
    with spoiled(tmp_path, Fault("run_sse", do, message="Which title?")) as caller:
        session = ready(caller, film)
        told = said(caller, session)
        assert "Which title?" in str(told)
        assert ("error" in told[-1]) == (do == "fail_turn")
        assert not has_title(caller, session)
        assert caller.balance()["available"] == caller.balance()["total"]


def test_a_draft_that_changes_twice(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "stages", seconds=30), pace=20) as caller:
        session = ready(caller, film)
        with caller.saying(session, 'add the title "One"') as answer:
            drafts = []
            for _ in answer.iter_lines():
                draft = caller.state(session)["draft"]
                if not drafts or drafts[-1] != draft:
                    drafts.append(draft)
        assert any("stage" in draft for draft in drafts)
        assert "stage" not in caller.state(session)["draft"]
        assert has_title(caller, session)


def test_work_that_begins_late(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("run_sse", "late", seconds=30), pace=20) as caller:
        session = ready(caller, film)
        with caller.saying(session, 'add the title "One"') as answer:
            for line in answer.iter_lines():
                if "heartbeat" in line:
                    assert not has_title(caller, session)
                    break
        eventually(lambda: has_title(caller, session))


# ---------------------------------------------------------------- renders and files


def exported(caller: Caller, film: Path) -> dict[str, Any]:
    session = ready(caller, film)
    said(caller, session)
    draft = caller.state(session)["draft"]
    caller.ok(caller.submit(session, draft, "render_one"))
    return caller.rendered("render_one")


def test_a_render_that_fails_and_one_that_is_stuck(tmp_path: Path, film: Path) -> None:
    fails, sticks = Fault("render", "fail_render", message="No licence."), Fault("render", "stick")
    with spoiled(tmp_path, fails, sticks) as caller:
        told = exported(caller, film)
        assert (told["status"], told["error"]) == ("failed", "No licence.")
        session = ready(caller, film)
        said(caller, session)
        draft = caller.state(session)["draft"]
        caller.ok(caller.submit(session, draft, "render_two"))
        caller.ok(caller.submit(session, draft, "render_three"))
        assert caller.rendered("render_three")["status"] == "completed"
        assert caller.poll("render_two")["status"] == "processing"


def test_a_render_forgotten_and_one_without_an_address(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path) as caller:
        assert exported(caller, film)["output"]["url"]
        token = caller.token
    faults = Faults([Fault("poll", "forget"), Fault("poll", "no_url")])
    with SandboxServer(tmp_path, faults=faults) as server, Caller(server.url, token=token) as caller:
        assert caller.http.get("/api/render/proxy/lambda/render_one").status_code == 404
        assert "output" not in caller.poll("render_one")
        assert caller.poll("render_one")["output"]["url"]


def test_a_render_whose_progress_is_slow(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("render", "slow", seconds=99), pace=100) as caller:
        session = ready(caller, film)
        said(caller, session)
        caller.ok(caller.submit(session, caller.state(session)["draft"], "render_one"))
        told = [caller.poll("render_one")]
        while told[-1]["status"] in ("pending", "processing"):
            told.append(caller.poll("render_one"))
        progress = {poll["progress"] for poll in told}
        assert told[-1]["status"] == "completed"
        assert len(progress) > 5
        assert caller.http.get("/api/render/proxy/render_one/download").status_code == 200
    with Records(tmp_path) as records:
        (render,) = records.renders()
    assert render.ended_ms - render.created_ms >= 99_000


def test_an_id_that_was_used_before_is_an_error_or_the_render_it_named(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("render", "existing", after=2)) as caller:
        exported(caller, film)
        session = caller.session()
        draft = {"t": [{"tt": 0, "sg": [{}]}]}
        error = caller.submit(session, draft, "render_one")
        assert (error.status_code, error.json()) == (409, {"code": 409, "message": "duplicate id: render_one"})
        existing = caller.ok(caller.submit(session, draft, "render_one"))
        assert existing == {"id": "render_one", "status": "completed", "progress": 100}
    with Records(tmp_path) as records:
        assert len(records.renders()) == 1


def test_the_paths_of_the_first_version_from_submit_to_file(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("render", "fail_render")) as caller:
        session = ready(caller, film)
        said(caller, session)
        body = {"sessionId": session, "draft": caller.state(session)["draft"], "output": {"quality": "draft"}}
        ended = []
        for name in ("render_one", "render_two"):
            caller.ok(caller.http.post("/api/render/proxy/draft", json={**body, "id": name}))

            def look(path: str = f"/api/render/proxy/{name}") -> dict[str, Any] | None:
                told = dict(caller.http.get(path).json())
                return told if told["status"] in ("completed", "failed") else None

            ended.append(eventually(look))
        # Faults know these paths, too.
        assert [told["status"] for told in ended] == ["failed", "completed"]
        assert caller.poll("render_two") == ended[1]
        fetched = caller.http.get("/api/render/proxy/render_two/download").content
        assert len(fetched) == ended[1]["output"]["size"]


def test_a_file_whose_address_is_given_in_its_place(tmp_path: Path, film: Path) -> None:
    with spoiled(tmp_path, Fault("download", "address"), Fault("download", "redirect")) as caller:
        told = exported(caller, film)
        path = "/api/render/proxy/render_one/download"
        assert caller.http.get(path).json() == told
        sent = caller.http.get(path)
        assert (sent.status_code, sent.headers["location"]) == (302, told["output"]["url"])
        assert caller.http.get(path).headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("on", ["cdn", "download"])
def test_a_file_cut_damaged_and_whole_where_a_part_was_wanted(tmp_path: Path, film: Path, on: Endpoint) -> None:
    faults = [Fault(on, "truncate", share=0.25), Fault(on, "corrupt"), Fault(on, "no_ranges")]
    with spoiled(tmp_path, *faults) as caller:
        told = exported(caller, film)
        url = told["output"]["url"] if on == "cdn" else f"{caller.http.base_url}/api/render/proxy/render_one/download"
        get = httpx.get if on == "cdn" else caller.http.get
        got = until_it_breaks(caller.http.stream("GET", url))
        damaged, part, whole = get(url), get(url, headers={"range": "bytes=10-"}), get(url)
        assert len(whole.content) == told["output"]["size"]
        assert got == whole.content[: len(whole.content) // 4]
        assert len(damaged.content) == len(whole.content)
        differ = sum(one != other for one, other in zip(damaged.content, whole.content, strict=True))
        assert 0 < differ <= 4096
        assert (part.status_code, part.content) == (200, whole.content)


# ---------------------------------------------------------------- the script itself


def test_the_share_of_spoiled_requests_is_chosen_by_the_seed() -> None:
    def run(seed: int) -> list[bool]:
        faults = Faults([Fault("state", "cut", times=0, rate=0.3, after=10)], seed=seed)
        return [faults.next("state") is not None for _ in range(1000)]

    one = run(1)
    assert one == run(1) != run(2)
    assert not any(one[:10])
    assert 200 < sum(one) < 400


def test_a_script_is_read_from_toml() -> None:
    faults = parse('seed = 3\n[[fault]]\non = "poll"\ndo = "forget"\ntimes = 2\nrate = 1\n', "f.toml")
    assert [faults.next("poll") is not None for _ in range(3)] == [True, True, False]
    assert faults.next("state") is None


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[[fault]\n", "no TOML"),
        ('[[fault]]\non = "poll"\n', "do must be said"),
        ('[[fault]]\non = "poll"\ndo = "corrupt"\n', "only be done on cdn or download"),
        ('[[fault]]\non = "pole"\ndo = "cut"\n', "on is one of"),
        ('[[fault]]\non = "poll"\ndo = "cut"\ntime = 2\n', '"times"'),
        ('[[fault]]\non = "poll"\ndo = "cut"\ntimes = "2"\n', "times is a int"),
        ('[[fault]]\non = "poll"\ndo = "cut"\nrate = 2\n', "between 0 and 1"),
        ('[[fault]]\non = "run_sse"\ndo = "beats"\nform = "loud"\n', "form is one of json, bare, word"),
        ('[[fault]]\non = "cdn"\ndo = "redirect"\n', "only be done on download"),
        ("seed = 1\nfaults = 2\n", "nothing else"),
    ],
)
def test_a_script_that_cannot_be_used_is_refused_with_the_reason(text: str, word: str) -> None:
    with pytest.raises(OperatorError, match=word):
        parse(text, "f.toml")


def test_every_endpoint_has_a_path() -> None:
    assert endpoint_of("GET", "/api/render/proxy/lambda/r1") == "poll"
    assert endpoint_of("GET", "/api/render/proxy/r1/download") == "download"
    assert endpoint_of("GET", "/nothing") is None
