"""Organizations, people, and the first set-up. Who may do what in which organization stands in ``members``."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from console.core.errors import Conflict, FieldError, Invalid, NotFound, Refused, Unauthenticated
from console.core.permissions import Role
from console.models import BrowserSession, Membership, Organization, SetupLink, User
from console.services import audit, catalogue, passwords, sign_in
from console.services.members import (
    change_role,
    get_member,
    members,
    memberships_of,
    organizations_of,
    permissions_of,
    remove_member,
    role_of,
)
from console.services.work import Actor, Work

__all__ = [
    "add_user",
    "change_password",
    "change_role",
    "change_time_zone",
    "check_setup_link",
    "create_organization",
    "create_setup_link",
    "create_user",
    "free_username",
    "get_member",
    "get_organization",
    "get_user",
    "get_user_by_number",
    "members",
    "memberships_of",
    "organizations",
    "organizations_of",
    "permissions_of",
    "remove_member",
    "rename_organization",
    "role_of",
    "set_password",
    "set_up",
    "setup_is_needed",
    "switch_shortcuts",
    "user_count",
    "wrong_email",
    "wrong_user",
]

SETUP_LINK_LIFE = timedelta(hours=24)
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,48}[a-z0-9])?", re.ASCII)
_USERNAME = re.compile(r"[a-z0-9_][a-z0-9_.@+-]{0,149}", re.ASCII)
_EMAIL = re.compile(r"[^@\s\x00]{1,64}@[^@\s\x00]{1,189}")
_LONGEST_NAME = 200
_NOT_IN_A_USERNAME = re.compile(r"[^a-z0-9_.+-]+", re.ASCII)

# --- organizations --------------------------------------------------------------------------------------------------


def create_organization(work: Work, *, slug: str, name: str = "") -> Organization:
    """Make an organization with the packaged catalogue; raise Invalid, or Conflict when the slug is taken."""
    wrong = _wrong_organization(slug, name)
    if wrong:
        raise Invalid(*wrong)
    try:
        with work.transaction():
            return _add_organization(work, slug=slug, name=name)
    except IntegrityError as error:
        raise _slug_taken(slug) from error


def get_organization(work: Work, *, slug: str) -> Organization:
    """Give an organization; raise NotFound."""
    organization = work.session.scalar(select(Organization).where(Organization.slug == slug))
    if organization is None:
        raise NotFound("organization")
    return organization


def organizations(work: Work) -> list[Organization]:
    """List all organizations by slug: for staff and for the command line."""
    return list(
        work.session.scalars(select(Organization).where(Organization.closed_at.is_(None)).order_by(Organization.slug))
    )


def rename_organization(work: Work, *, organization: Organization, name: str) -> Organization:
    """Change the name of an organization; its slug stays, since bodies that were sent contain it. Raise Invalid."""
    wrong = _wrong_organization(organization.slug, name)
    if wrong or not name.strip():
        raise Invalid(*wrong or [FieldError("/name", "required", "Give the organization a name.")])
    with work.transaction():
        before, organization.name = organization.name, name.strip()
        _audit(
            work,
            "organization.renamed",
            organization,
            of=("organization", organization.id, organization.name),
            changes={"name": [before, organization.name]},
        )
    return organization


def _add_organization(work: Work, *, slug: str, name: str) -> Organization:
    organization = Organization(id=work.new_id(), slug=slug, name=name.strip() or slug, created_at=work.now())
    work.session.add(organization)
    work.session.flush()
    catalogue.install(work, organization=organization)
    _audit(work, "organization.created", organization, of=("organization", organization.id, organization.name))
    return organization


def _wrong_organization(slug: str, name: str) -> list[FieldError]:
    wrong = []
    if not _SLUG.fullmatch(slug):
        words = "A slug has 1 to 50 lower-case letters, digits, dashes and underscores, such as acme."
        wrong.append(FieldError("/organization_slug", "slug", words))
    if len(name) > _LONGEST_NAME or "\x00" in name:
        words = f"A name has at most {_LONGEST_NAME} characters."
        wrong.append(FieldError("/organization_name", "too_long", words))
    return wrong


def _slug_taken(slug: str) -> Conflict:
    return Conflict(f"There is an organization {slug} already.", code="organization_exists")


# --- people ---------------------------------------------------------------------------------------------------------


def create_user(
    work: Work,
    *,
    username: str,
    email: str,
    full_name: str = "",
    password: str,
    organization_slug: str,
    role: str,
    is_staff: bool = False,
) -> User:
    """Make a person with a role in an organization, which is made too when it is missing.

    Raise Invalid, or Conflict when the user name or the e-mail is somebody's, in whatever case.
    """
    username, email = sign_in.normalized(username), sign_in.normalized(email)
    wrong = wrong_user(username, email, full_name, password, names=[organization_slug])
    wrong += _wrong_organization(organization_slug, "")
    if role not in set(Role):
        wrong.append(FieldError("/role", "choice", f"A role is one of {', '.join(Role)}."))
    if wrong:
        raise Invalid(*wrong)
    password_hash = passwords.hash_password(password)  # before the transaction: it takes its time
    try:
        with work.transaction():
            organization = _organization_for(work, organization_slug)
            return add_user(
                work,
                User(
                    username=username,
                    email=email,
                    full_name=full_name.strip(),
                    password_hash=password_hash,
                    is_staff=is_staff,
                ),
                organization=organization,
                role=Role(role),
            )
    except IntegrityError as error:
        raise Conflict("That user name or e-mail is somebody's already.", code="user_exists") from error


def _organization_for(work: Work, slug: str) -> Organization:
    found = work.session.scalar(select(Organization).where(Organization.slug == slug))
    return found or _add_organization(work, slug=slug, name="")


def add_user(work: Work, user: User, *, organization: Organization, role: Role) -> User:
    """Add a checked user and the membership inside the caller's transaction.

    Either name may be used to sign in, so neither may be another's: raise Conflict.
    """
    names = (user.username, user.email)
    if work.session.scalar(select(User.number).where(or_(User.username.in_(names), User.email.in_(names)))):
        raise Conflict("That user name or e-mail is somebody's already.", code="user_exists")
    user.id, user.created_at = work.new_id(), work.now()
    user.memberships = [Membership(organization=organization, role=role.value, created_at=work.now())]
    work.session.add(user)
    work.session.flush()
    changes = {"role": [None, role.value], "is_staff": [None, user.is_staff]}
    _audit(work, "user.created", organization, of=("user", user.id, user.email), changes=changes)
    return user


def wrong_email(email: str) -> list[FieldError]:
    """Give what is wrong with a normalized e-mail address: an error, or nothing."""
    if _EMAIL.fullmatch(email):
        return []
    return [FieldError("/email", "email", "Give an e-mail address, such as ada@example.com.")]


def wrong_user(
    username: str, email: str, full_name: str, password: str, *, names: Iterable[str] = ()
) -> list[FieldError]:
    """Give what is wrong with the fields of a new person; *names* are those of the organization."""
    wrong = []
    if not _USERNAME.fullmatch(username):
        words = "A user name has 1 to 150 letters, digits and . _ + - @ characters."
        wrong.append(FieldError("/username", "username", words))
    wrong += wrong_email(email)
    if len(full_name) > _LONGEST_NAME or "\x00" in full_name:
        wrong.append(FieldError("/full_name", "too_long", f"A name has at most {_LONGEST_NAME} characters."))
    return wrong + _wrong_password(password, field="password", names=(username, email, full_name, *names))


def _wrong_password(password: str, *, field: str, names: Iterable[str]) -> list[FieldError]:
    try:
        passwords.check_rules(password, names=names)
    except Refused as error:
        return [FieldError(f"/{field}", error.code, error.message)]
    return []


def _names_of(work: Work, user: User) -> list[str]:
    """Give the names of a person and of their organizations, which make a bad password."""
    organizations = [one.organization for one in memberships_of(work, user=user)]
    names = [name for one in organizations for name in (one.slug, one.name)]
    return [user.username, user.email, user.full_name, *names]


def get_user(work: Work, *, login: str) -> User:
    """Give the user with that e-mail or user name; raise NotFound."""
    login = sign_in.normalized(login)
    user = work.session.scalar(select(User).where(or_(User.email == login, User.username == login)))
    if user is None:
        raise NotFound("user")
    return user


def get_user_by_number(work: Work, *, number: int) -> User:
    """Give a user; raise NotFound."""
    user = work.session.get(User, number)
    if user is None:
        raise NotFound("user")
    return user


def change_time_zone(work: Work, *, user: User, name: str) -> None:
    """Show a person times in the IANA time zone *name*; raise Invalid for none."""
    if name not in available_timezones():
        raise Invalid.field("time_zone", "Give a time zone such as Europe/Berlin, or UTC.", code="time_zone")
    with work.transaction():
        user.time_zone = name


def switch_shortcuts(work: Work, *, user: User, is_on: bool) -> None:
    """Switch a person's shortcuts of one key on or off (WCAG 2.1.4)."""
    with work.transaction():
        user.has_shortcuts = is_on


def change_password(work: Work, *, user: User, current: str, new: str, keep: BrowserSession | None = None) -> None:
    """Change a person's password and end all their sessions but *keep*; raise Invalid, or TooMany while throttled."""
    wrong = _wrong_password(new, field="new", names=_names_of(work, user))
    if wrong:
        raise Invalid(*wrong)
    try:
        sign_in.confirm_password(work, user=user, password=current)
    except Invalid as error:
        raise Invalid.field("current", error.message, code="wrong_password") from error
    _set_password(work, user, new, keep=keep)


def set_password(work: Work, *, user: User, new: str) -> None:
    """Give a person a new password, on the operator's word, and end all their sessions; raise Invalid."""
    wrong = _wrong_password(new, field="password", names=_names_of(work, user))
    if wrong:
        raise Invalid(*wrong)
    _set_password(work, user, new, keep=None)


def _set_password(work: Work, user: User, new: str, *, keep: BrowserSession | None) -> None:
    work.session.commit()  # no transaction is open while hashing
    password_hash = passwords.hash_password(new)
    with work.transaction():
        user.password_hash = password_hash
        sign_in.end_sessions_within(work, user=user, keep=keep, reason="The password of your account was changed.")
        for membership in memberships_of(work, user=user):
            _audit(work, "user.password_changed", membership.organization, of=("user", user.id, user.email))


# --- the first set-up -----------------------------------------------------------------------------------------------


def setup_is_needed(work: Work) -> bool:
    """Say whether nobody has an account yet."""
    return work.session.scalar(select(User.number).limit(1)) is None


def create_setup_link(work: Work) -> str:
    """Make the one-time secret with which the first admin is set up, valid for 24 hours; earlier ones end."""
    secret = urlsafe_b64encode(work.token_bytes(32)).decode().rstrip("=")
    now = work.now()
    with work.transaction():
        work.session.execute(
            update(SetupLink).where(SetupLink.used_at.is_(None), SetupLink.expires_at > now).values(expires_at=now)
        )
        work.session.add(SetupLink(secret_hash=_digest(secret), created_at=now, expires_at=now + SETUP_LINK_LIFE))
    return secret


def check_setup_link(work: Work, *, secret: str) -> SetupLink:
    """Give the link of *secret*; raise Unauthenticated, code ``setup_link_unknown``, ``…_used`` or ``…_expired``."""
    link = work.session.scalar(select(SetupLink).where(SetupLink.secret_hash == _digest(secret)))
    if link is None:
        raise Unauthenticated("There is no such set-up link.", code="setup_link_unknown")
    if link.used_at is not None:
        raise Unauthenticated("This set-up link was used already.", code="setup_link_used")
    if link.expires_at <= work.now():
        raise Unauthenticated("This set-up link has expired.", code="setup_link_expired")
    return link


def set_up(
    work: Work,
    *,
    secret: str,
    organization_name: str,
    organization_slug: str,
    email: str,
    full_name: str = "",
    password: str,
) -> User:
    """Make the first organization and its admin, who is staff too; the link is used up.

    Raise Unauthenticated as ``check_setup_link`` does, Invalid, or Conflict for a slug or an e-mail that is taken.
    """
    check_setup_link(work, secret=secret)
    email = sign_in.normalized(email)
    wrong = _wrong_organization(organization_slug, organization_name)
    wrong += wrong_user("admin", email, full_name, password, names=[organization_slug, organization_name])
    if wrong:
        raise Invalid(*wrong)
    work.session.commit()  # no transaction is open while hashing
    password_hash = passwords.hash_password(password)
    work = replace(work, actor=Actor(email, ip=work.actor.ip))
    try:
        with work.transaction():
            _use_up(work, secret)
            organization = _add_organization(work, slug=organization_slug, name=organization_name)
            username = free_username(work, email)
            user = User(username=username, email=email, full_name=full_name.strip(), is_staff=True)
            user.password_hash = password_hash
            return add_user(work, user, organization=organization, role=Role.ADMIN)
    except IntegrityError as error:
        raise _slug_taken(organization_slug) from error


def _use_up(work: Work, secret: str) -> None:
    """Mark the link as used; of two at once only one passes."""
    unused = (SetupLink.secret_hash == _digest(secret), SetupLink.used_at.is_(None))
    used = update(SetupLink).where(*unused).values(used_at=work.now()).returning(SetupLink.number)
    if work.session.scalar(used) is None:
        raise Unauthenticated("This set-up link was used already.", code="setup_link_used")


def free_username(work: Work, email: str) -> str:
    """Make a user name of what stands before the @ of *email*, with a number when it is taken."""
    base = _NOT_IN_A_USERNAME.sub("", email.partition("@")[0]).lstrip(".+-")[:140] or "admin"
    taken = set(work.session.scalars(select(User.username).where(User.username.startswith(base, autoescape=True))))
    return next(name for name in (base, *(f"{base}{n}" for n in range(2, len(taken) + 3))) if name not in taken)


def user_count(work: Work) -> int:
    """Count the accounts of the installation."""
    return work.session.scalar(select(func.count()).select_from(User)) or 0


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _audit(
    work: Work,
    action: str,
    organization: Organization,
    *,
    of: tuple[str, UUID, str],
    changes: Mapping[str, Any] | None = None,
) -> None:
    kind, identifier, name = of
    audit.record(
        work,
        action=action,
        organization_number=organization.number,
        object_type=kind,
        object_id=str(identifier),
        object_name=name,
        changes=changes,
    )
