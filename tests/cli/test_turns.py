"""Who waits for a thread, and in which order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from console.cli.turns import Turns


def test_lines_take_turns_and_each_keeps_its_order() -> None:
    turns: Turns[str] = Turns()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.put(item, who=item[0])

    assert [turns.get() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert turns.is_empty()


def test_many_threads_get_each_item_once() -> None:
    turns: Turns[int] = Turns()
    with ThreadPoolExecutor(8) as pool:
        taken = [pool.submit(turns.get) for _ in range(1000)]
        for number in range(1000):
            turns.put(number, who=str(number % 7))

    assert sorted(one.result() for one in taken) == list(range(1000))
    assert turns.is_empty()
