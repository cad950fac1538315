"""Sparklines: two paths that stay inside their frame, and words for what they show."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.web.sparks import of_events, of_hours, spark

BAR = re.compile(r"M([\d.e-]+) ([\d.e-]+)v-([\d.e-]+)h([\d.e-]+)v([\d.e-]+)z")


def bars(path: str) -> list[tuple[float, float, float, float]]:
    """Read a path as bars: left, foot, height, width."""
    found = list(BAR.finditer(path))
    assert "".join(one[0] for one in found) == path
    return [(float(one[1]), float(one[2]), float(one[3]), float(one[4])) for one in found]


def test_a_sparkline_has_one_bar_for_each_hour_with_attempts() -> None:
    drawn = of_hours([1] * 12 + [0] * 12, failed=[0] * 23 + [1])

    assert len(bars(drawn.good)) == 12
    [(x, foot, height, width)] = bars(drawn.bad)
    assert (foot, height) == (24, 24)
    assert x + width < drawn.width


def test_what_failed_stands_on_what_was_delivered() -> None:
    drawn = spark([3], bad=[1], words="", height=24)

    [(_, foot, height, _)] = bars(drawn.good)
    assert (foot, height) == (24, 18)
    [(_, foot, height, _)] = bars(drawn.bad)
    assert (foot, height) == (6, 6)


def test_one_failure_among_thousands_is_seen() -> None:
    drawn = of_hours([9999], failed=[1])

    assert bars(drawn.bad)[0][2] == 2


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=48))
def test_every_bar_stays_inside_its_frame(columns: list[tuple[int, int]]) -> None:
    good, bad = (list(part) for part in zip(*columns, strict=True))

    drawn = spark(good, bad=bad, words="")

    for path, figures in ((drawn.good, good), (drawn.bad, bad)):
        found = bars(path)
        assert len(found) == sum(figure > 0 for figure in figures)
        for x, foot, height, width in found:
            assert 0 <= x <= x + width <= drawn.width + 0.1
            assert foot - height + 0.1 >= 0
            assert foot <= drawn.height


@pytest.mark.parametrize(
    ("delivered", "failed", "words"),
    [
        ([4, 1204], [0, 0], ["1,208 delivered, 1,204 in the busiest hour"]),
        ([0, 0], [3, 0], ["3 failed, the last 1 h ago"]),
        ([4, 2], [1, 0], ["6 delivered, 4 in the busiest hour", "1 failed, the last 1 h ago"]),
        ([4, 2], [1, 1], ["6 delivered, 4 in the busiest hour", "2 failed, the last this hour"]),
        ([0, 0], [0, 0], []),
    ],
)
def test_each_part_of_a_sparkline_says_what_it_shows(delivered: list[int], failed: list[int], words: list[str]) -> None:
    drawn = of_hours(delivered, failed=failed)

    titles = ((drawn.good, drawn.good_title), (drawn.bad, drawn.bad_title))
    assert [title for path, title in titles if path] == words
    assert drawn.title == ", ".join(words)


@pytest.mark.parametrize(
    ("most", "words"), [(17, "17 events in the busiest 6 hours"), (1, "1 event in the busiest 6 hours")]
)
def test_events_are_counted_by_their_column(most: int, words: str) -> None:
    assert of_events([0, most], hours=6).title == words
