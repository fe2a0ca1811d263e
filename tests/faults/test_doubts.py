"""Answers that say less, or something else, than what happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nemo_watch.sandbox.faults import Fault
from tests.program import IMPATIENT, eventually
from tests.pulling import CUT, at_backend, drop, ended, messages, records


async def test_an_edit_that_comes_after_words_is_found_when_the_file_is_put_back(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    late = Fault("run_sse", "afterwards", seconds=4.0, message="I am thinking about it.")
    with at_backend(tmp_path, late) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await ended(place, "rejected", code="no_edit_made")

        def is_made() -> bool:
            with records(place) as seen:
                return len(seen.charges()) == 1

        await eventually(is_made, "the edit is made after all")
        for name in ("talk.txt", "talk.mp4"):
            (place.root / "rejects" / name).rename(place.root / "inbox" / name)
        assert (await place.work_off()).delivered == 1
        assert messages(place) == [CUT]


async def test_a_turn_that_ends_with_an_error_is_quoted(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = "The codec is unknown; ask with Bearer nmv_usr_0123456789abcdef."
    with at_backend(tmp_path, Fault("run_sse", "fail_turn", message=words)) as place:
        drop(place, tmp_path_factory)
        await place.work_off()
        await ended(place, "rejected", code="edit_no_effect")
        message = place.report("talk.mp4.error.toml", "rejects")["message"]
        assert "The codec is unknown" in message
        assert "nmv_usr_0123456789abcdef" not in message


async def test_no_secret_of_a_failed_render_is_told(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    words = "GET https://cdn.example/a.mp4?X-Amz-Signature=abcdef0123 with Bearer nmv_usr_0123456789abcdef failed"
    with at_backend(tmp_path, Fault("render", "fail_render", times=2, message=words)) as place:
        drop(place, tmp_path_factory)
        with place.process() as daemon:
            daemon.wait_for(lambda: "talk.mp4.error.toml" in place.files("rejects"), "rejected")
            assert daemon.stop() == 0
        told = (place.root / "rejects" / "talk.mp4.error.toml").read_text() + daemon.log()
        assert "cdn.example" in told
        assert "nmv_usr_0123456789abcdef" not in told
        assert "abcdef0123 with" not in told


async def test_the_time_of_a_hold_is_no_time_of_failing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    down = Fault("session", "answer", code=503, status=503, times=2)
    patience = replace(IMPATIENT, give_up_after_s=1.0)
    with at_backend(tmp_path, down) as place:
        drop(place, tmp_path_factory)
        async with place.daemon(patience=patience) as daemon:

            async def failed_once() -> bool:
                return [(job.state, job.attempts) for job in await daemon.ledger.jobs()] == [("waiting", 1)]

            await eventually(failed_once, "failed once")
            (job,) = await daemon.ledger.jobs()
            assert job.first_failed_at is not None
            await daemon.ledger.hold("paused", "A test.", "", None)
            await daemon.ledger.remember("paused", {"since": "", "by": "person"})
            await daemon.ledger.update(job.job_id, next_try_at=job.created_at)
            daemon.dispatch.wake()
            held = await eventually(lambda: daemon.ledger.jobs(("held",)), "held")
            assert (held[0].attempts, held[0].first_failed_at) == (0, None)
