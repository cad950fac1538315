"""Pages over a long log: bad answers, sources, and an organization's attempts by the hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from console.models.base import Number

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two partial indexes and a roll-up, which the dispatcher fills."""
    op.create_index(
        "ix_deliveries_not_ok",
        "deliveries",
        ["last_outcome", "organization_number", "number", "last_status", "hook_number", "event_type", "state"],
        postgresql_where=sa.text("last_outcome <> 'ok'"),
        sqlite_where=sa.text("last_outcome <> 'ok'"),
    )
    op.create_index(
        "ix_events_source",
        "events",
        ["organization_number", "source", "number"],
        postgresql_where=sa.text("source IS NOT NULL"),
        sqlite_where=sa.text("source IS NOT NULL"),
    )
    op.create_table(
        "organization_hours",
        sa.Column("organization_number", Number, autoincrement=False, nullable=False),
        sa.Column("hour", Number, autoincrement=False, nullable=False),
        sa.Column("status_class", sa.String(length=8), nullable=False),
        sa.Column("bucket", Number, autoincrement=False, nullable=False),
        sa.Column("count", Number, nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_number"],
            ["organizations.number"],
            name=op.f("fk_organization_hours_organization_number_organizations"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "organization_number", "hour", "status_class", "bucket", name=op.f("pk_organization_hours")
        ),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("organization_hours")
    # Else the table would stay empty when it is made again: its hours would pass for added.
    op.execute("DELETE FROM progress WHERE name = 'organization_hours'")
    op.drop_index("ix_events_source", table_name="events")
    op.drop_index("ix_deliveries_not_ok", table_name="deliveries")
