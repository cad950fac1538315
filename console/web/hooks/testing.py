"""Send test: one delivery through queue, guard and log like any other, and its result as it comes about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Invalid, NotFound, Refused
from console.core.outcomes import EXPLANATIONS, Explanation, Outcome
from console.core.patterns import is_pattern
from console.core.permissions import Permission
from console.core.redact import visible
from console.core.strict_json import load
from console.extensions import current_work
from console.models import Attempt, Delivery, DeliveryState, Hook
from console.services.deliveries import deliveries
from console.services.deliveries.signatures import base_string
from console.services.event_types import type_entries
from console.services.events.event_drafts import LONGEST_PAYLOAD
from console.services.events.matching import subscription_of
from console.services.hooks import hook_tests
from console.services.hooks.hook_tests import TEST_TYPE
from console.web import access, hx
from console.web.downloads import Readable, readable_text
from console.web.hooks.shared import WRONG, hook_of, pages
from console.web.pretty import json_tokens

QUICK_FOR = timedelta(seconds=5)
SLOW_AFTER = timedelta(seconds=8)
MOVED = "moved"
"""The event after which the hook's page looks again how the hook stands."""


@dataclass(frozen=True, slots=True)
class TestForm:
    """What the test form holds; *payload* empty sends the catalogue's sample, *error* says what is wrong with it."""

    event_type: str
    payload: str = ""
    error: str = ""
    type_error: str = ""


@dataclass(frozen=True, slots=True)
class TestResult:
    """A test and how far it is. *poll_every* is empty once nothing more can change."""

    delivery: Delivery
    attempt: Attempt | None
    explanation: Explanation | None
    base_string: str
    body: str
    answer: Readable
    response_headers: tuple[tuple[str, str], ...]
    poll_every: str
    mark: str
    is_slow: bool


@pages.post("/<uuid:hook_id>/test")
@access.requires(Permission.WEBHOOKS_EDIT)
def send_test(hook_id: UUID) -> Response:
    """Send a test; the result appears under the form, or on the page of the delivery without JavaScript."""
    work, hook = current_work(), hook_of(hook_id)
    event_type, text = request.form.get("event_type", "").strip(), request.form.get("payload", "").strip()
    form = TestForm(event_type or TEST_TYPE, text, _problem_with(text))
    if form.error:
        return _again(hook, form)
    try:
        delivery = hook_tests.send(work, hook=hook, event_type=form.event_type, payload=text.encode() if text else None)
    except Invalid as error:
        return _again(hook, TestForm(form.event_type, text, type_error=error.fields[0].message))
    if hx.wants_fragment():
        page = hx.page("hooks/show.html", block="test", hook=hook, test=form, result=result_of(delivery))
        return hx.announce(page, MOVED)
    if request.form.get("show") == "hook":
        return hx.redirect_to(url_for("hooks.show", hook_id=hook.id, test=delivery.id, _anchor="test"))
    return hx.redirect_to(
        url_for("deliveries.show", delivery_id=delivery.id), message="The test is on its way.", tone="info"
    )


def _again(hook: Hook, form: TestForm) -> Response:
    from console.web.hooks.page import render  # noqa: PLC0415 the page shows this form

    return render(hook, status=WRONG, test=form, block="test")


def _problem_with(text: str) -> str:
    """Say why *text* cannot be a payload; nothing when it can, or when there is none."""
    if not text:
        return ""
    if len(text.encode()) > LONGEST_PAYLOAD:
        return f"A payload is at most {LONGEST_PAYLOAD // 1024} KiB."
    try:
        load(text.encode())
    except Refused as error:
        return error.message
    return ""


@pages.get("/<uuid:hook_id>/tests/<uuid:delivery_id>")
@access.requires(Permission.DELIVERIES_VIEW)
def test_result(hook_id: UUID, delivery_id: UUID) -> Response:
    """Give the result of a test as far as it is; 204 while nothing changed."""
    hook = hook_of(hook_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("hooks.show", hook_id=hook.id, test=delivery_id, _anchor="test"))
    result = find_result(hook, delivery_id)
    if request.args.get("after") == result.mark:
        return hx.nothing_new()
    response = hx.page("hooks/show.html", block="result", hook=hook, result=result)
    return response if result.poll_every else hx.announce(response, MOVED)


@pages.get("/<uuid:hook_id>/sample")
@access.requires(Permission.WEBHOOKS_VIEW)
def sample(hook_id: UUID) -> Response:
    """Fill the catalogue's sample into the form, to be changed."""
    hook, event_type = hook_of(hook_id), request.args.get("event_type", "").strip() or TEST_TYPE
    from console.web.hooks.page import render  # noqa: PLC0415 as above

    return render(hook, test=TestForm(event_type, sample_of(hook, event_type)), block="test")


def sample_of(hook: Hook, event_type: str) -> str:
    """Write what a test of *event_type* sends, laid out for reading."""
    payload = hook_tests.sample(current_work(), hook=hook, event_type=event_type).decode()
    tokens = json_tokens(payload)
    return "".join(token.text for token in tokens) if tokens else payload


def first_type_of(hook: Hook) -> str:
    """Choose what to test a hook with: a type that it names, else one that it hears, else the test's own type."""
    exact = [name for name in hook.event_types if not is_pattern(name)]
    if exact:
        return exact[0]
    if hook.all_events or not (hook.event_types or hook.event_groups):
        return TEST_TYPE
    wanted = subscription_of(hook)
    types = type_entries.entries(current_work(), organization_number=hook.organization_number, groups=hook.event_groups)
    for known in types:
        is_wanted = wanted.reason_against(event_type=known.name, groups=known.groups, source=None) is None
        if is_wanted and not is_pattern(known.name):
            return known.name
    return TEST_TYPE


def find_result(hook: Hook, delivery_id: UUID) -> TestResult:
    """Give the result of a test of this hook; raise NotFound."""
    delivery = deliveries.get(current_work(), organization_number=hook.organization_number, delivery_id=delivery_id)
    if delivery.hook_number != hook.number or not delivery.is_test:
        raise NotFound("test")
    return result_of(delivery)


def answer_of(attempt: Attempt | None) -> Readable:
    """Return the body of the response for a pane; an empty one while there is none."""
    if attempt is None or not attempt.response_body:
        return Readable("", visible(attempt.body_note or "") if attempt else "", 0)
    return readable_text(deliveries.response_of(attempt), size=len(attempt.response_body))


def result_of(delivery: Delivery) -> TestResult:
    """Say how far a test is."""
    work = current_work()
    attempt = delivery.attempts[-1] if delivery.attempts else None
    is_final = delivery.state in deliveries.FINAL
    age = work.now() - delivery.created_at
    outcome = attempt.outcome if attempt is not None else None
    body = deliveries.body_of(delivery).data
    quick = age < QUICK_FOR
    return TestResult(
        delivery=delivery,
        attempt=attempt,
        explanation=EXPLANATIONS.get(Outcome(outcome)) if outcome in set(Outcome) else None,
        base_string=base_string(attempt, body=body) if attempt is not None else "",
        body=body.decode("utf-8", "replace"),
        answer=answer_of(attempt),
        response_headers=access.sight().response_headers(attempt.response_headers if attempt is not None else ()),
        poll_every="" if is_final else "500ms" if quick else "1s",
        mark=f"{delivery.state}-{'quick' if quick else 'slow' if age < SLOW_AFTER else 'late'}",
        is_slow=not is_final and delivery.state != DeliveryState.SENDING and age >= SLOW_AFTER,
    )
