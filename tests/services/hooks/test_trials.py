"""A test of a hook that is not saved: the engine sends it, and nobody else ever finds the hook."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.core.errors import Conflict, Invalid, NotFound, TooMany
from console.core.outcomes import Outcome
from console.models import Delivery, Hook, HookSecret
from console.services.deliveries import deliveries
from console.services.engine import recipients
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.figures import stats
from console.services.hooks import hook_secrets, hooks, trials
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.hooks import HookFilter
from console.services.upkeep import repairing, retention
from console.services.work import Work
from tests.engine import claim, hire, record, rows_of

pytestmark = pytest.mark.both_databases
URL = "https://example.com/draft"


def send(work: Work, person, **fields: object) -> Delivery:
    options = {name: fields.pop(name) for name in ("like", "event_type") if name in fields}
    draft = HookDraft(**{"url": URL, "all_events": True, **fields})
    number = person.organization.number
    found = trials.send(work, organization_number=number, author_number=None, draft=draft, **options)
    work.session.commit()
    return found


def make_hook(work: Work, person, **fields: object) -> Hook:
    draft = HookDraft(**{"url": "https://example.com/saved", **fields})
    return hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft).hook


def test_its_test_is_claimed_and_recorded_like_any(work: Work, ada) -> None:
    sent = send(work, ada)

    [row] = rows_of(claim(work, hire(work)))
    record(work, row)

    found = deliveries.get(work, organization_number=ada.organization.number, delivery_id=sent.id)
    assert (found.state, found.is_test, found.trigger, found.url) == ("delivered", True, "test", URL)


def test_a_failed_test_is_not_sent_again(work: Work, ada) -> None:
    send(work, ada)

    [row] = rows_of(claim(work, hire(work)))
    record(work, row, Outcome.CONNECTION_REFUSED)

    assert work.session.scalar(select(Delivery.state)) == "failed"


def test_the_sweeper_leaves_its_waiting_test_alone(work: Work, ada) -> None:
    send(work, ada)

    repairing.settle(work)

    assert work.session.scalar(select(Delivery.state)) == "pending"


def test_nobody_finds_the_hook_and_no_event_reaches_it(work: Work, ada) -> None:
    sent = send(work, ada)
    number = ada.organization.number

    assert hooks.find(work, organization_number=number, wanted=HookFilter()) == []
    assert stats.hook_count(work, organization_number=number) == 0
    with pytest.raises(NotFound):
        hooks.get(work, organization_number=number, hook_id=sent.hook.id)
    draft = EventDraft(type="order.paid", payload=b"{}")
    assert publishing.publish(work, organization_number=number, draft=draft).deliveries == 0
    with pytest.raises(Conflict):
        deliveries.resend(work, delivery=sent)


def test_the_test_of_a_changed_hook_is_signed_with_its_secret_and_no_other(work: Work, ada) -> None:
    saved = make_hook(work, ada)
    [(_, secret)] = hook_secrets.secrets_of(work, saved)

    like_it = send(work, ada, like=saved)
    fresh = send(work, ada)

    found = recipients.load(work, numbers=[like_it.hook_number, fresh.hook_number])
    assert found[like_it.hook_number].secrets[0].text == secret
    assert found[fresh.hook_number].secrets[0].text != secret


def test_what_could_not_be_saved_is_not_sent(work: Work, ada) -> None:
    with pytest.raises(Invalid):
        send(work, ada, url="http://10.0.0.1/")

    assert work.session.scalar(select(Hook.number)) is None


def test_an_organization_tries_so_many_a_minute(work: Work, ada, mallory, clock, monkeypatch) -> None:
    monkeypatch.setattr(trials, "MOST_IN_A_MINUTE", 2)
    send(work, ada)
    send(work, ada)

    with pytest.raises(TooMany):
        send(work, ada)
    send(work, mallory)
    clock.advance(minutes=2)
    send(work, ada)


def test_its_secrets_go_after_an_hour_and_it_goes_with_its_log(work: Work, ada, clock) -> None:
    send(work, ada, headers={"Authorization": "Bearer x"})
    kept = make_hook(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    record(work, row)
    clock.advance(hours=2)

    retention.prune(work)
    work.session.expire_all()
    trial = work.session.scalar(select(Hook).where(Hook.is_trial))
    assert trial.sealed_headers is None
    assert list(work.session.scalars(select(HookSecret.hook_number))) == [kept.number]

    clock.advance(days=60)
    retention.prune(work)
    retention.prune(work)
    assert list(work.session.scalars(select(Hook.number))) == [kept.number]
