"""Group commit: who comes while another writes is written with the others who wait; each has an outcome of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, func, make_url, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from console import database
from console.core.errors import Busy, Conflict
from console.models import Event
from console.services import group_commit
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import DELIVERIES, Work
from tests.engine import make_hook


def touch(work: Work) -> None:
    """Wait for the write lock, and change nothing."""
    work.session.execute(text("UPDATE turns SET slot = slot"))


@contextmanager
def commits_of(engine: Engine) -> Iterator[list[object]]:
    """Collect the commits of transactions that could write."""
    seen: list[object] = []

    def note(connection: object) -> None:
        if not connection.info.get("hookyard_is_reading"):
            seen.append(connection)

    event.listen(engine, "commit", note)
    yield seen
    event.remove(engine, "commit", note)


@pytest.fixture
def together(work: Work, engine: Engine, database_url: str, wait_until) -> Iterator[Callable[..., list[Future]]]:
    """Run jobs at the same moment, each as a request of its own: all of them wait while the database is locked."""
    path = Path(str(make_url(database_url).database))

    def run(*jobs: Callable[[Work], object]) -> list[Future]:
        def alone(job: Callable[[Work], object]) -> object:
            with Session(engine, expire_on_commit=False) as session:
                return job(replace(work, session=session))

        work.session.commit()
        locked = sqlite3.connect(path, isolation_level=None)
        locked.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(len(jobs) + 1) as pool:
            first = pool.submit(alone, lambda one: one.group_commit.run(one, touch, size=1))
            wait_until(lambda: work.group_commit._writing.locked() and not work.group_commit._waiting)
            futures: list[Future] = []
            for job in jobs:  # one after the other, so that their order is known
                futures.append(pool.submit(alone, job))
                wait_until(lambda: len(work.group_commit._waiting) == len(futures))
            locked.execute("ROLLBACK")
        locked.close()
        first.result()
        return futures

    return run


def publisher(person, *, key: str | None = None, payload: bytes = b"{}") -> Callable[[Work], object]:
    draft = EventDraft(type="order.paid", payload=payload, key=key)
    return lambda work: publishing.publish(work, organization_number=person.organization.number, draft=draft)


def events(work: Work) -> int:
    return work.session.scalar(select(func.count()).select_from(Event)) or 0


def test_publishers_who_wait_for_each_other_share_one_commit(work: Work, engine: Engine, ada, together) -> None:
    with commits_of(engine) as commits:
        answers = [future.result() for future in together(*[publisher(ada)] * 8)]

    assert len({answer.id for answer in answers}) == 8
    assert events(work) == 8
    assert len(commits) == 2  # the one who came first, and all who came meanwhile


def test_who_is_refused_is_refused_alone(work: Work, ada, together) -> None:
    first, other, stranger = together(
        publisher(ada, key="k"), publisher(ada, key="k", payload=b"[1]"), publisher(ada, key="new")
    )

    assert first.result().id != stranger.result().id
    with pytest.raises(Conflict):
        other.result()
    assert events(work) == 2


def test_the_same_event_twice_at_the_same_moment_is_published_once(work: Work, ada, together) -> None:
    first, second = together(publisher(ada, key="k"), publisher(ada, key="k"))

    assert first.result() == second.result()
    assert events(work) == 1


def test_an_event_whose_filter_must_be_asked_first_does_not_part_the_others(
    work: Work, engine: Engine, ada, together
) -> None:
    make_hook(work, ada, event_types=["order.filtered"], all_events=False, filter="total > `10`")
    draft = EventDraft(type="order.filtered", payload=b'{"total": 11}')

    def filtered(inside: Work) -> object:
        return publishing.publish(inside, organization_number=ada.organization.number, draft=draft)

    with commits_of(engine) as commits:
        first, middle, last = together(publisher(ada), filtered, publisher(ada))

    assert (first.result().deliveries, middle.result().deliveries, last.result().deliveries) == (0, 1, 0)
    assert events(work) == 3
    assert len(commits) == 3  # the one who came first, the two that were ready, and then the filtered one


def test_when_the_database_refuses_one_the_others_are_written_without_it(work: Work, ada, together) -> None:
    def forbidden(inside: Work) -> None:
        inside.session.execute(text("INSERT INTO turns (hook_number, slot) VALUES (999999, 0)"))

    before, broken, after = together(
        publisher(ada), lambda work: work.group_commit.run(work, forbidden, size=1), publisher(ada)
    )

    with pytest.raises(IntegrityError):
        broken.result()
    assert before.result().id != after.result().id
    assert events(work) == 2


def test_nobody_is_told_of_a_commit_that_an_ending_process_never_made(work: Work, ada, together) -> None:
    """The first transaction is undone for one who is refused, and the process ends while all are written singly."""
    seen: list[str] = []

    def ending(_inside: Work) -> None:
        seen.append("ending")
        if len(seen) > 1:
            raise SystemExit

    def forbidden(inside: Work) -> None:
        inside.session.execute(text("INSERT INTO turns (hook_number, slot) VALUES (999999, 0)"))

    ended, published, refused = together(
        lambda work: work.group_commit.run(work, ending, size=1),
        publisher(ada),
        lambda work: work.group_commit.run(work, forbidden, size=1),
    )

    assert SystemExit in {type(one.exception()) for one in (ended, published, refused)}  # whichever of them wrote
    told = [] if published.exception() else [published.result().id]  # it may have tried once more
    assert work.session.scalars(select(Event.id)).all() == told


def test_when_the_database_stays_locked_all_who_waited_are_told_to_come_back(
    work: Work, database_url: str, ada
) -> None:
    impatient = database.create_engine(f"{database_url}?timeout=0")
    locked = sqlite3.connect(str(make_url(database_url).database), isolation_level=None)
    work.session.commit()
    locked.execute("BEGIN IMMEDIATE")

    with Session(impatient, expire_on_commit=False) as session, pytest.raises(Busy):
        publisher(ada)(replace(work, session=session))

    locked.execute("ROLLBACK")
    locked.close()
    impatient.dispose()
    assert publisher(ada)(work).deliveries == 0


def test_a_large_batch_is_not_joined_by_others(work: Work, engine: Engine, ada, together, monkeypatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_ROWS", 3)

    def batch(inside: Work) -> object:
        drafts = [EventDraft(type="order.paid", payload=b"{}")] * 5
        return publishing.publish_batch(inside, organization_number=ada.organization.number, drafts=drafts)

    with commits_of(engine) as commits:
        answers = [future.result() for future in together(batch, publisher(ada), publisher(ada))]

    assert len(answers[0]) == 5
    assert events(work) == 7
    assert len(commits) >= 3


def test_the_workers_are_rung_once_for_all_and_only_after_the_commit(work: Work, ada, ring, together) -> None:
    make_hook(work, ada)
    work.session.commit()
    ring.lanes.clear()

    together(*[publisher(ada)] * 5)

    assert ring.lanes == [DELIVERIES]


@pytest.mark.both_databases
def test_nobody_is_rung_for_what_was_not_committed(work: Work, ring) -> None:
    def fail(inside: Work) -> None:
        inside.ring.ring(DELIVERIES)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        work.group_commit.run(work, fail, size=1)

    assert ring.lanes == []
