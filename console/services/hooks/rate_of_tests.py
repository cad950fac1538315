"""How often a hook may be tested: a test sends a request at once, wherever its hook points."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import select

from console.core.errors import TooMany
from console.models import Delivery, Hook
from console.services.work import Work

MOST_IN_A_MINUTE = 60
RECENT_DELIVERIES = 200
"""So many of a hook's latest deliveries are looked at for tests."""
MINUTE = timedelta(minutes=1)


def check(work: Work, *, hook: Hook) -> None:
    """Raise TooMany when *hook* was tested as often as it may be within the last minute."""
    latest = (
        select(Delivery.is_test, Delivery.created_at)
        .where(Delivery.hook_number == hook.number)
        .order_by(Delivery.number.desc())
        .limit(RECENT_DELIVERIES)
        .subquery()
    )
    now = work.now()
    tests = select(latest.c.created_at).where(latest.c.is_test, latest.c.created_at > now - MINUTE)
    moments = sorted(work.session.scalars(tests), reverse=True)
    if len(moments) >= MOST_IN_A_MINUTE:
        left = moments[MOST_IN_A_MINUTE - 1] + MINUTE - now
        wait_s = math.ceil(left.total_seconds())
        raise TooMany(f"A hook takes {MOST_IN_A_MINUTE} tests a minute. Wait {wait_s} s.", retry_after_s=wait_s)
