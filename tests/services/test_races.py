"""Two who change the same rows at the same moment: whoever comes second sees what the first did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread, get_ident

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from console.core.catalogue import PRETIX
from console.core.errors import Conflict, Forbidden, NotFound, Unauthenticated
from console.core.foreign_apis import ApiState
from console.core.outcomes import Outcome
from console.core.permissions import Permission
from console.models import Hook
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.events import event_resends, publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import foreign_apis
from console.services.people import members, staffing, tokens
from console.services.upkeep import retention
from console.services.work import Work
from tests.engine import claim, delivery, hire, make_hook, publish, record, rows_of

pytestmark = pytest.mark.both_databases
WHILE_BLOCKED_S = 0.3
"""What has not come to its end by then waits for a lock that the interrupted one holds."""


@pytest.fixture
def just_before(work: Work, engine: Engine) -> Callable[..., object]:
    """Let somebody else act just before this thread's first statement with *words*, as far as the locks let them."""

    @contextmanager
    def interrupt(words: str, act: Callable[[Work], object]) -> Iterator[None]:
        me, errors = get_ident(), []

        def run() -> None:
            with Session(engine, expire_on_commit=False) as session:
                try:
                    act(replace(work, session=session))
                except Exception as error:  # noqa: BLE001 told to the test
                    errors.append(error)

        other = Thread(target=run)

        def listen(*arguments: object) -> None:
            if get_ident() == me and words in str(arguments[2]) and other.ident is None:
                other.start()
                other.join(WHILE_BLOCKED_S)

        event.listen(engine, "before_cursor_execute", listen)
        yield
        event.remove(engine, "before_cursor_execute", listen)
        assert other.ident is not None, f"no statement had the words {words}"
        other.join(10)
        if errors:
            raise errors[0]

    return interrupt


def hook_of(work: Work, hook: Hook) -> Hook:
    return hooks.get(work, organization_number=hook.organization_number, hook_id=hook.id)


def test_a_hook_enabled_while_an_event_is_published_leaves_nothing_held(work: Work, ada, just_before) -> None:
    hook = make_hook(work, ada, is_active=False)

    with just_before("INSERT INTO deliveries", lambda other: hooks.enable(other, hook=hook_of(other, hook))):
        [number] = publish(work, ada)

    assert delivery(work, number).state == "pending"


def test_a_hook_enabled_while_an_event_is_published_to_it_alone_leaves_nothing_held(
    work: Work, ada, just_before
) -> None:
    hook = make_hook(work, ada, is_active=False)

    with just_before("INSERT INTO deliveries", lambda other: hooks.enable(other, hook=hook_of(other, hook))):
        publishing.publish_to(work, hook=hook, draft=EventDraft(type="order.paid", payload=b"{}"))

    [found] = deliveries.find(
        work, organization_number=ada.organization.number, wanted=DeliveryFilter(hook_number=hook.number)
    )
    assert delivery(work, found.number).state == "pending"


def test_a_failure_recorded_while_its_hook_is_being_enabled_is_tried_again(work: Work, ada, just_before) -> None:
    hook = make_hook(work, ada)
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    hooks.disable(work, hook=hook)

    with just_before("UPDATE deliveries", lambda other: record(other, row, Outcome.SERVER_ERROR, status=500)):
        hooks.enable(work, hook=hook)

    assert delivery(work, row.number).state == "pending"


def test_two_changes_at_once_make_two_versions(work: Work, ada, just_before) -> None:
    """Workers keep a hook by its version: two contents under one would leave them with the older."""
    hook = make_hook(work, ada)

    def rename(other: Work) -> None:
        hooks.change(other, hook=hook_of(other, hook), draft=HookDraft(name="Other"))

    with just_before("UPDATE hooks", rename):
        hooks.change(work, hook=hook, draft=HookDraft(description="Mine"))

    work.session.expire_all()
    assert (hook.version, hook.name, hook.description) == (3, "Other", "Mine")


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(work: Work, ada, engine: Engine) -> None:
    hook = make_hook(work, ada)
    work.session.commit()
    with Session(engine, expire_on_commit=False) as session:
        other = replace(work, session=session)
        hooks.change(other, hook=hook_of(other, hook), draft=HookDraft(name="Other"))

    with pytest.raises(Conflict):
        hooks.change(work, hook=hook, draft=HookDraft(name="Mine"), version=1)


@pytest.mark.parametrize("switch", [hooks.enable, hooks.disable, hooks.delete])
def test_a_hook_that_was_deleted_meanwhile_is_gone(work: Work, ada, engine: Engine, switch) -> None:
    hook = make_hook(work, ada)
    with Session(engine, expire_on_commit=False) as session:
        other = replace(work, session=session)
        hooks.delete(other, hook=hook_of(other, hook))

    with pytest.raises(NotFound):
        switch(work, hook=hook)


def test_disabling_a_hook_that_was_enabled_meanwhile_disables_it(work: Work, ada, engine: Engine) -> None:
    hook = make_hook(work, ada, is_active=False)
    with Session(engine, expire_on_commit=False) as session:
        other = replace(work, session=session)
        hooks.enable(other, hook=hook_of(other, hook))

    hooks.disable(work, hook=hook)

    [number] = publish(work, ada)
    assert delivery(work, number).state == "held"


def test_canceling_at_the_moment_that_an_attempt_fails_cancels(work: Work, ada, just_before) -> None:
    make_hook(work, ada)
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    found = deliveries.get(work, organization_number=ada.organization.number, delivery_id=row.id)
    work.session.commit()

    with just_before("SET cancel_requested", lambda other: record(other, row, Outcome.SERVER_ERROR, status=500)):
        deliveries.cancel(work, delivery=found)

    assert delivery(work, row.number).state == "canceled"


def test_what_is_resent_while_old_deliveries_are_deleted_is_sent(work: Work, ada, clock, just_before) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    record(work, rows_of(claim(work, hire(work)))[0])
    clock.advance(days=work.settings.retention_days + 1)
    old = delivery(work, number)

    with just_before("INSERT INTO audit_entries", retention.prune):
        deliveries.resend(work, delivery=old)

    assert delivery(work, number).state == "pending"


def test_what_was_deleted_meanwhile_cannot_be_resent(work: Work, ada, clock, engine: Engine) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    record(work, rows_of(claim(work, hire(work)))[0])
    clock.advance(days=work.settings.retention_days + 1)
    old = delivery(work, number)
    with Session(engine, expire_on_commit=False) as session:
        retention.prune(replace(work, session=session))

    with pytest.raises(NotFound):
        deliveries.resend(work, delivery=old)


def test_an_event_sent_again_to_all_while_old_ones_are_deleted_is_sent(work: Work, ada, clock, just_before) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    record(work, rows_of(claim(work, hire(work)))[0])
    make_hook(work, ada, url="https://late.example.com/")
    clock.advance(days=work.settings.retention_days + 1)
    old = delivery(work, number).event
    work.session.commit()

    with just_before("INSERT INTO deliveries", retention.prune):
        count = event_resends.to_wanting(work, event=old)

    assert count == 2
    assert delivery(work, number).state == "pending"


def test_an_event_that_was_deleted_meanwhile_cannot_be_sent_again(work: Work, ada, clock, engine: Engine) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    record(work, rows_of(claim(work, hire(work)))[0])
    clock.advance(days=work.settings.retention_days + 1)
    old = delivery(work, number).event
    work.session.commit()
    with Session(engine, expire_on_commit=False) as session:
        retention.prune(replace(work, session=session))

    with pytest.raises(NotFound):
        event_resends.to_hook(work, event=old, hook=hook)


def test_a_token_revoked_while_it_creates_another_leaves_none_that_works(work: Work, ada, just_before) -> None:
    manage = [Permission.TOKENS_MANAGE]
    parent = tokens.issue(work, user=ada.user, organization=ada.organization, permissions=manage).token

    def revoke(other: Work) -> None:
        number = ada.organization.number
        tokens.revoke(other, token=tokens.get(other, organization_number=number, token_id=parent.id))

    with just_before("INSERT INTO tokens", revoke):
        child = tokens.issue(
            work, user=ada.user, organization=ada.organization, permissions=manage, parent_number=parent.number
        )

    work.session.expire_all()
    assert child.token.revoked_at is not None


def test_a_member_removed_while_they_create_a_token_leaves_none_that_works(work: Work, ada, ed, just_before) -> None:
    publish_only = [Permission.EVENTS_PUBLISH]

    def remove(other: Work) -> None:
        number = ada.organization.number
        members.remove_member(
            other, membership=members.get_member(other, organization_number=number, user_id=ed.user.id)
        )

    with just_before("INSERT INTO tokens", remove):
        token = tokens.issue(work, user=ed.user, organization=ed.organization, permissions=publish_only).token

    work.session.expire_all()
    assert token.revoked_at is not None


@pytest.mark.postgresql_only  # SQLite has one writer: there the token comes first, and stays
def test_somebody_removed_just_before_they_create_a_service_token_creates_none(
    work: Work, ada, ed, just_before
) -> None:
    def remove(other: Work) -> None:
        number = ada.organization.number
        members.remove_member(
            other, membership=members.get_member(other, organization_number=number, user_id=ed.user.id)
        )

    with just_before("SELECT organizations.number", remove), pytest.raises(Forbidden):
        tokens.issue(
            work,
            user=ed.user,
            organization=ed.organization,
            permissions=[Permission.EVENTS_PUBLISH],
            is_service=True,
        )


@pytest.mark.postgresql_only  # as above
@pytest.mark.parametrize("is_member", [True, False], ids=["a member", "staff who are no member"])
def test_somebody_switched_off_just_before_they_create_a_service_token_creates_none(
    work: Work, ada, ed, mallory, just_before, is_member
) -> None:
    creator = ed.user if is_member else mallory.user
    with work.transaction():
        ada.user.is_staff = creator.is_staff = True

    def switch_off(other: Work) -> None:
        staffing.deactivate(other, user=staffing.get(other, user_id=creator.id), even_last_admin=True)

    with just_before("SELECT organizations.number", switch_off), pytest.raises(Unauthenticated):
        tokens.issue(
            work,
            user=creator,
            organization=ada.organization,
            permissions=[Permission.EVENTS_PUBLISH],
            is_service=True,
        )


def test_an_api_that_is_switched_off_while_its_first_request_switches_it_on_is_off(
    work: Work, ada, just_before
) -> None:
    organization = ada.organization

    def ask(other: Work) -> None:
        foreign_apis.admit(other, organization_number=organization.number, api=PRETIX)

    with just_before("INSERT INTO api_switches", ask):
        foreign_apis.switch(work, organization=organization, api=PRETIX, is_on=False)

    assert foreign_apis.states(work, organization_number=organization.number)[PRETIX] is ApiState.OFF
