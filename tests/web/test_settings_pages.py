"""The settings: tokens, members, sources, and the audit log."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from console.core.errors import Unauthenticated
from console.models import Token
from console.services import audit
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from console.services.people import members, token_use, tokens
from console.services.work import Actor
from tests.web.soup import soup_of

SETTINGS = "/o/acme/settings"
TOKEN = {"name": "Shop", "owner": "person", "preset": "publish", "expires_in_days": "90"}


# --- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({}, ["EVENTS:PUBLISH"]),
        ({"preset": "read"}, ["WEBHOOKS:VIEW", "EVENTS:VIEW", "DELIVERIES:VIEW"]),
        ({"preset": "full"}, ["ADMIN"]),
        ({"preset": "custom", "permissions": ["EVENTS:VIEW", "WEBHOOKS:ADD"]}, ["WEBHOOKS:ADD", "EVENTS:VIEW"]),
    ],
)
def test_a_token_is_shown_once_with_a_ready_command(signed_in, ada, work, fields, held) -> None:
    browser = signed_in(ada)

    answer = browser.submit(f"{SETTINGS}/tokens", {**TOKEN, **fields})
    page, again = browser.see(answer.location), browser.see(answer.location)

    token = work.session.scalar(select(Token))
    text = page.select_one(".once code").get_text()
    assert token_use.authenticate(work, text).token_number == token.number
    assert text in page.select_one("pre.code").get_text()
    assert "http://hookyard.test/api/v1/" in page.select_one("pre.code").get_text()
    assert again.select(".once") == []
    assert "cannot be shown again" in again.get_text()
    assert token.permissions == held


def test_the_ready_command_publishes_an_event_that_the_search_finds(signed_in, client, ada) -> None:
    browser = signed_in(ada)
    page = browser.see(browser.submit(f"{SETTINGS}/tokens", TOKEN).location)
    [body] = re.findall(r"-d '(.*)'", page.select_one("pre.code").get_text())

    headers = {"Authorization": f"Bearer {page.select_one('.once code').get_text()}"}
    answer = client.post("/api/v1/events", json=json.loads(body), headers=headers)

    assert answer.status_code == 202, answer.text
    assert browser.get("/o/acme/search?q=A-1012").location == f"/o/acme/events/{answer.json['id']}"


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"preset": "custom"}, {"preset": "nonsense"}, {"expires_in_days": "4000"}]
)
@pytest.mark.parametrize("htmx", [False, True])
def test_a_token_that_cannot_be_is_refused_with_the_form(signed_in, ada, work, fields, htmx) -> None:
    answer = signed_in(ada).submit(f"{SETTINGS}/tokens", {**TOKEN, **fields}, htmx=htmx)

    assert answer.status_code == 422
    assert "data-error-summary" in answer.text
    assert ("<html" in answer.text) is not htmx
    assert work.session.scalar(select(Token)) is None


def test_a_token_is_revoked_after_a_page_that_asks(signed_in, ada, token_of, work) -> None:
    text = token_of(ada)
    token = work.session.scalar(select(Token))
    browser = signed_in(ada)

    page = browser.see(f"{SETTINGS}/tokens/{token.id}/revoke")
    answer = browser.submit(page.select_one("main form")["action"])

    assert "never used" in page.get_text()
    assert answer.location == f"{SETTINGS}/tokens"
    assert "No tokens yet" in browser.see(answer.location).get_text()
    with pytest.raises(Unauthenticated):
        token_use.authenticate(work, text)


def test_tokens_of_others_are_not_there(signed_in, ada, mallory, token_of, work) -> None:
    token_of(mallory)
    token = work.session.scalar(select(Token))
    browser = signed_in(ada)

    assert browser.get(f"{SETTINGS}/tokens/{token.id}/revoke").status_code == 404
    assert browser.submit(f"{SETTINGS}/tokens/{token.id}/revoke").status_code == 404


@pytest.mark.parametrize("owner", ["service", "person"])
def test_a_token_belongs_to_the_organization_or_to_who_creates_it(signed_in, ada, work, owner) -> None:
    browser = signed_in(ada)
    form = browser.see(f"{SETTINGS}/tokens")
    assert form.select_one("input[name=owner][checked]")["value"] == "service"

    browser.submit(f"{SETTINGS}/tokens", {**TOKEN, "owner": owner})

    token = work.session.scalar(select(Token))
    assert token.user_number == (None if owner == "service" else ada.user.number)
    shown = browser.see(f"{SETTINGS}/tokens").select_one("tbody [data-label=Owner]").get_text().strip()
    assert shown.startswith("Service" if owner == "service" else "ada@example.com")


@pytest.mark.parametrize(
    ("preset", "days"), [("publish", None), ("read", 90), ("full", 90), ("custom", None), ("custom+", 90)]
)
def test_a_token_that_only_publishes_never_expires_unless_chosen(signed_in, ada, work, preset, days) -> None:
    permissions = ["EVENTS:PUBLISH", *(["EVENTS:VIEW"] if preset == "custom+" else [])]
    browser = signed_in(ada)
    recommended = browser.see(f"{SETTINGS}/tokens").select_one("#expires_in_days option[selected]")["value"]
    fields = {**TOKEN, "preset": preset.strip("+"), "permissions": permissions, "expires_in_days": recommended}

    browser.submit(f"{SETTINGS}/tokens", fields)

    token = work.session.scalar(select(Token))
    assert token.expires_at == (days and token.created_at + timedelta(days=days))


def test_service_tokens_are_listed_apart(signed_in, ada, token_of, service_token_of) -> None:
    token_of(ada)
    service_token_of(ada)
    browser = signed_in(ada)

    def names(query: str) -> list[str]:
        return [one.get_text() for one in browser.see(f"{SETTINGS}/tokens{query}").select("tbody strong")]

    assert names("") == ["shop", "test"]
    assert names("?owner=service") == ["shop"]
    assert names("?owner=person") == ["test"]
    assert names("?owner=nonsense") == ["shop", "test"]


def test_who_manages_no_tokens_sees_and_revokes_their_own(signed_in, ada, ed, token_of, service_token_of, work) -> None:
    token_of(ada)
    service_token_of(ada)
    token_of(ed, "EVENTS:PUBLISH")
    adas, service, eds = work.session.scalars(select(Token).order_by(Token.number))
    browser = signed_in(ed)

    page = browser.see(f"{SETTINGS}/tokens?owner=service")
    assert page.select("tbody tr") == []
    page = browser.see(f"{SETTINGS}/tokens")

    assert [one.get_text() for one in page.select("tbody code")] == [f"{eds.prefix}…"]
    assert page.select("#new-token, [name=owner]") == []
    assert browser.submit(f"{SETTINGS}/tokens", TOKEN).status_code == 403
    for other in (adas, service):
        assert browser.get(f"{SETTINGS}/tokens/{other.id}/revoke").status_code == 404
        assert browser.submit(f"{SETTINGS}/tokens/{other.id}/revoke").status_code == 404
    assert browser.submit(f"{SETTINGS}/tokens/{eds.id}/revoke").status_code == 303
    work.session.expire_all()
    assert [one.revoked_at is None for one in (adas, service, eds)] == [True, True, False]


def test_a_token_of_somebody_who_is_no_member_is_not_shown_as_valid(signed_in, ada, ed, token_of, work) -> None:
    token_of(ed, "EVENTS:PUBLISH")
    with work.transaction():
        work.session.delete(members.get_member(work, organization_number=1, user_id=ed.user.id))

    assert "Ended: owner left" in signed_in(ada).see(f"{SETTINGS}/tokens").select_one("tbody tr").get_text()


def test_a_token_shows_what_the_role_of_its_owner_still_allows(signed_in, ada, ed, token_of, work) -> None:
    token_of(ed, "EVENTS:PUBLISH", "EVENTS:VIEW")
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)
    members.change_role(work, membership=membership, role="viewer")

    row = signed_in(ada).see(f"{SETTINGS}/tokens").select_one("tbody tr").get_text()

    assert "EVENTS:VIEW" in row
    assert "EVENTS:PUBLISH" not in row
    assert "the role of its owner allows no more" in row


def test_the_page_that_asks_names_what_is_revoked_too(signed_in, ada, token_of, work) -> None:
    parent = token_use.authenticate(work, token_of(ada)).token_number
    tokens.issue(work, organization=ada.organization, permissions=["EVENTS:VIEW"], parent_number=parent, name="child")
    token = work.session.scalar(select(Token).where(Token.number == parent))

    page = signed_in(ada).see(f"{SETTINGS}/tokens/{token.id}/revoke")

    assert "child" in page.select_one("main li").get_text()


# --- the tokens of who is removed -----------------------------------------------------------------------------------


@pytest.fixture
def eds_tokens(ed, token_of, work) -> tuple[Token, Token]:
    """Two tokens of Ed's: the first is in use."""
    used = token_of(ed, "EVENTS:PUBLISH")
    token_of(ed, "EVENTS:VIEW")
    token_use.authenticate(work, used)
    work.session.expire_all()
    first, second = work.session.scalars(select(Token).order_by(Token.number))
    return first, second


def test_the_page_that_asks_proposes_to_hand_over_what_is_in_use(signed_in, ada, ed, eds_tokens) -> None:
    used, unused = eds_tokens

    page = signed_in(ada).see(f"{SETTINGS}/members/{ed.user.id}/remove")

    proposed = {one["value"]: one.has_attr("checked") for one in page.select("input[name=hand_over]")}
    assert proposed == {str(used.id): True, str(unused.id): False}
    assert "2 tokens end unless you hand them over" in page.get_text()


@pytest.mark.parametrize("htmx", [False, True])
def test_the_chosen_tokens_of_who_is_removed_work_on(signed_in, ada, ed, eds_tokens, work, htmx) -> None:
    used, unused = eds_tokens
    browser = signed_in(ada)

    answer = browser.submit(f"{SETTINGS}/members/{ed.user.id}/remove", {"hand_over": [str(used.id)]}, htmx=htmx)
    page = browser.see(f"{SETTINGS}/members")

    assert answer.status_code < 400
    assert "1 token is a service token now. 1 token ended." in page.get_text()
    work.session.expire_all()
    assert (used.is_service, used.revoked_at) == (True, None)
    assert unused.revoked_at is not None
    log = browser.see(f"{SETTINGS}/audit").get_text()
    assert "Token: handed over to the organization" in log
    assert "Token: revoked" in log


def test_only_tokens_of_who_is_removed_are_handed_over(signed_in, ada, ed, mallory, eds_tokens, token_of, work) -> None:
    for person in (ada, mallory):
        token_of(person)
    tokens_of_all = work.session.scalars(select(Token).order_by(Token.number)).all()
    chosen = [str(one.id) for one in tokens_of_all] + ["nonsense", ""]

    signed_in(ada).submit(f"{SETTINGS}/members/{ed.user.id}/remove", {"hand_over": chosen})

    work.session.expire_all()
    assert [one.is_service for one in tokens_of_all] == [True, True, False, False]


def test_a_service_token_is_marked_in_the_audit_log(signed_in, ada, caller, service_token_of) -> None:
    caller(service_token_of(ada)).post("/api/v1/sources", json={"slug": "shop2"})
    browser = signed_in(ada)

    row = browser.see(f"{SETTINGS}/audit?about=source").select_one("tbody tr").get_text()
    rows = list(csv.reader(io.StringIO(browser.get(f"{SETTINGS}/audit.csv?about=source").text)))

    assert "shop (service token)" in row
    assert rows[1][1] == "shop (service token)"


# --- sources --------------------------------------------------------------------------------------------------------


def test_a_source_is_made_and_listed(signed_in, ada) -> None:
    browser = signed_in(ada)
    assert "No sources yet" in browser.see(f"{SETTINGS}/sources").get_text()

    answer = browser.submit(f"{SETTINGS}/sources", {"slug": "shop", "name": "Web shop"})

    assert "Web shop" in browser.see(answer.location).select_one("tbody").get_text()


@pytest.mark.parametrize("slug", ["", "with space", "taken"])
def test_a_source_that_cannot_be_is_refused_under_its_slug(signed_in, ada, work, slug) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="taken")

    answer = signed_in(ada).submit(f"{SETTINGS}/sources", {"slug": slug})

    assert answer.status_code == 422
    assert 'id="slug-error-1"' in answer.text


# --- members --------------------------------------------------------------------------------------------------------


def test_an_invitation_gives_a_link_that_is_shown_once(signed_in, ada, client) -> None:
    browser = signed_in(ada)

    answer = browser.submit(f"{SETTINGS}/members/invitations", {"email": "Ann@example.com", "role": "editor"})
    page = browser.see(answer.location)

    link = page.select_one(".once code").get_text()
    assert client.get(link).status_code == 200
    page = browser.see(answer.location)
    assert page.select(".once") == []
    assert "ann@example.com" in page.select_one("[aria-labelledby=waiting-title]").get_text()


def test_a_withdrawn_invitation_works_no_more(signed_in, ada, client) -> None:
    browser = signed_in(ada)
    answer = browser.submit(f"{SETTINGS}/members/invitations", {"email": "ann@example.com", "role": "editor"})
    page = browser.see(answer.location)
    link = page.select_one(".once code").get_text()

    browser.submit(page.select_one("[aria-labelledby=waiting-title] form")["action"])

    assert client.get(link).status_code == 403


@pytest.mark.parametrize("email", ["", "nonsense", "ada@example.com"])
def test_somebody_who_cannot_be_invited_is_refused_under_the_address(signed_in, ada, email) -> None:
    answer = signed_in(ada).submit(f"{SETTINGS}/members/invitations", {"email": email, "role": "viewer"})

    assert answer.status_code == 422
    assert 'id="email-error-1"' in answer.text


def test_roles_are_changed_and_members_removed(signed_in, ada, vi, work) -> None:
    browser, path = signed_in(ada), f"{SETTINGS}/members/{vi.user.id}"

    browser.submit(f"{path}/role", {"role": "editor"})
    found = members.get_member(work, organization_number=ada.organization.number, user_id=vi.user.id)
    work.session.refresh(found)
    assert found.role == "editor"

    assert "is signed out" in browser.see(f"{path}/remove").get_text()
    browser.submit(f"{path}/remove")
    assert browser.get(f"{path}/remove").status_code == 404


def test_the_last_admin_stays(signed_in, ada) -> None:
    browser, path = signed_in(ada), f"{SETTINGS}/members/{ada.user.id}"

    for answer in (browser.submit(f"{path}/role", {"role": "viewer"}), browser.submit(f"{path}/remove")):
        assert answer.status_code == 303
    assert "ada@example.com is the only admin of" in browser.see(f"{SETTINGS}/members").get_text()


def test_the_only_admin_is_offered_neither_another_role_nor_to_go(signed_in, ada, vi) -> None:
    browser = signed_in(ada)

    page = browser.see("/o/acme/settings/members")

    assert [one["aria-label"] for one in page.select("#members a")] == ["Remove vi@example.com"]
    assert [one.get_text() for one in page.select("#members form label")] == ["Role of vi@example.com"]
    browser.submit(f"/o/acme/settings/members/{vi.user.id}/role", {"role": "admin"})
    assert len(browser.see("/o/acme/settings/members").select("#members form")) == 2


def test_members_of_others_are_not_there(signed_in, ada, mallory) -> None:
    assert signed_in(ada).submit(f"{SETTINGS}/members/{mallory.user.id}/remove").status_code == 404


# --- the audit log --------------------------------------------------------------------------------------------------


def test_the_audit_log_says_who_did_what_with_a_link(signed_in, ada, as_person, scene) -> None:
    hook = scene.hook(name="Shop")
    hooks.disable(as_person(ada), hook=hook)

    page = signed_in(ada).see(f"{SETTINGS}/audit?about=hook")

    newest = page.select_one("tbody tr")
    assert "Hook: disabled" in newest.get_text()
    assert "ada@example.com" in newest.get_text()
    assert "Switch" in newest.get_text()
    assert newest.select_one(f'a[href="/o/acme/hooks/{hook.id}"]') is not None


@pytest.mark.parametrize(
    ("query", "found"), [("about=token", False), ("about=hook&since=1h", True), ("about=x", False)]
)
def test_the_audit_log_is_narrowed(signed_in, ada, scene, query, found) -> None:
    scene.hook()

    page = signed_in(ada).see(f"{SETTINGS}/audit?{query}")

    assert bool(page.select("tbody tr")) is found
    assert bool(page.select(".blank")) is not found
    assert page.select(".chip")


def test_the_audit_log_of_a_person(signed_in, ada, ed, as_person, scene) -> None:
    hooks.disable(as_person(ed), hook=scene.hook())

    page = signed_in(ada).see(f"{SETTINGS}/audit?person={ed.user.number}")

    assert {cell.get_text(strip=True) for cell in page.select("tbody td:nth-of-type(2)")} == {"ed@example.com (Ed)"}
    assert "Ed" in page.select_one(".chip").get_text()


# --- who may see what -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["members", "audit"])
def test_settings_are_for_admins(signed_in, ada, ed, vi, page) -> None:
    seen = [signed_in(person).get(f"{SETTINGS}/{page}").status_code for person in (ada, ed, vi)]

    assert seen == [200, 403, 403]


def test_everybody_reads_the_sources_and_admins_make_them(signed_in, vi) -> None:
    browser = signed_in(vi)

    assert browser.see(f"{SETTINGS}/sources").select("main form") == []
    assert browser.submit(f"{SETTINGS}/sources", {"slug": "shop"}).status_code == 403


def test_nobody_reads_the_settings_of_others(signed_in, mallory, ada) -> None:
    assert signed_in(mallory).get(f"{SETTINGS}/tokens").status_code == 404


def test_the_audit_log_is_downloaded_with_its_filters_and_no_cell_is_a_formula(signed_in, ada, ed, work) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="shop", name="=1+1")
    sources.create(work, organization_number=ada.organization.number, slug="wide", name="\uff1d1+1")
    browser = signed_in(ada)

    answer = browser.get(f"{SETTINGS}/audit.csv?about=source")

    assert answer.data.startswith(codecs.BOM_UTF8)  # else Excel takes it for another encoding
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[0][:4] == ["at", "who", "from", "action"]
    assert {row[3].split(".")[0] for row in rows[1:]} == {"source"}
    assert not any(cell.startswith(("=", "+", "-", "@", "\uff1d")) for row in rows for cell in row)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-acme.csv"'
    assert signed_in(ed).get(f"{SETTINGS}/audit.csv").status_code == 403


def test_a_name_that_looks_like_the_address_of_somebody_else_deceives_nobody(signed_in, ada, ed, work, scene) -> None:
    """Such names are refused by now; those from before are shown beside the address, in the log that they wrote too."""
    hook = scene.hook(name="Shop")
    with work.transaction():
        ed.user.full_name = "ada@example.com"
        hook.author_number = ed.user.number
    other = replace(work, actor=Actor("ada@example.com", ed.user.number))
    sources.create(other, organization_number=ada.organization.number, slug="shop", name="Shop")
    browser = signed_in(ada)
    who = "ed@example.com (ada@example.com)"

    rows = list(csv.DictReader(io.StringIO(browser.get(f"{SETTINGS}/audit.csv?about=source").text)))

    assert [(row["who"], row["user_id"]) for row in rows] == [(who, str(ed.user.id))]
    assert who in browser.see(f"{SETTINGS}/audit?about=source").select_one("tbody td.at").get_text()
    assert f"by {who}" in browser.see(f"/o/acme/hooks/{hook.id}").main.get_text()
    assert [cell.strong.get_text() for cell in browser.see(f"{SETTINGS}/members").select("tbody td.wide")] == [
        "ed@example.com",
        "ada@example.com",
    ]


def test_what_a_person_does_is_written_down_under_their_address(signed_in, ada, work) -> None:
    with work.transaction():
        ada.user.full_name = "Ada Lovelace"

    signed_in(ada).submit(f"{SETTINGS}/organization", {"name": "Acme & Sons"})

    entry = audit.find(work, organization_number=ada.organization.number)[0]
    assert (entry.action, entry.actor, entry.user_number) == (
        "organization.renamed",
        "ada@example.com",
        ada.user.number,
    )


# --- the organization -----------------------------------------------------------------------------------------------


def test_the_organization_is_renamed(signed_in, ada) -> None:
    browser = signed_in(ada)

    answer = browser.submit(f"{SETTINGS}/organization", {"name": "Acme & Sons"})

    assert "Acme & Sons" in browser.see(answer.location).select_one("header").get_text()
    assert browser.submit(f"{SETTINGS}/organization", {"name": " "}).status_code == 422


def test_the_defaults_are_set_and_named_where_a_hook_takes_them(signed_in, ada) -> None:
    browser = signed_in(ada)
    fields = {"retry_schedule": "10, 60", "timeout_s": "5", "retention_days": "7", "largest_payload": "64"}

    answer = browser.submit(f"{SETTINGS}/organization/defaults", fields)
    page, form = browser.see(answer.location), browser.see("/o/acme/hooks/new")

    kept = {name: page.select_one(f"[name={name}]")["value"] for name in fields}
    assert kept == fields
    assert form.select_one("[name=retry_kind] option").get_text() == "Default (3 attempts over 1 min 10 s)"
    assert form.select_one("[name=timeout]")["placeholder"] == "Default (5 s)"
    assert "older than 7 days" in browser.get("/o/acme/deliveries?state=all").text or "kept for 7 days" in (
        browser.get("/o/acme/deliveries").text
    )


def test_empty_defaults_are_those_of_the_installation(signed_in, ada) -> None:
    browser = signed_in(ada)
    browser.submit(f"{SETTINGS}/organization/defaults", {"timeout_s": "5"})

    browser.submit(f"{SETTINGS}/organization/defaults", {"timeout_s": ""})

    assert browser.see("/o/acme/hooks/new").select_one("[name=timeout]")["placeholder"] == "Default (15 s)"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"retry_schedule": "soon"}, "delays in seconds, separated by commas, such as 10,60,300"),
        ({"timeout_s": "31"}, "Choose from 1 to 30 seconds."),
        ({"timeout_s": "long"}, "Give a whole number."),
        ({"retention_days": "400"}, "Choose from 1 to 30 days; the operator keeps nothing longer."),
        ({"largest_payload": "5"}, "Choose from 16 to 256 KiB."),
    ],
)
def test_wrong_defaults_come_back_with_what_is_wrong(signed_in, ada, fields, words) -> None:
    answer = signed_in(ada).submit(f"{SETTINGS}/organization/defaults", fields)

    [(name, value)] = fields.items()
    soup = soup_of(answer)
    assert answer.status_code == 422
    assert soup.select_one(f"[name={name}]")["value"] == value
    assert words in soup.select_one(f"[name={name}]").find_parent(class_="field").get_text()


def test_only_admins_set_the_defaults(signed_in, ed) -> None:
    assert signed_in(ed).submit(f"{SETTINGS}/organization/defaults", {"timeout_s": "5"}).status_code == 403


def test_the_configuration_is_downloaded_without_a_secret(signed_in, ada, work) -> None:
    draft = HookDraft(url="https://example.com/", all_events=True, headers={"Authorization": "Bearer hidden"})
    made = hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft)

    answer = signed_in(ada).get(f"{SETTINGS}/organization.json")

    assert [hook["url"] for hook in answer.get_json(force=True)["hooks"]] == ["https://example.com/"]
    assert made.secret not in answer.text
    assert "hidden" not in answer.text


def test_an_organization_is_closed_by_typing_its_slug(signed_in, ada) -> None:
    browser = signed_in(ada)
    assert browser.submit(f"{SETTINGS}/organization/close", {"slug": "other"}).status_code == 422

    answer = browser.submit(f"{SETTINGS}/organization/close", {"slug": "acme"})

    assert answer.location == "/"
    assert browser.get(f"{SETTINGS}/organization").status_code == 404


def test_only_admins_see_the_organization_settings(signed_in, ed) -> None:
    for path in ("organization", "organization.json"):
        assert signed_in(ed).get(f"{SETTINGS}/{path}").status_code == 403
    assert signed_in(ed).submit(f"{SETTINGS}/organization/close", {"slug": "acme"}).status_code == 403


def test_who_may_not_do_something_reads_whose_it_is_and_who_can_change_that(signed_in, vi, ed) -> None:
    for person, path, words in ((vi, "/o/acme/hooks/new", "editors and admins"), (ed, f"{SETTINGS}/members", "admins")):
        answer = signed_in(person).get(path)

        assert answer.status_code == 403
        assert f"That is for {words} of this organization. An admin can change your role" in answer.text
        assert "WEBHOOKS:" not in answer.text


def test_staff_switch_to_every_organization(signed_in, ada, mallory, work) -> None:
    browser = signed_in(ada)
    assert browser.see("/o/acme/").select(".switcher a") == []

    ada.user.is_staff = True
    work.session.commit()

    addresses = [link["href"] for link in browser.see("/o/acme/").select(".switcher a")]
    assert f"/o/{mallory.organization.slug}/" in addresses
