"""Charts: numbers become geometry that fits its frame and hides nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.web.charts import (
    MIN_VISIBLE,
    Series,
    latency_band,
    nice_ceiling,
    stacked_bars,
    timing_phases,
)


@pytest.mark.parametrize(
    ("value", "ceiling"),
    [(0, 1), (0.3, 0.4), (1, 1), (3, 4), (5, 5), (7, 10), (10, 10), (11, 20), (412, 500), (999, 1000), (1001, 2000)],
)
def test_the_scale_ends_at_a_round_number_not_below_the_value(value: float, ceiling: float) -> None:
    assert nice_ceiling(value) == pytest.approx(ceiling)


def test_bars_are_stacked_from_the_floor_without_a_gap() -> None:
    chart = stacked_bars(["14:00"], series=[Series("delivered", "Delivered", [75]), Series("failed", "Failed", [25])])

    below, above = chart.bars[0].segments
    assert below.y + below.height == pytest.approx(chart.height)
    assert above.y + above.height == pytest.approx(below.y)
    assert below.height == pytest.approx(3 * above.height)


def test_one_failure_among_thousands_is_still_seen() -> None:
    chart = stacked_bars(["14:00"], series=[Series("delivered", "Delivered", [9_999]), Series("failed", "Failed", [1])])

    assert chart.bars[0].segments[1].height == MIN_VISIBLE
    assert chart.bars[0].segments[1].y >= 0


def test_a_bar_says_its_numbers_and_leaves_out_zeros() -> None:
    series = [Series("delivered", "Delivered", [1_204, 0]), Series("failed", "Failed", [3, 0])]

    chart = stacked_bars(["14:00", "15:00"], series=series)

    assert [bar.title for bar in chart.bars] == ["14:00: 1,204 delivered, 3 failed", "15:00: none"]
    assert chart.bars[1].segments == ()


def test_a_chart_of_nothing_is_empty_and_still_has_a_scale() -> None:
    assert stacked_bars([], series=[]).is_empty
    assert stacked_bars(["14:00"], series=[Series("delivered", "Delivered", [0])]).ceiling == 1


def test_a_series_must_have_one_value_per_label() -> None:
    with pytest.raises(ValueError, match="one value per label"):
        stacked_bars(["14:00"], series=[Series("delivered", "Delivered", [1, 2])])


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 5)), min_size=1, max_size=48))
def test_every_bar_stays_inside_the_frame(columns: list[tuple[int, int, int]]) -> None:
    series = [Series(f"s{row}", f"S{row}", values) for row, values in enumerate(zip(*columns, strict=True))]

    chart = stacked_bars([str(index) for index in range(len(columns))], series=series)

    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= chart.width + 0.02
        assert all(-0.02 <= part.y <= part.y + part.height <= chart.height + 0.02 for part in bar.segments)
        assert all(part.height >= MIN_VISIBLE for part in bar.segments)


def test_the_band_is_broken_where_there_is_no_data() -> None:
    band = latency_band(["a", "b", "c", "d"], lower=[10, None, 20, 20], upper=[30, None, 40, 50])

    assert len(band.areas) == 2
    assert band.areas[0].count("L") == 3, "a lonely hour becomes a short flat piece"
    assert band.columns[1].title == "b: no attempts"
    assert band.columns[3].title == "d: median 20 ms, 95th percentile 50 ms"


def test_a_band_without_any_data_is_empty() -> None:
    assert latency_band(["a"], lower=[None], upper=[None]).is_empty


def test_the_phases_of_an_attempt_fill_the_bar_in_their_order() -> None:
    phases = timing_phases(
        {"body": 1, "dns": 10, "first_byte": 80, "tls": None, "connect": 0.0, "total": 91}, width=600
    )

    assert [phase.key for phase in phases] == ["dns", "first_byte", "body"]
    assert phases[0].x == 0
    assert phases[-1].x + phases[-1].width == pytest.approx(600, abs=0.05)
    assert phases[1].milliseconds == 80


def test_an_attempt_without_timings_has_no_phases() -> None:
    assert timing_phases({}) == ()


def test_a_phase_too_short_to_draw_is_drawn_anyway() -> None:
    send = timing_phases({"send": 0.001, "first_byte": 15_000}, width=600)[0]

    assert send.width >= MIN_VISIBLE * 0.99


def test_the_scale_of_counts_has_whole_numbers_only() -> None:
    assert [tick.value for tick in stacked_bars(["a"], series=[Series("x", "X", [1])]).ticks] == [1.0, 0.0]
    assert [tick.value for tick in stacked_bars(["a"], series=[Series("x", "X", [5])]).ticks] == [5.0, 0.0]
    assert [tick.value for tick in stacked_bars(["a"], series=[Series("x", "X", [4])]).ticks] == [4.0, 2.0, 0.0]
