"""The dashboard: figures from the roll-ups, what needs a person, the workers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from console.core.permissions import Permission
from console.core.rollups import bucket_of, hour_of
from console.models import Event, HookHour, HookState, Worker
from console.services.deliveries import unfinished
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.figures import attention, stats
from console.services.figures.stats import Period, Tally
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.people import tokens
from console.web.dashboard import tiles_of
from tests.web.soup import words_of

HTMX = {"HX-Request": "true"}


@pytest.fixture
def hook(work, ada):
    draft = HookDraft(name="Shop", url="https://shop.example.com/hook", event_types=["order.paid"])
    made = hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft)
    work.session.commit()
    return made.hook


@pytest.fixture
def attempts(work, hook):
    """Put attempts into the roll-ups: ``attempts(hours_ago=3, ok=90, failed=10)``."""

    def attempts(*, hours_ago: int, ok: int = 0, failed: int = 0, took_ms: float = 100) -> None:
        hour = hour_of(work.now()) - timedelta(hours=hours_ago)
        for status_class, count in (("2xx", ok), ("5xx", failed)):
            if count:
                row = HookHour(hook_number=hook.number, hour=hour, status_class=status_class, bucket=bucket_of(took_ms))
                row.organization_number, row.count = hook.organization_number, count
                work.session.add(row)
        work.session.commit()

    return attempts


# --- figures --------------------------------------------------------------------------------------------------------


def test_columns_cover_the_period_and_no_more(work, hook, attempts) -> None:
    attempts(hours_ago=0, ok=1)
    attempts(hours_ago=23, ok=2)
    attempts(hours_ago=24, ok=4)
    attempts(hours_ago=47, ok=8)
    attempts(hours_ago=48, ok=16)

    overview = stats.overview(work, organization_number=hook.organization_number, period=Period.DAY)

    assert len(overview.columns) == 24
    assert (overview.columns[0].tally.delivered, overview.columns[-1].tally.delivered) == (2, 1)
    assert (overview.total.delivered, overview.before.delivered) == (3, 12)


@pytest.mark.parametrize(("period", "columns", "hours"), [(Period.WEEK, 28, 6), (Period.MONTH, 30, 24)])
def test_longer_periods_have_wider_columns(work, hook, attempts, period, columns, hours) -> None:
    attempts(hours_ago=0, ok=1)
    attempts(hours_ago=hours - 1, ok=2)
    attempts(hours_ago=hours, ok=4)

    overview = stats.overview(work, organization_number=hook.organization_number, period=period)

    assert [column.tally.delivered for column in overview.columns][-2:] == [4, 3]
    assert len(overview.columns) == columns


def test_a_tally_knows_rate_and_percentile() -> None:
    tally = Tally({"2xx": 9, "none": 1}, {bucket_of(100): 10})

    assert (tally.attempts, tally.failed, tally.success_rate) == (10, 1, 0.9)
    assert 50 < tally.percentile_ms(95) <= 100
    assert Tally().success_rate is None


def test_sparks_count_by_the_hour(work, hook, attempts) -> None:
    attempts(hours_ago=0, ok=3, failed=1)
    attempts(hours_ago=23, ok=2)
    attempts(hours_ago=24, ok=100)

    spark = stats.sparks(work, hooks=[hook])[hook.number]

    assert (spark.delivered[0], spark.delivered[-1], spark.failed[-1]) == (2, 3, 1)
    assert (spark.attempts, round(spark.success_rate, 3)) == (6, 0.833)


def test_figures_are_said_with_their_trend(work, hook, attempts) -> None:
    attempts(hours_ago=1, ok=120, failed=30)
    attempts(hours_ago=30, ok=100)
    overview = stats.overview(work, organization_number=hook.organization_number)

    app = Flask("words")
    app.add_url_rule("/log", "deliveries.index")
    with app.test_request_context():
        tiles = tiles_of(overview, unfinished.Backlog(0, 0, None))

    assert [(tile.value, tile.trend) for tile in tiles[:2]] == [("120", "up 20%"), ("80%", "down 20.0 points")]
    assert (tiles[1].tone, tiles[3].note) == ("bad", "nothing waits")


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_empty_dashboard_leads_to_the_first_steps(signed_in, ada) -> None:
    page = signed_in(ada).see("/o/acme/")

    text = page.get_text()
    assert "Nothing was published yet" in text
    assert "curl http://hookyard.test/api/v1/events" in text
    assert "hookyard publish order.paid --organization acme" in text
    assert page.select('a[href="/o/acme/start"]')


@pytest.mark.parametrize("period", ["", "24h", "7d", "30d", "nonsense"])
def test_the_full_dashboard_has_figures_charts_and_their_tables(signed_in, ada, attempts, period) -> None:
    attempts(hours_ago=1, ok=90, failed=10)
    attempts(hours_ago=26, ok=10)

    page = signed_in(ada).see(f"/o/acme/?period={period}")

    assert len(page.select(".tile")) == 4
    assert all(tile["href"].startswith("/o/acme/deliveries") for tile in page.select("a.tile"))
    assert len(page.select("svg[role=img]")) == 2
    assert {len(table.select("tbody tr")) for table in page.select("figure table")} <= {24, 28, 30}


def test_the_period_swaps_the_charts_alone(signed_in, ada, attempts) -> None:
    attempts(hours_ago=1, ok=1)

    answer = signed_in(ada).get("/o/acme/?period=7d", headers=HTMX)

    assert 'id="charts"' in answer.text
    assert "Needs attention" not in answer.text


def test_a_quiet_period_says_so(signed_in, ada, work, hook) -> None:
    publishing.publish(work, organization_number=hook.organization_number, draft=EventDraft(type="a.b", payload=b"{}"))

    page = signed_in(ada).see("/o/acme/")

    assert "Nothing was sent in the last 24 hours" in page.get_text()


def test_the_live_part_polls_itself(signed_in, ada) -> None:
    browser = signed_in(ada)
    live = browser.see("/o/acme/").select_one("#live")
    assert "every 15s" in live["hx-trigger"]

    answer = browser.get(live["hx-get"], headers=HTMX)
    assert "Needs attention" in answer.text
    assert "<html" not in answer.text
    assert browser.get(live["hx-get"]).location == "/o/acme/"


def test_a_viewer_sees_the_dashboard(signed_in, vi) -> None:
    signed_in(vi).see("/o/acme/")


# --- attention ------------------------------------------------------------------------------------------------------


def test_all_is_well_without_trouble(signed_in, ada, hook) -> None:
    assert "All is well" in signed_in(ada).see("/o/acme/").get_text()


def test_a_failing_hook_is_named_with_its_way_to_being_disabled(signed_in, ada, hook, work) -> None:
    work.session.execute(
        update(HookState).values(consecutive_failures=4, failing_since=work.now() - timedelta(days=2, hours=12))
    )
    work.session.commit()

    text = signed_in(ada).see("/o/acme/").select_one("#live").get_text(" ", strip=True)

    assert "Failing" in text
    assert "50% of that is over" in text


def test_a_hook_that_somebody_switched_off_is_no_trouble_until_something_is_held(work, hook, ada, as_person) -> None:
    hooks.disable(as_person(ada), hook=hook)

    def ailing():
        return attention.attention(work, organization_number=hook.organization_number).ailing

    assert not ailing()

    draft = EventDraft(type="order.paid", payload=b"{}")
    publishing.publish(work, organization_number=hook.organization_number, draft=draft)
    assert [one.held for one in ailing()] == [1]


def test_a_hook_that_was_disabled_by_itself_is_named(work, hook) -> None:
    hook.is_active, hook.disabled_reason = False, "Disabled by itself: 30 attempts since then, none succeeded."
    work.session.commit()

    found = attention.attention(work, organization_number=hook.organization_number)

    assert [one.hook.id for one in found.ailing] == [hook.id]


def test_a_hook_whose_deliveries_failed_for_good_is_named_until_they_are_delivered(
    signed_in, ada, scene, lose, elsewhere, work, clock
) -> None:
    hook = scene.hook()
    lost = lose(count=3)
    scene.put(lose()[0], is_test=True)
    elsewhere.hook()
    scene.put(elsewhere.publish()[0], state="failed")
    browser = signed_in(ada)

    live = browser.see("/o/acme/").select_one("#live")

    assert "All is well" not in live.get_text()
    assert "3 deliveries of the last 7 days failed for good" in words_of(live)
    [seen] = live.select(f'a[href^="/o/acme/hooks/{hook.id}/deliveries?"]')
    assert len(browser.see(seen["href"]).select("tbody [name=ids]")) == 4
    [again] = live.select('a[href^="/o/acme/replays/new?"]')
    assert "3 deliveries will be sent" in words_of(browser.see(again["href"]))

    for delivery in lost:
        scene.put(delivery, state="delivered")
    assert "All is well" in browser.see("/o/acme/").get_text()
    lose()
    clock.advance(days=8)
    assert "All is well" in signed_in(ada).see("/o/acme/").get_text()


def test_very_many_failed_deliveries_are_not_all_counted(work, scene, lose, monkeypatch) -> None:
    hook = scene.hook()
    lose(count=3)
    monkeypatch.setattr(unfinished, "MOST_FAILED", 2)

    [one] = attention.attention(work, organization_number=hook.organization_number).lost

    assert (one.count, one.is_more) == (2, True)


def test_what_is_due_and_not_sent_is_late_unless_its_hook_rests(work, hook, clock) -> None:
    draft = EventDraft(type="order.paid", payload=b"{}")
    publishing.publish(work, organization_number=hook.organization_number, draft=draft)
    due = clock.now()

    def late_since():
        return attention.attention(work, organization_number=hook.organization_number).late_since

    assert late_since() is None
    clock.advance(minutes=5)
    assert late_since() == due
    work.session.execute(update(HookState).values(open_until=clock.now() + timedelta(hours=1)))
    assert late_since() is None


def test_types_that_no_hook_hears_are_named_the_latest_first(signed_in, ada, work, hook) -> None:
    for name in ("stock.low", "order.paid", "user.created"):
        publishing.publish(
            work, organization_number=hook.organization_number, draft=EventDraft(type=name, payload=b"{}")
        )

    assert stats.unheard_types(work, organization_number=hook.organization_number) == ["user.created", "stock.low"]
    page = signed_in(ada).see("/o/acme/")
    assert page.select('a[href="/o/acme/hooks/new?event_type=stock.low"]')


def test_tests_are_no_unheard_events(work, hook) -> None:
    publishing.publish(work, organization_number=hook.organization_number, draft=EventDraft(type="a.b", payload=b"{}"))
    work.session.execute(update(Event).values(is_test=True))

    assert not stats.unheard_types(work, organization_number=hook.organization_number)


def test_what_waits_is_counted(work, hook, clock) -> None:
    draft = EventDraft(type="order.paid", payload=b"{}")
    publishing.publish_batch(work, organization_number=hook.organization_number, drafts=[draft] * 3)
    first = clock.now()
    assert unfinished.backlog(work, organization_number=hook.organization_number) == unfinished.Backlog(3, 0, first)

    hooks.disable(work, hook=hook)

    assert unfinished.backlog(work, organization_number=hook.organization_number) == unfinished.Backlog(0, 3, None)
    assert unfinished.held_by_hook(work, organization_number=hook.organization_number, numbers=[hook.number]) == {
        hook.number: 3
    }


def test_workers_are_shown_by_lane_while_they_beat(signed_in, ada, work, clock) -> None:
    for lane, in_flight, age_s in (("deliveries", 3, 1), ("deliveries", 4, 2), ("deliveries", 9, 60)):
        beat = clock.now() - timedelta(seconds=age_s)
        worker = Worker(lane=lane, host="a", pid=1, version="1", started_at=beat, beat_at=beat, in_flight=in_flight)
        work.session.add(worker)
    work.session.commit()

    lanes = {lane.name: lane for lane in stats.lanes(work)}

    assert (lanes["deliveries"].workers, lanes["deliveries"].in_flight) == (2, 7)
    assert lanes["deliveries"].beat_at == clock.now() - timedelta(seconds=1)
    assert lanes["background"].workers == 0
    text = signed_in(ada).see("/o/acme/").select_one("#live").get_text(" ", strip=True)
    assert "2 workers" in text
    assert "hookyard worker --lane background" in text


def test_the_workers_strip_says_how_many_deliveries_are_due(signed_in, ada, work, scene, clock) -> None:
    scene.hook()
    scene.publish()
    (later,) = scene.publish()
    scene.put(later, next_attempt_at=clock.now() + timedelta(hours=1))
    work.session.add(
        Worker(lane="deliveries", host="h", pid=1, version="1", started_at=clock.now(), beat_at=clock.now())
    )
    work.session.commit()

    page = signed_in(ada).see("/o/acme/")

    strip = page.select_one("section[aria-labelledby=workers-title]").get_text(" ", strip=True)
    assert "1 due" in strip


# --- tokens near their end ------------------------------------------------------------------------------------------


@pytest.fixture
def ending(work, ada, ed):
    """Ada's token and a service token end in 10 days, Ed's in 9."""
    for name, person, days, is_service in (("Ada's", ada, 10, False), ("ours", ada, 10, True), ("Ed's", ed, 9, False)):
        tokens.issue(
            work,
            organization=person.organization,
            user=person.user,
            permissions=[Permission.EVENTS_PUBLISH],
            name=name,
            expires_in_days=days,
            is_service=is_service,
        )


def test_tokens_near_their_end_are_named_to_who_can_act(signed_in, ada, ed, vi, ending) -> None:
    def named(person) -> list[str]:
        page = signed_in(person).see("/o/acme/")
        return [one.get_text() for one in page.select("[aria-labelledby=attention-title] strong")]

    assert named(ada) == ["Ed's", "Ada's", "ours"]
    assert named(ed) == ["Ed's"]
    assert named(vi) == []


def test_a_token_that_expired_lately_is_still_named_and_one_that_never_ends_is_not(
    signed_in, ada, ending, service_token_of, clock
) -> None:
    service_token_of(ada)
    clock.advance(days=9.5)

    page = signed_in(ada).see("/o/acme/").get_text()

    assert "Ed's of ed@example.com expired" in " ".join(page.split())
    assert "shop" not in page


def test_a_token_of_another_organization_is_not_named(signed_in, mallory, ending) -> None:
    assert signed_in(mallory).see("/o/elsewhere/").select("[aria-labelledby=attention-title] strong") == []
