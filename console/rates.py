"""How much was asked for in this minute: counted in Redis, so that all web processes count together.

Without Redis, and while it cannot be reached, each process counts by itself: a limit is then looser, and no request
has to wait for a Redis that is down.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime
from threading import Lock

import redis
import structlog

from console.ring import PAUSE_S, connect

MINUTE_S = 60
_log = structlog.get_logger(__name__)


class Rates:
    """The counters; share one in a process. *url* is of a Redis, empty without one."""

    def __init__(self, url: str = "", *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = connect(url) if url else None
        self._monotonic = monotonic
        self._silent_until = 0.0
        self._own: Counter[str] = Counter()
        self._minute = 0
        self._lock = Lock()

    def count(self, names: Collection[str], *, now: datetime) -> dict[str, int]:
        """Count one more for each of *names* and give what each has in the minute of *now*; one round trip."""
        minute = int(now.timestamp()) // MINUTE_S
        if self._redis is not None and self._monotonic() >= self._silent_until:
            try:
                return self._count_together(self._redis, names, minute=minute)
            except redis.RedisError as error:
                self._silent_until = self._monotonic() + PAUSE_S
                _log.warning("rates are counted by each process alone", error=type(error).__name__, reason=str(error))
        return self._count_alone(names, minute=minute)

    def _count_together(self, client: redis.Redis, names: Collection[str], *, minute: int) -> dict[str, int]:
        with client.pipeline(transaction=False) as pipeline:
            for name in names:
                key = f"hookyard:rate:{name}:{minute}"
                pipeline.incr(key)
                pipeline.expire(key, 2 * MINUTE_S)
            counts = pipeline.execute()[::2]
        return dict(zip(names, map(int, counts), strict=True))

    def _count_alone(self, names: Collection[str], *, minute: int) -> dict[str, int]:
        with self._lock:
            if minute != self._minute:
                self._own.clear()
                self._minute = minute
            self._own.update(list(names))  # of a mapping it would add the values
            return {name: self._own[name] for name in names}


def left_of_minute(now: datetime) -> int:
    """Say how many seconds, at least one, it is until counting begins anew."""
    return MINUTE_S - int(now.timestamp()) % MINUTE_S
