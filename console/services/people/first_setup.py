"""The first set-up: a one-time link makes the first organization and its admin."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from console.core.errors import Invalid, Unauthenticated
from console.core.permissions import Role
from console.database import take_turns
from console.models import SetupLink, User
from console.services.organizations import organizations
from console.services.people import accounts, passwords, sign_in
from console.services.work import Actor, Work

LINK_LIFE = timedelta(hours=24)


def is_needed(work: Work) -> bool:
    """Say whether nobody has an account yet."""
    return work.session.scalar(select(User.number).limit(1)) is None


def create_link(work: Work) -> str | None:
    """Create the one-time secret with which the first admin is set up, valid for 24 hours; earlier ones end.

    Return None, and create nothing, when somebody has an account.
    """
    secret = urlsafe_b64encode(work.token_bytes(32)).decode().rstrip("=")
    now = work.now()
    with work.transaction():
        take_turns(work.session, accounts.FIRST_USER)
        if not is_needed(work):
            return None
        work.session.execute(
            update(SetupLink).where(SetupLink.used_at.is_(None), SetupLink.expires_at > now).values(expires_at=now)
        )
        work.session.add(SetupLink(secret_hash=_digest(secret), created_at=now, expires_at=now + LINK_LIFE))
    return secret


def check_link(work: Work, *, secret: str) -> SetupLink:
    """Return the link of *secret*.

    Raise Unauthenticated with the code ``setup_link_unknown``, ``setup_link_used``, ``setup_over`` (somebody has an
    account by now) or ``setup_link_expired``.
    """
    link = work.session.scalar(select(SetupLink).where(SetupLink.secret_hash == _digest(secret)))
    if link is None:
        raise Unauthenticated("There is no such set-up link.", code="setup_link_unknown")
    if link.used_at is not None:
        raise Unauthenticated("This set-up link was used already.", code="setup_link_used")
    if not is_needed(work):
        raise _over()
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

    Raise Unauthenticated as ``check_link`` does, Invalid, or Conflict for a slug or an e-mail that is taken.
    """
    check_link(work, secret=secret)
    email = sign_in.normalized(email)
    wrong = organizations.wrong_fields(organization_slug, organization_name)
    wrong += accounts.wrong_user("admin", email, full_name, password, names=[organization_slug, organization_name])
    if wrong:
        raise Invalid(*wrong)
    work.session.commit()  # no transaction is open while hashing
    password_hash = passwords.hash_password(password)
    work = replace(work, actor=Actor(email, ip=work.actor.ip))
    try:
        with work.transaction():
            _use_up(work, secret)
            organization = organizations.add_within(work, slug=organization_slug, name=organization_name)
            username = accounts.free_username(work, email)
            user = User(username=username, email=email, full_name=full_name.strip(), is_staff=True)
            user.password_hash = password_hash
            return accounts.add_user(work, user, organization=organization, role=Role.ADMIN)
    except IntegrityError as error:
        raise organizations.slug_taken(organization_slug) from error


def _use_up(work: Work, secret: str) -> None:
    """Mark the link as used, when it may still be used: nobody else makes the first user meanwhile."""
    take_turns(work.session, accounts.FIRST_USER)
    if not is_needed(work):
        raise _over()
    now = work.now()
    usable = (SetupLink.secret_hash == _digest(secret), SetupLink.used_at.is_(None), SetupLink.expires_at > now)
    if work.session.scalar(update(SetupLink).where(*usable).values(used_at=now).returning(SetupLink.number)) is None:
        raise Unauthenticated("This set-up link was used already.", code="setup_link_used")


def _over() -> Unauthenticated:
    return Unauthenticated("Somebody already has an account here, so this link no longer works.", code="setup_over")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
