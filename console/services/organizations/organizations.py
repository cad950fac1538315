"""Organizations: make one, find it, rename it. Who may do what in it stands in ``members``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from console.core.errors import Conflict, FieldError, Invalid, NotFound
from console.models import Organization
from console.services import audit
from console.services.event_types import catalogue
from console.services.work import Work

LONGEST_NAME = 200
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,48}[a-z0-9])?", re.ASCII)


def create(work: Work, *, slug: str, name: str = "") -> Organization:
    """Make an organization with the packaged catalogue; raise Invalid, or Conflict when the slug is taken."""
    wrong = wrong_fields(slug, name)
    if wrong:
        raise Invalid(*wrong)
    try:
        with work.transaction():
            return add_within(work, slug=slug, name=name)
    except IntegrityError as error:
        raise slug_taken(slug) from error


def get(work: Work, *, slug: str) -> Organization:
    """Return an organization; raise NotFound, as for one that is closed."""
    is_open = Organization.closed_at.is_(None)
    organization = work.session.scalar(select(Organization).where(Organization.slug == slug, is_open))
    if organization is None:
        raise NotFound("organization")
    return organization


def find(work: Work) -> list[Organization]:
    """List all organizations by slug: for staff and for the command line."""
    return list(
        work.session.scalars(select(Organization).where(Organization.closed_at.is_(None)).order_by(Organization.slug))
    )


def lock_within(work: Work, *, number: int) -> None:
    """Wait until no other transaction holds this lock of the organization, and hold it until the caller's ends.

    Events are published meanwhile. (SQLite has one writer anyway.)
    """
    row = select(Organization.number).where(Organization.number == number)
    work.session.execute(row.with_for_update(key_share=True))


def rename(work: Work, *, organization: Organization, name: str) -> Organization:
    """Change the name of an organization; its slug stays, since bodies that were sent contain it. Raise Invalid."""
    wrong = wrong_fields(organization.slug, name)
    if wrong or not name.strip():
        raise Invalid(*wrong or [FieldError("/name", "required", "Give the organization a name.")])
    with work.transaction():
        before, organization.name = organization.name, name.strip()
        _audit(work, organization, "organization.renamed", changes={"name": [before, organization.name]})
    return organization


def add_within(work: Work, *, slug: str, name: str) -> Organization:
    """Add an organization of checked fields, inside the caller's transaction."""
    organization = Organization(id=work.new_id(), slug=slug, name=name.strip() or slug, created_at=work.now())
    work.session.add(organization)
    work.session.flush()
    catalogue.install(work, organization=organization)
    _audit(work, organization, "organization.created")
    return organization


def wrong_fields(slug: str, name: str) -> list[FieldError]:
    """Give what is wrong with the fields of a new organization."""
    wrong = []
    if not _SLUG.fullmatch(slug):
        words = "A slug has 1 to 50 lower-case letters, digits, dashes and underscores, such as acme."
        wrong.append(FieldError("/organization_slug", "slug", words))
    if len(name) > LONGEST_NAME or "\x00" in name:
        words = f"A name has at most {LONGEST_NAME} characters."
        wrong.append(FieldError("/organization_name", "too_long", words))
    return wrong


def slug_taken(slug: str) -> Conflict:
    """Say that a slug is another organization's."""
    return Conflict(f"There is an organization {slug} already.", code="organization_exists")


def _audit(work: Work, organization: Organization, action: str, *, changes: Mapping[str, Any] | None = None) -> None:
    audit.record(
        work,
        action=action,
        organization_number=organization.number,
        object_type="organization",
        object_id=str(organization.id),
        object_name=organization.name,
        changes=changes,
    )
