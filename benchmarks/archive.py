"""A log of 30 days in an installation that is used: events of 40 types, deliveries to 200 hooks, attempts, roll-ups.

The first hook hears everything (40 % of the deliveries), the last nothing; one was disabled lately and holds what came
since. One delivery in twenty failed after four attempts, some wait. Rows go past the services, by the driver's bulk
interfaces, in the shapes that services write.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from console.core.ids import uuid7
from console.core.rollups import bucket_of, hour_of, status_class
from console.models import Attempt, Delivery, Event, HookHour, Progress, TypeHour
from console.models.base import Base
from console.services.figures import type_hours

DAYS = 30
HOOKS = 200
NOUNS = ("order", "invoice", "shipment", "refund", "customer", "product", "cart", "ticket")
VERBS = ("created", "updated", "paid", "canceled", "deleted")
TYPES = tuple(f"shop.{noun}.{verb}" for verb in VERBS for noun in NOUNS)
SOURCES = ("shop-eu", "shop-us", "warehouse", "billing", "support")
DELIVERIES_OF_FIVE = (2, 3)
"""An event goes to so many hooks, in turn: five deliveries of two events."""
FAILED_ATTEMPTS = 4
CHUNK = 10_000
PAYLOAD = json.dumps({"total": "99.90", "lines": [{"sku": f"sku-{n}", "quantity": n} for n in range(6)]})[1:]
REQUEST_HEADERS = [
    ["Content-Type", "application/json"],
    ["User-Agent", "Hookyard/1.0"],
    ["webhook-id", "01a2021b-5cc3-72e5-8287-f1610bc774ce"],
    ["webhook-timestamp", "1795330000"],
    ["webhook-signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
]
RESPONSE_HEADERS = [["Content-Type", "application/json"], ["Content-Length", "16"], ["Server", "nginx"]]
TIMINGS = {"dns": 0.4, "connect": 1.1, "tls": 3.9, "send": 0.2, "first_byte": 21.0, "body": 0.3}


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom the deliveries go to: numbers by place, the last of which gets nothing. *held* was disabled *held_since*."""

    organization: int
    numbers: Sequence[int]
    held: int
    held_since: datetime


@dataclass(slots=True)
class Archive:
    """Makes the rows, chunk by chunk; what the roll-ups count is kept meanwhile."""

    hooks: Hooks
    events: int
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    random: random.Random = field(default_factory=lambda: random.Random(17))
    hook_hours: Counter[tuple[int, datetime, str, int]] = field(default_factory=Counter)
    type_hours: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    made: int = 0

    def chunks(self) -> Iterator[tuple[list[Any], list[Any], list[Any]]]:
        """Give rows of events, deliveries and attempts, oldest first, in the order of their columns."""
        numbers = iter(range(1, self.events + 1))
        while chunk := list(islice(numbers, CHUNK)):
            events: list[Any] = []
            deliveries: list[Any] = []
            attempts: list[Any] = []
            for number in chunk:
                event = self._event(number)
                events.append(event)
                for hook in self._hearing(number):
                    self.made += 1
                    delivery = self._delivery(event, hook, number=self.made)
                    deliveries.append(delivery)
                    attempts += self._attempts(delivery)
            yield events, deliveries, attempts

    def _moment(self, number: int) -> datetime:
        return self.now - timedelta(days=DAYS) * (1 - number / self.events)

    def _event(self, number: int) -> dict[str, Any]:
        at = self._moment(number)
        name = TYPES[int(len(TYPES) * self.random.random() ** 2)]
        payload = f'{{"number": {number}, {PAYLOAD}'.encode()
        digest = sha256(payload).digest()
        self.type_hours[name, hour_of(at)] += 1
        return {
            "number": number,
            "id": uuid7(at, self.random.randbytes(10)),
            "organization_number": self.hooks.organization,
            "type": name,
            "source": (*SOURCES, None)[number % 6],
            "object_model": "order" if number % 3 == 0 else None,
            "object_pk": str(number // 2) if number % 3 == 0 else None,
            "occurred_at": at,
            "created_at": at,
            "idempotency_key": f"key-{number}" if number % 2 else None,
            "request_sha256": digest,
            "fanout_pending": False,
            "delivery_count": DELIVERIES_OF_FIVE[number % 2],
            "is_test": False,
            "is_direct": False,
            "is_from_callback": False,
            "payload_sha256": digest,
            "payload": payload,
        }

    def _hearing(self, number: int) -> list[int]:
        """Choose the hooks of an event: the first one, and one or two of all but the last."""
        others = self.hooks.numbers[1:-1]
        second = self.random.randrange(len(others))
        third = (second + 1 + self.random.randrange(len(others) - 1)) % len(others)
        return [self.hooks.numbers[0], others[second], others[third]][: DELIVERIES_OF_FIVE[number % 2]]

    def _delivery(self, event: dict[str, Any], hook: int, *, number: int) -> dict[str, Any]:
        at: datetime = event["created_at"]
        state, status = self._fate(hook, at)
        last = at + timedelta(hours=3) if state == "failed" else at + timedelta(milliseconds=60)
        is_over = state in {"delivered", "failed", "canceled"}
        return {
            "number": number,
            "id": uuid7(at, self.random.randbytes(10)),
            "organization_number": self.hooks.organization,
            "event_number": event["number"],
            "hook_number": hook,
            "event_type": event["type"],
            "url": f"https://hooks-{hook}.example.com/in",
            "payload_format": "standard",
            "content_type": "json",
            "is_test": False,
            "trigger": "automatic",
            "created_at": at,
            "modified_at": min(last, self.now),
            "state": state,
            "chain": 1,
            "chain_failures": {"failed": FAILED_ATTEMPTS, "pending": 1, "canceled": 1}.get(state, 0),
            "attempt_count": {"failed": FAILED_ATTEMPTS, "held": 0}.get(state, 1),
            "interrupted": 0,
            "next_attempt_at": self.now + timedelta(minutes=number % 300) if state == "pending" else None,
            "waiting_reason": "The hook is disabled" if state == "held" else None,
            "finished_at": min(last, self.now) if is_over else None,
            "claim_no": 0,
            "cancel_requested": False,
            "last_status": status,
            "bad_answers": None if state in {"delivered", "held"} else f",{status or 'none'},",
            "last_outcome": _outcome(status) if state != "held" else None,
            "last_duration_ms": round(self.random.lognormvariate(3.5, 0.8), 2) if state != "held" else None,
        }

    def _fate(self, hook: int, at: datetime) -> tuple[str, int | None]:
        """Choose a state and the status of the last answer."""
        if hook == self.hooks.held and at >= self.hooks.held_since:
            return "held", None
        chance = self.random.random()
        if chance < 0.05:  # noqa: PLR2004 one in twenty
            return "failed", self.random.choice((500, 503, 404, 410, None))
        if chance < 0.051:  # noqa: PLR2004
            return "canceled", 503
        if chance < 0.1 and at > self.now - timedelta(days=1):  # noqa: PLR2004
            return "pending", 503
        return "delivered", 200

    def _attempts(self, delivery: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for number in range(1, delivery["attempt_count"] + 1):
            at = delivery["created_at"] + timedelta(hours=number - 1)
            status, duration_ms = delivery["last_status"], delivery["last_duration_ms"]
            self.hook_hours[delivery["hook_number"], hour_of(at), status_class(status), bucket_of(duration_ms)] += 1
            yield {
                "delivery_number": delivery["number"],
                "number": number,
                "chain": 1,
                "trigger": "automatic",
                "started_at": at,
                "duration_ms": duration_ms,
                "outcome": _outcome(status),
                "charged": status != 200,  # noqa: PLR2004
                "error": None if status == 200 else "The receiver did not answer with a 2xx.",  # noqa: PLR2004
                "status": status,
                "peer": "203.0.113.7",
                "is_resent": False,
                "is_reused": number > 1,
                "is_truncated": False,
                "timings": TIMINGS,
                "url": delivery["url"],
                "method": "POST",
                "request_headers": REQUEST_HEADERS,
                "response_headers": RESPONSE_HEADERS,
                "response_body": b'{"received":1}',
            }

    def rolled_up(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Give the rows of the roll-ups by hook and by type, once all chunks were made."""
        common = {"organization_number": self.hooks.organization}
        by_hook = [
            {**common, "hook_number": hook, "hour": hour, "status_class": status, "bucket": bucket, "count": count}
            for (hook, hour, status, bucket), count in self.hook_hours.items()
        ]
        by_type = [
            {**common, "type": name, "hour": hour, "count": count, "last_at": hour + timedelta(minutes=59)}
            for (name, hour), count in self.type_hours.items()
        ]
        return by_hook, by_type


def _outcome(status: int | None) -> str:
    if status is None:
        return "timeout"
    return {2: "ok", 4: "gone" if status == 410 else "client_error", 5: "server_error"}[status // 100]  # noqa: PLR2004


def fill(engine: Engine, *, hooks: Hooks, deliveries: int) -> int:
    """Write a log of about so many deliveries; give their number."""
    archive = Archive(hooks, events=max(2, deliveries * 2 // 5))
    for events, sent, attempts in archive.chunks():
        write(engine, Event, events)
        write(engine, Delivery, sent)
        write(engine, Attempt, attempts)
    by_hook, by_type = archive.rolled_up()
    write(engine, HookHour, by_hook)
    write(engine, TypeHour, by_type)
    write(engine, Progress, [{"name": type_hours.NAME, "number": archive.events}])
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            for name in ("events", "deliveries"):
                last = f"SELECT setval(pg_get_serial_sequence('{name}', 'number'), max(number)) FROM {name}"  # noqa: S608 a name of two
                connection.execute(text(last))
    return archive.made


def write(engine: Engine, model: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows by the driver's own means: ``executemany`` on SQLite, COPY on PostgreSQL."""
    rows, name = list(rows), model.__tablename__
    if not rows:
        return
    names = list(rows[0])
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        if engine.dialect.name == "sqlite":
            raw.execute("PRAGMA query_only = 0")  # type: ignore[attr-defined]  # sqlite3's
            places = ", ".join("?" * len(names))
            cursor.execute("BEGIN")
            statement = f"INSERT INTO {name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 names of our tables
            cursor.executemany(statement, [[_for_sqlite(value) for value in row.values()] for row in rows])
        else:
            with cursor.copy(f"COPY {name} ({', '.join(names)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row([_for_postgresql(value) for value in row.values()])
        raw.commit()
    finally:
        raw.close()


_FOR_SQLITE: dict[type, Callable[[Any], Any]] = {
    datetime: lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f"),
    UUID: lambda id_: id_.bytes,
    dict: json.dumps,
    list: json.dumps,
}


def _for_sqlite(value: Any) -> Any:
    change = _FOR_SQLITE.get(type(value))
    return value if change is None else change(value)


def _for_postgresql(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
