"""The board: the turns that this worker holds, the rows that wait in them, and who may begin one now.

A turn gives out as many tokens as it may have requests in flight; a sender thread takes a token, begins the next row of
that turn, and puts the token back when the response is there. Tokens queue up, so all turns are served in rotation.

Nobody knows beforehand which request will be slow, so slow ones must not take the places of quick ones: a request that
lingers lends its place to another one, up to ``Room.lent``. And the last places are kept back: of one hook and of one
organization at most half are in use while others wait, and some are only for hooks that answered lately.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic

from console.core.health import SLOW_AFTER_S, next_concurrency
from console.core.outcomes import Outcome
from console.services.engine.claims import Claimed, Grant
from console.services.engine.recipients import Recipient
from console.services.engine.turns import Key, Seat

LINGER_S = 0.25
"""A request that takes longer is one that somebody else need not wait for."""
FRESH_S = 0.05
"""A row begins only when a look at the database, not older than this, found it wanted."""
NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Room:
    """How many requests a worker makes at a time: *quick* ones, and in place of those that linger *lent* more."""

    quick: int

    @property
    def lent(self) -> int:
        """How many requests may be made in place of others that linger."""
        return self.quick * 3 // 4

    @property
    def threads(self) -> int:
        """How many requests there are at most."""
        return self.quick + self.lent

    @property
    def unproven(self) -> int:
        """How many of them hooks may have that were not answered lately."""
        return self.quick

    @property
    def unwritten(self) -> int:
        """How many requests may be under way or have a result that is not in the database yet.

        That many come twice when the worker is killed.
        """
        return 2 * self.quick


class Places:
    """A number of places, taken and given back by threads.

    As ``threading.Semaphore``, but the interpreter's own queue does it in a fifth of the time.
    """

    def __init__(self, count: int) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        self.give(count)

    def take(self, *, wait: bool) -> bool:
        """Take a place; False when none is free and the caller does not *wait*."""
        try:
            self._free.get(block=wait)
        except Empty:
            return False
        return True

    def give(self, count: int = 1) -> None:
        """Give places back."""
        for _ in range(count):
            self._free.put(None)


@dataclass(slots=True)
class Waiting:
    """A claimed row that has not begun; moments are monotonic seconds."""

    row: Claimed
    recipient: Recipient
    claimed_at: float
    checked_at: float


@dataclass(slots=True)
class Table:
    """A turn that this worker holds."""

    key: Key
    cap: int
    limit: int
    organization: int = 0
    is_proven: bool = False
    waiting: deque[Waiting] = field(default_factory=deque)
    tokens: int = 0
    in_flight: int = 0


@dataclass(slots=True)
class Begun:
    """A row that a sender thread is to send now."""

    table: Table
    waiting: Waiting
    at: float
    is_proven: bool
    lends: bool = False


class Board:
    """Shared by the claiming thread and the sender threads, of which there are *threads*.

    *wake* is called when rows run low or must be looked at.
    """

    def __init__(self, *, threads: int, wake: Callable[[], None], clock: Callable[[], float] = monotonic) -> None:
        self._wake = wake
        self._room = Room(threads)
        self._share = max(1, threads // 2)
        self._places = Places(threads)
        self._unwritten = Places(self._room.unwritten)
        self._begun: dict[int, Begun] = {}  # in the order in which they began
        self._lent = 0
        self._unproven = 0
        self._clock = clock
        self._lock = Lock()
        self._tables: dict[Key, Table] = {}
        self._tokens: SimpleQueue[Table | None] = SimpleQueue()
        self._refused: list[Claimed] = []
        self._is_stale = False
        self._waiting = 0
        self._in_flight = 0
        self._waiting_of: Counter[int] = Counter()
        self._in_flight_of: Counter[int] = Counter()
        self._in_flight_for: Counter[int] = Counter()
        self._deferred: dict[Key, Table] = {}

    @property
    def waiting(self) -> int:
        """How many rows have not begun."""
        return self._waiting

    @property
    def in_flight(self) -> int:
        """How many requests are being made."""
        return self._in_flight

    @property
    def threads(self) -> int:
        """How many sender threads there must be."""
        return self._room.threads

    @property
    def room(self) -> int:
        """How many more requests could be made."""
        return max(0, self._room.threads - self._in_flight - self._waiting)

    @property
    def keeps_back(self) -> bool:
        """Whether the places that are left are for hooks that answered lately."""
        return self._unproven >= self._room.unproven

    @property
    def crowding(self) -> int | None:
        """The organization that has half of the threads or more, if one has."""
        with self._lock:
            return next((one for one, count in self._in_flight_of.items() if count >= self._share), None)

    def add(self, grants: Iterable[Grant], recipients: dict[int, Recipient]) -> None:
        """Take in what was claimed just now."""
        now = self._clock()
        with self._lock:
            for grant in grants:
                key = (grant.hook_number, grant.slot)
                table = self._tables.setdefault(key, Table(key, grant.cap, grant.limit, grant.organization_number))
                table.cap, table.limit, table.is_proven = grant.cap, grant.limit, grant.is_proven
                recipient = recipients[grant.hook_number]
                # A hook that changed since the claim may be disabled or deleted, and its secrets gone: look first.
                checked_at = now if recipient.version == grant.rows[0].hook_version else NEVER
                table.waiting.extend(Waiting(row, recipient, now, checked_at) for row in grant.rows)
                self._waiting += len(grant.rows)
                self._waiting_of[table.organization] += len(grant.rows)
                self._issue(table)

    def _issue(self, table: Table) -> None:
        """Put as many tokens in circulation as the turn may use, under the lock."""
        for _ in range(min(table.cap - table.tokens, len(table.waiting) + table.in_flight - table.tokens)):
            table.tokens += 1
            self._tokens.put(table)

    def begin(self, *, wait: bool = True) -> Begun | None:
        """Wait for a place and a row that may begin; None tells the thread to end, or that there is none right now."""
        if not self._places.take(wait=wait):
            return None
        if not self._unwritten.take(wait=wait):
            self._places.give()
            return None
        while True:
            try:
                table = self._tokens.get(block=wait)
            except Empty:
                table = None
            if table is None:
                self._places.give()
                self._unwritten.give()
                return None
            with self._lock:
                is_open = bool(table.waiting) and table.tokens <= table.cap
                is_open = is_open and not self._must_share(table)
                is_stale = is_open and self._clock() - table.waiting[0].checked_at > FRESH_S
                if is_open and not is_stale:
                    begun = self._take(table)
                    runs_low = len(table.waiting) == table.cap
                else:
                    table.tokens -= 1  # issued again with the next rows, or once these were looked at
                    self._is_stale = self._is_stale or is_stale
                    begun = None
            if is_stale or (begun is not None and runs_low):
                self._wake()
            if begun is not None:
                return begun

    def _take(self, table: Table) -> Begun:
        """Begin the next row of a turn, under the lock."""
        begun = Begun(table, table.waiting.popleft(), self._clock(), table.is_proven)
        self._begun[id(begun)] = begun
        table.in_flight += 1
        self._waiting -= 1
        self._in_flight += 1
        self._waiting_of[table.organization] -= 1
        self._in_flight_of[table.organization] += 1
        self._in_flight_for[table.key[0]] += 1
        self._unproven += not begun.is_proven
        self._resume()
        return begun

    def _must_share(self, table: Table) -> bool:
        """Return whether a turn is to leave its place to others, and remember it until they have had it."""
        organization, hook = table.organization, table.key[0]
        crowds = self._in_flight_of[organization] >= self._share and self._waiting > self._waiting_of[organization]
        crowds = crowds or (self._in_flight_for[hook] >= self._share and self._waiting > len(table.waiting))
        if not crowds and (table.is_proven or not self.keeps_back):
            return False
        self._deferred[table.key] = table
        return True

    def _resume(self) -> None:
        """Let the turns go on that had to leave their threads to others and need not any longer, under the lock."""
        for table in list(self._deferred.values()):
            del self._deferred[table.key]
            if not self._must_share(table):
                self._issue(table)

    def lend(self) -> frozenset[int]:
        """Lend the places of requests that linger to others; return the hooks with a request that is slow by now."""
        now = self._clock()
        slow = set()
        with self._lock:
            for begun in self._begun.values():
                if begun.at > now - LINGER_S:
                    break
                if not begun.lends and self._lent < self._room.lent:
                    begun.lends = True
                    self._lent += 1
                    self._places.give()
                if begun.at <= now - SLOW_AFTER_S:
                    slow.add(begun.table.key[0])
        return frozenset(slow)

    def written(self, count: int) -> None:
        """Note that the results of so many requests are in the database, or will never be."""
        self._unwritten.give(count)

    def end(self, begun: Begun, *, outcome: Outcome | None, status: int | None) -> None:
        """Note that a request is over; *outcome* None: it was not made after all."""
        table = begun.table
        with self._lock:
            del self._begun[id(begun)]
            if begun.lends:
                self._lent -= 1
            else:
                self._places.give()
            self._in_flight_for[table.key[0]] -= 1
            self._unproven -= not begun.is_proven
            table.in_flight -= 1
            self._in_flight -= 1
            self._in_flight_of[table.organization] -= 1
            if outcome is not None:
                table.cap = table.cap and next_concurrency(
                    table.cap, outcome=outcome, status=status, maximum=table.limit
                )
            table.tokens -= 1
            self._issue(table)
            self._resume()
            is_idle = not table.waiting and not table.in_flight
        if is_idle:
            self._wake()

    def refuse(self, begun: Begun) -> None:
        """Put a row aside that may not be sent after all; ``withdraw`` gives it out."""
        self.written(1)  # there will be no result
        with self._lock:
            self._refused.append(begun.waiting.row)
        self._wake()

    def pause(self, hook_number: int) -> None:
        """Begin nothing more for a hook until rows of it are added again."""
        with self._lock:
            for key, table in self._tables.items():
                if key[0] == hook_number:
                    table.cap = 0

    def seats(self) -> dict[Key, Seat]:
        """Say what each held turn has in hand."""
        with self._lock:
            return {key: Seat(len(table.waiting), table.in_flight) for key, table in self._tables.items()}

    def leave_idle(self) -> list[Key]:
        """Let go of the turns that have nothing in hand, and name them."""
        with self._lock:
            idle = [key for key, table in self._tables.items() if not table.waiting and not table.in_flight]
            for key in idle:
                del self._tables[key]
        return idle

    def to_look_at(self) -> list[Waiting]:
        """Give all rows when one that could begin has not been looked at lately, else none."""
        with self._lock:
            if not self._is_stale:
                return []
            self._is_stale = False
            return [one for table in self._tables.values() for one in table.waiting]

    def checked(self, rows: Iterable[Waiting]) -> None:
        """Note that *rows* were looked at just now and are wanted."""
        now = self._clock()
        with self._lock:
            for one in rows:
                one.checked_at = now
            for table in self._tables.values():
                self._issue(table)

    def withdraw(self, unwanted: Callable[[Waiting], bool]) -> list[Claimed]:
        """Take rows off the board that have not begun; they are no longer this worker's to send."""
        with self._lock:
            refused, self._refused = self._refused, []
            taken: list[Claimed] = []
            for table in self._tables.values():
                stay = [one for one in table.waiting if not unwanted(one)]
                if len(stay) < len(table.waiting):
                    kept = {id(one) for one in stay}
                    taken += [one.row for one in table.waiting if id(one) not in kept]
                    self._waiting_of[table.organization] -= len(table.waiting) - len(stay)
                    table.waiting = deque(stay)
            self._waiting -= len(taken)
            self._resume()
        return refused + taken

    def dismiss(self, threads: int) -> None:
        """Tell so many sender threads to end."""
        for _ in range(threads):
            self._tokens.put(None)
