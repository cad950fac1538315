"""``hookyard db copy``: move an installation from SQLite to PostgreSQL, or back."""

from __future__ import annotations

import click
from sqlalchemy import Engine

from console import checks, copying
from console.core.redact import redact_url
from console.database import create_engine
from console.settings import Settings, load_settings


@click.command("copy")
@click.option(
    "--to", "target_url", required=True, metavar="URL", help="The empty database: postgresql:// or sqlite:///."
)
def copy(target_url: str) -> None:
    """Copy everything into the empty database URL, all or nothing. Stop Hookyard first.

    Afterwards set HOOKYARD_DATABASE_URL to URL and keep the secret key: it opens the stored secrets there, too.
    """
    settings = load_settings()
    checks.require_database(settings)
    checks.require_sound_file(settings)
    target_settings = load_settings(database_url=target_url)
    source, target = _engine(settings), _engine(target_settings)
    try:
        copying.copy(source, target, progress=lambda table, rows: click.echo(f"{rows:>10,}  {table}"))
    finally:
        source.dispose()
        target.dispose()
    click.echo(
        f"Copied everything to {redact_url(target_url)}. "
        "Set HOOKYARD_DATABASE_URL to it, keep HOOKYARD_SECRET_KEY (or the file secret-key), and start Hookyard."
    )


def _engine(settings: Settings) -> Engine:
    return create_engine(settings.sqlalchemy_url, pool_size=1)
