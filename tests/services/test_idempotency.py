"""Keys of repeated requests: who is first, what the others get, what is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from console.models import KeptAnswer, Token
from console.services import idempotency
from console.services.idempotency import Answer, Begun, InProgress
from console.services.work import Work

pytestmark = pytest.mark.both_databases
CREATED = Answer(201, (("Content-Type", "application/json"), ("X-Two", "1"), ("X-Two", "2")), b'{"id":1}')
Begin = Callable[..., Any]


@pytest.fixture
def begin(work: Work, ada: Any, token_of: Callable[..., str]) -> Begin:
    """Begin a request of ada's with the key ``k``, unless told."""
    credential = f"Token {token_of(ada)}"
    token_number = work.session.scalars(select(Token.number)).one()
    work.session.commit()

    def call(*, credential: str = credential, key: str = "k") -> Any:
        return idempotency.begin(work, token_number=token_number, credential=credential, key=key)

    return call


def keep(work: Work, begun: Any, answer: Answer = CREATED) -> None:
    idempotency.keep(work, begun=begun, status=answer.status, headers=answer.headers, body=answer.body)


def rows(work: Work) -> int:
    found = work.session.scalar(select(func.count()).select_from(KeptAnswer))
    work.session.commit()
    return found or 0


def test_a_repetition_gets_the_first_answer(work: Work, begin: Begin) -> None:
    keep(work, begin())

    assert begin() == CREATED
    assert begin() == CREATED


def test_another_key_or_another_credential_is_another_request(work: Work, begin: Begin) -> None:
    keep(work, begin())

    assert isinstance(begin(key="l"), Begun)
    assert isinstance(begin(credential="Token other"), Begun)


def test_a_repetition_of_what_is_in_progress_is_told_so(begin: Begin) -> None:
    assert isinstance(begin(), Begun)

    assert begin() == InProgress()


def test_a_released_key_is_new_again(work: Work, begin: Begin) -> None:
    idempotency.release(work, begun=begin())

    assert isinstance(begin(), Begun)


def test_a_request_that_never_ended_blocks_its_key_no_longer_than_the_lease(begin: Begin, clock: Any) -> None:
    begin()
    clock.advance(seconds=idempotency.LEASE.total_seconds() - 1)
    still = begin()
    clock.advance(seconds=1)

    assert still == InProgress()
    assert isinstance(begin(), Begun)
    assert begin() == InProgress()


def test_a_request_whose_place_was_taken_changes_nothing(work: Work, begin: Begin, clock: Any) -> None:
    late = begin()
    clock.advance(seconds=60)
    keep(work, begin())

    keep(work, late, Answer(400, (), b"late"))
    idempotency.release(work, begun=late)

    assert begin() == CREATED


def test_an_answer_is_given_again_for_a_day(work: Work, begin: Begin, clock: Any) -> None:
    keep(work, begin())
    clock.advance(hours=23, minutes=59)
    near_its_end = begin()
    clock.advance(minutes=1)

    assert near_its_end == CREATED
    assert isinstance(begin(), Begun)


def test_what_was_kept_for_a_day_is_deleted(work: Work, begin: Begin, clock: Any) -> None:
    keep(work, begin())
    begin(key="crashed")
    clock.advance(hours=23)
    keep(work, begin(key="young"))
    clock.advance(hours=1)

    assert idempotency.forget(work) == 2
    assert rows(work) == 1
    assert begin(key="young") == CREATED


def test_neither_key_nor_credential_is_kept(work: Work, begin: Begin) -> None:
    begin(credential="Token hy_secret", key="order-7")

    row = work.session.scalars(select(KeptAnswer)).one()

    assert len(row.fingerprint) == 32
    assert b"hy_secret" not in row.fingerprint


def test_credential_and_key_are_not_confused(begin: Begin) -> None:
    begin(credential="Token a", key="b c")

    assert isinstance(begin(credential="Token a b", key="c"), Begun)


def test_an_organization_keeps_its_newest_answers_and_no_more(work: Work, begin: Begin) -> None:
    for number in range(5):
        keep(work, begin(key=f"k{number}"))

    assert idempotency.forget(work, most=2) == 3
    assert [isinstance(begin(key=f"k{number}"), Begun) for number in (3, 4, 0)] == [False, False, True]
