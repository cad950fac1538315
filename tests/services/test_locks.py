"""The order in which rows are locked on PostgreSQL: destinations, standings, hooks, deliveries."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from console.services.engine import destinations
from console.services.events import outbox, publishing
from console.services.events.event_drafts import EventDraft
from console.services.events.matching import listeners
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import defaults
from console.services.work import DELIVERIES_SLOW, Work
from tests.engine import claim, hire, make_hook, publish, rows_of, set_state

pytestmark = pytest.mark.postgresql_only


def test_a_claim_of_a_limited_hook_waits_for_its_standing_before_it_holds_any_delivery(
    work: Work, ada, engine: Engine, wait_until: Callable[..., None]
) -> None:
    """Whoever records results locks standings, then deliveries; the other way round the two would wait for ever."""
    hook = make_hook(work, ada, rate_limit={"count": 100, "seconds": 1})
    [number] = publish(work, ada)
    worker = hire(work)
    with engine.connect() as recorder, ThreadPoolExecutor(1) as pool:
        recorder.execute(text("SELECT 1 FROM hook_states WHERE hook_number = :one FOR UPDATE"), {"one": hook.number})
        claiming = pool.submit(claim, work, worker)
        wait_until(lambda: is_anybody_waiting(engine))
        nowait = text("SELECT 1 FROM deliveries WHERE number = :one FOR UPDATE NOWAIT")
        held = recorder.execute(nowait, {"one": number}).all()
        recorder.rollback()

        assert held
        assert [row.number for row in rows_of(claiming.result(10))] == [number]


def test_changing_the_defaults_and_publishing_do_not_wait_for_each_other(
    work: Work, ada, engine: Engine, wait_until: Callable[..., None]
) -> None:
    """A publisher locks disabled hooks, then its event refers to the organization; who changes defaults locks both."""
    hook = make_hook(work, ada)
    hooks.disable(work, hook=hook)
    number = ada.organization.number
    with Session(engine, expire_on_commit=False) as other, ThreadPoolExecutor(1) as pool:
        publisher = replace(work, session=other)
        [listening] = outbox.with_settled_switches(publisher, listeners(publisher, organization_number=number))
        changing = pool.submit(
            defaults.change, work, organization=ada.organization, choice=defaults.Choice(timeout_s=9)
        )
        wait_until(lambda: is_anybody_waiting(engine))
        published = publishing.publish(
            publisher, organization_number=number, draft=EventDraft(type="order.paid", payload=b"{}")
        )
        changing.result(10)

    assert published.deliveries == 1
    assert listening.number == hook.number


def test_destinations_are_locked_in_one_order_whatever_the_collation(
    work: Work, ada, engine: Engine, wait_until: Callable[..., None]
) -> None:
    """Who claims tries several, who records results locks several; in two orders each could wait for the other.

    Where PostgreSQL knows languages, these names come in another order than by their characters.
    """
    with engine.begin() as connection:
        found = connection.scalar(text("SELECT collname FROM pg_collation WHERE collname = 'en-x-icu'")) or "C"
        connection.execute(text(f'ALTER TABLE destinations ALTER COLUMN name TYPE varchar(270) COLLATE "{found}"'))
    urls = {"shop.example:443": "https://shop.example/", "shop.example.com:443": "https://shop.example.com/"}
    for url in urls.values():
        set_state(work, make_hook(work, ada, url=url), consecutive_failures=1)
    publish(work, ada)
    number = ada.organization.number
    silent = destinations.Reach(failures=5, is_shared=True, open_until=work.now(), openings=1)
    with work.transaction():
        keys = [(number, name) for name in urls]
        destinations.store(work, before=dict.fromkeys(keys, destinations.Reach()), after=dict.fromkeys(keys, silent))
    worker = hire(work, lane=DELIVERIES_SLOW)
    lock = "SELECT name FROM destinations WHERE name = :name FOR UPDATE"
    with engine.connect() as recorder, ThreadPoolExecutor(1) as pool:
        first, second = recorder.scalars(text("SELECT name FROM destinations ORDER BY name")).all()
        recorder.execute(text(lock), {"name": first})
        claiming = pool.submit(claim, work, worker, lane=DELIVERIES_SLOW)
        wait_until(lambda: is_anybody_waiting(engine))
        held = recorder.execute(text(f"{lock} NOWAIT"), {"name": second}).all()
        recorder.rollback()

        assert held
        assert len(rows_of(claiming.result(10))) == 2


def test_two_batches_that_meet_the_same_destinations_first_do_not_wait_for_each_other(
    work: Work, ada, engine: Engine, wait_until: Callable[..., None]
) -> None:
    """A row that is not there cannot be locked, so rows are made in one order, whatever came in which."""
    number = ada.organization.number
    names = ["a.example.com:443", "b.example.com:443"]
    silent = destinations.Reach(failures=1, first_hook=1)
    insert = text(
        "INSERT INTO destinations (organization_number, name, failures, first_hook, is_shared, openings)"
        " VALUES (:number, :name, 1, 1, false, 0)"
    )
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(insert, {"number": number, "name": names[0]})
        backwards = {(number, name): silent for name in reversed(names)}
        storing = pool.submit(store, work, backwards)
        wait_until(lambda: is_anybody_waiting(engine))
        other.execute(text("SET LOCAL lock_timeout = '2s'"))
        other.execute(insert, {"number": number, "name": names[1]})
        other.commit()
        storing.result(10)


@pytest.mark.parametrize("switch", ["enable", "change"])
def test_switching_a_hook_on_waits_for_its_standing_before_it_holds_the_hook(
    work: Work, ada, engine: Engine, wait_until: Callable[..., None], switch: str
) -> None:
    """Whoever records results locks the standing, then disables the hook because of them."""
    hook = make_hook(work, ada, is_active=False)
    one = {"one": hook.number}
    with engine.connect() as recorder, ThreadPoolExecutor(1) as pool:
        recorder.execute(text("SELECT 1 FROM hook_states WHERE hook_number = :one FOR UPDATE"), one)
        if switch == "enable":
            switching = pool.submit(hooks.enable, work, hook=hook)
        else:
            switching = pool.submit(hooks.change, work, hook=hook, draft=HookDraft(is_active=True))
        wait_until(lambda: is_anybody_waiting(engine))
        nowait = text("SELECT 1 FROM hooks WHERE number = :one FOR NO KEY UPDATE NOWAIT")
        held = recorder.execute(nowait, one).all()
        recorder.rollback()

        assert held
        assert switching.result(10).is_active


def store(work: Work, reaches: dict[destinations.Key, destinations.Reach]) -> None:
    with work.transaction():
        destinations.store(work, before={key: destinations.Reach() for key in reaches}, after=reaches)


def test_changing_the_defaults_locks_hooks_in_their_order(
    work: Work, ada, engine: Engine, wait_until: Callable[..., None]
) -> None:
    """Whoever disables several, because of their results, does the same, so that none waits for another for ever."""
    first, second = (make_hook(work, ada).number for _ in range(2))
    with engine.begin() as connection:  # a row that was changed comes last when the table is read as it lies
        connection.execute(text("UPDATE hooks SET name = 'a' WHERE number = :first"), {"first": first})
        connection.execute(text("ANALYZE hooks"))
    lock = "SELECT number FROM hooks WHERE number = :number FOR NO KEY UPDATE"
    with engine.connect() as recorder, ThreadPoolExecutor(1) as pool:
        recorder.execute(text(lock), {"number": first})
        changing = pool.submit(
            defaults.change, work, organization=ada.organization, choice=defaults.Choice(timeout_s=9)
        )
        wait_until(lambda: is_anybody_waiting(engine))
        held = recorder.execute(text(f"{lock} NOWAIT"), {"number": second}).all()
        recorder.rollback()
        changing.result(10)

    assert held


def is_anybody_waiting(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(connection.scalar(waiting))
