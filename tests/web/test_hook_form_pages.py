"""The form of a hook: what it saves, what it refuses, what it shows while somebody types."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.models import Bin, Hook
from console.services.bins import bins
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources

FORM = {"name": "Shop", "url": "https://shop.example.com/hook", "payload_format": "standard", "content_type": "json"}


@pytest.fixture
def browser(signed_in, ed):
    """A browser in which Ed is signed in."""
    return signed_in(ed)


@pytest.fixture
def hook(work, ed) -> Hook:
    draft = HookDraft(name="Shop", url="https://shop.example.com/hook", event_types=["order.*", "webhook.test"])
    made = hooks.create(work, organization_number=ed.organization.number, author_number=None, draft=draft)
    work.session.commit()
    return made.hook


def saved(work) -> Hook:
    """Give the newest hook."""
    work.session.commit()
    work.session.expire_all()
    return work.session.scalars(select(Hook).order_by(Hook.number.desc())).first()


WRONG = [
    ({"url": ""}, "url", "Give the URL"),
    ({"url": "ftp://example.com"}, "url", ""),
    ({"url": "http://10.0.0.1/x"}, "url", "HOOKYARD_ALLOW_NETS"),
    ({"patterns": "not!a!type"}, "patterns", "event type"),
    ({"event_groups": ["no such group"]}, "event_types", "no event group"),
    ({"sources": ["nowhere"], "which_sources": "some"}, "which_sources", "no source"),
    ({"header_name": ["Host"], "header_value": ["x"]}, "headers", "Host"),
    ({"header_name": ["X-A", "X-A"], "header_value": ["1", "2"]}, "headers", "twice"),
    ({"header_name": [""], "header_value": ["1"]}, "headers", "no name"),
    ({"timeout": "99"}, "timeout", "1 to 30"),
    ({"timeout": "soon"}, "timeout", "whole number"),
    ({"max_in_flight": "0"}, "max_in_flight", ""),
    ({"rate_count": "0", "rate_seconds": "60"}, "rate_count", "Give a whole number from 1 to 100000."),
    ({"rate_count": "100"}, "rate_seconds", "Give a whole number from 1 to 86400."),
    ({"rate_seconds": "60"}, "rate_count", "Give a whole number from 1 to 100000."),
    ({"retry_kind": "fixed", "retry_seconds": "soon"}, "retry_seconds", "Give a number"),
    ({"retry_kind": "fixed"}, "retry_seconds", "Give a number."),
    ({"retry_kind": "fixed", "retry_seconds": "-1"}, "retry_seconds", "Give a number from 0 to 2592000."),
    ({"retry_kind": "list"}, "retry_delays", "Give a list of 1 to 50 numbers of seconds."),
    ({"retry_kind": "list", "retry_delays": "1, -1"}, "retry_delays", "A delay is a number from 0"),
    (
        {"retry_kind": "fixed", "retry_seconds": "5", "retry_attempts": "99"},
        "retry_attempts",
        "Give a whole number from 1 to 50.",
    ),
    ({"retry_kind": "fixed", "retry_seconds": "nan"}, "retry_seconds", "Give a number"),
    ({"name": "x" * 201}, "name", "200"),
]


def fields_of(page: BeautifulSoup) -> dict[str, list[str]]:
    """Collect what a browser would send for the form of a page."""
    form: dict[str, list[str]] = {}
    for control in page.select("form.form input[name], form.form textarea[name]"):
        if control.find_parent("template") or control["name"] == "csrf_token":
            continue
        if control.get("type") in {"checkbox", "radio"} and not control.has_attr("checked"):
            continue
        value = control.get_text() if control.name == "textarea" else control.get("value", "")
        form.setdefault(control["name"], []).append(value)
    for control in page.select("form.form select[name]"):
        chosen = control.select_one("option[selected]") or control.select_one("option")
        form.setdefault(control["name"], []).append(chosen["value"])
    return form


def test_the_empty_form_is_sound(browser) -> None:
    page = browser.see("/o/acme/hooks/new")

    assert page.select_one("#picker-list details:not([open])")
    assert "would receive nothing" in page.select_one("#matching").get_text()
    assert "11 attempts" in page.select_one("#retry-times").get_text()
    assert "Gives up after 3 d 3 h 36 min" in page.select_one("#retry-times").get_text()


def test_a_hook_is_made_and_its_secret_shown_once(browser, work) -> None:
    form = {**FORM, "event_types": ["webhook.test"], "event_groups": ["hookyard"], "patterns": "order.*, user.created"}

    answer = browser.submit("/o/acme/hooks/new", form)

    hook = saved(work)
    assert (answer.status_code, answer.location) == (303, f"/o/acme/hooks/{hook.id}")
    assert hook.event_types == ["webhook.test", "order.*", "user.created"]
    assert hook.event_groups == ["hookyard"]
    secret = hook_secrets.secrets_of(work, hook)[0][1]
    assert secret in browser.get(answer.location).text
    assert secret not in browser.get(answer.location).text
    assert hook.author.username == "ed"


def test_everything_in_advanced_is_saved(browser, work, ed) -> None:
    sources.create(work, organization_number=ed.organization.number, slug="berlin")
    form = {
        **FORM,
        "all_events": "y",
        "description": "For Ada",
        "content_type": "form",
        "header_name": ["Authorization", "X-Shop", ""],
        "header_value": ["Bearer canary", "berlin", ""],
        "which_sources": "some",
        "sources": ["berlin"],
        "retry_kind": "list",
        "retry_delays": "10, 60 300.5",
        "retry_attempts": "5",
        "timeout": "7",
        "max_in_flight": "3",
        "rate_count": "100",
        "rate_seconds": "60",
    }

    answer = browser.submit("/o/acme/hooks/new", form)

    assert answer.status_code == 303, BeautifulSoup(answer.text, "html.parser").select(".field-error")
    hook = saved(work)
    assert hook_secrets.headers_of(work, hook) == {"Authorization": "Bearer canary", "X-Shop": "berlin"}
    assert hook.retry == {"kind": "list", "delays": [10, 60, 300.5], "attempts": 5}
    assert (hook.sources, hook.timeout_s, hook.max_in_flight) == (["berlin"], 7, 3)
    assert (hook.rate_limit, hook.content_type, hook.all_events) == ({"count": 100, "seconds": 60}, "form", True)


@pytest.mark.parametrize(("choice", "stored"), [("any", None), ("none", []), ("some", [])])
def test_sources_are_all_some_or_none(browser, work, choice, stored) -> None:
    browser.submit("/o/acme/hooks/new", {**FORM, "which_sources": choice})

    assert saved(work).sources == stored


@pytest.mark.parametrize(("changes", "field", "words"), WRONG)
def test_what_is_refused_is_named_and_kept(browser, work, changes, field, words) -> None:
    answer = browser.submit("/o/acme/hooks/new", {**FORM, "description": "Kept", **changes})

    assert answer.status_code == 422
    page = BeautifulSoup(answer.text, "html.parser")
    stands = page.select_one(f"#{field}-error-1")
    assert words in stands.get_text()
    about = page.select_one(f"#{field}")
    assert stands["id"] in about["aria-describedby"].split()
    assert about in [stands.parent, *stands.parent.find_all()]
    assert [one["href"] for one in page.select("[data-error-summary] li a")] == [f"#{field}"]
    assert page.select_one("textarea[name=description]").get_text().strip() == "Kept"
    assert work.session.scalar(select(Hook)) is None
    assert not page.select("#retry-times.field-error"), "said once, at the field"


def test_the_form_shows_what_a_hook_is(browser, hook) -> None:
    page = browser.see(f"/o/acme/hooks/{hook.id}/edit")

    assert [box["value"] for box in page.select("#picker-list input[checked]")] == ["webhook.test"]
    assert page.select_one("[name=patterns]")["value"] == "order.*"
    assert page.select_one("[name=version]")["value"] == str(hook.version)
    assert page.select_one("#picker-list details[open]")


def test_a_hook_is_changed(browser, hook, work) -> None:
    answer = browser.submit(
        f"/o/acme/hooks/{hook.id}/edit", {**FORM, "name": "New", "version": hook.version, "patterns": "a.b"}
    )

    assert answer.location == f"/o/acme/hooks/{hook.id}"
    changed = saved(work)
    assert (changed.name, changed.event_types, changed.version) == ("New", ["a.b"], 2)


def test_who_comes_second_sees_both_versions_and_may_go_on(browser, hook, work) -> None:
    hooks.change(work, hook=hook, draft=HookDraft(name="Theirs"))
    work.session.commit()
    form = {**FORM, "name": "Mine", "version": "1", "patterns": "order.*", "event_types": ["webhook.test"]}

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/edit", form)

    assert answer.status_code == 409
    page = BeautifulSoup(answer.text, "html.parser")
    row = [cell.get_text() for cell in page.select("[role=alert] tbody tr")[0].select("th, td")]
    assert row == ["Name", "Theirs", "Mine"]
    assert page.select_one("[name=version]")["value"] == "2"
    assert saved(work).name == "Theirs"

    browser.submit(f"/o/acme/hooks/{hook.id}/edit", {**form, "version": "2"})
    assert saved(work).name == "Mine"


@pytest.mark.parametrize("version", ["", "abc", "-1", "9" * 30])
def test_a_made_up_version_changes_nothing(browser, hook, work, version) -> None:
    answer = browser.submit(f"/o/acme/hooks/{hook.id}/edit", {**FORM, "name": "New", "version": version})

    assert answer.status_code == 409
    assert saved(work).name == "Shop"


def test_a_sensitive_header_is_kept_unless_another_is_written(browser, hook, work) -> None:
    hooks.change(work, hook=hook, draft=HookDraft(headers={"Authorization": "Bearer canary", "X-Shop": "berlin"}))
    work.session.commit()

    page = browser.see(f"/o/acme/hooks/{hook.id}/edit")
    assert "canary" not in str(page)
    assert [one["value"] for one in page.select(".pairs [name=header_value]")] == ["", "berlin", ""]

    kept = [one["value"] for one in page.select(".pairs [name=header_kept]")]
    assert kept == ["Authorization", "", ""]
    names, values = ["Authorization", "X-Shop", ""], ["", "lisbon", ""]
    form = {**FORM, "header_name": names, "header_value": values, "header_kept": kept}
    browser.submit(f"/o/acme/hooks/{hook.id}/edit", {**form, "version": "2"})
    assert hook_secrets.headers_of(work, saved(work)) == {"Authorization": "Bearer canary", "X-Shop": "lisbon"}

    browser.submit(f"/o/acme/hooks/{hook.id}/edit", {**FORM, "version": "3"})
    assert hook_secrets.headers_of(work, saved(work)) == {}


@pytest.mark.parametrize(
    "retry",
    [
        None,
        {"kind": "schedule", "attempts": 3},
        {"kind": "fixed", "seconds": 60},
        {"kind": "linear", "base": 10, "start": 5, "limit": 100},
        {"kind": "exponential", "base": 2, "factor": 1.5, "attempts": 4, "jitter": 0.2, "expires_after": 3600},
        {"kind": "random", "min": 5, "max": 50},
        {"kind": "list", "delays": [1, 2.5, 3]},
    ],
)
def test_saving_without_a_change_changes_no_retry_policy(browser, hook, work, retry) -> None:
    hooks.change(work, hook=hook, draft=HookDraft(retry=retry))
    work.session.commit()
    page = browser.see(f"/o/acme/hooks/{hook.id}/edit")

    browser.submit(f"/o/acme/hooks/{hook.id}/edit", fields_of(page))

    assert saved(work).retry == retry
    assert saved(work).version == 3


def test_saving_without_a_change_changes_nothing_at_all(browser, work, ed) -> None:
    sources.create(work, organization_number=ed.organization.number, slug="berlin")
    draft = HookDraft(
        name="Shop",
        url="http://shop.example.com:8080/hook?a=b&c=ü".replace("ü", "%C3%BC"),
        description="Two\nlines",
        event_types=["order.*", "webhook.test", "*.b"],
        event_groups=["hookyard"],
        sources=["berlin"],
        content_type="form",
        headers={"Authorization": "x", "X-Shop": "y"},
        timeout=3,
        max_in_flight=9,
        rate_limit={"count": 5, "seconds": 10},
    )
    made = hooks.create(work, organization_number=ed.organization.number, author_number=None, draft=draft).hook
    work.session.commit()
    before = {column.key: getattr(made, column.key) for column in Hook.__table__.columns}
    headers = hook_secrets.headers_of(work, made)

    form = fields_of(browser.see(f"/o/acme/hooks/{made.id}/edit"))
    answer = browser.submit(f"/o/acme/hooks/{made.id}/edit", form)

    assert answer.status_code == 303
    after = saved(work)
    changed = {name for name, value in before.items() if getattr(after, name) != value}
    assert changed - {"event_types"} == {"version", "sealed_headers"}
    assert sorted(after.event_types) == sorted(before["event_types"])
    assert hook_secrets.headers_of(work, after) == headers


# --- bins -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("htmx", [True, False])
def test_a_bin_is_made_on_the_way_and_its_address_filled_in(browser, work, htmx) -> None:
    answer = browser.submit("/o/acme/hooks/new", {"name": "Trial", "url": "", "use_bin": "1"}, htmx=htmx)

    assert answer.status_code == 200
    made = work.session.scalar(select(Bin))
    page = BeautifulSoup(answer.text, "html.parser")
    assert page.select_one("[name=url]")["value"] == f"http://hookyard.test/in/{made.key}"
    assert made.name == "Trial"
    assert bool(page.h1) != htmx

    browser.submit("/o/acme/hooks/new", {**FORM, "url": f"http://hookyard.test/in/{made.key}"})
    assert saved(work).url.endswith(made.key)


def test_a_bin_leads_here_with_its_address(browser, work, ed) -> None:
    made = bins.create(work, organization=ed.organization, name="Trial")

    page = browser.see(f"/o/acme/hooks/new?bin={made.id}")

    assert page.select_one("[name=url]")["value"].endswith(made.key)
    assert "Hookyard's own receiver" in page.get_text()


def test_a_foreign_bin_is_not_there(browser, work, mallory) -> None:
    made = bins.create(work, organization=mallory.organization, name="Theirs")

    assert browser.get(f"/o/acme/hooks/new?bin={made.id}").status_code == 404


@pytest.mark.parametrize(("name", "place"), [("webhook.test", "#picker-list"), ("stock.low", "[name=patterns]")])
def test_an_event_type_can_be_chosen_by_the_address(browser, name, place) -> None:
    page = browser.see(f"/o/acme/hooks/new?event_type={name}")

    part = page.select_one(place)
    assert part.get("value") == name or part.select_one("input[checked]")["value"] == name


def test_a_host_that_nobody_knows_is_saved_with_a_word_about_it(signed_in, ada, unknown_hosts) -> None:
    unknown_hosts.add("nowhere.example.com")
    browser = signed_in(ada)

    answer = browser.submit("/o/acme/hooks/new", {"url": "https://nowhere.example.com/", "all_events": "y"})
    page = browser.see(answer.location)
    typed = browser.submit("/o/acme/hooks/parts/url_words", {"url": "https://nowhere.example.com/"}, htmx=True)

    assert "nowhere.example.com could not be found just now" in page.get_text()
    assert "cannot be found just now. It can be saved all the same." in typed.text


def test_a_filter_that_compares_the_wrong_kinds_says_what_to_write(signed_in, ada) -> None:
    fields = {"url": "https://example.com/", "all_events": "y", "filter": 'currency == "EUR"'}

    answer = signed_in(ada).submit("/o/acme/hooks/parts/filter_words", fields, htmx=True)

    assert "is the name of a field, not a text: write &#39;EUR&#39;" in answer.text
