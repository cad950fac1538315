"""How many requests may do nothing but wait."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from console.waits import Waits


@pytest.mark.parametrize(("threads", "most"), [(1, 0), (3, 0), (4, 1), (16, 4), (256, 64)])
def test_a_quarter_of_the_threads_may_wait_at_a_time(threads: int, most: int) -> None:
    waits = Waits(threads)
    for _ in range(2):
        with ExitStack() as stack:
            answers = [stack.enter_context(waits.one()) for _ in range(most + 2)]

        assert answers == [True] * most + [False, False]


def test_a_wait_that_ends_in_an_error_makes_room_again() -> None:
    waits = Waits(4)

    def fail() -> None:
        with waits.one():
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()

    with waits.one() as may_wait:
        assert may_wait
