"""Roll-ups in the order they are read: on SQLite, the rows of two of them lie in their primary key.

Elsewhere nothing changes: PostgreSQL has no such tables.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from console.models.base import Moment, Number

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Write both tables anew, without row numbers."""
    _rewrite(with_rowid=False)


def downgrade() -> None:
    """Write them as they were."""
    _rewrite(with_rowid=True)


def _rewrite(*, with_rowid: bool) -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    op.drop_index("ix_hook_hours_organization", table_name="hook_hours")
    _replace("hook_hours", make=_make_hook_hours, with_rowid=with_rowid)
    op.create_index("ix_hook_hours_organization", "hook_hours", ["organization_number", "hour"])
    _replace("type_hours", make=_make_type_hours, with_rowid=with_rowid)


def _replace(name: str, *, make: Callable[..., sa.Table], with_rowid: bool) -> None:
    """Copy a table into one of another layout that takes its name; nothing refers to it."""
    op.rename_table(name, f"{name}_before")
    made = make(sqlite_with_rowid=with_rowid)
    columns = ", ".join(column.name for column in made.columns)
    order = ", ".join(column.name for column in made.primary_key)
    op.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {name}_before ORDER BY {order}")  # noqa: S608 names of ours
    op.drop_table(f"{name}_before")


def _make_hook_hours(**options: bool) -> sa.Table:
    return op.create_table(
        "hook_hours",
        sa.Column("hook_number", Number, autoincrement=False, nullable=False),
        sa.Column("hour", Moment(), nullable=False),
        sa.Column("status_class", sa.String(length=8), nullable=False),
        sa.Column("bucket", Number, autoincrement=False, nullable=False),
        sa.Column("organization_number", Number, nullable=False),
        sa.Column("count", Number, nullable=False),
        sa.ForeignKeyConstraint(
            ["hook_number"], ["hooks.number"], name=op.f("fk_hook_hours_hook_number"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_number"],
            ["organizations.number"],
            name=op.f("fk_hook_hours_organization_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hook_number", "hour", "status_class", "bucket", name=op.f("pk_hook_hours")),
        **options,
    )


def _make_type_hours(**options: bool) -> sa.Table:
    return op.create_table(
        "type_hours",
        sa.Column("organization_number", Number, autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=200), nullable=False),
        sa.Column("hour", Moment(), nullable=False),
        sa.Column("count", Number, nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_number"],
            ["organizations.number"],
            name=op.f("fk_type_hours_organization_number"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organization_number", "type", "hour", name=op.f("pk_type_hours")),
        **options,
    )
