"""What the shell's Tab key offers: jobs, inboxes, steps. It never raises, never writes, and answers at once.

Touches: the config and the ledger, reading only.
"""

from __future__ import annotations

import os

import typer

MOST = 50
STEPS = ("session", "upload", "edit", "edit-2", "render", "download", "deliver")
SCHEMAS = ["status", "show", "why", "plan", "check", "credits", "skills", "pause", "resume", "retry", "cancel", "error"]

Offers = list[tuple[str, str]]


def steps(incomplete: str) -> list[str]:
    """Offer the steps that `retry --from` takes."""
    return [step for step in STEPS if step.startswith(incomplete)]


def schemas(incomplete: str) -> list[str]:
    """Offer the commands that print JSON."""
    return [name for name in SCHEMAS if name.startswith(incomplete)]


def inboxes(ctx: typer.Context, incomplete: str) -> Offers:
    """Offer the inboxes of the config."""
    try:
        config = _config(ctx)
        return [(inbox.name, inbox.path) for inbox in config.inboxes if inbox.name.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - whoever presses Tab must never see a traceback
        return []


def jobs(ctx: typer.Context, incomplete: str) -> Offers:
    """Offer the jobs that changed last, by their clips where the shell takes such names, else by their ids."""
    try:
        rows = _rows(str(_config(ctx).state.path))
        names = [os.fsdecode(rel) for _job_id, rel, _state in rows]
        offers: Offers = []
        for (job_id, _rel, state), name in zip(rows, names, strict=True):
            is_plain = names.count(name) == 1 and all(sign.isalnum() or sign in "._-/" for sign in name)
            if is_plain and name.startswith(incomplete):
                offers.append((name, state))
            elif job_id.startswith(incomplete) and (incomplete or not is_plain):
                shown = "".join(sign if sign.isprintable() else "?" for sign in name)
                offers.append((job_id, f"{shown}, {state}"))
        return offers[:MOST]
    except Exception:  # noqa: BLE001 - the same
        return []


def _config(ctx: typer.Context):  # type: ignore[no-untyped-def]  # imported only where it is needed
    from nemo_watch import config as configuration

    return configuration.load(ctx.params.get("config"), os.environ)


def _rows(state: str) -> list[tuple[str, bytes, str]]:
    """Read the last jobs by SQLite alone: the ledger's own room takes longer to import than a person waits."""
    import sqlite3
    from urllib.parse import quote

    from nemo_watch.statefolder import LEDGER_NAME, is_running

    # Beside a daemon its log is read, too; without one nothing may be made beside the file.
    query = "mode=ro" if is_running(state) else "mode=ro&immutable=1"
    uri = f"file:{quote(os.fsencode(os.path.join(state, LEDGER_NAME)))}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=0.2)
    try:
        return connection.execute(
            "SELECT job_id, rel, state FROM jobs ORDER BY updated_at DESC LIMIT ?", (10 * MOST,)
        ).fetchall()
    finally:
        connection.close()
