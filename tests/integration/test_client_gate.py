"""After a rate limit nothing of the account goes out before its gate opens; what is in flight is not touched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from nemo_watch.client import Client, Credentials
from nemo_watch.errors import RefusedError
from nemo_watch.model import SkillHeaders
from nemo_watch.sandbox.faults import Fault, Faults
from nemo_watch.sandbox.records import Records
from nemo_watch.sandbox.server import SandboxServer
from tests.program import eventually

SKILL = SkillHeaders("nemo-watch", "1.0.0", "unknown")


@contextlib.asynccontextmanager
async def client_of(folder: Path, *faults: Fault) -> AsyncIterator[Client]:
    with SandboxServer(folder / "backend", faults=Faults(faults), reissues_unused=True) as server:
        credentials = Credentials(str(folder / "state"), account="sandbox", env={"HOME": str(folder)})
        client = Client(api_url=server.url, web_url="https://nemovideo.com", credentials=credentials)
        try:
            yield client
        finally:
            await client.aclose()


def requests(folder: Path, path: str = "") -> int:
    with Records(folder / "backend") as records:
        return len(records.requests("", path))


def limit(status: int = 429, **more: float) -> Fault:
    return Fault("balance", "answer", code=429, status=status, **more)  # type: ignore[arg-type]  # a test's keyword arguments


@pytest.mark.parametrize("status", [200, 429])
async def test_no_call_goes_out_before_it_opens_and_then_all_do(tmp_path: Path, status: int) -> None:
    async with client_of(tmp_path, limit(status, retry_after=1)) as client:
        with pytest.raises(RefusedError) as limited:
            await client.balance(SKILL)
        assert (limited.value.code, limited.value.retry_after_s) == ("429", 1.0)
        before = requests(tmp_path)
        for call in (client.balance(SKILL), client.open_session("x", "en", SKILL), client.state("1", SKILL)):
            with pytest.raises(RefusedError, match="no call is made for this account before") as refused:
                await call
            assert (refused.value.code, refused.value.status, refused.value.refused) == ("429", 0, True)
            assert 0 < (refused.value.retry_after_s or 0) <= 1
        assert requests(tmp_path) == before

        async def opened() -> float:
            while True:
                with contextlib.suppress(RefusedError):
                    return (await client.balance(SKILL)).available
                await asyncio.sleep(0.05)

        assert await asyncio.wait_for(opened(), 30) > 0


async def test_a_paid_call_in_flight_is_not_touched(tmp_path: Path) -> None:
    async with client_of(tmp_path, limit(retry_after=600), Fault("run_sse", "late", seconds=1)) as client:
        session = await client.open_session("x", "en", SKILL)
        saying = asyncio.create_task(client.say(session.session_id, "hello", SKILL))
        await eventually(lambda: requests(tmp_path, "/run_sse"), "the message went out")
        with pytest.raises(RefusedError):
            await client.balance(SKILL)
        assert not saying.done()
        turn = await saying
        assert turn.ended
        assert turn.text
        with pytest.raises(RefusedError, match="before"):
            await client.say(session.session_id, "hello again", SKILL)
        assert requests(tmp_path, "/run_sse") == 1
