"""Roll-ups of attempts: hours, classes of statuses, and buckets of durations from which percentiles are read.

A roll-up counts attempts per bucket instead of keeping each duration, so a percentile is right to within its bucket:
each bound is at most 2.5 times the one before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import datetime

BUCKETS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 350, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10_000, 15_000, 30_000)
"""Upper bounds, inclusive, in milliseconds; bucket ``len(BUCKETS_MS)`` holds what took longer."""

NO_STATUS = "none"
SUCCESS = "2xx"
_HIGHEST_CLASS = 5


def bucket_of(duration_ms: float) -> int:
    """Return the index of the bucket that *duration_ms* falls into."""
    return bisect_left(BUCKETS_MS, duration_ms)


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour that *moment* lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def status_class(status: int | None) -> str:
    """Return ``1xx`` to ``5xx``, or ``none`` for no answer and for numbers that are no HTTP status."""
    if status is None or not 1 <= status // 100 <= _HIGHEST_CLASS:
        return NO_STATUS
    return f"{status // 100}xx"


def percentile_ms(counts: Mapping[int, int], *, percent: float) -> float | None:
    """Return the duration that *percent* of the attempts did not exceed, in milliseconds; None without attempts.

    *counts* maps buckets to numbers of attempts. Inside a bucket durations are taken to be spread evenly; of what took
    longer than the last bound only that bound is known.
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted = total * percent / 100
    passed = 0
    for bucket in sorted(counts):
        count = counts[bucket]
        if count and passed + count >= wanted:
            return _within(bucket, part=(wanted - passed) / count)
        passed += count
    return float(BUCKETS_MS[-1])


def _within(bucket: int, *, part: float) -> float:
    if bucket >= len(BUCKETS_MS):
        return float(BUCKETS_MS[-1])
    low = BUCKETS_MS[bucket - 1] if bucket else 0
    return low + (BUCKETS_MS[bucket] - low) * max(part, 0.0)
