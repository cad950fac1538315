"""What publishers hand in: an event that is not stored yet, and what one must be like."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from console.core.envelopes import json_text
from console.core.errors import FieldError, Invalid, Refused
from console.core.patterns import check_event_type
from console.models import Organization, Source
from console.services.work import Work

MOST_IN_BATCH = 1000
LONGEST_PAYLOAD = 256 * 1024
"""Bytes, unless the organization takes less."""
LEAST_LONGEST_PAYLOAD = 16 * 1024
"""Bytes. No organization can take less than this, so that the usual event is published without asking it."""
LONGEST_KEY = 255
LONGEST_TEXT = 100
LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event to publish. *payload* and *context* are JSON texts, stored, signed and sent as these very bytes.

    *is_from_callback*: a callback publishes it, so none is called for its own deliveries.
    """

    type: str
    payload: bytes
    source: str | None = None
    key: str | None = None
    id: UUID | None = None
    occurred_at: datetime | None = None
    message: str | None = None
    context: bytes | None = None
    object_model: str | None = None
    object_pk: str | None = None
    is_from_callback: bool = False

    def fingerprint(self) -> bytes:
        """Give the SHA-256 of everything a publisher says, which a repeated key must repeat; without one, of nothing.

        What has no key is compared with nothing.
        """
        if self.key is None:
            return _NOTHING
        digest = hashlib.sha256(self.payload)
        moment = self.occurred_at.isoformat() if self.occurred_at else None
        rest = [self.type, self.source, moment, self.message, self.object_model, self.object_pk]
        digest.update(b"\x00" + (self.context or b"") + b"\x00" + json_text(rest))
        return digest.digest()


_NOTHING = hashlib.sha256().digest()


def check(work: Work, organization_number: int, drafts: Sequence[EventDraft], *, under: str = "") -> None:
    """Raise Invalid for drafts that cannot be published; *under* is the pointer to a draft, with {} for its index."""
    if not 1 <= len(drafts) <= MOST_IN_BATCH:
        raise Invalid.field("events", f"Give 1 to {MOST_IN_BATCH} events.", code="batch_size")
    slugs = {draft.source for draft in drafts if draft.source is not None}
    known = _known_sources(work, organization_number, slugs)
    longest = _longest_payload(work, organization_number, drafts)
    problems = [
        FieldError(under.format(index) + error.pointer, error.code, error.message)
        for index, draft in enumerate(drafts)
        for error in _problems(draft, known, longest)
    ]
    if problems:
        raise Invalid(*problems)


def _longest_payload(work: Work, organization_number: int, drafts: Sequence[EventDraft]) -> int:
    """Give the bytes that the organization takes; few payloads are so large that it has to be asked."""
    if all(len(draft.payload) <= LEAST_LONGEST_PAYLOAD for draft in drafts):
        return LONGEST_PAYLOAD
    query = select(Organization.largest_payload).where(Organization.number == organization_number)
    return work.session.scalar(query) or LONGEST_PAYLOAD


def _known_sources(work: Work, organization_number: int, slugs: set[str]) -> set[str]:
    if not slugs:
        return set()
    query = select(Source.slug).where(Source.organization_number == organization_number, Source.slug.in_(slugs))
    return set(work.session.scalars(query))


def _problems(draft: EventDraft, known_sources: set[str], longest: int) -> list[FieldError]:
    problems = []
    try:
        check_event_type(draft.type)
    except Refused as error:
        problems.append(FieldError("/type", error.code, error.message))
    if len(draft.payload) > longest:
        problems.append(FieldError("/payload", "too_large", f"A payload is at most {longest // 1024} KiB."))
    if draft.source is not None and draft.source not in known_sources:
        problems.append(FieldError("/source", "unknown_source", f"There is no source {draft.source}; create it first."))
    limits = (
        ("/id", draft.key, 1, LONGEST_KEY),
        ("/message", draft.message, 0, LONGEST_MESSAGE),
        ("/object/model", draft.object_model, 1, LONGEST_TEXT),
        ("/object/pk", draft.object_pk, 1, LONGEST_TEXT),
    )
    for pointer, text, at_least, at_most in limits:
        if text is not None and not at_least <= len(text) <= at_most:
            words = f"Use {at_least} to {at_most} characters." if at_least else f"Use at most {at_most} characters."
            problems.append(FieldError(pointer, "length", words))
        if text is not None and pointer != "/message" and not text.isprintable():
            words = "Remove line breaks, tabs and other control or invisible characters."
            problems.append(FieldError(pointer, "control", words))
    if draft.context is not None and not draft.context.lstrip().startswith(b"{"):
        problems.append(FieldError("/context", "type", "A context must be an object, or null for none."))
    if draft.context is not None and len(draft.context) > LONGEST_PAYLOAD:
        problems.append(FieldError("/context", "too_large", f"A context is at most {LONGEST_PAYLOAD // 1024} KiB."))
    return problems
