"""Deliveries by what receivers answered: an exact status, and any attempt or the last."""

from __future__ import annotations

from typing import Any

import pytest

from console.core.outcomes import NO_STATUS, Outcome
from console.services.deliveries import deliveries, delivery_walks
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.engine import result_rows
from console.services.engine.result_rows import Rows
from console.services.work import Work
from tests.engine import claim, delivery, hire, make_due, make_hook, publish, record, rows_of

pytestmark = pytest.mark.both_databases
ENDS: dict[str, list[tuple[Outcome, int | None]]] = {
    "good": [(Outcome.OK, 200)],
    "created": [(Outcome.OK, 201)],
    "throttled": [(Outcome.THROTTLED, 429)],
    "throttled first": [(Outcome.THROTTLED, 429), (Outcome.OK, 200)],
    "not found": [(Outcome.CLIENT_ERROR, 404)],
    "silent, then broken": [(Outcome.TIMEOUT, None), (Outcome.SERVER_ERROR, 503)],
    "broken twice": [(Outcome.SERVER_ERROR, 503), (Outcome.SERVER_ERROR, 503), (Outcome.OK, 200)],
}


def answer(work: Work, number: int, outcome: Outcome, status: int | None) -> None:
    """Write how an attempt ended, as the engine writes a batch of results."""
    row = dict.fromkeys(("next_attempt_at", "waiting_reason", "finished_at", "last_duration_ms"))
    change = {
        **row,
        "delivery": number,
        "state": "delivered" if outcome is Outcome.OK else "failed",
        "chain_failures": 0,
        "modified_at": work.now(),
        "last_status": status,
        "last_outcome": outcome.value,
        "url": "https://a.example/",
        "bad_answer": None if outcome is Outcome.OK else str(status or NO_STATUS),
    }
    with work.transaction():
        result_rows.write(work, Rows(changes=[change]))


@pytest.fixture
def named(work: Work, ada: Any) -> dict[int, str]:
    """Deliveries of one event each, by number, whose attempts ended as ``ENDS`` says."""
    make_hook(work, ada)
    numbers = publish(work, ada, len(ENDS))
    for number, ends in zip(numbers, ENDS.values(), strict=True):
        for outcome, status in ends:
            answer(work, number, outcome, status)
    return dict(zip(numbers, ENDS, strict=True))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"status": 200}, {"good", "throttled first", "broken twice"}),
        ({"status": 201}, {"created"}),
        ({"status": 429}, {"throttled"}),
        ({"status": 429, "any_attempt": True}, {"throttled", "throttled first"}),
        ({"status": 42}, set()),
        ({"status": 503, "any_attempt": True}, {"silent, then broken", "broken twice"}),
        ({"status_class": "5xx"}, {"silent, then broken"}),
        ({"status_class": "5xx", "any_attempt": True}, {"silent, then broken", "broken twice"}),
        ({"status_class": "4xx", "any_attempt": True}, {"throttled", "throttled first", "not found"}),
        ({"status_class": "none"}, set()),
        ({"status_class": "none", "any_attempt": True}, {"silent, then broken"}),
        ({"status_class": "2xx", "any_attempt": True}, {"good", "created", "throttled first", "broken twice"}),
        ({"status_class": "failed"}, {"throttled", "not found", "silent, then broken"}),
        (
            {"status_class": "failed", "any_attempt": True},
            {"throttled", "throttled first", "not found", "silent, then broken", "broken twice"},
        ),
        ({"any_attempt": True}, set(ENDS)),
    ],
)
def test_deliveries_are_found_by_the_status_of_the_last_or_of_any_attempt(
    work: Work, ada: Any, named: dict[int, str], wanted: dict[str, Any], names: set[str]
) -> None:
    number, asked = ada.organization.number, DeliveryFilter(**wanted)

    found = deliveries.find(work, organization_number=number, wanted=asked)

    assert {named[one.number] for one in found} == names
    assert deliveries.count(work, organization_number=number, wanted=asked) == len(names)


def test_a_search_that_finds_many_still_counts_beside_what_few_were_answered(
    work: Work, ada: Any, named: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_walks, "MOST_FOUND", 0)
    wanted = DeliveryFilter(status=429, any_attempt=True, q="4711")

    assert deliveries.find(work, organization_number=ada.organization.number, wanted=wanted) == []


@pytest.mark.parametrize("most", [0, 50])
def test_what_many_got_is_found_by_walking(
    work: Work, ada: Any, named: dict[int, str], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(delivery_walks, "MOST_ANSWERS", most)
    monkeypatch.setattr(delivery_walks, "is_few", lambda *_, **__: False)

    wanted = DeliveryFilter(status=429, any_attempt=True)
    found = deliveries.find(work, organization_number=ada.organization.number, wanted=wanted)

    assert {named[one.number] for one in found} == {"throttled", "throttled first"}


def test_the_engine_notes_what_an_attempt_got_that_failed(work: Work, ada: Any) -> None:
    make_hook(work, ada)
    worker, [number] = hire(work), publish(work, ada)

    for outcome, status in ((Outcome.SERVER_ERROR, 503), (Outcome.OK, 200)):
        make_due(work)
        [row] = rows_of(claim(work, worker))
        record(work, row, outcome, status=status)

    found = delivery(work, number)
    assert (found.state, found.last_status, found.bad_answers) == ("delivered", 200, ",503,")


def test_each_answer_is_noted_once_and_not_without_end(work: Work, ada: Any) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)

    for status in [500, 500, *range(501, 599)]:
        answer(work, number, Outcome.SERVER_ERROR, status)

    noted = delivery(work, number).bad_answers
    assert noted is not None
    assert noted.startswith(",500,501,502,")
    assert len(noted) <= 210
