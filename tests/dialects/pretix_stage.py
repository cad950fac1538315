"""What tests of pretix's dialect arrange: an organizer with two events, and its webhooks."""

from __future__ import annotations

from typing import Any

from console.services.organizations import sources
from console.services.work import Work
from tests.dialects import drf_stage
from tests.dialects.drf_stage import PAGE_KEYS, URL, are_sentences, is_of_the_framework

W = "/api/v1/organizers/acme/webhooks/"
TYPE = "pretix.event.order.paid"
DOCUMENTED = {
    "enabled": True,
    "target_url": "https://httpstat.us/200",
    "all_events": False,
    "limit_events": ["democon"],
    "action_types": ["pretix.event.order.modified", "pretix.event.order.changed.*"],
    "comment": "Called for changes",
}
"""The body of the document's example."""
LEAST = {"target_url": URL, "limit_events": [], "action_types": []}
KEYS = ["id", "enabled", "target_url", "all_events", "limit_events", "action_types", "comment"]
NO_WEBHOOK = {"detail": "No WebHook matches the given query."}
EITHER = {"non_field_errors": ["You can set either limit_events or all_events."]}


def make(api: Any, **fields: Any) -> dict[str, Any]:
    """Make a webhook: one for all events of the organizer and no action type, unless told."""
    answer = api.post(W, json=LEAST | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def path_of(webhook: dict[str, Any]) -> str:
    return f"{W}{webhook['id']}/"


def make_native(work: Work, person: Any, **fields: Any) -> dict[str, Any]:
    """Make a hook that does not come from pretix; give its id as pretix would."""
    return {"id": drf_stage.make_native(work, person, **fields).number}


def add_sources(work: Work, person: Any, *slugs: str) -> None:
    for slug in slugs:
        sources.create(work, organization_number=person.organization.number, slug=slug)


def is_of_pretix(answer: Any) -> bool:
    """Say whether an answer has one of the shapes that the contract knows."""
    return is_of_the_framework(answer, shown=_is_shown, errors=are_sentences, fields={*KEYS, "non_field_errors"})


def _is_shown(body: Any) -> bool:
    return list(body) in (KEYS, PAGE_KEYS)
