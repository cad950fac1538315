"""Lists in pages."""

from __future__ import annotations

import pytest


def walk(api, path, limit):
    """Give the sizes of the pages and every row."""
    sizes, rows, cursor = [], [], ""
    while True:
        join = "&" if "?" in path else "?"
        page = api.get(f"{path}{join}limit={limit}{cursor}").get_json()
        assert list(page) == ["data", "next_cursor"]
        sizes.append(len(page["data"]))
        rows += page["data"]
        if page["next_cursor"] is None:
            return sizes, rows
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize(
    "path", ["/hooks", "/events", "/deliveries", "/sources", "/tokens", "/event-types?builtin=false"]
)
def test_every_row_is_on_one_page_newest_first(ada_api, path):
    ada_api.make_hook(event_types=["order.*"])
    for number in range(4):
        ada_api.publish(payload=number)
        ada_api.make_hook(all_events=False)
        ada_api.post("/sources", json={"slug": f"s{number}"})
        ada_api.post("/event-types", json={"name": f"t{number}"})
        ada_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"]})
    whole = ada_api.get(path).get_json()
    count = len(whole["data"])

    sizes, rows = walk(ada_api, path, 2)

    assert whole["next_cursor"] is None
    assert rows == whole["data"]
    assert sizes == [2] * (count // 2) + [1] * (count % 2)
    stamps = [row.get("number", row.get("created_at")) for row in rows]
    assert stamps == sorted(stamps, reverse=True)


def test_a_page_has_50_rows_unless_told_and_at_most_100(ada_api):
    for number in range(3):
        events = [{"type": "t", "payload": number}] * 40
        ada_api.post("/events/batch", json={"events": events})

    assert len(ada_api.get("/events").get_json()["data"]) == 50
    assert len(ada_api.get("/events?limit=100").get_json()["data"]) == 100


def test_rows_that_arrive_meanwhile_move_nothing(ada_api):
    first, second, third = (ada_api.publish(payload=number)["id"] for number in range(3))
    page = ada_api.get("/events?limit=2").get_json()

    ada_api.publish(payload=3)
    rest = ada_api.get(f"/events?limit=2&cursor={page['next_cursor']}").get_json()

    assert [row["id"] for row in page["data"]] == [third, second]
    assert [row["id"] for row in rest["data"]] == [first]


LISTS = ("/events", "/deliveries", "/hooks", "/replays", "/sources", "/tokens", "/event-types")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("cursor", ["A" * 22, "_" * 22, "AAAAAAAAAAIAAAAAAAAAAA"])
def test_a_cursor_that_was_made_up_is_refused(ada_api, path, cursor):
    response = ada_api.get(f"{path}?cursor={cursor}")

    assert response.status_code == 422
    assert response.get_json()["errors"] == [
        {
            "pointer": "/cursor",
            "code": "cursor",
            "detail": "This list did not give that cursor. "
            "Use the next_cursor of its previous page, or leave it out to begin anew.",
        }
    ]


def test_a_cursor_of_another_list_is_refused(ada_api):
    for number in range(2):
        ada_api.publish(payload=number)
        ada_api.make_hook(all_events=False)
    cursor = ada_api.get("/events?limit=1").get_json()["next_cursor"]

    assert ada_api.get(f"/events?limit=1&cursor={cursor}").status_code == 200
    assert ada_api.get(f"/hooks?limit=1&cursor={cursor}").status_code == 422


def test_filters_hold_on_every_page(ada_api):
    for number in range(6):
        ada_api.publish(type=f"t{number % 2}")

    _, rows = walk(ada_api, "/events?type=t1", 2)

    assert [row["type"] for row in rows] == ["t1"] * 3


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("q=C-1", 1),
        ("q=C", 0),
        ("source=shop", 1),
        ("since=2026-11-22T09:30:00Z", 1),
        ("until=2026-11-22T09:30:00Z", 1),
    ],
)
def test_events_are_filtered(ada_api, clock, query, count):
    ada_api.post("/sources", json={"slug": "shop"})
    ada_api.publish(object={"pk": "C-1"})
    clock.advance(hours=1)
    ada_api.publish(source="shop")

    assert len(ada_api.get(f"/events?{query}").get_json()["data"]) == count


@pytest.mark.both_databases
def test_an_event_says_how_its_deliveries_stand(ada_api):
    ada_api.make_hook()
    ada_api.make_hook(is_active=False)
    published = ada_api.publish()
    ada_api.post(f"/deliveries/{ada_api.get('/deliveries?state=pending').get_json()['data'][0]['id']}/cancel")

    listed = ada_api.get("/events").get_json()["data"][0]
    read = ada_api.get(f"/events/{published['id']}").get_json()

    assert listed["fan_out"] == {"deliveries": 2, "delivered": 0, "failed": 1, "waiting": 1}
    assert read | listed == read
    assert [delivery["state"] for delivery in read["deliveries"]] == ["held", "canceled"]
    assert read["deliveries"] == ada_api.get(f"/deliveries?event={published['id']}").get_json()["data"]
