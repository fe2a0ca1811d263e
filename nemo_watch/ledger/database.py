"""Opening the database: the engine, its errors in our words, its schema, its identity.

Touches: the SQLite file of the ledger.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import sqlalchemy as sa
import sqlalchemy.exc
from sqlalchemy.engine import Connection, Engine

from nemo_watch import mounts
from nemo_watch.errors import LedgerError
from nemo_watch.ledger.rows import META

IN_USE = "ledger.id"
"""The file beside a ledger that says it was in use: an empty one beside it has lost what it held."""
BUSY_S = 30.0
"""How long one process waits for another's transaction before it says that the ledger is locked."""
MOUNTINFO = "/proc/self/mountinfo"
VERSIONS = "alembic_version"
"""The table that every ledger has from its first commit on."""
NEWEST = "0004"
"""The last revision in `nemo_watch/migrations/versions`."""
_KEEP_IT = (
    "Do not delete it: it remembers what was paid. Restore it from a backup, or repair a copy with "
    "`sqlite3 ledger.db .recover`."
)


Reading = Literal["live", "still"]
"""How a ledger is read without writing: beside a daemon that uses it, or while surely nobody does."""


def open_engine(path: str, reading: Reading | None = None) -> Engine:
    """Build the way to one database file: every commit durable, writers one after the other.

    With "still" SQLite makes no file beside the database, and does not look for one: what a killed daemon left in the
    write-ahead log would not be seen.
    """
    if reading is not None:
        return _reading_engine(path, reading)
    engine = sa.create_engine(sa.URL.create("sqlite+pysqlite", database=path), connect_args={"timeout": BUSY_S})

    @sa.event.listens_for(engine, "connect")
    def prepare(dbapi: Any, _record: Any) -> None:
        # SQLAlchemy opens the transactions itself (below), not the sqlite3 module.
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        (mode,) = cursor.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise LedgerError(
                f"The file system of {path} has not what a ledger needs: memory that processes share.",
                hint="Name a folder on a disk of this machine in the config ([state] path).",
            )
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # IMMEDIATE: a command and the daemon both write; a read that becomes a write later would fail as busy at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _reading_engine(path: str, reading: Reading) -> Engine:
    query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if reading == "still" else {})
    url = sa.URL.create("sqlite+pysqlite", database=f"file:{quote(os.fsencode(path))}", query=query)
    return sa.create_engine(url, connect_args={"timeout": BUSY_S})


@contextlib.contextmanager
def errors_named(path: str) -> Iterator[None]:
    """Turn the database's errors into ours. Raises: LedgerError with what to do."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        origin = error.orig
        text = str(origin)
        if isinstance(origin, sqlite3.OperationalError) and "locked" in text:
            raise LedgerError(
                f"The ledger {path} is locked by another program.",
                hint="Look with nemo-watch status whether the daemon hangs, or end what else holds the ledger open (a "
                "copy or a database tool); then try again.",
            ) from error
        if "malformed" in text or "not a database" in text:
            raise LedgerError(f"The ledger {path} is damaged: {text}.", hint=_KEEP_IT) from error
        raise LedgerError(
            f"The ledger {path} cannot be used: {text}.", hint="Check the state folder's rights and its free space."
        ) from error


def refuse_place(path: str, mountinfo: str | None = None) -> None:
    """See that a ledger may lie at this path: on a network file system its locks and its log cannot be trusted.

    Raises: LedgerError. Repeat: safe. Source: house.md 3.4, sqlite.org/wal.html (all processes on one host).
    """
    if mountinfo is None:
        try:
            with open(MOUNTINFO, encoding="utf-8", errors="surrogateescape", newline="") as file:
                mountinfo = file.read()
        except FileNotFoundError:  # no /proc in this container: SQLite itself must notice
            return
    folder = os.path.dirname(os.path.realpath(path))
    mount = mounts.mount_of(folder, mounts.parse(mountinfo))
    if mount is not None and mounts.is_network(mount.fs_type):
        raise LedgerError(
            f"The state folder {folder} lies on a network file system ({mount.fs_type}), where the ledger could lose "
            "what was paid.",
            hint="Name a folder on a disk of this machine in the config ([state] path); the inboxes may stay where "
            "they are. A ledger that lies there already: stop the daemon, move the whole folder.",
        )


def refuse_half(path: str) -> None:
    """See that a ledger is not there in part: SQLite would take the rest for a new one, and throw its log away.

    Raises: LedgerError. Repeat: safe.
    """
    if _size_bytes(path) == 0 and _size_bytes(path + "-wal") > 0:
        raise LedgerError(
            f"The ledger {path} is missing or empty, but a part of it is there ({os.path.basename(path)}-wal).",
            hint=f"Both files belong together: put the other one back. {_KEEP_IT}",
        )


def _size_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def refuse_damaged(connection: Connection, path: str) -> None:
    """Look through the whole database for damage, which would else show one day in the middle of a job.

    Raises: LedgerError. Repeat: safe. Units: about a second for each 500 MB.
    """
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise LedgerError(f"The ledger {path} is damaged: {found}.", hint=_KEEP_IT)
    connection.rollback()


def refuse_strange(connection: Connection, path: str, *, may_be_new: bool) -> None:
    """See that a database is a ledger; one without any table only where a new one may be made.

    Raises: LedgerError. Repeat: safe.
    """
    tables = sa.inspect(connection).get_table_names()
    connection.rollback()
    if tables and VERSIONS not in tables:
        raise LedgerError(
            f"The file {path} is a database, but no ledger of nemo-watch.",
            hint="Name another state folder in the config ([state] path), or put the ledger back in its place.",
        )
    if not tables and not may_be_new:
        raise emptied(path)


def emptied(path: str) -> LedgerError:
    """Describe a ledger in which nothing is any more."""
    return LedgerError(
        f"The ledger {path} is empty.",
        hint="If a daemon has just made it, try again in a moment. If it was used before, it remembered what was paid: "
        "restore it from a backup. If not, delete it and start the daemon again.",
    )


def is_emptied(path: str) -> bool:
    """Tell whether a file that holds no table is what is left of a ledger that was used.

    Without such signs it was never more: a first start was killed before its first commit.
    """
    if not os.path.exists(path):
        return False
    beside = os.path.dirname(path)
    if os.path.exists(os.path.join(beside, IN_USE)):
        return True
    # Ledgers of earlier versions have no such file; an account that is older than the ledger was there before it.
    made_s = os.stat(path).st_ctime
    kept = [os.path.join(beside, name) for name in ("client_id", "token.json")]
    return _size_bytes(path) == 0 and any(os.path.exists(one) and os.stat(one).st_mtime <= made_s for one in kept)


def note_use(path: str, ledger_id: str) -> None:
    """Write beside a ledger that it was in use. Raises: LedgerError. Repeat: safe."""
    try:
        fd = os.open(os.path.join(os.path.dirname(path), IN_USE), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(fd, f"{ledger_id}\n".encode(), 0)
        finally:
            os.close(fd)
    except OSError as error:
        raise LedgerError(
            f"The folder of the ledger {path} cannot be written to: {error.strerror}.",
            hint="Look at the rights of the state folder and at the free space of its disk.",
        ) from error


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date. Raises: LedgerError if it is newer than this program. Repeat: safe."""
    with connection.begin():
        if sa.inspect(connection).has_table(VERSIONS):
            known = connection.execute(sa.text(f"SELECT version_num FROM {VERSIONS}")).scalar()  # noqa: S608 - ours
            if known == NEWEST:
                return
    # Loaded only where there is something to do: it is half of what a command needs to start.
    import alembic.command
    import alembic.config
    import alembic.util

    config = alembic.config.Config()
    config.set_main_option("script_location", "nemo_watch:migrations")
    config.attributes["connection"] = connection
    try:
        alembic.command.upgrade(config, "head")
        connection.commit()
    except alembic.util.CommandError as error:
        raise LedgerError(
            "The ledger was written by a newer version of nemo-watch.",
            hint="Install that version again, or a newer one.",
        ) from error


def is_older(path: str) -> bool:
    """Tell whether a ledger that nobody has open was written by an earlier version. Raises: LedgerError."""
    engine = _reading_engine(path, "still")
    try:
        with errors_named(path), engine.connect() as connection:
            tables = sa.inspect(connection).get_table_names()
            return VERSIONS in tables and _schema(connection) < NEWEST
    finally:
        engine.dispose()


def refuse_older(connection: Connection) -> None:
    """See that a ledger that may not be changed has today's schema. Raises: LedgerError. Repeat: safe."""
    known = _schema(connection)
    connection.rollback()
    if known != NEWEST:
        which = "an earlier" if known < NEWEST else "a newer"
        raise LedgerError(
            f"The ledger was written by {which} version of nemo-watch.",
            hint="Start the daemon anew: the newest version that is installed brings the ledger up to date.",
        )


def _schema(connection: Connection) -> str:
    return str(connection.execute(sa.text(f"SELECT version_num FROM {VERSIONS}")).scalar())  # noqa: S608 - ours


def identity(connection: Connection) -> str:
    """Read the ledger's own id, made at its first opening. Repeat: safe."""
    with connection.begin():
        known = connection.execute(sa.select(META.c.value).where(META.c.key == "ledger_id")).scalar()
        if known is not None:
            return str(known)
        fresh = uuid.uuid4().hex
        connection.execute(META.insert().values(key="ledger_id", value=fresh))
        return fresh
