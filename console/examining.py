"""What the installation stands on, looked at in turn: for ``hookyard doctor`` and for the System page alike."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from console import checks, forwarding, privacy
from console.checks import RedisFacts
from console.core.errors import HookyardError, KeyUnavailable
from console.database import dialect_of, server_now
from console.models import Delivery, DeliveryState, Event, HookSecret
from console.sentences import describe
from console.services.figures import stats
from console.services.keys import KeyRing
from console.services.work import Work
from console.settings import Settings

SKEW_WARNED = timedelta(seconds=2)
SKEW_REFUSED = timedelta(seconds=60)
LATE = timedelta(seconds=60)


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warn"
    FAILURE = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has shown."""

    level: Level
    subject: str
    words: str


def look_at_host(settings: Settings) -> tuple[KeyRing | None, list[Finding]]:
    """Look at what needs no database: the data directory and the secret key, which is given if there is one."""
    keys, finding = look_at_secret_key(settings)
    return keys, [look_at_data(settings), look_at_privacy(settings), finding]


def look_at_services(work: Work, *, keys: KeyRing | None) -> Iterator[Finding]:
    """Look at workers, clock, secrets and what is overdue; a look that cannot be taken is a failure, not the end."""
    looks: list[Callable[[], Finding]] = [
        lambda: look_at_clock(work.session),
        lambda: look_at_stored_secrets(work.session, keys),
        lambda: look_at_overdue(work.session),
        lambda: look_at_fan_outs(work.session),
    ]
    try:
        yield from look_at_workers(work)
        for look in looks:
            yield look()
    except SQLAlchemyError as error:
        yield Finding(Level.FAILURE, "database", describe(error) or str(error))


def look_at_data(settings: Settings) -> Finding:
    """See whether the data directory can be written."""
    try:
        with tempfile.TemporaryFile(dir=settings.data):
            pass
    except OSError as error:
        needed = settings.is_sqlite or not settings.redis_url or not settings.secret_key
        level = Level.FAILURE if needed else Level.OK
        ending = "" if needed else "; nothing needs it"
        return Finding(level, "data directory", f"{settings.data} cannot be written ({error.strerror}){ending}.")
    return Finding(Level.OK, "data directory", f"{settings.data} can be written.")


def look_at_privacy(settings: Settings) -> Finding:
    """Return a warning when other accounts of the host may read the data directory or a file in it."""
    open_to_others = privacy.open_to_others(settings)
    if not open_to_others:
        return Finding(Level.OK, "file permissions", "Other accounts of this host cannot read the data.")
    return Finding(
        Level.WARNING,
        "file permissions",
        f"Other accounts of this host may read what is kept here: run `{privacy.remedy(open_to_others)}`. "
        "`hookyard up` does it for its files when it starts.",
    )


def look_at_secret_key(settings: Settings) -> tuple[KeyRing | None, Finding]:
    """See whether there is a secret key."""
    try:
        keys = settings.secret_keys
    except HookyardError as error:
        return None, Finding(Level.FAILURE, "secret key", error.message)
    words = "There is one." if len(keys) == 1 else f"There are {len(keys)}; the first encrypts."
    return KeyRing(keys), Finding(Level.OK, "secret key", words)


def look_at_schema(*, kind: str, revision: str | None) -> Finding:
    """See whether the database has this version's schema."""
    from console import migrations  # noqa: PLC0415  Alembic is large, and a web server has no other use for it

    head = migrations.head()
    if revision == head:
        return Finding(Level.OK, "database", f"{kind}, at {revision}.")
    words = f"It is at {revision or 'nothing'}, this version needs {head}: run `hookyard db upgrade`."
    return Finding(Level.FAILURE, "database", words)


def look_at_redis(url: str, *, hint: str = "") -> tuple[RedisFacts | None, list[Finding]]:
    """See whether Redis answers, is recent, never evicts and keeps an append-only file; give what it says of itself.

    *hint* is added to the words when it cannot be used.
    """
    try:
        facts = checks.require_redis(url)
    except HookyardError as error:
        return None, [Finding(Level.FAILURE, "Redis", f"{error.message}{hint}")]
    policy = facts.policy or "an eviction policy it does not tell"
    found = [Finding(Level.OK, "Redis", f"It answers: version {facts.version}, {policy}.")]
    if facts.keeps_log is False:
        words = "It keeps no append-only file: after its restart, workers notice due deliveries up to 5 s later."
        found.append(Finding(Level.WARNING, "Redis", words))
    return facts, found


def look_at_proxy(settings: Settings, *, redis_url: str) -> list[Finding]:
    """See whether requests come through a proxy that HOOKYARD_PROXY_HOPS does not count."""
    try:
        if settings.proxy_hops or not forwarding.was_seen(redis_url):
            return []
    except (RedisError, ValueError):
        return []  # the look at Redis says so
    words = (
        "Requests arrive with X-Forwarded-For, and HOOKYARD_PROXY_HOPS is 0: everybody seems to come from the proxy, "
        "so failed sign-ins of one person make all wait. Set it to the number of proxies in front. Without a proxy, "
        "somebody sends that header by hand."
    )
    return [Finding(Level.WARNING, "proxy", words)]


def look_at_workers(work: Work) -> Iterator[Finding]:
    """See whether every lane has a worker that beats."""
    for lane in stats.lanes(work):
        subject = f"workers of {lane.name}"
        if lane.workers:
            yield Finding(Level.OK, subject, f"{lane.workers} at work, {lane.in_flight} requests in flight.")
        else:
            words = f"None is alive: start `hookyard worker --lane {lane.name}`, or `hookyard up`."
            yield Finding(Level.FAILURE, subject, words)


def look_at_clock(session: Session) -> Finding:
    """Compare this host's clock with the database's, by which everything falls due."""
    if dialect_of(session) == "sqlite":
        return Finding(Level.OK, "clock", "The database uses this host's.")
    before = datetime.now(UTC)
    moment: datetime = server_now(session)
    middle = before + (datetime.now(UTC) - before) / 2
    skew = abs(moment - middle)
    words = f"This host and the database differ by {skew.total_seconds():.1f} s"
    if skew > SKEW_REFUSED:
        return Finding(Level.FAILURE, "clock", f"{words}: receivers will refuse the signatures. Set the clocks (NTP).")
    if skew > SKEW_WARNED:
        return Finding(Level.WARNING, "clock", f"{words}: set the clocks (NTP).")
    return Finding(Level.OK, "clock", f"{words}.")


def look_at_stored_secrets(session: Session, keys: KeyRing | None) -> Finding:
    """Try the secret key on the oldest and the newest stored secret."""
    bounds = select(func.min(HookSecret.number)).union(select(func.max(HookSecret.number)))
    sealed = session.scalars(select(HookSecret.sealed).where(HookSecret.number.in_(bounds))).all()
    if keys is None or not sealed:
        level = Level.FAILURE if sealed else Level.OK
        words = "They cannot be opened without a secret key." if sealed else "There are none yet."
        return Finding(level, "stored secrets", words)
    try:
        for one in sealed:
            keys.open(one)
    except KeyUnavailable as error:
        return Finding(Level.FAILURE, "stored secrets", error.message)
    return Finding(Level.OK, "stored secrets", "The secret key opens them.")


def look_at_overdue(session: Session) -> Finding:
    """See how long the oldest due delivery has been waiting."""
    oldest = session.scalar(
        select(func.min(Delivery.next_attempt_at, type_=Delivery.next_attempt_at.type)).where(
            Delivery.state == DeliveryState.PENDING
        )
    )
    late = datetime.now(UTC) - oldest if oldest else timedelta(0)
    if late > LATE:
        words = f"The oldest due delivery has waited for {late.total_seconds():.0f} s; its hook may be paused."
        return Finding(Level.WARNING, "due deliveries", words)
    return Finding(Level.OK, "due deliveries", "None waits for long.")


def look_at_fan_outs(session: Session) -> Finding:
    """See how long the oldest event waits for its deliveries."""
    oldest = session.scalar(select(func.min(Event.created_at, type_=Event.created_at.type)).where(Event.fanout_pending))
    late = datetime.now(UTC) - oldest if oldest else timedelta(0)
    if late > LATE:
        words = (
            f"The deliveries of an event that was published {late.total_seconds():.0f} s ago are not created yet. The "
            "filters of its hooks are slow, or no worker leads: hookyard_leader in the metrics says so."
        )
        return Finding(Level.WARNING, "new events", words)
    return Finding(Level.OK, "new events", "All have their deliveries.")
