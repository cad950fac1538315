"""An index over the events whose deliveries are still to be created: the leader looks for them every two seconds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.create_index(
        "ix_events_fanout_pending",
        "events",
        ["organization_number", "number"],
        postgresql_where=sa.text("fanout_pending"),
        sqlite_where=sa.text("fanout_pending = 1"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_events_fanout_pending", table_name="events")
