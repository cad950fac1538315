"""The order in which rows are locked on PostgreSQL: destinations, standings, deliveries."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from console.services.events import outbox, publishing
from console.services.events.event_drafts import EventDraft
from console.services.events.matching import listeners
from console.services.hooks import hooks
from console.services.organizations import defaults
from console.services.work import Work
from tests.engine import claim, hire, make_hook, publish, rows_of

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


def is_anybody_waiting(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(connection.scalar(waiting))
