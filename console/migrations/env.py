"""Run migrations over the connection that console.migrations hands in."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import BigInteger

from console.models import Base
from console.models.base import Identifier, Moment


def render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Name our column types in new revisions as the models name them."""
    if kind != "type" or not isinstance(item, Identifier | Moment | BigInteger):
        return False
    name = "Number" if isinstance(item, BigInteger) else type(item).__name__
    autogen.imports.add(f"from console.models.base import {name}")
    return name if name == "Number" else f"{name}()"


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
    compare_type=True,
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
