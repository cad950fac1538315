"""``hookyard publish``: an event from the shell, through the same service as the API's."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from console.cli.accounts import organization_named
from console.cli.work import opened
from console.core import strict_json
from console.core.errors import Refused
from console.models import Organization
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.organizations import organizations
from console.services.work import Work


@click.command()
@click.argument("event_type", metavar="TYPE")
@click.option(
    "--data",
    required=True,
    metavar="JSON",
    help="The payload: JSON text, @FILE for the contents of a file, or - for standard input. It is sent as it is.",
)
@click.option("--organization", metavar="SLUG", help="Who publishes. May be left out while there is only one.")
@click.option("--source", metavar="SLUG", help="The source it comes from, which must exist.")
@click.option("--id", "key", help="An idempotency key: the same key and content are published once.")
@click.option(
    "--occurred-at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]),
    help="When it happened, such as 2026-11-22T09:00:00Z. Default: now.",
)
@click.option("--message", help="A sentence for people.")
@click.option(
    "--object",
    "about",
    metavar="MODEL:PK",
    help="What it is about, such as order:17; the log shows it and can be searched for it.",
)
@click.option("--quiet", is_flag=True, help="Print just the event's id.")
def publish(
    event_type: str,
    *,
    data: str,
    organization: str | None,
    source: str | None,
    key: str | None,
    occurred_at: datetime | None,
    message: str | None,
    about: str | None,
    quiet: bool,
) -> None:
    """Publish an event of TYPE, such as order.paid, to every hook that subscribes to it."""
    payload = read_payload(data)
    model, colon, pk = (about or "").partition(":")
    if about and not (model and colon and pk):
        raise click.BadParameter("Give a model and a key, such as order:17.", param_hint="--object")
    with opened() as work:
        where = organization_named(work, organization) if organization else only_organization(work)
        draft = EventDraft(
            type=event_type,
            payload=payload,
            source=source,
            key=key,
            occurred_at=occurred_at,
            message=message,
            object_model=model or None,
            object_pk=pk or None,
        )
        published = publishing.publish(work, organization_number=where.number, draft=draft)
    noun = "delivery" if published.deliveries == 1 else "deliveries"
    click.echo(
        published.id if quiet else f"Published {published.type} as {published.id}: {published.deliveries} {noun}."
    )


def read_payload(data: str) -> bytes:
    """Give the bytes that --data names, as they are; raise a sentence unless they are JSON."""
    try:
        payload = _read(data)
        strict_json.load(payload)
    except OSError as error:
        raise click.BadParameter(f"{data[1:]} cannot be read: {error.strerror}.", param_hint="--data") from error
    except Refused as error:
        raise click.BadParameter(error.message, param_hint="--data") from error
    return payload


def _read(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read()
    return Path(data[1:]).read_bytes() if data.startswith("@") else data.encode()


def only_organization(work: Work) -> Organization:
    """Give the organization when there is just one; raise a sentence otherwise."""
    known = organizations.find(work)
    if len(known) == 1:
        return known[0]
    if not known:
        raise click.ClickException("There is no organization yet: make one with `hookyard organizations create SLUG`.")
    slugs = ", ".join(organization.slug for organization in known)
    raise click.UsageError(f"Say which organization publishes, with --organization; there are: {slugs}.")
