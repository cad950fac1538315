"""How many deliveries an event has, and how many attempts a delivery: what PostgreSQL cannot guess from a sample.

It reads whole pages of a table, on which the deliveries of the same few events lie side by side, and takes them for as
many in all of it: in a log of a million it expected 693 of each event, and read the whole log for a page of events.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = (("deliveries", "event_number", -0.1), ("attempts", "delivery_number", -0.3))
"""How many values there are as a share of the rows (negative, as PostgreSQL writes it): ten deliveries an event, three
attempts a delivery. Ten times as many or as few lead to the same plans."""


def upgrade() -> None:
    """Say it, and let it count from now on."""
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    for table, column, share in COLUMNS:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET (n_distinct = {share})")
        if bind.scalar(sa.text(f"SELECT EXISTS (SELECT FROM {table})")):  # noqa: S608 names of ours
            op.execute(f"ANALYZE {table} ({column})")


def downgrade() -> None:
    """Leave it to the sample."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column, _ in COLUMNS:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} RESET (n_distinct)")
