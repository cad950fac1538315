"""F11: the clock of the host or of the database jumps by an hour or a day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, text

from console.models import Delivery, HookState
from console.services.upkeep import condition
from console.services.work import Work
from tests.engine import scalars
from tests.faults.stage import Stage

LIMIT = {"count": 20, "seconds": 1}
JUMPS = [timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(days=-1)]
DAY = timedelta(days=1)


@dataclass
class Shim:
    """The host's clock, *ahead* of what it is."""

    ahead: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def shim() -> Shim:
    return Shim()


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_f11_a_clock_that_jumps_neither_floods_a_receiver_nor_leaves_anything_behind(
    stage: Stage, shim: Shim, jump: timedelta
) -> None:
    stage.work = replace(stage.work, clock=shim)
    stage.hook(rate_limit=LIMIT)
    hand = stage.hand(clock=shim)
    stage.publish(30)
    hand.deliver(slice_s=0.5)
    hand.drain.run(slice_s=0)

    shim.ahead += jump
    hand.beat.once()
    hand.dispatcher.tick()

    longest = longest_pause(stage.work)
    assert longest <= timedelta(seconds=LIMIT["seconds"] / LIMIT["count"])
    assert furthest(stage.work) <= DAY
    stage.make_due()
    stage.wait_until(lambda: hand.deliver() or stage.states() == {"delivered": 30})
    assert most_in_a_second(stage) <= 2 * LIMIT["count"]
    assert stage.check().duplicates == 0


def longest_pause(work: Work) -> timedelta:
    """Say how long a hook is held back from now on by its rate limit."""
    [moment] = scalars(work, select(HookState.next_send_at))
    return max(moment - work.now(), timedelta())


def furthest(work: Work) -> timedelta:
    """Say how far ahead the last waiting attempt is planned."""
    moments = scalars(work, select(Delivery.next_attempt_at).where(Delivery.state == "pending"))
    return max((moment - work.now() for moment in moments), default=timedelta())


def most_in_a_second(stage: Stage) -> int:
    times = [receipt.at for receipt in stage.ledger.receipts]
    return max(sum(1 for other in times if begin <= other < begin + 1) for begin in times)


@pytest.mark.postgresql_only
@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_f11_workers_live_by_the_databases_clock_and_a_difference_is_told(stage: Stage, jump: timedelta) -> None:
    """A function of the same name comes before PostgreSQL's own, as if its host's clock were wrong."""
    stage.hook()
    engine = stage.work.session.get_bind()
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA shim"))
        connection.execute(
            text(f"""CREATE FUNCTION shim.clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS $$ SELECT pg_catalog.clock_timestamp() + interval '{int(jump.total_seconds())} seconds' $$""")
        )
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET search_path = shim, public, pg_catalog'))
    stage.work.session.commit()
    engine.dispose()
    stage.start_worker()
    app = stage.app()

    answers = [stage.caller(app).publish(n) for n in range(5)]
    for answer in answers:
        stage.answered[answer.json["id"]] = answer.json["deliveries"]

    stage.wait_for(delivered=5)
    assert condition.CLOCKS in app.test_client().get("/readyz").json["reasons"]
    assert condition.CLOCKS in stage.browser(app).get("/o/acme/").text
    assert stage.check().duplicates == 0
    stamps = [receipt.timestamp for receipt in stage.ledger.receipts]
    real = datetime.now(UTC).timestamp()
    assert all(abs(stamp - real - jump.total_seconds()) < 60 for stamp in stamps)
    assert all(earlier <= later for earlier, later in pairwise(sorted(stamps)))
