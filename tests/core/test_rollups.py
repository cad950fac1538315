"""Hours, classes, buckets and the percentiles read from them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from console.core.rollups import BUCKETS_MS, bucket_of, hour_of, percentile_ms, status_class


@pytest.mark.parametrize(
    ("duration_ms", "bucket"), [(0, 0), (1, 0), (1.01, 1), (30_000, len(BUCKETS_MS) - 1), (30_001, len(BUCKETS_MS))]
)
def test_a_bucket_ends_with_its_bound(duration_ms: float, bucket: int) -> None:
    assert bucket_of(duration_ms) == bucket


def test_bounds_grow_and_never_by_more_than_two_and_a_half_times() -> None:
    assert all(low < high <= 2.5 * low for low, high in pairwise(BUCKETS_MS))


@pytest.mark.parametrize(
    ("status", "name"), [(200, "2xx"), (102, "1xx"), (599, "5xx"), (600, "none"), (99, "none"), (None, "none")]
)
def test_statuses_have_classes(status: int | None, name: str) -> None:
    assert status_class(status) == name


def test_an_hour_is_where_its_minutes_begin() -> None:
    assert hour_of(datetime(2026, 11, 22, 9, 59, 59, 5, tzinfo=UTC)) == datetime(2026, 11, 22, 9, tzinfo=UTC)


def test_no_attempts_have_no_percentile() -> None:
    assert percentile_ms({}, percent=95) is None
    assert percentile_ms({3: 0}, percent=95) is None


def test_a_percentile_lies_within_its_bucket() -> None:
    counts = {bucket_of(10): 90, bucket_of(100): 10}

    assert percentile_ms(counts, percent=50) == pytest.approx(5 + 5 * 50 / 90)
    assert percentile_ms(counts, percent=95) == pytest.approx(75)
    assert percentile_ms(counts, percent=100) == 100


def test_the_first_bucket_begins_at_zero_and_the_last_has_only_a_lower_bound() -> None:
    assert percentile_ms({0: 4}, percent=50) == 0.5
    assert percentile_ms({len(BUCKETS_MS): 4}, percent=50) == BUCKETS_MS[-1]
