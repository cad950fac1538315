"""The readable reference: everything of the specification, for everybody."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from console.services.people import sign_in


@pytest.fixture
def page(app):
    response = app.test_client().get("/docs/api")
    assert response.status_code == 200
    return BeautifulSoup(response.text, "html.parser")


def test_every_operation_and_object_is_on_the_page(page, anyone):
    document = anyone.get("/openapi.json").get_json()
    ids = [element["id"] for element in page.select("[id]")]

    assert len(ids) == len(set(ids))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["operationId"] in ids
            assert f"{method.upper()} {path}" in page.text
    for name in document["components"]["schemas"]:
        assert f"object-{name}" in ids


def test_every_link_on_the_page_leads_somewhere(page):
    ids = {element["id"] for element in page.select("[id]")}

    for link in page.select("main a[href^='#']"):
        assert link["href"].removeprefix("#") in ids


def test_the_page_has_one_heading_and_says_how_to_begin(page):
    assert [heading.text.strip() for heading in page.select("h1")] == ["API reference"]
    assert "curl http://hookyard.test/api/v1/events" in page.text


def test_people_who_are_signed_in_keep_their_navigation(app, ada, work):
    client = app.test_client()
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)
    with client.session_transaction() as session:
        session.update(_user_id=secret, _fresh=True)

    page = BeautifulSoup(client.get("/docs/api").text, "html.parser")

    assert page.select_one(".nav a[href='/o/acme/hooks/'], .nav a[href='/o/acme/hooks']")
    assert "Settings" in page.select_one(".nav").text
