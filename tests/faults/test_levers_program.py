"""What people decide about jobs: each lever beside a running daemon and on the ledger of a stopped one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nemo_watch.cli.credits import ask_credits
from nemo_watch.cli.levers import pause, resume
from nemo_watch.cli.places import load_config
from nemo_watch.cli.retrying import cancel, retry
from nemo_watch.cli.show import look_up
from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.faults import Fault
from tests.program import Place, eventually
from tests.pulling import (
    CUT,
    LOST,
    at_backend,
    both_ways,
    daemon_if,
    drop,
    ended,
    jobs,
    messages,
    pulled,
    tell,
)


@both_ways
async def test_a_message_without_effect_is_sent_again_only_because_a_person_says_so(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, running: bool
) -> None:
    with at_backend(tmp_path, LOST) as place:
        drop(place, tmp_path_factory)
        assert (await place.work_off()).rejected == 1
        first = await ended(place, "rejected", code="edit_no_effect")
        async with daemon_if(place, running=running):
            # Alone it only looks at the session again, and nothing has happened there.
            told = await pulled(place, retry, "talk.mp4")
            assert (told["messages"], "looked at once more" in told["sentence"]) == (0, True)
            if not running:
                assert "when the daemon runs" in told["sentence"]
                await place.work_off()

            async def looked() -> bool:
                (job,) = await jobs(place)
                return job.state == "rejected" and job.updated_at > first.updated_at

            await eventually(looked, "rejected again")
            assert place.report("talk.mp4.error.toml", "rejects")["paid"] == "unknown"
            assert place.files("rejects") == ["talk.mp4", "talk.mp4.error.toml", "talk.txt"]
            assert messages(place) == []
            told = await pulled(place, retry, "talk.mp4", start="edit")
            assert (told["messages"], "may be charged again" in told["sentence"]) == (1, True)
            if not running:
                await place.work_off()
            await ended(place, "delivered")
        assert messages(place) == [CUT]
        assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert place.files("rejects") == place.files("inbox") == []


@both_ways
async def test_what_is_paid_goes_on_without_its_file_and_is_not_paid_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, running: bool
) -> None:
    with at_backend(tmp_path, Fault("render", "fail_render", times=2)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        job = await ended(place, "rejected", code="render_failed")
        async with daemon_if(place, running=running) as daemon:
            told = await pulled(place, retry, job.job_id[:6])
            assert told == {
                "job_id": job.job_id,
                "sentence": f"Job {job.job_id} (talk.mp4) goes on {'now' if running else 'when the daemon runs'}: its "
                "edit is kept and not paid again.",
                "changed": True,
                "messages": 0,
            }
            if daemon is None:
                await place.work_off()
            await ended(place, "delivered")
            assert place.files("archive") == ["talk.mp4", "talk.txt"]
            assert place.files("rejects") == place.files("inbox") == []
            # It is exported once more for nothing, however often; the original stays in the archive.
            with pytest.raises(OperatorError, match="nothing left to be done"):
                await pulled(place, retry, job.job_id)
            await pulled(place, retry, job.job_id, start="render")
            if daemon is None:
                await place.work_off()
            await eventually(lambda: "talk-2.report.toml" in place.files("outbox"), "exported again")
            await ended(place, "delivered")
        assert place.files("outbox") == ["talk-2.mp4", "talk-2.report.toml", "talk.mp4", "talk.report.toml"]
        assert place.files("archive") == ["talk.mp4", "talk.txt"]
        assert messages(place) == [CUT]


@both_ways
async def test_paused_work_is_cancelled_and_its_file_left_alone_until_it_is_retried(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, running: bool
) -> None:
    place = Place(tmp_path / "place")
    await place.work_off()
    async with daemon_if(place, running=running) as daemon:
        assert await pulled(place, pause) == {"paused": True, "changed": True}
        assert await pulled(place, pause) == {"paused": True, "changed": False}
        drop(place, tmp_path_factory)
        if daemon is None:
            await place.work_off()
        await ended(place, "held")
        assert "nemo-watch resume" in await tell(place, "status")
        with pytest.raises(OperatorError, match="paused"):
            await pulled(place, retry, "talk.mp4")
        told = await pulled(place, cancel, "talk.mp4")
        assert "nothing was paid" in told["sentence"]
        assert (await pulled(place, cancel, str(place.root / "inbox" / "talk.mp4")))["changed"] is False
        assert await pulled(place, resume) == {"resumed": {}, "ended": ["paused"], "held": []}
        assert await pulled(place, resume) == {"resumed": {}, "ended": [], "held": []}
    await place.work_off()  # a restart does not take it either
    assert place.files("inbox") == ["talk.mp4", "talk.txt"]
    assert (await jobs(place))[0].state == "cancelled"
    assert "was cancelled" in await tell(place, "why", "talk.mp4")
    async with daemon_if(place, running=running) as daemon:
        await pulled(place, retry, "talk.mp4")
        if daemon is None:
            await place.work_off()
        await ended(place, "delivered")
    assert place.files("outbox") == ["talk.mp4", "talk.report.toml"]


async def test_a_job_is_shown_whole_and_its_link_is_kept_nowhere(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with at_backend(tmp_path) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        (job,) = await jobs(place)
        async with place.daemon():
            told = await look_up(load_config(str(place.config_path)), job.job_id[:8])
            text = await tell(place, "show", str(place.root / "outbox" / "talk.mp4"), "--link")
        assert (told["job"], told["state"], told["paid"], told["failure"]) == (job.job_id, "delivered", "yes", None)
        assert told["messages"] == [CUT]
        assert told["timeline"].startswith("Timeline (")
        assert told["credits"]["spent"] == 50
        (export,) = told["exports"]
        assert export["file"] == str(place.root / "outbox" / "talk.mp4")
        assert export["duration"] > 1
        names = [step["step"] for step in told["steps"]]
        assert names == ["session", "upload-0", "edit-1", "draft", "render-1", "download-1", "deliver", "archive"]
        assert all(step["seconds"] is not None for step in told["steps"])
        files = {(file["what"], os.path.basename(file["path"])): file["there"] for file in told["files"]}
        assert files == {
            ("original", "talk.mp4"): True,
            ("beside it", "talk.txt"): True,
            ("result", "talk.mp4"): True,
            ("report", "talk.report.toml"): True,
        }
        link = next(line for line in text.splitlines() if "?ct=clm_" in line)
        assert link.startswith("https://nemovideo.com/workspace/claim?ct=")
        secret = link.partition("?ct=")[2].encode()
        token = json.loads((place.state / "token.json").read_text())
        given = next(iter(token.values()))["token"].encode()
        for path in place.state.rglob("*"):
            if path.is_file() and "sandbox" not in path.parts:
                assert secret not in path.read_bytes(), path
        assert given not in text.encode() + json.dumps(told).encode()


@both_ways
async def test_the_embedded_backend_tells_its_credits_too(tmp_path: Path, running: bool) -> None:
    place = Place(tmp_path / "place")
    assert (await pulled(place, ask_credits))["available"] == 10000, "before the first start"
    await place.work_off()
    async with daemon_if(place, running=running):
        told = await pulled(place, ask_credits)
    assert (told["available"], told["backend"], told["budget"]["limit"]) == (10000, "sandbox", None)


async def test_what_cannot_be_done_is_said_with_what_can(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = Place(tmp_path / "place")
    none = await tell(place, "retry", "talk.mp4", code=1)
    assert "There is no ledger at" in none
    drop(place, tmp_path_factory)
    (place.root / "inbox" / "more").mkdir()
    drop(place, tmp_path_factory, "more/talk.mp4", 'add the title "Two"')
    await place.work_off()
    said = json.loads(await tell(place, "show", "talk.mp4", "--json", code=1))
    assert said["code"] == "job_unclear"
    assert all(job.job_id in said["hint"] for job in await jobs(place))
    for lever, what, more, words in (
        (cancel, "nothing.mp4", {}, 'No job is known as "nothing.mp4"'),
        (cancel, "", {}, "No job is known"),
        (retry, "more/talk.mp4", {"start": "tea"}, 'cannot go on from "tea"'),
        (retry, "more/talk.mp4", {"start": "edit-7"}, "has no message 7"),
        (retry, "more/talk.mp4", {"start": "edit", "fresh": True}, "takes no --from"),
        (cancel, "more/talk.mp4", {}, "has delivered its result"),
    ):
        with pytest.raises(OperatorError, match=words) as refused:
            await pulled(place, lever, what, **more)
        assert refused.value.hint
    with pytest.raises(OperatorError, match="has no page"):
        await look_up(load_config(str(place.config_path)), "more/talk.mp4", link=True)
