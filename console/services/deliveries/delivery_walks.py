"""The log as it is read: a filter over deliveries, walked by the index that passes over the fewest of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from console.core.outcomes import Outcome
from console.core.patterns import is_pattern
from console.models import Delivery, DeliveryState, Event, Hook, Replay
from console.services.deliveries.delivery_filters import (
    DeliveryFilter,
    id_span,
    in_states,
    narrowed,
    of_type,
    parts_asked_for,
)
from console.services.deliveries.log_walks import (
    FEW,
    MOST_FOUND,
    first_since,
    is_few,
    last_until,
    newest,
    share_of,
    some,
    unindexed,
    within,
)

MOST_TYPES = 100
MOST_ANSWERS = 50
"""So many different answers are looked up; receivers that make codes up have more."""
FEW_ANSWERS = 4000
"""So many bad answers are sorted rather than met by walking."""
NO_NUMBER = 0
_OK = "2xx"
_USUAL_STATUS = 200
_BAD = [outcome.value for outcome in Outcome if outcome is not Outcome.OK]
_OF_CLASS = {
    "3xx": [Outcome.REDIRECT.value],
    "4xx": [Outcome.CLIENT_ERROR.value, Outcome.GONE.value, Outcome.THROTTLED.value],
    "5xx": [Outcome.SERVER_ERROR.value, Outcome.THROTTLED.value],
}
"""The outcomes that go with a class of statuses; the other classes may go with any."""


class Lead(Enum):
    """Which index a walk follows; all of them are in the order of numbers."""

    NUMBERS = auto()
    EVENT = auto()
    REPLAY = auto()
    ANSWER = auto()
    STATUS = auto()
    BAD_ANSWERS = auto()
    FAILED = auto()
    STATE = auto()
    HOOK = auto()
    TYPE = auto()
    ORGANIZATION = auto()


_BY_ORGANIZATION = frozenset({Lead.STATE, Lead.STATUS, Lead.BAD_ANSWERS, Lead.TYPE, Lead.ORGANIZATION})
_BY_HOOK = frozenset({Lead.HOOK, Lead.FAILED})
_BY_OWNER = _BY_HOOK | {Lead.REPLAY}


def walk(session: Session, query: Select[Any], *, organization_number: int, wanted: DeliveryFilter) -> Select[Any]:
    """Add the conditions of a filter to a query over deliveries; raise Invalid for a value that cannot match."""
    types = _types(session, organization_number, wanted.event_type)
    found = named = _found(session, organization_number, wanted.q) if wanted.q else None
    rare = _rarely_answered(session, organization_number, wanted) if wanted.asks_any_attempt else None
    if rare is not None:
        found = rare if found is None else sorted(set(rare).intersection(found))
    if types == []:
        found = []
    lead = Lead.NUMBERS if found is not None else _lead(session, organization_number, wanted, types)
    query = _led(query, lead, organization_number=organization_number, wanted=wanted, types=types)
    if found is not None:
        query = query.where(Delivery.number.in_(found or [NO_NUMBER]))
    elif lead is Lead.ORGANIZATION and (outcomes := _outcomes(wanted)):
        query = query.where(Delivery.number <= _newest_of(session, organization_number, outcomes))
    if named is None and wanted.q:
        query = narrowed(query, organization_number=organization_number, wanted=DeliveryFilter(q=wanted.q))
    return query.where(*within(session, Delivery, since=wanted.since, until=wanted.until))


def _led(
    query: Select[Any], lead: Lead, *, organization_number: int, wanted: DeliveryFilter, types: list[str] | None
) -> Select[Any]:
    """Add the conditions but for the period and the search, those that *lead* leaves to its index as it has them."""
    if lead in _BY_OWNER:
        query = query.where(_of_owner(lead, organization_number=organization_number, wanted=wanted))
    else:
        organization = _read(Delivery.organization_number, is_lead=lead in _BY_ORGANIZATION)
        query = query.where(organization == organization_number)
    if wanted.hook_number is not None and lead not in _BY_HOOK:
        query = query.where(unindexed(Delivery.hook_number) == wanted.hook_number)
    if types is not None and len(types) == 1 and lead is Lead.STATE:
        query = query.where(_is_of_type(organization_number, types[0]))
    elif types is not None:
        query = query.where(_read(Delivery.event_type, is_lead=lead is Lead.TYPE).in_(types))
    if wanted.states:
        query = query.where(_of_states(wanted.states, lead))
    if lead is Lead.ANSWER:
        query = query.where(Delivery.last_outcome != literal_column("'ok'"))  # as the partial index says it
        query = query.where(Delivery.last_outcome.in_(_outcomes(wanted)))
    if lead is Lead.STATUS:
        query = query.where(Delivery.last_status != literal_column("200"))  # as the partial index says it
    if lead is Lead.BAD_ANSWERS:
        query = query.where(Delivery.bad_answers.is_not(None))
    rest = replace(
        wanted,
        hook_number=None,
        replay_number=None if lead is Lead.REPLAY else wanted.replay_number,
        states=(),
        since=None,
        until=None,
        q=None,
        event_type=None if types is not None else wanted.event_type,
    )
    return narrowed(query, organization_number=organization_number, wanted=rest)


def _read(column: InstrumentedAttribute[Any], *, is_lead: bool) -> ColumnElement[Any] | InstrumentedAttribute[Any]:
    return column if is_lead else unindexed(column)


def _of_owner(lead: Lead, *, organization_number: int, wanted: DeliveryFilter) -> ColumnElement[bool]:
    """Match the deliveries of a hook or replay that is the organization's.

    So the organization is asked for in a table of few rows, and the numbers of deliveries come from the index alone.
    """
    if lead is Lead.REPLAY:
        own = select(Replay.number).where(
            Replay.number == wanted.replay_number, Replay.organization_number == organization_number
        )
        return Delivery.replay_number == own.scalar_subquery()
    own = select(Hook.number).where(Hook.number == wanted.hook_number, Hook.organization_number == organization_number)
    return Delivery.hook_number == own.scalar_subquery()


def _is_of_type(organization_number: int, name: str) -> ColumnElement[bool]:
    """Look a delivery up in the index over types: walking that over states then reads no rows but those it finds."""
    same = aliased(Delivery)
    return exists().where(
        same.organization_number == organization_number, same.event_type == name, same.number == Delivery.number
    )


def _of_states(states: Sequence[DeliveryState], lead: Lead) -> ColumnElement[bool]:
    if lead is Lead.STATE:
        return in_states(states)
    if lead is Lead.FAILED:
        return Delivery.state == literal_column("'failed'")  # as the partial index says it
    return unindexed(Delivery.state).in_(states)


# --- which index ----------------------------------------------------------------------------------------------------


def _lead(session: Session, organization_number: int, wanted: DeliveryFilter, types: list[str] | None) -> Lead:
    if wanted.event_number is not None:
        return Lead.EVENT
    if wanted.replay_number is not None:
        return Lead.REPLAY
    if wanted.asks_any_attempt or wanted.status not in {None, _USUAL_STATUS}:
        return Lead.BAD_ANSWERS if wanted.asks_any_attempt else Lead.STATUS
    if _outcomes(wanted):
        numbers = select(Delivery.number)
        those = _led(numbers, Lead.ANSWER, organization_number=organization_number, wanted=wanted, types=types)
        return Lead.ANSWER if _are_few_answers(session, those, wanted) else Lead.ORGANIZATION
    if wanted.states and DeliveryState.DELIVERED not in wanted.states:
        of_hook = wanted.hook_number is not None and wanted.states == (DeliveryState.FAILED,)
        return Lead.FAILED if of_hook else Lead.STATE
    return _by_hook_or_type(session, organization_number, wanted, types)


def _are_few_answers(session: Session, those: Select[Any], wanted: DeliveryFilter) -> bool:
    """Say whether *those* of a period are fewer than walking would meet often: as ``FEW_ANSWERS`` in the whole log."""
    if wanted.since is None and wanted.until is None:
        return is_few(session, those, cap=FEW_ANSWERS)
    last = newest(session, Delivery) if wanted.until is None else last_until(session, Delivery, wanted.until)
    first = 1 if wanted.since is None else first_since(session, Delivery, wanted.since)
    cap = math.ceil(FEW_ANSWERS * share_of(session, Delivery, first=first, last=last))
    return is_few(session, those.where(Delivery.number.between(first, last)), cap=cap)


def _by_hook_or_type(
    session: Session, organization_number: int, wanted: DeliveryFilter, types: list[str] | None
) -> Lead:
    of_hook = wanted.hook_number is not None
    if types is not None and not (of_hook and _hook_has_few(session, wanted)):
        few_of_type = is_few(session, _of_organization(organization_number).where(Delivery.event_type.in_(types)))
        if few_of_type or (len(types) == 1 and not of_hook):
            return Lead.TYPE
    return Lead.HOOK if of_hook else Lead.ORGANIZATION


def _outcomes(wanted: DeliveryFilter) -> list[str]:
    """Give the outcomes that leave only deliveries in the index over bad answers; none when they do not."""
    if wanted.outcome:
        return [] if wanted.outcome == Outcome.OK else [wanted.outcome]
    if wanted.asks_any_attempt:
        return []
    if not wanted.status_class or wanted.status_class == _OK:
        return []
    return _OF_CLASS.get(wanted.status_class, _BAD)


def _newest_of(session: Session, organization_number: int, outcomes: Sequence[str]) -> int:
    """Give the number of the latest delivery that ended so, where a walk may begin."""
    query = select(func.max(Delivery.number)).where(
        Delivery.organization_number == organization_number, Delivery.last_outcome != literal_column("'ok'")
    )
    each = [query.where(Delivery.last_outcome == outcome).scalar_subquery() for outcome in outcomes]
    return max(number or NO_NUMBER for number in session.execute(select(*each)).one())


def _hook_has_few(session: Session, wanted: DeliveryFilter) -> bool:
    return is_few(session, select(Delivery.number).where(Delivery.hook_number == wanted.hook_number))


def _of_organization(number: int) -> Select[Any]:
    return select(Delivery.number).where(Delivery.organization_number == number)


# --- what is looked up before -----------------------------------------------------------------------------------------


def _types(session: Session, organization_number: int, asked: str | None) -> list[str] | None:
    """Give the types that a type or wildcard stands for, of those in the log; None for any and for too many."""
    if not asked or asked == "*":
        return None
    of_type(Delivery.event_type, asked)  # refuses what cannot match
    if not is_pattern(asked):
        return [asked]
    head = asked.removesuffix("*")
    found: list[str] = []
    query = _of_organization(organization_number).with_only_columns(Delivery.event_type).limit(1)
    query = query.order_by(Delivery.organization_number, Delivery.event_type)
    while len(found) <= MOST_TYPES:
        after = Delivery.event_type > (found[-1] if found else head)
        name = session.scalar(query.where(after))
        if name is None or not name.startswith(head):
            return found
        found.append(name)
    return None


def _rarely_answered(session: Session, organization_number: int, wanted: DeliveryFilter) -> list[int] | None:
    """Give the numbers of the deliveries that got what is asked for; None when they are many, and soon met by walking.

    Deliveries share few different answers, which are looked up one after the other in their index.
    """
    column, answers = Delivery.bad_answers, list[str]()
    own = _of_organization(organization_number).where(column.is_not(None))
    query = own.with_only_columns(column).order_by(Delivery.organization_number, column).limit(1)
    while (answer := session.scalar(query.where(column > answers[-1]) if answers else query)) is not None:
        if len(answers) == MOST_ANSWERS:
            return None
        answers.append(answer)
    parts = parts_asked_for(wanted)
    those = own.where(column.in_([one for one in answers if all(part in one for part in parts)]))
    return list(session.scalars(those)) if is_few(session, those) else None


def _found(session: Session, organization_number: int, words: str) -> list[int] | None:
    """Give the numbers of the deliveries that a search names; None when they are many, and soon met by walking."""
    span = id_span(words)
    of_event = select(Event.number).where(Event.organization_number == organization_number)
    events = some(session, of_event.where(Event.object_pk == words), Event.number)
    found: list[int] = []
    if span is not None:
        ids = select(Delivery.number).where(unindexed(Delivery.organization_number) == organization_number)
        found += some(session, ids.where(Delivery.id.between(*span)), Delivery.id)
        events += some(session, of_event.where(Event.id.between(*span)), Event.id)
    if max(len(found), len(events)) > MOST_FOUND:
        return None
    if events:
        found += session.scalars(select(Delivery.number).where(Delivery.event_number.in_(events)).limit(FEW))
    return found if len(found) < FEW else None
