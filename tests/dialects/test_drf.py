"""What the dialects in the manner of Django REST framework share, shown on a dialect of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response

from console.api.dialects import drf
from console.api.dialects.drf import Given
from console.core.errors import Busy, Conflict, FieldError, Invalid
from console.core.permissions import Permission
from console.services.work import Clock, Ring
from console.settings import Settings
from tests.apps import app_of
from tests.dialects.drf_stage import TOY

LIST = "/api/toys/"


def toys() -> drf.Dialect:
    dialect = drf.Dialect(
        name="toys",
        prefixes=("/api/toys",),
        field_names={"url": "target"},
        may_enter=lambda principal, values: values.get("number") != principal.organization.slug,
    )

    @dialect.on("GET", LIST, permission=Permission.WEBHOOKS_VIEW)
    def index() -> Response:
        page = drf.page_of(5, usual=2, largest=4)
        return drf.answer(page.envelope(list(page.of([1, 2, 3, 4, 5]))), headers=[("Link", page.link_header())])

    @dialect.on("POST", LIST, permission=Permission.WEBHOOKS_ADD)
    def create() -> Response:
        return drf.answer(drf.take(drf.body(), TOY), 201)

    @dialect.on("PATCH", LIST + "<number>/", permission=Permission.WEBHOOKS_EDIT)
    def change(number: str) -> Response:
        if drf.read_number(number) is None:
            raise drf.not_found()
        if number == "7":
            raise Invalid(FieldError("/url", "url", "Bad."), FieldError("/event_types/0", "x", "Worse."))
        if number == "8":
            raise Conflict("Somebody was quicker.")
        if number == "6":
            raise Busy(retry_after_s=3)
        if number == "9":
            raise ZeroDivisionError
        return drf.answer(drf.take(drf.body(), TOY, is_partial=True))

    return dialect


@pytest.fixture
def app(settings: Settings, clock: Clock, ring: Ring) -> Iterator[Flask]:
    with app_of(settings, clock=clock, ring=ring, besides=install_toys) as app:
        yield app


def install_toys(app: Flask) -> None:
    toys().install(app)


# --- the order of checks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "OPTIONS", "BREW"])
def test_a_path_without_its_slash_is_redirected_before_anything_else(anyone: Any, method: str) -> None:
    answer = anyone.call(method, "/api/toys?b=2&a=%2C", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["Location"]) == (308, "/api/toys/?b=2&a=%2C")


def test_a_redirect_keeps_odd_characters_of_the_path(anyone: Any) -> None:
    answer = anyone.patch("/api/toys/a%20b%3Fc")

    assert answer.headers["Location"] == "/api/toys/a%20b%3Fc/"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 401),
        ("application/*", 401),
        ("application/json", 401),
        ("application/json; indent=4", 401),
        ("text/html, application/json;q=0.1", 401),
        ("", 401),
        ("text/html", 406),
        ("application/xml, text/*", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0, */*", 406),
    ],
)
def test_a_client_that_takes_no_json_is_refused_before_its_token_is_looked_at(
    anyone: Any, accept: str, status: int
) -> None:
    answer = anyone.get(LIST, headers={"Accept": accept})

    assert answer.status_code == status
    if status == 406:
        assert answer.get_json() == {"detail": "Could not satisfy the request Accept header."}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "Authentication credentials were not provided."),
        ("", "Authentication credentials were not provided."),
        ("Bearer abc", "Authentication credentials were not provided."),
        ("Basic YTpi", "Authentication credentials were not provided."),
        ("Token", "Invalid token header. No credentials provided."),
        ("token  ", "Invalid token header. No credentials provided."),
        ("Token a b", "Invalid token header. Token string should not contain spaces."),
        ("Token abc", "Invalid token."),
        ("tOkEn abc", "Invalid token."),
        ("Token \xff", "Invalid token."),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "BREW"])
def test_who_has_no_valid_token_is_told_so_before_the_method_is_looked_at(
    anyone: Any, header: str | None, words: str, method: str
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = anyone.call(method, LIST, headers=headers)

    assert (answer.status_code, answer.get_json()) == (401, {"detail": words})
    assert answer.headers["WWW-Authenticate"] == "Token"
    assert answer.headers["Content-Type"] == "application/json"


def test_a_cookie_is_no_credential(anyone: Any) -> None:
    anyone.client.set_cookie("hookyard", "anything")

    assert anyone.get(LIST).status_code == 401


def test_a_missing_permission_comes_before_the_object_and_the_body(vi_api: Any) -> None:
    answer = vi_api.patch("/api/toys/x/", data="{", content_type="text/plain")

    assert answer.status_code == 403
    assert answer.get_json() == {"detail": "You do not have permission to perform this action."}


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_is_not_offered_is_named_and_those_that_are_too(vi_api: Any, method: str) -> None:
    answer = vi_api.call(method, LIST, data="{", content_type="text/plain")

    assert (answer.status_code, answer.get_json()) == (405, {"detail": f'Method "{method}" not allowed.'})
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_the_object_comes_before_the_type_of_the_body(ada_api: Any) -> None:
    answer = ada_api.patch("/api/toys/x/", data="{", content_type="text/plain")

    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Not found."})


def test_the_type_of_the_body_comes_before_its_text(ada_api: Any) -> None:
    answer = ada_api.post(LIST, data="{", content_type="text/plain; charset=utf-8")

    assert answer.status_code == 415
    assert answer.get_json() == {"detail": 'Unsupported media type "text/plain; charset=utf-8" in request.'}


@pytest.mark.parametrize("body", ["{", "[1,]", '{"a":NaN}', '{"a":1,"a":2}', '"\\u0000"', "\ufeff{}", "[" * 5000])
def test_a_body_that_is_no_json_is_a_parse_error(ada_api: Any, body: str) -> None:
    answer = ada_api.post(LIST, data=body.encode(), content_type="application/json")

    assert answer.status_code == 400
    assert answer.get_json()["detail"].startswith("JSON parse error - ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[]", "Invalid data. Expected a dictionary, but got list."),
        ('"a"', "Invalid data. Expected a dictionary, but got str."),
        ("1", "Invalid data. Expected a dictionary, but got int."),
        ("1.5", "Invalid data. Expected a dictionary, but got float."),
        ("true", "Invalid data. Expected a dictionary, but got bool."),
        ("null", "No data provided"),
    ],
)
def test_a_body_that_is_no_object_is_refused_by_its_type(ada_api: Any, body: str, words: str) -> None:
    answer = ada_api.post(LIST, data=body, content_type="application/json")

    assert (answer.status_code, answer.get_json()) == (400, {"non_field_errors": [words]})


@pytest.mark.parametrize("kind", ["application/json", "text/plain", None])
def test_an_empty_body_is_an_empty_object(ada_api: Any, kind: str | None) -> None:
    answer = ada_api.post(LIST, data=b"", content_type=kind)

    assert (answer.status_code, answer.get_json()) == (400, {"title": ["This field is required."]})


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_fields(ada_api: Any) -> None:
    body = {"size": {}, "parts": ["roof"], "is_red": None, "title": "longer than five", "unknown": 1}
    answer = ada_api.post(LIST, json=body)

    assert answer.status_code == 400
    assert answer.text == (
        '{"title":["Ensure this field has no more than 5 characters."],"is_red":["This field may not be null."],'
        '"parts":["\\"roof\\" is not a valid choice."],"size":{"cm":["This field is required."]}}'
    )


def test_too_large_a_body_is_refused_in_json(ada_api: Any) -> None:
    answer = ada_api.post(LIST, data=b"x" * (1024 * 1024 + 1), content_type="application/json")

    assert answer.status_code == 413
    assert list(answer.get_json()) == ["detail"]


def test_what_a_service_refuses_is_named_as_the_dialect_names_it(ada_api: Any) -> None:
    answer = ada_api.patch("/api/toys/7/")

    assert (answer.status_code, answer.get_json()) == (400, {"target": ["Bad."], "event_types": ["Worse."]})


def test_other_refusals_keep_their_status_and_their_sentence(ada_api: Any) -> None:
    answer = ada_api.patch("/api/toys/8/")

    assert (answer.status_code, answer.get_json()) == (409, {"detail": "Somebody was quicker."})


def test_who_comes_too_early_is_told_when_to_come_back(ada_api: Any) -> None:
    answer = ada_api.patch("/api/toys/6/")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_place_that_is_closed_comes_before_the_method(ada_api: Any, method: str) -> None:
    answer = ada_api.call(method, "/api/toys/acme/")

    assert (answer.status_code, answer.get_json()) == (
        403,
        {"detail": "You do not have permission to perform this action."},
    )


def test_a_crash_says_nothing_of_itself(ada_api: Any) -> None:
    answer = ada_api.patch("/api/toys/9/")

    assert answer.status_code == 500
    assert set(answer.get_json()) == {"detail", "request_id"}


def test_there_is_nothing_below(ada_api: Any) -> None:
    answer = ada_api.get("/api/toys/1/2/")

    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Not found."})


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_a_form_is_taken_like_json(ada_api: Any) -> None:
    answer = ada_api.post(LIST, data={"title": "car", "is_red": "on", "parts": "door", "size.cm": "5"})

    assert (answer.status_code, answer.get_json()) == (
        201,
        {"title": "car", "is_red": True, "parts": ["door"], "size": {"cm": 5}},
    )


def test_a_repeated_key_of_a_form_makes_a_list(ada_api: Any) -> None:
    taken = ada_api.post(LIST, data={"title": "car", "parts": ["wheel", "door", "wheel"]})
    refused = ada_api.post(LIST, data={"title": ["car", "bus"]})

    assert taken.get_json() == {"title": "car", "parts": ["door", "wheel"]}
    assert refused.get_json() == {"title": ["Not a valid string."]}


def test_an_object_in_a_form_may_be_json_text(ada_api: Any) -> None:
    answer = ada_api.post(LIST, data={"title": "car", "size": '{"cm":7}'})
    refused = ada_api.post(LIST, data={"title": "car", "size": "seven"})

    assert answer.get_json()["size"] == {"cm": 7}
    assert refused.get_json() == {"size": {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}}


def test_dotted_keys_that_contradict_each_other_are_read_somehow() -> None:
    given = Given({"a.b": "1", "a.b.c": "2", "a." + "d." * 30: "3"}, is_form=True)

    assert given.object("a")["b"] == {"c": "2"}


# --- lists ----------------------------------------------------------------------------------------------------------


def read(app: Flask, query: str, reader: Callable[[drf.Filters], Any]) -> Any:
    """Give what a filter reads from a query, or the body that refuses it."""
    with app.test_request_context(f"{LIST}?{query}"):
        filters = drf.Filters()
        found = reader(filters)
        try:
            filters.finish()
        except drf.ErrorAnswer as error:
            return error.body
        return found


@pytest.mark.parametrize(
    ("word", "value"),
    [("true", True), ("1", True), ("TRUE", True), ("False", False), ("0", False), ("yes", None), ("", None)],
)
def test_a_boolean_filter_ignores_what_it_does_not_know(app: Flask, word: str, value: object) -> None:
    assert read(app, f"f={word}", lambda filters: filters.boolean("f")) is value


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("f=5", 5),
        ("f=5.0", 5),
        ("f=1.5", -1),
        ("f=1e999999", -1),
        ("f=", None),
        ("", None),
        ("f=1&f=2", 2),
        ("f=x", {"f": ["Enter a number."]}),
        ("f=NaN", {"f": ["Enter a number."]}),
        ("f=Infinity", {"f": ["Enter a number."]}),
    ],
)
def test_a_number_filter(app: Flask, query: str, value: Any) -> None:
    assert read(app, query, lambda filters: filters.number("f")) == value


@pytest.mark.parametrize("word", ["x", "1", "{d2a839f0-09cc-4755-a731-081d4cc1330a}"])
def test_a_uuid_filter_refuses_what_is_none(app: Flask, word: str) -> None:
    assert read(app, f"f={word}", lambda filters: filters.uuid("f")) == {"f": ["Enter a valid UUID."]}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("2026-11-21T23:10:01.044605Z", "2026-11-21T23:10:01.044605Z"),
        ("2026-11-21T23:10:01.044605%2B00:00", "2026-11-21T23:10:01.044605Z"),
        ("2026-11-21T23:10:01%2B02:00", "2026-11-21T21:10:01.000000Z"),
        ("2026-11-21 23:10", "2026-11-21T23:10:00.000000Z"),
    ],
)
def test_a_time_filter(app: Flask, word: str, value: str) -> None:
    assert drf.moment(read(app, f"f={word}", lambda filters: filters.moment("f"))) == value


@pytest.mark.parametrize("word", ["x", "2026-13-01", "0001-01-01T00:00:00%2B14:00", "1234567890"])
def test_a_time_filter_refuses_what_is_none(app: Flask, word: str) -> None:
    assert read(app, f"f={word}", lambda filters: filters.moment("f")) == {"f": ["Enter a valid date/time."]}


def test_a_choice_filter_refuses_other_choices(app: Flask) -> None:
    refused = {"f": ["Select a valid choice. form is not one of the available choices."]}

    assert read(app, "f=form", lambda filters: filters.choice("f", {"1", "2"})) == refused
    assert read(app, "f=1", lambda filters: filters.choice("f", {"1", "2"})) == "1"


def test_a_text_filter_refuses_the_character_that_databases_refuse(app: Flask) -> None:
    refused = {"f": ["Null characters are not allowed."]}

    assert read(app, "f=a%00", lambda filters: filters.text("f")) == refused


def test_the_first_page_is_written_without_its_number(ada_api: Any) -> None:
    answer = ada_api.get(f"{LIST}?z=a,b&page=2&a=%26")

    assert answer.get_json() == {
        "count": 5,
        "next": "http://hookyard.test/api/toys/?a=%26&page=3&z=a%2Cb",
        "previous": "http://hookyard.test/api/toys/?a=%26&z=a%2Cb",
        "results": [3, 4],
    }


def test_links_name_the_ends_always_and_the_neighbours_that_there_are(ada_api: Any) -> None:
    first = ada_api.get(LIST)
    last = ada_api.get(f"{LIST}?page=3")

    root = "http://hookyard.test/api/toys/"
    assert first.headers["Link"] == f'<{root}>; rel="first", <{root}?page=2>; rel="next", <{root}?page=3>; rel="last"'
    assert last.headers["Link"] == f'<{root}>; rel="first", <{root}?page=2>; rel="prev", <{root}?page=3>; rel="last"'


@pytest.mark.parametrize(
    ("size", "results"),
    [("3", 3), ("4", 4), ("100", 4), ("9" * 5000, 4), ("0", 2), ("-1", 2), ("x", 2), ("1.5", 2), ("", 2)],
)
def test_a_page_size_is_kept_within_its_limits(ada_api: Any, size: str, results: int) -> None:
    assert len(ada_api.get(f"{LIST}?page_size={size}").get_json()["results"]) == results


@pytest.mark.parametrize("page", ["0", "4", "-1", "x", "1.5", "last", "9" * 5000, "%00"])
def test_a_page_that_is_not_there(ada_api: Any, page: str) -> None:
    answer = ada_api.get(f"{LIST}?page={page}")

    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Invalid page."})


def test_the_first_page_of_an_empty_list_is_there(app: Flask) -> None:
    with app.test_request_context(f"{LIST}?page=1"):
        page = drf.page_of(0, usual=2, largest=4)

    assert (page.number, page.last, page.next, page.previous) == (1, 1, None, None)


def test_the_head_of_a_list_is_that_of_its_page(ada_api: Any) -> None:
    head, page = ada_api.head(LIST), ada_api.get(LIST)

    assert (head.data, head.headers["Link"]) == (b"", page.headers["Link"])
    assert head.headers["Content-Length"] == page.headers["Content-Length"]
