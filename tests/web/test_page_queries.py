"""What keeps pages quick over a log of millions: few queries, none that walks the log or a roll-up, and few bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from benchmarks import stage
from benchmarks.addresses import Address, addresses, forgotten
from benchmarks.installation import Place
from benchmarks.pages import Statement, noted, opened, plan
from benchmarks.rows import SECRET_KEY
from console import database, migrations
from console.extensions import db
from console.settings import Settings

MOST_QUERIES = 25
OF_A_PERIOD = 3
"""So many more look for the row where a period begins, and for that where it ends."""
OF_WHAT_WAS_MISSED = 15
"""So many more look for the first events that hooks have missed, one hook after the other until there are five."""
MOST_KB = 260
"""What a page may weigh, with 200 hooks and 300 types: bytes take time to write, to compress and to lay out."""
LOG = ("deliveries", "attempts", "events")
RARE = (
    "hook, empty",
    "log of the empty hook",
    "log page of the empty hook",
    "log, 3xx",
    "log, an outcome nobody had",
    "log, searched in vain",
    "log, id of nothing",
    "log of a wildcard nobody knows",
    "log, delivered with 5xx",
    "API: deliveries event=event",
    "API: deliveries q=1500",
)
"""What few deliveries or none match: the organization's index would lead past all the others."""
BY_INDEX_ALONE = ("log of the busy hook", "log page of the busy hook", "log of a replay", "log, 5xx of a rare type")
"""What is looked for and counted in an index, and not in the rows: those that match can be thousands."""


@dataclass(frozen=True)
class Visit:
    """What a page asked of the database, and what it answered. *size* is in bytes."""

    page: Address
    status: int
    size: int
    statements: list[Statement]


@dataclass(frozen=True)
class House:
    """An installation that is used, where an admin has been on every page once."""

    app: Flask
    engine: Engine
    visits: list[Visit]

    def plans(self, visit: Visit) -> list[tuple[str, str]]:
        """Give the queries of a page with the lines of their plans."""
        return [(one.sql, line) for one in visit.statements for line in plan(self.engine, one)]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("pages")
    settings = Settings(data=folder, secret_key=SECRET_KEY, allow_nets="127.0.0.0/8")
    engine = database.create_engine(settings.sqlalchemy_url)
    migrations.upgrade(engine)
    place = Place(settings, engine)
    scene = stage.set_up(place, count=2000)
    app, browser = opened(place)
    with app.app_context():
        engine_of_app = db.engine
    yield House(app, engine_of_app, [visit(app, browser, page) for page in addresses(app, scene)])
    engine.dispose()


def visit(app: Flask, browser: FlaskClient, page: Address) -> Visit:
    with noted(app) as statements:
        answer = browser.get(page.path, headers=dict(page.headers))
    return Visit(page, answer.status_code, len(answer.data), list(statements))


def test_no_page_is_forgotten(house: House) -> None:
    assert forgotten(house.app, [one.page for one in house.visits]) == set()


def test_every_page_is_answered_after_few_questions_of_which_none_walks_the_log(house: House) -> None:
    assert [words for one in house.visits for words in problems(house, one)] == []


def problems(house: House, visit: Visit) -> Iterator[str]:
    page = visit.page
    if visit.status not in {200, 204, 303}:
        yield f"{page.name} is answered {visit.status}"
    most = MOST_QUERIES + OF_A_PERIOD * len(re.findall("since=|from=|until=", page.path))
    most += OF_WHAT_WAS_MISSED if "which=missing" in page.path else 0
    if page.name != "system" and len(visit.statements) > most:
        yield f"{page.name} asks {len(visit.statements)} questions"
    yield from (f"{page.name} walks: {line}: {sql}" for sql, line in house.plans(visit) if walks(line))


def walks(line: str) -> bool:
    """Say whether a line of SQLite's plan reads a whole table of the log; what waits has small indexes of its own."""
    of_few = re.compile(r"ix_deliveries_(due|asked|suspect|claimed|failed|unfinished)|ix_events_fanout_pending")
    return bool(re.match(rf"SCAN ({'|'.join(LOG)})\b", line)) and not of_few.search(line)


def test_what_is_rare_is_not_looked_for_among_all_deliveries(house: House) -> None:
    visits = [one for one in house.visits if one.page.name in RARE]
    # Counting is capped, and asked of the same filter; ranges of numbers end soon.
    lines = [(one.page.name, line) for one in visits for _, line in house.plans(one)]

    assert len(visits) == len(RARE)
    assert [
        found for found in lines if found[1].endswith("USING INDEX ix_deliveries_organization (organization_number=?)")
    ] == []


def test_every_page_is_small(house: House) -> None:
    assert {one.page.name: one.size for one in house.visits if one.size > 1000 * MOST_KB} == {}


def test_numbers_of_deliveries_come_from_an_index_alone(house: House) -> None:
    log = re.compile(r"SEARCH deliveries USING (?!INTEGER PRIMARY KEY|INDEX ix_deliveries_unfinished)")
    found = [
        (one.page.name, line)
        for one in house.visits
        if one.page.name in BY_INDEX_ALONE
        for _, line in house.plans(one)
        if log.match(line)
    ]

    assert {name for name, _ in found} == set(BY_INDEX_ALONE)
    assert [one for one in found if "USING COVERING INDEX" not in one[1]] == []


def test_no_page_sums_up_a_whole_roll_up(house: House) -> None:
    """They are kept for years: a chart reads its period, and of each type only the latest hour is looked up."""
    whole = re.compile(r"SCAN \w+_hours|SEARCH \w+_hours USING [\w ]+ \(\w+=\?\)")
    found = [
        (one.page.name, line)
        for one in house.visits
        for sql, line in house.plans(one)
        if "sum(" in sql and "_hours" in line
    ]

    assert found
    assert [one for one in found if whole.fullmatch(one[1])] == []


def test_a_roll_up_is_read_once_for_all_hooks_of_a_list(house: House) -> None:
    [list_of_hooks] = [one for one in house.visits if one.page.name == "hooks"]

    assert sum("FROM hook_hours" in one.sql for one in list_of_hooks.statements) == 1
