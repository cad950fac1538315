"""The throttle of guesses, kept in the database so that it holds over all processes.

What is free costs no wait; from then on each failure within 15 minutes makes the next wait longer, up to five minutes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select, text

from console.core.errors import TooMany
from console.database import dialect_of
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


@contextmanager
def throttled(work: Work, name: str, *, free: int = 5) -> Iterator[None]:
    """Count what is tried inside as a failure of *name*, unless it ends well; raise TooMany while a wait lasts."""
    scope = Scope(hashed(name), free=free)
    attempts = admit(work, [scope])
    yield
    with work.transaction():
        forget(work, account=scope, attempts=attempts)


def admit(work: Work, scopes: list[Scope]) -> list[int]:
    """Count this attempt as a failure until it proves to be none, and give the numbers of what was written.

    Counting first means that many attempts at once cannot all slip through. Raise TooMany while a wait lasts.
    """
    now = work.now()
    with work.transaction():
        for scope in scopes:
            _one_at_a_time(work, scope)
            failures, last = work.session.execute(
                select(func.count(), func.max(SignInFailure.at, type_=SignInFailure.at.type)).where(
                    SignInFailure.scope == scope.name, SignInFailure.at > now - WINDOW
                )
            ).one()
            _check_wait(now, failures=failures, last=last, free=scope.free)
        rows = [SignInFailure(scope=scope.name, at=now) for scope in scopes]
        work.session.add_all(rows)
        work.session.flush()
        return [row.number for row in rows]


def _check_wait(now: datetime, *, failures: int, last: datetime | None, free: int) -> None:
    if last is None or failures < free:
        return
    delay_s = min(FIRST_DELAY_S * 2 ** (failures - free), LONGEST_DELAY_S)
    left_s = math.ceil((last + timedelta(seconds=delay_s) - now).total_seconds())
    if left_s > 0:
        raise TooMany(f"Too many attempts. Try again in {left_s} s.", retry_after_s=left_s)


def _one_at_a_time(work: Work, scope: Scope) -> None:
    """Let attempts of one scope count one after the other; SQLite's writers do so anyhow."""
    if dialect_of(work.session) == "postgresql":
        key = int.from_bytes(hashlib.sha256(scope.name.encode()).digest()[:8], "big", signed=True)
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def forget(work: Work, *, account: Scope, attempts: list[int]) -> None:
    """Clear the account's failures and this attempt's own rows; and what is a day old, of everybody."""
    wanted: ColumnElement[bool] = or_(
        SignInFailure.scope == account.name,
        SignInFailure.number.in_(attempts),
        SignInFailure.at < work.now() - timedelta(days=1),
    )
    work.session.execute(delete(SignInFailure).where(wanted))


def hashed(scope: str) -> str:
    """Give the name under which failures of *scope* are stored: no e-mail of a stranger stands in the table."""
    return hashlib.sha256(scope.encode("utf-8", "surrogatepass")).hexdigest()
