"""The throttle of guesses, kept in the database so that it holds over all processes.

What is free costs no wait; from then on each failure within 15 minutes makes the next wait longer, up to five minutes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select

from console.core.errors import TooMany
from console.database import take_turns
from console.models import SignInFailure
from console.services.work import Work

WINDOW = timedelta(minutes=15)
LONGEST_DELAY_S = 300
FIRST_DELAY_S = 5


@dataclass(frozen=True, slots=True)
class Scope:
    """What failures are counted for: an account or an address prefix; the first *free* of them cost no wait."""

    name: str
    free: int


@dataclass(frozen=True, slots=True)
class Admission:
    """An attempt that may be made: the numbers of the rows that count it, and the wait of its shared scopes, if any."""

    attempts: list[int]
    delay: TooMany | None = None


@contextmanager
def throttled(work: Work, name: str, *, free: int = 5) -> Iterator[None]:
    """Count what is tried inside as a failure of *name*, unless it ends well; raise TooMany while a wait lasts."""
    scope = Scope(hashed(name), free=free)
    admission = admit(work, scope)
    yield
    with work.transaction():
        forget(work, scopes=[scope], attempts=admission.attempts)


def admit(work: Work, own: Scope, *, shared: Sequence[Scope] = ()) -> Admission:
    """Count this attempt as a failure until it proves to be none.

    Counting first means that many attempts at once cannot all slip through. Raise TooMany while *own* has to wait.
    While a *shared* scope has to wait, the attempt counts for *own* alone; the caller decides whether it may succeed.
    """
    now = work.now()
    with work.transaction():
        for scope in (own, *shared):  # always in this order, so that no two wait for each other
            take_turns(work.session, scope.name)
        left_s = _wait_left_s(work, own, now=now)
        if left_s > 0:
            raise _too_many(left_s)
        shared_s = max((_wait_left_s(work, scope, now=now) for scope in shared), default=0)
        counted = [own] if shared_s > 0 else [own, *shared]
        rows = [SignInFailure(scope=scope.name, at=now) for scope in counted]
        work.session.add_all(rows)
        work.session.flush()
    return Admission([row.number for row in rows], _too_many(shared_s) if shared_s > 0 else None)


def _wait_left_s(work: Work, scope: Scope, *, now: datetime) -> int:
    """Return how many seconds *scope* still has to wait; zero or less: none."""
    failures, last = work.session.execute(
        select(func.count(), func.max(SignInFailure.at, type_=SignInFailure.at.type)).where(
            SignInFailure.scope == scope.name, SignInFailure.at > now - WINDOW
        )
    ).one()
    if not failures or failures < scope.free:
        return 0
    delay_s = min(FIRST_DELAY_S * 2 ** (failures - scope.free), LONGEST_DELAY_S)
    return math.ceil((last + timedelta(seconds=delay_s) - now).total_seconds())


def _too_many(left_s: int) -> TooMany:
    return TooMany(f"Too many attempts. Try again in {left_s} s.", retry_after_s=left_s)


def forget(work: Work, *, scopes: Sequence[Scope], attempts: list[int]) -> None:
    """Clear the failures of *scopes* and this attempt's own rows; and of everybody what counts no longer."""
    wanted: ColumnElement[bool] = or_(
        SignInFailure.scope.in_([scope.name for scope in scopes]),
        SignInFailure.number.in_(attempts),
        SignInFailure.at < work.now() - WINDOW,
    )
    work.session.execute(delete(SignInFailure).where(wanted))


def hashed(*parts: str) -> str:
    """Return the name under which failures of a scope are stored: no e-mail of a stranger stands in the table.

    Other *parts* never have the same name, whatever characters strangers type into them.
    """
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
