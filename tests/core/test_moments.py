"""Reading times: their zone, and the ends of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from console.core.moments import OutOfRange, moment_of

NEW_YORK, TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-11-22T09:00", 0), ("2026-11-22T09:00+01:00", 8), ("2026-11-22t09:00z", 9), ("2026-11-22T09:00-05:00", 14)],
)
def test_a_time_is_read_in_its_own_zone_and_else_in_the_readers(text: str, hour: int) -> None:
    assert moment_of(text, zone=TOKYO) == datetime(2026, 11, 22, hour, tzinfo=UTC)


@pytest.mark.parametrize("zone", [UTC, NEW_YORK, TOKYO])
@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59", "9999-12-31T23:59-12:00"]
)
def test_a_time_at_the_end_of_the_calendar_is_out_of_range(text: str, zone: ZoneInfo) -> None:
    with pytest.raises(OutOfRange, match="years 2 to 9998"):
        moment_of(text, zone=zone)


@pytest.mark.parametrize("zone", [UTC, NEW_YORK, TOKYO])
@pytest.mark.parametrize("text", ["0002-01-01T00:00", "9998-12-31T23:59:59.999999"])
def test_every_time_that_is_read_can_be_shown_in_any_zone_and_moved_by_months(text: str, zone: ZoneInfo) -> None:
    moment = moment_of(text, zone=zone)

    for other in (UTC, NEW_YORK, TOKYO):
        assert moment.astimezone(other) == moment
    assert moment - timedelta(days=300) < moment < moment + timedelta(days=300)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30T00:00", "2026-11-22T25:00", "2026-11-22T09:00+99:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        moment_of(text, zone=UTC)
    assert not isinstance(refused.value, OutOfRange)
