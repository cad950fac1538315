"""Hooks: create, find, change, switch, delete. Rules of fields live in ``hook_fields``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import joinedload, load_only

from console.core.errors import Conflict, Invalid, NotFound
from console.core.health import Health
from console.core.signing import new_secret
from console.models import Delivery, DeliveryState, Hook, HookSecret, HookState, Turn
from console.services import audit
from console.services.deliveries import backlogs
from console.services.engine import destinations, standing
from console.services.events import matching
from console.services.events.outbox import KEPT_REASON
from console.services.hooks import hook_health, reports
from console.services.hooks.hook_fields import UNSET, HookDraft, check, destination_of, slots
from console.services.hooks.reports import Report, Subject
from console.services.queries import among, contains
from console.services.work import DELIVERIES, Work

_COLUMNS = tuple(Hook.__mapper__.columns.keys())


@dataclass(frozen=True, slots=True)
class HookFilter:
    """Which hooks of a list are wanted; None means any."""

    active: bool | None = None
    q: str | None = None
    event_type: str | None = None
    health: Health | frozenset[Health] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new hook or a rotated secret: *secret* is shown this once."""

    hook: Hook
    secret: str


def get(work: Work, *, organization_number: int, hook_id: UUID, with_deleted: bool = False) -> Hook:
    """Give a hook that is not deleted (its log outlives it: *with_deleted* finds it still); raise NotFound."""
    query = select(Hook) if with_deleted else select(Hook).where(Hook.deleted_at.is_(None))
    query = query.where(Hook.organization_number == organization_number, Hook.id == hook_id)
    hook = work.session.scalar(query.options(joinedload(Hook.author)))
    if hook is None:
        raise NotFound("hook")
    return hook


def find(
    work: Work, *, organization_number: int, wanted: HookFilter, before: int | None = None, limit: int = 50
) -> list[Hook]:
    """List hooks, newest first, with a number below *before*."""
    query = _living(organization_number).options(joinedload(Hook.author)).order_by(Hook.number.desc())
    if before is not None:
        query = query.where(Hook.number < before)
    if wanted.active is not None:
        query = query.where(Hook.is_active == wanted.active)
    if wanted.q:
        query = query.where(or_(*(contains(column, wanted.q) for column in (Hook.name, Hook.url, Hook.description))))
    if wanted.health is not None:
        choice = wanted.health if isinstance(wanted.health, frozenset) else frozenset({wanted.health})
        numbers = hook_health.numbers_with(work, organization_number=organization_number, wanted=choice)
        query = query.where(among(work.session, Hook.number, numbers))
    if wanted.event_type:
        hears = matching.hooks_hearing(work, organization_number=organization_number, event_type=wanted.event_type)
        query = query.where(among(work.session, Hook.number, hears))
    return list(work.session.scalars(query.limit(limit)))


def named(work: Work, *, organization_number: int, limit: int) -> list[Hook]:
    """List hooks, newest first, with what they are called by and whether they are on: enough to choose one."""
    columns = load_only(Hook.id, Hook.name, Hook.url, Hook.is_active, Hook.is_trial, Hook.deleted_at)
    query = _living(organization_number).options(columns).order_by(Hook.number.desc()).limit(limit)
    return list(work.session.scalars(query))


def _living(organization_number: int) -> Select[Hook]:
    return select(Hook).where(Hook.organization_number == organization_number, Hook.deleted_at.is_(None))


def create(
    work: Work,
    *,
    organization_number: int,
    author_number: int | None,
    draft: HookDraft,
    dialect: str = "native",
    is_trial: bool = False,
    like: Hook | None = None,
) -> Made:
    """Make a hook with a secret of its own unless the draft has one; raise Invalid.

    *is_trial*: for one test of what is not saved, as ``trials`` sends it. What the draft keeps is kept of *like*.
    """
    if draft.url is UNSET:
        raise Invalid.field("url", "Give the URL that deliveries are sent to.", code="required")
    fields = check(work, organization_number=organization_number, draft=draft, hook=None, like=like)
    secret = draft.secret if isinstance(draft.secret, str) else new_secret(work.token_bytes(32))
    now = work.now()
    with work.transaction():
        hook = Hook(
            id=work.new_id(),
            organization_number=organization_number,
            author_number=author_number,
            dialect=dialect,
            created_at=now,
            modified_at=now,
            deleted_at=now if is_trial else None,
            is_trial=is_trial,
            **{"event_types": [], "event_groups": [], "sources": None, "dialect_data": {}, **fields},
        )
        hook.secrets.append(HookSecret(sealed=work.keys.seal(secret), created_at=now))
        if hook.is_active is False:
            hook.disabled_at, hook.disabled_reason = now, "Created disabled"
        work.session.add(hook)
        work.session.flush()
        work.session.add(HookState(hook_number=hook.number))
        _fit_slots(work, hook)
        audit.record_of_hook(
            work,
            hook=hook,
            action="hook.tried" if is_trial else "hook.created",
            changes={name: [None, value] for name, value in _shown(fields).items()},
        )
    return Made(hook, secret)


def change(work: Work, *, hook: Hook, draft: HookDraft, version: int | None = None) -> Hook:
    """Change what the draft sets; raise Invalid, or Conflict when *version* is no longer the hook's."""
    with work.transaction():
        if draft.is_active is True and not hook.is_active:
            _lock_to_switch_on(work, hook, destination=destination_of(draft, hook))
        moves = draft.url is not UNSET and draft.url != hook.url
        if moves:  # what is known of a receiver is known of no other
            standing.begin_afresh(work, hook_number=hook.number)
        lock(work, hook)
        if version is not None and version != hook.version:
            raise Conflict("Somebody else changed this hook meanwhile.", code="changed_meanwhile")
        fields = check(work, organization_number=hook.organization_number, draft=draft, hook=hook)
        was_active = hook.is_active
        changed = _set(work, hook, fields)
        if isinstance(draft.secret, str):
            _replace_secrets(work, hook, draft.secret)
        if moves:
            backlogs.forget_retry_after(work, hook.number)
        if hook.is_active != was_active:
            _switch(work, hook, reason=f"Disabled by {work.actor.name}")
            if hook.is_active:
                reports.publish(work, report=Report.ENABLED, about=Subject.of(hook))
        audit.record_of_hook(work, hook=hook, action="hook.updated", changes=_shown_changes(changed))
    if hook.is_active and (moves or not was_active):
        work.ring.ring(DELIVERIES)
    return hook


def _set(work: Work, hook: Hook, fields: dict[str, Any]) -> dict[str, list[Any]]:
    """Set fields that were checked; return those that are other than before, each with both values."""
    changed = {name: [getattr(hook, name), value] for name, value in fields.items() if getattr(hook, name) != value}
    for name, value in fields.items():
        setattr(hook, name, value)
    touch(work, hook)
    if "max_in_flight" in fields:
        _fit_slots(work, hook)
    return changed


def enable(work: Work, *, hook: Hook, held: str = "release", up_to: int | None = None) -> Hook:
    """Switch a hook on; *held* says what happens to held deliveries: release, keep or cancel.

    Cancel spares those with a number above *up_to*, which nobody was shown: they are released.

    Its receiver is tried at once, whatever was open: its own circuit and its count of failures begin anew, and the
    pause of its destination ends.
    """
    with work.transaction():
        _lock_to_switch_on(work, hook, destination=hook.destination)
        lock(work, hook)
        if not hook.is_active:
            hook.is_active = True
            touch(work, hook)
            audit.record_of_hook(work, hook=hook, action="hook.enabled", changes={"is_active": [False, True]})
            reports.publish(work, report=Report.ENABLED, about=Subject.of(hook))
        _switch(work, hook, reason="", held=held, up_to=up_to)
    work.ring.ring(DELIVERIES)
    return hook


def disable(work: Work, *, hook: Hook, reason: str | None = None) -> Hook:
    """Switch a hook off: what is pending is held from now on, and what comes is held too."""
    with work.transaction():
        lock(work, hook)
        if hook.is_active:
            hook.is_active = False
            touch(work, hook)
            audit.record_of_hook(work, hook=hook, action="hook.disabled", changes={"is_active": [True, False]})
            _switch(work, hook, reason=reason or f"Disabled by {work.actor.name}")
    return hook


def lock(work: Work, hook: Hook) -> None:
    """Read a hook as it is now and keep others from changing it until the caller's transaction ends.

    Raise NotFound when it was deleted meanwhile. What was read before may be old, and two changes of one old version
    would make the same new one: workers, who keep hooks by version, would go on with the first.
    """
    work.session.refresh(hook, _COLUMNS, with_for_update={"key_share": True})
    work.session.expire(hook, ["secrets"])
    if hook.deleted_at is not None:
        raise NotFound("hook")


def _lock_to_switch_on(work: Work, hook: Hook, *, destination: str) -> None:
    """Lock what goes before the hook itself, in everybody's order: its destination, whose pause ends, its standing."""
    destinations.end_pause(work, organization_number=hook.organization_number, name=destination)
    work.session.execute(select(HookState.hook_number).where(HookState.hook_number == hook.number).with_for_update())


def touch(work: Work, hook: Hook) -> None:
    """Give a hook that was changed its next version, inside the caller's transaction."""
    hook.version += 1
    hook.modified_at = work.now()


def _switch(work: Work, hook: Hook, *, reason: str, held: str = "release", up_to: int | None = None) -> None:
    """Bring the waiting deliveries in line with the switch, inside the caller's transaction."""
    now = work.now()
    if not hook.is_active:
        hook.disabled_at, hook.disabled_reason = now, reason
        backlogs.hold(work, hook.number)
        return
    hook.disabled_at = hook.disabled_reason = None
    standing.begin_afresh(work, hook_number=hook.number)
    if held == "cancel":
        backlogs.cancel_within(work, hook.number, states=[DeliveryState.HELD], up_to=up_to)
    if held in {"release", "cancel"}:
        backlogs.release(work, hook.number)
    elif held == "keep":
        work.session.execute(
            update(Delivery)
            .where(*backlogs.unfinished_of(hook.number, DeliveryState.HELD))
            .values(waiting_reason=KEPT_REASON)
        )


def delete(work: Work, *, hook: Hook) -> None:
    """Delete a hook: what waits is canceled, what is being sent ends with its outcome, the log stays, no secret."""
    with work.transaction():
        delete_within(work, hook)


def delete_within(work: Work, hook: Hook) -> None:
    """Delete a hook inside the caller's transaction."""
    lock(work, hook)
    hook.deleted_at = work.now()
    hook.is_active = False
    hook.secrets.clear()
    hook.sealed_headers = None
    hook.dialect_data = {}  # a dialect may keep credentials there
    touch(work, hook)
    backlogs.cancel_within(work, hook.number, states=[*backlogs.WAITING, DeliveryState.HELD])
    audit.record_of_hook(work, hook=hook, action="hook.deleted")


def _replace_secrets(work: Work, hook: Hook, secret: str) -> None:
    hook.secrets.clear()
    hook.secrets.append(HookSecret(sealed=work.keys.seal(secret), created_at=work.now()))


def _fit_slots(work: Work, hook: Hook) -> None:
    """Give the hook as many turns as its in-flight cap needs; surplus ones go, even from under a worker."""
    have = {turn.slot: turn for turn in work.session.scalars(select(Turn).where(Turn.hook_number == hook.number))}
    want = slots(hook.max_in_flight)
    for slot in range(want):
        if slot not in have:
            work.session.add(Turn(hook_number=hook.number, slot=slot))
    for slot, turn in have.items():
        if slot >= want:
            work.session.delete(turn)


def _shown(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: "…" if name == "sealed_headers" else value for name, value in fields.items() if name != "destination"}


def _shown_changes(changed: dict[str, list[Any]]) -> dict[str, list[Any]]:
    shown = {name: pair for name, pair in changed.items() if name != "destination"}  # it is the URL's
    return {name: ["…", "…"] if name == "sealed_headers" else pair for name, pair in shown.items()}
