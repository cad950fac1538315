"""Publishing: one transaction for an event and its deliveries, once per idempotency key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from console.core.errors import Conflict, Invalid
from console.models import Delivery, Event, Hook
from console.services.events import event_rows, fan_outs, matching, outbox, publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def hook(work: Work, person, **fields: object):
    draft = HookDraft(**{"url": "https://example.com/hook", **fields})
    made = hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft)
    return made.hook


def publish(work: Work, person, type_: str = "order.paid", payload: bytes = b"{}", **fields: object):
    draft = EventDraft(type=type_, payload=payload, **fields)
    return publishing.publish(work, organization_number=person.organization.number, draft=draft)


def count(work: Work, model: type) -> int:
    return work.session.scalar(select(func.count()).select_from(model)) or 0


def hearers(work: Work, published) -> list[int]:
    query = select(Delivery.hook_number).where(Delivery.event_number == published.number).order_by(Delivery.hook_number)
    return list(work.session.scalars(query))


def test_an_event_reaches_the_hooks_that_want_it_and_no_other(work: Work, ada, mallory) -> None:
    exact = hook(work, ada, event_types=["order.paid"])
    wild = hook(work, ada, event_types=["order.*"])
    everything = hook(work, ada, all_events=True)
    hook(work, ada, event_types=["order.refunded"])
    hook(work, ada)
    hook(work, mallory, all_events=True)

    published = publish(work, ada)

    assert published.deliveries == 3
    assert hearers(work, published) == [exact.number, wild.number, everything.number]


def test_a_group_is_live_and_holds_types_added_later(work: Work, ada) -> None:
    from console.services.event_types import catalogue

    catalogue.create(work, organization_number=ada.organization.number, name="stock.low", groups=["warehouse"])
    listening = hook(work, ada, event_groups=["warehouse"])
    catalogue.create(work, organization_number=ada.organization.number, name="stock.gone", groups=["warehouse"])

    assert hearers(work, publish(work, ada, "stock.gone")) == [listening.number]


def test_sources_limit_a_hook_but_not_for_events_without_one(work: Work, ada) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="shop", name="Shop")
    sources.create(work, organization_number=ada.organization.number, slug="fair", name="Fair")
    anywhere = hook(work, ada, all_events=True)
    shop = hook(work, ada, all_events=True, sources=["shop"])
    nowhere = hook(work, ada, all_events=True, sources=[])

    assert hearers(work, publish(work, ada, source="shop")) == [anywhere.number, shop.number]
    assert hearers(work, publish(work, ada, source="fair")) == [anywhere.number]
    assert hearers(work, publish(work, ada)) == [anywhere.number, shop.number, nowhere.number]


def test_the_payload_is_kept_byte_for_byte(work: Work, ada) -> None:
    payload = '{"b":1.10, "a" : 1e400,\n"ü":"\\u00fc"}'.encode()

    published = publish(work, ada, payload=payload)

    assert work.session.scalar(select(Event.payload).where(Event.number == published.number)) == payload


def test_publishing_rings_once_and_only_when_somebody_listens(work: Work, ada, ring) -> None:
    publish(work, ada)
    assert ring.lanes == []

    hook(work, ada, all_events=True)
    publish(work, ada)
    assert ring.lanes == ["deliveries"]


def test_the_same_key_and_content_give_the_same_answer_and_nothing_new(work: Work, ada) -> None:
    hook(work, ada, all_events=True)

    first = publish(work, ada, key="order-17")
    second = publish(work, ada, key="order-17")

    assert first == second
    assert (count(work, Event), count(work, Delivery)) == (1, 1)


@pytest.mark.parametrize("other", [{"payload": b'{"x":1}'}, {"type_": "order.lost"}, {"message": "Other"}])
def test_the_same_key_with_other_content_is_a_conflict(work: Work, ada, other) -> None:
    publish(work, ada, key="order-17")

    with pytest.raises(Conflict):
        publish(work, ada, key="order-17", **other)

    assert count(work, Event) == 1


def test_keys_of_other_organizations_do_not_meet(work: Work, ada, mallory) -> None:
    assert publish(work, ada, key="k").id != publish(work, mallory, key="k").id


def test_many_publishers_with_one_key_make_one_event(work: Work, ada, engine: Engine) -> None:
    hook(work, ada, all_events=True)
    start = threading.Barrier(8)

    def run(_index: int) -> object:
        with Session(engine, expire_on_commit=False) as session:
            start.wait(10)
            return publish(replace(work, session=session), ada, key="race").id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(run, range(8)))

    assert len(set(ids)) == 1
    assert (count(work, Event), count(work, Delivery)) == (1, 1)


def batch(work: Work, person, drafts: list[EventDraft]):
    return publishing.publish_batch(work, organization_number=person.organization.number, drafts=drafts)


def test_a_batch_is_answered_in_order(work: Work, ada) -> None:
    hook(work, ada, event_types=["a.*"])

    answers = batch(work, ada, [EventDraft(type=f"{'ab'[n % 2]}.n{n}", payload=b"{}") for n in range(100)])

    assert [answer.type for answer in answers] == [f"{'ab'[n % 2]}.n{n}" for n in range(100)]
    assert [answer.deliveries for answer in answers] == [1, 0] * 50
    assert [answer.number for answer in answers] == sorted(answer.number for answer in answers)
    stored = dict(work.session.execute(select(Event.number, Event.type)).all())
    assert [stored[answer.number] for answer in answers] == [answer.type for answer in answers]


def test_one_bad_event_refuses_the_whole_batch_and_is_named(work: Work, ada) -> None:
    with pytest.raises(Invalid) as refused:
        batch(work, ada, [EventDraft(type="good", payload=b"{}"), EventDraft(type="b@d type", payload=b"{}")])

    assert [error.pointer for error in refused.value.fields] == ["/events/1/type"]
    assert count(work, Event) == 0


def test_a_key_repeated_within_a_batch_counts_once(work: Work, ada) -> None:
    draft = EventDraft(type="order.paid", payload=b"{}", key="k")

    answers = batch(work, ada, [draft, draft])

    assert answers[0] == answers[1]
    assert count(work, Event) == 1


def test_a_conflict_within_a_batch_stores_nothing(work: Work, ada) -> None:
    with pytest.raises(Conflict):
        batch(
            work,
            ada,
            [EventDraft(type="a", payload=b"{}", key="k"), EventDraft(type="a", payload=b"[]", key="k")],
        )

    assert count(work, Event) == 0


@pytest.mark.parametrize("size", [0, 1001])
def test_a_batch_has_1_to_1000_events(work: Work, ada, size) -> None:
    with pytest.raises(Invalid):
        batch(work, ada, [EventDraft(type="a", payload=b"{}")] * size)


def test_an_unknown_source_is_refused(work: Work, ada) -> None:
    with pytest.raises(Invalid) as refused:
        publish(work, ada, source="nowhere")

    assert refused.value.fields[0].pointer == "/source"


def test_a_batch_of_one_is_pointed_at_as_a_batch(work: Work, ada) -> None:
    with pytest.raises(Invalid) as refused:
        batch(work, ada, [EventDraft(type="a", payload=b"{}", source="nowhere")])

    assert refused.value.fields[0].pointer == "/events/0/source"


def test_an_event_id_may_be_chosen_once(work: Work, ada) -> None:
    chosen = work.new_id()

    assert publish(work, ada, id=chosen).id == chosen
    with pytest.raises(Conflict):
        publish(work, ada, id=chosen)


def test_an_expiry_of_the_retry_policy_becomes_the_deliverys(work: Work, ada) -> None:
    hook(work, ada, all_events=True, retry={"kind": "fixed", "seconds": 5, "expires_after": 60})

    publish(work, ada)

    delivery = work.session.scalar(select(Delivery))
    assert (delivery.expires_at - work.now()).total_seconds() == 60


def test_a_policy_that_can_no_longer_be_read_stops_nobody(work: Work, ada) -> None:
    old = hook(work, ada, all_events=True)
    hook(work, ada, all_events=True)
    work.session.execute(update(Hook).where(Hook.number == old.number).values(retry={"kind": "lunar", "phase": 3}))
    work.session.commit()

    assert publish(work, ada).deliveries == 2


def test_a_fan_out_to_very_many_hooks_is_finished_later_and_counts_them_at_once(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 2)
    for _ in range(3):
        hook(work, ada, all_events=True)

    published = publish(work, ada)
    assert (published.deliveries, count(work, Delivery)) == (3, 0)

    assert fan_outs.finish(work) == 1
    assert fan_outs.finish(work) == 0
    assert count(work, Delivery) == 3


def test_organizations_take_turns_so_that_a_flood_of_one_delays_no_other(work: Work, ada, mallory, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 0)
    for person in (ada, mallory):
        hook(work, person, all_events=True)
    flood = [publish(work, ada) for _ in range(4)]
    other = publish(work, mallory)

    assert fan_outs.finish(work, limit=2) == 2

    assert len(hearers(work, other)) == 1
    assert [len(hearers(work, one)) for one in flood] == [1, 0, 0, 0]
    assert fan_outs.finish(work) == 3


def test_pending_events_are_found_by_an_index_of_their_own(work: Work) -> None:
    """The leader looks for them every two seconds, in a log of any length."""
    statement = select(Event.organization_number, func.min(Event.number)).where(Event.fanout_pending)
    is_sqlite = work.session.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        work.session.execute(text("SET LOCAL enable_seqscan = off"))
    written = statement.group_by(Event.organization_number).compile(work.session.get_bind())
    plan = work.session.execute(text(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{written}")).all()

    assert "ix_events_fanout_pending" in str(plan)


def test_a_fan_out_that_fails_holds_up_no_other(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 1)
    for _ in range(2):
        hook(work, ada, all_events=True)
    bad, good = publish(work, ada), publish(work, ada)
    _refuse_deliveries_of(work, bad.number)

    with pytest.raises(DBAPIError):
        fan_outs.finish(work, limit=1)

    assert len(hearers(work, good)) == 2
    assert len(hearers(work, bad)) == 0


def _refuse_deliveries_of(work: Work, event: int) -> None:
    """Let the database refuse the rows of one event."""
    is_sqlite = work.session.get_bind().dialect.name == "sqlite"
    with work.transaction():
        work.session.execute(
            text(
                f"""CREATE TRIGGER refusing BEFORE INSERT ON deliveries WHEN NEW.event_number = {event}
                BEGIN SELECT RAISE(ABORT, 'refused'); END"""
                if is_sqlite
                else f"ALTER TABLE deliveries ADD CONSTRAINT refusing CHECK (event_number <> {event})"
            )
        )


def test_a_fan_out_whose_hooks_have_gone_ends_without_deliveries(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 1)
    made = [hook(work, ada, all_events=True) for _ in range(2)]
    publish(work, ada)
    for one in made:
        hooks.delete(work, hook=one)

    assert fan_outs.finish(work) == 1
    assert fan_outs.finish(work) == 0
    assert count(work, Delivery) == 0


def test_a_delivery_that_is_there_stays_as_it_is_and_is_not_counted_as_new(work: Work, ada) -> None:
    """Two people who send an event to a hook at one moment make one delivery of it, and only one of them is told so."""
    made = hook(work, ada, all_events=True)
    first = publish(work, ada)
    handed = [(first.number, "order.paid", matching.listener(made))]

    with work.transaction():
        count_of_new = outbox.put(work, handed, organization_number=ada.organization.number)

    assert count_of_new == 0
    assert count(work, Delivery) == 1
