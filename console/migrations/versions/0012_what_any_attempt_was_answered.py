"""Exact status codes of the last attempt by an index, and what the failed attempts of a delivery were answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Only deliveries with an attempt that failed have an answer to note; each code is noted once.
_NOTE = """
UPDATE deliveries SET bad_answers = (
    SELECT ',' || {joined} || ',' FROM attempts AS a
    WHERE a.delivery_number = deliveries.number AND a.outcome <> 'ok')
WHERE (attempt_count > 1 OR last_outcome <> 'ok')
  AND EXISTS (SELECT 1 FROM attempts AS a WHERE a.delivery_number = deliveries.number AND a.outcome <> 'ok')"""
_JOINED = {
    "sqlite": "group_concat(DISTINCT coalesce(a.status, 'none'))",
    "postgresql": "string_agg(DISTINCT coalesce(a.status::text, 'none'), ',')",
}


def upgrade() -> None:
    """Note the answers, then build both indexes."""
    op.add_column("deliveries", sa.Column("bad_answers", sa.Text(), nullable=True))
    op.execute(_NOTE.format(joined=_JOINED[op.get_bind().dialect.name]))
    op.create_index(
        "ix_deliveries_status",
        "deliveries",
        ["organization_number", "last_status", "number", "hook_number"],
        postgresql_where=sa.text("last_status <> 200"),
        sqlite_where=sa.text("last_status <> 200"),
    )
    op.create_index(
        "ix_deliveries_bad_answers",
        "deliveries",
        ["organization_number", "number", "hook_number", "bad_answers"],
        postgresql_where=sa.text("bad_answers IS NOT NULL"),
        sqlite_where=sa.text("bad_answers IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_index("ix_deliveries_bad_answers", table_name="deliveries")
    op.drop_index("ix_deliveries_status", table_name="deliveries")
    op.drop_column("deliveries", "bad_answers")
