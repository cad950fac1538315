"""An index by which deliveries are found that got what few have got."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.create_index(
        "ix_deliveries_each_bad_answer",
        "deliveries",
        ["organization_number", "bad_answers", "number"],
        postgresql_where=sa.text("bad_answers IS NOT NULL"),
        sqlite_where=sa.text("bad_answers IS NOT NULL"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_index("ix_deliveries_each_bad_answer", table_name="deliveries")
