"""The sandbox's memory: accounts, sessions, uploads, turns, renders and credits, committed before anything is answered.

Touches: the store folder (`sandbox.db` in WAL with synchronous FULL, `sessions/`, `renders/`, `cache/`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path

from nemo_watch.errors import OperatorError
from nemo_watch.sandbox.records import (
    DATABASE,
    UPLOAD_COLUMNS,
    Json,
    Reads,
    Render,
    SessionRow,
    TurnRow,
    Upload,
    render_row,
    transaction,
    turn_row,
)
from nemo_watch.sandbox.schema import MIGRATIONS

KEPT_REQUESTS = 200_000
_TOKEN_PREFIX = "nmv_usr_"  # noqa: S105 - the prefix every token has, not a token


class BusyError(Exception):
    """A turn is running in that session."""


class NoCreditsError(Exception):
    """The account cannot pay for the turn, which costs `price`."""

    def __init__(self, price: int) -> None:
        super().__init__(price)
        self.price = price


class DuplicateError(Exception):
    """The account has used that render id before."""


class Store(Reads):
    """The durable state. One thread at a time; every method commits before it returns.

    Raises: OperatorError if the folder cannot be used or another sandbox uses it.
    Effects: makes the folder, sweeps what an interrupted process left half written.
    """

    def __init__(self, store_dir: str | os.PathLike[str], *, now: Callable[[], float]) -> None:
        self.root = Path(store_dir).absolute()
        self._now = now
        self._closing = contextlib.ExitStack()
        try:
            for name in ("", "sessions", "renders", "cache"):
                (self.root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            super().__init__(self._connect("FULL"))
            # The request log is evidence, not money: surviving a kill is enough, it need not survive a power cut.
            self._log = self._connect("NORMAL")
            self._migrate()
            self._sweep()
        except (OSError, sqlite3.Error) as error:
            self._closing.close()
            raise OperatorError(
                f"The sandbox cannot use its folder {self.root}: {error}.",
                code="sandbox_store",
                hint="Check that the folder exists, may be written and lies on a local disk with space left.",
            ) from error

    def close(self) -> None:
        """Close the database and let another sandbox have the folder."""
        self._closing.close()

    def _take_lock(self) -> None:
        lock = self._closing.enter_context((self.root / "lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._closing.close()
            raise OperatorError(
                f"Another sandbox is using the folder {self.root}.",
                code="sandbox_store",
                hint="Stop the other one, or give this one a folder of its own.",
            ) from error

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        db = sqlite3.connect(self.root / DATABASE, isolation_level=None, check_same_thread=False, timeout=30)
        self._closing.callback(db.close)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {synchronous}")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _migrate(self) -> None:
        (version,) = self._rows("PRAGMA user_version")[0]
        if version > len(MIGRATIONS):
            self._closing.close()
            raise OperatorError(
                f"The sandbox's records in {self.root} were written by a newer version.",
                code="sandbox_store",
                hint="Use that version again, or give the sandbox a new folder.",
            )
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            with transaction(self._db) as db:
                for statement in statements:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number:d}")

    def _sweep(self) -> None:
        known = {row["path"] for row in self._rows("SELECT path FROM uploads")}
        for file in self.root.glob("sessions/*/*"):
            # A part, or whole but killed before it was entered: nobody was told that it had arrived.
            if str(file.relative_to(self.root)) not in known:
                file.unlink()
        kept = {render.path.split("/")[1] for render in self.renders() if render.path}
        for folder in self.root.glob("renders/*"):
            if folder.name not in kept and not folder.name.startswith("."):
                shutil.rmtree(folder)
        self._log.execute(
            "DELETE FROM requests WHERE request_id <= (SELECT max(request_id) FROM requests) - ?", (KEPT_REQUESTS,)
        )

    def _now_ms(self) -> int:
        return int(self._now() * 1000)

    # ------------------------------------------------------------ settings that outlive a process

    def note(self, key: str, value: str) -> None:
        """Keep a small text."""
        with transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    def noted(self, key: str) -> str:
        """Read a kept text, "" if there is none."""
        rows = self._rows("SELECT value FROM notes WHERE key = ?", key)
        return str(rows[0]["value"]) if rows else ""

    # ------------------------------------------------------------ accounts

    def live_until_ms(self, client_id: str, *, used_only: bool = False) -> int:
        """Tell until when a client's newest token lives, 0 if it has none that does (or none that was ever used)."""
        sql = "SELECT max(expires_ms) FROM tokens JOIN users USING (user_id) WHERE client_id = ? AND expires_ms > ?"
        return int(self._rows(sql + " AND used" * used_only, client_id, self._now_ms())[0][0] or 0)

    def issue_token(self, client_id: str, *, grant: int, ttl_s: float) -> tuple[str, str, int]:
        """Make a token for a client: the token, the account and when it expires (ms). A known client keeps its account.

        A token that was never used makes way for the new one, with its grant.
        Effects: grants credits. Only a digest of the token is kept.
        Repeat: once; check `live_until_ms` before.
        """
        token = _TOKEN_PREFIX + secrets.token_urlsafe(32)
        now_ms = self._now_ms()
        expires_ms = now_ms + int(ttl_s * 1000)
        with transaction(self._db) as db:
            known = self._rows("SELECT user_id FROM users WHERE client_id = ?", client_id)
            user_id = str(known[0]["user_id"]) if known else f"anon_{secrets.token_hex(8)}"
            if not known:
                db.execute("INSERT INTO users VALUES (?, ?, ?)", (user_id, client_id, now_ms))
            unused = db.execute("DELETE FROM tokens WHERE user_id = ? AND NOT used", (user_id,)).rowcount
            row = (_digest(token), user_id, now_ms, expires_ms)
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, 0)", row)
            if not unused:
                self._enter(user_id, "grant", grant)
        return token, user_id, expires_ms

    def user_of(self, token: str) -> str:
        """Tell whose a token is, "" if it is unknown or expired."""
        sql = "SELECT user_id, used FROM tokens WHERE token_sha256 = ? AND expires_ms > ?"
        rows = self._rows(sql, _digest(token), self._now_ms())
        if rows and not rows[0]["used"]:
            with transaction(self._db) as db:
                db.execute("UPDATE tokens SET used = 1 WHERE token_sha256 = ?", (_digest(token),))
        return str(rows[0]["user_id"]) if rows else ""

    # ------------------------------------------------------------ sessions and files

    def open_session(self, user_id: str, task_name: str, language: str) -> SessionRow:
        """Begin an editing session. Its id has 19 digits: more than a JSON number holds elsewhere."""
        session_id = str(10**18 + secrets.randbelow(9 * 10**18))
        task_id = f"task_{secrets.token_hex(8)}"
        with transaction(self._db) as db:
            row = (session_id, task_id, user_id, task_name, language, "{}", self._now_ms())
            columns = "session_id, task_id, user_id, task_name, language, draft, created_ms"
            db.execute(f"INSERT INTO sessions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - fixed names
        return SessionRow(session_id, task_id, user_id, task_name, language, {})

    def add_uploads(self, uploads: Sequence[tuple[Upload, str]]) -> None:
        """Enter files that lie in their final place, each with the secret part of its address: all or none."""
        columns = (*UPLOAD_COLUMNS, "secret", "created_ms")
        sql = f"INSERT INTO uploads ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - fixed names
        with transaction(self._db) as db:
            for upload, secret in uploads:
                db.execute(sql, (*astuple(upload), secret, self._now_ms()))

    def served(self, secret: str) -> tuple[Path, str] | None:
        """Find the file behind a secret address: where it lies and its type."""
        for row in self._rows("SELECT path, mime FROM uploads WHERE secret = ?", secret):
            return self.root / row["path"], row["mime"]
        for row in self._rows("SELECT path FROM renders WHERE secret = ? AND state = 'completed'", secret):
            return self.root / row["path"], "video/quicktime" if row["path"].endswith(".mov") else "video/mp4"
        return None

    # ------------------------------------------------------------ turns

    def accept_turn(self, session_id: str, message: str, *, price: int) -> TurnRow:
        """Take a message: the draft before it is kept and its price frozen, if the session has not paid yet.

        Raises: BusyError, NoCreditsError.
        Repeat: once; every call is another turn.
        """
        with transaction(self._db) as db:
            if self._rows("SELECT 1 FROM turns WHERE session_id = ? AND state = 'running'", session_id):
                raise BusyError
            (session,) = self._rows("SELECT user_id, draft FROM sessions WHERE session_id = ?", session_id)
            paid = self._rows("SELECT 1 FROM ledger WHERE session_id = ? AND kind = 'charge'", session_id)
            frozen = 0 if paid else price
            if self.account(session["user_id"]).available < frozen:
                raise NoCreditsError(frozen)
            sql = """INSERT INTO turns
                     (session_id, user_id, message, state, invocation_id, frozen, draft_before, accepted_ms)
                     VALUES (?, ?, ?, 'running', ?, ?, ?, ?)"""
            user_id, draft = session["user_id"], session["draft"]
            row = (session_id, user_id, message, f"e-{uuid.uuid4()}", frozen, draft, self._now_ms())
            turn_id = db.execute(sql, row).lastrowid
            return turn_row(self._rows("SELECT * FROM turns WHERE turn_id = ?", turn_id)[0])

    def begin_turn(self, turn_id: int) -> None:
        """Note that work on a turn begins, once more after a restart."""
        with transaction(self._db) as db:
            db.execute("UPDATE turns SET runs = runs + 1 WHERE turn_id = ?", (turn_id,))

    def changes(self, session_id: str) -> list[tuple[str, Json, Json]]:
        """List the messages that changed a session's draft, in order: each with the draft before and after it."""
        sql = """SELECT message, draft_before, draft_after FROM turns
                 WHERE session_id = ? AND state = 'done' AND draft_after <> draft_before ORDER BY turn_id"""
        rows = self._rows(sql, session_id)
        return [(row["message"], json.loads(row["draft_before"]), json.loads(row["draft_after"])) for row in rows]

    def stage_draft(self, turn: TurnRow, draft: Json, generated: Json | None = None) -> None:
        """Let a session show a draft while its turn still runs; the turn's end replaces it.

        What was `generated` for it stays in the session, under its id. Repeat: safe.
        """
        with transaction(self._db) as db:
            db.execute("UPDATE sessions SET draft = ? WHERE session_id = ?", (_json(draft), turn.session_id))
            if generated is not None:
                (row,) = self._rows("SELECT generated FROM sessions WHERE session_id = ?", turn.session_id)
                others = [media for media in json.loads(row["generated"]) if media["id"] != generated["id"]]
                kept = json.dumps([*others, generated], separators=(",", ":"))
                db.execute("UPDATE sessions SET generated = ? WHERE session_id = ?", (kept, turn.session_id))

    def finish_turn(self, turn: TurnRow, draft: Json, reply: str) -> bool:
        """Keep what a turn made and settle its price; True if the draft changed.

        Effects: the session is charged the first time a turn changes its draft, never again.
        Repeat: safe; a turn that is not running is left alone.
        """
        changed = draft != turn.draft_before
        with transaction(self._db) as db:
            sql = """UPDATE turns SET state = 'done', draft_after = ?, reply = ?, ended_ms = ?
                     WHERE turn_id = ? AND state = 'running'"""
            after = _json(draft)
            if not db.execute(sql, (after, reply, self._now_ms(), turn.turn_id)).rowcount:
                return changed
            db.execute("UPDATE sessions SET draft = ? WHERE session_id = ?", (after, turn.session_id))
            if changed and turn.frozen:
                self._enter(turn.user_id, "charge", turn.frozen, turn.session_id, turn.turn_id)
        return changed

    def _enter(self, user_id: str, kind: str, amount: int, session_id: str = "", turn_id: int = 0) -> None:
        row = (user_id, kind, amount, session_id, turn_id, self._now_ms())
        columns = "user_id, kind, amount, session_id, turn_id, at_ms"
        self._db.execute(f"INSERT INTO ledger ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - fixed names

    def fail_turn(self, turn_id: int, error: str) -> None:
        """End a turn that could not be done; nothing is charged."""
        with transaction(self._db) as db:
            sql = "UPDATE turns SET state = 'failed', error = ?, ended_ms = ? WHERE turn_id = ? AND state = 'running'"
            db.execute(sql, (error, self._now_ms(), turn_id))

    def running_turns(self) -> tuple[TurnRow, ...]:
        """List accepted turns that have not ended."""
        return tuple(
            turn_row(row) for row in self._rows("SELECT * FROM turns WHERE state = 'running' ORDER BY turn_id")
        )

    # ------------------------------------------------------------ renders

    def accept_render(self, user_id: str, render_id: str, session_id: str, draft: Json, output: Json) -> Render:
        """Take a render with the draft as it was sent.

        Raises: DuplicateError.
        """
        sql = """INSERT INTO renders (user_id, render_id, session_id, draft, output, state, secret, created_ms)
                 VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)"""
        row = (user_id, render_id, session_id, _json(draft), _json(output), secrets.token_urlsafe(24), self._now_ms())
        try:
            with transaction(self._db) as db:
                seq = db.execute(sql, row).lastrowid
                return render_row(self._rows("SELECT * FROM renders WHERE seq = ?", seq)[0])
        except sqlite3.IntegrityError as error:
            raise DuplicateError from error

    def render(self, user_id: str, render_id: str) -> Render | None:
        """Find a render of an account."""
        rows = self._rows("SELECT * FROM renders WHERE user_id = ? AND render_id = ?", user_id, render_id)
        return render_row(rows[0]) if rows else None

    def requeue_renders(self) -> None:
        """Put renders that an earlier process was working on back in the queue."""
        with transaction(self._db) as db:
            db.execute("UPDATE renders SET state = 'pending' WHERE state = 'processing'")

    def next_render(self) -> Render | None:
        """Take the oldest pending render to work on."""
        with transaction(self._db) as db:
            rows = self._rows("SELECT seq FROM renders WHERE state = 'pending' ORDER BY seq LIMIT 1")
            if not rows:
                return None
            seq = rows[0]["seq"]
            db.execute("UPDATE renders SET state = 'processing', runs = runs + 1 WHERE seq = ?", (seq,))
            return render_row(self._rows("SELECT * FROM renders WHERE seq = ?", seq)[0])

    def complete_render(self, seq: int, path: str, *, duration_ms: int, size_bytes: int) -> bool:
        """End a render well; False if it was cancelled meanwhile."""
        sql = """UPDATE renders SET state = 'completed', path = ?, duration_ms = ?, size_bytes = ?, ended_ms = ?
                 WHERE seq = ? AND state = 'processing'"""
        with transaction(self._db) as db:
            return bool(db.execute(sql, (path, duration_ms, size_bytes, self._now_ms(), seq)).rowcount)

    def fail_render(self, seq: int, error: str) -> None:
        """End a render that could not be done."""
        sql = "UPDATE renders SET state = 'failed', error = ?, ended_ms = ? WHERE seq = ? AND state = 'processing'"
        with transaction(self._db) as db:
            db.execute(sql, (error, self._now_ms(), seq))

    def cancel_render(self, seq: int) -> bool:
        """Cancel a render that has not ended; False if it has."""
        sql = (
            "UPDATE renders SET state = 'cancelled', ended_ms = ? WHERE seq = ? AND state IN ('pending', 'processing')"
        )
        with transaction(self._db) as db:
            return bool(db.execute(sql, (self._now_ms(), seq)).rowcount)

    # ------------------------------------------------------------ the request log

    def log_request(self, port: str, method: str, path: str, headers: dict[str, str]) -> int:
        """Note that a request arrived, before it is worked on."""
        sql = "INSERT INTO requests (port, method, path, headers, at_ms) VALUES (?, ?, ?, ?, ?)"
        with transaction(self._log) as db:
            return int(db.execute(sql, (port, method, path, _json(headers), self._now_ms())).lastrowid or 0)

    def log_answer(self, request_id: int, status: int, summary: Json) -> None:
        """Note how a request was answered and what its body held."""
        with transaction(self._log) as db:
            sql = "UPDATE requests SET status = ?, summary = ? WHERE request_id = ?"
            db.execute(sql, (status, _json(summary), request_id))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
