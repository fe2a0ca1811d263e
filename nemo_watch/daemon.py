"""The composition root: builds every room once, starts them, and stops them in reverse.

Touches: everything, through the rooms; the lock of the state folder and the process's signals itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from nemo_watch import media, pipeline, sidecar, skills
from nemo_watch.answers import LOOK_S, Answers
from nemo_watch.building import build_client, build_intake, inbox_rules, own_folder, refuse_bad_layout
from nemo_watch.chores import NOTICE_S, Chores
from nemo_watch.client import Timeouts
from nemo_watch.config import Config, Inbox, parse_hours, with_real_paths
from nemo_watch.dispatch import Dispatch
from nemo_watch.errors import LedgerError
from nemo_watch.guarded import GuardedFolders, real_path
from nemo_watch.intake import Intake, SettleRules
from nemo_watch.ledger import Ledger, retention
from nemo_watch.ledger.chains import TURN, ended_parts
from nemo_watch.ledger.levers import Levers
from nemo_watch.model import ANY_INODE, OPEN_STATES, Drop, Job, Json, SkillHeaders
from nemo_watch.obeying import Obeying
from nemo_watch.pipeline import House, Patience, Progress
from nemo_watch.pipeline.budget import Budget
from nemo_watch.pipeline.first_run import FirstRuns
from nemo_watch.pipeline.holds import Asking, Holds
from nemo_watch.pipeline.opening import UNLISTED
from nemo_watch.pipeline.sharing import is_turn
from nemo_watch.pipeline.tidying import TIDY_S, Tidying
from nemo_watch.statefolder import LEDGER_NAME, state_lock
from nemo_watch.telling import Notices
from nemo_watch.watcher import Watcher

FIRST_LOOK_S = 5.0
"""So long the first jobs wait at the start until it is known which holds are over."""
FOLLOW_S = 10.0
"""How often it is looked whether jobs that are held lost their files, if anything changed in their inbox."""
ONCE_TRIES = 3
"""With --once a job that failed so often in a row is left for the next run,"""
ONCE_WAIT = timedelta(minutes=2)
"""and so is one whose next try is further away than this."""

log = structlog.get_logger("nemo_watch.daemon")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `run --once` came to: jobs delivered and rejected in this run, jobs and files that still wait."""

    delivered: int
    rejected: int
    waiting: int


class Daemon:
    """The running program, from an open ledger to watched inboxes."""

    def __init__(
        self,
        config: Config,
        *,
        env: Mapping[str, str] | None = None,
        settle: SettleRules | None = None,
        patience: Patience | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Remember what to build. `settle`, `patience` and `timeouts` replace the usual waiting times."""
        self.config = config
        self._env = dict(os.environ if env is None else env)
        self._settle = settle
        self._patience = patience or Patience(
            render_poll_s=config.backend.render_poll, give_up_after_s=config.backend.give_up_after
        )
        self._timeouts = timeouts
        self._started_at = datetime.now(UTC)
        self._followed: dict[str, tuple[int, int, int]] = {}
        self._intakes: dict[str, Intake] = {}
        self._holds_seen = False
        self._first_look: asyncio.Task[None] | None = None
        self._ends = media.EndReader()
        self._folder_s = self._patience.folder_s

    # ------------------------------------------------------------ life

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        """Start everything, and stop it in reverse whatever happens.

        Raises: OperatorError with what to do, before any file is touched. Effects: holds the state folder's lock.
        """
        refuse_bad_layout(self.config)
        config = self.config = with_real_paths(self.config, real_path)
        async with contextlib.AsyncExitStack() as stack:
            own_folder(config.state.path)
            stack.enter_context(state_lock(config.state.path, "daemon"))
            self.ledger = Ledger(os.path.join(config.state.path, LEDGER_NAME))
            stack.push_async_callback(self.ledger.close)
            self.notices = Notices(self.ledger, self._started_at)
            await self.ledger.calm()
            await self.ledger.wake(pipeline.UNKNOWN_INBOX)
            await pipeline.turn_to(self.ledger, config.backend.url)
            own_folder(config.state.spool)
            url = config.backend.url
            if url == "sandbox":
                url = stack.enter_context(embedded_sandbox(config))
            self.client = build_client(config, url, self._env, self._timeouts)
            stack.push_async_callback(self.client.aclose)
            self.first_runs = FirstRuns(
                self.ledger,
                config.backend.url,
                {inbox.name: inbox.path for inbox in config.inboxes},
                expected=lambda name: self._intakes[name].expected() if self.watchers[name].is_listed else None,
                reads_sidecars=lambda name: self._intakes[name].reads_sidecars,
            )
            await self.first_runs.load()
            self.folders = GuardedFolders(self.ledger, config.state.path, self._let_go_on, hung_s=self._folder_s)
            stack.callback(self.folders.close)
            self.holds = self._build_holds()
            await self.holds.budget.load()
            self.house = self._build_house()
            self.dispatch = Dispatch(self.ledger, self._run_job, config.queue.workers)
            self.watchers = {inbox.name: self._build_watcher(inbox) for inbox in config.inboxes}
            for rules in self.house.inboxes.values():
                for place in (rules.outbox, rules.rejects, rules.archive):
                    # Known from now on: a share that goes away before the first result is missed, too.
                    place.threads.soon(place.trust)
            for inbox in config.inboxes:
                for rel in await ended_parts(self.ledger, inbox.name):
                    self._intakes[inbox.name].not_missed(rel)
                for ref in await self.ledger.known_files(inbox.name):
                    # Inode numbers may be others after a reboot: the file is known by its name, size and time.
                    self.watchers[inbox.name].known(ref.rel, replace(ref.stamp, inode=ANY_INODE))
            chores = Chores()
            chores.every(self._patience.hold_tick_s, "holds", self._look_at_holds)
            chores.every(NOTICE_S, "notices", self.tell)
            obeying = Obeying(self.house, self.dispatch, self.first_runs)
            answers = Answers(Levers(self.ledger), {"why": self._why, **obeying.kinds})

            async def serve() -> None:
                await self.first_runs.decide()
                await answers.serve()

            chores.every(LOOK_S, "levers", serve)
            chores.every(FOLLOW_S, "held", self.follow_files)
            chores.every(TIDY_S, "leftovers", Tidying(self.house).tidy)
            chores.every(retention.FORGET_EVERY_S, "retention", self._forget)
            tasks = [
                asyncio.create_task(watcher.run(), name=f"watch {name}") for name, watcher in self.watchers.items()
            ]
            tasks.append(asyncio.create_task(self._keep_dispatching(), name="dispatch"))
            self._tasks = tasks
            stack.push_async_callback(self._stop, tasks)
            chores.start()
            stack.callback(chores.stop)
            log.info("daemon.ready", backend=config.backend.url, state=config.state.path, workers=config.queue.workers)
            yield self

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        """Take no more, park what pays nothing, let paid calls in flight end, then leave."""
        log.info("daemon.stopping", paid_calls=len(self.house.paying))
        self.house.stopping = True
        looking = [self._first_look] if self._first_look is not None else []
        for task in (*tasks[:-1], *looking):
            task.cancel()
        await self.dispatch.stop(lambda: frozenset(self.house.paying), self.config.queue.stop_wait)
        await asyncio.gather(*tasks, *looking, return_exceptions=True)
        await self.tell()
        log.info("daemon.stopped")

    async def failed(self) -> None:
        """Wait until one of the daemon's own tasks ends, which it never should. Raises: what ended it."""
        done, _pending = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    # ------------------------------------------------------------ building

    def _skill_headers(self, name: str) -> SkillHeaders:
        return skills.headers(skills.profile(name), self._env, os.path.expanduser("~"))

    def _build_holds(self) -> Holds:
        config = self.config

        def skill() -> SkillHeaders:
            return self._skill_headers(config.inboxes[0].skill)

        limit, account = config.budget.credits_per_day, config.backend.url
        return Holds(
            self.ledger,
            self.client,
            Budget(self.ledger, self.client, skill, limit=limit, account=account),
            Asking(skill, lambda: pipeline.kept_export_passes(self.house), lambda: self.dispatch.wake()),
            hours=parse_hours(config.queue.hours),
            patience=self._patience,
        )

    def _build_house(self) -> House:
        config = self.config
        backend = "sandbox" if config.backend.url == "sandbox" else "cloud"
        spool = self.folders.folder(config.state.spool, None)

        async def verify(path: str, expected_s: float | None, expected_bytes: int | None) -> media.MediaInfo:
            return await media.verify_video(path, expected_s=expected_s, expected_bytes=expected_bytes, disk=spool.call)

        return House(
            ledger=self.ledger,
            client=self.client,
            backend=backend if backend == "sandbox" else config.backend.url,
            backend_key=config.backend.url,
            inboxes={inbox.name: inbox_rules(inbox, self.folders.folder) for inbox in config.inboxes},
            spool=spool,
            skill_headers=self._skill_headers,
            session_language=lambda name, language: skills.session_language(skills.profile(name), language),
            verify=verify,
            on_release=lambda inbox, rel: self.watchers[inbox].forget(rel),
            on_leave=lambda inbox, rel: self.watchers[inbox].forget(rel, is_done=True),
            on_return=lambda inbox, clip: self.watchers[inbox].known(clip.rel, clip.stamp),
            on_enter=lambda: self.dispatch.wake(),
            is_known=lambda inbox, rel: self.watchers[inbox].is_known(rel),
            own_sidecar=lambda inbox, rel: self.watchers[inbox].sidecar_of(rel),
            seen_as=lambda inbox, rel: self.watchers[inbox].seen_as(rel),
            still_wanted=lambda inbox, rel, but: self.watchers[inbox].serves(rel, but=but),
            why_not=self.first_runs.why_not,
            holds=self.holds,
            patience=self._patience,
        )

    def _build_watcher(self, inbox: Inbox) -> Watcher:
        intake = self._intakes[inbox.name] = build_intake(inbox, self._settle)
        return Watcher(
            inbox.path,
            intake,
            self._on_drop,
            sniff=media.sniff,
            ends=self._ends,
            facts_of=sidecar.facts,
            watch=inbox.watch,
            poll_s=inbox.poll,
            rescan_s=inbox.rescan,
            hung_s=self._folder_s,
            trust=self.folders.folder(inbox.path, "inbox").trust,
        )

    async def _let_go_on(self, reason: str) -> None:
        """Wake the jobs that were held for a reason that is gone."""
        await self.ledger.wake(reason)
        self.dispatch.wake()

    async def _on_drop(self, drop: Drop) -> None:
        await self.first_runs.decide_for(drop.inbox)
        await pipeline.accept(self.house, drop)

    async def _run_job(self, job: Job) -> None:
        await pipeline.run_job(self.house, job)

    # ------------------------------------------------------------ what is asked

    async def _why(self, asked: Json) -> Json:
        """Say what the eyes on an inbox know of a file."""
        watcher = self.watchers.get(asked["inbox"])
        if watcher is None:
            return {"state": "", "phase": "", "sentence": ""}
        said = watcher.why(asked["rel"])
        told: Json = {"state": watcher.state, "mode": watcher.mode}
        if said is None:
            return told | {"phase": "", "sentence": ""}
        now_s = time.monotonic()
        next_s = None if said.next_check_s is None else said.next_check_s - now_s
        return told | {"phase": said.reason, "sentence": said.sentence, "age_s": now_s - said.since_s, "next_s": next_s}

    # ------------------------------------------------------------ what is told

    async def _look_at_holds(self) -> None:
        await self.holds.look()

    async def _keep_dispatching(self) -> None:
        # Somebody may have mended the cause of a hold while the daemon was down: look before anything is decided. A
        # backend that is silent keeps nothing else waiting.
        self._first_look = asyncio.create_task(self._see_holds(), name="first look")
        await asyncio.wait({self._first_look}, timeout=FIRST_LOOK_S)
        await self.dispatch.run()

    async def _see_holds(self) -> None:
        try:
            await self.holds.look(at_once=True)
        except LedgerError as error:
            log.warning("ledger.failed", why=error.message, then=error.hint)
        finally:
            self._holds_seen = True

    async def _forget(self) -> None:
        """Let the ledger forget the detail of jobs that ended long ago."""
        await retention.forget(self.ledger, datetime.now(UTC))

    async def follow_files(self) -> None:
        """Let held jobs go whose files are others now; where nothing changed since the last time, nothing is read."""
        for name, watcher in self.watchers.items():
            seen = (watcher.changes, *await self.ledger.newest_held(name))
            if watcher.state == "watching" and self._followed.get(name) != seen:
                await pipeline.follow_files(self.house, name)
                self._followed[name] = seen

    async def tell(self) -> None:
        """Write for other processes what only this one knows. Repeat: safe."""
        await self.notices.tell(self.watchers, list(self.progress.values()))

    @property
    def progress(self) -> dict[str, Progress]:
        """What the workers are doing right now, by job id."""
        return self.house.progress

    # ------------------------------------------------------------ once

    async def work_off(self) -> Outcome:
        """Do what can go on now, then say what came of it: for `run --once` and the demo."""
        while True:
            await self.first_runs.decide()  # what it lets go is work for this run
            jobs = await self.ledger.jobs(OPEN_STATES, limit=100_000)
            awaited = {job.job_id: job for job in jobs}
            going = [job for job in jobs if _goes_on(awaited.get(job.reuses, job) if job.reason == "reuse" else job)]
            if not going:  # who waits for a turn goes on if anybody does who has the session before
                going = [job for job in jobs if job.reason == TURN and await is_turn(self.house, job)]
            idle = all(watcher.idle() for watcher in self.watchers.values())
            if self._holds_seen and idle and not going and not self.dispatch.running:
                break
            await asyncio.sleep(0.1)
        mine = [job for job in await self.ledger.jobs(limit=100_000) if job.updated_at >= self._started_at]
        # An inbox that is away may hold any number of files.
        waits = sum(watcher.waiting_count + (watcher.state != "watching") for watcher in self.watchers.values())
        return Outcome(
            delivered=sum(job.state == "delivered" for job in mine),
            rejected=sum(job.state == "rejected" for job in mine),
            waiting=waits + len(await self.ledger.jobs(("ready", "waiting", "held"))),
        )


def _goes_on(job: Job) -> bool:
    if job.state == "ready":
        return True
    if job.state == "held":  # one that was woken is taken up at once
        return job.next_try_at is not None and job.next_try_at <= datetime.now(UTC)
    if job.reason == "retry":
        is_soon = job.next_try_at is None or job.next_try_at - datetime.now(UTC) <= ONCE_WAIT
        return job.attempts < ONCE_TRIES and is_soon
    return job.reason in ("render", "looking", "reuse", "asked", "stopping", UNLISTED)


@contextlib.contextmanager
def embedded_sandbox(config: Config) -> Iterator[str]:
    """Run the embedded backend and give its address. To be called with the state folder's lock held."""
    from nemo_watch.sandbox.server import SandboxServer  # only who asks for the sandbox loads it

    sandbox = SandboxServer(
        os.path.join(config.state.path, "sandbox"),
        credits=config.sandbox.credits,
        fonts_dir=config.sandbox.fonts_dir,
        speech_model=config.sandbox.speech_model,
        reissues_unused=True,
    )
    with sandbox:
        yield sandbox.url


# ---------------------------------------------------------------- signals


def stop_on_signals(on_first: Callable[[], None]) -> None:
    """SIGTERM and Ctrl-C stop in good order; the second of them ends the process at once.

    Ending at once leaves nothing to repair: everything that counts is in the ledger before it happens.
    """
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def handle(number: int) -> None:
        seen.append(number)
        if len(seen) > 1:
            os._exit(128 + number)
        log.info("daemon.signal", signal=signal.Signals(number).name)
        on_first()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
