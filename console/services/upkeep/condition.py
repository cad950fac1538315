"""What keeps the installation as a whole from doing its work, in sentences for whoever runs it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from console.core.errors import KeyUnavailable
from console.database import dialect_of, server_now
from console.models import HookSecret, Leader
from console.services.upkeep.beating import DEAD_AFTER
from console.services.upkeep.leading import DISPATCHER
from console.services.work import Work

MOST_SKEW = timedelta(seconds=60)
"""Of the clocks of this host and the database. Receivers that follow Standard Webhooks refuse 5 minutes."""

SECRETS = (
    "Stored secrets cannot be decrypted: HOOKYARD_SECRET_KEY no longer lists the key that encrypted them. Deliveries "
    "wait for it, at no cost to their retries."
)
CLOCKS = (
    "The clocks of this host and of the database differ by more than a minute, so receivers may refuse signatures as "
    "too old or too new: set both clocks (NTP)."
)
WORKERS = "No worker is alive. Events are taken and kept, and delivered once workers run."


def unreadable_secrets(work: Work) -> list[str]:
    """Try the secret keys on the oldest and the newest stored secret; opens a transaction that the caller ends."""
    bounds = select(func.min(HookSecret.number)).union(select(func.max(HookSecret.number)))
    try:
        for sealed in work.session.scalars(select(HookSecret.sealed).where(HookSecret.number.in_(bounds))):
            work.keys.open(sealed)
    except KeyUnavailable:
        return [SECRETS]
    return []


def differing_clocks(work: Work, *, host_now: datetime) -> list[str]:
    """Compare the host's clock with the database's, by which requests are dated; SQLite has none of its own."""
    if dialect_of(work.session) == "sqlite":
        return []
    return [CLOCKS] if abs(server_now(work.session) - host_now) > MOST_SKEW else []


def missing_workers(work: Work) -> list[str]:
    """See whether any worker leads, as one always does; opens a transaction that the caller ends."""
    query = select(Leader.beat_at).where(Leader.name == DISPATCHER, Leader.worker_number.is_not(None))
    beat_at = work.session.scalar(query)
    return [] if beat_at is not None and abs(work.now() - beat_at) < DEAD_AFTER else [WORKERS]
