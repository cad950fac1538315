"""Replays over the API: tried dry, started, watched, canceled."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from console.models import AuditEntry, Delivery, Replay
from console.services.replays import steps
from tests.api.conftest import pointers, rows
from tests.engine import claim, hire, record, rows_of

FIELDS = [
    "id",
    "state",
    "which",
    "hook",
    "event_types",
    "since",
    "until",
    "progress",
    "error",
    "author",
    "created_at",
    "started_at",
    "finished_at",
]
NOTHING = {"total": 0, "queued": 0, "delivered": 0, "failed": 0, "canceled": 0, "skipped": 0, "left": 0}


@pytest.fixture
def lost(ada_api, work, clock):
    """Two deliveries of one hook that failed."""
    hook = ada_api.make_hook()
    for _ in range(2):
        ada_api.publish()
    work.session.execute(update(Delivery).values(state="failed", next_attempt_at=None, finished_at=clock.now()))
    work.session.commit()
    return hook


def tend(work, clock, times=1):
    for _ in range(times):
        steps.tend(work)
        clock.advance(seconds=1)
    work.session.commit()


def test_a_dry_run_says_what_would_be_sent_and_changes_nothing(ada_api, lost, work):
    answer = ada_api.post("/replays", json={"which": "failed", "dry_run": True})

    body = answer.get_json()
    assert answer.status_code == 200
    assert list(body) == ["count", "capped", "skipped", "seconds", "hooks", "rows"]
    assert (body["count"], body["capped"], body["skipped"]) == (2, False, {})
    assert body["hooks"] == [{"hook": lost["id"], "count": 2, "skipped": {}}]
    deliveries = [one["id"] for one in ada_api.get("/deliveries").get_json()["data"]]
    assert [row["delivery"] for row in body["rows"]] == deliveries[::-1]
    assert list(body["rows"][0]) == ["event", "event_type", "hook", "delivery", "state", "created_at"]
    assert rows(work, Replay) == []


def test_a_dry_run_shows_events_that_a_hook_has_missed(ada_api):
    event = ada_api.publish()
    hook = ada_api.make_hook()

    body = ada_api.post("/replays", json={"which": "missing", "hook": hook["id"], "dry_run": True}).get_json()

    assert body["count"] == 1
    assert (body["rows"][0]["event"], body["rows"][0]["delivery"], body["rows"][0]["state"]) == (
        event["id"],
        None,
        None,
    )


def test_what_would_be_left_out_is_said_with_its_reason(ada_api, lost):
    ada_api.post(f"/hooks/{lost['id']}/disable")

    body = ada_api.post("/replays", json={"which": "all", "dry_run": True}).get_json()

    assert (body["count"], body["skipped"]) == (0, {"disabled": 2})
    assert body["hooks"] == [{"hook": lost["id"], "count": 0, "skipped": {"disabled": 2}}]


def test_a_replay_is_started_and_watched(ada_api, lost, work, clock):
    answer = ada_api.post("/replays", json={"which": "failed", "hook": lost["id"], "event_types": ["order.*"]})

    body = answer.get_json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/replays/{body['id']}"
    assert list(body) == FIELDS
    assert (body["state"], body["which"], body["hook"], body["author"]) == ("pending", "failed", lost["id"], "ada")
    assert body["progress"] == NOTHING

    tend(work, clock, 2)
    running = ada_api.get(f"/replays/{body['id']}").get_json()
    assert (running["state"], running["progress"]) == ("running", NOTHING | {"total": 2, "queued": 2, "left": 2})

    for row in rows_of(claim(work, hire(work))):
        record(work, row)
    tend(work, clock, 3)
    done = ada_api.get(f"/replays/{body['id']}").get_json()
    assert (done["state"], done["progress"]) == ("done", NOTHING | {"total": 2, "queued": 2, "delivered": 2})
    assert len(ada_api.get(f"/deliveries?replay={body['id']}").get_json()["data"]) == 2
    assert [entry.action for entry in rows(work, AuditEntry)][-1] == "replay.started"


def test_replays_are_listed_newest_first_and_by_hook(ada_api, lost):
    made = [ada_api.post("/replays", json={"which": which}).get_json()["id"] for which in ("all", "failed")]
    mine = ada_api.post("/replays", json={"which": "all", "hook": lost["id"]}).get_json()["id"]

    page = ada_api.get("/replays?limit=2").get_json()
    rest = ada_api.get(f"/replays?limit=2&cursor={page['next_cursor']}").get_json()

    assert [one["id"] for one in [*page["data"], *rest["data"]]] == [mine, *made[::-1]]
    assert [one["id"] for one in ada_api.get(f"/replays?hook={lost['id']}").get_json()["data"]] == [mine]
    assert ada_api.get(f"/replays?hook={uuid4()}").get_json()["data"] == []


def test_a_canceled_replay_leaves_what_was_not_sent_as_it_was(ada_api, lost, work, clock):
    replay = ada_api.post("/replays", json={"which": "failed"}).get_json()
    tend(work, clock, 2)

    answer = ada_api.post(f"/replays/{replay['id']}/cancel")

    assert (answer.status_code, answer.get_json()["state"]) == (200, "stopped")
    assert {one["state"] for one in ada_api.get("/deliveries").get_json()["data"]} == {"failed"}
    again = ada_api.post(f"/replays/{replay['id']}/cancel")
    assert (again.status_code, again.get_json()["code"]) == (409, "final")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"/which": "required"}),
        ({"which": "some"}, {"/which": "choice"}),
        ({"which": "all", "state": "failed"}, {"/state": "unknown_field"}),
        ({"which": "all", "event_types": ["a b"]}, {"/event_types/0": "event_type_form"}),
        ({"which": "all", "event_types": ["a", "a.*.b"]}, {"/event_types/1": "pattern"}),
        ({"which": "all", "since": "yesterday"}, {"/since": "time"}),
        (
            {"which": "all", "since": "2026-11-22T09:00:00Z", "until": "2026-11-22T09:00:00Z"},
            {"/until": "range"},
        ),
        ({"which": "all", "hook": str(uuid4())}, {"/hook": "unknown_hook"}),
        ({"which": "all", "dry_run": 1}, {"/dry_run": "type"}),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_be_replayed_is_refused(ada_api, work, body, wrong, dry_run):
    answer = ada_api.post("/replays", json={"dry_run": dry_run} | body)

    assert answer.status_code == 422
    assert pointers(answer) == wrong
    assert rows(work, Replay) == []


def test_a_hook_of_another_organization_is_none(ada_api, mallory_api, lost):
    answer = mallory_api.post("/replays", json={"which": "all", "hook": lost["id"]})

    assert pointers(answer) == {"/hook": "unknown_hook"}
    assert mallory_api.post("/replays", json={"which": "all", "dry_run": True}).get_json()["count"] == 0


def test_a_period_narrows_it(ada_api, lost, clock):
    later = (clock.now() + timedelta(minutes=1)).isoformat()

    for times, count in (({"since": later}, 0), ({"until": later}, 2)):
        body = {"which": "failed", "dry_run": True} | times
        assert ada_api.post("/replays", json=body).get_json()["count"] == count


def test_too_many_at_a_time_are_refused(ada_api):
    answers = [ada_api.post("/replays", json={"which": "all"}) for _ in range(21)]

    assert {answer.status_code for answer in answers[:20]} == {202}
    assert (answers[20].status_code, answers[20].get_json()["code"]) == (409, "too_many_replays")
