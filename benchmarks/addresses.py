"""Every page of the console and every list of the native API, as a reader asks for it in an installation that is used.

The addresses are held against the app's own map, so that a page that is new cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import Flask

from benchmarks.archive import TYPES
from benchmarks.stage import SLUG, Scene

UNMEASURED: Mapping[str, str] = {
    "api.read": "made once a process",
    "api_metrics.show": "asked for once a minute, by a program",
    "api_web_v1_document.read": "made once a process",
    "bins.body": "a download",
    "catch.catch": "a receiver, not a page",
    "deliveries.request_body": "a download",
    "deliveries.response_body": "a download",
    "events.payload": "a download",
    "events.types_export": "a download",
    "health.live": "no page",
    "health.ready": "no page",
    "home.index": "leads to the dashboard",
    "hooks.ask_end_overlap": "for a hook with two secrets, and leads back otherwise",
    "joining.show": "for who is not signed in",
    "sessions.code": "for who is not signed in",
    "sessions.new": "for who is not signed in",
    "settings.audit_csv": "a download",
    "settings.organization_export": "a download",
    "setup.show": "for who is not signed in",
    "static": "files",
}
"""What is left out, and why."""

HTMX: Mapping[str, str] = {"HX-Request": "true"}


@dataclass(frozen=True, slots=True)
class Address:
    """One request. *aim_ms* None: it counts what no index can tell, so it has no aim."""

    name: str
    path: str
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict)
    aim_ms: float | None = 50


def addresses(app: Flask, scene: Scene) -> list[Address]:
    """Give all requests that are measured."""
    made = []
    with app.test_request_context():
        for name, endpoint, given, query in (*_pages(scene), *_log(scene), *_native(scene)):
            values = dict(given)
            if "organization" in _arguments(app, endpoint):
                values["organization"] = SLUG
            path = app.url_for(endpoint, **values) + (f"?{urlencode(query)}" if query else "")
            headers = {"Authorization": f"Bearer {scene.token}"} if endpoint.startswith("api_") else {}
            if endpoint.endswith((".live", ".tail", ".news", ".progress", "_live", "_result")):
                headers = dict(HTMX)
            aim = 5 if name == "log: tail, nothing new" else None if name.startswith(EXEMPT) else 50
            made.append(Address(name, path, endpoint, headers, aim))
    return made


EXEMPT = ("replay: dry run", "system")
"""How pages without an aim begin: those count exactly what somebody asked to send, or try every part there is."""


def forgotten(app: Flask, measured: list[Address]) -> set[str]:
    """Give the endpoints with pages that are neither measured nor left out for a reason."""
    pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    dialects = {name for name in pages if name.startswith(("api_web_v1", "api_pretix", "api_oms", "api_waldur"))}
    return pages - dialects - {address.endpoint for address in measured} - UNMEASURED.keys()


def _arguments(app: Flask, endpoint: str) -> set[str]:
    return next(rule.arguments for rule in app.url_map.iter_rules() if rule.endpoint == endpoint)


_Line = tuple[str, str, Mapping[str, object], Mapping[str, object]]


def _pages(scene: Scene) -> Iterator[_Line]:
    for part in (_hooks, _events, _event_types, _replays, _receiver, _settings, _search):
        yield from part(scene)


def _hooks(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    for period in ("24h", "7d", "30d"):
        yield f"dashboard, {period}", "dashboard.show", {}, {"period": period}
    yield "dashboard: what polls", "dashboard.live", {}, {}
    yield "hooks", "hooks.index", {}, {}
    for show in ("healthy", "failing", "disabled"):
        yield f"hooks, {show}", "hooks.index", {}, {"show": show}
    yield "hooks, searched", "hooks.index", {}, {"q": "hooks-17"}
    yield "hooks that hear a type", "hooks.index", {}, {"event_type": TYPES[3]}
    for which in ("busy", "empty", "held"):
        hook = {"hook_id": ids[which]}
        yield f"hook, {which}", "hooks.show", hook, {}
        for endpoint in ("live", "edit", "ask_delete", "secret", "switch_on", "verify", "explain"):
            yield f"hook, {which}: {endpoint.replace('_', ' ')}", f"hooks.{endpoint}", hook, {}
        for kind in ("waiting", "held"):
            yield f"hook, {which}: cancel what is {kind}", "hooks.ask_cancel", {**hook, "kind": kind}, {}
    busy = {"hook_id": ids["busy"]}
    for period in ("7d", "30d"):
        yield f"hook, busy, {period}", "hooks.show", busy, {"period": period}
    yield "hook: explanation of an event", "hooks.explain", busy, {"event": ids["event"]}
    yield "hook: sample", "hooks.sample", busy, {"event_type": TYPES[0]}
    yield "hook: result of a test", "hooks.test_result", {**busy, "delivery_id": ids["test"]}, {}
    yield "form: result of a trial", "hooks.trial_result", {"delivery_id": ids["trial"]}, {}
    yield "hook form", "hooks.new", {}, {}


def _events(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    yield "events", "events.index", {}, {}
    yield "events, deep", "events.index", {}, {"before": scene.last_event // 3}
    yield "events of a type", "events.index", {}, {"type": TYPES[0]}
    yield "events of a rare type and a source", "events.index", {}, {"type": TYPES[-1], "source": "billing"}
    yield "events of a source", "events.index", {}, {"source": "billing"}
    yield "events of an unknown source", "events.index", {}, {"source": "nowhere"}
    yield "events of an unknown type", "events.index", {}, {"type": "no.such"}
    yield "events, searched by object", "events.index", {}, {"q": "1500"}
    yield "events, searched by id", "events.index", {}, {"q": ids["event"][:18]}
    yield "events, searched in vain", "events.index", {}, {"q": "nothing-like-that"}
    yield "events since 7 d of a source", "events.index", {}, {"since": "7d", "source": "shop-eu"}
    yield "events of a period long ago", "events.index", {}, {"from": "2001-01-01T00:00", "until": "2001-01-02T00:00"}
    yield "event", "events.show", {"event_id": ids["event"]}, {}
    yield "event: deliveries", "events.deliveries_live", {"event_id": ids["event"]}, {}
    yield "publish", "events.publish", {}, {"type": TYPES[0]}


def _event_types(_scene: Scene) -> Iterator[_Line]:
    yield "event types", "events.types", {}, {}
    yield "event types, searched", "events.types", {}, {"q": "order"}
    yield "event type", "events.type_show", {"name": TYPES[0]}, {}
    yield "event type, by query", "events.type_by_query", {}, {"name": TYPES[0]}
    yield "event type: edit", "events.type_edit", {"name": TYPES[0]}, {}
    yield "event type: new", "events.type_new", {}, {}
    yield "event types: import", "events.types_import", {}, {}


def _replays(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    yield "replays", "replays.index", {}, {}
    yield "replay", "replays.show", {"replay_id": ids["replay"]}, {}
    yield "replay: progress", "replays.progress", {"replay_id": ids["replay"]}, {}
    yield "replay: new", "replays.new", {}, {}
    yield "replay: dry run, failed of 24 h", "replays.new", {}, {"which": "failed", "since": "24h"}
    yield "replay: dry run, failed of any time", "replays.new", {}, {"which": "failed"}
    yield (
        "replay: dry run, failed of a hook",
        "replays.new",
        {},
        {"which": "failed", "hook": ids["busy"], "since": "3d"},
    )
    yield "replay: dry run, all of a hook, 8 h", "replays.new", {}, {"which": "all", "hook": ids["busy"], "since": "8h"}
    yield "replay: dry run, missing, 8 h", "replays.new", {}, {"which": "missing", "since": "8h"}


def _receiver(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    yield "receiver", "bins.index", {}, {}
    yield "bin", "bins.show", {"bin_id": ids["bin"]}, {}
    yield "bin: news", "bins.news", {"bin_id": ids["bin"]}, {"after": 10**9}
    yield "bin: edit", "bins.edit", {"bin_id": ids["bin"]}, {}


def _settings(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    yield "tokens", "settings.tokens", {}, {}
    yield "token: revoke", "settings.token_confirm", {"token_id": ids["token"]}, {}
    yield "members", "settings.members", {}, {}
    yield "member: remove", "settings.member_confirm", {"user_id": ids["colleague"]}, {}
    yield "sources", "settings.sources", {}, {}
    yield "compatible APIs", "settings.apis", {}, {}
    yield "organization", "settings.organization", {}, {}
    yield "people", "settings.people", {}, {}
    yield "person: deactivate", "settings.person_confirm", {"user_id": ids["colleague"], "act": "deactivate"}, {}
    yield "system", "settings.system", {}, {}
    yield "audit log", "settings.audit", {}, {}
    yield "audit log, deep", "settings.audit", {}, {"before": 5000}
    yield "audit log, searched in vain", "settings.audit", {}, {"q": "nothing-like-that"}
    yield "first steps", "setup.start", {}, {}
    yield "account", "account.show", {}, {}
    yield "organizations", "organizations.index", {}, {}
    yield "two-factor sign-in", "two_factor.show", {}, {}
    yield "API reference", "docs.api", {}, {}


def _search(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    yield "palette", "palette.show", {}, {}
    yield "palette, searched", "palette.show", {}, {"q": "hook 17"}
    for words, what in ((ids["old"], "an id"), (TYPES[0], "a type"), ("hooks-17", "a URL"), ("nothing", "nothing")):
        yield f"search for {what}", "search.go", {}, {"q": words}
    yield "search for the start of an id", "search.go", {}, {"q": ids["old"][:8]}


def _log(scene: Scene) -> Iterator[_Line]:
    ids, log = scene.ids, "deliveries.index"
    filters: dict[str, Mapping[str, object]] = {
        "log": {},
        "log, deep": {"before": scene.last_delivery // 3},
        "log, the oldest": {"before": 60},
        "log, newer": {"after": scene.last_delivery // 3},
        **{f"log, {state}": {"state": state} for state in ("delivered", "waiting", "failed", "held", "canceled")},
        "log, failed, deep": {"state": "failed", "before": scene.last_delivery // 3},
        "log of a common type": {"event_type": TYPES[0]},
        "log of a rare type": {"event_type": TYPES[-1]},
        "log of a type nobody knows": {"event_type": "no.such"},
        "log of a wildcard": {"event_type": "shop.order.*"},
        "log of a wildcard nobody knows": {"event_type": "nobody.*"},
        **{f"log, {name}": {"status_class": name} for name in ("2xx", "3xx", "4xx", "5xx", "none")},
        **{f"log, status {status}": {"status": status} for status in (200, 404, 429)},
        **{f"log, any attempt {status}": {"status": status, "attempt": "any"} for status in (404, 429)},
        **{f"log, any attempt {name}": {"status_class": name, "attempt": "any"} for name in ("5xx", "none", "failed")},
        "log, delivered, failed at first": {"state": "delivered", "status_class": "failed", "attempt": "any"},
        "log, timeout": {"outcome": "timeout"},
        "log, an outcome nobody had": {"outcome": "tls_error"},
        "log of the busy hook": {"hook": ids["busy"]},
        "log of the empty hook": {"hook": ids["empty"]},
        "log of the last hour": {"since": "1h"},
        "log of the last 7 d": {"since": "7d"},
        "log of a period long ago": {"from": "2001-01-01T00:00", "until": "2001-01-02T00:00"},
        "log until a week ago": {"until": "PAST"},
        "log, searched by id": {"q": ids["old"]},
        "log, searched by the start of an id": {"q": ids["old"][:8]},
        "log, searched by object": {"q": "1500"},
        "log, searched in vain": {"q": "nothing-like-that"},
        "log, id of nothing": {"q": "ffffffff"},
        "log of a replay": {"replay": ids["replay"]},
        "log, failed of the busy hook": {"state": "failed", "hook": ids["busy"]},
        "log, delivered of the empty hook": {"state": "delivered", "hook": ids["empty"]},
        "log, failed of a rare type": {"state": "failed", "event_type": TYPES[-1]},
        "log, failed with 4xx of the busy hook, 7 d": {
            "state": "failed",
            "status_class": "4xx",
            "hook": ids["busy"],
            "since": "7d",
        },
        "log, 3xx of the busy hook": {"status_class": "3xx", "hook": ids["busy"]},
        "log, rare type of the held hook": {"event_type": TYPES[-1], "hook": ids["held"]},
        "log, delivered with 5xx": {"state": "delivered", "status_class": "5xx"},
        "log, 5xx of a rare type": {"status_class": "5xx", "event_type": TYPES[-1]},
        "log, an outcome nobody had, 7 d": {"outcome": "tls_error", "since": "7d"},
        "log, waiting of a wildcard": {"state": "waiting", "event_type": "shop.order.*"},
        "log, failed, last hour": {"state": "failed", "since": "1h"},
        "log, object and 2xx": {"q": "1500", "status_class": "2xx"},
    }
    past = "2026-01-01T00:00" if scene.last_delivery == 0 else scene.ids.get("week_ago", "2026-11-15T00:00")
    for name, query in filters.items():
        yield name, log, {}, {key: past if value == "PAST" else value for key, value in query.items()}
    for which in ("busy", "empty", "held"):
        yield f"log page of the {which} hook", "deliveries.of_hook", {"hook_id": ids[which]}, {}
    yield "log: tail, nothing new", "deliveries.tail", {}, {"after": scene.last_delivery + 1000}
    yield (
        "log: tail, failed, nothing new",
        "deliveries.tail",
        {},
        {"after": scene.last_delivery + 1000, "state": "failed"},
    )
    for state in ("delivered", "failed", "pending", "old"):
        one = {"delivery_id": ids[state]}
        yield f"delivery, {state}", "deliveries.show", one, {}
        yield f"delivery, {state}: what polls", "deliveries.live", one, {}
    yield "delivery within a filter", "deliveries.show", {"delivery_id": ids["failed"]}, {"state": "failed"}
    yield (
        "delivery within a filter of few",
        "deliveries.show",
        {"delivery_id": ids["failed"]},
        {"state": "failed", "status_class": "3xx"},
    )
    yield "delivery: an attempt", "deliveries.attempt", {"delivery_id": ids["failed"], "number": 1}, {}


def _native(scene: Scene) -> Iterator[_Line]:
    ids = scene.ids
    lists: dict[str, tuple[str, tuple[Mapping[str, object], ...]]] = {
        "deliveries": (
            "api_deliveries.index",
            (
                {},
                {"state": "failed"},
                {"state": "delivered"},
                {"hook": ids["busy"]},
                {"hook": ids["empty"]},
                {"event_type": TYPES[-1]},
                {"status_class": "3xx"},
                {"status_class": "5xx", "hook": ids["busy"]},
                {"q": "1500"},
                {"event": ids["event"]},
            ),
        ),
        "events": ("api_events.index", ({}, {"type": TYPES[-1]}, {"source": "nowhere"}, {"q": "1500"})),
        "hooks": (
            "api_hooks.index",
            ({}, {"active": "true"}, {"health": "failing"}, {"q": "17"}, {"event_type": TYPES[0]}),
        ),
        "event-types": ("api_event_types.index", ({},)),
        "replays": ("api_replays.index", ({},)),
        "sources": ("api_sources.index", ({},)),
        "tokens": ("api_tokens.index", ({},)),
    }
    for name, (endpoint, queries) in lists.items():
        for query in queries:
            yield f"API: {name} {_words(query, ids)}".strip(), endpoint, {}, query
    yield "API: a delivery", "api_deliveries.read", {"delivery_id": ids["failed"]}, {}
    yield "API: an event", "api_events.read", {"event_id": ids["event"]}, {}
    yield "API: a hook", "api_hooks.read", {"hook_id": ids["busy"]}, {}
    yield "API: figures of a hook", "api_hooks.figures", {"hook_id": ids["busy"]}, {}
    yield "API: an event type", "api_event_types.read", {"name": TYPES[0]}, {}
    yield "API: a replay", "api_replays.read", {"replay_id": ids["replay"]}, {}
    yield "API: a source", "api_sources.read", {"slug": "billing"}, {}
    yield "API: a token", "api_tokens.read", {"token_id": ids["token"]}, {}


def _words(query: Mapping[str, object], ids: Mapping[str, str]) -> str:
    names = {value: name for name, value in ids.items()}
    return " ".join(f"{key}={names.get(str(value), value)}" for key, value in query.items())
