"""One hook: what it is, its secrets, its copies and its end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from console.models import Hook
from console.services import audit
from console.services.hooks import hook_secrets, hook_tests
from console.services.organizations import defaults
from console.services.organizations.defaults import Choice
from console.services.people import reveals
from tests.web.hooks_stage import HOSTILE, finish, state_of

CHANGES = (
    "/switch",
    "/test",
    "/delete",
    "/duplicate",
    "/edit",
    "/secret/reveal",
    "/secret/rotate",
    "/secret/end-overlap",
)
"""What is posted to change a hook, below its page."""

# --- one hook -------------------------------------------------------------------------------------------------------


def test_what_fell_due_this_moment_asks_for_nothing(signed_in, ada, make_hook, publish, clock) -> None:
    hook = make_hook()
    publish("order.paid", times=3)
    browser = signed_in(ada)

    assert "Send 3 now" not in browser.see(f"/o/acme/hooks/{hook.id}").get_text()
    clock.advance(seconds=11)
    assert "Send 3 now" in browser.see(f"/o/acme/hooks/{hook.id}").get_text()


def test_the_page_of_a_hook_says_how_it_does_and_what_it_is(signed_in, ada, make_hook, publish, work, clock) -> None:
    hook = make_hook(headers={"Authorization": "Bearer canary"}, retry={"kind": "fixed", "seconds": 60, "attempts": 3})
    publish("order.paid")
    clock.advance(minutes=1)
    state_of(work, hook, consecutive_failures=4, failing_since=work.now() - timedelta(hours=2))

    page = signed_in(ada).see(f"/o/acme/hooks/{hook.id}")

    text = page.get_text(" ", strip=True)
    assert "The last 4 attempts failed." in text
    assert "1 delivery waits" in text
    assert "3 attempts over 2 min" in text
    assert "canary" not in str(page)
    assert "Ada made it" in text or "made it" in text


def test_the_page_of_a_hook_that_fails_says_why_and_shows_what_failed_so(signed_in, ada, make_hook, work) -> None:
    hook = make_hook()
    state_of(work, hook, consecutive_failures=4, last_outcome="server_error", failing_since=work.now())
    browser = signed_in(ada)

    link = browser.see(f"/o/acme/hooks/{hook.id}").find("a", string="Server error (5xx)")

    assert link["href"].endswith("deliveries?outcome=server_error")
    assert "Latest: Server error (5xx)." in browser.see("/o/acme/").get_text(" ", strip=True)


def test_a_hook_that_hears_nothing_says_so_and_leads_to_the_choice(signed_in, ada, make_hook) -> None:
    deaf, hearing = make_hook(event_types=[]), make_hook()
    browser = signed_in(ada)

    page = browser.see(f"/o/acme/hooks/{deaf.id}")

    assert "It hears no events yet" in page.get_text()
    assert page.find("a", string="Choose events")["href"] == f"/o/acme/hooks/{deaf.id}/edit"
    assert "It hears no events yet" not in browser.see(f"/o/acme/hooks/{hearing.id}").get_text()


def test_hostile_names_stay_text(signed_in, ada, make_hook, work) -> None:
    hook = make_hook(name=HOSTILE, description=HOSTILE, headers={"X-Own": "a"})
    delivery = hook_tests.send(work, hook=hook)
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


def test_a_foreign_hook_is_not_there(signed_in, make_hook, mallory) -> None:
    hook = make_hook()
    browser = signed_in(mallory)

    for path in ("", "/edit", "/secret", "/verify", "/delete", "/switch-on", "/sample"):
        assert browser.get(f"/o/elsewhere/hooks/{hook.id}{path}").status_code == 404
        assert browser.get(f"/o/acme/hooks/{hook.id}{path}").status_code == 404
    for path in CHANGES:
        assert browser.submit(f"/o/elsewhere/hooks/{hook.id}{path}").status_code == 404


def test_a_viewer_reads_and_changes_nothing(signed_in, vi, make_hook) -> None:
    hook = make_hook()
    browser = signed_in(vi)

    page = browser.see(f"/o/acme/hooks/{hook.id}")
    assert not page.select("#test")
    assert page.select_one("button[role=switch]").has_attr("disabled")
    browser.see(f"/o/acme/hooks/{hook.id}/verify")

    for path in ("/edit", "/secret", "/delete", "/switch-on"):
        assert browser.get(f"/o/acme/hooks/{hook.id}{path}").status_code == 403
    for path in CHANGES:
        assert browser.submit(f"/o/acme/hooks/{hook.id}{path}").status_code == 403
    assert browser.get("/o/acme/hooks/new").status_code == 403


# --- copies and ends ------------------------------------------------------------------------------------------------


def test_a_copy_is_off_and_has_a_secret_of_its_own(signed_in, ed, make_hook, work) -> None:
    hook = make_hook(headers={"Authorization": "Bearer x"}, sources=[], timeout=5)
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/duplicate")

    copy = work.session.scalars(select(Hook).order_by(Hook.number.desc())).first()
    assert answer.location == f"/o/acme/hooks/{copy.id}/edit"
    assert (copy.name, copy.is_active, copy.sources, copy.timeout_s) == ("Copy of Shop", False, [], 5)
    assert hook_secrets.headers_of(work, copy) == {"Authorization": "Bearer x"}
    assert hook_secrets.secrets_of(work, copy)[0][1] != hook_secrets.secrets_of(work, hook)[0][1]


def test_deleting_says_what_it_takes_along(signed_in, ed, make_hook, publish, work) -> None:
    hook = make_hook()
    publish("order.paid", times=2)
    browser = signed_in(ed)

    assert "2 waiting deliveries are canceled" in browser.see(f"/o/acme/hooks/{hook.id}/delete").get_text()
    answer = browser.submit(f"/o/acme/hooks/{hook.id}/delete")

    assert answer.location == "/o/acme/hooks"
    assert "2 waiting deliveries were canceled" in browser.see("/o/acme/hooks").get_text()
    assert browser.get(f"/o/acme/hooks/{hook.id}").status_code == 404


# --- secrets --------------------------------------------------------------------------------------------------------


def test_the_secret_is_masked_until_the_password_is_given(signed_in, ed, make_hook, work) -> None:
    hook = make_hook()
    secret = hook_secrets.secrets_of(work, hook)[0][1]
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


def test_guessing_the_password_is_slowed_down(signed_in, ed, make_hook) -> None:
    hook = make_hook()
    browser = signed_in(ed)
    for _ in range(5):
        browser.submit(f"/o/acme/hooks/{hook.id}/secret/reveal", {"password": "wrong wrong wrong"})

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/secret/reveal", {"password": "correct horse battery"})

    assert answer.status_code == 429
    assert "whsec_" not in answer.text


def test_a_rotated_secret_is_shown_once_and_both_sign_for_a_while(signed_in, ed, make_hook, work) -> None:
    hook = make_hook()
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", {"overlap": "86400", "version": hook.version})

    first = browser.see(answer.location)
    work.session.expire_all()
    new = hook_secrets.secrets_of(work, hook)[0][1]
    assert new in str(first)
    assert "What signs now" in first.get_text()
    assert new not in str(browser.see(answer.location))

    asked = browser.see(f"/o/acme/hooks/{hook.id}/secret/end-overlap").select_one("main form.panel")
    browser.submit(asked["action"], {one["name"]: one["value"] for one in asked.select("input")})
    assert len(browser.see(answer.location).select("#secrets-title ~ button, .panel:first-child .items li")) == 1


def test_a_rotation_that_is_sent_twice_happens_once(signed_in, ed, make_hook) -> None:
    hook = make_hook()
    browser = signed_in(ed)
    form = {"overlap": "86400", "version": hook.version}
    browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", form)

    assert browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", form).status_code == 409


def test_a_secret_of_ones_own_must_be_one(signed_in, ed, make_hook) -> None:
    hook = make_hook()

    answer = signed_in(ed).submit(
        f"/o/acme/hooks/{hook.id}/secret/rotate", {"overlap": "0", "version": hook.version, "secret": "whsec_short"}
    )

    assert answer.status_code == 422
    assert "base64" in answer.text


def test_the_snippets_know_the_address_and_not_the_secret(signed_in, ed, make_hook, work) -> None:
    hook = make_hook(url="https://shop.example.com/in/$(reboot)'x")
    secret = hook_secrets.secrets_of(work, hook)[0][1]

    page = signed_in(ed).see(f"/o/acme/hooks/{hook.id}/verify")

    code = [one.get_text() for one in page.select("pre code")]
    assert len(code) == 3
    assert '@app.post("/in/$(reboot)' in code[0]
    assert "'https://shop.example.com/in/$(reboot)'\\''x'" in code[2]
    assert secret not in str(page)


def test_looking_at_a_secret_is_audited(work, ada, make_hook, as_person) -> None:
    hook = make_hook()
    shown = reveals.reveal(as_person(ada), hook=hook, user=ada.user, password="correct horse battery")

    assert [text for _, text in shown] == [text for _, text in hook_secrets.secrets_of(work, hook)]
    latest = audit.find(work, organization_number=ada.organization.number, limit=1)[0]
    assert (latest.action, latest.object_id, latest.actor) == ("hook.secret_revealed", str(hook.id), "ada@example.com")


# --- its chart, and the APIs that show it ----------------------------------------------------------------------------


def test_the_chart_of_a_hook_covers_a_day_a_week_or_a_month(signed_in, ada, scene) -> None:
    hook = scene.hook()
    browser, path = signed_in(ada), f"/o/acme/hooks/{hook.id}"

    day, month = browser.see(path), browser.see(f"{path}?period=30d")
    block = browser.get(f"{path}?period=7d", headers={"HX-Request": "true"}).text

    assert "No event was sent in the last 24 hours. Tests do not count here." in day.get_text()
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
def test_the_page_says_which_apis_show_the_hook_and_why_others_do_not(
    signed_in, ada, scene, switch_on, fields, shown
) -> None:
    switch_on(ada)
    hook = scene.hook(**fields)

    rows = signed_in(ada).see(f"/o/acme/hooks/{hook.id}").select("section[aria-labelledby=faces-title] dl > div")

    found = {row.select_one(".badge").get_text(strip=True): row.get_text(" ", strip=True) for row in rows}
    assert {name for name, words in found.items() if "Not shown" not in words} == shown
    assert len(found) == 5


def test_the_page_says_by_what_each_api_knows_the_hook_and_what_it_calls_its_fields(
    signed_in, ada, make_hook, switch_on
) -> None:
    switch_on(ada)
    hook = make_hook(event_types=["pretix.event.order.paid"])

    faces = signed_in(ada).see(f"/o/acme/hooks/{hook.id}").select_one("[aria-labelledby=faces-title]")

    known_by = {
        face.select_one(".badge").get_text(strip=True): (
            face.select_one("dd code").get_text(),
            [one["data-copy"] for one in face.select("[data-copy]")],
        )
        for face in faces.select("dl > div")
        if face.select_one("dd code")
    }
    assert known_by == {
        "Hookyard": ("id", [str(hook.id), f"/api/v1/hooks/{hook.id}"]),
        "web/v1": ("id", [str(hook.id), f"/api/web/v1/webhooks/{hook.id}"]),
        "pretix": ("id", [str(hook.number), f"/api/v1/organizers/acme/webhooks/{hook.number}/"]),
    }
    assert ["description", "comment"] in [list(one.stripped_strings) for one in faces.select("li")]


@pytest.mark.parametrize(("chosen", "words"), [(None, "30 days after a delivery ends, the default"), (7, "7 days")])
def test_the_page_says_how_long_the_log_is_kept(signed_in, ada, make_hook, work, chosen, words) -> None:
    hook = make_hook()
    defaults.change(work, organization=ada.organization, choice=Choice(retention_days=chosen))

    page = signed_in(ada).see(f"/o/acme/hooks/{hook.id}")

    assert words in page.select_one("[aria-labelledby=summary-title]").get_text()
