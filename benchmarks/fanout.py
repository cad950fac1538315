"""How long does one event to many hooks take? From the publisher's request until the last receipt is recorded."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from benchmarks.installation import receiver, wait_until
from benchmarks.product import Up
from benchmarks.rows import SECRET_KEY, Ids, make_hooks
from console import database
from console.models import Organization

UNFINISHED = text("SELECT count(*) FROM deliveries WHERE state <> 'delivered'")


def measure(*, hooks: int, folder: Path) -> dict[str, float]:
    """Give the milliseconds until the publisher was answered, and the seconds until all had been delivered."""
    with receiver() as port, Up(folder / "data", folder / "up.log", HOOKYARD_SECRET_KEY=SECRET_KEY) as product:
        product.sign_up()
        engine = product.engine()
        with Session(engine) as session:
            organization = session.scalars(select(Organization.number)).one()
            urls = [f"http://127.0.0.1:{port}/{index}" for index in range(hooks)]
            make_hooks(session, urls, organization=organization, ids=Ids(), max_in_flight=16)
            session.commit()
        begun = time.monotonic()
        product.call("POST", "/events", json={"type": "order.paid", "payload": {"order": 4711}})
        answered = time.monotonic()
        wait_until(lambda: _is_over(engine))
        took = time.monotonic() - begun
        engine.dispose()
    return {"hooks": hooks, "answered_ms": round((answered - begun) * 1000, 1), "delivered_s": round(took, 2)}


def _is_over(engine: Engine) -> bool:
    with database.read_only(), engine.connect() as connection:
        return not connection.scalar(UNFINISHED)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks fanout", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--hooks", type=int, default=1000, help="that hear the event (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-fanout-"))
    print(json.dumps(measure(hooks=options.hooks, folder=folder), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0
