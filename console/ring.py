"""The ring: wakes the workers of a lane through Redis, by one RQ job at a time.

A dirty flag decides whether a job must be enqueued: a thousand publishes set it once, and the job clears it before it
reads the database, so nothing that was committed before is missed. A ring never raises and never waits long: what it
failed to say, the dispatcher of a worker notices within seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, OutOfMemoryError, ReadOnlyError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from console.services.work import BACKGROUND, LANES

DRAIN = "workers.jobs.drain"
REPLAY = "workers.jobs.replay"
"""What a ring of the background lane is for; the others deliver."""
FLAG_TTL_S = 30
SLICE_S = 60
"""How long one drain job goes on claiming."""
JOB_TIMEOUT_S = SLICE_S + 30 + 45
"""A slice, the longest attempt, and time to record: past that RQ interrupts the job."""
JOB_TTL_S = 120
FAILURE_TTL_S = 3600
CONNECT_TIMEOUT_S = 1.0
SOCKET_TIMEOUT_S = 2.0
CHECK_KEY = "hookyard:check"
CHECK_TTL_S = 5
PAUSE_S = 5.0
"""After a failure nobody tries again for so long: a publish must not wait for a Redis that is down."""
OLDEST_REDIS = (6, 2)
"""The first with BLMOVE, without which a worker that dies loses its job."""

_log = structlog.get_logger(__name__)


class TooOld(redis.RedisError):
    """The server is older than ``OLDEST_REDIS``."""


_WORDS: tuple[tuple[type[redis.RedisError], str], ...] = (
    (TooOld, "Redis is too old: Hookyard needs 6.2 or newer"),
    (OutOfMemoryError, "Redis is full (maxmemory) and takes nothing more"),
    (ReadOnlyError, "Redis is a read-only replica: set HOOKYARD_REDIS_URL to its primary"),
    (AuthenticationError, "Redis refuses these credentials: correct HOOKYARD_REDIS_URL"),
    (NoPermissionError, "Redis does not let these credentials write: correct its access rules"),
)


def words_of(error: redis.RedisError) -> str:
    """Put what Redis refuses into a sentence that tells no address."""
    if isinstance(error, redis.ResponseError) and "unknown command" in str(error):  # before 6.0 it knows no HELLO
        error = TooOld()
    cause = next((words for kind, words in _WORDS if isinstance(error, kind)), "Redis cannot be reached")
    return f"{cause}. Deliveries go on, later than usual."


def version_of(text: str) -> tuple[int, ...]:
    """Read the first two numbers of a version."""
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def flag_of(lane: str) -> str:
    """Name the Redis key that says a drain job of *lane* is on its way."""
    return f"hookyard:dirty:{lane}"


def connect(url: str) -> redis.Redis:
    """Open a client that gives up soon and does not retry: for callers that have something better to do than wait."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


class RedisRing:
    """Rings through the Redis at *url*; share one in a process. Connections are made when they are first needed."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = connect(url)
        self._queues = {lane: Queue(lane, connection=self._redis, serializer=JSONSerializer) for lane in LANES}
        self._monotonic = monotonic
        self._lock = Lock()
        self._failures = 0
        self._trouble = ""
        self._is_unknown = True
        self._silent_until = 0.0

    def ring(self, lane: str) -> None:
        """Wake *lane* unless a drain job for it is on its way already; one round trip then."""
        if self._failures and not self._may_try():
            return
        try:
            if self._redis.set(flag_of(lane), 1, nx=True, ex=FLAG_TTL_S):
                self._enqueue(lane)
        except redis.RedisError as error:
            self._note_failure(lane, error)
        else:
            self._note_success()

    def ring_again(self, lane: str) -> None:
        """Wake *lane* although it seems to have been: with the flag set and nothing queued the job went astray.

        Whoever took it was cut off the network or stopped before it began; others would stay silent until the flag
        expires.
        """
        if self._failures and not self._may_try():
            return
        try:
            if not self._queues[lane].count:
                self._redis.delete(flag_of(lane))
        except redis.RedisError as error:
            self._note_failure(lane, error)
        else:
            self._note_success()
            self.ring(lane)

    def answered(self, lane: str) -> None:
        """Clear the flag of *lane*: to be called by the drain job before it reads the database."""
        try:
            self._redis.delete(flag_of(lane))
        except redis.RedisError as error:
            self._note_failure(lane, error)

    def trouble(self) -> str:
        """Say in a sentence what keeps rings from being heard now, or did when last tried; nothing when all is well."""
        if self._failures and not self._may_try():
            return self._trouble
        try:
            self._redis.set(CHECK_KEY, 1, ex=CHECK_TTL_S)
            if self._failures or self._is_unknown:
                self._require_recent()
        except redis.RedisError as error:
            self._note_failure("", error)
            return self._trouble
        self._note_success()
        return ""

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _require_recent(self) -> None:
        version = str(self._redis.info("server").get("redis_version", "0"))
        if version_of(version) < OLDEST_REDIS:
            raise TooOld(f"It is {version}.")
        self._is_unknown = False

    def _enqueue(self, lane: str) -> None:
        try:
            self._queues[lane].enqueue(
                REPLAY if lane == BACKGROUND else DRAIN,
                lane,
                result_ttl=0,
                failure_ttl=FAILURE_TTL_S,
                ttl=JOB_TTL_S,
                job_timeout=JOB_TIMEOUT_S,
                description="",
            )
        except redis.RedisError:
            self._redis.delete(flag_of(lane))  # else the lane would stay silent until the flag expires
            raise

    def _may_try(self) -> bool:
        """Let one caller through when the pause is over; the others stay silent until it has succeeded."""
        with self._lock:
            if self._monotonic() < self._silent_until:
                return False
            self._silent_until = self._monotonic() + PAUSE_S
            return True

    def _note_failure(self, lane: str, error: redis.RedisError) -> None:
        with self._lock:
            self._failures += 1
            self._silent_until = self._monotonic() + PAUSE_S
            is_news = self._trouble != (words := words_of(error))
            self._trouble = words
        if is_news:
            _log.warning("redis cannot be used", lane=lane, error=type(error).__name__, reason=str(error))

    def _note_success(self) -> None:
        if self._failures:
            with self._lock:
                self._failures = 0
                self._trouble = ""
            _log.info("redis can be used again")
