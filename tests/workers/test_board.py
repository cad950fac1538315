"""The board: which rows may begin."""

from __future__ import annotations

from console.services import hooks, recipients
from console.services.work import Work
from tests.engine import claim, hire, make_hook, publish, rows_of
from workers.board import Board


def test_a_row_whose_hook_changed_since_its_claim_does_not_begin_before_a_look(work: Work, ada) -> None:
    """A hook that was deleted in that moment has no secrets left: the request would go out unsigned."""
    hook = make_hook(work, ada)
    publish(work, ada)
    grants = claim(work, hire(work))
    hooks.delete(work, hook=hook)
    board = Board(wake=lambda: None)

    board.add(grants, recipients.load(work, numbers=[hook.number]))
    board.dismiss(1)

    assert board.begin() is None
    assert [one.row for one in board.to_look_at()] == rows_of(grants)
