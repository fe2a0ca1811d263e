"""What `--json` prints, command by command: the models that its tests hold it to, and `schema` prints.

Pure but for the pydantic library. Moments are ISO 8601 with their offset from UTC, sizes bytes, durations seconds.
"""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from nemo_watch.errors import OperatorError


class Table(BaseModel):
    """No key that is not written here is ever printed."""

    model_config = ConfigDict(extra="forbid")


Kind = Literal["edit", "refine", "generate", "url", "batch", "ask"]
JobState = Literal["running", "ready", "waiting", "held", "delivered", "rejected", "cancelled"]


class ErrorTable(Table):
    """What any command prints in place of its answer if it cannot give it; the exit code is not 0 then."""

    error: str
    code: str
    hint: str = Field(description="What to do about it, empty if that is plain.")
    problems: list[str] = Field(description="Each finding by itself, where there are several.")


# ---------------------------------------------------------------- status


class Hold(Table):
    """Why paid work as a whole, or that of one inbox, stands still."""

    reason: str
    inbox: str | None = Field(default=None, description="The one inbox that is held; missing if all are.")
    why: str
    link: str
    since: str
    next_look: str | None


class Waiting(Table):
    """A file that is not a job yet."""

    file: str
    reason: str
    why: str
    unchanged_since: str | None
    next: str | None


class InboxState(Table):
    """An inbox as the daemon last told of it; `waiting` holds the first of `waiting_count` files."""

    name: str
    state: str
    mode: str
    path: str
    waiting: list[Waiting]
    waiting_count: int
    not_entered: list[str]


class JobRow(Table):
    """A job. `work`, `doing` and `next` are words for people, the rest is for programs."""

    job: str
    file: str
    inbox: str
    kind: Kind
    work: str
    state: JobState
    step: str
    progress: float | None = Field(description="Percent of the step, null if that cannot be told.")
    done: int | None = Field(description="Bytes uploaded or fetched.")
    total: int | None
    rate: float | None = Field(description="Bytes a second, null if that cannot be told.")
    left_s: int | None = Field(description="Seconds until the step ends, null if that cannot be told.")
    since: str
    reason: str
    why: str
    doing: str
    next: str
    next_try: str | None
    updated: str
    code: str | None = Field(description="Why it was rejected.")
    action: str | None = Field(description="What to do about that.")


class EndedRow(JobRow):
    """A job that has ended."""

    results: list[str]


class StatusTable(Table):
    """`status --json`."""

    running: bool
    pid: int | None
    backend: str
    counts: dict[str, int]
    holds: list[Hold]
    inboxes: list[InboxState]
    jobs: list[JobRow]
    ended: list[EndedRow]


# ---------------------------------------------------------------- show


class StepRow(Table):
    """A step of a job."""

    step: str
    state: Literal["intent", "done"]
    started: str | None
    ended: str | None
    seconds: float | None


class Track(Table):
    """A track of the timeline: `pieces` are its beginnings and ends in seconds, `volumes` percents."""

    label: str
    name: str
    pieces: list[tuple[float, float]]
    count: int
    volumes: tuple[int, int] | None = Field(description="Of the quietest and the loudest piece.")


class ExportRow(Table):
    """One file that is made of the edit."""

    format: str
    quality: str
    resolution: str
    fps: int
    render: str
    file: str
    duration: float | None
    size: int | None
    sha256: str


class FileRow(Table):
    """A file of a job; `there` is null if its folder does not answer."""

    what: Literal["original", "beside it", "result", "report"]
    path: str
    there: bool | None


class FailureTable(Table):
    """Why a job was rejected."""

    code: str
    name: str
    message: str
    action: str
    paid: Literal["no", "yes", "unknown"]
    step: str
    link: str


class CreditsOfJob(Table):
    """The account's credits around a job."""

    before: float | None
    after: float | None
    spent: float | None = Field(description="null if that cannot be told apart from other jobs.")


class OtherJob(Table):
    """A job in the same session."""

    job: str
    file: str
    work: str
    state: str


class ShowTable(Table):
    """`show --json`."""

    job: str
    file: str
    file_bytes: str | None = Field(default=None, description="Percent-encoded; only for a name that is not UTF-8.")
    inbox: str
    kind: Kind
    work: str
    parent: str
    url: str
    state: JobState
    says: str
    reason: str
    why: str
    entered: str
    changed: str
    next_try: str | None
    attempts: int
    priority: int
    backend: str
    reused_from: str
    instruction: str
    messages: list[str]
    skill: str
    language: str
    session: str
    steps: list[StepRow]
    reply: str
    answer: str
    timeline: str
    length: float | None
    tracks: list[Track]
    credits: CreditsOfJob
    exports: list[ExportRow]
    notes: list[str]
    failure: FailureTable | None
    paid: Literal["no", "yes", "unknown"]
    files: list[FileRow]
    session_shared_with: list[OtherJob]
    link: str | None = Field(default=None, description="Only with --link: a credential.")


# ---------------------------------------------------------------- why, plan, check


class WhyTable(Table):
    """`why --json`."""

    file: str
    file_bytes: str | None = None
    folder: Literal["", "inbox", "outbox", "rejects", "archive"]
    inbox: str
    found: bool
    state: str
    why: str
    note: str
    since: str | None
    next: str | None
    job: str
    code: str
    action: str


class LeftOut(Table):
    """A part of an instruction that is not sent, and why."""

    text: str
    why: str


class FateRow(Table):
    """What would happen to one file."""

    file: str
    file_bytes: str | None = None
    action: Literal["edit", "known", "wait", "reject", "serve", "ignored"]
    why: str
    phase: str
    credits: int
    job: str
    code: str
    mend: str
    sidecar: str
    kind: Kind | None = Field(description="null where its instruction was not read.")
    url: str = Field(description="What is fetched, without user info and query.")
    messages: list[str] = Field(description="What is sent to the editor, word for word.")
    answers: list[Literal["credits", "status", "tracks"]] = Field(description="What a question is about.")
    left_out: list[LeftOut] = Field(description="What of the instruction is not sent.")
    exports: list[str]
    language: str
    assets: list[str]
    notes: list[str]
    not_before: str | None
    unchanged_since: str | None
    upcoming: str
    line: int
    column: int


class InboxPlanTable(Table):
    """The files of one inbox."""

    name: str
    path: str
    problem: str
    note: str
    unread: list[str]
    not_entered: list[str]
    files: list[FateRow]


class PlanTable(Table):
    """`plan --json`."""

    backend: str
    inboxes: list[InboxPlanTable]
    summary: dict[str, int]


class FindingRow(Table):
    """One thing that was looked at."""

    what: str
    level: Literal["good", "note", "bad"]
    found: str
    mend: str


class CheckTable(RootModel[list[FindingRow]]):
    """`check --json`."""


# ---------------------------------------------------------------- levers, credits


class PulledTable(Table):
    """`retry --json` and `cancel --json`; `messages` are sent to the editor (again)."""

    job_id: str
    sentence: str
    changed: bool
    messages: int


class PauseTable(Table):
    """`pause --json`; `changed` is false if it was paused already."""

    paused: bool
    changed: bool


class ResumeTable(Table):
    """`resume --json`: inboxes that go on, with how many jobs; holds that ended, and those that are still there."""

    resumed: dict[str, int]
    ended: list[str]
    held: list[str]


class BudgetTable(Table):
    """The day's budget; `limit` is null if there is none."""

    limit: float | None
    used_today: float | None


class CreditsTable(Table):
    """`credits --json`."""

    available: float
    frozen: float
    total: float
    source: Literal["anonymous", "environment", "file", "systemd"]
    link: str
    backend: str
    budget: BudgetTable


class InboxLanguage(Table):
    """An inbox that uses a skill, and the language that its sessions are opened with ("" none)."""

    name: str
    sent_language: str


class SkillRow(Table):
    """One attribution profile, and what goes out for it."""

    name: str
    installed: bool
    path: str
    sent_source: str
    sent_version: str
    sent_platform: str
    session_language: str
    example: str
    inboxes: list[InboxLanguage]


class InboxSkill(Table):
    """What an inbox names."""

    name: str
    skill: str
    language: str


class SkillsTable(Table):
    """`skills --json`."""

    skills: list[SkillRow]
    inboxes: list[InboxSkill]
    problems: list[str]


TABLES: dict[str, type[BaseModel]] = {
    "status": StatusTable,
    "show": ShowTable,
    "why": WhyTable,
    "plan": PlanTable,
    "check": CheckTable,
    "credits": CreditsTable,
    "skills": SkillsTable,
    "pause": PauseTable,
    "resume": ResumeTable,
    "retry": PulledTable,
    "cancel": PulledTable,
    "error": ErrorTable,
}
"""By the command's name; "error" is what any of them prints if it fails."""


def print_schema(command: str) -> int:
    """Print the JSON Schema of what a command's --json prints. Raises: OperatorError if it has none."""
    if command not in TABLES:
        raise OperatorError(
            f'There is no JSON of "{command}".', code="usage", hint=f"There is of {', '.join(sorted(TABLES))}."
        )
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | TABLES[command].model_json_schema()
    print(json.dumps(schema, indent=2))
    return 0
