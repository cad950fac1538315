"""What nearly all of some figures are below."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles


def p95(values: Sequence[float]) -> float:
    """Give the 95th percentile of one value or more, between two of them by proportion."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
