"""Holds that take their time: exports that are forbidden, days, tokens near their end, credits that come back."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nemo_watch.pipeline.budget import FACT
from nemo_watch.sandbox.faults import Fault
from nemo_watch.sandbox.records import Records
from tests.media_fixtures import clip
from tests.program import Place
from tests.system.test_holds import SELDOM, SOON, come_to, drop, grant, hold_of, running, served


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    return clip(tmp_path_factory, "mute.mp4")


async def test_an_export_that_the_plan_forbids_stops_new_edits_until_one_passes(tmp_path: Path, source: str) -> None:
    forbidden = Fault("render", "answer", code=402, status=402, times=3)
    with served(tmp_path, forbidden) as place:
        async with running(place, SELDOM) as daemon:
            drop(place, source, 1)
            await come_to(daemon, rejected=1)
            drop(place, source, 2)
            await come_to(daemon, held=1)
            hold = await hold_of(daemon, "export_blocked")
            assert "/register?bind=" in hold["link"]
            assert hold["look_at"] - hold["since"] == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=2))
            assert await daemon.holds.resume() == []  # tried at once, and still forbidden
            with Records(tmp_path / "backend") as records:
                assert len(records.turns()) == 1
        async with running(place, SOON) as daemon:  # the start tries once more, then it is tried when it is time
            await come_to(daemon, delivered=1, rejected=1)
            assert await daemon.ledger.holds() == []
            # The kept session is only exported: its render was made by the try that passed.
            for name in ("clip1.mp4", "clip1.txt"):
                (place.root / "rejects" / name).rename(place.root / "inbox" / name)
            await come_to(daemon, delivered=2, rejected=0)
        with Records(tmp_path / "backend") as records:
            assert len(records.turns()) == len(records.charges()) == 2
            assert len(records.renders()) == 2
            assert len(records.requests("POST", "/api/render/proxy/lambda")) == 5


async def test_the_try_of_a_kept_export_takes_one_other_id_where_its_own_is_refused(
    tmp_path: Path, source: str
) -> None:
    forbidden = Fault("render", "answer", code=402, status=402)
    with served(tmp_path, forbidden, Fault("render", "answer", code=409, status=409, message="duplicate id")) as place:
        async with running(place, SELDOM) as daemon:
            drop(place, source, 1)
            await come_to(daemon, rejected=1)
            drop(place, source, 2)
            await come_to(daemon, held=1)
            assert await daemon.holds.resume() == ["export_blocked"]
            await come_to(daemon, delivered=1)
            for name in ("clip1.mp4", "clip1.txt"):
                (place.root / "rejects" / name).rename(place.root / "inbox" / name)
            await come_to(daemon, delivered=2, rejected=0)
        with Records(tmp_path / "backend") as records:
            assert len(records.turns()) == len(records.charges()) == 2
            assert len(records.renders()) == 2
            assert len(records.requests("POST", "/api/render/proxy/lambda")) == 4


async def test_nothing_begins_with_a_token_that_ends_within_the_hour(tmp_path: Path, source: str) -> None:
    later_s = 0.0
    # The backend gives the next token when the first one has ended, and not before.
    with served(tmp_path, token_ttl_s=300.0, now=lambda: time.time() + later_s) as place:
        async with running(place, replace(SELDOM, token_life_s=400.0)) as daemon:
            await daemon.client.ensure_token()
            first = daemon.client.credentials.expires_at
            assert first is not None
            drop(place, source, 1)
            hold = await hold_of(daemon, "token_quota")
            assert abs(hold["look_at"] - first) < timedelta(seconds=2)
            assert "NEMO_TOKEN" in hold["why"]
            with Records(tmp_path / "backend") as records:
                assert records.requests("POST", "/with-session/") == ()
            assert await daemon.holds.resume() == []
        later_s = 350.0
        async with running(place, replace(SELDOM, token_life_s=400.0)) as daemon:
            await come_to(daemon, delivered=1)
            assert daemon.client.credentials.expires_at != first


async def test_a_new_account_begins_when_what_the_old_one_paid_is_at_home(tmp_path: Path, source: str) -> None:
    """A new anonymous token is another account: what is paid in the old one would be lost with it."""
    with served(tmp_path, token_ttl_s=300.0) as place:
        async with running(place, replace(SOON, token_life_s=200.0)) as daemon:
            drop(place, source, 1)
            await come_to(daemon, delivered=1)
            # As if a paid job of this account were still to be exported, in the token's last hour.
            (paid,) = await daemon.ledger.jobs()
            await daemon.ledger.clear(paid.job_id, "download-1")
            await daemon.ledger.update(paid.job_id, state="held", reason="test", next_try_at=None)
            daemon.holds._patience = replace(daemon.holds._patience, token_life_s=400.0)
            drop(place, source, 2)
            hold = await hold_of(daemon, "token_quota")
            assert "paid work of it is under way" in hold["why"]
            with Records(tmp_path / "backend") as records:
                assert len(records.requests("POST", "/api/auth/anonymous-token")) == 1
            assert not await daemon.holds.resume()
            await daemon.holds.refuse(paid.job_id, begun=True)  # what is paid goes on while its token lives
            await daemon.ledger.update(paid.job_id, state="delivered", reason="")
            daemon.holds._patience = replace(daemon.holds._patience, token_life_s=200.0)
            await come_to(daemon, delivered=2)
            with Records(tmp_path / "backend") as records:
                assert len(records.requests("POST", "/api/auth/anonymous-token")) == 1


async def test_an_export_hold_ends_if_nothing_is_kept_that_could_tell(tmp_path: Path, source: str) -> None:
    with served(tmp_path, Fault("render", "answer", code=402, status=402)) as place:
        async with running(place, SELDOM) as daemon:
            drop(place, source, 1)
            await come_to(daemon, rejected=1)
            (job,) = await daemon.ledger.jobs()
            await daemon.ledger.clear(job.job_id, "session")  # of an account that is another one now
            drop(place, source, 2)
            await come_to(daemon, held=1)
            assert await daemon.holds.resume() == ["export_blocked"]
            await come_to(daemon, delivered=1)


async def test_where_nothing_is_kept_that_could_tell_one_job_tries_for_all(tmp_path: Path, source: str) -> None:
    with served(tmp_path, Fault("render", "answer", code=402, status=402, times=2)) as place:
        async with running(place, SELDOM) as daemon:
            drop(place, source, 1)
            await come_to(daemon, rejected=1)
            (job,) = await daemon.ledger.jobs()
            await daemon.ledger.clear(job.job_id, "session")  # of an account that is another one now
            drop(place, source, 2, 3, 4, 5)
            await come_to(daemon, held=4)
        async with running(place, SELDOM) as daemon:  # the start looks once
            await come_to(daemon, held=3, rejected=2)
            with Records(tmp_path / "backend") as records:
                assert len(records.charges()) == 2
        async with running(place, SOON) as daemon:
            await come_to(daemon, delivered=3, rejected=2)


async def test_a_trial_that_is_paid_is_the_trial_of_the_next_start(tmp_path: Path, source: str) -> None:
    cut = Fault("render", "cut", times=30)
    with served(tmp_path, Fault("render", "answer", code=402, status=402), cut) as place:
        async with running(place, SELDOM) as daemon:
            drop(place, source, 1)
            await come_to(daemon, rejected=1)
            (job,) = await daemon.ledger.jobs()
            await daemon.ledger.clear(job.job_id, "session")
            drop(place, source, 2, 3, 4)
            await come_to(daemon, held=3)
        for _start in range(3):
            async with running(place, SELDOM) as daemon:
                await come_to(daemon, held=2, waiting=1)
        with Records(tmp_path / "backend") as records:
            assert len(records.charges()) == 2


async def test_the_day_s_budget_holds_the_rest_until_the_next_day(tmp_path: Path, source: str) -> None:
    place = Place(tmp_path / "place", extra="[budget]\ncredits_per_day = 100")
    async with running(place) as daemon:
        drop(place, source, 1, 2, 3, 4)
        await come_to(daemon, delivered=2, held=2)
        hold = await hold_of(daemon, "budget")
        assert "100 were spent today" in hold["why"] or "reserved" in hold["why"]
        local = hold["look_at"].astimezone()
        assert (local.hour, local.minute) == (0, 0)
    grant(place.state / "sandbox", 1000)  # a balance that rises takes nothing back
    async with running(place) as daemon:
        await come_to(daemon, delivered=2, held=2)
        spent = await daemon.ledger.recall(FACT)
        assert spent is not None
        assert spent["spent"] == 100
        await daemon.ledger.remember(FACT, {**spent, "day": "2020-01-01"})  # midnight
        await come_to(daemon, delivered=4)
        spent = await daemon.ledger.recall(FACT)
        assert spent is not None
        assert spent["spent"] == 100
        with place.records() as records:
            assert len(records.charges()) == 4


@pytest.mark.timeout(240)
async def test_credits_that_end_in_the_middle_of_a_batch_and_come_back(tmp_path: Path, source: str) -> None:
    with served(tmp_path, credits=370) as place:
        async with running(place) as daemon:
            drop(place, source, *range(20))
            await come_to(daemon, delivered=7, held=13)
            assert "?bind=" in (await hold_of(daemon, "credits"))["link"]
            assert place.files("rejects") == []
            grant(tmp_path / "backend", 1000)
            await come_to(daemon, delivered=20, within_s=200)
            assert await daemon.ledger.holds() == []
        with Records(tmp_path / "backend") as records:
            assert len(records.charges()) == len(records.turns()) == 20
    assert len([name for name in place.files("outbox") if name.endswith(".mp4")]) == 20
