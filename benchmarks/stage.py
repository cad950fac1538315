"""An installation that is used, to measure its pages: people, 200 hooks, a long log, and all else that pages show."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.archive import HOOKS, SOURCES, TYPES, Hooks, fill, write
from benchmarks.installation import Place
from benchmarks.product import PASSWORD
from console.core.ids import uuid7
from console.core.permissions import Permission
from console.models import AuditEntry, BinRequest, Delivery, Event, Hook, Organization, Replay, ReplayPart, User
from console.services.bins import bins
from console.services.event_types import catalogue
from console.services.figures import organization_hours
from console.services.hooks import hook_tests, hooks, trials
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import organizations, sources
from console.services.people import accounts, tokens
from console.services.work import Work

EMAIL = "ada@example.com"
SLUG = "acme"
HELD_PLACE = 150
HELD_FOR = timedelta(hours=36)
PEOPLE = 12
REPLAYS = 40
REPLAYED = 5000


@dataclass(frozen=True, slots=True)
class Scene:
    """What addresses are made of: ids as text, and numbers for cursors."""

    ids: dict[str, str]
    last_delivery: int
    last_event: int
    token: str


def set_up(place: Place, *, count: int) -> Scene:
    """Make the organization and a log of about *count* deliveries."""
    with Session(place.engine, expire_on_commit=False) as session:
        work = place.work(session)
        ada = _people(work)
        organization = ada.memberships[0].organization
        for slug in SOURCES:
            sources.create(work, organization_number=organization.number, slug=slug)
        for name in TYPES:
            catalogue.create(work, organization_number=organization.number, name=name, groups=["shop"])
        made = _hooks(work, organization, ada)
        token = tokens.issue(work, user=ada, organization=organization, permissions=[Permission.ADMIN], name="bench")
        bin_ = bins.create(work, organization=organization, name="bin", is_pinned=True)
        now = work.now()
        session.commit()
        numbers = Hooks(organization.number, [one.number for one in made], made[HELD_PLACE].number, now - HELD_FOR)
        fill(place.engine, hooks=numbers, deliveries=count)
        while not organization_hours.roll_up(work):  # a day at a time
            pass
        hooks.disable(work, hook=made[HELD_PLACE])
        last = session.scalars(select(Delivery.number).order_by(Delivery.number.desc()).limit(1)).one()
        replay = _replays(place, work, organization, ada, made, last=last)
        _others(place, work, organization, ada, bin_.number)
        test = hook_tests.send(work, hook=made[0])
        trial = trials.send(
            work,
            organization_number=organization.number,
            author_number=ada.number,
            draft=HookDraft(url="https://trial.example.com/", all_events=True),
        )
        session.commit()
        ids = {
            "busy": made[0].id,
            "empty": made[-1].id,
            "held": made[HELD_PLACE].id,
            "test": test.id,
            "trial": trial.id,
            "bin": bin_.id,
            "replay": replay,
            "token": token.token.id,
            "colleague": session.scalars(select(User.id).where(User.number != ada.number).limit(1)).one(),
            **_of_the_log(session, last),
        }
        last_event = session.scalars(select(Event.number).order_by(Event.number.desc()).limit(1)).one()
        return Scene({name: str(value) for name, value in ids.items()}, last, last_event, token.text)


def _people(work: Work) -> User:
    organizations.create(work, slug=SLUG)
    people = [
        accounts.create_user(
            work,
            username=name,
            email=f"{name}@example.com",
            password=PASSWORD,
            organization_slug=SLUG,
            role="admin" if name == "ada" else "editor",
            is_staff=name == "ada",
        )
        for name in ("ada", *(f"colleague-{index}" for index in range(PEOPLE)))
    ]
    return people[0]


def _hooks(work: Work, organization: Organization, author: User) -> list[Hook]:
    """Make the hooks: the first hears everything, the last what nobody publishes, the others two types each."""
    made = []
    for place in range(HOOKS):
        heard: dict[str, Any] = {"event_types": [TYPES[place % len(TYPES)], TYPES[(place + 7) % len(TYPES)]]}
        if place == 0:
            heard = {"all_events": True}
        elif place == HOOKS - 1:
            heard = {"event_types": ["never.published"]}
        draft = HookDraft(name=f"Hook {place}", url=f"https://hooks-{place}.example.com/in", **heard)
        made.append(
            hooks.create(work, organization_number=organization.number, author_number=author.number, draft=draft).hook
        )
    return made


def _replays(place: Place, work: Work, organization: Organization, author: User, made: list[Hook], *, last: int) -> str:
    """Write replays that are over, the first of which has its deliveries; give the id of that one."""
    source, now = random.Random(5), work.now()
    rows = [
        {
            "number": number,
            "id": uuid7(now, source.randbytes(10)),
            "organization_number": organization.number,
            "author_number": author.number,
            "which": "failed",
            "event_types": [],
            "narrowed": {},
            "reaches_disabled": False,
            "first_delivery": 1,
            "last_delivery": last,
            "first_event": 0,
            "last_event": 0,
            "state": "done",
            "created_at": now - timedelta(hours=number),
            "started_at": now - timedelta(hours=number),
            "finished_at": now - timedelta(hours=number),
            "tallied_at": now - timedelta(hours=number),
            "look_at": now,
            "calm_s": 0.0,
        }
        for number in range(1, REPLAYS + 1)
    ]
    parts = [
        {
            "replay_number": row["number"],
            "hook_number": hook.number,
            "total": 100,
            "skipped": 0,
            "skips": {},
            "queued": 100,
            "delivered": 90,
            "failed": 10,
            "canceled": 0,
            "delivery_cursor": last,
            "event_cursor": 0,
            "is_fed": True,
        }
        for row in rows
        for hook in made
    ]
    work.session.commit()
    write(place.engine, Replay, rows)
    write(place.engine, ReplayPart, parts)
    with place.engine.begin() as connection:
        if place.engine.dialect.name == "postgresql":
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence('replays', 'number'), max(number)) FROM replays")
            )
        connection.execute(
            text(
                "UPDATE deliveries SET replay_number = 1, trigger = 'replay' WHERE number > :first AND number <= :last"
            ),
            {"first": last // 2, "last": last // 2 + REPLAYED},
        )
    return str(rows[0]["id"])


def _others(place: Place, work: Work, organization: Organization, author: User, bin_number: int) -> None:
    """Write a long audit log and a full bin."""
    now = work.now()
    entries = [
        {
            "organization_number": organization.number,
            "user_number": author.number,
            "actor": author.email,
            "ip": "203.0.113.9",
            "at": now - timedelta(minutes=5 * (20_000 - number)),
            "action": "hook.updated",
            "object_type": "hook",
            "object_id": str(uuid7(now, number.to_bytes(10, "big"))),
            "object_name": f"Hook {number % HOOKS}",
            "changes": {"name": ["before", "after"]},
        }
        for number in range(20_000)
    ]
    requests = [
        {
            "bin_number": bin_number,
            "received_at": now - timedelta(seconds=200 - number),
            "method": "POST",
            "path": "/in/x",
            "headers": [["Content-Type", "application/json"], ["webhook-id", f"id-{number}"]],
            "webhook_id": f"id-{number}",
            "verification": "unsigned",
            "answered_status": 200,
            "body": b'{"order": 1}',
        }
        for number in range(200)
    ]
    work.session.commit()
    write(place.engine, AuditEntry, entries)
    write(place.engine, BinRequest, requests)


def _of_the_log(session: Session, last: int) -> dict[str, object]:
    """Choose deliveries in several states, and a recent event."""

    def newest(state: str) -> object:
        query = select(Delivery.id).where(Delivery.state == state, Delivery.number <= last)
        return session.scalars(query.order_by(Delivery.number.desc()).limit(1)).first()

    found = {state: newest(state) for state in ("delivered", "failed", "pending")}
    event = session.scalars(select(Event.id).order_by(Event.number.desc()).offset(50).limit(1)).one()
    old = session.scalars(
        select(Delivery.id).where(Delivery.number >= last // 3).order_by(Delivery.number).limit(1)
    ).one()
    return {**found, "event": event, "old": old}
