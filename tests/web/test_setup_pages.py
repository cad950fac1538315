"""The first set-up, and the three steps after it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.models import Attempt, BinRequest, Delivery, Organization, User
from console.services.bins import bins
from console.services.organizations import organizations
from console.services.people import accounts, first_setup
from console.web.setup import slug_of

FORM = {
    "organization_name": "Acme Shops",
    "organization_slug": "acme",
    "full_name": "Ada Lovelace",
    "email": "Ada@example.com",
    "password": "correct horse battery",
}


@pytest.fixture
def link(work) -> str:
    """The secret of a fresh set-up link."""
    return first_setup.create_link(work)


def test_the_link_makes_the_first_admin_and_signs_them_in(client, link, work) -> None:
    page = client.see(f"/setup?token={link}")
    token = page.find("input", attrs={"name": "csrf_token"})["value"]

    answer = client.post("/setup", data={**FORM, "token": link, "csrf_token": token})

    assert (answer.status_code, answer.location) == (303, "/o/acme/start")
    page = client.see("/o/acme/start")
    assert page.select_one('a[href="/o/acme/hooks/new"]').get_text() == "Create a hook to it"
    user = work.session.scalar(select(User))
    assert (user.email, user.is_staff) == ("ada@example.com", True)


def setup(client, link: str, **changes: str):
    page = client.see(f"/setup?token={link}")
    token = page.find("input", attrs={"name": "csrf_token"})["value"]
    return client.post("/setup", data={**FORM, "token": link, "csrf_token": token, **changes})


def test_without_a_short_name_one_is_made(client, link, work) -> None:
    setup(client, link, organization_slug="")

    assert work.session.scalar(select(Organization.slug)) == "acme-shops"


@pytest.mark.parametrize(
    ("name", "slug"), [("Müller & Söhne", "muller-sohne"), ("東京", "main"), ("A" * 90, "a" * 40), ("--x--", "x")]
)
def test_short_names_are_plain(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@pytest.mark.parametrize(
    ("field", "value"),
    [("organization_name", ""), ("organization_slug", "Not A Slug"), ("email", "ada"), ("password", "short")],
)
def test_a_wrong_field_is_named_and_the_rest_is_kept(client, link, field, value) -> None:
    answer = setup(client, link, **{field: value})

    assert answer.status_code == 422
    assert f'id="{field}-error-1"' in answer.text
    assert 'value="Ada Lovelace"' in answer.text
    assert "correct horse battery" not in answer.text


def test_a_used_link_says_so_and_leads_to_sign_in(client, link, app) -> None:
    setup(client, link)

    answer = app.test_client().get(f"/setup?token={link}")

    assert answer.status_code == 403
    assert "was used already" in answer.text
    assert 'href="/login"' in answer.text


def test_a_link_from_before_the_first_account_makes_nobody(client, link, work) -> None:
    accounts.create_user(
        work,
        username="grace",
        email="grace@example.com",
        password=FORM["password"],
        organization_slug="acme",
        role="viewer",
    )

    shown, sent = client.get(f"/setup?token={link}"), client.submit("/setup", FORM | {"token": link})

    for answer in (shown, sent):
        assert answer.status_code == 403
        assert "This link is no longer needed" in answer.text
        assert "Ask one of its admins for an invitation" in " ".join(answer.text.split())
    assert work.session.scalars(select(User.username)).all() == ["grace"]


def test_an_expired_link_says_which_command_prints_a_new_one(client, link, clock) -> None:
    clock.advance(hours=25)

    answer = client.get(f"/setup?token={link}")

    assert answer.status_code == 403
    assert "has expired" in answer.text
    assert "hookyard up" in answer.text


@pytest.mark.parametrize("path", ["/setup", "/setup?token=unknown"])
def test_whoever_has_no_link_is_told_how_to_get_one(client, path) -> None:
    answer = client.get(path)

    assert answer.status_code == 403
    assert "hookyard up" in answer.text


def test_set_up_without_a_link_leads_to_sign_in_once_it_is_done(client, ada) -> None:
    assert client.get("/setup").location == "/login"


def test_the_post_needs_the_link_too(client, ada) -> None:
    answer = client.submit("/setup", {**FORM, "token": "unknown"})

    assert answer.status_code == 403


# --- three steps ----------------------------------------------------------------------------------------------------


def test_the_three_steps_lead_to_the_demo_where_there_is_one(signed_in, ada, work) -> None:
    ada.user.is_staff = True
    organizations.create(work, slug="demo", name="Demo")
    browser = signed_in(ada)

    assert browser.see("/o/acme/start").select_one('.lede a[href="/o/demo/"]').get_text() == "Demo"
    assert "Or look into" not in browser.see("/o/demo/start").get_text()


def test_three_steps_lead_to_a_test_that_arrives(signed_in, ada, work, ring) -> None:
    browser = signed_in(ada)
    assert "done" not in str(browser.see("/o/acme/start").select("ol.steps")[0])

    assert browser.submit("/o/acme/start/bin").location == "/o/acme/start"
    assert len(browser.see("/o/acme/start").select("li.done")) == 1

    browser.submit("/o/acme/start/hook")
    assert len(browser.see("/o/acme/start").select("li.done")) == 2

    browser.submit("/o/acme/start/test")
    page = browser.see("/o/acme/start")
    assert "On its way" in page.get_text()
    assert page.select("[data-poll]")
    assert ring.lanes == ["deliveries"]

    arrive(work)
    page = browser.see("/o/acme/start")
    assert len(page.select("li.done")) == 3
    assert "Signature valid" in page.get_text()
    assert not page.select("[data-poll]")


def arrive(work) -> None:
    """Do what the workers do: the test is answered, and the bin has caught it."""
    delivery = work.session.scalar(select(Delivery))
    delivery.state, delivery.last_status, delivery.last_outcome, delivery.last_duration_ms = (
        "delivered",
        200,
        "ok",
        12.0,
    )
    attempt = Attempt(delivery_number=delivery.number, number=1, chain=1, trigger="test", started_at=work.now())
    work.session.add(attempt)
    caught = bins.find(work, organization_number=delivery.organization_number)[0]
    work.session.add(
        BinRequest(
            bin_number=caught.number,
            received_at=work.now(),
            method="POST",
            path="/",
            headers=[],
            webhook_id=str(delivery.id),
            verification="valid",
            answered_status=200,
            body=b"{}",
        )
    )
    work.session.commit()


def test_each_step_with_htmx_gives_the_steps_alone(signed_in, ada) -> None:
    browser = signed_in(ada)

    for step in ("bin", "hook", "test"):
        answer = browser.submit(f"/o/acme/start/{step}", htmx=True)
        assert answer.status_code == 200
        assert "<html" not in answer.text
        assert 'id="steps"' in answer.text


def test_steps_are_taken_once(signed_in, ada, work) -> None:
    browser = signed_in(ada)
    for step in ("bin", "bin", "hook", "hook"):
        browser.submit(f"/o/acme/start/{step}")

    assert len(bins.find(work, organization_number=ada.organization.number)) == 1


def test_a_viewer_sees_the_steps_and_takes_none(signed_in, vi) -> None:
    browser = signed_in(vi)

    assert not browser.see("/o/acme/start").select("ol.steps form")
    assert browser.submit("/o/acme/start/bin").status_code == 403
