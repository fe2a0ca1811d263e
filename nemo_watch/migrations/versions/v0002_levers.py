"""The second schema: what people ask of the daemon, and its answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table. Repeat: once, Alembic sees to it."""
    op.create_table(
        "levers",
        sa.Column("lever_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("argument", sa.Text, nullable=False),
        sa.Column("pulled_at", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.Text),
    )


def downgrade() -> None:
    """Refuse: a ledger remembers what was paid, and going back would forget a part of it."""
    raise NotImplementedError("the ledger's schema only goes forward: go back with a backup of the ledger")
