"""F3 and F4: the web process is killed around the commit of an event."""

from __future__ import annotations

from time import monotonic

import pytest
import requests

from tests.faults.stage import Stage


@pytest.mark.both_databases
def test_f3_an_event_that_was_committed_but_not_rung_for_is_delivered_soon(stage: Stage) -> None:
    stage.hook()
    stage.start_worker()
    web = stage.start_web(failpoints="published=kill9")

    begun = monotonic()
    with pytest.raises(requests.ConnectionError):
        web.publish(key="once")
    stage.wait_for(delivered=1)

    assert monotonic() - begun < 6
    assert len(stage.ledger.receipts) == 1
    stage.check()


@pytest.mark.both_databases
def test_f4_an_event_that_was_not_committed_is_none_and_repeating_it_makes_exactly_one(stage: Stage) -> None:
    stage.hook()
    web = stage.start_web(failpoints="publishing=kill9")
    with pytest.raises(requests.ConnectionError):
        web.publish(key="once")
    assert stage.events() == 0

    again = stage.start_web()
    answers = [again.publish(key="once") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert (stage.events(), stage.states()) == (1, {"pending": 1})


def test_f3_repeating_what_was_committed_without_an_answer_makes_no_second_event(stage: Stage) -> None:
    stage.hook()
    web = stage.start_web(failpoints="published=kill9")
    with pytest.raises(requests.ConnectionError):
        web.publish(key="once")

    answer = stage.start_web().publish(key="once")

    assert (answer.status_code, answer.json()["deliveries"]) == (202, 1)
    assert (stage.events(), stage.states()) == (1, {"pending": 1})
