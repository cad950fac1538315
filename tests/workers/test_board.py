"""The board: which rows may begin."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import update

from console.core.outcomes import Outcome
from console.models import HookState
from console.services.engine import recipients
from console.services.hooks import hooks
from console.services.work import Work
from tests.engine import claim, hire, make_hook, publish, rows_of
from workers.board import Begun, Board


def test_a_row_whose_hook_changed_since_its_claim_does_not_begin_before_a_look(work: Work, ada) -> None:
    """A hook that was deleted in that moment has no secrets left: the request would go out unsigned."""
    hook = make_hook(work, ada)
    publish(work, ada)
    grants = claim(work, hire(work))
    hooks.delete(work, hook=hook)
    board = Board(threads=1, wake=lambda: None)

    board.add(grants, recipients.load(work, numbers=[hook.number]))
    board.dismiss(1)

    assert board.begin() is None
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
    """Begin what *most* threads can begin now."""
    board.dismiss(1)  # the thread that finds nothing more ends
    begun = []
    while (one := board.begin()) is not None:
        begun.append(one)
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
        more = begin_all(board, most=16)
        sent += organizations(more)
        begun += more

    assert sent == {ada.organization.number: 5, mallory.organization.number: 5}
    assert (board.waiting, board.in_flight, board.crowding) == (0, 0, None)


def test_rows_that_were_taken_back_make_nobody_wait(work: Work, ada, mallory) -> None:
    board = staffed(work, ada, mallory, rows=6, threads=4)
    assert organizations(begin_all(board, most=16))[ada.organization.number] == 2

    board.withdraw(lambda one: one.recipient.organization_number == mallory.organization.number)

    assert organizations(begin_all(board, most=16)) == {ada.organization.number: 4}
