"""Who may do what: each operation asks for one permission, and nobody sees into another organization."""

from __future__ import annotations

import pytest

from console.api import native
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.models import Delivery, Event, EventType, Hook, Replay, Source, Token
from tests.api.conftest import rows
from tests.engine import claim, hire, record, rows_of

URL = {"url": "http://127.0.0.1:8099/"}
# The permission that each operation asks for, and a body that it takes.
OPERATIONS: dict[str, tuple[str, dict[str, object] | None]] = {
    "GET /hooks": ("WEBHOOKS:VIEW", None),
    "POST /hooks": ("WEBHOOKS:ADD", URL),
    "GET /hooks/{hook_id}": ("WEBHOOKS:VIEW", None),
    "PUT /hooks/{hook_id}": ("WEBHOOKS:EDIT", URL),
    "PATCH /hooks/{hook_id}": ("WEBHOOKS:EDIT", {"name": "x"}),
    "DELETE /hooks/{hook_id}": ("WEBHOOKS:REMOVE", None),
    "POST /hooks/{hook_id}/enable": ("WEBHOOKS:EDIT", None),
    "POST /hooks/{hook_id}/disable": ("WEBHOOKS:EDIT", None),
    "POST /hooks/{hook_id}/test": ("WEBHOOKS:EDIT", {}),
    "POST /hooks/{hook_id}/secret/rotate": ("WEBHOOKS:EDIT", {}),
    "GET /hooks/{hook_id}/stats": ("WEBHOOKS:VIEW", None),
    "POST /events": ("EVENTS:PUBLISH", {"type": "order.paid", "payload": 1}),
    "POST /events/batch": ("EVENTS:PUBLISH", {"events": [{"type": "order.paid", "payload": 1}]}),
    "GET /events": ("EVENTS:VIEW", None),
    "GET /events/{event_id}": ("EVENTS:VIEW", None),
    "GET /deliveries": ("DELIVERIES:VIEW", None),
    "GET /deliveries/{delivery_id}": ("DELIVERIES:VIEW", None),
    "POST /deliveries/{delivery_id}/resend": ("DELIVERIES:RESEND", None),
    "POST /deliveries/{delivery_id}/cancel": ("DELIVERIES:RESEND", None),
    "GET /replays": ("DELIVERIES:VIEW", None),
    "POST /replays": ("DELIVERIES:RESEND", {"which": "failed"}),
    "GET /replays/{replay_id}": ("DELIVERIES:VIEW", None),
    "POST /replays/{replay_id}/cancel": ("DELIVERIES:RESEND", None),
    "GET /event-types": ("WEBHOOKS:VIEW", None),
    "POST /event-types": ("ADMIN", {"name": "a.new.one"}),
    "GET /event-types/{name}": ("WEBHOOKS:VIEW", None),
    "PATCH /event-types/{name}": ("ADMIN", {"description": "x"}),
    "DELETE /event-types/{name}": ("ADMIN", None),
    "DELETE /event-types": ("ADMIN", None),
    "GET /sources": ("WEBHOOKS:VIEW", None),
    "POST /sources": ("ADMIN", {"slug": "a-new-one"}),
    "GET /sources/{slug}": ("WEBHOOKS:VIEW", None),
    "GET /tokens": ("TOKENS:MANAGE", None),
    "POST /tokens": ("TOKENS:MANAGE", {"permissions": ["TOKENS:MANAGE"]}),
    "GET /tokens/{token_id}": ("TOKENS:MANAGE", None),
    "DELETE /tokens/{token_id}": ("TOKENS:MANAGE", None),
}
QUERIES = {"DELETE /event-types": "?name={name}"}
ON_AN_OBJECT = [operation for operation in OPERATIONS if "{" in operation + QUERIES.get(operation, "")]
RESOURCES = [blueprint.name for blueprint in native.RESOURCES]
KINDS = (Hook, Event, Delivery, Replay, EventType, Source, Token)


@pytest.fixture
def ids(ada_api, work):
    """One object of each kind in acme, the delivery with an attempt."""
    hook = ada_api.make_hook()
    event = ada_api.publish()
    worker = hire(work)
    for row in rows_of(claim(work, worker)):
        record(work, row)
    ada_api.post("/sources", json={"slug": "shop"})
    ada_api.post("/event-types", json={"name": "our.own"})
    return {
        "hook_id": hook["id"],
        "event_id": event["id"],
        "delivery_id": ada_api.only_delivery()["id"],
        "replay_id": ada_api.post("/replays", json={"which": "all"}).get_json()["id"],
        "name": "our.own",
        "slug": "shop",
        "token_id": ada_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"]}).get_json()["id"],
    }


def perform(api, operation, ids):
    method, path = (operation + QUERIES.get(operation, "")).split(" ")
    body = OPERATIONS[operation][1]
    return api.call(method, path.format(**ids), **({} if body is None else {"json": body}))


def test_the_table_names_every_operation_and_its_permission(anyone):
    """Whatever is added to the API must be added here: nothing slips in without a permission."""
    found = {
        f"{method.upper()} {path.removeprefix('/api/v1')}": operation["x-permission"]
        for path, item in anyone.get("/openapi.json").get_json()["paths"].items()
        for method, operation in item.items()
    }

    assert found == {operation: permission for operation, (permission, _) in OPERATIONS.items()}


def test_every_view_asks_for_a_permission(app):
    views = app.view_functions.items()
    ours = {endpoint: view for endpoint, view in views if endpoint.partition(".")[0] in RESOURCES}

    assert len(ours) == len(OPERATIONS)
    assert [endpoint for endpoint, view in ours.items() if not isinstance(view.permission, Permission)] == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_takes_its_permission_and_no_other(ada_api, caller, token_of, ada, ids, operation):
    wanted = OPERATIONS[operation][0]
    others = [permission.value for permission in Permission if permission not in {wanted, "ADMIN"}]

    refused = perform(caller(token_of(ada, *others)), operation, ids)
    allowed = perform(caller(token_of(ada, wanted)), operation, ids)

    assert refused.status_code == 403
    assert refused.get_json()["permission"] == wanted
    assert allowed.status_code in {200, 201, 202, 204, 409}


def test_nobody_gets_in_without_a_token_that_lives(ada_api, anyone, caller, ids, work):
    revoked = ada_api.post("/tokens", json={"permissions": ["ADMIN"]}).get_json()
    ada_api.delete(f"/tokens/{revoked['id']}")
    before = everything(work)

    answers = {
        (operation, perform(somebody, operation, ids).status_code)
        for operation in OPERATIONS
        for somebody in (anyone, caller(revoked["token"]))
    }

    assert answers == {(operation, 401) for operation in OPERATIONS}
    assert everything(work) == before


def test_objects_of_another_organization_do_not_exist(ada_api, mallory_api, ids, work):
    before = everything(work)

    answers = {operation: perform(mallory_api, operation, ids) for operation in ON_AN_OBJECT}

    assert {operation: answer.status_code for operation, answer in answers.items()} == dict.fromkeys(ON_AN_OBJECT, 404)
    assert {answer.get_json()["code"] for answer in answers.values()} == {"not_found"}
    assert everything(work) == before


def test_lists_of_another_organization_are_not_seen(ada_api, mallory_api, ids):
    for path in ("/hooks", "/events", "/deliveries", "/replays", "/sources", "/event-types?builtin=false"):
        assert mallory_api.get(path).get_json() == {"data": [], "next_cursor": None}
    assert [token["user"] for token in mallory_api.get("/tokens").get_json()["data"]] == ["mallory"]


@pytest.mark.parametrize(
    "query",
    [
        "hook={hook_id}",
        "event={event_id}",
        "replay={replay_id}",
        "q={delivery_id}",
        "q={event_id}",
        "event_type=order.paid",
    ],
)
def test_filters_find_nothing_of_another_organization(mallory_api, ids, query):
    assert mallory_api.get(f"/deliveries?{query.format(**ids)}").get_json()["data"] == []


def test_a_hook_cannot_name_another_organizations_source_or_group(ada_api, mallory_api, ids):
    ada_api.post("/event-types", json={"name": "x", "group": "ours"})

    for fields in ({"sources": ["shop"]}, {"event_groups": ["ours"]}):
        assert mallory_api.post("/hooks", json=URL | fields).status_code == 422
    assert mallory_api.post("/events", json={"type": "t", "payload": 1, "source": "shop"}).status_code == 422


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_a_role_bounds_what_a_token_may_do(request, caller, token_of, ids, role):
    """Tokens hold no more than the role of their user: viewers look, editors work, admins manage."""
    held = ROLE_PERMISSIONS[role]
    somebody = caller(token_of(request.getfixturevalue({"viewer": "vi", "editor": "ed"}[role]), *held))

    refused = {operation for operation in OPERATIONS if perform(somebody, operation, ids).status_code == 403}

    assert refused == {operation for operation, (wanted, _) in OPERATIONS.items() if Permission(wanted) not in held}


def everything(work):
    return [
        {name: value for name, value in vars(row).items() if not name.startswith("_")}
        for kind in KINDS
        for row in rows(work, kind)
        if not (kind is Token and row.name == "test")
    ]
