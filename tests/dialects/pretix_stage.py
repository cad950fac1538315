"""What tests of pretix's dialect arrange: an organizer with two events, and its webhooks."""

from __future__ import annotations

from typing import Any

from console.models import Hook
from console.services import hooks, sources
from console.services.hooks import HookDraft
from console.services.work import Work

W = "/api/v1/organizers/acme/webhooks/"
URL = "https://receiver.example.com/hook"
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
FORBIDDEN = {"detail": "You do not have permission to perform this action."}
NO_WEBHOOK = {"detail": "No WebHook matches the given query."}
NOT_FOUND = {"detail": "Not found."}
EITHER = {"non_field_errors": ["You can set either limit_events or all_events."]}


def make(api: Any, **fields: Any) -> dict[str, Any]:
    """Make a webhook: one for all events of the organizer and no action type, unless told."""
    answer = api.post(W, json=LEAST | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def path_of(webhook: dict[str, Any]) -> str:
    return f"{W}{webhook['id']}/"


def row_of(work: Work, webhook: dict[str, Any]) -> Hook:
    """Give the hook as the core keeps it."""
    row = work.session.get_one(Hook, webhook["id"], populate_existing=True)
    work.session.commit()
    return row


def make_native(work: Work, person: Any, **fields: Any) -> dict[str, Any]:
    """Make a hook that does not come from pretix; give its id as pretix would."""
    draft = HookDraft(**{"url": URL, **fields})
    made = hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft)
    return {"id": made.hook.number}


def add_sources(work: Work, person: Any, *slugs: str) -> None:
    for slug in slugs:
        sources.create(work, organization_number=person.organization.number, slug=slug)


def is_of_pretix(answer: Any) -> bool:
    """Say whether an answer has one of the shapes that the contract knows."""
    if answer.status_code in {204, 308}:
        return not answer.data
    if answer.mimetype != "application/json":
        return False
    body = answer.get_json()
    if answer.status_code in {200, 201}:
        return list(body) in (KEYS, ["count", "next", "previous", "results"])
    if answer.status_code == 400 and "detail" not in body:
        return all(name in {*KEYS, "non_field_errors"} and _are_sentences(words) for name, words in body.items())
    return answer.status_code in {400, 401, 403, 404, 405, 406, 409, 413, 415} and list(body) == ["detail"]


def _are_sentences(words: Any) -> bool:
    return isinstance(words, list) and bool(words) and all(isinstance(one, str) for one in words)
