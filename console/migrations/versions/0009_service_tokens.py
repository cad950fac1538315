"""Tokens that belong to the organization, the token that created a token, and service tokens in the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from console.models.base import Identifier, Number

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PARENT = "fk_tokens_parent_number"
INDEX = "ix_tokens_parent_number"


def upgrade() -> None:
    """Let tokens have no owner, and refer to the token that created them."""
    op.add_column("audit_entries", sa.Column("service_token_id", Identifier(), nullable=True))
    op.add_column("tokens", sa.Column("created_by", sa.String(length=254), nullable=False, server_default=""))
    op.add_column("tokens", sa.Column("parent_number", Number, nullable=True))
    with op.batch_alter_table("tokens", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.alter_column("user_number", existing_type=Number, nullable=True)
        batch.create_foreign_key(PARENT, "tokens", ["parent_number"], ["number"], ondelete="CASCADE")
        batch.create_index(INDEX, ["parent_number"])


def downgrade() -> None:
    """Remove the service tokens, which the version before does not know."""
    service = "SELECT number FROM tokens WHERE user_number IS NULL"
    op.execute(f"DELETE FROM kept_answers WHERE token_number IN ({service})")  # noqa: S608 ours alone
    op.execute(f"DELETE FROM tokens WHERE number IN ({service})")  # noqa: S608
    with op.batch_alter_table("tokens", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.drop_index(INDEX)
        batch.drop_constraint(PARENT, type_="foreignkey")
        batch.drop_column("parent_number")
        batch.alter_column("user_number", existing_type=Number, nullable=False)
    op.drop_column("tokens", "created_by")
    op.drop_column("audit_entries", "service_token_id")
