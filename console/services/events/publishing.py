"""Publish events: one transaction writes the event and its deliveries (an outbox), then the workers are rung.

The same idempotency key with the same content gives the first answer again; with other content it is a conflict.
The unique constraint decides that, so two publishers at the same moment cannot both win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from console.core.errors import Conflict, FieldError, Invalid, NotFound
from console.core.rules import Occurrence, refusal
from console.failpoints import PUBLISHING
from console.models import Event, Hook
from console.services.event_types import catalogue
from console.services.events import event_rows, outbox
from console.services.events.event_drafts import EventDraft, check
from console.services.events.judging import REQUEST_S, Budget, Judgements, Reader
from console.services.events.matching import Audiences, Listener, groups_by_type, listener, listeners
from console.services.events.outbox import with_settled_switches
from console.services.work import DELIVERIES, Work


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to a publisher.

    *deliveries* counts held ones too. When the workers apply the filters, it is how many there may be.
    """

    id: UUID
    type: str
    deliveries: int
    number: int


def publish(work: Work, *, organization_number: int, draft: EventDraft) -> Published:
    """Publish one event; raise Invalid, Conflict (the key with other content) or Busy."""
    check(work, organization_number, [draft])
    return _publish(work, organization_number, [draft])[0]


def publish_batch(work: Work, *, organization_number: int, drafts: Sequence[EventDraft]) -> list[Published]:
    """Publish up to 1,000 events, all of them or none; errors as ``publish``, with pointers under /events."""
    check(work, organization_number, drafts, under="/events/{}")
    return _publish(work, organization_number, drafts, under="/events/{}")


def _publish(work: Work, organization_number: int, drafts: Sequence[EventDraft], *, under: str = "") -> list[Published]:
    judgements = Judgements([draft.payload for draft in drafts], Budget(REQUEST_S))

    def store(inside: Work) -> list[Published]:
        answers = _store(inside, organization_number, drafts, judgements, under=under)
        inside.failpoints.hit(PUBLISHING)
        if any(answer.deliveries for answer in answers):
            inside.ring.ring(DELIVERIES)
        return answers

    def commit() -> list[Published]:
        return work.group_commit.run(work, store, size=len(drafts))

    try:
        return judgements.judged(commit)
    except IntegrityError:
        # Another publisher won the race for a key: its rows are committed now, so a second look answers from them.
        try:
            return judgements.judged(commit)
        except IntegrityError as error:
            raise Conflict("An event with this id was published before.", code="id_taken") from error


def publish_to(work: Work, *, hook: Hook, draft: EventDraft) -> Published:
    """Publish an event to one hook alone, whatever it subscribes to; it is held when the hook is disabled.

    *draft* has no key. Raise Invalid, Busy, or NotFound when the hook was deleted meanwhile.
    """
    check(work, hook.organization_number, [draft])
    judgements = Judgements([draft.payload], Budget(REQUEST_S))

    def commit() -> Published:
        with work.transaction():
            return _store_for(work, hook, draft, judgements)

    published = judgements.judged(commit)
    work.ring.ring(DELIVERIES)
    return published


def _store_for(work: Work, hook: Hook, draft: EventDraft, judgements: Judgements) -> Published:
    now = work.now()
    work.session.refresh(hook, ["is_active", "deleted_at"], with_for_update={"read": True})
    if hook.deleted_at is not None:
        raise NotFound("hook")
    _check_schemas(work, hook.organization_number, [draft], judgements, places=[0], under="")
    judgements.require()
    event = event_rows.row(hook.organization_number, draft, draft.fingerprint(), id=work.new_id(), now=now, wanted=1)
    [number] = event_rows.insert(work, [event | {"is_direct": True}])
    outbox.put(work, [(number, draft.type, listener(hook))], organization_number=hook.organization_number)
    return Published(event["id"], draft.type, 1, number)


def publish_within(work: Work, *, organization_number: int, draft: EventDraft, without: int) -> int:
    """Publish inside the caller's transaction to the hooks that ask for it, but not to *without*; give how many.

    To take every event is not to ask for it. Nothing is stored when no hook does, and none has missed it later. The
    caller rings.
    """
    groups = groups_by_type(work, organization_number=organization_number, names=[draft.type])[draft.type]
    occurrence = Occurrence(draft.type, groups, draft.source, Reader(draft.payload))
    hooks = [
        hook
        for hook in listeners(work, organization_number=organization_number)
        if hook.number != without and refusal(hook.subscription.explicit, occurrence) is None
    ]
    if not hooks:
        return 0
    now = work.now()
    digest = draft.fingerprint()
    event = event_rows.row(organization_number, draft, digest, id=work.new_id(), now=now, wanted=len(hooks))
    [number] = event_rows.insert(work, [event | {"is_direct": True, "fanout_pending": False}])
    handed = [(number, draft.type, hook) for hook in with_settled_switches(work, hooks)]
    return outbox.put(work, handed, organization_number=organization_number)


# --- storing --------------------------------------------------------------------------------------------------------


def _store(
    work: Work,
    organization_number: int,
    drafts: Sequence[EventDraft],
    judgements: Judgements,
    *,
    under: str,
) -> list[Published]:
    """Write what is new and answer what is not, inside the caller's transaction; raise Undecided."""
    prints = [draft.fingerprint() for draft in drafts]
    known = _published_before(work, organization_number, drafts, prints)
    first_with: dict[str, int] = {}
    repeats: dict[int, int] = {}  # a key that the batch itself repeats: index → index of its first use
    for index, draft in enumerate(drafts):
        if draft.key is None or draft.key in known:
            continue
        first = first_with.setdefault(draft.key, index)
        if first != index:
            _same_or_conflict(draft.key, prints[first], prints[index])
            repeats[index] = first
    new = [i for i, draft in enumerate(drafts) if (draft.key is None or draft.key not in known) and i not in repeats]
    fresh = [drafts[i] for i in new]
    wanted = _wanted(work, organization_number, fresh, judgements, places=new, under=under)
    decided = [not judgements.is_open(i) for i in new]
    made = _insert(work, organization_number, fresh, [prints[i] for i in new], wanted, decided=decided)
    stored = dict(zip(new, made, strict=True))
    return [
        stored[repeats.get(index, index)] if index in stored or index in repeats else known[draft.key or ""]
        for index, draft in enumerate(drafts)
    ]


def _published_before(
    work: Work, organization_number: int, drafts: Sequence[EventDraft], prints: Sequence[bytes]
) -> dict[str, Published]:
    keys = {draft.key for draft in drafts if draft.key is not None}
    if not keys:
        return {}
    rows = {
        row.idempotency_key: row
        for row in work.session.execute(
            select(
                Event.idempotency_key, Event.request_sha256, Event.id, Event.type, Event.delivery_count, Event.number
            ).where(Event.organization_number == organization_number, Event.idempotency_key.in_(keys))
        )
    }
    for draft, digest in zip(drafts, prints, strict=True):
        if draft.key in rows:
            _same_or_conflict(draft.key, rows[draft.key].request_sha256, digest)
    return {key: Published(row.id, row.type, row.delivery_count, row.number) for key, row in rows.items()}


def _same_or_conflict(key: str | None, first: bytes, second: bytes) -> None:
    if first != second:
        raise Conflict(
            f"The idempotency key {key} was used before with other content; use a new key for a new event.",
            code="idempotency_conflict",
        )


def _wanted(
    work: Work,
    organization_number: int,
    drafts: Sequence[EventDraft],
    judgements: Judgements,
    *,
    places: Sequence[int],
    under: str,
) -> list[list[Listener]]:
    """Return the hooks that want each event; raise Undecided, or Invalid for payloads that do not fit their schema.

    Those whose filter was not applied, because the request has spent its time, are among them.
    *places* are those of the drafts in their batch, to which *under* is the pointer, with {} for the place.
    """
    if not drafts:
        return []
    _check_schemas(work, organization_number, drafts, judgements, places=places, under=under)
    hooks = with_settled_switches(work, listeners(work, organization_number=organization_number))
    asked = {draft.type for draft in drafts} if any(hook.subscription.groups for hook in hooks) else ()
    groups = groups_by_type(work, organization_number=organization_number, names=tuple(asked))
    audiences = Audiences(hooks, groups=groups)
    wanted = [
        audiences.of(type=draft.type, source=draft.source, judgement=partial(judgements.of, place))
        for place, draft in zip(places, drafts, strict=True)
    ]
    judgements.require()
    return wanted


def _check_schemas(
    work: Work,
    organization_number: int,
    drafts: Sequence[EventDraft],
    judgements: Judgements,
    *,
    places: Sequence[int],
    under: str,
) -> None:
    names = {draft.type for draft in drafts}
    schemas = catalogue.schemas_to_check(work, organization_number=organization_number, names=names)
    if not schemas:
        return
    problems = [
        FieldError(f"{under.format(place)}/payload{fault.pointer}", fault.code, fault.message)
        for place, draft in zip(places, drafts, strict=True)
        if draft.type in schemas
        for fault in judgements.of(place).faults(schemas[draft.type])
    ]
    if problems:
        raise Invalid(*problems)


def _insert(
    work: Work,
    organization_number: int,
    drafts: Sequence[EventDraft],
    prints: Sequence[bytes],
    wanted: Sequence[Sequence[Listener]],
    *,
    decided: Sequence[bool],
) -> list[Published]:
    if not drafts:
        return []
    now = work.now()
    ids = work.new_ids(len(drafts))
    events = [
        event_rows.row(organization_number, draft, digest, id=id_, now=now, wanted=len(chosen), is_decided=is_decided)
        for draft, digest, id_, chosen, is_decided in zip(drafts, prints, ids, wanted, decided, strict=True)
    ]
    event_rows.refuse_taken_ids(work, organization_number, [draft.id for draft in drafts if draft.id is not None])
    numbers = event_rows.insert(work, events)
    handed = [
        (number, event["type"], hook)
        for event, number, chosen in zip(events, numbers, wanted, strict=True)
        if not event["fanout_pending"]
        for hook in chosen
    ]
    outbox.put(work, handed, organization_number=organization_number)
    return [
        Published(event["id"], event["type"], event["delivery_count"], number)
        for event, number in zip(events, numbers, strict=True)
    ]
