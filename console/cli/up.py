"""``hookyard up``: all of it on one machine. Prepares, then turns into the supervisor."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from console import checks, logs, migrations, privacy
from console.cli import commands, lock, valkey
from console.cli.listener import listen, reachable, url_of
from console.cli.plan import Part, Plan
from console.cli.supervisor import log, replace_this_process
from console.cli.work import install_types, opened
from console.database import create_engine
from console.services.people import first_setup
from console.services.work import BACKGROUND, DELIVERIES, DELIVERIES_SLOW
from console.settings import Settings, ensure_secret_key, load_settings

WEB_PROCESSES = 1
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104  compared, not bound


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free port.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data directory. Default: HOOKYARD_DATA, else ~/.local/share/hookyard.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Worker processes for healthy hooks. Default: HOOKYARD_WORKERS, else 2.",
)
@click.option("--demo", is_flag=True, help="With a sample organization, hooks and a trickle of events.")
def up(host: str, port: int, data: Path | None, workers: int | None, *, demo: bool) -> None:
    """Run everything on this machine: database, embedded Valkey, web server, workers.

    Prints `Hookyard is ready at URL` once pages are answered and, while there is no user, a one-time link with which
    the first admin is made. Ctrl-C stops everything.
    """
    given = {"data": data, "workers": workers}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    settings = settings.model_copy(update={"data": settings.data.expanduser().absolute()})
    logs.configure(settings.log_level)
    make_data_directory(settings.data)
    locks = lock.take(settings.data)
    close_files(settings)
    with listen(host, port) as listener:
        settings = settings.model_copy(update={"base_url": settings.base_url or url_of(listener)})
        if host in EVERYWHERE and "HOOKYARD_BASE_URL" not in os.environ:
            log("set HOOKYARD_BASE_URL to the address that people use", level="warning", assumed=settings.base_url)
        prepare_database(settings)
        if settings.redis_url:
            checks.require_redis(settings.redis_url)
        else:
            valkey.make_folders(settings.data)
        announcements = [f"Hookyard is ready at {url_of(listener)}", *setup_lines(settings)]
        export(settings)
        plan = Plan(
            parts=(web_part(listener.fileno(), locks[1]), *worker_parts(settings, locks[1], demo=demo)),
            address=reachable(listener),
            host=settings.base_url.partition("://")[2].partition("/")[0],
            announcements=tuple(announcements),
            store=None if settings.redis_url else store_part(settings.data, locks[1]),
            store_socket="" if settings.redis_url else str(valkey.socket_of(settings.data)),
        )
        replace_this_process(plan, keep_fds=(*locks, listener.fileno()))


def make_data_directory(data: Path) -> None:
    """Create the data directory for this account alone, and see that it can be written."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as error:
        raise click.ClickException(
            f"The data directory {data} cannot be written ({error.strerror}): "
            "choose another with --data or HOOKYARD_DATA, or change its permissions."
        ) from error


def close_files(settings: Settings) -> None:
    """Take the permissions of other accounts from files that are ours, and log those that stay open with the remedy."""
    privacy.close(settings)
    still_open = privacy.open_to_others(settings)
    if still_open:
        log("other accounts of this host may read the data", level="warning", run=privacy.remedy(still_open))


def prepare_database(settings: Settings) -> None:
    """Generate the secret key if there is none, and bring the database to this version's schema and event types."""
    ensure_secret_key(settings)
    engine = create_engine(settings.sqlalchemy_url, pool_size=1)
    try:
        checks.require_sound_file(settings)
        migrations.upgrade(engine)
    finally:
        engine.dispose()
    install_types(settings)


def setup_lines(settings: Settings) -> list[str]:
    """Give the line with the link for the first admin while there is no user at all."""
    with opened(settings) as work:
        secret = first_setup.create_link(work)
        return [f"Set up the first admin at {settings.base_url}/setup?token={secret}"] if secret else []


def export(settings: Settings) -> None:
    """Set what the parts read: the settings as this command has settled them."""
    os.environ.update(
        HOOKYARD_DATA=str(settings.data),
        HOOKYARD_BASE_URL=settings.base_url,
        HOOKYARD_REDIS_URL=settings.redis_url or valkey.url_of(settings.data),
        HOOKYARD_WORKERS=str(settings.workers),
    )
    # glibc gives each thread an arena of its own; two are enough and keep a worker with 16 threads small.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")


def store_part(data: Path, parts_lock: int) -> Part:
    """Describe the embedded Valkey."""
    return Part(
        "embedded Valkey",
        valkey.command(data),
        is_vital=True,
        hint=f"See {valkey.log_of(data)}; if its files are damaged, remove {valkey.folder_of(data)}: nothing is lost.",
        pass_fds=(parts_lock,),
    )


def web_part(listener: int, parts_lock: int) -> Part:
    """Describe the web server."""
    command = commands.serve(listener, processes=WEB_PROCESSES)
    return Part("web server", command, is_vital=True, hint="Its last words are above.", pass_fds=(listener, parts_lock))


def worker_parts(settings: Settings, parts_lock: int, *, demo: bool) -> list[Part]:
    """Describe the workers, one process a lane and HOOKYARD_WORKERS of them for healthy hooks, and the demo."""
    lanes = [DELIVERIES] * settings.workers + [DELIVERIES_SLOW, BACKGROUND]
    parts = [Part("workers", commands.worker(*lanes), pass_fds=(parts_lock,))]
    if demo:
        parts.append(Part("demo", commands.demo(), pass_fds=(parts_lock,)))
    return parts
