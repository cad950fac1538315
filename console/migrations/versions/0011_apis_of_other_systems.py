"""Which APIs of other systems an organization uses: on where it visibly does, undecided elsewhere.

A hook was created through the API, has its payload format or names one of its types or groups, or events of such a type
were published. Which tokens have called it is not known: the next call switches it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from console.core.catalogue import OMS, PRETIX, WALDUR, packaged_groups, packaged_names
from console.models.base import Moment, Number

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WITH_TYPES = (WALDUR, PRETIX, OMS)
APIS = (*WITH_TYPES, "web_v1")
_TYPES = sa.table(
    "event_types", sa.column("name", sa.String), sa.column("is_builtin", sa.Boolean), sa.column("dialect", sa.String)
)
_HOOKS = sa.table(
    "hooks",
    sa.column("organization_number", Number),
    sa.column("dialect", sa.String),
    sa.column("payload_format", sa.String),
    sa.column("event_types", sa.JSON),
    sa.column("event_groups", sa.JSON),
    sa.column("deleted_at", Moment()),
)
_HOURS = sa.table("type_hours", sa.column("organization_number", Number), sa.column("type", sa.String))


def upgrade() -> None:
    """Add the switches, and note of which API an event type is."""
    table = op.create_table(
        "api_switches",
        sa.Column("organization_number", Number, autoincrement=False, nullable=False),
        sa.Column("api", sa.String(length=20), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_number"],
            ["organizations.number"],
            name=op.f("fk_api_switches_organization_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_number", "api", name=op.f("pk_api_switches")),
    )
    op.add_column("event_types", sa.Column("dialect", sa.String(length=20), nullable=True))
    for api in WITH_TYPES:
        of_api = _TYPES.c.is_builtin, _TYPES.c.name.in_(packaged_names(api))
        op.execute(_TYPES.update().where(*of_api).values(dialect=api))
    now = datetime.now(UTC)
    rows = [
        {"organization_number": number, "api": api, "is_on": True, "changed_at": now}
        for number, api in sorted({*_used_by_hooks(), *_used_by_events()})
    ]
    op.bulk_insert(table, rows)


def downgrade() -> None:
    """Forget the switches: all APIs are on."""
    op.drop_column("event_types", "dialect")
    op.drop_table("api_switches")


def _used_by_hooks() -> Iterator[tuple[int, str]]:
    hooks = sa.select(_HOOKS).where(_HOOKS.c.deleted_at.is_(None))
    for hook in op.get_bind().execute(hooks).all():
        for api in APIS:
            if api in {hook.dialect, hook.payload_format} or (api in WITH_TYPES and _names_types(hook, api)):
                yield hook.organization_number, api


def _names_types(hook: sa.Row[tuple[object, ...]], api: str) -> bool:
    names, groups = packaged_names(api), packaged_groups(api).keys()
    return not names.isdisjoint(hook.event_types) or not groups.isdisjoint(hook.event_groups)


def _used_by_events() -> Iterator[tuple[int, str]]:
    for api in WITH_TYPES:
        hours = sa.select(_HOURS.c.organization_number).where(_HOURS.c.type.in_(packaged_names(api))).distinct()
        for number in op.get_bind().scalars(hours).all():
            yield number, api
