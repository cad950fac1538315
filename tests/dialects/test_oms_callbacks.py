"""What follows an attempt of a webhook of oms: callbacks of the installation, and events made of the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from console.models import Event
from console.services.engine import callbacks
from console.services.engine.callbacks import Attempted
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hook_tests
from console.services.work import Work
from tests.dialects.drf_stage import row_of
from tests.dialects.oms_stage import (
    at_present,
    deliver,
    events_of,
    make,
    make_native,
    path_of,
    publish,
    sent,
)
from tests.receiver import Receiver


def responses(work: Work) -> list[Event]:
    """Give the events that callbacks published, oldest first."""
    work.session.commit()
    query = select(Event).where(Event.is_from_callback).order_by(Event.number)
    return list(work.session.scalars(query))


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("answer", "payloads"),
    [
        ((200, {"Content-Type": "application/json"}, b'{"order": 1.10}'), [b'{"order": 1.10}']),
        ((200, {}, b"[1]"), [b"[1]"]),
        ((200, {}, b"ok"), []),
        ((200, {}, b""), []),
        ((200, {}, b'{"a": 1, "a": 2}'), []),
        ((500, {"Content-Type": "application/json"}, b'{"order": 1}'), []),
    ],
)
def test_a_json_answer_is_published_as_an_event(
    ada_api: Any, work: Work, receiver: Receiver, answer: Any, payloads: list[bytes]
) -> None:
    receiver.answer = answer

    sent(ada_api, work, receiver, callback="publish_response")

    found = responses(work)
    assert [event.payload for event in found] == payloads
    assert all(event.type == "package.created.responded" for event in found)


def test_an_answer_to_a_callbacks_event_is_not_published_again(
    ada_api: Any, ada: Any, work: Work, receiver: Receiver
) -> None:
    receiver.answer = (200, {}, b'{"order": 1}')
    hook = make_native(work, ada, url=receiver.url, event_types=["*"], payload_format="oms")
    hook.dialect_data = {"oms": {"callback": "publish_response"}}
    work.session.commit()
    draft = EventDraft(type="package.created", payload=b"{}")
    publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    for _ in range(3):
        deliver(work)

    assert len(responses(work)) == 1
    assert len(receiver.receipts) == 2


def test_a_test_publishes_nothing(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receiver.answer = (200, {}, b'{"order": 1}')
    made = make(ada_api, target_url=receiver.url, callback="publish_response")
    hook_tests.send(at_present(work), hook=row_of(work, made))

    deliver(work)

    assert (len(receiver.receipts), responses(work)) == (1, [])


class Entry:
    """An entry point of an installed package; *find* loads it."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self.load = load


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Offer callbacks by name, as an installed package does."""

    def install(**offered: Callable[[], Any]) -> None:
        found = {name: Entry(load) for name, load in offered.items()}
        monkeypatch.setattr(callbacks, "_offered", lambda: found)

    return install


def test_a_package_may_offer_callbacks_that_hear_of_each_attempt(
    ada_api: Any, work: Work, receiver: Receiver, offer: Callable[..., None]
) -> None:
    heard: list[Attempted] = []
    offer(note=lambda: lambda _work, attempted: heard.append(attempted))
    receiver.answer = (503, {}, b"later")

    sent(ada_api, work, receiver, callback="note")
    receiver.answer = (200, {}, b"ok")
    deliver(work)

    [event] = events_of(ada_api)
    assert [(one.attempt, one.outcome.value, one.status, one.response_body) for one in heard] == [
        (1, "server_error", 503, b"later"),
        (2, "ok", 200, b"ok"),
    ]
    assert {str(one.delivery_id) for one in heard} == {event["uuid"]}


def _raising(error: BaseException) -> Callable[..., None]:
    def callback(_work: Work, _attempted: Attempted) -> None:
        raise error

    return callback


def _unimportable() -> Any:
    raise ImportError("no module named acme")


BROKEN: dict[str, Callable[[], Any]] = {
    "raises": lambda: _raising(ValueError("whsec_secret")),
    "exits": lambda: _raising(SystemExit(1)),
    "unimportable": _unimportable,
    "no_function": lambda: 5,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_callback_that_fails_breaks_nothing(
    ada_api: Any, work: Work, receiver: Receiver, offer: Callable[..., None], name: str
) -> None:
    heard: list[Attempted] = []
    offer(**{name: BROKEN[name], "note": lambda: lambda _work, attempted: heard.append(attempted)})
    publish(ada_api, make(ada_api, target_url=receiver.url, callback=name))
    publish(ada_api, make(ada_api, target_url=receiver.url, callback="note", event_type="shipment.created"))

    deliver(work)

    assert all(event["delivered"] for event in events_of(ada_api))
    assert len(heard) == 1


def test_a_callback_that_is_registered_no_longer_is_passed_over_and_may_be_sent_back(
    ada_api: Any, work: Work, receiver: Receiver, offer: Callable[..., None]
) -> None:
    offer(note=lambda: lambda _work, _attempted: None)
    made = make(ada_api, target_url=receiver.url, callback="note")
    offer()
    publish(ada_api, made)

    deliver(work)

    assert events_of(ada_api)[0]["delivered"] is True
    assert ada_api.put(path_of(made), json=made).get_json()["callback"] == "note"
    assert ada_api.post("/api/v1/oms/oms_hooks/", json=made).get_json() == {
        "callback": ['"note" is not a valid choice.']
    }


def test_a_callback_that_never_returns_holds_up_no_delivery(
    ada_api: Any, work: Work, receiver: Receiver, offer: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Event as Gate

    from workers import drain

    gate = Gate()
    offer(hang=lambda: lambda _work, _attempted: gate.wait(60))
    monkeypatch.setattr(drain, "LONGEST_CALLS_S", 0.1)
    made = make(ada_api, target_url=receiver.url, callback="hang")
    for _ in range(3):
        publish(ada_api, made)

    deliver(work)

    gate.set()
    assert [event["delivered"] for event in events_of(ada_api)] == [True] * 3
