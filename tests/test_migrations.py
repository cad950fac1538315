"""The schema's revisions: up and down with rows present, and the same schema as the models say."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from console import migrations
from console.models import Base, Hook, Organization, User
from console.services.work import Work
from tests.engine import make_hook

pytestmark = pytest.mark.both_databases


def counts(session: Session) -> list[int | None]:
    found = [session.scalar(select(func.count()).select_from(model)) for model in (Organization, User, Hook)]
    session.rollback()
    return found


def test_rows_survive_the_way_back_to_the_first_revision_and_up_again(work: Work, ada, engine: Engine) -> None:
    make_hook(work, ada)
    before = counts(work.session)

    migrations.downgrade(engine, "0001")
    first = migrations.current(engine)
    migrations.upgrade(engine)
    work.session.expire_all()

    assert first == "0001"
    assert migrations.current(engine) == migrations.head()
    assert counts(work.session) == before


def test_the_models_and_the_newest_revision_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert differences == []
