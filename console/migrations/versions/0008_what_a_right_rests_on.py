"""What a right rests on: how often a person's sessions were ended, who invited; and where a person was last.

The two columns of numbers refer to rows that are never deleted, or whose absence means nothing: SQLite cannot drop a
column of a foreign key without a copy of the table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from console.models.base import Number

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("users", sa.Column("generation", Number, nullable=False, server_default="0"))
    op.add_column("users", sa.Column("last_organization_number", Number, nullable=True))
    op.add_column("invitations", sa.Column("invited_by_number", Number, nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("invitations", "invited_by_number")
    op.drop_column("users", "last_organization_number")
    op.drop_column("users", "generation")
