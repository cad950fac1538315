"""Rows to measure with: an organization, hooks, and a backlog of deliveries that are held until they are let go."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Engine, insert, update
from sqlalchemy.orm import Session

from console.core.ids import uuid7
from console.core.signing import new_secret
from console.core.urls import read_url
from console.models import Delivery, Event, Hook, HookSecret, HookState, Organization, Turn
from console.services.hooks.hook_fields import slots
from console.services.keys import KeyRing

SECRET_KEY = "a key for measurements only"  # noqa: S105 of no use to anybody
PAYLOAD = json.dumps({"order": 4711, "total": "99.90", "lines": [{"sku": f"sku-{n}", "qty": n} for n in range(8)]})


class Ids:
    """Makes identifiers from a seeded source."""

    def __init__(self) -> None:
        self.random = random.Random(17)

    def new(self) -> UUID:
        """Make one."""
        return uuid7(datetime.now(UTC), self.random.randbytes(10))


def make_organization(session: Session, *, ids: Ids) -> int:
    """Make the organization that everything belongs to; give its number."""
    organization = Organization(id=ids.new(), slug="bench", name="Bench", created_at=datetime.now(UTC))
    session.add(organization)
    session.flush()
    return organization.number


def make_hooks(
    session: Session, urls: Sequence[str], *, organization: int, ids: Ids, max_in_flight: int = 16, named: bool = False
) -> list[int]:
    """Make a hook for each URL; give their numbers. They hear everything, or hook n the type ``hook.n`` if *named*."""
    now = datetime.now(UTC)
    sealed = KeyRing([SECRET_KEY]).seal(new_secret(ids.random.randbytes(32)))
    hooks = [
        Hook(
            id=ids.new(),
            organization_number=organization,
            name=f"hook {index}",
            url=url,
            destination=read_url(url, allow_http=True).destination,
            all_events=not named,
            event_types=[f"hook.{index}"] if named else [],
            event_groups=[],
            dialect_data={},
            max_in_flight=max_in_flight,
            created_at=now,
            modified_at=now,
            secrets=[HookSecret(sealed=sealed, created_at=now)],
        )
        for index, url in enumerate(urls)
    ]
    session.add_all(hooks)
    session.flush()
    for hook in hooks:
        session.add(HookState(hook_number=hook.number))
        session.add_all(Turn(hook_number=hook.number, slot=slot) for slot in range(slots(hook.max_in_flight)))
    session.flush()
    return [hook.number for hook in hooks]


def backlog(session: Session, hooks: Sequence[int], count: int, *, organization: int, ids: Ids) -> None:
    """Write so many deliveries for *hooks* in turn, held for now."""
    now = datetime.now(UTC)
    payload = PAYLOAD.encode()
    digest = sha256(payload).digest()
    common = {"organization_number": organization, "created_at": now}
    events = [
        {
            **common,
            "id": ids.new(),
            "type": "order.paid",
            "occurred_at": now,
            "request_sha256": digest,
            "payload_sha256": digest,
            "payload": payload,
            "delivery_count": 1,
        }
        for _ in range(count)
    ]
    session.execute(insert(Event), events)
    deliveries = [
        {
            **common,
            "id": ids.new(),
            "event_number": number,
            "hook_number": hooks[number % len(hooks)],
            "event_type": "order.paid",
            "url": "http://127.0.0.1/",
            "payload_format": "standard",
            "content_type": "json",
            "state": "held",
            "modified_at": now,
        }
        for number in range(1, count + 1)
    ]
    session.execute(insert(Delivery), deliveries)


def let_go(engine: Engine) -> None:
    """Let everything that is held be due now."""
    with engine.begin() as connection:
        held = Delivery.state == "held"
        connection.execute(update(Delivery).where(held).values(state="pending", next_attempt_at=datetime.now(UTC)))
