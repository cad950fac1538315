"""Requests with an idempotency key: the first answer is kept for a day and stands for every repetition.

A request is begun before it does anything and finished with its answer. One whose process died is never finished:
after ``LEASE`` the next with its key takes its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from console.database import dialect_of
from console.models import KeptAnswer, Token
from console.services.work import Work

KEPT = timedelta(hours=24)
MOST_KEPT = 10_000
"""Answers of one organization that are kept; older ones are forgotten within a minute."""

LEASE = timedelta(seconds=60)
"""How long a request may be in progress: longer than all its waits for the database together can take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was given; *headers* are those of the answer itself."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    number: int = field(default=0, compare=False)
    started_at: datetime = field(default=datetime.max.replace(tzinfo=UTC), compare=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """The request is the first with its key: do it, then ``keep`` its answer or ``release`` the key."""

    number: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class InProgress:
    """The first request with this key has no answer yet; try again later."""


Standing: TypeAlias = Begun | InProgress | Answer


def begin(work: Work, *, token_number: int | None, credential: str, key: str) -> Standing:
    """Say how a request stands to those before it with the same *credential* and *key*, and begin it if it is new.

    One statement takes the key, so of two requests at once exactly one has begun. *token_number* is None for a person.
    """
    fingerprint = hashlib.sha256(credential.encode() + b"\x00" + key.encode()).digest()
    now = work.now()
    fresh = {"token_number": token_number, "started_at": now, "status": None, "headers": None, "body": None}
    dialect = sqlite if dialect_of(work.session) == "sqlite" else postgresql
    take = (
        dialect.insert(KeptAnswer)
        .values(fingerprint=fingerprint, **fresh)
        .on_conflict_do_update(
            index_elements=[KeptAnswer.fingerprint],
            set_=fresh,
            where=or_(
                KeptAnswer.started_at <= now - KEPT,
                and_(KeptAnswer.status.is_(None), KeptAnswer.started_at <= now - LEASE),
            ),
        )
        .returning(KeptAnswer.number)
    )
    with work.transaction():
        number = work.session.scalar(take)
        return Begun(number, now) if number is not None else _of_the_first(work, fingerprint)


def _of_the_first(work: Work, fingerprint: bytes) -> Answer | InProgress:
    columns = (KeptAnswer.number, KeptAnswer.started_at, KeptAnswer.status, KeptAnswer.headers, KeptAnswer.body)
    row = work.session.execute(select(*columns).where(KeptAnswer.fingerprint == fingerprint)).one_or_none()
    if row is None or row.status is None:  # no row: released right now
        return InProgress()
    headers = tuple((name, value) for name, value in row.headers)
    return Answer(row.status, headers, row.body, row.number, row.started_at)


def keep(work: Work, *, begun: Begun, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
    """Keep the answer of a request; nothing happens when another has taken its place meanwhile."""
    with work.transaction():
        work.session.execute(
            update(KeptAnswer)
            .where(*_ours(begun))
            .values(status=status, headers=[list(pair) for pair in headers], body=body)
        )


def release(work: Work, *, begun: Begun) -> None:
    """Let the next request with the key be a first one again: this one's answer asks for it to be sent again."""
    with work.transaction():
        work.session.execute(delete(KeptAnswer).where(*_ours(begun)))


def forget_headers(work: Work, *, number: int) -> None:
    """Forget the headers of a kept answer: what they say must not be said again."""
    with work.transaction():
        work.session.execute(update(KeptAnswer).where(KeptAnswer.number == number).values(headers=[]))


def _ours(begun: Begun) -> tuple[ColumnElement[bool], ...]:
    return KeptAnswer.number == begun.number, KeptAnswer.started_at == begun.started_at, KeptAnswer.status.is_(None)


def forget(work: Work, *, most: int = MOST_KEPT) -> int:
    """Delete the answers that were kept long enough, and all but the newest *most* of an organization.

    Return how many. For the dispatcher's retention.
    """
    newest_first = func.row_number().over(partition_by=Token.organization_number, order_by=KeptAnswer.number.desc())
    ranked = select(KeptAnswer.number, newest_first.label("rank")).join(Token, Token.number == KeptAnswer.token_number)
    rows = ranked.subquery()
    excess = select(rows.c.number).where(rows.c.rank > most)
    with work.transaction():
        result = work.session.execute(
            delete(KeptAnswer).where(or_(KeptAnswer.started_at <= work.now() - KEPT, KeptAnswer.number.in_(excess))),
            execution_options={"synchronize_session": False},
        )
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives
