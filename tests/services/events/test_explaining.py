"""Filters, schemas, and the explanation of what they decide: it must say what publishing does."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from console.core.errors import Invalid
from console.core.rules import Answer, Rule, Verdict
from console.models import Delivery, Event, Hook
from console.services.event_types import catalogue
from console.services.events import event_rows, explaining, fan_outs, judging, publishing
from console.services.events.event_drafts import EventDraft
from console.services.events.explaining import Since
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from console.services.work import Work
from tests.fuzz import through_the_app


def make_hook(work: Work, person, **fields: object) -> Hook:
    draft = HookDraft(**{"url": "https://example.com/hook", "all_events": True, **fields})
    return hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft).hook


def publish(work: Work, person, type_: str = "order.paid", payload: object = None, **fields: object) -> Event:
    draft = EventDraft(type=type_, payload=json.dumps({} if payload is None else payload).encode(), **fields)
    made = publishing.publish(work, organization_number=person.organization.number, draft=draft)
    return work.session.get_one(Event, made.number)


def hearers(work: Work, event: Event) -> set[int]:
    return set(work.session.scalars(select(Delivery.hook_number).where(Delivery.event_number == event.number)))


def standings(work: Work, event: Event) -> dict[int, explaining.Standing]:
    deliveries = list(work.session.scalars(select(Delivery).where(Delivery.event_number == event.number)))
    return {one.hook.number: one for one in explaining.of_event(work, event=event, deliveries=deliveries)}


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_filter_lets_through_only_the_payloads_that_satisfy_it(work: Work, ada) -> None:
    large = make_hook(work, ada, filter="total > `100`")
    euro = make_hook(work, ada, filter=" currency == 'EUR' ")
    anything = make_hook(work, ada)

    assert hearers(work, publish(work, ada, payload={"total": 500, "currency": "USD"})) == {
        large.number,
        anything.number,
    }
    assert hearers(work, publish(work, ada, payload={"total": 5, "currency": "EUR"})) == {euro.number, anything.number}
    assert hearers(work, publish(work, ada, payload=[1, 2])) == {anything.number}


def test_a_filter_that_fails_on_a_payload_delivers_nothing_says_why_and_publishes_all_the_same(work: Work, ada) -> None:
    hook = make_hook(work, ada, filter="length(total) > `1`")

    event = publish(work, ada, payload={"total": 3})

    assert hearers(work, event) == set()
    standing = standings(work, event)[hook.number]
    assert standing.explanation.refused_by == Rule.FILTER
    assert "length() takes" in standing.explanation.findings[-1].reading.problem


def test_a_number_too_large_to_read_does_not_pass_a_filter_and_does_not_fail_a_publish(work: Work, ada) -> None:
    hook = make_hook(work, ada, filter="n > `1`")
    draft = EventDraft(type="a.b", payload=b'{"n": ' + b"9" * 5000 + b"}")

    made = publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    assert made.deliveries == 0
    event = work.session.get_one(Event, made.number)
    assert "too large" in standings(work, event)[hook.number].explanation.findings[-1].reading.problem


@pytest.mark.parametrize(
    ("text", "code"),
    [("total >", "filter_syntax"), ("size(a)", "filter_function"), (17, "type"), ("&a", "filter_value")],
)
def test_what_is_no_filter_is_not_saved(work: Work, ada, text, code) -> None:
    with pytest.raises(Invalid) as caught:
        make_hook(work, ada, filter=text)

    [fault] = caught.value.fields
    assert (fault.pointer, fault.code) == ("/filter", code)


@pytest.mark.parametrize("text", [None, "", "   "])
def test_an_empty_filter_is_none(work: Work, ada, text) -> None:
    assert make_hook(work, ada, filter=text).filter is None


def test_filters_are_asked_outside_of_the_transaction_and_each_once(work: Work, ada, monkeypatch) -> None:
    asked: list[tuple[str, bool]] = []

    def noting(expression: str, payload: Any) -> judging.Reading:
        asked.append((expression, work.session.in_transaction()))
        return judging.Reading(passes=True)

    monkeypatch.setattr(judging, "read", noting)
    for _ in range(3):
        make_hook(work, ada, filter="a")
    make_hook(work, ada, filter="b", all_events=False, event_types=["other"])
    work.session.commit()

    event = publish(work, ada)

    assert asked == [("a", False)]
    assert len(hearers(work, event)) == 3


def test_a_large_fan_out_asks_the_filters_again(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 1)
    wanted = {make_hook(work, ada, filter="n == `1`").number for _ in range(3)}
    make_hook(work, ada, filter="n == `2`")

    event = publish(work, ada, payload={"n": 1})
    assert event.fanout_pending
    assert event.delivery_count == 3
    fan_outs.finish(work)

    assert hearers(work, event) == wanted


def test_a_batch_is_judged_event_by_event(work: Work, ada) -> None:
    hook = make_hook(work, ada, filter="n > `1`")
    drafts = [EventDraft(type="a.b", payload=b'{"n": %d}' % n) for n in range(4)]

    made = publishing.publish_batch(work, organization_number=ada.organization.number, drafts=drafts)

    assert [one.deliveries for one in made] == [0, 0, 1, 1]
    assert hook.number


# --- schemas --------------------------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}


def make_type(work: Work, person, name: str = "order.paid", **fields: object):
    return catalogue.create(work, organization_number=person.organization.number, name=name, **fields)


@pytest.mark.both_databases
def test_a_type_that_validates_refuses_payloads_that_do_not_fit_with_pointers_into_them(work: Work, ada) -> None:
    make_type(work, ada, schema=SCHEMA, validate=True)

    with pytest.raises(Invalid) as caught:
        publish(work, ada, payload={"total": "3"})

    [fault] = caught.value.fields
    assert (fault.pointer, fault.code, fault.message) == ("/payload/total", "schema", "Give a number.")
    assert work.session.scalar(select(Event.number)) is None
    assert publish(work, ada, payload={"total": 3}).number


def test_a_schema_that_nobody_asked_to_enforce_refuses_nothing(work: Work, ada) -> None:
    make_type(work, ada, schema=SCHEMA)
    make_type(work, ada, "other.type", schema={"type": "no such thing"})

    assert publish(work, ada, payload={"total": "3"}).number
    assert publish(work, ada, "other.type").number


def test_a_wildcard_of_the_catalogue_validates_what_is_below_it(work: Work, ada) -> None:
    make_type(work, ada, "order.*", schema=SCHEMA, validate=True)
    make_type(work, ada, "order.paid")

    with pytest.raises(Invalid):
        publish(work, ada, "order.lost", payload={})
    with pytest.raises(Invalid):
        publish(work, ada, "order.paid", payload={})
    assert publish(work, ada, "orders", payload={}).number


def test_in_a_batch_pointers_lead_to_the_event_and_nothing_is_stored(work: Work, ada) -> None:
    make_type(work, ada, schema=SCHEMA, validate=True)
    drafts = [EventDraft(type="order.paid", payload=payload) for payload in (b'{"total": 1}', b"{}", b"[]")]

    with pytest.raises(Invalid) as caught:
        publishing.publish_batch(work, organization_number=ada.organization.number, drafts=drafts)

    assert [fault.pointer for fault in caught.value.fields] == ["/events/1/payload", "/events/2/payload"]
    assert work.session.scalar(select(Event.number)) is None


def test_a_repeated_key_gets_its_first_answer_after_the_schema_was_tightened(work: Work, ada) -> None:
    first = publish(work, ada, payload={}, key="k")
    make_type(work, ada, schema=SCHEMA, validate=True)

    assert publish(work, ada, payload={}, key="k").number == first.number


def test_the_types_of_others_do_not_validate(work: Work, ada, mallory) -> None:
    make_type(work, mallory, schema=SCHEMA, validate=True)

    assert publish(work, ada, payload={}).number


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"validate": True}, "/validate", "schema_missing"),
        ({"validate": True, "schema": {"type": "no such thing"}}, "/schema", "schema_unusable"),
        ({"validate": True, "schema": {"$ref": "https://example.com/x"}}, "/schema", "schema_unusable"),
        ({"validate": "yes", "schema": {}}, "/validate", "type"),
    ],
)
def test_only_a_usable_schema_can_be_enforced(work: Work, ada, fields, pointer, code) -> None:
    with pytest.raises(Invalid) as caught:
        make_type(work, ada, **fields)

    [fault] = caught.value.fields
    assert (fault.pointer, fault.code) == (pointer, code)


def test_the_schema_of_a_validating_type_cannot_be_taken_away(work: Work, ada) -> None:
    made = make_type(work, ada, schema=SCHEMA, validate=True)

    with pytest.raises(Invalid):
        catalogue.change(work, event_type=made, fields={"schema": None})
    catalogue.change(work, event_type=made, fields={"schema": None, "validate": False})

    assert publish(work, ada, payload={}).number


# --- the explanation ------------------------------------------------------------------------------------------------


def test_every_rule_is_answered_and_the_first_no_is_the_verdict(work: Work, ada) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="shop")
    hook = make_hook(work, ada, all_events=False, event_types=["order.*"], sources=[], filter="total > `5`")

    event = publish(work, ada, payload={"total": 3}, source="shop")

    explanation = standings(work, event)[hook.number].explanation
    assert [finding.answer for finding in explanation.findings] == [Answer.YES, Answer.YES, Answer.NO, Answer.NO]
    assert (explanation.verdict, explanation.refused_by) == (Verdict.REFUSED, Rule.SOURCE)
    assert explanation.findings[1].way.text == "order.*"
    assert standings(work, event)[hook.number].values == (("total", "3"),)


def test_a_disabled_hook_would_hold_what_it_gets(work: Work, ada) -> None:
    hook = make_hook(work, ada, is_active=False)

    standing = standings(work, publish(work, ada))[hook.number]

    assert standing.explanation.verdict == Verdict.HELD
    assert standing.explanation.refused_by is None
    assert standing.delivery.state == "held"


@pytest.mark.both_databases
def test_then_and_now_are_told_apart(work: Work, ada, clock) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="order.paid")
    catalogue.create(work, organization_number=ada.organization.number, name="cart.made", groups=["cart"])
    unchanged = make_hook(work, ada, all_events=False, event_types=["other"])
    changed = make_hook(work, ada, all_events=False, event_types=["other"])
    grouped = make_hook(work, ada, all_events=False, event_groups=["cart"])
    event = publish(work, ada)
    clock.advance(minutes=1)

    hooks.change(work, hook=changed, draft=HookDraft(event_types=["order.paid"]))
    late = make_hook(work, ada)
    known = catalogue.get(work, organization_number=ada.organization.number, name="order.paid")
    catalogue.change(work, event_type=known, fields={"groups": ["cart"]})

    found = standings(work, event)
    assert {number: one.since for number, one in found.items()} == {
        unchanged.number: Since.NOTHING,
        changed.number: Since.HOOK_CHANGED,
        late.number: Since.HOOK_MADE,
        grouped.number: Since.TYPE_CHANGED,
    }
    assert all(one.delivery is None for one in found.values())
    assert found[changed.number].explanation.verdict == Verdict.DELIVERED


def test_a_draft_is_explained_without_being_published(work: Work, ada) -> None:
    hook = make_hook(work, ada, filter="n")

    yes = explaining.of_draft(work, hook=hook, draft=explaining.Draft("a.b", b'{"n": 1}'))
    no = explaining.of_draft(work, hook=hook, draft=explaining.Draft("a.b", b"{}"))

    assert (yes.explanation.verdict, no.explanation.refused_by) == (Verdict.DELIVERED, Rule.FILTER)
    assert work.session.scalar(select(Event.number)) is None


NAMES = st.sampled_from(["order.paid", "order.refund.done", "order", "stock.low", "a.b"])
PATTERNS = st.sampled_from(["order.*", "*.low", "*", "order.paid", "order.*.done", "a.b"])
FILTERS = st.sampled_from([None, "n", "n > `1`", "length(n)", "n == 'x'", "!n", "[@,@]|" * 30 + "@", "missing.path"])
PAYLOADS = st.sampled_from([{}, {"n": 0}, {"n": 2}, {"n": "x"}, {"n": []}, [], None, 3, "text", {"n": {"n": 1}}])
SOURCES = st.none() | st.lists(st.sampled_from(["shop", "fair"]), max_size=2, unique=True)
HOOKS = st.fixed_dictionaries(
    {
        "all_events": st.booleans(),
        "event_types": st.lists(PATTERNS, max_size=2, unique=True),
        "event_groups": st.lists(st.just("cart"), max_size=1),
        "sources": SOURCES,
        "filter": FILTERS,
        "is_active": st.booleans(),
    }
)


@given(
    wanted=st.lists(HOOKS, min_size=1, max_size=4),
    name=NAMES,
    source=st.none() | st.sampled_from(["shop", "fair"]),
    payload=PAYLOADS,
)
@settings(through_the_app())
def test_the_explanation_says_what_publishing_does(work: Work, ada, wanted, name, source, payload) -> None:
    number = ada.organization.number
    if not sources.all_of(work, organization_number=number):
        for slug in ("shop", "fair"):
            sources.create(work, organization_number=number, slug=slug)
        catalogue.create(work, organization_number=number, name="stock.*", groups=["cart"])
        catalogue.create(work, organization_number=number, name="order.paid", groups=["cart"])
    for hook in work.session.scalars(select(Hook).where(Hook.deleted_at.is_(None))).all():
        hooks.delete(work, hook=hook)
    made = [make_hook(work, ada, **fields) for fields in wanted]

    event = publish(work, ada, name, payload=payload, source=source)

    found = standings(work, event)
    query = select(Delivery.hook_number, Delivery.state).where(Delivery.event_number == event.number)
    states = dict(work.session.execute(query).all())
    expected = {"pending": Verdict.DELIVERED, "held": Verdict.HELD, None: Verdict.REFUSED}
    for hook in made:
        assert found[hook.number].explanation.verdict == expected[states.get(hook.number)]
        refused_by = found[hook.number].explanation.refused_by
        noes = [one.rule for one in found[hook.number].explanation.findings if one.answer == Answer.NO]
        assert refused_by == next((rule for rule in noes if rule != Rule.ACTIVE), None)


def test_publishing_from_several_threads_with_filters_ends(work: Work, ada, engine) -> None:
    from dataclasses import replace

    from sqlalchemy.orm import Session

    make_hook(work, ada, filter="n > `0`")
    work.session.commit()
    answers: list[int] = []

    def run(n: int) -> None:
        with Session(engine, expire_on_commit=False) as session:
            own = replace(work, session=session)
            draft = EventDraft(type="a.b", payload=b'{"n": %d}' % n)
            answers.append(publishing.publish(own, organization_number=ada.organization.number, draft=draft).deliveries)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(answers) == [0, *[1] * 7]
