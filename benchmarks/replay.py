"""Does a replay hold up what is published meanwhile? Real worker processes, a real Valkey, a real receiver.

Deliveries that failed are replayed to the very hooks that get a steady stream of new events; what is measured is how
long the new ones wait for their first attempt, without the replay and while it goes on, and how fast that is.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from benchmarks import rows
from benchmarks.installation import Place, installation, parser, receiver, workers
from benchmarks.rows import Ids
from benchmarks.stream import LIMIT_S, Delays, delays, streaming
from console import database
from console.models import Delivery, ReplayState, Which
from console.services.replays import replays
from console.services.replays.planning import ReplayDraft
from console.services.replays.replays import Progress
from console.services.work import BACKGROUND, DELIVERIES, DELIVERIES_SLOW


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; *replayed_s* and *rate* are the replay's, in seconds and deliveries a second."""

    database: str
    deliveries: int
    hooks: int
    events_a_second: int
    replayed_s: float
    rate: float
    progress: Progress
    before: Delays
    meanwhile: Delays

    @property
    def is_good(self) -> bool:
        """Say whether everything was sent, and new events waited up to 1 s (95th percentile)."""
        return self.progress.delivered == self.deliveries and self.meanwhile.p95_s <= LIMIT_S


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON; exit 1 when an aim was missed."""
    options = _parser().parse_args(arguments)
    with installation(options) as place, receiver() as port:
        figures = measure(place, options, port=port)
    print(json.dumps({**asdict(figures), "is_good": figures.is_good}, indent=2))
    return 0 if figures.is_good else 1


def _parser() -> argparse.ArgumentParser:
    made = parser("replay", __doc__)
    made.add_argument("--deliveries", type=int, default=100_000, help="to be replayed (default: %(default)s)")
    made.add_argument("--hooks", type=int, default=20, help="hooks they are spread over (default: %(default)s)")
    made.add_argument("--rate", type=int, default=50, help="new events a second (default: %(default)s)")
    made.add_argument("--before", type=int, default=10, help="seconds without a replay (default: %(default)s)")
    return made


def measure(place: Place, options: argparse.Namespace, *, port: int) -> Figures:
    """Fill the log, publish steadily, replay."""
    ids = Ids()
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(options.hooks)]
    with Session(place.engine) as session:
        organization = rows.make_organization(session, ids=ids)
        hooks = rows.make_hooks(session, urls, organization=organization, ids=ids, named=True)
        rows.backlog(session, hooks, options.deliveries, organization=organization, ids=ids)
        session.execute(update(Delivery).values(state="failed", finished_at=datetime.now(UTC)))
        session.commit()
    with workers(place.settings, lanes=[DELIVERIES] * options.workers + [DELIVERIES_SLOW, BACKGROUND]):
        with streaming(place, organization=organization, hooks=range(options.hooks), rate=options.rate):
            begun_at = datetime.now(UTC)
            time.sleep(options.before)
            before = delays(place.engine, hooks=hooks, since=begun_at)
            started_at, started = datetime.now(UTC), time.monotonic()
            progress = replay(place, organization=organization)
            seconds = time.monotonic() - started
        meanwhile = delays(place.engine, hooks=hooks, since=started_at)
    return Figures(
        database=place.database,
        deliveries=options.deliveries,
        hooks=options.hooks,
        events_a_second=options.rate,
        replayed_s=round(seconds, 1),
        rate=round(options.deliveries / seconds, 1),
        progress=progress,
        before=before,
        meanwhile=meanwhile,
    )


def replay(place: Place, *, organization: int) -> Progress:
    """Replay all that failed and wait for the end; give how it went."""
    with Session(place.engine, expire_on_commit=False) as session:
        work = place.work(session)
        row = replays.start(work, organization_number=organization, draft=ReplayDraft(which=Which.FAILED))
        while row.state in (ReplayState.PENDING, ReplayState.RUNNING):
            time.sleep(0.5)
            with database.read_only():
                session.refresh(row)
                progress = replays.progress_of(work, [row])[row.number]
                session.commit()  # a row that is read again outside of the block would lock SQLite
    return progress
