"""The schema's revisions: up and down with rows present, and the same schema as the models say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, delete, event, func, select, text, update
from sqlalchemy.orm import Session

from console import migrations
from console.core.errors import Unauthenticated
from console.core.permissions import Permission
from console.core.rollups import hour_of
from console.models import Attempt, Base, Delivery, Event, Hook, HookHour, Organization, TypeHour, User
from console.services import idempotency
from console.services.event_types import catalogue
from console.services.figures import organization_hours, stats, type_hours
from console.services.figures.stats import Period
from console.services.organizations import foreign_apis
from console.services.people import token_use, tokens
from console.services.work import Work
from tests.engine import make_hook, publish

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


def test_numbers_of_deleted_rows_are_never_given_again_in_the_tables_that_a_revision_copied(engine: Engine) -> None:
    """SQLite copies a table to alter it, and the copy only counts on where that is said again."""
    migrations.downgrade(engine, "0001")
    migrations.upgrade(engine)

    if engine.dialect.name == "sqlite":
        wanted = {one.name for one in Base.metadata.tables.values() if one.dialect_options["sqlite"]["autoincrement"]}
        with engine.connect() as connection:
            tables = text("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
            assert wanted <= set(connection.scalars(tables))


def test_the_figures_of_an_organization_survive_the_way_back_and_up_again(work: Work, ada, engine: Engine) -> None:
    hook, number = make_hook(work, ada), ada.organization.number
    with work.transaction():
        work.session.add(
            HookHour(
                hook_number=hook.number,
                organization_number=number,
                hour=hour_of(work.now()) - timedelta(hours=9),
                status_class="2xx",
                bucket=1,
                count=5,
            )
        )
    while not organization_hours.roll_up(work):
        pass
    work.session.rollback()

    migrations.downgrade(engine, "0002")
    migrations.upgrade(engine)
    while not organization_hours.roll_up(work):
        pass

    assert stats.overview(work, organization_number=number, period=Period.DAY).total.attempts == 5


def test_roll_ups_survive_being_written_anew(work: Work, ada, engine: Engine) -> None:
    hook, number, hour = make_hook(work, ada), ada.organization.number, hour_of(work.now())
    with work.transaction():
        work.session.add_all(
            HookHour(
                hook_number=hook.number,
                organization_number=number,
                hour=hour,
                status_class="2xx",
                bucket=bucket,
                count=5,
            )
            for bucket in (3, 1)
        )
        work.session.add(TypeHour(organization_number=number, type="order.paid", hour=hour, count=7, last_at=hour))
    work.session.rollback()

    migrations.downgrade(engine, "0003")
    rows_by_number = without_rowid(engine)
    migrations.upgrade(engine)

    assert stats.overview(work, organization_number=number, hook_number=hook.number).total.attempts == 10
    assert type_hours.activity(work, organization_number=number).volumes["order.paid"].total == 7
    work.session.rollback()
    if engine.dialect.name == "sqlite":
        assert without_rowid(engine) - rows_by_number == {"hook_hours", "type_hours"}


def without_rowid(engine: Engine) -> set[str]:
    """Name the tables whose rows lie in their primary key."""
    if engine.dialect.name != "sqlite":
        return set()
    with engine.connect() as connection:
        return set(connection.scalars(text("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%'")))


def test_an_index_over_a_long_log_may_take_its_time(work: Work, ada, engine: Engine) -> None:
    """PostgreSQL ends what a page or a worker asks after 15 s; to build an index takes longer than that."""
    limits: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def look(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith("CREATE INDEX") and connection.dialect.name == "postgresql":
            [limit] = cursor.connection.execute("SHOW statement_timeout").fetchone()
            limits.append(limit)

    migrations.downgrade(engine, "0002")
    migrations.upgrade(engine)
    event.remove(engine, "before_cursor_execute", look)

    assert set(limits) <= {"0"}
    assert limits or engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            assert connection.scalar(text("SHOW statement_timeout")) == "15s"


def test_events_and_what_refers_to_them_survive_the_way_back_and_up_again(work: Work, ada, mallory, engine) -> None:
    """SQLite copies the table: without care, dropping the first one would delete the deliveries of all events."""
    make_hook(work, ada)
    publish(work, ada)
    publish(work, mallory)
    publish(work, ada)
    mine, theirs, third = work.session.scalars(select(Event).order_by(Event.number))
    last = third.number
    with work.transaction():
        work.session.execute(update(Event).where(Event.number == theirs.number).values(id=mine.id))
        work.session.execute(delete(Event).where(Event.number == last))
    mine_id, numbers = mine.id, {mine.number, theirs.number}
    work.session.rollback()
    before = schema_of_events(engine)

    migrations.downgrade(engine, "0006")
    migrations.upgrade(engine)
    work.session.expire_all()

    ids = dict(work.session.execute(select(Event.number, Event.id)).all())
    assert ids.keys() == numbers
    assert ids[min(numbers)] == mine_id != ids[max(numbers)]
    assert work.session.scalars(select(Delivery.event_number)).all() == [min(numbers)]
    work.session.rollback()
    assert schema_of_events(engine) == before
    publish(work, ada)
    assert work.session.scalar(select(func.max(Event.number))) > last
    work.session.rollback()
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def test_what_failed_attempts_got_is_noted_for_deliveries_that_were_there(work: Work, ada, engine: Engine) -> None:
    make_hook(work, ada)
    first, second = publish(work, ada, 2)
    with work.transaction():
        ends = [(first, "throttled", 429), (first, "timeout", None), (first, "throttled", 429), (first, "ok", 200)]
        for number, (delivery, outcome, status) in enumerate([*ends, (second, "ok", 200)], start=1):
            attempt = {"number": number, "chain": 1, "trigger": "automatic", "started_at": work.now()}
            work.session.add(Attempt(delivery_number=delivery, outcome=outcome, status=status, **attempt))
        counted = update(Delivery).values(attempt_count=4, last_outcome="ok")
        work.session.execute(counted.where(Delivery.number == first))

    migrations.downgrade(engine, "0011")
    migrations.upgrade(engine)

    noted = dict(work.session.execute(select(Delivery.number, Delivery.bad_answers)).all())
    work.session.rollback()
    assert sorted(noted[first].split(",")) == ["", "", "429", "none"]
    assert noted[second] is None


def test_apis_are_on_where_an_organization_visibly_used_them(work: Work, ada, mallory, engine: Engine) -> None:
    number, hour = ada.organization.number, hour_of(work.now())
    make_hook(work, ada, all_events=False, event_types=["pretix.event.order.paid"])
    make_hook(work, ada, payload_format="oms")
    make_hook(work, mallory)
    with work.transaction():
        name = "ssh_key_creation_succeeded"
        work.session.add(TypeHour(organization_number=number, type=name, hour=hour, count=1, last_at=hour))
    others = mallory.organization.number
    work.session.rollback()

    migrations.downgrade(engine, "0010")
    migrations.upgrade(engine)

    assert foreign_apis.switched_on(work, organization_number=number) == {"pretix", "oms", "waldur"}
    assert foreign_apis.switched_on(work, organization_number=others) == set()
    assert "package.created" in catalogue.names(work, organization_number=number)
    assert "package.created" not in catalogue.names(work, organization_number=others)


def schema_of_events(engine: Engine) -> set[str]:
    """Return what SQLite keeps of the table and its indexes, in words whose order does not matter."""
    if engine.dialect.name != "sqlite":
        return set()
    with engine.connect() as connection:
        statements = connection.scalars(text("SELECT sql FROM sqlite_master WHERE tbl_name = 'events'")).all()
    return {" ".join(sorted(sql.replace('"', "").replace(",", " ").split())) for sql in statements if sql}


@pytest.mark.postgresql_only
def test_postgresql_is_told_how_many_deliveries_an_event_has(work: Work, ada, engine: Engine) -> None:
    """Its sample holds rows that lie side by side, and misses how many events there are by a factor of hundreds."""
    query = text("""
        SELECT attrelid::regclass::text, array_to_string(attoptions, ',') FROM pg_attribute
        WHERE attoptions IS NOT NULL AND attrelid::regclass::text IN ('deliveries', 'attempts')""")
    make_hook(work, ada)
    publish(work, ada)
    work.session.commit()

    migrations.downgrade(engine, "0005")
    with engine.connect() as connection:
        assert connection.execute(query).all() == []
    migrations.upgrade(engine)

    with engine.connect() as connection:
        assert sorted(connection.execute(query).all()) == [
            ("attempts", "n_distinct=-0.3"),
            ("deliveries", "n_distinct=-0.1"),
        ]
        told = text("SELECT n_distinct FROM pg_stats WHERE tablename = 'deliveries' AND attname = 'event_number'")
        assert connection.scalar(told) == pytest.approx(-0.1)


def test_tokens_and_answers_that_are_kept_for_them_survive_service_tokens(
    work: Work, ada, token_of, engine: Engine
) -> None:
    text_of_token = token_of(ada, "EVENTS:VIEW")
    begun = idempotency.begin(
        work, token_number=token_use.authenticate(work, text_of_token).token_number, credential="a", key="b"
    )
    assert isinstance(begun, idempotency.Begun)
    idempotency.keep(work, begun=begun, status=201, headers=[], body=b"kept")
    work.session.rollback()

    migrations.downgrade(engine, "0008")
    migrations.upgrade(engine)
    work.session.expire_all()

    principal = token_use.authenticate(work, text_of_token)
    assert principal.user_number == ada.user.number
    again = idempotency.begin(work, token_number=principal.token_number, credential="a", key="b")
    assert isinstance(again, idempotency.Answer)
    assert again.body == b"kept"


def test_a_service_token_does_not_survive_the_way_back_to_a_version_without_them(
    work: Work, ada, engine: Engine
) -> None:
    issued = tokens.issue(
        work, user=ada.user, organization=ada.organization, permissions=[Permission.EVENTS_VIEW], is_service=True
    )

    migrations.downgrade(engine, "0008")
    migrations.upgrade(engine)

    with pytest.raises(Unauthenticated):
        token_use.authenticate(work, issued.text)
