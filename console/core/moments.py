"""Times as people and programs write them, in the form that a service may compute with."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

EARLIEST_YEAR, LATEST_YEAR = 2, 9998
"""A year from each end of the calendar, so that no time zone and no span of time leads beyond it."""


class OutOfRange(ValueError):
    """A time whose year is outside ``EARLIEST_YEAR`` to ``LATEST_YEAR``."""


def moment_of(text: str, *, zone: tzinfo) -> datetime:
    """Return the time that *text* names (ISO 8601), in UTC; *zone* applies when it carries no offset.

    Raise ValueError when it names none, OutOfRange when it is too near the ends of the calendar.
    """
    moment = datetime.fromisoformat(text.upper())
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise OutOfRange(f"Give a time of the years {EARLIEST_YEAR} to {LATEST_YEAR}.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
