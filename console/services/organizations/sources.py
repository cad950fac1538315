"""Sources: the named origins of an organization's events. A slug never changes: bodies that were sent contain it."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from console.core.errors import Conflict, FieldError, Invalid, NotFound
from console.models import Source
from console.services import audit
from console.services.work import Work

SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?", re.ASCII)
LONGEST_NAME = 200


def create(work: Work, *, organization_number: int, slug: str, name: str = "") -> Source:
    """Make a source, named after its slug unless told; raise Invalid, or Conflict when the slug is taken."""
    wrong: list[FieldError] = []
    if not SLUG.fullmatch(slug):
        words = "A source's slug has 1 to 50 letters, digits, dots, dashes and underscores."
        wrong.append(FieldError("/slug", "slug", words))
    name = name.strip() or slug
    if len(name) > LONGEST_NAME or "\x00" in name:
        wrong.append(FieldError("/name", "too_long", f"A name has at most {LONGEST_NAME} characters."))
    if wrong:
        raise Invalid(*wrong)
    source = Source(
        id=work.new_id(), organization_number=organization_number, slug=slug, name=name, created_at=work.now()
    )
    try:
        with work.transaction():
            work.session.add(source)
            work.session.flush()
            audit.record(
                work,
                action="source.created",
                organization_number=organization_number,
                object_type="source",
                object_id=str(source.id),
                object_name=name,
                changes={"slug": [None, slug]},
            )
    except IntegrityError as error:
        raise Conflict(f"There is a source {slug} already.", code="source_exists") from error
    return source


def find(work: Work, *, organization_number: int, before: int | None = None, limit: int = 50) -> list[Source]:
    """List sources, newest first, with a number below *before*."""
    query = select(Source).where(Source.organization_number == organization_number)
    if before is not None:
        query = query.where(Source.number < before)
    return list(work.session.scalars(query.order_by(Source.number.desc()).limit(limit)))


def all_of(work: Work, *, organization_number: int) -> list[Source]:
    """List every source of an organization by slug, for pickers."""
    query = select(Source).where(Source.organization_number == organization_number)
    return list(work.session.scalars(query.order_by(Source.slug)))


def get(work: Work, *, organization_number: int, slug: str) -> Source:
    """Give a source; raise NotFound."""
    query = select(Source).where(Source.organization_number == organization_number, Source.slug == slug)
    source = work.session.scalar(query)
    if source is None:
        raise NotFound("source")
    return source
