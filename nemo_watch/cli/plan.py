"""`plan`: what would happen to each file, what would be sent and what it would cost; nothing is written or sent.

Touches: the inboxes and the ledger, reading only; the terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from nemo_watch import routing, urls
from nemo_watch.cli import EXIT_FOUND, EXIT_GOOD
from nemo_watch.cli.fates import Action, Fate, Oracle
from nemo_watch.cli.jobwords import clock
from nemo_watch.cli.pictures import plain, safe
from nemo_watch.cli.places import hung_folders, lexical, load_config, locate, named_inboxes
from nemo_watch.config import SESSION_CREDITS, Config, Inbox
from nemo_watch.errors import FolderError
from nemo_watch.intake.names import is_within
from nemo_watch.ledger import Ledger
from nemo_watch.ledger.finding import reading, unpaid_clips
from nemo_watch.model import Export, FileRef
from nemo_watch.pipeline.first_run import MOST_DROPS, recall, resume_command
from nemo_watch.reports import source_table
from nemo_watch.statefolder import LEDGER_NAME, is_running
from nemo_watch.watcher.disk import stamp_of
from nemo_watch.watcher.guard import NOT_ENTERED

LEAST_TABLE = 90
"""On a terminal of fewer columns a table is a heap of letters."""
WORDS: dict[Action, str] = {
    "edit": "edit",
    "known": "known",
    "wait": "wait",
    "reject": "reject",
    "serve": "serves",
    "ignored": "ignored",
}


@dataclass(slots=True)
class InboxPlan:
    """The fates of one inbox; `problem` if it cannot be listed, `note` what else would happen to it."""

    inbox: Inbox
    fates: list[Fate] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    not_entered: list[str] = field(default_factory=list)
    problem: str = ""
    note: str = ""


def run_plan(config_path: str | None, what: str | None, *, as_json: bool) -> int:
    """Print the plan of all inboxes, of one by its name, or of what lies at a path."""
    config = load_config(config_path)
    plans = asyncio.run(make_plan(config, what))
    if as_json:
        print(json.dumps(as_table(config, plans), indent=2))
    else:
        _print(config, plans)
    return EXIT_FOUND if any(plan.problem for plan in plans) else EXIT_GOOD


async def make_plan(config: Config, what: str | None) -> list[InboxPlan]:
    """Find the fate of every file of the inboxes that are meant. Raises: FolderError, LedgerError. Repeat: safe."""
    inboxes, under = _wanted(config, what)
    in_use = is_running(config.state.path)
    async with reading(os.path.join(config.state.path, LEDGER_NAME), in_use=in_use) as ledger:
        hung = await hung_folders(config, ledger if in_use else None)
        plans = []
        for inbox in inboxes:
            if inbox.path in hung:
                plans.append(InboxPlan(inbox, problem=hung[inbox.path]))
            else:
                plans.append(await _plan_inbox(config, inbox, under, ledger, running=in_use))
        return plans


def _wanted(config: Config, what: str | None) -> tuple[Sequence[Inbox], str]:
    """Find which inboxes are meant, and below which of their files and folders. Raises: FolderError."""
    if what is None:
        return config.inboxes, ""
    named = [inbox for inbox in config.inboxes if inbox.name == what]
    if named:
        return named, ""
    spot = lexical(config, what) or locate(config, what)  # by its words alone: its folder may hang
    if spot is not None and spot.role == "inbox":
        return [spot.inbox], spot.rel
    raise FolderError(
        f'"{what}" is neither the name of an inbox nor a file or folder in one.',
        code="inbox_unknown",
        hint=f"The inboxes are {named_inboxes(config)}.",
    )


async def _plan_inbox(config: Config, inbox: Inbox, under: str, ledger: Ledger | None, *, running: bool) -> InboxPlan:
    plan = InboxPlan(inbox)
    decided = await recall(ledger, inbox.name, inbox.path, config.backend.url) if ledger is not None else None
    counts = decided is None and config.backend.url != "sandbox"
    # For the count of a first start the whole inbox must be looked at.
    oracle = Oracle(config, inbox, ledger, running=running, about="" if counts else under)
    try:
        await oracle.listen()
        found = [ref for ref in oracle.seen.files if is_within(ref.rel, under)]
        for ref in found or await asyncio.to_thread(_unlisted, inbox.path, under):
            plan.fates.append(await oracle.fate(ref))
    except FileNotFoundError as error:
        plan.problem = f"{error.filename} is not there"
        return plan
    except OSError as error:
        plan.problem = f"{inbox.path} cannot be listed: {error.strerror or error}"
        return plan
    finally:
        oracle.close()
    plan.unread, plan.not_entered = oracle.seen.unread, oracle.seen.targets
    if counts:
        unpaid = await unpaid_clips(ledger, inbox.name) if ledger is not None else frozenset()
        plan.note = _first_run_note(inbox, len(oracle.seen.expected | unpaid))
    elif decided is not None and decided.state == "held" and config.backend.url != "sandbox":
        plan.note = decided.sentence(inbox.name)
    return plan


def _first_run_note(inbox: Inbox, count: int) -> str:
    if count <= MOST_DROPS:
        return ""
    return (
        f'The first start on the inbox "{inbox.name}" with more than {MOST_DROPS} drops ({count} lie there) holds '
        f"them all, and nothing is sent until {resume_command(inbox.name)}."
    )


def _unlisted(root: str, rel: str) -> list[FileRef]:
    """Look at a file that a listing leaves out, as its name says that it does not count. Raises: OSError."""
    seen = os.lstat(os.path.join(root, rel))
    return [] if stat.S_ISDIR(seen.st_mode) else [FileRef(rel, stamp_of(seen))]


# ---------------------------------------------------------------- what is shown


def summary(plans: Sequence[InboxPlan]) -> dict[str, int]:
    """Count the fates by what would happen, and add up what it would cost."""
    counts = Counter(fate.action for plan in plans for fate in plan.fates)
    cost = sum(fate.credits for plan in plans for fate in plan.fates)
    return {**{action: counts[action] for action in WORDS}, "credits": cost}


def as_table(config: Config, plans: Sequence[InboxPlan]) -> dict[str, Any]:
    """Say it for programs."""
    return {
        "backend": config.backend.url,
        "inboxes": [
            {
                "name": plan.inbox.name,
                "path": plan.inbox.path,
                "problem": plan.problem,
                "note": plan.note,
                "unread": [str(source_table(rel)["source"]) for rel in plan.unread],
                "not_entered": [str(source_table(rel)["source"]) for rel in plan.not_entered],
                "files": [_row(fate) for fate in plan.fates],
            }
            for plan in plans
        ],
        "summary": summary(plans),
    }


def _row(fate: Fate) -> dict[str, Any]:
    named = source_table(fate.rel)
    row: dict[str, Any] = {
        "file": named["source"],
        "action": fate.action,
        "why": fate.why.encode("utf-8", "replace").decode(),
        "phase": fate.phase,
        "credits": fate.credits,
        "job": fate.job,
        "code": fate.code,
        "mend": fate.mend,
        "sidecar": source_table(fate.sidecar)["source"],
        "kind": fate.work.kind if fate.work is not None else None,
        "url": urls.redacted(fate.work.url) if fate.work is not None and fate.work.url else "",
        "messages": list(sent(fate)),
        "answers": list(answers(fate)),
        "left_out": [{"text": text, "why": why} for text, why in fate.left_out],
        "exports": [export_words(export) for export in fate.exports],
        "language": fate.language,
        "assets": [source_table(rel)["source"] for rel in fate.assets],
        "notes": list(fate.notes),
        "not_before": fate.not_before_at.isoformat() if fate.not_before_at else None,
        "unchanged_since": fate.unchanged_at.isoformat() if fate.unchanged_at else None,
        "upcoming": fate.upcoming,
        "line": fate.line,
        "column": fate.column,
    }
    if "source_bytes" in named:
        row["file_bytes"] = named["source_bytes"]
    return row


def export_words(export: Export) -> str:
    """Say an export in a few words."""
    parts = [export.format, export.resolution or "as edited", export.quality]
    parts += [f"{export.fps} fps"] if export.fps else []
    parts += [f"as {export.name}"] if export.name else []
    return " ".join(parts)


def fate_words(fate: Fate) -> str:
    """Say what would happen to a file and why, since when it lies there unchanged, and what comes next: on one line."""
    parts = [_rule_words(fate)]
    if fate.upcoming and fate.unchanged_at is not None:
        parts.append(f"by its time stamp unchanged since {clock(fate.unchanged_at)}")
    parts += [fate.upcoming] if fate.upcoming else []
    return "; ".join(parts)


def sent(fate: Fate) -> tuple[str, ...]:
    """Give the messages as they go out: in a session of several clips each names its file."""
    if fate.work is None or fate.work.kind not in ("ask", "batch"):
        return fate.messages
    if fate.work.kind == "ask":
        return ()
    prefix = f'Work only on the file "{fate.work.upload_name or fate.rel.rpartition("/")[2]}": '
    return tuple(said if said.startswith(prefix) else f"{prefix}{said}" for said in fate.messages)


def answers(fate: Fate) -> tuple[routing.Asked, ...]:
    """Give what a question is about; () of what is no question."""
    return routing.asked(fate.work.instruction) if fate.work is not None and fate.work.kind == "ask" else ()


def _rule_words(fate: Fate) -> str:
    if fate.action == "edit":
        return "; ".join(_understood(fate))
    if fate.action == "reject":
        at = f" (line {fate.line}, column {fate.column})" if fate.line else ""
        return f"{fate.code}: {fate.why}{at} {fate.mend}".strip().removesuffix("." if fate.upcoming else "")
    return fate.why


def _understood(fate: Fate) -> list[str]:
    """Say how an instruction was understood: what is sent, what is exported, what is neither, and why."""
    if asked := answers(fate):
        return [f"{fate.why}: answers {' and '.join(asked)} without an edit", *fate.notes]
    begins = {"url": f"uploads {urls.redacted(fate.work.url)} and " if fate.work is not None else ""}
    first = begins.get(fate.work.kind, "") if fate.work is not None else ""
    messages = "; ".join(f'"{message}"' for message in sent(fate))
    parts = [f"{fate.why}: {first}sends {messages}"]
    if fate.left_out and fate.messages == (routing.PLACE_MESSAGE,):
        parts += ["that message is needed as there is nothing to export before the clip is on the timeline"]
    parts += [f'does not send "{text}": {why[:1].lower()}{why[1:].removesuffix(".")}' for text, why in fate.left_out]
    parts += [f"exports {', '.join(export_words(export) for export in fate.exports)}"]
    parts += [f"with {', '.join(fate.assets)}"] if fate.assets else []
    parts += [f"not before {clock(fate.not_before_at)}"] if fate.not_before_at else []
    return [*parts, *fate.notes]


def _print(config: Config, plans: Sequence[InboxPlan]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for plan in plans:
        console.print(f"inbox [bold]{safe(plan.inbox.name)}[/bold]: {safe(plan.inbox.path)}")
        if plan.problem:
            console.print(f"[red]{safe(plan.problem)}[/red]")
        for rel in plan.unread:
            console.print(f"[red]the folder {safe(rel)} cannot be listed[/red]")
        for rel in plan.not_entered:
            console.print(f"[yellow]the folder {safe(rel)} is left out:[/yellow] {NOT_ENTERED}")
        _draw(console, plan.fates)
        if plan.note:
            console.print(f"[yellow]held:[/yellow] {safe(plan.note)}")
    console.print(_summary_line(config, summary(plans)))


def _draw(console: Console, fates: Sequence[Fate]) -> None:
    rows = [(WORDS[f.action], f.rel, f"about {f.credits}" if f.credits else "-", fate_words(f)) for f in fates]
    if not console.is_terminal:
        for row in rows:
            print("\t".join(plain(cell) for cell in row))  # rich would make spaces of the tabs
        return
    if rows and console.width < LEAST_TABLE:
        for what, file, about, why in rows:
            cost = "" if about == "-" else f", {about} credits"
            console.print(f"[bold]{safe(file)}[/bold]: {what}{cost}", soft_wrap=False)
            console.print(Padding(safe(why), (0, 0, 0, 2)), soft_wrap=False)
    elif rows:
        table = Table("what", "file", "credits", "why, and what is sent")
        for row in rows:
            table.add_row(*(safe(cell) for cell in row))
        console.print(table, soft_wrap=False)


def _summary_line(config: Config, counts: dict[str, int]) -> str:
    money = "sandbox credits, no money" if config.backend.url == "sandbox" else "credits"
    return (
        f"{counts['edit']} would be edited (about {counts['credits']} {money}, {SESSION_CREDITS} a session), "
        f"{counts['known']} known, {counts['wait']} wait, {counts['reject']} would be rejected, "
        f"{counts['serve']} serve others, {counts['ignored']} ignored. Nothing was written or sent."
    )
