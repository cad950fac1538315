"""One organization with every state of everything, and a recorder of the templates and blocks that are rendered."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, template_rendered
from jinja2 import Template
from jinja2.utils import LRUCache
from jinja2_fragments.flask import render_block

import console.web
from console.core.outcomes import ANSWERED, Outcome
from console.core.permissions import Permission
from console.models import Delivery, Hook, Which
from console.services.bins import bins, catching
from console.services.event_types import catalogue
from console.services.hooks import hook_secrets, hook_tests, hooks, trials
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from console.services.people import tokens
from console.services.replays import replays
from console.services.replays.planning import ReplayDraft
from tests.web.hooks_stage import finish, state_of

OUTCOMES = (
    Outcome.OK,
    Outcome.REDIRECT,
    Outcome.GONE,
    Outcome.SERVER_ERROR,
    Outcome.TIMEOUT,
    Outcome.CONNECTION_REFUSED,
    Outcome.TLS_ERROR,
    Outcome.BLOCKED_ADDRESS,
)
STATUSES = {
    Outcome.OK: 200,
    Outcome.REDIRECT: 302,
    Outcome.CLIENT_ERROR: 404,
    Outcome.GONE: 410,
    Outcome.THROTTLED: 429,
}
DIALECTS = ("waldur", "web_v1", "pretix", "oms")


@dataclass
class Recorder:
    """What was rendered, as pairs of a template and one of its blocks: inside its page, and alone."""

    app: Flask
    inside: set[tuple[str, str]] = field(default_factory=set)
    alone: set[tuple[str, str]] = field(default_factory=set)
    templates: set[str] = field(default_factory=set)
    pages_open: int = 0
    is_repeating: bool = False
    repeats: bool = False

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Watch every template of the app; while *repeats*, each block of a page is rendered alone with its context.

        Templates are compiled anew: Jinja runs imported macros only once, and other tests may have imported them.
        """
        environment = self.app.jinja_env
        names = environment.list_templates()
        kept, environment.cache = environment.cache, LRUCache(len(names))
        try:
            for name in names:
                self._watch(environment.get_template(name), name)
            with template_rendered.connected_to(self._repeat, self.app):
                yield
        finally:
            environment.cache = kept

    def _watch(self, template: Template, name: str) -> None:
        template.root_render_func = self._root(name, template.root_render_func)
        template.blocks.update({block: self._block(name, block, render) for block, render in template.blocks.items()})

    def _root(self, name: str, render: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
        def root(context: Any) -> Iterator[str]:
            self.templates.add(name)
            self.pages_open += 1
            try:
                yield from render(context)
            finally:
                self.pages_open -= 1

        return root

    def _block(self, name: str, block: str, render: Callable[..., Iterator[str]]) -> Callable[..., Iterator[str]]:
        def shown(context: Any) -> Iterator[str]:
            if self.pages_open:
                self.inside.add((name, block))
            elif not self.is_repeating:
                self.alone.add((name, block))
            yield from render(context)

        return shown

    def _repeat(self, _app: Flask, *, template: Any, context: dict[str, Any], **_: Any) -> None:
        if not self.repeats or self.is_repeating:
            return
        self.is_repeating = True
        try:
            for block in template.blocks:
                render_block(template.name, block, **context)
        finally:
            self.is_repeating = False


def asked_blocks() -> set[tuple[str, str]]:
    """Return the blocks that views name when they answer htmx, as pairs of a template and a block."""
    found = set()
    for path in Path(console.web.__path__[0]).rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            named = [word.value for word in call.keywords if word.arg == "block"]
            first = call.args[0] if call.args else None
            if named and isinstance(first, ast.Constant) and str(first.value).endswith(".html"):
                constants = [node.value for node in ast.walk(named[0]) if isinstance(node, ast.Constant)]
                found |= {(str(first.value), one) for one in constants if isinstance(one, str)}
    return found


@dataclass
class House:
    """The ids of everything, by the name of the argument that takes them in addresses."""

    hooks: list[Hook] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    tests: list[Delivery] = field(default_factory=list)
    values: dict[str, list[object]] = field(default_factory=dict)


def build(scene: Any, work: Any, person: Any, clock: Any) -> House:
    """Make it."""
    number = person.organization.number
    house = House()
    catalogue.create(work, organization_number=number, name="order.paid", sample={"n": 1}, schema={"type": "object"})
    sources.create(work, organization_number=number, slug="shop")
    _make_hooks(house, scene, work, person)
    _make_deliveries(house, scene, work)
    busy = house.hooks[0]
    for outcome in (None, *OUTCOMES):
        test = hook_tests.send(work, hook=busy)
        if outcome is not None:
            finish(work, test, status=STATUSES.get(outcome, 500) if outcome in ANSWERED else None, outcome=outcome)
        house.tests.append(test)
    trial = trials.send(
        work,
        organization_number=number,
        author_number=None,
        draft=HookDraft(url="https://try.example.com/", all_events=True),
    )
    bin_ = bins.create(work, organization=person.organization, name="Caught")
    empty = bins.create(work, organization=person.organization, name="Empty")
    headers = [("webhook-id", str(house.deliveries[0].id)), ("webhook-signature", "v1,x"), ("webhook-timestamp", "1")]
    catching.catch(work, key=bin_.key, method="POST", path="/", headers=headers, body=b'{"n": 1}')
    running, stopped = (
        replays.start(work, organization_number=number, draft=ReplayDraft(which=which))
        for which in (Which.ALL, Which.FAILED)
    )
    stopped.state, stopped.finished_at = "stopped", work.now()
    hook_secrets.rotate(work, hook=busy)
    token = tokens.issue(
        work, user=person.user, organization=person.organization, permissions=[Permission.ADMIN], name="x"
    ).token
    work.session.commit()
    house.values = {
        "hook_id": [hook.id for hook in house.hooks],
        "delivery_id": [one.id for one in house.deliveries],
        "trial": [trial.id],
        "event_id": [house.deliveries[0].event.id, scene.publish("nobody.wants")[0].event.id],
        "bin_id": [bin_.id, empty.id],
        "replay_id": [running.id, stopped.id],
        "name": ["order.paid", "hook.disabled"],
        "kind": ["waiting", "held"],
        "number": [1],
        "act": ["deactivate", "make-staff"],
        "token_id": [token.id],
        "user_id": [person.user.id],
    }
    clock.advance(seconds=30)
    return house


def _make_hooks(house: House, scene: Any, work: Any, person: Any) -> None:
    soon, number = work.now() + timedelta(hours=1), person.organization.number
    house.hooks = [
        scene.hook(name=name, url=f"https://{name}.example.com/hook") for name in ("healthy", "failing", "open", "slow")
    ]
    limited = scene.hook(
        name="", rate_limit={"count": 5, "seconds": 60}, retry={"kind": "fixed", "seconds": 60, "attempts": 3}
    )
    deaf = scene.hook(name="deaf", all_events=False, filter="n > `3`", headers={"X-One": "1"})
    by_hand, alone = scene.hook(name="by-hand"), scene.hook(name="automatic")
    hooks.disable(work, hook=by_hand)
    hooks.disable(work, hook=alone, reason="Disabled automatically: 12 failed attempts.")
    house.hooks += [limited, deaf, by_hand, alone]
    for dialect in DIALECTS:
        draft = HookDraft(
            name=dialect,
            url=f"https://{dialect.replace('_', '-')}.example.com",
            event_types=["order.paid"],
            payload_format=dialect if dialect != "web_v1" else "standard",
        )
        made = hooks.create(work, organization_number=number, author_number=None, draft=draft, dialect=dialect)
        house.hooks.append(made.hook)
    _, failing, circuit, slow, *_ = house.hooks
    state_of(
        work, failing, consecutive_failures=4, last_outcome="timeout", failing_since=work.now(), lane="deliveries-slow"
    )
    state_of(work, circuit, consecutive_failures=9, openings=2, open_until=soon, last_outcome="server_error")
    state_of(work, slow, last_success_at=work.now(), last_outcome="ok", lane="deliveries-slow")


def _make_deliveries(house: House, scene: Any, work: Any) -> None:
    """Make a delivery in each state, and one that failed by each outcome."""
    soon = work.now() + timedelta(hours=1)
    gone = scene.hook(name="deleted", url="https://deleted.example.com/")
    fresh = scene.publish(object_model="order", object_pk="17", message="Paid", source="shop")
    for delivery, state in zip(fresh, ("delivered", "pending", "sending", "canceled", "held"), strict=False):
        values = {"next_attempt_at": soon} if state == "pending" else {}
        scene.put(
            delivery, state=state, finished_at=work.now() if state in {"delivered", "canceled"} else None, **values
        )
        house.deliveries.append(delivery)
    scene.attempt(fresh[2], outcome=None, status=None, response_body=None, response_headers=None)
    scene.attempt(fresh[0])
    for outcome in OUTCOMES[1:]:
        delivery = scene.publish()[0]
        status = STATUSES.get(outcome, 500) if outcome in ANSWERED else None
        scene.attempt(delivery, outcome=outcome, status=status, error=None if status else "It did not work.")
        scene.attempt(delivery, number=2, chain=2, trigger="resend", outcome=outcome, status=status)
        scene.put(delivery, state="failed", next_attempt_at=None, finished_at=work.now())
        house.deliveries.append(delivery)
    house.deliveries += [one for one in scene.publish() if one.hook_number == gone.number]
    hooks.delete(work, hook=gone)
    house.hooks.append(gone)
