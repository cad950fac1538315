"""Steps of the clock: where a clock that had been ahead was set back, in the numbers of the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from console.models.base import Moment, Number

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; the leader notes what it sees from now on."""
    op.create_table(
        "clock_steps",
        sa.Column("number", Number, nullable=False),
        sa.Column("event_number", Number, nullable=False),
        sa.Column("delivery_number", Number, nullable=False),
        sa.Column("noted_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_clock_steps")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("clock_steps")
