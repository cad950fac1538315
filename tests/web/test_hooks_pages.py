"""The list of hooks with its switches, one hook with its test, copies and ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.models import Attempt, Delivery, Destination, Hook, HookState
from console.services import audit, deliveries, hooks, publishing, reveals
from console.services.event_drafts import EventDraft
from console.services.hook_fields import HookDraft
from console.services.rate_of_tests import MOST_IN_A_MINUTE

HTMX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>\u202e{{7*7}}\"'"


@pytest.fixture
def make(work, ada):
    """Make a hook of acme: ``make(name="Shop")``."""

    def make(**fields) -> Hook:
        draft = HookDraft(
            **{"name": "Shop", "url": "https://shop.example.com/hook", "event_types": ["order.paid"], **fields}
        )
        made = hooks.create(
            work, organization_number=ada.organization.number, author_number=ada.user.number, draft=draft
        )
        work.session.commit()
        return made.hook

    return make


@pytest.fixture
def publish(work, ada):
    """Publish events: ``publish("order.paid", times=3)``."""

    def publish(event_type: str, *, times: int = 1) -> None:
        draft = EventDraft(type=event_type, payload=b"{}")
        publishing.publish_batch(work, organization_number=ada.organization.number, drafts=[draft] * times)

    return publish


def state_of(work, hook: Hook, **values) -> None:
    """Set what the engine keeps of a hook."""
    state = work.session.get(HookState, hook.number)
    for name, value in values.items():
        setattr(state, name, value)
    work.session.commit()


def finish(
    work, delivery: Delivery, *, status: int | None = 200, outcome: str = "ok", body: bytes = b'{"ok": true}'
) -> None:
    """Do what the workers do with a test."""
    delivery.state, delivery.last_status, delivery.last_outcome = (
        "delivered" if outcome == "ok" else "failed",
        status,
        outcome,
    )
    delivery.attempt_count, delivery.finished_at, delivery.next_attempt_at = 1, work.now(), None
    work.session.add(
        Attempt(
            delivery_number=delivery.number,
            number=1,
            chain=1,
            trigger="test",
            started_at=work.now(),
            duration_ms=143.0,
            outcome=outcome,
            status=status,
            timings={"dns": 2.0, "connect": 11.0, "first_byte": 120.0},
            request_headers=[["webhook-id", str(delivery.id)], ["webhook-timestamp", "1795338000"], ["X-Own", HOSTILE]],
            response_headers=[["Server", HOSTILE]] if status else None,
            response_body=body if status else None,
            error=None if status else "Nobody answered.",
        )
    )
    work.session.commit()


# --- the list -------------------------------------------------------------------------------------------------------


def test_without_hooks_the_list_offers_the_first_ones(signed_in, ada) -> None:
    page = signed_in(ada).see("/o/acme/hooks")

    assert "No hooks yet" in page.get_text()
    assert page.select('a[href="/o/acme/hooks/new"]')
    assert page.select('a[href="/o/acme/start"]')


def test_a_viewer_is_told_whom_to_ask(signed_in, vi) -> None:
    page = signed_in(vi).see("/o/acme/hooks")

    assert "An editor" in page.get_text()
    assert not page.select('a[href="/o/acme/hooks/new"]')


def test_the_list_shows_what_a_hook_is_and_how_it_does(signed_in, ada, make, work) -> None:
    make(name="Shop", event_types=["order.paid", "order.*"])
    failing = make(name="Books", all_events=True)
    state_of(work, failing, consecutive_failures=4, failing_since=work.now() - timedelta(hours=2))

    page = signed_in(ada).see("/o/acme/hooks")

    rows = [row.get_text(" ", strip=True) for row in page.select("tbody tr")]
    assert "Books" in rows[0]
    assert "Failing" in rows[0]
    assert "Every event" in rows[0]
    assert "order.paid and order.*" in rows[1]
    assert "Healthy" in rows[1]
    assert len(page.select("button[role=switch]")) == 2


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("show=failing", ["Books"]),
        ("show=disabled", ["Old"]),
        ("show=healthy", ["Shop"]),
        ("q=BOOK", ["Books"]),
        ("event_type=order.paid", ["Shop"]),
        ("event_type=user.created", ["Old", "Books"]),
        ("show=nonsense", ["Old", "Books", "Shop"]),
    ],
)
def test_filters_narrow_the_list(signed_in, ada, make, work, query, names) -> None:
    make(name="Shop")
    books = make(name="Books", event_types=["user.*"])
    state_of(work, books, consecutive_failures=9, failing_since=work.now(), open_until=work.now() + timedelta(hours=1))
    make(name="Old", event_types=["user.created"], is_active=False)

    page = signed_in(ada).see(f"/o/acme/hooks?{query}")

    assert [link.get_text() for link in page.select("tbody .title-link")] == names


def test_when_nothing_matches_the_filters_are_named(signed_in, ada, make) -> None:
    make()

    page = signed_in(ada).see("/o/acme/hooks?q=zzz&show=failing")

    assert "Nothing matches" in page.get_text()
    assert "there is 1 hook" in page.get_text()
    assert page.select('a[href="/o/acme/hooks?q=zzz"]')


def test_a_malformed_event_type_is_explained(signed_in, ada, make) -> None:
    make()

    page = signed_in(ada).see("/o/acme/hooks?event_type=not+a+type")

    assert "event type is made of" in page.get_text()


def test_htmx_gets_the_list_alone(signed_in, ada, make) -> None:
    make()

    answer = signed_in(ada).get("/o/acme/hooks?q=shop", headers=HTMX)

    assert "<html" not in answer.text
    assert 'id="hooks"' in answer.text
    assert "HX-Request" in answer.headers["Vary"]


def test_long_lists_go_on(signed_in, ada, make) -> None:
    for number in range(52):
        make(name=f"Hook {number}")

    browser = signed_in(ada)
    first = browser.see("/o/acme/hooks")
    older = first.select_one("a[rel=next]")
    second = browser.see(older["href"])

    assert len(first.select("tbody tr")) == 50
    assert [link.get_text() for link in second.select("tbody .title-link")] == ["Hook 1", "Hook 0"]


# --- the switch -----------------------------------------------------------------------------------------------------


def test_switching_off_holds_what_waits_and_says_how_much(signed_in, ada, make, publish, work) -> None:
    hook = make()
    publish("order.paid", times=2)
    browser = signed_in(ada)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "0"})

    assert answer.location == f"/o/acme/hooks/{hook.id}"
    page = browser.see(answer.location)
    assert "2 waiting deliveries are held" in page.get_text()
    assert "Disabled by Ada" in page.get_text()
    assert page.select_one("button[role=switch]")["aria-checked"] == "false"


def test_with_htmx_the_switch_swaps_its_row_and_sends_a_toast(signed_in, ada, make) -> None:
    hook = make()

    answer = signed_in(ada).submit(f"/o/acme/hooks/{hook.id}/switch?next=/o/acme/hooks", {"is_active": "0"}, htmx=True)

    row = BeautifulSoup(answer.text, "html.parser")
    assert [tag.name for tag in row.find_all(recursive=False)] == ["tr"]
    assert row.select_one("button[role=switch]")["aria-checked"] == "false"
    assert "Shop is off" in answer.headers["HX-Trigger"]


def test_without_htmx_the_switch_of_the_list_leads_back_to_it(signed_in, ada, make) -> None:
    hook = make()
    browser = signed_in(ada)

    switch = browser.see("/o/acme/hooks?q=shop").select_one("form.switch-form")["action"]

    assert browser.submit(switch, {"is_active": "0"}).location == "/o/acme/hooks?q=shop"
    assert hook.id


@pytest.mark.parametrize(("held", "state"), [("release", "pending"), ("keep", "held"), ("cancel", "canceled")])
def test_switching_on_asks_what_becomes_of_held_deliveries(signed_in, ada, make, publish, work, held, state) -> None:
    hook = make(is_active=False)
    publish("order.paid", times=3)
    browser = signed_in(ada)

    asked = browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"})
    assert asked.location == f"/o/acme/hooks/{hook.id}/switch-on"
    assert "3 deliveries were held" in browser.see(asked.location).get_text()

    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1", "held": held})
    assert set(work.session.scalars(select(Delivery.state))) == {state}


def test_with_htmx_the_question_is_a_page_of_its_own(signed_in, ada, make, publish) -> None:
    hook = make(is_active=False)
    publish("order.paid")

    answer = signed_in(ada).submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"}, htmx=True)

    assert answer.headers["HX-Redirect"] == f"/o/acme/hooks/{hook.id}/switch-on"


def test_kept_deliveries_can_be_released_later(signed_in, ada, make, publish, work) -> None:
    hook = make(is_active=False)
    publish("order.paid")
    browser = signed_in(ada)
    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1", "held": "keep"})

    page = browser.see(f"/o/acme/hooks/{hook.id}")
    assert "Release 1" in page.get_text()

    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1", "held": "release"})
    assert work.session.scalar(select(Delivery.state)) == "pending"


def test_switching_on_with_nothing_held_asks_nothing(signed_in, ada, make) -> None:
    hook = make(is_active=False)
    browser = signed_in(ada)

    assert browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"}).location == f"/o/acme/hooks/{hook.id}"
    assert "Nothing is held" in browser.see(f"/o/acme/hooks/{hook.id}/switch-on").get_text()


# --- one hook -------------------------------------------------------------------------------------------------------


def test_the_page_of_a_hook_says_how_it_does_and_what_it_is(signed_in, ada, make, publish, work) -> None:
    hook = make(headers={"Authorization": "Bearer canary"}, retry={"kind": "fixed", "seconds": 60, "attempts": 3})
    publish("order.paid")
    state_of(work, hook, consecutive_failures=4, failing_since=work.now() - timedelta(hours=2))

    page = signed_in(ada).see(f"/o/acme/hooks/{hook.id}")

    text = page.get_text(" ", strip=True)
    assert "The last 4 attempts failed." in text
    assert "1 delivery waits" in text
    assert "3 attempts over 2 min" in text
    assert "canary" not in str(page)
    assert "Ada made it" in text or "made it" in text


def test_hostile_names_stay_text(signed_in, ada, make, work) -> None:
    hook = make(name=HOSTILE, description=HOSTILE, headers={"X-Own": "a"})
    delivery = deliveries.send_test(work, hook=hook)
    finish(work, delivery, body=HOSTILE.encode())
    browser = signed_in(ada)

    for path in ("", f"/{hook.id}?test={delivery.id}", f"/{hook.id}/edit", f"/{hook.id}/secret", f"/{hook.id}/delete"):
        page = browser.see(f"/o/acme/hooks{path}")
        assert not [tag for tag in page.find_all("script") if "alert" in tag.get_text()]
        for area in page.select("textarea"):
            area.clear()  # what is edited stays as it is
        shown = page.get_text() + page.title.get_text()
        assert "\u202e" not in shown
        assert "49" not in page.h1.get_text()
    assert "⟨U+202E⟩" in browser.get(f"/o/acme/hooks/{hook.id}?test={delivery.id}").text


def test_a_foreign_hook_is_not_there(signed_in, make, mallory) -> None:
    hook = make()
    browser = signed_in(mallory)

    for path in ("", "/edit", "/secret", "/verify", "/delete", "/switch-on", "/sample"):
        assert browser.get(f"/o/elsewhere/hooks/{hook.id}{path}").status_code == 404
        assert browser.get(f"/o/acme/hooks/{hook.id}{path}").status_code == 404
    for path in (
        "/switch",
        "/test",
        "/delete",
        "/duplicate",
        "/edit",
        "/secret/reveal",
        "/secret/rotate",
        "/secret/end-overlap",
    ):
        assert browser.submit(f"/o/elsewhere/hooks/{hook.id}{path}").status_code == 404


def test_a_viewer_reads_and_changes_nothing(signed_in, vi, make) -> None:
    hook = make()
    browser = signed_in(vi)

    page = browser.see(f"/o/acme/hooks/{hook.id}")
    assert not page.select("#test")
    assert page.select_one("button[role=switch]").has_attr("disabled")
    browser.see(f"/o/acme/hooks/{hook.id}/verify")

    for path in ("/edit", "/secret", "/delete", "/switch-on"):
        assert browser.get(f"/o/acme/hooks/{hook.id}{path}").status_code == 403
    for path in (
        "/switch",
        "/test",
        "/delete",
        "/duplicate",
        "/edit",
        "/secret/reveal",
        "/secret/rotate",
        "/secret/end-overlap",
    ):
        assert browser.submit(f"/o/acme/hooks/{hook.id}{path}").status_code == 403
    assert browser.get("/o/acme/hooks/new").status_code == 403


# --- test -----------------------------------------------------------------------------------------------------------


def test_a_test_shows_its_way_under_the_form(signed_in, ed, make, work, ring, clock) -> None:
    hook = make()
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "order.paid", "payload": ""}, htmx=True)

    part = BeautifulSoup(answer.text, "html.parser")
    assert "Queued" in part.get_text()
    assert ring.lanes == ["deliveries"]
    live = part.select_one("#test-result")
    assert "every 500ms" in live["hx-trigger"]
    assert browser.get(live["hx-get"], headers=HTMX).status_code == 204

    clock.advance(seconds=6)
    slower = BeautifulSoup(browser.get(live["hx-get"], headers=HTMX).text, "html.parser").select_one("#test-result")
    assert "every 1s" in slower["hx-trigger"]

    clock.advance(seconds=6)
    late = browser.get(slower["hx-get"], headers=HTMX)
    assert "No worker has taken it yet" in late.text

    finish(work, work.session.scalar(select(Delivery)))
    done = BeautifulSoup(browser.get(slower["hx-get"], headers=HTMX).text, "html.parser").select_one("#test-result")
    assert not done.has_attr("hx-get")
    text = done.get_text(" ", strip=True)
    assert "200 in 143 ms" in text
    assert "First byte" in text
    assert f"{work.session.scalar(select(Delivery.id))}.1795338000." in text


def test_a_failed_test_says_what_to_do(signed_in, ed, make, work) -> None:
    hook = make()
    delivery = deliveries.send_test(work, hook=hook)
    finish(work, delivery, status=None, outcome="connection_refused")

    text = signed_in(ed).see(f"/o/acme/hooks/{hook.id}?test={delivery.id}").get_text(" ", strip=True)

    assert "Connection refused in 143 ms" in text
    assert "Check the port in the URL" in text
    assert "Nobody answered." in text


def test_without_javascript_a_test_leads_to_the_delivery(signed_in, ed, make, work) -> None:
    hook = make()

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "order.paid"})

    assert (answer.status_code, answer.location) == (
        303,
        f"/o/acme/deliveries/{work.session.scalar(select(Delivery.id))}",
    )


def test_from_the_list_a_test_leads_to_the_hook(signed_in, ed, make, work) -> None:
    hook = make()
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"show": "hook"})

    delivery_id = work.session.scalar(select(Delivery.id))
    assert answer.location == f"/o/acme/hooks/{hook.id}?test={delivery_id}#test"
    assert "Queued" in browser.see(f"/o/acme/hooks/{hook.id}?test={delivery_id}").get_text()


@pytest.mark.parametrize("payload", ["{", "{'a': 1}", "[NaN]", '{"a":1,"a":2}'])
def test_a_payload_that_is_no_json_is_refused_and_kept(signed_in, ed, make, work, payload) -> None:
    hook = make()
    browser = signed_in(ed)

    for htmx in (False, True):
        answer = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "a.b", "payload": payload}, htmx=htmx)
        assert answer.status_code == 422
        page = BeautifulSoup(answer.text, "html.parser")
        assert page.select_one("#test-payload").get_text() == payload
        assert page.select_one("#test-payload-error-1")
    assert work.session.scalar(select(Delivery)) is None


def test_a_malformed_event_type_is_refused(signed_in, ed, make) -> None:
    hook = make()

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "not a type"}, htmx=True)

    assert answer.status_code == 422
    assert "test-type-error-1" in answer.text


def test_the_sample_can_be_filled_in(signed_in, ed, make) -> None:
    hook = make()
    browser = signed_in(ed)

    part = browser.get(f"/o/acme/hooks/{hook.id}/sample?event_type=webhook.test", headers=HTMX)
    assert "<html" not in part.text
    page = browser.see(f"/o/acme/hooks/{hook.id}/sample?event_type=webhook.test")

    assert '"message": "Test of a hook"' in page.select_one("#test-payload").get_text()


def test_tests_have_a_rate(signed_in, ed, make, work) -> None:
    hook = make()
    for _ in range(MOST_IN_A_MINUTE):
        deliveries.send_test(work, hook=hook)

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "a.b"}, htmx=True)

    assert answer.status_code == 429
    assert f"{MOST_IN_A_MINUTE} tests a minute" in answer.headers["HX-Trigger"]


def test_the_result_of_another_delivery_is_not_shown(signed_in, ed, make, publish, work) -> None:
    hook, other = make(), make(name="Other", event_types=[])
    publish("order.paid")
    ordinary = work.session.scalar(select(Delivery.id))
    test = deliveries.send_test(work, hook=other)
    browser = signed_in(ed)

    for identifier in (ordinary, test.id):
        assert browser.get(f"/o/acme/hooks/{hook.id}/tests/{identifier}", headers=HTMX).status_code == 404


@pytest.mark.parametrize(
    ("fields", "event_type"),
    [
        ({"event_types": ["order.*", "order.paid"]}, "order.paid"),
        ({"event_types": ["replay.*"]}, "replay.finished"),
        ({"event_types": [], "event_groups": ["hookyard"]}, "hook.blocked"),
        ({"event_types": [], "all_events": True}, "webhook.test"),
        ({"event_types": []}, "webhook.test"),
        ({"event_types": ["nobody.knows.*"]}, "webhook.test"),
    ],
)
def test_the_form_proposes_a_type_that_the_hook_hears(signed_in, ed, make, fields, event_type) -> None:
    hook = make(**fields)

    assert signed_in(ed).see(f"/o/acme/hooks/{hook.id}").select_one("#test-type")["value"] == event_type


# --- copies and ends ------------------------------------------------------------------------------------------------


def test_a_copy_is_off_and_has_a_secret_of_its_own(signed_in, ed, make, work) -> None:
    hook = make(headers={"Authorization": "Bearer x"}, sources=[], timeout=5)
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/duplicate")

    copy = work.session.scalars(select(Hook).order_by(Hook.number.desc())).first()
    assert answer.location == f"/o/acme/hooks/{copy.id}/edit"
    assert (copy.name, copy.is_active, copy.sources, copy.timeout_s) == ("Copy of Shop", False, [], 5)
    assert hooks.headers_of(work, copy) == {"Authorization": "Bearer x"}
    assert hooks.secrets_of(work, copy)[0][1] != hooks.secrets_of(work, hook)[0][1]


def test_deleting_says_what_it_takes_along(signed_in, ed, make, publish, work) -> None:
    hook = make()
    publish("order.paid", times=2)
    browser = signed_in(ed)

    assert "2 waiting deliveries are canceled" in browser.see(f"/o/acme/hooks/{hook.id}/delete").get_text()
    answer = browser.submit(f"/o/acme/hooks/{hook.id}/delete")

    assert answer.location == "/o/acme/hooks"
    assert "2 waiting deliveries were canceled" in browser.see("/o/acme/hooks").get_text()
    assert browser.get(f"/o/acme/hooks/{hook.id}").status_code == 404


# --- secrets --------------------------------------------------------------------------------------------------------


def test_the_secret_is_masked_until_the_password_is_given(signed_in, ed, make, work) -> None:
    hook = make()
    secret = hooks.secrets_of(work, hook)[0][1]
    browser = signed_in(ed)
    assert secret not in str(browser.see(f"/o/acme/hooks/{hook.id}/secret"))

    wrong = browser.submit(f"/o/acme/hooks/{hook.id}/secret/reveal", {"password": "wrong wrong wrong"})
    assert wrong.status_code == 422
    assert secret not in wrong.text
    assert "That is not your password." in wrong.text

    right = browser.submit(f"/o/acme/hooks/{hook.id}/secret/reveal", {"password": "correct horse battery"})
    assert right.status_code == 200
    assert secret in right.text
    assert "looked at its secret" in browser.see(f"/o/acme/hooks/{hook.id}").get_text()


def test_guessing_the_password_is_slowed_down(signed_in, ed, make) -> None:
    hook = make()
    browser = signed_in(ed)
    for _ in range(5):
        browser.submit(f"/o/acme/hooks/{hook.id}/secret/reveal", {"password": "wrong wrong wrong"})

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/secret/reveal", {"password": "correct horse battery"})

    assert answer.status_code == 429
    assert "whsec_" not in answer.text


def test_a_rotated_secret_is_shown_once_and_both_sign_for_a_while(signed_in, ed, make, work) -> None:
    hook = make()
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", {"overlap": "86400", "version": hook.version})

    first = browser.see(answer.location)
    work.session.expire_all()
    new = hooks.secrets_of(work, hook)[0][1]
    assert new in str(first)
    assert "What signs now" in first.get_text()
    assert new not in str(browser.see(answer.location))

    browser.submit(f"/o/acme/hooks/{hook.id}/secret/end-overlap")
    assert len(browser.see(answer.location).select("#secrets-title ~ button, .panel:first-child .items li")) == 1


def test_a_rotation_that_is_sent_twice_happens_once(signed_in, ed, make) -> None:
    hook = make()
    browser = signed_in(ed)
    form = {"overlap": "86400", "version": hook.version}
    browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", form)

    assert browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", form).status_code == 409


def test_a_secret_of_ones_own_must_be_one(signed_in, ed, make) -> None:
    hook = make()

    answer = signed_in(ed).submit(
        f"/o/acme/hooks/{hook.id}/secret/rotate", {"overlap": "0", "version": hook.version, "secret": "whsec_short"}
    )

    assert answer.status_code == 422
    assert "base64" in answer.text


def test_the_snippets_know_the_address_and_not_the_secret(signed_in, ed, make, work) -> None:
    hook = make(url="https://shop.example.com/in/$(reboot)'x")
    secret = hooks.secrets_of(work, hook)[0][1]

    page = signed_in(ed).see(f"/o/acme/hooks/{hook.id}/verify")

    code = [one.get_text() for one in page.select("pre code")]
    assert len(code) == 3
    assert '@app.post("/in/$(reboot)' in code[0]
    assert "'https://shop.example.com/in/$(reboot)'\\''x'" in code[2]
    assert secret not in str(page)


def test_looking_at_a_secret_is_audited(work, ada, make, as_person) -> None:
    hook = make()
    shown = reveals.reveal(as_person(ada), hook=hook, user=ada.user, password="correct horse battery")

    assert [text for _, text in shown] == [text for _, text in hooks.secrets_of(work, hook)]
    latest = audit.find(work, organization_number=ada.organization.number, limit=1)[0]
    assert (latest.action, latest.object_id, latest.actor) == ("hook.secret_revealed", str(hook.id), "ada@example.com")


# --- what changes by itself -----------------------------------------------------------------------------------------


def live_url(page) -> str:
    return str(page.select_one("#standing")["hx-get"])


def test_the_page_follows_what_becomes_of_its_hook(signed_in, ada, scene) -> None:
    hook = scene.hook()
    (delivery,) = scene.publish()
    browser = signed_in(ada)
    url = live_url(browser.see(f"/o/acme/hooks/{hook.id}"))

    quiet = browser.get(url, headers=HTMX)
    scene.attempt(delivery)
    scene.put(delivery, state="delivered", next_attempt_at=None)
    news = browser.get(url, headers=HTMX)

    assert quiet.status_code == 204
    soup = BeautifulSoup(news.text, "html.parser")
    assert soup.select_one("#standing") is not None
    assert "Delivered" in soup.select_one("#recent[hx-swap-oob]").get_text()
    assert browser.get(live_url(soup), headers=HTMX).status_code == 204


def test_a_finished_test_tells_the_page_to_look_at_the_hook_again(signed_in, ada, scene, work) -> None:
    hook = scene.hook()
    delivery = deliveries.send_test(work, hook=hook)
    url, browser = f"/o/acme/hooks/{hook.id}/tests/{delivery.id}", signed_in(ada)

    under_way = browser.get(url, headers=HTMX)
    scene.attempt(delivery)
    scene.put(delivery, state="delivered", next_attempt_at=None)
    finished = browser.get(url, headers=HTMX)

    assert "HX-Trigger" not in under_way.headers
    assert "moved" in finished.headers["HX-Trigger"]


def test_strangers_see_nothing_of_a_hooks_standing(signed_in, mallory, scene) -> None:
    hook = scene.hook()

    assert signed_in(mallory).get(f"/o/acme/hooks/{hook.id}/live", headers=HTMX).status_code == 404


def test_a_hooks_page_and_the_list_say_circuit_end_and_lane(signed_in, ada, work, make) -> None:
    hook = make()
    state_of(
        work,
        hook,
        consecutive_failures=6,
        openings=1,
        open_until=work.now() + timedelta(minutes=4),
        lane="deliveries-slow",
    )

    browser = signed_in(ada)
    page = browser.see(f"/o/acme/hooks/{hook.id}")
    row = browser.see("/o/acme/hooks").select_one("tbody tr")

    assert "Paused after 6 failures in a row" in page.text
    assert "slow lane" in page.text
    assert "slow lane" in row.text
    assert row.select_one("time")["datetime"].startswith("2026-11-22T09:04")


def test_hooks_behind_a_silent_destination_say_so(signed_in, ada, work, make) -> None:
    hook = make()
    work.session.add(
        Destination(
            organization_number=hook.organization_number,
            name=hook.destination,
            failures=9,
            first_hook=hook.number,
            is_shared=True,
            openings=2,
            open_until=work.now() + timedelta(minutes=2),
        )
    )
    work.session.commit()

    page = signed_in(ada).see(f"/o/acme/hooks/{hook.id}")

    assert "Nothing answers at shop.example.com:443" in page.text


# --- all that waits -------------------------------------------------------------------------------------------------


@pytest.fixture
def backlog(scene, work):
    """A hook with two deliveries that wait for tomorrow and one that is held."""
    hook = scene.hook()
    waiting = [scene.put(scene.publish()[0], next_attempt_at=work.now() + timedelta(days=1)) for _ in range(2)]
    held = scene.put(scene.publish()[0], state="held", next_attempt_at=None)
    return hook, waiting, held


def test_all_that_waits_for_a_hook_is_sent_at_once(signed_in, ed, backlog, work, ring) -> None:
    hook, waiting, held = backlog
    browser = signed_in(ed)
    button = browser.see(f"/o/acme/hooks/{hook.id}").find("button", string="Send 2 now")

    answer = browser.submit(button.find_parent("form")["action"])

    work.session.expire_all()
    assert [one.next_attempt_at for one in waiting] == [work.now()] * 2
    assert held.state == "held"
    assert {"deliveries", "deliveries-slow"} <= set(ring.lanes)
    assert "2 deliveries are due now." in browser.get(answer.location).text


def test_all_that_waits_for_a_hook_is_canceled_at_once(signed_in, ed, backlog, elsewhere, work) -> None:
    hook, waiting, held = backlog
    elsewhere.hook()
    (foreign,) = elsewhere.publish()
    browser = signed_in(ed)
    form = browser.see(f"/o/acme/hooks/{hook.id}").find("button", string="Cancel 2").find_parent("form")

    browser.submit(form["action"])

    work.session.expire_all()
    assert [one.state for one in (*waiting, held, foreign)] == ["canceled", "canceled", "held", "pending"]
    assert "canceled all that waited" in browser.see(f"/o/acme/hooks/{hook.id}").get_text()


@pytest.mark.parametrize("act", ["send-waiting", "cancel-waiting"])
def test_viewers_and_strangers_move_nothing_that_waits(signed_in, vi, mallory, backlog, work, act: str) -> None:
    hook, waiting, _held = backlog

    assert signed_in(vi).submit(f"/o/acme/hooks/{hook.id}/{act}").status_code == 403
    assert signed_in(mallory).submit(f"/o/globex/hooks/{hook.id}/{act}").status_code == 404
    work.session.expire_all()
    assert {one.state for one in waiting} == {"pending"}


# --- its chart, and the APIs that show it ----------------------------------------------------------------------------


def test_the_chart_of_a_hook_covers_a_day_a_week_or_a_month(signed_in, ada, scene) -> None:
    hook = scene.hook()
    browser, path = signed_in(ada), f"/o/acme/hooks/{hook.id}"

    day, month = browser.see(path), browser.see(f"{path}?period=30d")
    block = browser.get(f"{path}?period=7d", headers={"HX-Request": "true"}).text

    assert "Nothing was sent in the last 24 hours" in day.get_text()
    assert month.select_one("#answers-panel [aria-current=true]").get_text() == "30 days"
    assert block.lstrip().startswith("<section")
    assert "in the last 7 days" in block


def test_a_new_hooks_secret_is_still_shown_when_the_chart_can_be_asked_for_alone(signed_in, ada) -> None:
    browser = signed_in(ada)
    answer = browser.submit("/o/acme/hooks/new", {"url": "https://example.com/", "all_events": "y"})

    assert browser.see(answer.location).select_one(".once code") is not None


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"all_events": True}, {"Hookyard"}),
        ({"all_events": False, "event_types": ["order.*"]}, {"Hookyard", "web/v1"}),
        ({"all_events": False, "event_types": ["pretix.event.order.paid"]}, {"Hookyard", "web/v1", "pretix"}),
        (
            {"all_events": False, "event_types": ["package.created"], "retry": {"kind": "fixed", "seconds": 5}},
            {"Hookyard", "web/v1", "OMS"},
        ),
    ],
)
def test_the_page_says_which_apis_show_the_hook_and_why_others_do_not(signed_in, ada, scene, fields, shown) -> None:
    hook = scene.hook(**fields)

    rows = signed_in(ada).see(f"/o/acme/hooks/{hook.id}").select("section[aria-labelledby=faces-title] li")

    found = {row.select_one(".badge").get_text(strip=True): row.get_text(" ", strip=True) for row in rows}
    assert {name for name, words in found.items() if "Not shown" not in words} == shown
    assert len(found) == 5
