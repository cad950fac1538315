"""Answers to browsers and to htmx: the same view serves both."""

from __future__ import annotations

import json

import pytest
from flask import Flask, Response, get_flashed_messages
from jinja2 import DictLoader

from console.web import hx

HTMX = {"HX-Request": "true"}


@pytest.fixture
def app() -> Flask:
    made = Flask(__name__)
    made.secret_key = "a test"
    made.jinja_loader = DictLoader({"page.html": "<h1>Page</h1>{% block row %}<p>{{ word }}</p>{% endblock %}"})
    hx.install(made)

    @made.route("/page")
    def page() -> Response:
        return hx.page("page.html", block="row", status=422, word="row")

    @made.post("/resend")
    def resend() -> Response:
        hx.toast("Resent “17”.")
        return hx.nothing_new()

    @made.post("/create")
    def create() -> Response:
        hx.toast("Created.")
        return hx.redirect_to("/there", message="Welcome.")

    @made.post("/refused")
    def refused() -> Response:
        return hx.refuse("Changed meanwhile.", status=409)

    @made.get("/expired")
    def expired() -> Response:
        return hx.sign_in_again("/login")

    @made.get("/there")
    def there() -> str:
        return " ".join(get_flashed_messages())

    return made


def test_a_browser_gets_the_whole_page_and_htmx_its_block(app: Flask) -> None:
    whole, part = app.test_client().get("/page"), app.test_client().get("/page", headers=HTMX)

    assert whole.text == "<h1>Page</h1><p>row</p>"
    assert part.text == "<p>row</p>"
    assert whole.status_code == part.status_code == 422
    assert "HX-Request" in whole.vary
    assert "HX-Request" in part.vary


@pytest.mark.parametrize("header", ["HX-Boosted", "HX-History-Restore-Request"])
def test_a_boosted_or_restored_page_is_never_a_fragment(app: Flask, header: str) -> None:
    assert app.test_client().get("/page", headers=HTMX | {header: "true"}).text.startswith("<h1>")


def test_htmx_gets_a_toast_and_a_browser_a_flash_message(app: Flask) -> None:
    client = app.test_client()

    answer = client.post("/resend", headers=HTMX)

    assert json.loads(answer.headers["HX-Trigger"]) == {
        "toasts": {"items": [{"message": "Resent “17”.", "tone": "good"}]}
    }
    assert client.get("/there").text == "", "a toast is not flashed as well"
    client.post("/resend")
    assert client.get("/there").text == "Resent “17”."


def test_a_redirect_is_303_for_a_form_and_a_header_for_htmx_and_loses_no_message(app: Flask) -> None:
    plain, htmx = app.test_client(), app.test_client()

    assert (answer := plain.post("/create")).status_code == 303
    assert answer.location == "/there"
    assert (answer := htmx.post("/create", headers=HTMX)).headers["HX-Redirect"] == "/there"
    assert "HX-Trigger" not in answer.headers
    assert (
        sorted(plain.get("/there").text.split()) == sorted(htmx.get("/there").text.split()) == ["Created.", "Welcome."]
    )


def test_what_htmx_may_not_do_is_one_sentence_and_swaps_nothing(app: Flask) -> None:
    answer = app.test_client().post("/refused", headers=HTMX)

    assert answer.status_code == 409
    assert answer.text == ""
    assert "Changed meanwhile." in answer.headers["HX-Trigger"]


def test_an_expired_session_leaves_for_the_sign_in_page(app: Flask) -> None:
    answer = app.test_client().get("/expired", headers=HTMX)

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login"
    assert app.test_client().get("/expired").status_code == 303
