"""Organizations and people from the shell: to start an installation without a browser."""

from __future__ import annotations

import sys

import click

from console.cli.work import opened
from console.core.errors import NotFound
from console.core.foreign_apis import APIS
from console.core.permissions import Role
from console.core.redact import visible
from console.models import Organization, User
from console.services.organizations import foreign_apis
from console.services.organizations import organizations as organization_service
from console.services.people import accounts, staffing, two_factor
from console.services.work import Work


def organization_named(work: Work, slug: str) -> Organization:
    """Give an organization; raise a sentence that names those there are."""
    try:
        return organization_service.get(work, slug=slug)
    except NotFound as error:
        known = ", ".join(organization.slug for organization in organization_service.find(work))
        raise click.ClickException(
            f"There is no organization {slug}; "
            + (f"there are: {known}." if known else "make it with `hookyard organizations create`.")
        ) from error


def user_named(work: Work, login: str) -> User:
    """Give the user with that user name or e-mail address; raise a sentence."""
    try:
        return accounts.get_user(work, login=login)
    except NotFound as error:
        raise click.ClickException(f"There is no user {login}: make one with `hookyard users create`.") from error


@click.group()
def organizations() -> None:
    """Make and list organizations."""


@organizations.command("create")
@click.argument("slug")
@click.option("--name", default="", help="The name that people see. Default: the slug.")
def create_organization(slug: str, name: str) -> None:
    """Make the organization SLUG: lower-case letters, digits, dashes. The slug never changes."""
    with opened() as work:
        made = organization_service.create(work, slug=slug, name=name)
        click.echo(f"Made the organization {made.slug}.")


@organizations.command("list")
def list_organizations() -> None:
    """List the organizations: slug and name, separated by a tab."""
    with opened() as work:
        for organization in organization_service.find(work):
            click.echo(f"{organization.slug}\t{organization.name}")


@organizations.command("apis")
@click.argument("slug")
@click.option("--enable", type=click.Choice(list(APIS)), multiple=True, help="Switch this API on; may be repeated.")
@click.option("--disable", type=click.Choice(list(APIS)), multiple=True, help="Switch this API off; may be repeated.")
def organization_apis(slug: str, enable: tuple[str, ...], disable: tuple[str, ...]) -> None:
    """List the APIs of other systems in the organization SLUG: name and state, separated by a tab.

    The state is on, off, or automatic: the first request that may use the API switches it on.
    """
    if both := set(enable) & set(disable):
        raise click.UsageError(f"Either enable or disable {', '.join(sorted(both))}.")
    with opened() as work:
        where = organization_named(work, slug)
        for api in (*enable, *disable):
            foreign_apis.switch(work, organization=where, api=api, is_on=api in enable)
        for api, state in foreign_apis.states(work, organization_number=where.number).items():
            click.echo(f"{api}\t{state}")


@click.group()
def users() -> None:
    """Create and list users, set their passwords, deactivate and activate them, make them staff."""


@users.command("create")
@click.option("--username", required=True, help="The name to sign in with.")
@click.option("--email", required=True, help="The e-mail address, which works for signing in too.")
@click.option("--full-name", default="", help="The name that others see.")
@click.option("--organization", required=True, metavar="SLUG", help="Where the user is a member; made when missing.")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), required=True, help="What the user may do there."
)
@click.option("--staff", is_flag=True, help="May see and change every organization.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def create_user(
    username: str, email: str, full_name: str, organization: str, role: str, *, staff: bool, password_stdin: bool
) -> None:
    """Make a user with a role in an organization."""
    password = read_password(from_stdin=password_stdin)
    with opened() as work:
        user = accounts.create_user(
            work,
            username=username,
            email=email,
            full_name=full_name,
            password=password,
            organization_slug=organization,
            role=role,
            is_staff=staff,
        )
        click.echo(f"Made the user {user.username}, {role} in {organization}.")


@users.command("list")
@click.option("--organization", metavar="SLUG", help="Only the members of this organization.")
def list_users(organization: str | None) -> None:
    """List the users: user name, e-mail, active or deactivated, staff or -, memberships; separated by tabs.

    A membership is an organization and a role, as in acme:admin; several are separated by commas.
    """
    with opened() as work:
        where = organization_named(work, organization) if organization else None
        for user in staffing.everybody(work, organization=where):
            places = sorted(f"{one.organization.slug}:{one.role}" for one in user.memberships)
            state, staff = "active" if user.is_active else "deactivated", "staff" if user.is_staff else "-"
            click.echo("\t".join([visible(user.username), visible(user.email), state, staff, ",".join(places) or "-"]))


@users.command("set-password")
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def set_password(login: str, *, password_stdin: bool) -> None:
    """Give the user LOGIN (user name or e-mail address) a new password, and end all their sessions."""
    password = read_password(from_stdin=password_stdin)
    with opened() as work:
        user = user_named(work, login)
        accounts.set_password(work, user=user, new=password)
        click.echo(f"Set the password of {user.username}.")


@users.command("reset-two-factor")
@click.argument("login")
def reset_two_factor(login: str) -> None:
    """Let the user LOGIN (user name or e-mail address), who lost the app and the recovery codes, sign in without."""
    with opened() as work:
        user = user_named(work, login)
        two_factor.reset(work, user=user)
        click.echo(f"{user.username} signs in with the password alone now.")


@users.command("deactivate")
@click.argument("login")
@click.option("--even-last-admin", is_flag=True, help="Also the only admin of an organization, which staff then run.")
@click.option("--keep-tokens", is_flag=True, help="Hand their tokens over to the organizations, as service tokens.")
def deactivate(login: str, *, even_last_admin: bool, keep_tokens: bool) -> None:
    """Switch the user LOGIN (user name or e-mail address) off: sessions end, and their tokens are revoked for good."""
    with opened() as work:
        user = user_named(work, login)
        settled = staffing.deactivate(work, user=user, even_last_admin=even_last_admin, keep_tokens=keep_tokens)
        click.echo(f"{user.username} can no longer sign in.")
        for token in settled:
            what = "Kept for" if token.revoked_at is None else "Revoked in"
            click.echo(f"{what} {token.organization.slug}: {visible(token.label)} ({token.prefix}…).")


@users.command("activate")
@click.argument("login")
def activate(login: str) -> None:
    """Let the user LOGIN (user name or e-mail address) sign in again; revoked tokens stay revoked."""
    with opened() as work:
        user = user_named(work, login)
        staffing.activate(work, user=user)
        click.echo(f"{user.username} can sign in again.")


@users.command("set-staff")
@click.argument("login")
@click.option("--off", is_flag=True, help="End it: the user sees only the organizations they are a member of.")
def set_staff(login: str, *, off: bool) -> None:
    """Make the user LOGIN (user name or e-mail address) staff, who see and change every organization."""
    with opened() as work:
        user = user_named(work, login)
        staffing.set_staff(work, user=user, is_staff=not off)
        click.echo(f"{user.username} is {'no longer' if off else 'now'} staff.")


def read_password(*, from_stdin: bool) -> str:
    """Read a password from standard input, or ask at the terminal; never from the command line, which is public."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password: give --password-stdin and pipe it in.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
