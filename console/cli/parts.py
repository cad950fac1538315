"""The parts for production, each a process of its own: ``hookyard web``, ``hookyard worker``, ``hookyard db``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from console import checks, logs, migrations
from console.cli import commands
from console.cli.copying import copy
from console.cli.listener import listen, url_of
from console.cli.work import install_types, redis_url
from console.database import create_engine
from console.services.work import DELIVERIES, LANES
from console.settings import Settings, ensure_secret_key, load_settings
from console.waits import THREADS


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free port.")
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="Server processes.")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=THREADS,
    show_default=True,
    help="Requests one process answers at a time.",
)
def web(host: str, port: int, processes: int, threads: int) -> None:
    """Run the web server alone, against HOOKYARD_DATABASE_URL and HOOKYARD_REDIS_URL."""
    settings = load_settings()
    require_current_schema(settings)
    with listen(host, port) as listener:
        os.environ.setdefault("HOOKYARD_BASE_URL", url_of(listener))
        os.environ["HOOKYARD_REDIS_URL"] = redis_url(settings)
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003  the function has no other form
        _become(commands.serve(listener.fileno(), processes=processes, threads=threads))


@click.command()
@click.option(
    "--lane",
    type=click.Choice(LANES),
    default=DELIVERIES,
    show_default=True,
    help="What it works on: deliveries of healthy hooks, of slow or failing ones, or replays and maintenance.",
)
def worker(lane: str) -> None:
    """Run one worker process, against HOOKYARD_DATABASE_URL and HOOKYARD_REDIS_URL.

    An installation needs at least one worker for each lane.
    """
    settings = load_settings()
    require_current_schema(settings)
    checks.require_redis(redis_url(settings))
    os.environ["HOOKYARD_REDIS_URL"] = redis_url(settings)
    _become(commands.worker(lane))


def _become(command: tuple[str, ...]) -> None:
    os.execv(command[0], command)  # noqa: S606  our own command, without a shell


def require_current_schema(settings: Settings) -> None:
    """Raise a sentence unless the database is reachable and at this version's schema, and there is a secret key."""
    _ = settings.secret_keys
    checks.require_database(settings)
    with _engine(settings) as engine:
        if migrations.current(engine) != migrations.head():
            raise click.ClickException("The database is not at this version's schema: run `hookyard db upgrade`.")


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    checks.require_sound_file(settings)
    engine = create_engine(settings.sqlalchemy_url, pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


@click.group()
def db() -> None:
    """Bring the database to another version's schema, or compare."""
    logs.configure("WARNING")


@db.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database up to REVISION (default: the newest), and generate the secret key if there is none."""
    settings = load_settings()
    ensure_secret_key(settings)
    with _engine(settings) as engine:
        before = migrations.current(engine)
        migrations.upgrade(engine, revision)
        after = migrations.current(engine)
    if after == migrations.head():
        install_types(settings)
    if before == after:
        click.echo(f"The database is at {after}.")
    else:
        click.echo(f"The database went from {before or 'nothing'} to {after}.")


@db.command()
@click.argument("revision")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade(revision: str, *, yes: bool) -> None:
    """Take the database back to REVISION; `base` removes every table. Data may be lost: make a backup first."""
    settings = load_settings()
    if not yes:
        click.confirm(f"Take the database back to {revision}? What newer revisions store is lost", abort=True)
    with _engine(settings) as engine:
        migrations.downgrade(engine, revision)
        click.echo(f"The database is at {migrations.current(engine) or 'base: empty'}.")


@db.command()
def check() -> None:
    """Say whether the database is at this version's schema; exit code 1 when it is not."""
    with _engine(load_settings()) as engine:
        current, head = migrations.current(engine), migrations.head()
    if current != head:
        raise click.ClickException(
            f"The database is at {current or 'nothing'}, this version needs {head}: run `hookyard db upgrade`."
        )
    click.echo(f"The database is at {current}, as this version needs.")


db.add_command(copy)
