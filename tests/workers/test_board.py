"""The board: which rows may begin."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from sqlalchemy import update

from console.core.health import SLOW_AFTER_S
from console.core.outcomes import Outcome
from console.models import HookState
from console.services.engine import recipients
from console.services.engine.claims import Grant
from console.services.hooks import hooks
from console.services.work import Work
from tests.engine import claim, hire, make_hook, publish, rows_of
from workers.board import LINGER_S, Begun, Board


def test_a_row_whose_hook_changed_since_its_claim_does_not_begin_before_a_look(work: Work, ada) -> None:
    """A hook that was deleted in that moment has no secrets left: the request would go out unsigned."""
    hook = make_hook(work, ada)
    publish(work, ada)
    grants = claim(work, hire(work))
    hooks.delete(work, hook=hook)
    board = Board(threads=1, wake=lambda: None)

    board.add(grants, recipients.load(work, numbers=[hook.number]))

    assert board.begin(wait=False) is None
    assert [one.row for one in board.to_look_at()] == rows_of(grants)


def staffed(work: Work, *people, rows: int, threads: int) -> Board:
    """A board with so many rows of each person's hook, which may have eight in flight."""
    for person in people:
        make_hook(work, person, max_in_flight=8)
        work.session.execute(update(HookState).values(concurrency=8))
        publish(work, person, rows)
    grants = claim(work, hire(work))
    board = Board(threads=threads, wake=lambda: None)
    board.add(grants, recipients.load(work, numbers=[grant.hook_number for grant in grants]))
    work.session.commit()
    return board


def begin_all(board: Board, *, most: int) -> list[Begun]:
    """Begin what *most* threads can begin now; every row is still wanted when it is looked at again."""
    begun = []
    while True:
        one = board.begin(wait=False)
        if one is not None:
            begun.append(one)
        elif stale := board.to_look_at():
            board.checked(stale)
        else:
            break
    assert len(begun) <= most
    return begun


def organizations(begun: list[Begun]) -> Counter[int]:
    return Counter(one.table.organization for one in begun)


def test_an_organization_has_at_most_half_of_the_threads_while_rows_of_another_wait(work: Work, ada, mallory) -> None:
    board = staffed(work, ada, mallory, rows=12, threads=8)

    begun = begin_all(board, most=16)

    assert organizations(begun) == {ada.organization.number: 4, mallory.organization.number: 4}


def test_an_organization_that_is_alone_has_all_threads(work: Work, ada) -> None:
    board = staffed(work, ada, rows=12, threads=8)

    assert len(begin_all(board, most=16)) == 8
    assert board.crowding == ada.organization.number


def test_an_organization_that_left_a_thread_to_another_goes_on_when_that_has_nothing_more(
    work: Work, ada, mallory
) -> None:
    board = staffed(work, ada, mallory, rows=5, threads=4)
    begun = begin_all(board, most=16)
    sent = organizations(begun)

    while begun:
        board.end(begun.pop(0), outcome=Outcome.OK, status=200)
        board.written(1)
        more = begin_all(board, most=16)
        sent += organizations(more)
        begun += more

    assert sent == {ada.organization.number: 5, mallory.organization.number: 5}
    assert (board.waiting, board.in_flight, board.crowding) == (0, 0, None)


def test_rows_that_were_taken_back_make_nobody_wait(work: Work, ada, mallory) -> None:
    board = staffed(work, ada, mallory, rows=6, threads=4)
    begun = begin_all(board, most=16)
    assert organizations(begun)[ada.organization.number] == 2

    board.withdraw(lambda one: one.recipient.organization_number == mallory.organization.number)
    for one in begun:
        board.end(one, outcome=Outcome.OK, status=200)

    assert organizations(begin_all(board, most=16)) == {ada.organization.number: 4}


# --- requests that linger -------------------------------------------------------------------------------------------


class Ticks:
    """Monotonic seconds that are moved by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def grants_of(*hooks: int, rows: int = 1, cap: int = 1, is_proven: bool = True) -> tuple[list[Grant], dict[int, Any]]:
    """Rows of hooks as a claim gives them out; the board asks nothing else of them than their hooks' versions."""
    made = [
        Grant(hook, 0, cap, cap, tuple(SimpleNamespace(hook_version=1) for _ in range(rows)), is_proven=is_proven)
        for hook in hooks
    ]
    return made, {hook: SimpleNamespace(version=1) for hook in hooks}


def seated(*given: tuple[list[Grant], dict[int, Any]], threads: int = 4) -> tuple[Board, Ticks]:
    ticks = Ticks()
    board = Board(threads=threads, wake=lambda: None, clock=ticks)
    for grants, recipients_ in given:
        board.add(grants, recipients_)
    return board, ticks


def hooks_of(begun: list[Begun]) -> list[int]:
    return sorted(one.table.key[0] for one in begun)


def test_a_request_that_lingers_lends_its_place() -> None:
    board, ticks = seated(grants_of(*range(1, 12)))
    assert hooks_of(begin_all(board, most=4)) == [1, 2, 3, 4]

    ticks.now_s = LINGER_S / 2
    board.lend()
    assert begin_all(board, most=4) == []

    ticks.now_s = LINGER_S
    board.lend()
    assert hooks_of(begin_all(board, most=4)) == [5, 6, 7]  # three quarters of the places, and no more

    ticks.now_s = 2 * LINGER_S
    board.lend()
    assert begin_all(board, most=4) == []


def test_a_place_that_was_lent_is_gone_when_its_owner_comes_back() -> None:
    board, ticks = seated(grants_of(*range(1, 12)))
    slow = begin_all(board, most=4)
    ticks.now_s = LINGER_S
    board.lend()
    begin_all(board, most=4)

    for one in slow:
        board.end(one, outcome=Outcome.OK, status=200)

    assert len(begin_all(board, most=8)) == 1  # four may be under way, and three still are


def test_a_hook_is_named_slow_once_a_request_of_it_takes_too_long() -> None:
    board, ticks = seated(grants_of(1, 2))
    one, _ = begin_all(board, most=2)
    ticks.now_s = SLOW_AFTER_S / 2
    assert board.lend() == frozenset()
    board.end(one, outcome=Outcome.OK, status=200)

    ticks.now_s = SLOW_AFTER_S
    assert board.lend() == {2}


def test_the_last_places_are_kept_for_hooks_that_were_answered_lately() -> None:
    """Four places and three that are lent; those are for no hook that nobody knows."""
    board, ticks = seated(grants_of(*range(1, 12), is_proven=False))
    assert len(begin_all(board, most=4)) == 4
    assert board.keeps_back
    ticks.now_s = LINGER_S
    board.lend()
    assert begin_all(board, most=3) == []

    board.add(*grants_of(100))

    assert hooks_of(begin_all(board, most=1)) == [100]


def test_a_hook_has_at_most_half_of_the_places_while_rows_of_another_wait() -> None:
    board, _ = seated(grants_of(1, rows=20, cap=16), grants_of(2, rows=20, cap=16), threads=8)

    assert hooks_of(begin_all(board, most=8)) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_a_hook_that_is_alone_has_all_places() -> None:
    board, _ = seated(grants_of(1, rows=20, cap=16), threads=8)

    assert len(begin_all(board, most=8)) == 8


def test_what_a_death_repeats_is_at_most_twice_the_sender_threads() -> None:
    """Requests under way, and results that are not written yet."""
    board, _ = seated(grants_of(1, rows=40, cap=16), threads=4)
    for _ in range(2):
        for one in begin_all(board, most=4):
            board.end(one, outcome=Outcome.OK, status=200)
    assert begin_all(board, most=4) == []

    board.written(3)

    assert len(begin_all(board, most=4)) == 3
