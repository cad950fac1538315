"""The stage of faults: real processes on the test's database, a receiver that keeps the books, and what may be done."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from benchmarks.history import Report, compare, read_rows
from benchmarks.ledger import Ledger
from console.app import create_app
from console.cli import commands
from console.core.permissions import Permission
from console.models import Attempt, Delivery, Event, Hook, Worker
from console.services.events.event_drafts import EventDraft
from console.services.events.publishing import publish_batch
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.people import tokens
from console.services.upkeep import sweeping
from console.services.work import DELIVERIES, Work
from console.settings import Settings
from tests.engine import scalars
from tests.faults.parts import Caller, Hand, Process, Wait, Web, close, end
from tests.forked import Forked
from workers.beat import Beat
from workers.dispatcher import Dispatcher
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender

PASSWORD = "correct horse battery"


@dataclass
class Stage:
    """An organization (ada's), its receiver, and processes that end with the test.

    *answered* are the answers that publishers got, by event; *kills* counts processes that were ended by force.
    """

    work: Work
    person: Any
    ledger: Ledger
    wait_until: Wait
    redis_url: str
    stack: ExitStack
    answered: dict[str, int] = field(default_factory=dict)
    kills: int = 0

    # --- the cast ---------------------------------------------------------------------------------------------------

    def hook(self, path: str = "a", **fields: Any) -> Hook:
        """Make a hook that leads to the ledger."""
        draft = HookDraft(**{"url": self.ledger.url(path), "all_events": True, **fields})
        made = hooks.create(
            self.work, organization_number=self.person.organization.number, author_number=None, draft=draft
        )
        self.ledger.secrets[path] = made.secret
        return made.hook

    def publish(self, count: int = 1, *, type: str = "order.paid") -> list[int]:  # noqa: A002
        """Publish events numbered from 0 without a web server; give the numbers of their deliveries."""
        drafts = [EventDraft(type=type, payload=b'{"n":%d}' % index) for index in range(count)]
        published = publish_batch(self.work, organization_number=self.person.organization.number, drafts=drafts)
        self.answered |= {str(one.id): one.deliveries for one in published}
        query = select(Delivery.number).where(Delivery.event_number.in_([one.number for one in published]))
        return scalars(self.work, query.order_by(Delivery.number))

    # --- processes --------------------------------------------------------------------------------------------------

    def start_worker(self, *, lane: str = DELIVERIES, **settings: object) -> Process:
        """Start a worker process and wait until it is registered."""
        process = self.spawn_worker(lane=lane, **settings)
        self.wait_until(lambda: process.poll() is not None or self.is_registered(process), seconds=30)
        return process

    def spawn_worker(self, *, lane: str = DELIVERIES, **settings: object) -> Process:
        """Start a worker process."""
        process = Forked(commands.worker(lane), env=self.environment(**settings))
        self.stack.callback(end, process)
        return process

    def start_web(self, **settings: object) -> Web:
        """Start a web server with one process and wait until it answers."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.stack.callback(listener.close)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = commands.serve(listener.fileno(), processes=1, threads=8)
        environment = self.environment(base_url=url, **settings)
        process = Forked(command, env=environment, pass_fds=[listener.fileno()])
        self.stack.callback(end, process)
        web = Web(url, process, self.token(url))
        self.wait_until(web.answers, seconds=30)
        return web

    def app(self, **settings: Any) -> Flask:
        """Build the app in this process, on this stage."""
        own = Settings(**{**self.work.settings.model_dump(), "redis_url": self.redis_url, **settings})
        self.work.session.commit()  # else the test's own transaction keeps the app from writing
        app = create_app(own)
        app.testing = True
        self.stack.callback(close, app)
        return app

    def caller(self, app: Flask) -> Caller:
        """Give somebody who may do everything over the API of *app*."""
        return Caller(app.test_client(), self.token("app"))

    def browser(self, app: Flask) -> FlaskClient:
        """Give a browser in which ada is signed in."""
        browser = app.test_client()
        token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
        assert token is not None
        form = {"login": self.person.user.email, "password": PASSWORD, "csrf_token": token[1]}
        assert browser.post("/login", data=form).status_code == 303
        return browser

    def token(self, name: str) -> str:
        """Issue a token for everything."""
        issued = tokens.issue(
            self.work,
            user=self.person.user,
            organization=self.person.organization,
            permissions=[Permission.ADMIN],
            name=name,
        )
        return issued.text

    def environment(self, **settings: object) -> dict[str, str]:
        """Give the environment of a process on this stage."""
        own = self.work.settings
        common = {
            "data": own.data,
            "database_url": own.database_url,
            "secret_key": own.secret_key,
            "allow_nets": "127.0.0.0/8",
            "redis_url": self.redis_url,
        }
        return os.environ | {f"HOOKYARD_{name.upper()}": str(value) for name, value in (common | settings).items()}

    def is_registered(self, process: Process) -> bool:
        """Say whether a worker has entered itself."""
        return bool(scalars(self.work, select(Worker.number).where(Worker.pid == process.pid)))

    def kill(self, process: Process) -> None:
        """End a worker by force, unless it has killed itself; see ``bury``."""
        process.kill()
        self.bury(process)

    def bury(self, process: Process) -> None:
        """Wait for a worker's death, and date its last beat back: that nobody hears of it for 10 s has its own test."""
        process.wait(30)
        self.forget(process)

    def freeze(self, process: Process) -> None:
        """Stop a worker until it gets SIGCONT, long enough to be taken for dead."""
        process.send_signal(signal.SIGSTOP)
        self.forget(process)

    def forget(self, process: Process) -> None:
        """Date the last beat of a worker back."""
        self.kills += 1
        earlier = self.work.now() - timedelta(minutes=1)
        self.work.session.execute(
            update(Worker).where(Worker.pid == process.pid, Worker.stopped_at.is_(None)).values(beat_at=earlier)
        )
        self.work.session.commit()

    def hand(self, *, lane: str = DELIVERIES, **equipment_fields: Any) -> Hand:
        """Hire a worker in this process, whose drain and dispatcher do what they are told."""
        engine = open_engine(self.work.settings, pool_size=4)
        equipment = Equipment(engine, self.work.settings, self.work.keys, **equipment_fields)
        beat = Beat(equipment, lane=lane)
        sender = Sender(equipment.settings.target_policy, user_agent="Hookyard/test", pool_size=32)
        drain = Drain(equipment, lane=lane, beat=beat, sender=sender, threads=8)
        hand = Hand(equipment, beat, drain, Dispatcher(equipment, lane=lane, beat=beat, drain=drain))
        self.stack.callback(engine.dispose)
        beat.start()
        drain.start()
        self.stack.callback(beat.stop)
        self.stack.callback(drain.close)
        return hand

    # --- what has become of it --------------------------------------------------------------------------------------

    def states(self) -> dict[str, int]:
        """Count deliveries by state."""
        rows = self.work.session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()
        self.work.session.commit()
        return {row[0]: row[1] for row in rows}

    def wait_for(self, seconds: float = 20, **states: int) -> None:
        """Wait until so many deliveries are in each state: ``wait_for(delivered=3)``."""
        try:
            self.wait_until(lambda: self.states() == states, seconds=seconds)
        except pytest.fail.Exception as error:
            pytest.fail(f"{error}: {self.states()} instead of {states}")

    def outcomes(self, number: int) -> list[str | None]:
        """Give the outcomes of a delivery's attempts."""
        query = select(Attempt.outcome).where(Attempt.delivery_number == number).order_by(Attempt.number)
        return scalars(self.work, query)

    def sweep(self) -> None:
        """Free what the dead held, as the leader does every second."""
        sweeping.sweep(self.work)

    def events(self) -> int:
        """Count events."""
        [count] = scalars(self.work, select(func.count()).select_from(Event))
        return int(count)

    def make_due(self, numbers: Iterable[int] = ()) -> None:
        """Let what waits for its next attempt be due at once: all of it, or the deliveries with these numbers."""
        wanted = list(numbers)
        statement = update(Delivery).where(Delivery.state == "pending").values(next_attempt_at=self.work.now())
        self.work.session.execute(statement.where(Delivery.number.in_(wanted)) if wanted else statement)
        self.work.session.commit()

    def check(self, *, is_over: bool = True) -> Report:
        """Hold answers, receipts and rows against each other; fail the test when a promise was broken."""
        rows = read_rows(self.work.session.get_bind())  # type: ignore[arg-type]  # an engine
        report = compare(
            answered=self.answered, receipts=self.ledger.receipts, rows=rows, kills=self.kills, is_over=is_over
        )
        assert not report.violations, report.violations
        return report
