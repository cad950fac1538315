"""Defaults of organizations, whether a person wants shortcuts of one key, and bins that break off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from console.models.base import Number

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added and dropped one by one: a batch would copy the table, and SQLite drops rows that refer to a dropped one.
    op.add_column("organizations", sa.Column("retry_schedule", sa.Text(), nullable=True))
    op.add_column("organizations", sa.Column("timeout_s", Number, nullable=True))
    op.add_column("organizations", sa.Column("retention_days", Number, nullable=True))
    op.add_column("organizations", sa.Column("largest_payload", Number, nullable=True))
    op.add_column("users", sa.Column("has_shortcuts", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("bins", sa.Column("breaks_off", sa.String(length=10), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("bins", "breaks_off")
    op.drop_column("users", "has_shortcuts")
    for name in ("largest_payload", "retention_days", "timeout_s", "retry_schedule"):
        op.drop_column("organizations", name)
