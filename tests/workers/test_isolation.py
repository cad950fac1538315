"""No healthy hook waits for others, whatever they do: the engine's rules in a world where time is simulated.

Receivers are drawn at random: quick, slow, hanging, refusing one event type, failing and recovering, on hosts of their
own or shared. Claims, circuits, lanes and boards are the real ones; only threads, sockets and the clock are not.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from math import ceil
from random import Random
from typing import Any

import pytest

from console.core.outcomes import SLOW, Outcome
from console.models import Hook
from console.services.engine import claims, recipients, results, unsent, wants
from console.services.engine.claims import Claimed
from console.services.engine.ended import Ended
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import hire, make_hook
from workers.board import Begun, Board
from workers.drain import LONGEST_PAUSE_S, LOOK_EVERY_S, PARKED_S

THREADS = 8
TIMEOUT_S = 15.0
BOUND_S = 1.5
"""Of any delivery of a hook that is answered; nineteen of twenty begin within USUAL_S."""
USUAL_S = 0.5
SEEDS = 4
Response = tuple[float, Outcome, int | None]
QUICK: Response = (0.02, Outcome.OK, 200)
Receiver = Callable[[str, float], Response]
"""Of an event's type and the time: seconds until the response, and what it is."""


def quick(_type: str, _now: float) -> Response:
    return QUICK


def slow(_type: str, _now: float) -> Response:
    return 13.0, Outcome.OK, 200


def hanging(_type: str, _now: float) -> Response:
    return TIMEOUT_S, Outcome.TIMEOUT, None


def refusing(type_: str, _now: float) -> Response:
    return (0.02, Outcome.SERVER_ERROR, 500) if type_ == "bad" else QUICK


def recovering(_type: str, now: float) -> Response:
    return (TIMEOUT_S, Outcome.TIMEOUT, None) if now % 40 < 20 else QUICK


TROUBLE = (slow, hanging, refusing, recovering)


@dataclass
class Hand:
    """A worker: its board, what it has under way and what it leaves alone for now."""

    number: int
    lane: str
    board: Board
    under_way: list[tuple[float, int, Begun, Response]] = field(default_factory=list)
    paused: dict[int, float] = field(default_factory=dict)


@dataclass
class World:
    """Hooks, their receivers, workers, and how long each delivery waited for its first attempt."""

    work: Work
    clock: Any
    receivers: dict[int, Receiver]
    workers: int
    now: float = 0.0
    hands: list[Hand] = field(default_factory=list)
    waited: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    started: set[int] = field(default_factory=set)
    order: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        for index, lane in enumerate([DELIVERIES] * self.workers + [DELIVERIES_SLOW]):
            board = Board(threads=THREADS, wake=lambda: None, clock=lambda: self.now)
            self.hands.append(Hand(hire(self.work, lane=lane, pid=index), lane, board))

    def run(self, *, seconds: float, publish: Callable[[float], None]) -> None:
        """Let time pass; *publish* is called once a second."""
        end, next_publish = self.now + seconds, self.now
        while self.now < end:
            if self.now >= next_publish:
                publish(self.now)
                next_publish += 1.0
            for hand in self.hands:
                self.act(hand)
            self.advance(LOOK_EVERY_S / 2)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.clock.advance(seconds=seconds)

    def act(self, hand: Hand) -> None:
        """Do what a drain does in one turn of its loop."""
        self.finish(hand)
        for hook in hand.board.lend():
            if hand.lane == DELIVERIES:
                self.pause(hand, hook)
        oldest = self.now - PARKED_S
        self.give_back(hand, lambda one: one.claimed_at < oldest or one.row.hook_number in hand.paused)
        hand.paused = {hook: until for hook, until in hand.paused.items() if until > self.now}
        idle = hand.board.leave_idle()
        grants = claims.claim(
            self.work,
            worker=hand.number,
            lane=hand.lane,
            held=hand.board.seats(),
            idle=idle,
            without=list(hand.paused),
            crowding=hand.board.crowding,
            room=hand.board.room if hand.lane == DELIVERIES_SLOW else wants.MOST_ROWS,
            only_proven=hand.board.keeps_back,
        )
        loaded = recipients.load(self.work, numbers=[grant.hook_number for grant in grants])
        self.work.session.commit()
        hand.board.add(grants, loaded)
        self.begin(hand)

    def begin(self, hand: Hand) -> None:
        while True:
            begun = hand.board.begin(wait=False)
            if begun is None:
                rows = hand.board.to_look_at()
                if not rows:
                    return
                hand.board.checked(rows)
                continue
            row = begun.waiting.row
            if row.number not in self.started:
                self.started.add(row.number)
                self.waited[row.hook_number].append((self.clock.now() - row.created_at).total_seconds())
            response = self.receivers[row.hook_number](row.event.type, self.now)
            heapq.heappush(hand.under_way, (self.now + response[0], next(self.order), begun, response))

    def finish(self, hand: Hand) -> None:
        ended, done = [], []
        while hand.under_way and hand.under_way[0][0] <= self.now:
            _, _, begun, response = heapq.heappop(hand.under_way)
            ended.append(self.ended(begun, response))
            done.append((begun, response))
        if not ended:
            return
        recorded = results.record(self.work, ended=ended)
        for begun, (_, outcome, status) in done:
            hand.board.end(begun, outcome=outcome, status=status)
            if outcome in SLOW and hand.lane == DELIVERIES:
                self.pause(hand, begun.waiting.row.hook_number)
        hand.board.written(len(done))
        self.give_back(hand, lambda one: one.row.hook_number in recorded.withdrawn)

    def ended(self, begun: Begun, response: Response) -> Ended:
        duration_s, outcome, status = response
        return Ended(
            row=begun.waiting.row,
            recipient=begun.waiting.recipient,
            outcome=outcome,
            status=status,
            started_at=self.clock.now() - timedelta(seconds=duration_s),
            duration_ms=duration_s * 1000,
        )

    def pause(self, hand: Hand, hook: int) -> None:
        hand.paused[hook] = self.now + LONGEST_PAUSE_S
        hand.board.pause(hook)

    def give_back(self, hand: Hand, unwanted: Callable[[Any], bool]) -> None:
        rows: list[Claimed] = hand.board.withdraw(unwanted)
        if rows:
            unsent.give_back(self.work, worker=hand.number, rows=rows)

    def publish(self, person: Any, *, types: list[str]) -> None:
        drafts = [EventDraft(type=type_, payload=b"{}") for type_ in types]
        publishing.publish_batch(self.work, organization_number=person.organization.number, drafts=drafts)


def troubled(world: World, person: Any, *, number: int, random: Random) -> None:
    """Add hooks whose receivers are in trouble, on hosts that healthy ones may be on too."""
    for n in range(number):
        url = f"https://host{random.randrange(6)}.example.com/bad{n}"
        world.receivers[make_hook(world.work, person, url=url).number] = random.choice(TROUBLE)


def healthy(world: World, person: Any, *, random: Random) -> list[Hook]:
    urls = [f"https://host{random.randrange(4)}.example.com/ok{n}" for n in range(8)]
    hooks = [make_hook(world.work, person, url=url) for url in urls]
    world.receivers |= {hook.number: quick for hook in hooks}
    return hooks


@pytest.fixture
def make_world(work: Work, clock) -> Callable[[int], tuple[World, Random]]:
    def make(seed: int) -> tuple[World, Random]:
        random = Random(seed)
        own = replace(work, clock=clock, random=random)
        return World(own, clock, {}, workers=random.choice([1, 2])), random

    return make


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_hook_that_is_answered_waits_whatever_the_others_do(make_world, ada, seed: int) -> None:
    world, random = make_world(seed)
    hooks = healthy(world, ada, random=random)
    world.run(seconds=3, publish=lambda _now: world.publish(ada, types=["good"]))
    troubled(world, ada, number=random.randrange(1, 25), random=random)

    world.run(seconds=60, publish=lambda _now: world.publish(ada, types=["bad", "good"]))

    late = {hook.number: [round(value, 2) for value in world.waited[hook.number] if value > BOUND_S] for hook in hooks}
    assert all(len(world.waited[hook.number]) >= 100 for hook in hooks)
    assert not any(late.values()), late
    waited = [value for hook in hooks for value in world.waited[hook.number]]
    assert sum(value > USUAL_S for value in waited) <= len(waited) / 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_hook_that_nobody_knows_yet_waits_for_one_timeout_of_each_place_at_most(make_world, ada, seed: int) -> None:
    """All begin at the same moment, and nothing tells who is healthy before the first responses."""
    world, random = make_world(seed)
    number = random.randrange(1, 25)
    troubled(world, ada, number=number, random=random)
    hooks = healthy(world, ada, random=random)
    rounds = ceil(number / (THREADS * world.workers))

    world.run(seconds=rounds * TIMEOUT_S + 25, publish=lambda _now: world.publish(ada, types=["good"]))

    assert max(value for hook in hooks for value in world.waited[hook.number]) <= rounds * TIMEOUT_S + 2 * BOUND_S
    assert all(world.waited[hook.number][-1] <= BOUND_S for hook in hooks)
