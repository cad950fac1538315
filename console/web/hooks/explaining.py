"""Explain: would this hook get that event, and which rule says no? For a published event, or one that is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Response, request

from console.core import strict_json
from console.core.errors import NotFound, Refused
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Event, Hook
from console.services.event_types import catalogue
from console.services.events import events, explaining
from console.services.events.event_abouts import abouts
from console.services.events.event_drafts import LONGEST_PAYLOAD
from console.services.events.events import EventFilter
from console.services.events.explaining import Draft
from console.services.hooks.hook_tests import TEST_TYPE
from console.services.organizations import sources
from console.web import access, explanations, hx
from console.web.downloads import readable
from console.web.explanations import Words
from console.web.hooks.shared import WRONG, hook_of, name_of, pages
from console.web.hooks.testing import first_type_of, sample_of
from console.web.pretty import json_tokens

RECENT = 15


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: an event by its id, or one that is made up; the errors say what is wrong with it."""

    event_id: str = ""
    event_type: str = ""
    source: str = ""
    payload: str = ""
    event_error: str = ""
    type_error: str = ""
    payload_error: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether it cannot be answered."""
        return bool(self.event_error or self.type_error or self.payload_error)


@pages.get("/<uuid:hook_id>/explain")
@access.requires(Permission.WEBHOOKS_VIEW)
def explain(hook_id: UUID) -> Response:
    """Explain what becomes of the event ``event`` for the hook; without one, offer the latest."""
    hook, text = hook_of(hook_id), request.args.get("event", "").strip()
    if not text:
        return _page(hook, _empty(hook))
    event = _find(hook, text)
    if event is None:
        error = "There is no event with this id; it may be older than is kept."
        return _page(hook, _empty(hook, event_id=text, event_error=error), status=WRONG)
    standing = explaining.of_hook(current_work(), hook=hook, event=event)
    words = explanations.in_words(standing, event_type=event.type, source=event.source)
    question = Question(text, event.type, event.source or "", _laid_out(readable(event.payload).text))
    return _page(hook, question, event=event, words=words)


@pages.post("/<uuid:hook_id>/explain")
@access.requires(Permission.WEBHOOKS_VIEW)
def explain_draft(hook_id: UUID) -> Response:
    """Explain what would become of an event that is made up; nothing is published or stored."""
    hook = hook_of(hook_id)
    given = {name: request.form.get(name, "").strip() for name in ("event_type", "source")}
    text = request.form.get("payload", "").strip()
    question = Question(**given, payload=text, payload_error=_problem_with(text))
    if question.is_wrong:
        return _page(hook, question, status=WRONG)
    draft = Draft(question.event_type, text.encode(), question.source or None)
    try:
        standing = explaining.of_draft(current_work(), hook=hook, draft=draft)
    except Refused as error:
        return _page(hook, Question(**given, payload=text, type_error=error.message), status=WRONG)
    words = explanations.in_words(standing, event_type=draft.type, source=draft.source, is_published=False)
    return _page(hook, question, words=words)


def _empty(hook: Hook, *, event_id: str = "", event_error: str = "") -> Question:
    name = first_type_of(hook) or TEST_TYPE
    return Question(event_id, name, payload=sample_of(hook, name), event_error=event_error)


def _laid_out(payload: str) -> str:
    """Lay a payload out for changing it."""
    return "".join(token.text for token in json_tokens(payload) or ()) or payload


def _find(hook: Hook, text: str) -> Event | None:
    try:
        return events.get(current_work(), organization_number=hook.organization_number, event_id=UUID(text))
    except (ValueError, NotFound):
        return None


def _problem_with(text: str) -> str:
    if not text:
        return "Give a payload; {} is the smallest."
    if len(text.encode()) > LONGEST_PAYLOAD:
        return f"A payload is at most {LONGEST_PAYLOAD // 1024} KiB."
    try:
        strict_json.load(text.encode())
    except Refused as error:
        return error.message
    return ""


def _page(
    hook: Hook, question: Question, *, event: Event | None = None, words: Words | None = None, status: int = 200
) -> Response:
    work, recent = current_work(), _recent(hook)
    return hx.page(
        "hooks/explain.html",
        block="answer",
        status=status,
        hook=hook,
        name=name_of(hook),
        question=question,
        event=event,
        words=words,
        recent=recent,
        abouts=abouts(work, organization_number=hook.organization_number, numbers=[one.number for one in recent]),
        sources=sources.all_of(work, organization_number=hook.organization_number),
        types=catalogue.names(work, organization_number=hook.organization_number),
    )


def _recent(hook: Hook) -> Sequence[Event]:
    return events.find(current_work(), organization_number=hook.organization_number, wanted=EventFilter(), limit=RECENT)
