"""What a drain gives back: rows that did not begin and turns with nothing in hand, until the database took them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from console.services.engine import unsent
from console.services.engine.claims import Claimed
from console.services.engine.turns import Key
from workers.equipment import Equipment


class Returns:
    """Rows and turns on their way back."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self.rows: list[Claimed] = []
        self.turns: set[Key] = set()

    def give_back(self, rows: Iterable[Claimed]) -> None:
        """Give back *rows*, and those that the database did not take before."""
        self.rows.extend(rows)
        by_worker: dict[int, list[Claimed]] = defaultdict(list)
        for row in self.rows:
            by_worker[row.worker].append(row)
        for worker, mine in by_worker.items():
            with self._equipment.work() as work:
                unsent.give_back(work, worker=worker, rows=mine)
        self.rows.clear()

    def let_go(self, *, worker: int) -> None:
        """Let go of the turns of *worker*."""
        with self._equipment.work() as work:
            unsent.give_back(work, worker=worker, rows=(), turns=self.turns)
        self.turns.clear()
