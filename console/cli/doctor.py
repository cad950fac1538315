"""``hookyard doctor``: looks at everything an installation stands on and says what is wrong, in sentences."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import click
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from console import checks, examining, logs, migrations
from console.cli.work import redis_url
from console.core.errors import HookyardError
from console.database import create_engine, read_only
from console.examining import Finding, Level
from console.sentences import describe
from console.services.keys import KeyRing
from console.services.work import Work
from console.settings import Settings, load_settings

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}
LOOK_AGAIN_AFTER_S = 0.5
NOT_UP = " HOOKYARD_REDIS_URL is not set, so `hookyard up` must be running."


@click.command()
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=0,
    metavar="SECONDS",
    help="While something fails, look again for so long: services that were just started take a moment.",
)
def doctor(wait_s: float) -> None:
    """Check the installation: data directory, database, Redis, secret key, workers, clocks, what is overdue.

    The exit code is 1 when something fails; warnings leave it 0.
    """
    settings = load_settings()
    logs.configure("ERROR")
    deadline = time.monotonic() + wait_s
    findings = look(settings)
    while any(finding.level is Level.FAILURE for finding in findings) and time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN_AFTER_S)
        findings = look(settings)
    for finding in findings:
        mark = click.style(f"{finding.level:4}", fg=COLOURS[finding.level], bold=finding.level is Level.FAILURE)
        click.echo(f"{mark}  {finding.subject}: {finding.words}")
    if any(finding.level is Level.FAILURE for finding in findings):
        raise SystemExit(1)


def look(settings: Settings) -> list[Finding]:
    """Return what one look at everything shows, with every connection closed again."""
    with ExitStack() as stack:
        stack.enter_context(read_only())
        return list(examine(settings, stack=stack))


def examine(settings: Settings, *, stack: ExitStack) -> Iterator[Finding]:
    """Look at everything; a look that cannot be taken is a failure of its own, not the end."""
    keys, findings = examining.look_at_host(settings)
    yield from findings
    session, finding = look_at_database(settings, stack=stack)
    yield finding
    yield from examining.look_at_redis(redis_url(settings), hint="" if settings.redis_url else NOT_UP)[1]
    yield from examining.look_at_proxy(settings, redis_url=redis_url(settings))
    if session is not None:
        work = Work(session=session, settings=settings, keys=keys or KeyRing(["-" * 16]))
        yield from examining.look_at_services(work, keys=keys)


def look_at_database(settings: Settings, *, stack: ExitStack) -> tuple[Session | None, Finding]:
    """See whether the database can be reached and has this version's schema; give a session on it if so."""
    try:
        checks.require_database(settings)
        checks.require_sound_file(settings)
        engine = create_engine(settings.sqlalchemy_url, pool_size=1)
        stack.callback(engine.dispose)
        finding = examining.look_at_schema(kind=engine.dialect.name, revision=migrations.current(engine))
    except (HookyardError, SQLAlchemyError) as error:
        return None, Finding(Level.FAILURE, "database", describe(error) or str(error))
    if finding.level is not Level.OK:
        return None, finding
    return stack.enter_context(Session(engine)), finding
