"""API tokens from the shell: create, list, revoke."""

from __future__ import annotations

import click

from console.cli.accounts import organization_named, user_named
from console.cli.work import opened
from console.core.errors import Forbidden
from console.core.permissions import Permission
from console.core.redact import visible
from console.core.token_rights import TokenStatus
from console.models import Organization, Token
from console.services.people import tokens as token_service
from console.services.work import Work

_STATUS = {
    TokenStatus.VALID: "valid",
    TokenStatus.REVOKED: "revoked",
    TokenStatus.EXPIRED: "expired",
    TokenStatus.OWNER_INACTIVE: "ended: owner deactivated",
    TokenStatus.OWNER_LEFT: "ended: owner left",
}


@click.group()
def tokens() -> None:
    """Create, list and revoke API tokens."""


@tokens.command("create")
@click.option("--user", metavar="LOGIN", help="The owner: a user name or an e-mail address.")
@click.option("--service", "is_service", is_flag=True, help="A service token: it belongs to the organization.")
@click.option("--organization", required=True, metavar="SLUG", help="The organization that it is for.")
@click.option(
    "--permission",
    "permissions",
    type=click.Choice([permission.value for permission in Permission], case_sensitive=False),
    multiple=True,
    required=True,
    help="What it allows; may be given several times. ADMIN allows everything.",
)
@click.option("--name", default="", help="What it is for, as the list of tokens shows it.")
@click.option("--expires", type=click.IntRange(1, 3650), metavar="DAYS", help="Days until it ends. Default: never.")
@click.option("--quiet", is_flag=True, help="Print just the token.")
def create_token(
    user: str | None,
    organization: str,
    permissions: tuple[str, ...],
    name: str,
    expires: int | None,
    *,
    is_service: bool,
    quiet: bool,
) -> None:
    """Create an API token and print it, this once: for a person (--user) or for the organization (--service)."""
    if is_service == (user is not None):
        raise click.UsageError("Name the owner: --user LOGIN for a person, or --service for the organization.")
    with opened() as work:
        owner = user_named(work, user) if user is not None else None
        where = organization_named(work, organization)
        try:
            issued = token_service.issue(
                work,
                user=owner,
                organization=where,
                permissions=[Permission(permission) for permission in permissions],
                name=name,
                expires_in_days=expires,
            )
        except Forbidden as error:
            raise click.ClickException(
                f"{user} does not have the permission {error.permission} in {where.slug}: "
                "leave it out, or give the user another role."
            ) from error
        click.echo(issued.text if quiet else f"The token, shown this once:\n{issued.text}")


@tokens.command("list")
@click.option("--organization", required=True, metavar="SLUG", help="Whose tokens.")
def list_tokens(organization: str) -> None:
    """List the tokens that are not revoked, newest first.

    The fields are separated by tabs: how the token begins, name, owner, permissions, last use, end, status.
    """
    with opened() as work:
        for token in _tokens_of(work, organization_named(work, organization)):
            click.echo("\t".join(_fields(work, token)))


@tokens.command("revoke")
@click.argument("prefix")
@click.option("--organization", required=True, metavar="SLUG", help="The organization that it is for.")
def revoke_token(prefix: str, organization: str) -> None:
    """Revoke the token that begins with PREFIX (hy_ and 8 characters, as in the list), and those it created."""
    with opened() as work:
        where = organization_named(work, organization)
        token = next((one for one in _tokens_of(work, where) if one.prefix == prefix), None)
        if token is None:
            raise click.ClickException(
                f"No token of {where.slug} begins with {prefix}; "
                f"`hookyard tokens list --organization {where.slug}` shows them."
            )
        with_it = token_service.depending_on(work, token=token)
        token_service.revoke(work, token=token)
        for one in [token, *with_it]:
            click.echo(f"Revoked {visible(one.label)} ({one.prefix}…).")


def _tokens_of(work: Work, organization: Organization) -> list[Token]:
    return token_service.find(work, organization_number=organization.number, limit=None)


def _fields(work: Work, token: Token) -> list[str]:
    return [
        token.prefix,
        " ".join(visible(token.name).split()),
        token.user.email if token.user else "service",
        ",".join(token_service.effective(token)),
        token.last_used_at.isoformat(timespec="seconds") if token.last_used_at else "never used",
        token.expires_at.isoformat(timespec="seconds") if token.expires_at else "never ends",
        _STATUS[token_service.status_of(work, token)],
    ]
