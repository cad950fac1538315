"""Transactions: what a request reads keeps nobody waiting, and what a service writes is written."""

from __future__ import annotations

from sqlalchemy import Engine, text

from console import database
from console.services.deliveries import deliveries
from console.services.hooks import hooks
from console.services.work import Work
from tests.engine import delivery, make_hook, publish


def write(engine: Engine) -> None:
    """Write as somebody else would: at once, or the database is busy."""
    with database.writing(), engine.connect() as connection:
        connection.connection.execute("PRAGMA busy_timeout = 0")
        connection.execute(text("UPDATE organizations SET name = 'written'"))
        connection.commit()


def test_what_a_request_reads_before_and_after_it_writes_keeps_nobody_from_writing(
    work: Work, ada, engine: Engine
) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    where = {"organization_number": ada.organization.number, "delivery_id": delivery(work, number).id}

    with database.read_only():
        found = deliveries.get(work, **where)
        write(engine)
        deliveries.send_now(work, delivery=found)
        write(engine)
        deliveries.resend(work, delivery=found)
        write(engine)
        deliveries.cancel(work, delivery=found)
        deliveries.get(work, **where)
        write(engine)
        work.session.rollback()

    assert delivery(work, number).state == "canceled"


def test_a_service_writes_what_is_true_now_and_not_what_the_request_read(work: Work, ada, engine: Engine) -> None:
    hook = make_hook(work, ada)

    with database.read_only():
        work.session.refresh(hook)
        with database.writing(), engine.begin() as connection:
            connection.execute(text("UPDATE hooks SET version = 7"))
        hooks.disable(work, hook=hook)
        work.session.rollback()

    work.session.refresh(hook)
    assert (hook.version, hook.is_active) == (8, False)
