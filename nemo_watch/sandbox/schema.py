"""The tables of the sandbox's records: one group of statements for each version of them. Pure."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE users (user_id TEXT PRIMARY KEY, client_id TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL)",
        """CREATE TABLE tokens (
            token_sha256 TEXT PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users,
            issued_ms INTEGER NOT NULL,
            expires_ms INTEGER NOT NULL
        )""",
        """CREATE TABLE sessions (
            session_id TEXT PRIMARY KEY,
            task_id TEXT NOT NULL,
            user_id TEXT NOT NULL REFERENCES users,
            task_name TEXT NOT NULL,
            language TEXT NOT NULL,
            draft TEXT NOT NULL,
            created_ms INTEGER NOT NULL
        )""",
        """CREATE TABLE uploads (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            asset_id TEXT NOT NULL UNIQUE,
            session_id TEXT NOT NULL REFERENCES sessions,
            filename TEXT NOT NULL,
            kind TEXT NOT NULL,
            mime TEXT NOT NULL,
            path TEXT NOT NULL,
            url TEXT NOT NULL,
            secret TEXT NOT NULL UNIQUE,
            sha256 TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            duration_ms INTEGER NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            fps REAL NOT NULL,
            has_audio INTEGER NOT NULL,
            hdr INTEGER NOT NULL,
            created_ms INTEGER NOT NULL
        )""",
        "CREATE INDEX uploads_of_session ON uploads (session_id)",
        """CREATE TABLE turns (
            turn_id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES sessions,
            user_id TEXT NOT NULL REFERENCES users,
            message TEXT NOT NULL,
            state TEXT NOT NULL,
            invocation_id TEXT NOT NULL,
            frozen INTEGER NOT NULL,
            draft_before TEXT NOT NULL,
            draft_after TEXT,
            reply TEXT NOT NULL DEFAULT '',
            error TEXT NOT NULL DEFAULT '',
            runs INTEGER NOT NULL DEFAULT 0,
            accepted_ms INTEGER NOT NULL,
            ended_ms INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE UNIQUE INDEX one_turn_at_a_time ON turns (session_id) WHERE state = 'running'",
        "CREATE INDEX turns_of_user ON turns (user_id) WHERE state = 'running'",
        """CREATE TABLE ledger (
            entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id TEXT NOT NULL REFERENCES users,
            kind TEXT NOT NULL,
            amount INTEGER NOT NULL,
            session_id TEXT NOT NULL,
            turn_id INTEGER NOT NULL,
            at_ms INTEGER NOT NULL
        )""",
        "CREATE UNIQUE INDEX one_charge_a_session ON ledger (session_id) WHERE kind = 'charge'",
        "CREATE INDEX ledger_of_user ON ledger (user_id)",
        """CREATE TABLE renders (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            user_id TEXT NOT NULL REFERENCES users,
            render_id TEXT NOT NULL,
            session_id TEXT NOT NULL REFERENCES sessions,
            draft TEXT NOT NULL,
            output TEXT NOT NULL,
            state TEXT NOT NULL,
            error TEXT NOT NULL DEFAULT '',
            secret TEXT NOT NULL UNIQUE,
            path TEXT NOT NULL DEFAULT '',
            duration_ms INTEGER NOT NULL DEFAULT 0,
            size_bytes INTEGER NOT NULL DEFAULT 0,
            runs INTEGER NOT NULL DEFAULT 0,
            created_ms INTEGER NOT NULL,
            ended_ms INTEGER NOT NULL DEFAULT 0,
            UNIQUE (user_id, render_id)
        )""",
        "CREATE INDEX pending_renders ON renders (seq) WHERE state = 'pending'",
        """CREATE TABLE requests (
            request_id INTEGER PRIMARY KEY AUTOINCREMENT,
            port TEXT NOT NULL,
            method TEXT NOT NULL,
            path TEXT NOT NULL,
            headers TEXT NOT NULL,
            status INTEGER NOT NULL DEFAULT 0,
            summary TEXT NOT NULL DEFAULT '{}',
            at_ms INTEGER NOT NULL
        )""",
    ),
    ("ALTER TABLE tokens ADD COLUMN used INTEGER NOT NULL DEFAULT 1",),
    ("ALTER TABLE sessions ADD COLUMN generated TEXT NOT NULL DEFAULT '[]'",),
)
