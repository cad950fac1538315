"""``hookyard prune``: retention now, instead of whenever the workers next come to it."""

from __future__ import annotations

import click

from console.cli.work import opened
from console.services.upkeep import retention


@click.command()
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    help="Keep what was finished in so many days. Default: HOOKYARD_RETENTION_DAYS, else 30; less where chosen.",
)
def prune(days: int | None) -> None:
    """Delete events, deliveries and caught requests that have been finished for longer than they are kept.

    What still waits for an attempt stays, however old it is. Workers do this by themselves every minute.
    """
    with opened() as work:
        pruned = retention.prune(work, days=days)
    click.echo(
        f"Deleted {pruned.events} events with their deliveries, {pruned.bin_requests} caught requests "
        f"and {pruned.others} other rows."
    )
