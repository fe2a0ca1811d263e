"""The sandbox's records as rows, readable from another process while it runs or after it died.

Touches: `sandbox.db` in the store folder, read-only.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Self

Json = dict[str, Any]
DATABASE = "sandbox.db"

TurnState = Literal["running", "done", "failed"]
RenderState = Literal["pending", "processing", "completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account's credits; `frozen` is reserved for running turns and not part of `available`."""

    available: int
    frozen: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An editing session with its draft as it is now; `generated` is the media that were made in it."""

    session_id: str
    task_id: str
    user_id: str
    task_name: str
    language: str
    draft: Json
    generated: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was uploaded into a session. `path` is relative to the store folder; sizes are 0 where unknown."""

    asset_id: str
    session_id: str
    filename: str
    kind: Literal["video", "image", "audio", "subtitle"]
    mime: str
    path: str
    url: str
    sha256: str
    size_bytes: int
    duration_ms: int
    width: int
    height: int
    fps: float
    has_audio: bool
    hdr: bool


UPLOAD_COLUMNS = tuple(column.name for column in fields(Upload))


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One accepted message. `runs` counts how often work on it began (more than once only after a restart)."""

    turn_id: int
    session_id: str
    user_id: str
    message: str
    state: TurnState
    invocation_id: str
    frozen: int
    draft_before: Json
    draft_after: Json | None
    reply: str
    error: str
    runs: int
    accepted_ms: int
    ended_ms: int

    @property
    def changed_draft(self) -> bool:
        """Tell whether the turn edited anything."""
        return self.draft_after is not None and self.draft_after != self.draft_before


@dataclass(frozen=True, slots=True)
class Render:
    """One accepted render with the draft as it was sent. `path` is relative to the store folder, "" until completed."""

    seq: int
    user_id: str
    render_id: str
    session_id: str
    draft: Json
    output: Json
    state: RenderState
    error: str
    secret: str
    path: str
    duration_ms: int
    size_bytes: int
    runs: int
    created_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the credits ledger: a grant or a charge (`amount` is positive in both)."""

    entry_id: int
    user_id: str
    kind: Literal["grant", "charge"]
    amount: int
    session_id: str
    turn_id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. `status` is 0 until it was answered; `headers` never hold the token."""

    request_id: int
    port: Literal["api", "cdn"]
    method: str
    path: str
    headers: dict[str, str]
    status: int
    summary: Json
    at_ms: int


class Reads:
    """Queries that the sandbox itself and its observers share."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def _rows(self, sql: str, *args: object) -> list[sqlite3.Row]:
        return self._db.execute(sql, args).fetchall()

    def turns(self, session_id: str = "") -> tuple[TurnRow, ...]:
        """List accepted messages in their order, all of them or those of one session."""
        where, args = ("WHERE session_id = ?", (session_id,)) if session_id else ("", ())
        return tuple(turn_row(row) for row in self._rows(f"SELECT * FROM turns {where} ORDER BY turn_id", *args))  # noqa: S608 - two fixed texts

    def renders(self) -> tuple[Render, ...]:
        """List accepted renders in their order."""
        return tuple(render_row(row) for row in self._rows("SELECT * FROM renders ORDER BY seq"))

    def charges(self) -> tuple[Entry, ...]:
        """List what was charged, in its order."""
        return tuple(entry for entry in self.ledger() if entry.kind == "charge")

    def ledger(self) -> tuple[Entry, ...]:
        """List grants and charges in their order."""
        return tuple(Entry(**dict(row)) for row in self._rows("SELECT * FROM ledger ORDER BY entry_id"))

    def requests(self, method: str = "", path: str = "") -> tuple[Request, ...]:
        """List requests in their order, all or those of a method and with a text in their path."""
        rows = self._rows("SELECT * FROM requests ORDER BY request_id")
        found = (
            Request(**{**dict(row), "headers": json.loads(row["headers"]), "summary": json.loads(row["summary"])})
            for row in rows
        )
        return tuple(r for r in found if method in ("", r.method) and path in r.path)

    def uploads(self, session_id: str) -> tuple[Upload, ...]:
        """List a session's files in the order they came."""
        sql = "SELECT * FROM uploads WHERE session_id = ? ORDER BY seq"
        return tuple(upload_row(row) for row in self._rows(sql, session_id))

    def session(self, session_id: str) -> SessionRow | None:
        """Find a session."""
        for row in self._rows("SELECT * FROM sessions WHERE session_id = ?", session_id):
            kept = {key: row[key] for key in ("session_id", "task_id", "user_id", "task_name", "language")}
            generated = tuple(json.loads(row["generated"]))
            return SessionRow(**kept, draft=json.loads(row["draft"]), generated=generated)
        return None

    def account(self, user_id: str) -> Account:
        """Add up what an account has."""
        sql = "SELECT coalesce(sum(CASE kind WHEN 'grant' THEN amount ELSE -amount END), 0) FROM ledger WHERE user_id=?"
        (total,) = self._rows(sql, user_id)[0]
        sql = "SELECT coalesce(sum(frozen), 0) FROM turns WHERE user_id = ? AND state = 'running'"
        (frozen,) = self._rows(sql, user_id)[0]
        return Account(available=total - frozen, frozen=frozen)


class Records(Reads):
    """The records of a sandbox, opened for looking only. A context manager."""

    def __init__(self, store_dir: str | os.PathLike[str]) -> None:
        path = Path(store_dir, DATABASE).resolve()
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10)
        db.row_factory = sqlite3.Row
        super().__init__(db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what the block did, all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def turn_row(row: sqlite3.Row) -> TurnRow:
    """Read a turn."""
    after = row["draft_after"]
    drafts = {
        "draft_before": json.loads(row["draft_before"]),
        "draft_after": None if after is None else json.loads(after),
    }
    return TurnRow(**{**dict(row), **drafts})


def render_row(row: sqlite3.Row) -> Render:
    """Read a render."""
    return Render(**{**dict(row), "draft": json.loads(row["draft"]), "output": json.loads(row["output"])})


def upload_row(row: sqlite3.Row) -> Upload:
    """Read an upload."""
    kept = {key: row[key] for key in UPLOAD_COLUMNS}
    return Upload(**{**kept, "has_audio": bool(row["has_audio"]), "hdr": bool(row["hdr"])})
