"""Whether a proxy stands in front that nobody told Hookyard of: everybody then seems to come from one address.

Any web process may see it, and ``hookyard doctor`` and the System page say so: Redis keeps it for a day.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
import structlog
from flask import Flask, request

from console.ring import connect
from console.settings import Settings

HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP")
SEEN_KEY = "hookyard:forwarded"
KEPT_S = 24 * 3600
NOTE_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


class Watch:
    """Notes requests that a proxy forwarded; one for a process. *url* is of a Redis, empty without one."""

    def __init__(self, url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = connect(url) if url else None
        self._monotonic = monotonic
        self._note_at = -NOTE_EVERY_S
        self._is_told = False

    def look(self) -> None:
        """Look at the headers of this request; log once a process, and note at most once a minute."""
        now = self._monotonic()
        if now - self._note_at < NOTE_EVERY_S or not any(name in request.headers for name in HEADERS):
            return
        self._note_at = now
        if not self._is_told:
            self._is_told = True
            _log.warning("requests are forwarded by a proxy, and HOOKYARD_PROXY_HOPS is 0", peer=request.remote_addr)
        if self._redis is not None:
            try:
                self._redis.set(SEEN_KEY, "1", ex=KEPT_S)
            except redis.RedisError as error:
                _log.info("a forwarded request is not noted for the doctor", error=type(error).__name__)


def install(app: Flask, settings: Settings) -> None:
    """Watch the requests of *app*, unless it knows of its proxies."""
    if not settings.proxy_hops:
        app.before_request(Watch(settings.redis_url).look)


def was_seen(url: str) -> bool:
    """Return whether a request was forwarded within a day; raise RedisError."""
    with connect(url) as client:
        return bool(client.exists(SEEN_KEY))
