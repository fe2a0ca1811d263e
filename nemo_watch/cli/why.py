"""`why FILE`: the rule that holds a file, since when, and what comes next, in one sentence.

Touches: the folders and the ledger, reading only; a running daemon is asked by a lever.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rich.console import Console

from nemo_watch import reports
from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD, EXIT_USAGE
from nemo_watch.cli.fates import Oracle, is_left_behind
from nemo_watch.cli.jobwords import job_words
from nemo_watch.cli.levers import ask
from nemo_watch.cli.pictures import safe
from nemo_watch.cli.places import ROLES, Spot, folder_of, hung_folders, lexical, load_config, locate, named_inboxes
from nemo_watch.cli.whywords import Said, as_table, in_words, late, of_folder, of_job, read_report, would
from nemo_watch.config import Config, Inbox
from nemo_watch.folderthreads import NoAnswerError, answer_within
from nemo_watch.guarded import START_WAIT_S
from nemo_watch.intake import NameRules
from nemo_watch.intake.names import name_key, sidecar_keys, split_rel
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.finding import clips_of, job_of_file, job_that_put, last_job_at, reading
from nemo_watch.model import OPEN_STATES, FileRef, FileStamp, Job
from nemo_watch.pipeline.house import paid_so_far
from nemo_watch.pipeline.levers import CANCELLED
from nemo_watch.statefolder import LEDGER_NAME, is_running
from nemo_watch.watcher.disk import target_over
from nemo_watch.watcher.guard import NOT_ENTERED

MISUSED = ("folder", "no_name")
"""What is asked about a folder, or about nothing, has no answer: the command was used in a way it cannot be."""
NO_NAME = '""'


def run_why(config_path: str | None, file: str, *, as_json: bool) -> int:
    """Print the sentence; exit 1 if there is nothing to say of the file, 2 if what was named is no file at all."""
    config = load_config(config_path)
    spot, said = asyncio.run(look(config, file))
    is_misused = said.state in MISUSED
    if as_json:
        print(json.dumps(as_table(file, spot, said), indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True, stderr=is_misused)
        console.print(f"{safe(file) or NO_NAME}: {safe(in_words(said))}")
    return EXIT_USAGE if is_misused else EXIT_GOOD if said.found else EXIT_FOUND


# ---------------------------------------------------------------- where to look


async def look(config: Config, file: str) -> tuple[Spot | None, Said]:
    """Find out what there is to say of a file. Raises: LedgerError, OperatorError. Repeat: safe."""
    if not file:
        return None, Said("no_name", "this names no file; write it behind the word: nemo-watch why FILE", found=False)
    in_use = is_running(config.state.path)
    async with reading(os.path.join(config.state.path, LEDGER_NAME), in_use=in_use) as ledger:
        hung = await hung_folders(config, ledger if in_use else None)
        asked = _Asked(config, ledger, in_use=in_use)
        spot = lexical(config, file)
        if spot is None or folder_of(spot.inbox, spot.role) not in hung:
            try:
                spot = await asked.find(file, frozenset(hung))
            except NoAnswerError:
                return None, Said("hung", "the folder it lies in does not answer", found=False)
        if spot is None:
            there = os.path.lexists(file)
            if os.path.isdir(file):
                return None, of_folder("a folder outside of the inboxes")
            what = "it lies in none of the folders" if there else "there is no such file, and no job knows its name"
            return None, Said("outside", f"{what}; the inboxes are {named_inboxes(config)}", found=False)
        state = hung.get(folder_of(spot.inbox, spot.role))
        if state is not None:
            return spot, await _of_hung(spot, ledger, state, running=in_use)
        return spot, await (asked.in_inbox(spot) if spot.role == "inbox" else asked.in_target(spot))


async def _of_hung(spot: Spot, ledger: Ledger | None, state: str, *, running: bool) -> Said:
    which = "inbox" if spot.role == "inbox" else f"{spot.role} of the inbox"
    said = f'its {which} "{spot.inbox.name}" is {state}'
    job = await last_job_at(ledger, spot.inbox.name, spot.rel) if ledger is not None and spot.role == "inbox" else None
    if job is not None:
        return replace(of_job(job, [], running=running), note=said)
    return Said("hung", f"{said}; it goes on when the folder answers again")


class _Asked:
    """One question about one file."""

    def __init__(self, config: Config, ledger: Ledger | None, *, in_use: bool) -> None:
        self._config = config
        self._ledger = ledger
        self._in_use = in_use

    async def find(self, file: str, hung: frozenset[str]) -> Spot | None:
        """Find what is meant: a path, of what lay there once too, else a name below one of the folders or in a job.

        Raises: NoAnswerError if the folder it lies in hangs.
        """
        is_there = answer_within(START_WAIT_S, os.path.lexists, file)
        spot = locate(self._config, file)
        if os.path.isabs(file) or (spot is not None and (is_there or await self._knows(spot))):
            return spot
        rel = os.path.normpath(file)
        if rel.split("/")[0] in (".", ".."):  # never a name below a folder
            return spot
        for role in ROLES:
            for inbox in self._config.inboxes:
                if folder_of(inbox, role) not in hung and os.path.lexists(os.path.join(folder_of(inbox, role), rel)):
                    return locate(self._config, os.path.join(folder_of(inbox, role), rel))
        for inbox in self._config.inboxes if self._ledger is not None else ():
            if self._ledger is not None and await last_job_at(self._ledger, inbox.name, rel) is not None:
                return Spot(inbox, "inbox", rel)
        return spot

    async def _knows(self, spot: Spot) -> bool:
        """Tell whether a job knows a place, whatever lies there now."""
        if self._ledger is None:
            return False
        if spot.role == "inbox":
            return await last_job_at(self._ledger, spot.inbox.name, spot.rel) is not None
        return await job_that_put(self._ledger, spot.path) is not None

    # ------------------------------------------------------------ a file in an inbox

    async def in_inbox(self, spot: Spot) -> Said:
        """Speak of a file in an inbox."""
        if spot.link:
            sentence = f"it lies behind the link {spot.link}, and links are never followed"
            return Said("link", sentence, found=False)
        try:
            seen = os.lstat(spot.path)
        except OSError as error:
            return await self._of_missing(spot, error)
        if stat.S_ISDIR(seen.st_mode):
            return of_folder("a folder" if spot.rel else "the inbox itself")
        ref = FileRef(spot.rel, FileStamp(seen.st_ino, seen.st_size, seen.st_mtime_ns))
        for look in (self._as_clip, self._as_text):
            said = await look(spot, ref)
            if said is not None:
                return said
        return await self._of_waiting(spot, ref)

    async def _of_missing(self, spot: Spot, error: OSError) -> Said:
        job = await last_job_at(self._ledger, spot.inbox.name, spot.rel) if self._ledger is not None else None
        if job is None:
            why = "there is no such file, and no job knows it"
            gone = isinstance(error, (FileNotFoundError, NotADirectoryError))
            return Said("missing", why if gone else f"it cannot be looked at: {error.strerror or error}", found=False)
        return await self._told(job)

    async def _as_clip(self, spot: Spot, ref: FileRef) -> Said | None:
        if self._ledger is None:
            return None
        job = await job_of_file(self._ledger, spot.inbox.name, ref)
        if job is None or (job.state == "cancelled" and job.reason != CANCELLED):
            return None
        if await is_left_behind(self._ledger, job, self._config.backend.url):
            return None  # the next start takes the file for new
        said = await self._told(job)
        if job.state == "delivered" and job.work.originals == "keep":
            return replace(said, note="the original stays where it is")
        return said

    async def _told(self, job: Job) -> Said:
        results: list[str] = []
        if self._ledger is not None and job.state == "delivered":
            step = await self._ledger.step(job.job_id, "deliver")
            results = [one["target"] for one in step.data["files"]] if step is not None else []
        return of_job(job, results, running=self._in_use)

    async def _as_text(self, spot: Spot, ref: FileRef) -> Said | None:
        """Speak of an instruction that a job uses, or that came too late for one."""
        rules = NameRules(ignore=spot.inbox.ignore, recursive=spot.inbox.recursive)
        if self._ledger is None or rules.classify(spot.rel).role != "instruction":
            return None
        folder, name = split_rel(spot.rel)
        for job_id, clip in await clips_of(self._ledger, spot.inbox.name):
            clip_folder, clip_name = split_rel(clip.rel)
            keys = [key for key, _by_stem in sidecar_keys(clip_name)]
            job = await self._ledger.job(job_id) if clip_folder == folder and name_key(name) in keys else None
            if job is None or job.state == "cancelled":
                continue
            if self._is_new_clip(spot.inbox, clip):
                return None
            if job.state in OPEN_STATES and job.work.sidecar == ref:
                return replace(
                    await self._told(job),
                    state="sidecar",
                    sentence=f"it says what to do with {clip.rel}: {job_words(job, running=self._in_use)}",
                )
            if job.work.sidecar != ref and await paid_so_far(self._ledger, job) != "no":
                return late(job, clip, name)
        return None

    def _is_new_clip(self, inbox: Inbox, clip: FileRef) -> bool:
        """Tell whether another clip lies under this name now: the instruction is for that one."""
        with contextlib.suppress(OSError):
            seen = os.lstat(os.path.join(inbox.path, clip.rel))
            return (seen.st_size, seen.st_mtime_ns) != (clip.stamp.size_bytes, clip.stamp.mtime_ns)
        return False

    async def _of_waiting(self, spot: Spot, ref: FileRef) -> Said:
        inside = _target_over(spot)
        if inside:
            return Said("ignored", f"it is ignored: it lies in {inside}, and {NOT_ENTERED}")
        if self._in_use:
            said = await self._ask_daemon(spot)
            if said is not None:
                return said
        why_not = (
            "the daemon did not answer" if self._in_use else "the daemon is not running, so nothing watches it now"
        )
        return await self._judge_offline(spot, ref, why_not)

    async def _ask_daemon(self, spot: Spot) -> Said | None:
        ledger = Ledger(os.path.join(self._config.state.path, LEDGER_NAME), create=False)
        try:
            answer = await ask(ledger, "why", {"inbox": spot.inbox.name, "rel": spot.rel})
        finally:
            await ledger.close()
        if answer is None:
            return None
        state = str(answer["state"])
        note = "" if state == "watching" else f'its inbox "{spot.inbox.name}" is {state or "not known to the daemon"}'
        if not answer["sentence"]:
            return Said("unseen", "the daemon has not seen it yet", note=note or "the next rescan finds it")
        now = datetime.now(UTC)
        next_s = answer["next_s"]
        if answer["phase"] == "taken" and self._ledger is not None:
            job = await last_job_at(self._ledger, spot.inbox.name, spot.rel)
            if job is not None and job.state != "cancelled":
                return await self._told(job)
        return Said(
            answer["phase"],
            answer["sentence"],
            since_at=None if answer["phase"] in ("ignored", "taken") else now - timedelta(seconds=answer["age_s"]),
            next_at=None if next_s is None else now + timedelta(seconds=max(0.0, next_s)),
            note=note,
            tells_when=True,
        )

    async def _judge_offline(self, spot: Spot, ref: FileRef, why_not: str) -> Said:
        oracle = Oracle(self._config, spot.inbox, self._ledger, running=self._in_use, about=spot.rel)
        try:
            await oracle.listen()
            fate = await oracle.fate(ref)
        except OSError as error:
            sentence = f'its inbox "{spot.inbox.name}" cannot be listed: {error.strerror or error}'
            return Said("paused", sentence, found=False, note=why_not)
        finally:
            oracle.close()
        return Said(
            fate.phase,
            would(fate),
            since_at=fate.unchanged_at if fate.upcoming else None,
            code=fate.code,
            action=fate.mend,
            note=why_not,
            tells_when=True,
        )

    # ------------------------------------------------------------ a file in outbox, rejects or archive

    async def in_target(self, spot: Spot) -> Said:
        """Speak of a file that a job put there."""
        put = await job_that_put(self._ledger, spot.path) if self._ledger is not None else None
        if put is not None:
            said = await self._told(put[0])
            names = reports.printable(put[0].clip.rel)
            return replace(said, note=f'it came from {names} of the inbox "{put[0].inbox}"')
        if not os.path.lexists(spot.path):
            return Said("missing", "there is no such file, and no job put one there", found=False)
        reported = read_report(spot.path) if spot.role == "rejects" else None
        if reported is not None:
            return reported
        return Said(
            "unknown", f"it lies in the {spot.role} folder, but no job that the ledger knows put it there", found=False
        )


def _target_over(spot: Spot) -> str:
    """Name the folder inside of the inbox that holds a file and is never entered, whatever the daemon saw so far."""
    rules = NameRules(ignore=spot.inbox.ignore, recursive=spot.inbox.recursive)
    if rules.classify(spot.rel).role == "ignored":
        return ""  # by its name, which is the nearer reason
    with contextlib.suppress(OSError):
        return target_over(spot.inbox.path, spot.rel)
    return ""
