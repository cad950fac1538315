"""The end of an organization."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text

from console.core.errors import Invalid, NotFound, Unauthenticated
from console.core.permissions import Permission
from console.models import Delivery, Event, Organization
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import closing, organizations
from console.services.people import members, token_use, tokens
from console.services.work import Work

pytestmark = pytest.mark.both_databases


@pytest.fixture
def busy(work: Work, ada: Any) -> Any:
    """Give acme a hook, a token, and a delivery that waits."""
    draft = HookDraft(url="https://example.com/", all_events=True)
    hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft)
    issued = tokens.issue(work, user=ada.user, organization=ada.organization, permissions=[Permission.ADMIN])
    publishing.publish(
        work, organization_number=ada.organization.number, draft=EventDraft(type="order.paid", payload=b"{}")
    )
    return issued


def _count(work: Work, model: Any) -> int:
    return work.session.scalar(select(func.count()).select_from(model)) or 0


def test_closing_ends_everything_at_once(work: Work, ada: Any, busy: Any) -> None:
    closing.close(work, organization=ada.organization, slug=" acme ")

    with pytest.raises(NotFound):
        organizations.get(work, slug="acme")
    with pytest.raises(Unauthenticated):
        token_use.authenticate(work, busy.text)
    assert members.organizations_of(work, user=ada.user) == []
    assert work.session.scalars(select(Delivery.state)).all() == ["canceled"]


def test_its_slug_is_free_for_another(work: Work, ada: Any, busy: Any) -> None:
    closing.close(work, organization=ada.organization, slug="acme")

    assert organizations.create(work, slug="acme").number != ada.organization.number


@pytest.mark.parametrize("typed", ["", "other", "ACME"])
def test_another_slug_closes_nothing(work: Work, ada: Any, typed: str) -> None:
    with pytest.raises(Invalid):
        closing.close(work, organization=ada.organization, slug=typed)

    assert organizations.get(work, slug="acme")


def test_what_is_left_is_deleted_later_and_others_keep_theirs(work: Work, ada: Any, mallory: Any, busy: Any) -> None:
    other = mallory.organization.number
    publishing.publish(work, organization_number=other, draft=EventDraft(type="order.paid", payload=b"{}"))
    closing.close(work, organization=ada.organization, slug="acme")

    assert closing.remove_closed(work) == 1

    assert work.session.scalars(select(Event.organization_number)).all() == [other]
    assert ada.organization.number not in work.session.scalars(select(Organization.number)).all()


def test_an_organization_stays_while_a_delivery_is_on_its_way(work: Work, ada: Any, busy: Any) -> None:
    closing.close(work, organization=ada.organization, slug="acme")
    delivery = work.session.scalars(select(Delivery)).one()
    with work.transaction():
        delivery.state = "sending"
    assert closing.remove_closed(work) == 0
    assert _count(work, Event) == 1

    with work.transaction():
        delivery.state = "delivered"

    assert closing.remove_closed(work) == 1
    assert _count(work, Delivery) == 0


def test_many_events_take_several_calls(work: Work, ada: Any) -> None:
    drafts = [EventDraft(type="order.paid", payload=b"{}") for _ in range(closing.BATCH + 1)]
    publishing.publish_batch(work, organization_number=ada.organization.number, drafts=drafts)
    closing.close(work, organization=ada.organization, slug="acme")

    assert closing.remove_closed(work, most_batches=1) == 0
    assert closing.remove_closed(work, most_batches=1) == 1


def test_looking_for_closed_organizations_waits_for_no_writer(work: Work, ada: Any, engine: Engine) -> None:
    with engine.connect() as writer:  # holds SQLite's one lock
        writer.execute(text("UPDATE organizations SET name = 'x'"))

        assert closing.remove_closed(work) == 0
        writer.rollback()


def test_a_closed_organization_is_not_there_for_staff_either(work: Work, ada: Any) -> None:
    closing.close(work, organization=ada.organization, slug="acme")

    with pytest.raises(NotFound):
        organizations.get(work, slug=ada.organization.slug)
