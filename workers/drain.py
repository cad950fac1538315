"""Draining: claim due deliveries, keep the sender threads busy with them, record what came of it, until nothing is due.

One thread claims (the caller), many send, one records. No transaction is open while a request is being made.
"""

from __future__ import annotations

from threading import Event, Lock
from time import monotonic

import structlog
from sqlalchemy.exc import SQLAlchemyError

from console.core.errors import Busy
from console.database import is_busy
from console.failpoints import CLAIMED
from console.ring import SLICE_S
from console.services.engine import claims, due, recipients, unsent, wants
from console.services.engine.claims import Grant
from console.services.engine.recipients import Recipient
from console.services.engine.unsent import Fate
from console.services.work import DELIVERIES, DELIVERIES_SLOW
from workers.beat import Beat
from workers.board import Board, Waiting
from workers.calling import Caller
from workers.equipment import Equipment
from workers.recording import Recorder
from workers.returns import Returns
from workers.sender import Sender
from workers.sending import Senders

PARKED_S = 2.0
"""A row that has not begun so long after its claim is given back."""
LOOK_EVERY_S = 0.1
"""How often new work is looked for while requests are in flight."""
LONGEST_ATTEMPT_S = 30.0
LONGEST_CALLS_S = 5.0
"""How long callbacks may go on when the process ends."""
SUSPECTS_EVERY_S = 5.0
LONGEST_LIMIT_S = 1.5
"""A drain stays for a hook whose rate limit lets it go on within this; later ones are rung for."""
LONGEST_PAUSE_S = 1.0
"""More than it takes to record that a hook proved slow."""
BUSY_PAUSE_S = 0.25
_log = structlog.get_logger(__name__)


class Drain:
    """The delivery loop of one worker process; ``run`` is entered by one thread at a time."""

    def __init__(self, equipment: Equipment, *, lane: str, beat: Beat, sender: Sender, threads: int) -> None:
        self._equipment = equipment
        self._lane = lane
        self._beat = beat
        self._threads = threads
        self._sender = sender
        self._wake = Event()
        self._stopping = Event()
        self._hurrying = Event()
        self._busy = Lock()
        self._recipients: dict[int, Recipient] = {}
        self._withdrawn: set[int] = set()
        self._paused: dict[int, float] = {}
        self._returns = Returns(equipment)
        self._claimed_at = self._suspected_at = float("-inf")
        self._is_suspecting = False
        self._looked_at = equipment.clock.now()
        self.board = Board(threads=threads, wake=self._wake.set)
        self._caller = Caller(equipment)
        self._recorder = Recorder(
            equipment,
            withdraw=self._note_withdrawn,
            on_recorded=self._caller.put,
            is_calm=lambda: not self.board.in_flight and not self.board.waiting,
            enough=threads,
            on_written=self.board.written,
        )
        self._senders = Senders(equipment, board=self.board, recorder=self._recorder, beat=beat, sender=sender)
        if lane == DELIVERIES:
            self._senders.on_slow = self._pause

    @property
    def recorded(self) -> int:
        """How many results were written since the process started."""
        return self._recorder.recorded

    def start(self) -> None:
        """Start the threads."""
        self._caller.start()
        self._recorder.start()
        self._senders.start()

    def stop(self) -> None:
        """Claim nothing more: a run that goes on finishes what is in flight and gives the rest back."""
        self._stopping.set()
        self._wake.set()

    def hurry(self) -> None:
        """Do not even wait for what is in flight: the sweeper frees it and it is sent again."""
        self._hurrying.set()
        self.stop()

    def close(self) -> None:
        """End the threads, after ``stop`` and after the last run; results that are there are written."""
        self.stop()
        with self._busy:
            pass
        self._senders.stop(timeout_s=0.0 if self._hurrying.is_set() else LONGEST_ATTEMPT_S)
        self._recorder.stop()
        self._caller.stop(timeout_s=0.0 if self._hurrying.is_set() else LONGEST_CALLS_S)
        self._sender.close()

    def run(self, *, slice_s: float = SLICE_S) -> bool:
        """Deliver what is due, for at most *slice_s* seconds of claiming; True when work may be left.

        At once: True when it may claim nothing more, False when another thread is draining.
        """
        if self._stopping.is_set():
            return True
        if not self._busy.acquire(blocking=False):
            return False
        try:
            return self._run(monotonic() + slice_s)
        finally:
            self._leave()
            self._busy.release()

    # --- the loop ---------------------------------------------------------------------------------------------------

    def _run(self, deadline: float) -> bool:
        has_rung = False
        while True:
            self._wake.clear()
            is_ending = self._stopping.is_set() or monotonic() > deadline
            try:
                found = self._turn(is_ending=is_ending)
                is_over = self._is_over(found, is_ending=is_ending)
            except (Busy, SQLAlchemyError) as error:
                if not isinstance(error, Busy) and not is_busy(error):
                    raise
                _log.warning("the database is busy, trying again", error=type(error).__name__)
                found, is_over = 0, is_ending and not self.board.in_flight
                self._hurrying.wait(BUSY_PAUSE_S)
            if is_over:
                return is_ending
            if found > self._threads and not has_rung:
                self._equipment.ring.ring(self._lane)  # there is enough for another worker too
                has_rung = True
            if not found:
                self._wake.wait(LOOK_EVERY_S)

    def _turn(self, *, is_ending: bool) -> int:
        """Tidy the board and claim when there is room; give the number of rows claimed."""
        slow = self.board.lend()
        if self._lane == DELIVERIES:
            for hook in slow:
                self._pause(hook)
        self._tidy(everything=is_ending)
        if not is_ending and not self._has_in_hand() and (suspects := self._claim_suspect()):
            return suspects
        is_time = monotonic() - self._claimed_at > LOOK_EVERY_S or self.board.waiting < self._threads
        return self._claim() if is_time and not is_ending else 0

    def _is_over(self, found: int, *, is_ending: bool) -> bool:
        if found or self.board.waiting:
            return False
        if self.board.in_flight:
            return self._hurrying.is_set()
        if not self._recorder.wait_until_written(1.0):
            return False
        # What ended here may have made more due, or kept somebody else from a turn meanwhile: look once more.
        return is_ending or not (self._claim() or self._awaits_rate_limit())

    def _claim(self) -> int:
        """Claim what fits; give the number of rows. Turns with nothing in hand are let go in the same transaction."""
        if self._beat.is_fenced() or self._has_suspect():
            return 0
        self._claimed_at = monotonic()
        self._returns.turns.update(self.board.leave_idle())
        with self._equipment.work() as work:
            self._looked_at = work.now()
            grants = claims.claim(
                work,
                worker=self._beat.worker,
                lane=self._lane,
                held=self.board.seats(),
                idle=self._returns.turns,
                without=self._still_paused(),
                crowding=self.board.crowding,
                room=self.board.room if self._lane == DELIVERIES_SLOW else wants.MOST_ROWS,
                only_proven=self.board.keeps_back,
            )
        self._returns.turns.clear()
        return self._seat(grants)

    def _has_suspect(self) -> bool:
        """Say whether a delivery that killed its workers is in hand: nothing else may be beside it."""
        self._is_suspecting = self._is_suspecting and self._has_in_hand()
        return self._is_suspecting

    def _has_in_hand(self) -> bool:
        return bool(self.board.waiting or self.board.in_flight or self._recorder.unwritten)

    def _claim_suspect(self) -> int:
        """Claim one delivery that killed its workers, now that there is nothing else in hand."""
        if monotonic() - self._suspected_at < SUSPECTS_EVERY_S or self._beat.is_fenced():
            return 0
        with self._equipment.work() as work:
            grants = claims.claim(work, worker=self._beat.worker, lane=self._lane, held={}, alone=True)
        self._is_suspecting = bool(grants)
        if not grants:
            self._suspected_at = monotonic()
        return self._seat(grants)

    def _awaits_rate_limit(self) -> bool:
        """Wait for a hook that a rate limit holds back, if that is not for long; True when there was one."""
        with self._equipment.look() as work:
            moment = due.next_limited(work, lane=self._lane, at=self._looked_at)
            wait_s = (moment - work.now()).total_seconds() if moment else LONGEST_LIMIT_S
        if wait_s >= LONGEST_LIMIT_S:
            return False
        self._wake.wait(max(wait_s, 0.0))
        return True

    def _seat(self, grants: list[Grant]) -> int:
        """Put what was claimed on the board; give the number of rows."""
        if not grants:
            return 0
        self._equipment.failpoints.hit(CLAIMED)
        versions = {grant.hook_number: grant.rows[0].hook_version for grant in grants}
        try:
            self._refresh(versions)
        except SQLAlchemyError:  # nobody else would know of these rows
            self._returns.rows.extend(row for grant in grants for row in grant.rows)
            self._returns.turns.update((grant.hook_number, grant.slot) for grant in grants)
            raise
        # An organization that was deleted this very moment has taken its hooks and deliveries along.
        self.board.add([grant for grant in grants if grant.hook_number in self._recipients], self._recipients)
        return sum(len(grant.rows) for grant in grants)

    def _refresh(self, versions: dict[int, int]) -> None:
        """Load the hooks whose version is not the one at hand."""
        stale = [
            number
            for number, version in versions.items()
            if number not in self._recipients or self._recipients[number].version != version
        ]
        if stale:
            with self._equipment.look() as work:
                self._recipients.update(recipients.load(work, numbers=stale))

    # --- rows that wait ---------------------------------------------------------------------------------------------

    def _pause(self, hook: int) -> None:
        """Send a hook that proves slow nothing more here; once that is recorded it belongs to the other lane."""
        is_news = hook not in self._paused
        self._paused[hook] = monotonic() + LONGEST_PAUSE_S
        if not is_news:
            return
        self.board.pause(hook)
        self._note_withdrawn(frozenset({hook}))

    def _still_paused(self) -> list[int]:
        now = monotonic()
        for hook in [hook for hook, until in list(self._paused.items()) if until < now]:
            self._paused.pop(hook, None)
        return list(self._paused)

    def _note_withdrawn(self, hooks: frozenset[int]) -> None:
        self._withdrawn |= hooks
        self._wake.set()

    def _tidy(self, *, everything: bool) -> None:
        """Give back what may not or should not wait here any longer, and look at the rest again."""
        worker, oldest = self._beat.worker, monotonic() - PARKED_S
        gone, self._withdrawn = self._withdrawn, set()

        def is_unwanted(one: Waiting) -> bool:
            return everything or one.claimed_at < oldest or one.row.hook_number in gone or one.row.worker != worker

        self._returns.give_back(self.board.withdraw(is_unwanted))
        if rows := self.board.to_look_at():
            self._look(rows)

    def _look(self, rows: list[Waiting]) -> None:
        """Look whether *rows* are still wanted, and take their hooks as they are now."""
        with self._equipment.look() as work:
            found = unsent.look_again(work, rows=[one.row for one in rows], lane=self._lane)
        wanted = [one for one in rows if found[one.row.number].fate is Fate.WANTED]
        self._refresh({one.row.hook_number: found[one.row.number].hook_version for one in wanted})
        for one in wanted:
            one.recipient = self._recipients[one.row.hook_number]
        self.board.checked(wanted)
        unwanted = {one.row.number for one in rows} - {one.row.number for one in wanted}
        if unwanted:
            self._returns.give_back(self.board.withdraw(lambda one: one.row.number in unwanted))

    def _leave(self) -> None:
        """Give everything back; what the database does not take now is for the next run, or for the sweeper."""
        try:
            self._returns.give_back(self.board.withdraw(lambda _one: True))
            self._returns.turns.update(self.board.leave_idle())
            self._returns.let_go(worker=self._beat.worker)
        except (Busy, SQLAlchemyError) as error:
            _log.warning("turns could not be let go", error=type(error).__name__)
