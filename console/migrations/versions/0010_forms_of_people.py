"""The forms of people: their answers are kept like those to tokens, and so is a form that arrived without a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from console.models.base import Identifier, Moment, Number

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let an answer belong to no token, and add the table of kept forms."""
    with op.batch_alter_table("kept_answers", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("token_number", existing_type=Number, nullable=True)
    op.create_table(
        "kept_forms",
        sa.Column("number", Number, nullable=False),
        sa.Column("id", Identifier(), nullable=False),
        sa.Column("user_number", Number, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_number"], ["users.number"], name=op.f("fk_kept_forms_user_number"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_kept_forms")),
        sa.UniqueConstraint("id", name=op.f("uq_kept_forms_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("kept_forms") as table:
        table.create_index(table.f("ix_kept_forms_created_at"), ["created_at"])
        table.create_index(table.f("ix_kept_forms_user_number"), ["user_number"])


def downgrade() -> None:
    """Forget what was kept: nothing of it is older than a day."""
    op.drop_table("kept_forms")
    op.execute("DELETE FROM kept_answers WHERE token_number IS NULL")
    with op.batch_alter_table("kept_answers", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("token_number", existing_type=Number, nullable=False)
