"""Explain on a hook's page, the reasons on an event's page, sending an event again, and trying an unsaved hook."""

from __future__ import annotations

from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.models import Delivery, Event, Hook
from console.services.event_types import catalogue
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from tests.web.soup import words_of

HTMX = {"HX-Request": "true"}
FORM = {"name": "Shop", "url": "https://shop.example.com/hook", "payload_format": "standard", "content_type": "json"}


def newest(work, model):
    work.session.commit()
    work.session.expire_all()
    return work.session.scalars(select(model).order_by(model.number.desc())).first()


# --- explain on a hook ----------------------------------------------------------------------------------------------


def test_without_an_event_the_page_offers_the_latest(signed_in, vi, scene) -> None:
    hook = scene.hook()
    scene.publish("order.paid")

    page = signed_in(vi).see(f"/o/acme/hooks/{hook.id}/explain")

    assert page.select_one(f"a[href*='explain?event={newest(scene.work, Event).id}']")
    assert page.select_one("textarea").get_text(strip=True)


def test_an_event_is_explained_rule_by_rule(signed_in, vi, scene, work) -> None:
    sources.create(work, organization_number=vi.organization.number, slug="shop")
    hook = scene.hook(all_events=False, event_types=["order.*"], sources=["shop"], filter="total > `100`")
    scene.publish("order.paid", payload=b'{"total": 7}', source="shop")
    event = newest(work, Event)

    page = signed_in(vi).see(f"/o/acme/hooks/{hook.id}/explain?event={event.id}")

    assert "Would not be delivered: the filter says no" in words_of(page.select_one("#verdict-title"))
    lines = [words_of(line) for line in page.select("[aria-labelledby=verdict-title] .checks li")]
    assert lines == [
        "Switch The hook is on.",
        "Event type Its pattern order.* covers order.paid.",
        "Source It listens to events of the source shop.",
        "Filter Its filter total > `100` gives false. total is 7",
    ]
    assert [icon["aria-label"] for icon in page.select("#answer .panel:first-child .checks svg")] == ["Yes"] * 3 + [
        "No"
    ]
    assert "Nothing was changed since" in page.get_text()


def test_a_made_up_event_is_explained_without_being_published(signed_in, vi, scene, work) -> None:
    hook = scene.hook(filter="total > `100`")

    for payload, verdict in (('{"total": 500}', "Would be delivered"), ("{}", "Would not be delivered")):
        answer = signed_in(vi).submit(
            f"/o/acme/hooks/{hook.id}/explain", {"event_type": "order.paid", "payload": payload}, htmx=True
        )
        assert answer.status_code == 200
        assert verdict in words_of(BeautifulSoup(answer.text, "html.parser"))
    assert newest(work, Event) is None


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"event_type": "a b", "payload": "{}"}, "event type"),
        ({"event_type": "a", "payload": "{"}, "not JSON"),
        ({"event_type": "a", "payload": ""}, "Give a payload"),
    ],
)
def test_what_cannot_be_explained_is_said(signed_in, vi, scene, form, words) -> None:
    hook = scene.hook()

    answer = signed_in(vi).submit(f"/o/acme/hooks/{hook.id}/explain", form)

    assert answer.status_code == 422
    assert words in " ".join(one.get_text() for one in BeautifulSoup(answer.text, "html.parser").select(".field-error"))


def test_unknown_and_foreign_events_are_not_found(signed_in, vi, scene, elsewhere) -> None:
    hook = scene.hook()
    elsewhere.publish("secret.type")
    foreign = newest(scene.work, Event)

    for event in (foreign.id, uuid4(), "nonsense"):
        answer = signed_in(vi).get(f"/o/acme/hooks/{hook.id}/explain?event={event}")
        assert answer.status_code == 422
        assert "secret.type" not in answer.text
    assert signed_in(vi).get(f"/o/acme/hooks/{elsewhere.hook().id}/explain").status_code == 404


# --- an event's page ------------------------------------------------------------------------------------------------


def test_a_filter_that_said_no_is_named_on_the_page_of_the_event(signed_in, ada, scene, work, clock) -> None:
    scene.hook(name="Large only", filter="total > `100`")
    broken = scene.hook(name="Broken", filter="length(total) > `1`")
    scene.publish("order.paid", payload=b'{"total": 7}')

    page = signed_in(ada).see(f"/o/acme/events/{newest(work, Event).id}")

    reasons = words_of(page.select_one("[aria-labelledby=unmatched-title]"))
    assert "Large only Its filter total > `100` gives false." in reasons
    assert "Broken Its filter length(total) > `1` gives nothing. length() takes" in reasons
    assert "these rules are the ones that decided" in reasons
    clock.advance(minutes=1)
    hooks.change(work, hook=broken, draft=HookDraft(name="Mended"))
    page = signed_in(ada).see(f"/o/acme/events/{newest(work, Event).id}")
    assert "So it is now; the hook was changed after the event." in words_of(page.select_one("#main"))


def test_an_event_is_sent_again_to_all_that_want_it_or_to_one(signed_in, ed, scene, work) -> None:
    event_path = f"/o/acme/events/{scene.publish('order.paid') or newest(work, Event).id}"
    wants = scene.hook(name="Wants it")
    other = scene.hook(name="Other", all_events=False, event_types=["other"])
    browser = signed_in(ed)

    page = browser.see(event_path)
    assert "Resend to the one hook that wants it" in page.get_text()
    assert browser.submit(f"{event_path}/resend").status_code == 303
    assert browser.submit(f"{event_path}/resend", {"hook": str(other.id)}).status_code == 303

    work.session.commit()
    assert list(work.session.scalars(select(Delivery.hook_number).order_by(Delivery.number))) == [
        wants.number,
        other.number,
    ]


def test_viewers_do_not_send_events_again_and_foreign_hooks_are_not_found(
    signed_in, ed, vi, scene, elsewhere, work
) -> None:
    scene.publish("order.paid")
    path = f"/o/acme/events/{newest(work, Event).id}"
    scene.hook()

    assert "Resend to" not in signed_in(vi).see(path).get_text()
    assert signed_in(vi).submit(f"{path}/resend").status_code == 403
    assert signed_in(ed).submit(f"{path}/resend", {"hook": str(elsewhere.hook().id)}).status_code == 404


# --- the form: filters, offers, trials ------------------------------------------------------------------------------


def part(browser, name: str, **form: object) -> str:
    answer = browser.submit(f"/o/acme/hooks/parts/{name}", {**FORM, **form}, htmx=True)
    assert answer.status_code == 200
    return words_of(BeautifulSoup(answer.text, "html.parser"))


def test_a_filter_is_saved_shown_and_refused_under_its_field(signed_in, ed, work) -> None:
    browser = signed_in(ed)

    wrong = browser.submit("/o/acme/hooks/new", {**FORM, "filter": "total >"})
    assert wrong.status_code == 422
    assert "ends too early" in BeautifulSoup(wrong.text, "html.parser").select_one("#filter-error-1").get_text()
    assert browser.submit("/o/acme/hooks/new", {**FORM, "filter": "total > `1`"}).status_code == 303

    hook = newest(work, Hook)
    assert hook.filter == "total > `1`"
    assert browser.see(f"/o/acme/hooks/{hook.id}/edit").select_one("#filter")["value"] == "total > `1`"
    assert "total > `1`" in browser.see(f"/o/acme/hooks/{hook.id}").get_text()
    browser.submit(f"/o/acme/hooks/{hook.id}/duplicate")
    assert newest(work, Hook).filter == "total > `1`"


def test_a_filter_is_tried_while_it_is_typed(signed_in, ed, scene, work) -> None:
    catalogue.create(
        work, organization_number=ed.organization.number, name="order.paid", groups=[], sample={"total": 50}
    )
    for total in (1, 60, 70):
        scene.publish("order.paid", payload=b'{"total": %d}' % total)
    browser = signed_in(ed)

    said = part(browser, "filter_words", event_types=["order.paid"], filter="total > `55`")
    assert "The sample of order.paid gives false , so it would not be delivered. total is 50" in said
    assert "Of the latest 3 events that it would hear, 2 would be delivered." in said
    assert "character 7" in part(browser, "filter_words", filter="total }")
    assert part(browser, "filter_words", filter="") == ""


def test_a_filter_on_every_event_is_tried_on_what_comes_not_on_samples_of_other_systems(signed_in, ed, scene) -> None:
    scene.publish("order.paid", payload=b'{"total": 60}')

    said = part(signed_in(ed), "filter_words", all_events="y", filter="total > `55`")

    assert said == "Of the latest 1 event that it would hear, 1 would be delivered."


def test_what_a_pattern_matches_is_counted_and_a_prefix_is_offered_as_one(signed_in, ed, scene, work) -> None:
    for _ in range(3):
        scene.publish("order.paid")
    browser = signed_in(ed)

    assert "Matches 1 type today: order.paid ; 3 events in the last 7 days." in part(
        browser, "matching", patterns="order.*"
    )
    offered = part(browser, "matching", patterns="order")
    assert "There is no type order , but 1 type begins so." in offered
    answer = browser.submit(
        "/o/acme/hooks/new", {**FORM, "patterns": "order, a.b", "add_pattern": "order.*"}, htmx=True
    )
    assert BeautifulSoup(answer.text, "html.parser").select_one("#patterns")["value"] == "a.b, order.*"


def test_own_types_and_those_seen_come_first_and_those_that_come_with_hookyard_are_closed(
    signed_in, ed, scene, work
) -> None:
    catalogue.create(work, organization_number=ed.organization.number, name="cart.left", groups=["Carts"])
    scene.publish("never.catalogued")

    page = signed_in(ed).see("/o/acme/hooks/new")

    titles = [one.get_text(strip=True) for one in page.select("#picker-list > fieldset > details > summary > strong")]
    assert titles == ["Carts", "Seen, but not in the catalogue", "Types that come with Hookyard"]
    assert not page.select("#picker-list > fieldset")[-1].details.has_attr("open")
    assert page.select_one("#picker-list [value='never.catalogued']")


def test_what_stands_in_the_form_is_tested_and_nothing_is_saved(signed_in, ed, work) -> None:
    browser = signed_in(ed)

    answer = browser.submit("/o/acme/hooks/new", {**FORM, "try": "1", "all_events": "y"}, htmx=True)

    sent = newest(work, Delivery)
    soup = BeautifulSoup(answer.text, "html.parser")
    assert soup.select_one("#trial #test-result")["hx-get"].startswith(f"/o/acme/hooks/trials/{sent.id}")
    assert (sent.url, sent.is_test, sent.trigger) == (FORM["url"], True, "test")
    assert "No hooks yet" in browser.see("/o/acme/hooks").get_text()
    assert "Shop, not saved" in browser.see(f"/o/acme/deliveries/{sent.id}").get_text()
    assert browser.get(f"/o/acme/hooks/trials/{sent.id}?after=pending-quick", headers=HTMX).status_code == 204
    assert browser.get(f"/o/acme/hooks/trials/{sent.id}?after=x", headers=HTMX).status_code == 200
    assert browser.get(f"/o/acme/hooks/trials/{sent.id}").status_code == 303


def test_without_scripts_the_form_comes_back_with_the_test_in_it(signed_in, ed, work) -> None:
    answer = signed_in(ed).submit("/o/acme/hooks/new", {**FORM, "try": "1", "description": "Kept"})

    soup = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 200
    assert soup.select_one("textarea[name=description]").get_text(strip=True) == "Kept"
    assert soup.select_one(f"#trial a[href$='/deliveries/{newest(work, Delivery).id}']")


def test_a_form_that_could_not_be_saved_is_not_tested(signed_in, ed, work) -> None:
    browser = signed_in(ed)

    for data in ({"url": ""}, {"url": "http://10.0.0.1/"}, {"filter": ")"}):
        answer = browser.submit("/o/acme/hooks/new", {**FORM, **data, "try": "1"}, htmx=True)
        assert answer.status_code == 422
        assert BeautifulSoup(answer.text, "html.parser").select_one("#main [data-error-summary] li")
        assert answer.headers["HX-Reselect"] == answer.headers["HX-Retarget"] == "#main"
    assert newest(work, Delivery) is None


def test_only_trials_are_shown_as_trials_and_only_to_their_organization(signed_in, ed, mallory, scene, work) -> None:
    (delivery,) = scene.publish() if scene.hook() else ()
    signed_in(ed).submit("/o/acme/hooks/new", {**FORM, "try": "1"}, htmx=True)
    trial = newest(work, Delivery)

    assert signed_in(ed).get(f"/o/acme/hooks/trials/{delivery.id}").status_code == 404
    assert signed_in(mallory).get(f"/o/elsewhere/hooks/trials/{trial.id}").status_code == 404


def test_viewers_try_nothing(signed_in, vi) -> None:
    assert signed_in(vi).submit("/o/acme/hooks/new", {**FORM, "try": "1"}).status_code == 403
