"""The dispatcher: a thread in every worker process. One of them leads: it rings lanes with due work and sweeps.

All of them see to it that a ring which was lost costs seconds: when Redis cannot be reached, or work has been due for
longer than a ring takes, they drain by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from time import monotonic

import structlog
from sqlalchemy.exc import SQLAlchemyError

from console.core.errors import Busy, KeyUnavailable
from console.database import is_busy
from console.ring import RedisRing
from console.services import idempotency
from console.services.bins import bins
from console.services.engine import due
from console.services.events import fan_outs
from console.services.figures import organization_hours, type_hours
from console.services.organizations import closing
from console.services.people import kept_forms, sign_in
from console.services.replays import steps
from console.services.upkeep import leading, pruning, repairing, resealing, retention, stepped_clocks, sweeping
from console.services.work import Work
from workers.beat import Beat
from workers.drain import Drain
from workers.equipment import Equipment

TICK_S = 1.0
LATE = timedelta(seconds=1)
"""What is due for so long was rung for in vain, or there is more than the workers manage."""
OVERDUE = timedelta(seconds=5)
OWN_SLICE_S = 10.0
PRUNE_S = 0.2
"""How long a tick may delete what is old; the leader's other duties come every second."""
_log = structlog.get_logger(__name__)


class Dispatcher:
    """Ticks once a second until it is stopped."""

    def __init__(self, equipment: Equipment, *, lane: str, beat: Beat, drain: Drain) -> None:
        self._equipment = equipment
        self._lane = lane
        self._beat = beat
        self._drain = drain
        self._ending = Event()
        self._thread = Thread(target=self._run, name="dispatcher", daemon=True)
        self._own_drain: Thread | None = None
        self._duties = (
            Duty(1.0, sweeping.sweep),
            Duty(1.0, steps.wake),
            Duty(2.0, self._hand_out),
            Duty(5.0, stepped_clocks.clamp),
            Duty(5.0, stepped_clocks.note),
            Duty(15.0, sweeping.expire),
            Duty(15.0, repairing.settle),
            Duty(15.0, type_hours.roll_up),
            Duty(60.0, organization_hours.roll_up),
            Duty(60.0, repairing.repair),
            Duty(60.0, idempotency.forget),
            Duty(60.0, kept_forms.forget),
            Duty(60.0, closing.remove_closed),
            Duty(600.0, bins.remove_expired),
            Duty(600.0, sign_in.forget_old),
            Duty(600.0, resealing.reseal),
            Duty(60.0, retention.prune_small),
            Duty(60.0, self._prune),
        )
        self._pruned = retention.Pruned()
        self._handing_out = fan_outs.Progress()

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def stop(self) -> None:
        """End; the lead is free at once."""
        self._ending.set()
        self._thread.join(TICK_S + 5)
        with self._equipment.work() as work:
            leading.resign(work, worker=self._beat.worker)

    def _run(self) -> None:
        while not self._ending.wait(TICK_S):
            try:
                self.tick()
            except Exception as error:  # noqa: BLE001 the one thread that repairs everything else must go on
                expected = isinstance(error, Busy) or is_busy(error)
                _log.warning("dispatcher failed", error=type(error).__name__, exc_info=not expected)

    def tick(self) -> None:
        """Do what is to be done now."""
        with self._equipment.look() as work:
            lanes = due.due_lanes(work)
            now = work.now()
        is_redis_there = self._is_redis_there()
        with self._equipment.work() as work:
            if not self._beat.is_fenced() and leading.lead(work, worker=self._beat.worker):
                self._ring(lanes, now=now)
                self._lead(work)
        oldest = lanes.get(self._lane)
        if oldest is not None and (not is_redis_there or now - oldest > OVERDUE):
            self._drain_alone()

    def _ring(self, lanes: dict[str, datetime], *, now: datetime) -> None:
        ring = self._equipment.ring
        for lane, oldest in lanes.items():
            if now - oldest > LATE and isinstance(ring, RedisRing):
                ring.ring_again(lane)
            else:
                ring.ring(lane)

    def _lead(self, work: Work) -> None:
        for duty in self._duties:
            try:
                duty.see_to(work)
            except (Busy, KeyUnavailable, SQLAlchemyError) as error:
                work.session.rollback()
                _log.warning("a duty failed and is tried again", duty=duty.name, error=type(error).__name__)

    def _hand_out(self, work: Work) -> bool:
        """Finish fan-outs; False when filters need more time than a tick has."""
        fan_outs.finish(work, progress=self._handing_out)
        return not self._handing_out.begun

    def _prune(self, work: Work) -> bool:
        """Delete some old events; False when there are more, perhaps for hours."""
        place = self._pruned.place or pruning.START
        self._pruned = retention.prune_events(work, most_s=PRUNE_S, place=place)
        return self._pruned.place is None

    def _is_redis_there(self) -> bool:
        ring = self._equipment.ring
        return isinstance(ring, RedisRing) and not ring.trouble()

    def _drain_alone(self) -> None:
        """Drain in a thread of its own: the dispatcher's other duties must not wait for receivers."""
        if self._own_drain is None or not self._own_drain.is_alive():
            self._own_drain = Thread(target=self._run_own_drain, name="own-drain", daemon=True)
            self._own_drain.start()

    def _run_own_drain(self) -> None:
        try:
            self._drain.run(slice_s=OWN_SLICE_S)
        except Exception:  # noqa: BLE001 as in _run
            _log.exception("draining without a ring failed")


class Duty:
    """Something the leader does every so many seconds, and at the next tick again when it says that it is not done."""

    def __init__(self, every_s: float, do: Callable[[Work], object]) -> None:
        self._every_s = every_s
        self._do = do
        self._next_at = 0.0
        self.name = getattr(do, "__name__", "").strip("_")

    def see_to(self, work: Work) -> None:
        """Do it if it is time."""
        if monotonic() >= self._next_at:
            self._next_at = monotonic() + self._every_s
            if self._do(work) is False:
                self._next_at = 0.0
