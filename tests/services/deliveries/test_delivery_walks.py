"""Which index leads through the log: the one that passes over the fewest deliveries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text, update

from console.models import Delivery
from console.services.deliveries import deliveries, delivery_walks, log_walks
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.work import Work
from tests.engine import make_hook, publish

BAD = {"state": "failed", "last_outcome": "server_error", "last_status": 500}


@pytest.fixture
def asked(engine: Engine):
    """The statements of the test."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def log(work: Work, ada, clock) -> list[int]:
    """Forty deliveries that failed, then, a day later, forty of which only the first did."""
    make_hook(work, ada)
    old = [number for _ in range(40) for number in publish(work, ada)]
    clock.advance(days=1)
    new = [number for _ in range(40) for number in publish(work, ada)]
    work.session.execute(update(Delivery).where(Delivery.number.in_([*old, new[0]])).values(BAD))
    work.session.commit()
    return new


def found(work: Work, person: Any, **wanted: object) -> list[int]:
    number = person.organization.number
    query = delivery_walks.walk(
        work.session, select(Delivery.number), organization_number=number, wanted=DeliveryFilter(**wanted)
    )
    return list(work.session.scalars(query.order_by(Delivery.number.desc())))


@pytest.mark.both_databases
def test_few_bad_answers_of_a_period_are_few_however_many_there_were_before(
    work: Work, ada, clock, log: list[int], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_walks, "FEW_ANSWERS", 20)

    assert found(work, ada, status_class="5xx", since=clock.now() - timedelta(hours=1)) == [log[0]]
    assert "last_outcome != 'ok'" in asked[-1]
    assert len(found(work, ada, status_class="5xx")) == 41
    assert "last_outcome != 'ok'" not in asked[-1]


@pytest.mark.both_databases
def test_bad_answers_of_a_period_are_many_once_they_are_more_than_its_share_of_few(
    work: Work, ada, clock, log: list[int], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_walks, "FEW_ANSWERS", 20)
    work.session.execute(update(Delivery).where(Delivery.number.in_(log[:15])).values(BAD))
    work.session.commit()

    assert found(work, ada, status_class="5xx", since=clock.now() - timedelta(hours=1)) == log[14::-1]
    assert "last_outcome != 'ok'" not in asked[-1]


@pytest.mark.both_databases
def test_where_a_period_begins_and_ends_is_looked_up_in_one_query_each(
    work: Work, ada, clock, log: list[int], asked: list[str]
) -> None:
    now = clock.now()
    wanted = DeliveryFilter(since=now - timedelta(hours=1), until=now + timedelta(hours=1))

    rows = deliveries.find(work, organization_number=ada.organization.number, wanted=wanted, limit=100)

    assert [row.number for row in rows] == log[::-1]
    assert len([one for one in asked if "walk" in one]) == 2


@pytest.mark.both_databases
def test_a_turn_is_found_wherever_it_lies(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    numbers = []
    for _ in range(9):
        numbers += publish(work, ada)
        clock.advance(seconds=1)
    made = dict(work.session.execute(select(Delivery.number, Delivery.created_at)).all())
    first, last = numbers[0], numbers[-1]

    for number in numbers:
        turn = log_walks.turn(
            work.session, Delivery, lambda at, moment=made[number]: at >= moment, first=first, last=last
        )
        assert turn == (number - 1, number)
    beyond = log_walks.turn(work.session, Delivery, lambda at: at >= clock.now(), first=first, last=last)
    assert beyond == (last, last + 1)
    assert log_walks.turn(work.session, Delivery, lambda at: at >= clock.now(), first=5, last=4) == (4, 5)


@pytest.mark.postgresql_only
def test_no_query_starts_processes_of_its_own(work: Work) -> None:
    assert work.session.scalar(text("SHOW max_parallel_workers_per_gather")) == "0"
