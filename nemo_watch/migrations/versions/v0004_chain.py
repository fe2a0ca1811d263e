"""The fourth schema: the jobs that share one session are found without reading all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index. Repeat: once, Alembic sees to it."""
    op.add_column("jobs", sa.Column("chain", sa.Text, nullable=False, server_default=""))
    op.create_index("jobs_chain", "jobs", ["chain"], sqlite_where=sa.text("chain <> ''"))


def downgrade() -> None:
    """Refuse: a ledger remembers what was paid, and going back would forget a part of it."""
    raise NotImplementedError("the ledger's schema only goes forward: go back with a backup of the ledger")
