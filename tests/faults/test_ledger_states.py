"""The ledger in any order of events: whatever comes between, nothing is sent twice, no job is lost or comes back."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from nemo_watch.ledger import Ledger
from nemo_watch.ledger.turning import begin_anew, call_off, turn_back
from nemo_watch.model import OPEN_STATES, Failure, Job, Json
from nemo_watch.pipeline import levers
from nemo_watch.pipeline.levers import Desk
from tests.integration.test_ledger import make_job

T = TypeVar("T")
STEPS = ("edit-1", "edit-2")
LATER = datetime.now(UTC) + timedelta(days=36_500)
NOTE: Json = {"files": [], "report": None, "needed": False, "place": "rejects", "as_drop": False, "paid": "no"}
Fate = st.sampled_from(("changed", "refused", "lost", "killed before it was sent", "killed after it was sent"))


@dataclass
class Known:
    """What must be true of one job, whatever the ledger says."""

    edit: int
    run: int
    is_open: bool = True
    is_condemned: bool = False
    rows: set[str] = field(default_factory=set)
    """The steps that the ledger must know: sent, perhaps, and neither refused nor given up by a person."""
    sent: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    """How often a person said that a step may be sent once more."""


def last_alive(runs: list[Job]) -> Job:
    """Give the run that the next drop of an edit is about."""
    return next((run for run in reversed(runs) if run.state != "cancelled"), runs[-1])


class LedgerLife(RuleBasedStateMachine):
    """A daemon that keeps to the rules of the pipeline, people who interfere, and a process that dies at any moment."""

    def __init__(self) -> None:
        super().__init__()
        # In memory where there is such a place: what a disk makes of a kill is the business of other tests.
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.runner = asyncio.Runner()
        self.known: dict[str, Known] = {}
        self.grown: Counter[int] = Counter()
        self.token = 0
        self.ledger = self._open()

    def teardown(self) -> None:
        try:
            self._everything_comes_to_an_end()
        finally:
            self._close()

    def _everything_comes_to_an_end(self) -> None:
        """Once nothing is wrong any more, every job ends: none is left behind."""
        self.lift()
        for _ in range((len(STEPS) + 2) * len(self.known)):
            self.work("changed", newest=False)
        self.no_step_is_sent_twice_without_a_word()
        assert not any(known.is_open for known in self.known.values())
        assert self._all(OPEN_STATES) == []

    def _close(self) -> None:
        self.do(self.ledger.close())
        self.runner.close()
        self.folder.cleanup()

    def do(self, asked: Awaitable[T]) -> T:
        async def waited() -> T:
            return await asked

        return self.runner.run(waited())

    def _open(self) -> Ledger:
        self.token += 1
        return Ledger(str(Path(self.folder.name) / "ledger.db"))

    # ------------------------------------------------------------ drops

    @rule(edit=st.integers(0, 1), duplicates=st.sampled_from(("reuse", "process", "reject")))
    def drop(self, edit: int, duplicates: str) -> None:
        """A clip comes, known or not (product.md 4.2)."""
        job = make_job(edit)
        jobs = self.do(self.ledger.jobs_of_edit(job.edit_id))
        runs = [one for one in jobs if not one.reuses]
        if not runs:
            self._enter(edit, job)
        elif (paying := last_alive(runs)).state in ("rejected", "cancelled"):
            self.do(self.ledger.reopen(paying.job_id, job))
            self.known[paying.job_id].is_open = True
        elif duplicates == "process":
            self.grown[edit] += 1
            self._enter(edit, replace(job, job_id=f"{job.edit_id}-{len(runs) + 1}"))
        elif duplicates == "reuse":
            number = len(jobs) - len(runs) + 1
            self._enter(edit, replace(job, job_id=f"{paying.job_id}.{number}", reuses=paying.job_id))

    def _enter(self, edit: int, job: Job) -> None:
        assert job.job_id not in self.known
        self.do(self.ledger.enter(job))
        self.known[job.job_id] = Known(edit, int(job.job_id.split("-")[1].split(".")[0]))

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def drop_again(self, data: st.DataObject) -> None:
        """The same drop is entered once more, as after a kill right behind the commit: nothing changes."""
        job = self.do(self.ledger.job(data.draw(st.sampled_from(sorted(self.known)))))
        assert job is not None
        fresh = replace(make_job(self.known[job.job_id].edit), job_id=job.job_id, reuses=job.reuses)
        assert self.do(self.ledger.enter(fresh)) == job

    # ------------------------------------------------------------ work

    @rule(fate=Fate, newest=st.booleans())
    def work(self, fate: str, newest: bool) -> None:
        """A worker takes the next job and does its next step, as the pipeline does it."""
        job = self.do(self.ledger.next_ready(LATER, exclude=[], newest=newest))
        if job is None:
            return
        known = self.known[job.job_id]
        assert known.is_open, "an ended job came back by itself"
        self.do(self.ledger.update(job.job_id, active=True, state="ready", reason="", next_try_at=None))
        if job.failure is not None:
            assert known.is_condemned
            self._end(job, "rejected", job.failure)
            return
        if job.reuses:
            self._end(job, "delivered")
            return
        for name in STEPS:
            step = self.do(self.ledger.step(job.job_id, name))
            if step is None:
                self._pay(job, name, fate)
                return
            if step.state == "intent":
                self._look(job, name, fate)
                return
        self._end(job, "delivered")

    @rule(fates=st.lists(Fate, min_size=2, max_size=4))
    def work_on(self, fates: list[str]) -> None:
        """Workers are busier than people."""
        for fate in fates:
            self.work(fate, newest=False)

    def _pay(self, job: Job, name: str, fate: str) -> None:
        known = self.known[job.job_id]
        self.do(self.ledger.intend(job.job_id, name, str(self.token), {"before": {}}))
        known.rows.add(name)
        if fate == "killed before it was sent":
            self.kill()
            return
        known.sent[name] += 1
        if fate == "killed after it was sent":
            self.kill()
        elif fate == "refused":
            known.sent[name] -= 1
            self.do(self.ledger.clear(job.job_id, name))
            known.rows.discard(name)
            self._wait(job)
        elif fate == "lost":
            self._wait(job)
        else:
            self.do(self.ledger.done(job.job_id, name, str(self.token), {"changed": True}))

    def _look(self, job: Job, name: str, fate: str) -> None:
        """The fence is up: whoever comes later looks, and never sends."""
        is_hidden = fate in ("refused", "killed before it was sent")
        if self.known[job.job_id].sent[name] and not is_hidden:
            self.do(self.ledger.done(job.job_id, name, str(self.token), {"changed": True}))
        elif fate == "lost":
            self._wait(job)
        else:
            self._end(job, "rejected", Failure("edit_no_effect", "m", "a", paid="unknown"))

    def _wait(self, job: Job) -> None:
        soon = datetime.now(UTC) + timedelta(seconds=30)
        self.do(self.ledger.update(job.job_id, active=False, state="waiting", reason="looking", next_try_at=soon))

    def _end(self, job: Job, state: str, failure: Failure | None = None) -> None:
        self.do(self.ledger.update(job.job_id, active=False, state=state, failure=failure, next_try_at=None))
        self.known[job.job_id].is_open = self.known[job.job_id].is_condemned = False

    @rule()
    def kill(self) -> None:
        """The process dies and another one opens the ledger."""
        before = self.ledger
        self.ledger = self._open()
        self.do(before.close())
        self.do(self.ledger.calm())

    # ------------------------------------------------------------ holds

    @precondition(lambda self: self._all(OPEN_STATES))
    @rule(data=st.data())
    def hold(self, data: st.DataObject) -> None:
        """A job is held with all others until there are credits again."""
        job = data.draw(st.sampled_from(self._all(OPEN_STATES)))
        self.do(self.ledger.hold("credits", "none left", "", None))
        self.do(self.ledger.update(job.job_id, state="held", reason="credits", next_try_at=None, active=False))

    @rule()
    def lift(self) -> None:
        """The cause of the hold is gone."""
        self.do(self.ledger.lift("credits"))

    # ------------------------------------------------------------ people

    @precondition(lambda self: self._all(OPEN_STATES))
    @rule(data=st.data(), late=st.booleans())
    def cancel(self, data: st.DataObject, late: bool) -> None:
        """A person ends a job: nothing sent, it is called off; else it is rejected by its next worker.

        A word about what it was before counts for nothing.
        """
        job = data.draw(st.sampled_from(self._all(OPEN_STATES)))
        known = self.known[job.job_id]
        if late:
            read = replace(job, updated_at=job.updated_at - timedelta(seconds=1))
            assert not self.do(call_off(self.ledger, read, reason="cancelled", sentence="A person said so."))
            return
        pulled = self.do(levers.cancel(Desk(self.ledger, {}, "", is_running=False), job.job_id))
        assert pulled.changed == (not known.is_condemned)
        known.is_condemned = bool(known.rows)
        known.is_open = known.is_condemned

    @precondition(lambda self: self._all(("rejected",)))
    @rule(data=st.data(), names=st.sampled_from(((), ("edit-2",), STEPS)))
    def retry(self, data: st.DataObject, names: tuple[str, ...]) -> None:
        """A person has a rejected job go on, from an edit on if they say so: that may be sent again."""
        job = data.draw(st.sampled_from(self._all(("rejected",))))
        assert self.do(turn_back(self.ledger, job, forget=names, note=NOTE))
        known = self.known[job.job_id]
        known.is_open = True
        for name in names:
            known.words[name] = known.sent[name]
            known.rows.discard(name)

    @precondition(lambda self: self._all(("rejected", "delivered"), paying=True))
    @rule(data=st.data())
    def retry_fresh(self, data: st.DataObject) -> None:
        """A person pays once more for the same work."""
        job = data.draw(st.sampled_from(self._all(("rejected", "delivered"), paying=True)))
        edit = self.known[job.job_id].edit
        run = 1 + sum(known.edit == edit and "." not in job_id for job_id, known in self.known.items())
        fresh = replace(make_job(edit), job_id=f"{job.edit_id}-{run}")
        assert self.do(begin_anew(self.ledger, fresh, note=NOTE))
        assert not self.do(begin_anew(self.ledger, fresh, note=NOTE))
        self.known[fresh.job_id] = Known(edit, run)
        self.grown[edit] += 1

    def _all(self, states: tuple[str, ...], *, paying: bool = False) -> list[Job]:
        jobs = self.do(self.ledger.jobs(states))  # type: ignore[arg-type]  # the states of a job
        return sorted((job for job in jobs if not (paying and job.reuses)), key=lambda job: job.job_id)

    # ------------------------------------------------------------ what always holds

    @invariant()
    def no_step_is_sent_twice_without_a_word(self) -> None:
        for job_id, known in self.known.items():
            for name, times in known.sent.items():
                assert times <= 1 + known.words[name], (job_id, name)

    @invariant()
    def what_may_have_been_sent_is_remembered(self) -> None:
        for job_id, known in self.known.items():
            assert known.rows <= {step.name for step in self.do(self.ledger.steps(job_id))}, job_id

    @invariant()
    def only_who_was_ended_by_a_person_is_to_be_rejected(self) -> None:
        for job in self._all(OPEN_STATES):
            assert (job.failure is not None) == self.known[job.job_id].is_condemned, job.job_id

    @invariant()
    def no_job_is_lost_and_none_ended_comes_back(self) -> None:
        jobs = {job.job_id: job for job in self.do(self.ledger.jobs())}
        assert set(jobs) == set(self.known)
        assert {job_id for job_id, job in jobs.items() if job.state in OPEN_STATES} == {
            job_id for job_id, known in self.known.items() if known.is_open
        }
        offered: list[str] = []
        while (job := self.do(self.ledger.next_ready(LATER, exclude=offered, newest=False))) is not None:
            offered.append(job.job_id)
        held = {job_id for job_id, job in jobs.items() if job.state == "held" and job.next_try_at is None}
        assert set(offered) == {job_id for job_id, known in self.known.items() if known.is_open} - held

    @invariant()
    def a_hold_of_jobs_is_written_down(self) -> None:
        if any(job.state == "held" and job.next_try_at is None for job in self._all(("held",))):
            assert [hold.reason for hold in self.do(self.ledger.holds())] == ["credits"]

    @invariant()
    def run_numbers_grow_by_a_wish_alone(self) -> None:
        runs: dict[int, list[int]] = {}
        for job_id, known in self.known.items():
            if "." not in job_id:
                runs.setdefault(known.edit, []).append(known.run)
        for edit, numbers in runs.items():
            assert sorted(numbers) == list(range(1, 2 + self.grown[edit]))


@pytest.mark.timeout(300)
def test_in_any_order_nothing_is_sent_twice_and_no_job_is_lost() -> None:
    run_state_machine_as_test(
        LedgerLife,
        settings=settings(
            max_examples=50, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
