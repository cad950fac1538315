"""Ids of events are unique within their organization, since publishers choose them.

SQLite writes the table of events anew, payloads included: that takes a minute for some gigabytes, and as much free
space on the disk as the table has.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from console.models.base import Identifier, Number

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WITHIN = "uq_events_organization_number_id"
EVERYWHERE = "uq_events_id"


def upgrade() -> None:
    """Let two organizations use the same id."""
    _replace(EVERYWHERE, WITHIN, ["organization_number", "id"])


def downgrade() -> None:
    """Let nobody use an id that another organization has: events that were stored later get another id."""
    events = sa.table("events", sa.column("number", Number), sa.column("id", Identifier()))
    first = sa.select(events.c.id, sa.func.min(events.c.number).label("number")).group_by(events.c.id).subquery()
    later = sa.select(events.c.number).join(first, first.c.id == events.c.id).where(events.c.number > first.c.number)
    for number in op.get_bind().scalars(later).all():
        op.execute(events.update().where(events.c.number == number).values(id=uuid4()))
    _replace(WITHIN, EVERYWHERE, ["id"])


def _replace(before: str, after: str, columns: Sequence[str]) -> None:
    bind = op.get_bind()
    if bind.dialect.name != "sqlite":
        op.drop_constraint(before, "events", type_="unique")
        op.create_unique_constraint(after, "events", list(columns))
        return
    last = bind.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'events'"))
    with op.batch_alter_table("events", recreate="always", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_constraint(before, type_="unique")
        batch.create_unique_constraint(after, list(columns))
    if last is not None:  # numbers are never reused, not even those of deleted events
        bind.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'events'"))
        bind.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', :last)"), {"last": last})
