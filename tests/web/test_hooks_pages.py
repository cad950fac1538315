"""The list of hooks with its switches, and what is done with all that waits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.models import Delivery, HookState
from tests.web.hooks_stage import state_of

HTMX = {"HX-Request": "true"}


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


def test_the_list_shows_what_a_hook_is_and_how_it_does(signed_in, ada, make_hook, work) -> None:
    make_hook(name="Shop", event_types=["order.paid", "order.*"])
    failing = make_hook(name="Books", all_events=True)
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
def test_filters_narrow_the_list(signed_in, ada, make_hook, work, query, names) -> None:
    make_hook(name="Shop")
    books = make_hook(name="Books", event_types=["user.*"])
    state_of(work, books, consecutive_failures=9, failing_since=work.now(), open_until=work.now() + timedelta(hours=1))
    make_hook(name="Old", event_types=["user.created"], is_active=False)

    page = signed_in(ada).see(f"/o/acme/hooks?{query}")

    assert [link.get_text() for link in page.select("tbody .title-link")] == names


def test_when_nothing_matches_the_filters_are_named(signed_in, ada, make_hook) -> None:
    make_hook()

    page = signed_in(ada).see("/o/acme/hooks?q=zzz&show=failing")

    assert "Nothing matches" in page.get_text()
    assert "there is 1 hook" in page.get_text()
    assert page.select('a[href="/o/acme/hooks?q=zzz"]')


def test_a_malformed_event_type_is_explained(signed_in, ada, make_hook) -> None:
    make_hook()

    page = signed_in(ada).see("/o/acme/hooks?event_type=not+a+type")

    assert "event type is made of" in page.get_text()


def test_htmx_gets_the_list_alone(signed_in, ada, make_hook) -> None:
    make_hook()

    answer = signed_in(ada).get("/o/acme/hooks?q=shop", headers=HTMX)

    assert "<html" not in answer.text
    assert 'id="hooks"' in answer.text
    assert "HX-Request" in answer.headers["Vary"]


def test_long_lists_go_on(signed_in, ada, make_hook) -> None:
    for number in range(52):
        make_hook(name=f"Hook {number}")

    browser = signed_in(ada)
    first = browser.see("/o/acme/hooks")
    older = first.select_one("a[rel=next]")
    second = browser.see(older["href"])

    assert len(first.select("tbody tr")) == 50
    assert [link.get_text() for link in second.select("tbody .title-link")] == ["Hook 1", "Hook 0"]


# --- the switch -----------------------------------------------------------------------------------------------------


def test_switching_off_holds_what_waits_and_says_how_much(signed_in, ada, make_hook, publish, work) -> None:
    hook = make_hook()
    publish("order.paid", times=2)
    browser = signed_in(ada)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "0"})

    assert answer.location == f"/o/acme/hooks/{hook.id}"
    page = browser.see(answer.location)
    assert "2 deliveries are held" in page.get_text()
    assert "Disabled by ada@" in page.get_text()
    assert page.select_one("button[role=switch]")["aria-checked"] == "false"


def test_with_htmx_the_switch_of_a_hooks_page_swaps_its_state(signed_in, ada, make_hook) -> None:
    hook = make_hook()
    browser = signed_in(ada)
    form = browser.see(f"/o/acme/hooks/{hook.id}").select_one("#hook-switch").find_parent("form")
    data = {"is_active": "0", "csrf_token": browser.token()}

    answer = browser.post(form["hx-post"], data=data, headers={**HTMX, "HX-Target": form["hx-target"].lstrip("#")})

    part = BeautifulSoup(answer.text, "html.parser")
    assert part.select_one("#standing #hook-switch")["aria-checked"] == "false"
    assert "Shop is off." in answer.headers["HX-Trigger"]


def test_a_hook_that_is_enabled_after_a_410_is_not_called_healthy(signed_in, ada, scene, work) -> None:
    hook = scene.hook()
    (delivery,) = scene.publish()
    scene.attempt(scene.put(delivery, state="failed"), status=410, outcome="gone")
    state_of(work, hook, last_outcome="gone", consecutive_failures=1)
    browser = signed_in(ada)
    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "0"})

    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"})

    state = browser.see(f"/o/acme/hooks/{hook.id}").select_one("#standing").get_text(" ", strip=True)
    assert "Enabled again after its last attempt failed" in state
    assert "Healthy" not in state
    assert "Nothing was sent yet" not in state


def test_with_htmx_the_switch_swaps_its_row_and_sends_a_toast(signed_in, ada, make_hook) -> None:
    hook = make_hook()

    answer = signed_in(ada).submit(f"/o/acme/hooks/{hook.id}/switch?next=/o/acme/hooks", {"is_active": "0"}, htmx=True)

    row = BeautifulSoup(answer.text, "html.parser")
    assert [tag.name for tag in row.find_all(recursive=False)] == ["tr"]
    assert row.select_one("button[role=switch]")["aria-checked"] == "false"
    assert "Shop is off" in answer.headers["HX-Trigger"]


def test_without_htmx_the_switch_of_the_list_leads_back_to_it(signed_in, ada, make_hook) -> None:
    hook = make_hook()
    browser = signed_in(ada)

    switch = browser.see("/o/acme/hooks?q=shop").select_one("form.switch-form")["action"]

    assert browser.submit(switch, {"is_active": "0"}).location == "/o/acme/hooks?q=shop"
    assert hook.id


@pytest.mark.parametrize(("held", "state"), [("release", "pending"), ("keep", "held"), ("cancel", "canceled")])
def test_switching_on_asks_what_becomes_of_held_deliveries(
    signed_in, ada, make_hook, publish, work, held, state
) -> None:
    hook = make_hook(is_active=False)
    publish("order.paid", times=3)
    browser = signed_in(ada)

    asked = browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"})
    assert asked.location == f"/o/acme/hooks/{hook.id}/switch-on"
    assert "3 deliveries were held" in browser.see(asked.location).get_text()

    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1", "held": held})
    assert set(work.session.scalars(select(Delivery.state))) == {state}


def test_with_htmx_the_question_is_a_page_of_its_own(signed_in, ada, make_hook, publish) -> None:
    hook = make_hook(is_active=False)
    publish("order.paid")

    answer = signed_in(ada).submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"}, htmx=True)

    assert answer.headers["HX-Redirect"] == f"/o/acme/hooks/{hook.id}/switch-on"


def test_kept_deliveries_can_be_released_later(signed_in, ada, make_hook, publish, work) -> None:
    hook = make_hook(is_active=False)
    publish("order.paid")
    browser = signed_in(ada)
    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1", "held": "keep"})

    page = browser.see(f"/o/acme/hooks/{hook.id}")
    assert "Release 1" in page.get_text()

    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1", "held": "release"})
    assert work.session.scalar(select(Delivery.state)) == "pending"


def test_switching_on_with_nothing_held_asks_nothing(signed_in, ada, make_hook) -> None:
    hook = make_hook(is_active=False)
    browser = signed_in(ada)

    assert browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "1"}).location == f"/o/acme/hooks/{hook.id}"
    assert "Nothing is held" in browser.see(f"/o/acme/hooks/{hook.id}/switch-on").get_text()


# --- all that waits -------------------------------------------------------------------------------------------------


@pytest.fixture
def backlog(scene, work, clock):
    """A hook with two deliveries that wait for tomorrow and one that is held."""
    hook = scene.hook()
    waiting = [scene.put(scene.publish()[0], next_attempt_at=work.now() + timedelta(days=1)) for _ in range(2)]
    held = scene.put(scene.publish()[0], state="held", next_attempt_at=None)
    clock.advance(seconds=11)
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


def test_sending_all_that_waits_ends_the_pause_of_an_open_circuit(signed_in, ed, backlog, work) -> None:
    hook, _waiting, _held = backlog
    state_of(work, hook, consecutive_failures=9, openings=3, open_until=work.now() + timedelta(minutes=50))
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/send-waiting")

    work.session.expire_all()
    state = work.session.get(HookState, hook.number)
    assert (state.open_until, state.openings) == (work.now(), 3)
    assert "One is sent first; if it arrives, the others follow." in browser.get(answer.location).text


def test_sending_all_that_waits_keeps_the_pause_that_a_receiver_asked_for(signed_in, ed, backlog, work) -> None:
    hook, _waiting, _held = backlog
    until = work.now() + timedelta(minutes=50)
    state_of(work, hook, openings=0, open_until=until)

    signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/send-waiting")

    work.session.expire_all()
    assert work.session.get(HookState, hook.number).open_until == until


def fields_of(form) -> dict[str, str]:
    return {one["name"]: one["value"] for one in form.select("input[type=hidden]") if one["name"] != "csrf_token"}


def test_what_waits_for_a_hook_is_canceled_after_a_page_that_says_how_much_it_is(
    signed_in, ed, backlog, elsewhere, work
) -> None:
    hook, waiting, held = backlog
    elsewhere.hook()
    (foreign,) = elsewhere.publish()
    browser = signed_in(ed)
    link = browser.see(f"/o/acme/hooks/{hook.id}").find("a", string="Cancel 2…")
    asked = browser.see(link["href"])
    form = asked.find("button", string="Cancel 2 deliveries").find_parent("form")

    answer = browser.submit(form["action"], fields_of(form))

    work.session.expire_all()
    assert [one.state for one in (*waiting, held, foreign)] == ["canceled", "canceled", "held", "pending"]
    listed = browser.see(answer.location)
    assert "2 deliveries were canceled" in listed.get_text()
    assert len(listed.select("tr[id^=delivery-]")) == 2
    assert "canceled all that waited" in browser.see(f"/o/acme/hooks/{hook.id}").get_text()


def test_nothing_is_canceled_without_asking(signed_in, ed, backlog, work) -> None:
    hook, waiting, _held = backlog

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/cancel-waiting")

    assert answer.location == f"/o/acme/hooks/{hook.id}/cancel-waiting"
    work.session.expire_all()
    assert {one.state for one in waiting} == {"pending"}


def test_what_comes_after_the_question_is_not_canceled(signed_in, ed, backlog, scene, work) -> None:
    hook, waiting, _held = backlog
    browser = signed_in(ed)
    form = browser.see(f"/o/acme/hooks/{hook.id}/cancel-waiting").select_one("main form")
    (later,) = scene.publish()

    answer = browser.submit(form["action"], fields_of(form))

    work.session.expire_all()
    assert [one.state for one in (*waiting, later)] == ["canceled", "canceled", "pending"]
    assert "2 deliveries were canceled" in browser.get(answer.location).text


def test_when_more_waits_than_was_shown_nothing_is_canceled_and_the_page_asks_again(
    signed_in, ed, backlog, scene, work
) -> None:
    """A failed delivery that somebody resends meanwhile is older than the newest that was shown."""
    hook, waiting, held = backlog
    browser = signed_in(ed)
    scene.put(waiting[0], state="failed", next_attempt_at=None)
    form = browser.see(f"/o/acme/hooks/{hook.id}/cancel-waiting").select_one("main form")
    scene.put(waiting[0], state="pending", next_attempt_at=work.now())

    answer = browser.submit(form["action"], fields_of(form))

    assert "None was canceled" in (asked := browser.see(answer.location)).get_text()
    assert asked.find("button", string="Cancel 2 deliveries")
    work.session.expire_all()
    assert [one.state for one in (*waiting, held)] == ["pending", "pending", "held"]


@pytest.mark.both_databases
def test_the_number_that_waits_does_not_change_while_some_are_being_sent(
    signed_in, ed, scene, backlog, clock, work
) -> None:
    hook, waiting, _held = backlog
    browser = signed_in(ed)
    scene.put(waiting[0], state="sending", next_attempt_at=None)

    assert browser.see(f"/o/acme/hooks/{hook.id}").find("a", string="Cancel 2…")
    scene.put(waiting[0], state="pending", next_attempt_at=work.now())
    assert browser.see(f"/o/acme/hooks/{hook.id}").find("a", string="Cancel 2…")

    scene.put(waiting[0], state="sending", next_attempt_at=None)
    form = browser.see(f"/o/acme/hooks/{hook.id}/cancel-waiting").select_one("main form")
    browser.submit(form["action"], fields_of(form))
    work.session.expire_all()
    assert [(one.state, one.cancel_requested) for one in waiting] == [("sending", True), ("canceled", False)]


def test_held_deliveries_of_a_hook_that_is_on_are_canceled_after_a_page_that_asks(signed_in, ed, backlog, work) -> None:
    hook, waiting, held = backlog
    browser = signed_in(ed)
    link = browser.see(f"/o/acme/hooks/{hook.id}").find("a", string="Cancel 1…")
    form = browser.see(link["href"]).select_one("main form")

    browser.submit(form["action"], fields_of(form))

    work.session.expire_all()
    assert [one.state for one in (*waiting, held)] == ["pending", "pending", "canceled"]


def test_what_was_held_after_the_question_is_released_and_not_canceled(signed_in, ed, backlog, scene, work) -> None:
    hook, _waiting, held = backlog
    browser = signed_in(ed)
    browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "0"})
    form = browser.see(f"/o/acme/hooks/{hook.id}/switch-on").select_one("main form")
    (later,) = scene.publish()

    browser.submit(form["action"], {**fields_of(form), "held": "cancel"})

    work.session.expire_all()
    assert (held.state, later.state) == ("canceled", "pending")


def test_switching_off_says_how_many_deliveries_are_held(signed_in, ed, backlog) -> None:
    hook, _waiting, _held = backlog
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/switch", {"is_active": "0"})

    assert "is off. 3 deliveries are held." in browser.see(answer.location).get_text()


@pytest.mark.parametrize("act", ["send-waiting", "cancel-waiting", "cancel-held"])
def test_viewers_and_strangers_move_nothing_that_waits(signed_in, vi, mallory, backlog, work, act: str) -> None:
    hook, waiting, _held = backlog

    assert signed_in(vi).submit(f"/o/acme/hooks/{hook.id}/{act}").status_code == 403
    assert signed_in(mallory).submit(f"/o/globex/hooks/{hook.id}/{act}").status_code == 404
    work.session.expire_all()
    assert {one.state for one in waiting} == {"pending"}


def test_a_test_is_one_click_away(signed_in, ada, scene) -> None:
    page = signed_in(ada).see(f"/o/acme/hooks/{scene.hook().id}")

    assert page.select_one("#test form button#send-test").get_text(strip=True) == "Send test"
