"""The words of the console: times, sizes, counts, shortened names, and JSON laid out for reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask, render_template_string
from hypothesis import given
from hypothesis import strategies as st

from console.paths import STATIC
from console.web import filters
from console.web.pretty import json_tokens

NOW = datetime(2025, 11, 22, 14, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (10, "10 s"),
        (60, "1 min"),
        (272_160, "3 d 3 h 36 min"),
        (3601, "1 h 1 s"),
        (93_784, "1 d 2 h 3 min"),
    ],
)
def test_a_duration_is_said_with_at_most_three_units(seconds: float, words: str) -> None:
    assert filters.duration(seconds) == words
    assert filters.duration(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, filters.NONE),
        (0.42, "0.4 ms"),
        (3.0, "3 ms"),
        (143.2, "143 ms"),
        (999.6, "1.00 s"),
        (1240, "1.24 s"),
        (15_003, "15.0 s"),
    ],
)
def test_the_time_of_an_attempt_has_three_digits(value: float | None, words: str) -> None:
    assert filters.milliseconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, filters.NONE),
        (0, "0 B"),
        (999, "999 B"),
        (1_234, "1.2 KB"),
        (64_000, "64 KB"),
        (999_700, "1 MB"),
        (3_400_000, "3.4 MB"),
    ],
)
def test_a_size_has_a_unit(value: int | None, words: str) -> None:
    assert filters.size(value) == words


def test_counting_stops_at_ten_thousand() -> None:
    assert filters.counted(10_000) == "10,000"
    assert filters.counted(10_001) == "10,000+"
    assert filters.figure(1_234_567) == "1,234,567"


def test_a_count_agrees_with_its_noun() -> None:
    assert filters.plural(1, "delivery", "deliveries") == "1 delivery"
    assert filters.plural(0, "hook") == "0 hooks"
    assert filters.plural(10_001, "delivery", "deliveries") == "10,000+ deliveries"


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, filters.NONE),
        (1.0, "100%"),
        (0.0, "0%"),
        (0.9999, ">99.9%"),
        (0.0001, "<0.1%"),
        (0.992, "99.2%"),
        (0.5, "50%"),
    ],
)
def test_a_share_never_rounds_to_all_or_nothing(share: float | None, words: str) -> None:
    assert filters.percent(share) == words


@given(st.text(min_size=1), st.integers(min_value=3, max_value=60))
def test_a_shortened_text_keeps_both_ends_and_fits(text: str, length: int) -> None:
    short = filters.shorten(text, length)

    assert len(short) <= max(length, len(text)) if len(text) <= length else len(short) == length
    assert short[0] == text[0]
    assert short[-1] == text[-1]


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [
        (0, "just now"),
        (-3, "3 s ago"),
        (-185, "3 min ago"),
        (400, "in 7 min"),
        (-7300, "2 h ago"),
        (-200_000, "2 d ago"),
        (0.4, "just now"),
        (90 * 86_400 - 2, "in 90 d"),
        (7 * 86_400 - 0.5, "in 7 d"),
        (3599, "in 1 h"),
        (5400, "in 2 h"),
        (89, "in 1 min"),
    ],
)
def test_a_moment_is_said_relative_to_now(offset_s: int, words: str) -> None:
    assert filters.relative(NOW + timedelta(seconds=offset_s), now=NOW) == words


def test_a_moment_carries_as_much_date_as_is_needed() -> None:
    def said(at: datetime) -> str:
        return filters.absolute(at, now=NOW, zone=UTC)

    assert said(NOW) == "14:05:10"
    assert said(NOW - timedelta(days=2)) == "20 Nov 14:05:10"
    assert said(NOW.replace(year=2024)) == "22 Nov 2024 14:05:10"


def test_days_and_moments_follow_the_zone_of_the_reader() -> None:
    tokyo = timezone(timedelta(hours=9), "JST")
    late = datetime(2025, 11, 22, 16, 0, tzinfo=UTC)

    assert filters.exact(late, zone=tokyo) == "2025-11-23 01:00:00.000 JST"
    assert filters.day(NOW, now=late, zone=tokyo) == "Yesterday"
    assert filters.day(NOW, now=late, zone=UTC) == "Today"
    assert filters.day(NOW - timedelta(days=3), now=NOW, zone=UTC) == "Wednesday 19 November"


def test_machine_times_are_rfc_3339_in_utc() -> None:
    assert filters.iso(NOW.astimezone(timezone(timedelta(hours=-5)))) == "2025-11-22T14:05:10.000Z"


@pytest.mark.parametrize(
    ("name", "letters"), [("Ada Lovelace", "AL"), ("ed.x@example.com", "EX"), ("vi", "V"), ("", "?")]
)
def test_a_person_has_initials(name: str, letters: str) -> None:
    assert filters.initials(name) == letters


def test_the_query_of_a_page_changes_one_parameter_at_a_time() -> None:
    query = {"state": ["failed"], "hook": ["a", "b"], "cursor": ["x"]}

    assert filters.with_query("/d", query, cursor=None) == "/d?state=failed&hook=a&hook=b"
    assert filters.with_query("/d", query, state="", hook=["c"], cursor=None) == "/d?hook=c"
    assert filters.with_query("/d", {}, from_="2 h") == "/d?from=2+h"


def app() -> Flask:
    made = Flask(__name__, static_folder=str(STATIC))
    filters.install(made)
    return made


def test_own_assets_carry_their_content_hash_and_vendored_ones_their_version() -> None:
    with app().test_request_context():
        assert filters.asset("console.css").startswith("/static/console.css?v=")
        assert filters.asset("vendor/htmx.org@2.0.11/htmx.min.js") == "/static/vendor/htmx.org@2.0.11/htmx.min.js"


@pytest.mark.parametrize(
    ("cookie", "theme"), [("theme=dark", "dark"), ("theme=purple", "auto"), ('theme="><b>', "auto"), ("", "auto")]
)
def test_only_known_themes_are_taken_from_the_cookie(cookie: str, theme: str) -> None:
    with app().test_request_context(headers={"Cookie": cookie}):
        assert render_template_string("{{ theme() }}") == theme


def test_templates_see_the_words_and_this_pages_address() -> None:
    with app().test_request_context("/o/acme/deliveries?state=failed&cursor=9"):
        assert render_template_string("{{ 1204|plural('hook') }} {{ here(cursor=none)|safe }}") == (
            "1,204 hooks /o/acme/deliveries?state=failed"
        )
        assert render_template_string("{{ '\u202eexe.gnp'|visible }}") == "⟨U+202E⟩exe.gnp"


def laid_out(text: str) -> str | None:
    tokens = json_tokens(text)
    return None if tokens is None else "".join(token.text for token in tokens)


def test_json_is_indented_and_its_tokens_stay_as_received() -> None:
    assert laid_out('{"a":[1.50,1E5,{}],"a":"\\u00eb","b":[]}') == (
        '{\n  "a": [\n    1.50,\n    1E5,\n    {}\n  ],\n  "a": "\\u00eb",\n  "b": []\n}'
    )


def test_keys_and_values_are_told_apart() -> None:
    kinds = [token.kind for token in json_tokens('{"a":"b","c":null,"d":-1}') or ()]

    assert [kind for kind in kinds if kind != "punctuation"] == ["key", "string", "key", "word", "key", "number"]


@pytest.mark.parametrize(
    "text", ["", "hello", '"text"', "{", '{"a":', "[1,2}}", "{'a':1}", "[NaN]", "[" * 65 + "]" * 65]
)
def test_what_is_not_json_is_left_alone(text: str) -> None:
    assert laid_out(text) is None


def test_a_text_of_a_million_brackets_is_refused_at_once() -> None:
    assert json_tokens("[" * 1_000_000) is None
