"""/metrics: figures of the whole installation, from the database, for staff who hold an ADMIN token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from console.core.outcomes import Outcome
from console.services.events import event_rows, fan_outs
from console.services.figures import metrics
from console.services.upkeep import leading, sweeping
from console.services.work import DELIVERIES, Work
from tests.api.conftest import ApiCaller
from tests.engine import bury, claim, hire, make_due, make_hook, publish, record, rows_of, set_state


@pytest.fixture(autouse=True)
def _ada_is_staff(work: Work, ada: Any) -> None:
    ada.user.is_staff = True
    work.session.commit()


def scrape(caller: ApiCaller, **headers: str) -> str:
    response = caller.client.get("/metrics", headers={"Authorization": f"Bearer {caller.token}", **headers})
    assert response.status_code == 200, response.text
    return response.text


def figures(caller: ApiCaller) -> dict[tuple[str, ...], float]:
    """Scrape; give each figure by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(scrape(caller))
        for sample in family.samples
    }


def test_metrics_ask_for_a_token(ada_api: ApiCaller) -> None:
    response = ada_api.client.get("/metrics")

    assert response.status_code == 401
    assert response.content_type == "application/problem+json"


def test_metrics_ask_for_the_permission_admin(vi_api: ApiCaller) -> None:

    response = vi_api.client.get("/metrics", headers={"Authorization": f"Bearer {vi_api.token}"})

    assert response.status_code == 403
    assert response.get_json()["permission"] == "ADMIN"


def test_figures_of_several_organizations_are_for_staff_alone(mallory_api: ApiCaller) -> None:
    response = mallory_api.client.get("/metrics", headers={"Authorization": f"Bearer {mallory_api.token}"})

    assert response.status_code == 403
    assert "staff" in response.get_json()["detail"]


def test_an_admin_of_the_only_organization_needs_not_be_on_the_staff(
    mallory_api: ApiCaller, work: Work, ada: Any
) -> None:
    ada.organization.closed_at = work.now()
    work.session.commit()

    assert figures(mallory_api)["hookyard_leader",] == 0


@pytest.mark.both_databases
def test_what_is_due_what_is_under_way_and_what_is_held_is_counted(ada_api: ApiCaller, work: Work, ada: Any) -> None:
    make_hook(work, ada)
    make_hook(work, ada, is_active=False)
    publish(work, ada, 3)
    worker = hire(work)
    claim(work, worker)
    publish(work, ada, 2)

    found = figures(ada_api)

    assert found["hookyard_deliveries", "held"] == 5
    assert found["hookyard_deliveries", "pending"] + found["hookyard_deliveries", "sending"] == 5
    assert found["hookyard_queue_depth", "deliveries"] == found["hookyard_deliveries", "pending"]
    assert found["hookyard_workers", "deliveries"] == 1
    assert found["hookyard_workers", "background"] == 0
    assert (found["hookyard_hooks", "active"], found["hookyard_hooks", "disabled"]) == (1, 1)


@pytest.mark.both_databases
def test_the_age_of_the_queue_is_that_of_the_oldest_that_could_be_sent(
    ada_api: ApiCaller, work: Work, ada: Any, clock: Any
) -> None:
    make_hook(work, ada)
    publish(work, ada)
    clock.advance(seconds=40)

    assert figures(ada_api)["hookyard_queue_age_seconds", "deliveries"] == 40


@pytest.mark.both_databases
def test_attempts_are_counted_by_status_and_duration_since_midnight(
    ada_api: ApiCaller, work: Work, ada: Any, clock: Any
) -> None:
    make_hook(work, ada)
    publish(work, ada, 2)
    worker = hire(work)
    first = rows_of(claim(work, worker))
    record(work, first[0], duration_ms=4.0)
    make_due(work)
    for row in first[1:] or rows_of(claim(work, worker)):
        record(work, row, Outcome.SERVER_ERROR, status=500, duration_ms=700.0)

    found = figures(ada_api)
    assert found["hookyard_attempts_total", "2xx"] == 1
    assert found["hookyard_attempts_total", "5xx"] == 1
    assert found["hookyard_attempt_duration_seconds_bucket", "0.005"] == 1
    assert found["hookyard_attempt_duration_seconds_bucket", "+Inf"] == 2

    clock.advance(days=1)
    assert figures(ada_api)["hookyard_attempts_total", "2xx"] == 0


@pytest.mark.both_databases
def test_what_dead_workers_held_is_counted_when_it_is_freed(ada_api: ApiCaller, work: Work, ada: Any) -> None:
    make_hook(work, ada)
    publish(work, ada)
    worker = hire(work, pid=7)
    leading.lead(work, worker=worker)
    claim(work, worker)
    bury(work, pid=7)

    sweeping.sweep(work)

    assert figures(ada_api)["hookyard_claims_freed_total",] == 1


def test_hooks_that_rest_are_counted(ada_api: ApiCaller, work: Work, ada: Any) -> None:
    hook = make_hook(work, ada)
    set_state(work, hook, open_until=work.now() + timedelta(minutes=1))

    assert figures(ada_api)["hookyard_circuits_open", "hook"] == 1


def test_a_scraper_may_ask_for_openmetrics(ada_api: ApiCaller) -> None:
    text = scrape(ada_api, Accept="application/openmetrics-text; version=1.0.0")

    assert {family.name for family in openmetrics(text)} >= {"hookyard_queue_depth", "hookyard_attempts"}


def test_no_figure_walks_the_log(work: Work, ada: Any) -> None:
    """The counts are served by the indexes over what is unfinished, never by reading all deliveries."""
    make_hook(work, ada)
    publish(work, ada, 5)
    for query in metrics._COUNTS.values():
        plan = work.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {query.text}").all()
        words = " ".join(str(row[3]) for row in plan if "deliveries" in row[3])
        assert "INDEX ix_deliveries_" in words, words
    assert metrics.read(work).depths[DELIVERIES] == 5


@pytest.mark.both_databases
def test_events_whose_deliveries_the_workers_create_are_counted(ada_api, work, ada, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 0)
    make_hook(work, ada)
    publish(work, ada)

    assert figures(ada_api)["hookyard_events_pending",] == 1
    fan_outs.finish(work)
    assert figures(ada_api)["hookyard_events_pending",] == 0
