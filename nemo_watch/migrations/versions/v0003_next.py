"""The third schema: the job to start next, and the moment of the next one, are found without reading the backlog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OPEN = sa.text("state IN ('ready', 'waiting', 'held')")


def upgrade() -> None:
    """Create the indexes. Repeat: once, Alembic sees to it."""
    newest: list[str | sa.TextClause] = [sa.text("priority DESC"), sa.text("created_at DESC"), "job_id"]
    oldest: list[str | sa.TextClause] = [sa.text("priority DESC"), "created_at", "job_id"]
    op.create_index("jobs_newest", "jobs", newest, sqlite_where=OPEN)
    op.create_index("jobs_oldest", "jobs", oldest, sqlite_where=OPEN)
    op.create_index("jobs_due", "jobs", ["next_try_at"], sqlite_where=OPEN)


def downgrade() -> None:
    """Refuse: a ledger remembers what was paid, and going back would forget a part of it."""
    raise NotImplementedError("the ledger's schema only goes forward: go back with a backup of the ledger")
