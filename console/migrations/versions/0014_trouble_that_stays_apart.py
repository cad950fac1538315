"""One receiver's trouble stays its own: deaths of workers are seen, circuits hold back what a receiver refuses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; a circuit that is open now goes on holding everything back."""
    op.add_column("workers", sa.Column("pid_space", sa.String(200), nullable=True))
    op.add_column("hook_states", sa.Column("failing_types", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("hook_states", "failing_types")
    op.drop_column("workers", "pid_space")
