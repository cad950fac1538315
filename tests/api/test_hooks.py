"""Hooks over the API."""

from __future__ import annotations

import pytest

from console.core.redact import MASK
from console.models import Hook, HookHour, HookSecret
from console.services.hooks import hook_secrets

RECEIVER = "http://127.0.0.1:8099/hook"
FIELDS = [
    "id",
    "name",
    "url",
    "is_active",
    "all_events",
    "event_types",
    "event_groups",
    "sources",
    "content_type",
    "payload_format",
    "headers",
    "filter",
    "retry",
    "timeout",
    "max_in_flight",
    "rate_limit",
    "description",
    "author",
    "created_at",
    "modified_at",
    "last_delivery_at",
    "disabled_reason",
    "health",
]


def test_a_new_hook_has_every_field_and_its_defaults(ada_api):
    response = ada_api.post("/hooks", json={"url": RECEIVER})

    hook = response.get_json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/v1/hooks/{hook['id']}"
    assert list(hook) == [*FIELDS, "secret"]
    assert hook["secret"].startswith("whsec_")
    assert hook["author"] == "ada"
    assert hook["created_at"] == "2026-11-22T09:00:00Z"
    assert (
        hook
        | {
            "name": "",
            "is_active": True,
            "all_events": False,
            "event_types": [],
            "event_groups": [],
            "sources": None,
            "content_type": "json",
            "payload_format": "standard",
            "headers": {},
            "filter": None,
            "retry": None,
            "timeout": None,
            "max_in_flight": 16,
            "rate_limit": None,
            "description": None,
            "last_delivery_at": None,
            "disabled_reason": None,
            "health": "healthy",
        }
        == hook
    )


@pytest.mark.both_databases
def test_a_hook_is_read_as_it_was_written_without_its_secret(ada_api):
    written = {
        "name": "Warehouse",
        "url": "http://127.0.0.1:8099/hook?a=%0d%0a",
        "event_types": ["order.*", "customer.created"],
        "content_type": "form",
        "retry": {"kind": "exponential", "base": 2, "factor": 1.5, "attempts": 8},
        "timeout": 5,
        "max_in_flight": 1,
        "rate_limit": {"count": 10, "seconds": 60},
        "filter": "total > `100` && currency == 'EUR'",
        "description": "Übergabe an das Lager",
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }

    made = ada_api.post("/hooks", json=written).get_json()
    read = ada_api.get(f"/hooks/{made['id']}").get_json()

    assert made["secret"] == written.pop("secret")
    assert read | written == read
    assert "secret" not in read
    assert list(read) == FIELDS


def test_header_values_that_may_be_secrets_come_back_masked(ada_api):
    hook = ada_api.make_hook(headers={"Authorization": "Bearer abc", "X-Api-Key": "def", "X-Shop": "berlin"})

    read = ada_api.get(f"/hooks/{hook['id']}").get_json()

    assert read["headers"] == {"Authorization": MASK, "X-Api-Key": MASK, "X-Shop": "berlin"}


def test_a_masked_header_that_is_sent_back_keeps_its_value(ada_api, work):
    hook = ada_api.make_hook(headers={"Authorization": "Bearer abc", "X-Shop": "berlin"})

    changed = ada_api.patch(f"/hooks/{hook['id']}", json={"headers": hook["headers"] | {"X-Shop": "bonn"}})

    assert changed.status_code == 200
    assert hook_secrets.headers_of(work, work.session.query(Hook).one()) == {
        "Authorization": "Bearer abc",
        "X-Shop": "bonn",
    }


def test_a_mask_that_stands_for_nothing_is_refused(ada_api):
    response = ada_api.post("/hooks", json={"url": RECEIVER, "headers": {"Authorization": MASK}})

    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "/headers"


def test_patch_changes_only_what_it_names(ada_api):
    hook = ada_api.make_hook(name="One", timeout=7)

    changed = ada_api.patch(f"/hooks/{hook['id']}", json={"name": "Two"}).get_json()

    assert changed["name"] == "Two"
    assert {name for name in FIELDS if changed[name] != hook[name]} <= {"name", "modified_at"}


def test_patch_with_null_empties_a_field_that_may_be_empty(ada_api):
    hook = ada_api.make_hook(description="x", timeout=7, retry={"kind": "fixed", "seconds": 1})

    changed = ada_api.patch(
        f"/hooks/{hook['id']}", json={"description": None, "timeout": None, "retry": None}
    ).get_json()

    assert (changed["description"], changed["timeout"], changed["retry"]) == (None, None, None)


def test_put_returns_absent_fields_to_their_defaults_and_keeps_the_secret(ada_api, work):
    hook = ada_api.make_hook(name="One", timeout=7, headers={"X-Shop": "berlin"}, event_types=["order.*"])

    replaced = ada_api.put(f"/hooks/{hook['id']}", json={"url": RECEIVER, "all_events": True}).get_json()

    assert (replaced["name"], replaced["timeout"], replaced["headers"], replaced["event_types"]) == ("", None, {}, [])
    assert [secret for _, secret in hook_secrets.secrets_of(work, work.session.query(Hook).one())] == [hook["secret"]]


def test_put_needs_the_url(ada_api):
    hook = ada_api.make_hook()

    response = ada_api.put(f"/hooks/{hook['id']}", json={"name": "x"})

    assert response.status_code == 422
    assert response.get_json()["errors"] == [
        {"detail": "This field is required.", "pointer": "/url", "code": "required"}
    ]


def test_a_deleted_hook_is_gone_and_its_deliveries_stay(ada_api):
    hook = ada_api.make_hook()
    ada_api.publish()

    assert ada_api.delete(f"/hooks/{hook['id']}").status_code == 204
    assert ada_api.get(f"/hooks/{hook['id']}").status_code == 404
    assert ada_api.delete(f"/hooks/{hook['id']}").status_code == 404
    assert ada_api.get(f"/deliveries?hook={hook['id']}").get_json()["data"][0]["state"] == "canceled"


def test_a_disabled_hook_holds_its_deliveries_until_it_is_enabled(ada_api, ring):
    hook = ada_api.make_hook()

    disabled = ada_api.post(f"/hooks/{hook['id']}/disable")
    published = ada_api.publish()
    held = ada_api.only_delivery()
    enabled = ada_api.post(f"/hooks/{hook['id']}/enable")

    assert disabled.status_code == enabled.status_code == 200
    assert disabled.get_json()["health"] == "disabled"
    assert disabled.get_json()["disabled_reason"]
    assert published["deliveries"] == 1
    assert held["state"] == "held"
    assert enabled.get_json()["is_active"] is True
    assert enabled.get_json()["disabled_reason"] is None
    assert ada_api.only_delivery()["state"] == "pending"
    assert ring.lanes


def test_rotating_shows_the_new_secret_once_and_keeps_the_old_one_signing(ada_api, work, clock):
    hook = ada_api.make_hook()

    rotated = ada_api.post(f"/hooks/{hook['id']}/secret/rotate", json={"overlap_seconds": 60})

    assert rotated.status_code == 200
    new = rotated.get_json()["secret"]
    row = work.session.query(Hook).one()
    assert [text for _, text in hook_secrets.secrets_of(work, row)] == [new, hook["secret"]]
    clock.advance(seconds=61)
    assert [text for _, text in hook_secrets.secrets_of(work, row)] == [new]


def test_rotating_needs_no_body_and_overlaps_for_a_day(ada_api, work):
    hook = ada_api.make_hook()

    assert ada_api.post(f"/hooks/{hook['id']}/secret/rotate").status_code == 200

    old = work.session.query(HookSecret).order_by(HookSecret.number).first()
    assert (old.expires_at - old.created_at).total_seconds() == 86_400


@pytest.mark.parametrize("overlap", [-1, 30 * 86_400 + 1, True, "60", 1.5])
def test_an_overlap_is_a_whole_number_of_seconds_up_to_30_days(ada_api, overlap):
    hook = ada_api.make_hook()

    response = ada_api.post(f"/hooks/{hook['id']}/secret/rotate", json={"overlap_seconds": overlap})

    assert response.status_code == 422
    assert response.get_json()["errors"][0]["pointer"] == "/overlap_seconds"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["off", "orders", "all"]),
        ("?active=true", ["orders", "all"]),
        ("?active=false", ["off"]),
        ("?q=ORD", ["orders"]),
        ("?q=100%25", []),
        ("?event_type=order.paid", ["orders", "all"]),
        ("?event_type=customer.created", ["all"]),
        ("?health=disabled", ["off"]),
        ("?health=healthy&active=true&q=all", ["all"]),
    ],
)
def test_hooks_are_filtered(ada_api, query, names):
    ada_api.make_hook(name="all")
    ada_api.make_hook(name="orders", all_events=False, event_types=["order.*"])
    ada_api.make_hook(name="off", all_events=False, is_active=False)

    assert [hook["name"] for hook in ada_api.get(f"/hooks{query}").get_json()["data"]] == names


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"url": "http://10.0.0.1/"}, "/url", "address_denied"),
        ({"url": "http://2130706433/"}, "/url", "host_numeric"),
        ({"url": "ftp://example.com/"}, "/url", "url_scheme"),
        ({"url": 5}, "/url", "type"),
        ({"url": None}, "/url", "type"),
        ({"event_types": ["order.paid", "a..b"]}, "/event_types/1", "event_type_form"),
        ({"event_types": "order.paid"}, "/event_types", "type"),
        ({"event_types": [None]}, "/event_types/0", "type"),
        ({"event_groups": ["no such"]}, "/event_groups/0", "unknown_group"),
        ({"sources": ["no-such"]}, "/sources/0", "unknown_source"),
        ({"content_type": "xml"}, "/content_type", "choice"),
        ({"payload_format": "soap"}, "/payload_format", "choice"),
        ({"headers": {"Host": "example.com"}}, "/headers", "header_denied"),
        ({"headers": {"X-A": "b\r\nc"}}, "/headers", "header_invalid"),
        ({"headers": {"X-A": 5}}, "/headers/X-A", "type"),
        ({"headers": []}, "/headers", "type"),
        ({"filter": "a == 1"}, "/filter", "filter_syntax"),
        ({"filter": "size(a)"}, "/filter", "filter_function"),
        ({"filter": "{0} {"}, "/filter", "filter_syntax"),
        ({"filter": "a" * 1001}, "/filter", "too_long"),
        ({"filter": 5}, "/filter", "type"),
        ({"retry": {"kind": "sometimes"}}, "/retry/kind", "invalid"),
        ({"retry": {"kind": "fixed"}}, "/retry/seconds", "required"),
        ({"retry": {"kind": "fixed", "seconds": 1, "x/y": 1}}, "/retry/x~1y", "unknown_field"),
        ({"retry": {"kind": "list", "delays": [1, -1]}}, "/retry/delays/1", "invalid"),
        ({"retry": []}, "/retry", "type"),
        ({"timeout": 0}, "/timeout", "range"),
        ({"timeout": 31}, "/timeout", "range"),
        ({"timeout": "5"}, "/timeout", "type"),
        ({"timeout": True}, "/timeout", "type"),
        ({"timeout": 1.5}, "/timeout", "type"),
        ({"max_in_flight": 129}, "/max_in_flight", "range"),
        ({"max_in_flight": None}, "/max_in_flight", "type"),
        ({"rate_limit": {"count": 1}}, "/rate_limit/seconds", "required"),
        ({"rate_limit": {"count": 0, "seconds": 1}}, "/rate_limit/count", "range"),
        ({"is_active": "yes"}, "/is_active", "type"),
        ({"is_active": 1}, "/is_active", "type"),
        ({"name": "x" * 201}, "/name", "too_long"),
        ({"secret": ""}, "/secret", "too_short"),
        ({"id": "x"}, "/id", "unknown_field"),
        ({"author": "mallory"}, "/author", "unknown_field"),
        ({"organization": "elsewhere"}, "/organization", "unknown_field"),
        ({"created_at": "2026-01-01T00:00:00Z"}, "/created_at", "unknown_field"),
        ({"a/b~c": 1}, "/a~1b~0c", "unknown_field"),
    ],
)
def test_a_wrong_field_is_pointed_at(ada_api, fields, pointer, code):
    hook = ada_api.make_hook()

    for response in (
        ada_api.post("/hooks", json={"url": RECEIVER} | fields),
        ada_api.put(f"/hooks/{hook['id']}", json={"url": RECEIVER} | fields),
        ada_api.patch(f"/hooks/{hook['id']}", json=fields),
    ):
        assert response.status_code == 422
        assert response.mimetype == "application/problem+json"
        problem = response.get_json()
        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)]
        assert all(error["detail"] for error in problem["errors"])
        assert problem["status"] == 422
        assert problem["code"] == "invalid"


def test_every_wrong_field_is_named_at_once(ada_api):
    response = ada_api.post("/hooks", json={"name": 1, "timeout": 99, "nope": 1})

    assert {error["pointer"] for error in response.get_json()["errors"]} == {"/name", "/timeout", "/nope", "/url"}


def test_numbers_may_be_written_with_a_fraction_of_zero(ada_api):
    assert ada_api.make_hook(timeout=5.0)["timeout"] == 5


def test_retry_comes_back_exactly_as_it_was_given(ada_api):
    retry = {"kind": "linear", "base": 1.5, "start": 2, "limit": None, "attempts": 3}

    assert ada_api.make_hook(retry=retry)["retry"] == retry


def test_stats_come_from_the_hourly_figures(ada_api, work, clock):
    hook = ada_api.make_hook()
    row = work.session.query(Hook).one()

    def count(hours_ago: int, status_class: str, bucket: int, number: int) -> None:
        clock.advance(hours=-hours_ago)
        hour = clock.now().replace(minute=0, second=0, microsecond=0)
        clock.advance(hours=hours_ago)
        work.session.add(
            HookHour(
                hook_number=row.number,
                organization_number=row.organization_number,
                hour=hour,
                status_class=status_class,
                bucket=bucket,
                count=number,
            )
        )

    count(0, "2xx", 3, 8)
    count(1, "5xx", 6, 2)
    count(100, "none", 9, 10)
    work.session.commit()
    ada_api.publish()

    stats = ada_api.get(f"/hooks/{hook['id']}/stats").get_json()

    assert stats["last_24_hours"]["attempts"] == 10
    assert stats["last_24_hours"]["success_rate"] == 0.8
    assert stats["last_24_hours"]["by_status"] == {"2xx": 8, "5xx": 2}
    assert stats["last_24_hours"]["p50_ms"] <= 10 < stats["last_24_hours"]["p95_ms"] <= 100
    assert stats["last_7_days"]["by_status"] == {"2xx": 8, "5xx": 2, "none": 10}
    assert (stats["pending"], stats["held"]) == (1, 0)


def test_stats_of_a_hook_without_attempts_say_nothing(ada_api):
    hook = ada_api.make_hook()

    day = ada_api.get(f"/hooks/{hook['id']}/stats").get_json()["last_24_hours"]

    assert day == {
        "attempts": 0,
        "succeeded": 0,
        "success_rate": None,
        "by_status": {},
        "p50_ms": None,
        "p95_ms": None,
    }
