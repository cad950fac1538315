"""The sender threads: take a row that may begin, send it, say how it ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from threading import Lock, Thread
from time import monotonic

import structlog

from console.core.errors import HookyardError
from console.core.outcomes import SLOW, Outcome
from console.core.redact import mask_headers
from console.failpoints import SENDING
from console.services.engine.ended import Ended
from workers.beat import Beat
from workers.board import Board, Waiting
from workers.composing import compose
from workers.equipment import Equipment
from workers.recording import Recorder
from workers.sender import Request, Result, Sender
from workers.stopwatch import Timings

_PHASES = tuple(Timings.__dataclass_fields__)
_RESOLVER_WINDOW_S = 10.0
_RESOLVER_HOSTS = 3
_log = structlog.get_logger(__name__)


class Lookups:
    """Tells a resolver of ours that is down from receivers whose DNS is: several hosts fail and none resolves."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failed: dict[str, float] = {}
        self._resolved_at = float("-inf")

    def note(self, host: str, outcome: Outcome) -> bool:
        """Take in how an attempt ended; True when its failed lookup was our resolver's fault."""
        now = self._clock()
        if outcome is not Outcome.DNS_TEMPORARY:
            self._resolved_at = now
            return False
        with self._lock:
            self._failed[host] = now
            self._failed = {name: at for name, at in self._failed.items() if now - at <= _RESOLVER_WINDOW_S}
            return len(self._failed) >= _RESOLVER_HOSTS and now - self._resolved_at > _RESOLVER_WINDOW_S


class Senders:
    """A fixed set of threads that serve a board until it dismisses them."""

    def __init__(self, equipment: Equipment, *, board: Board, recorder: Recorder, beat: Beat, sender: Sender) -> None:
        self._equipment = equipment
        self._board = board
        self._recorder = recorder
        self._beat = beat
        self._sender = sender
        self._lookups = Lookups()
        self.on_slow: Callable[[int], None] = lambda _hook: None
        self._threads = [
            Thread(target=self._run, name=f"sender-{index}", daemon=True) for index in range(board.threads)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, timeout_s: float) -> None:
        """Let the threads end after what they are sending."""
        self._board.dismiss(len(self._threads))
        deadline = monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    def _run(self) -> None:
        while (begun := self._board.begin()) is not None:
            outcome, status = None, None
            try:
                if not self._beat.is_fenced() and begun.waiting.row.worker == self._beat.worker:
                    ended = self._attempt(begun.waiting)
                    outcome, status = ended.outcome, ended.status
                    if outcome in SLOW:
                        self.on_slow(ended.recipient.number)
                    self._recorder.put(ended)
                else:
                    self._board.refuse(begun)
            except Exception as error:  # noqa: BLE001 a thread that died would be missing until the process ends
                _log.exception("sender thread failed", delivery=str(begun.waiting.row.id))
                sentence = f"The worker failed ({type(error).__name__})."
                now = self._equipment.clock.now()
                self._recorder.put(_unsent(begun.waiting, Outcome.SYSTEM_ERROR, sentence, started_at=now))
            finally:
                self._board.end(begun, outcome=outcome, status=status)

    def _attempt(self, waiting: Waiting) -> Ended:
        """Make one attempt; whatever befalls it is its outcome."""
        row, recipient = waiting.row, waiting.recipient
        started_at = self._equipment.clock.now()
        begun = monotonic()
        if recipient.fault is not None:
            return _unsent(waiting, Outcome.SYSTEM_ERROR, recipient.fault, started_at=started_at)
        if recipient.target is None:
            return _unsent(waiting, Outcome.BLOCKED_URL, recipient.refusal, started_at=started_at)
        try:
            request = compose(row, recipient, target=recipient.target, now=started_at)
        except HookyardError as error:
            return _unsent(waiting, Outcome.INVALID_REQUEST, error.message, started_at=started_at)
        self._equipment.failpoints.hit(SENDING, row.id)
        result = self._sender.send(request)
        duration_ms = (monotonic() - begun) * 1000
        is_own_fault = self._lookups.note(recipient.target.host, result.outcome)
        return _ended(
            waiting, request, result, started_at=started_at, duration_ms=duration_ms, is_own_fault=is_own_fault
        )


def _unsent(waiting: Waiting, outcome: Outcome, error: str | None, *, started_at: datetime) -> Ended:
    return Ended(
        row=waiting.row,
        recipient=waiting.recipient,
        outcome=outcome,
        started_at=started_at,
        duration_ms=0.0,
        error=error,
    )


def _ended(
    waiting: Waiting, request: Request, result: Result, *, started_at: datetime, duration_ms: float, is_own_fault: bool
) -> Ended:
    answered = result.status is not None
    timings = result.timings
    return Ended(
        row=waiting.row,
        recipient=waiting.recipient,
        outcome=result.outcome,
        started_at=started_at,
        duration_ms=round(duration_ms, 3),
        status=result.status,
        error=None if result.error is None else result.error.replace("\x00", ""),  # PostgreSQL's text has no NUL
        retry_after=None if result.outcome is Outcome.OK else _retry_after(result),
        peer=result.peer,
        is_resent=result.resent,
        is_reused=result.reused,
        is_truncated=result.truncated,
        is_own_fault=is_own_fault,
        body_note=result.body_note,
        timings={name: round(getattr(timings, name), 2) for name in _PHASES},
        request_headers=mask_headers(result.sent_headers or request.headers),
        response_headers=mask_headers(result.headers, shows_unknown=True) if answered else None,
        response_body=result.body if answered else None,
    )


def _retry_after(result: Result) -> str | None:
    return next((value for name, value in result.headers if name.lower() == "retry-after"), None)
