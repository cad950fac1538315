"""A test of a hook that is not saved: what stands in the form is sent once, through queue, guard and log like any test.

The console makes no requests, so a worker needs a row to read. A trial is such a row: a hook that is deleted from its
first moment. No list, no publish and no dialect finds it; only the engine still sends its test. An hour later its
secrets are deleted, and the row when the log of the test is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from console.core.errors import TooMany
from console.models import Delivery, Hook
from console.services.hooks import hook_secrets, hook_tests, hooks
from console.services.hooks.hook_fields import UNSET, HookDraft
from console.services.work import Work

MOST_IN_A_MINUTE = 60
MINUTE = timedelta(minutes=1)


def send(
    work: Work,
    *,
    organization_number: int,
    author_number: int | None,
    draft: HookDraft,
    like: Hook | None = None,
    event_type: str | None = None,
) -> Delivery:
    """Send one test of what *draft* says; raise Invalid or TooMany.

    *like* is the hook that is being changed: the test keeps what the draft keeps of it, and is signed with its secret,
    so that its receiver can verify it. Otherwise it is signed with the secret of the draft. Retries, limits and expiry
    play no part in a test.
    """
    _check_rate(work, organization_number)
    plain = replace(draft, rate_limit=None, is_active=True, max_in_flight=1)
    if like is not None:
        plain = replace(plain, secret=hook_secrets.secrets_of(work, like)[0][1])
        if plain.dialect_data is UNSET:
            plain = replace(plain, dialect_data=like.dialect_data)
    made = hooks.create(
        work,
        organization_number=organization_number,
        author_number=author_number,
        draft=plain,
        is_trial=True,
        like=like,
    )
    return hook_tests.send(work, hook=made.hook, event_type=event_type)


def _check_rate(work: Work, organization_number: int) -> None:
    since = work.now() - MINUTE
    those = (Hook.organization_number == organization_number, Hook.is_trial, Hook.created_at > since)
    count = work.session.scalar(select(func.count()).select_from(Hook).where(*those)) or 0
    if count >= MOST_IN_A_MINUTE:
        words = f"An organization tries {MOST_IN_A_MINUTE} unsaved hooks a minute. Wait a moment."
        raise TooMany(words, retry_after_s=60)
