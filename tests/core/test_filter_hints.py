"""What is said of filters that compare what cannot be compared."""

from __future__ import annotations

import pytest

from console.core.filter_hints import hints

PAYLOAD = {"total": 120, "price": "12.50", "currency": "EUR", "paid": True, "lines": [{"sku": "A-17"}]}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("total > '100'", "total is a number here, and '100' is a text. Write `100`, in backquotes, for the number."),
        ("'100' < total", "total is a number here, and '100' is a text. Write `100`, in backquotes, for the number."),
        ("total == '120'", "total is a number here, and '120' is a text. Write `120`, in backquotes, for the number."),
        ("price > `10`", "price is a text here, and > compares numbers only: write to_number(price)."),
        ("price == `12.5`", "price is a text here, and `12.5` is a number, so they are never equal: write '12.5'."),
        ("paid == 'true'", "paid is true or false here, and 'true' is a text, so they are never equal."),
        ("paid > `0`", "paid is true or false here, and `0` is a number: > compares numbers only."),
        ('currency == "EUR"', "\"EUR\" in double quotes is the name of a field, not a text: write 'EUR'."),
        ("currency == EUR", "EUR is read as the name of a field, and there is none here. For the text write 'EUR'."),
        ("lines[0].sku == A", "A is read as the name of a field, and there is none here. For the text write 'A'."),
        ("elsewhere > '1'", "> compares numbers only, and '1' is a text. Write `1`, in backquotes, for the number."),
    ],
)
def test_a_comparison_that_can_hardly_be_meant_is_explained(expression: str, words: str) -> None:
    assert hints(expression, PAYLOAD) == [words]


@pytest.mark.parametrize(
    "expression",
    [
        "total > `100` && currency == 'EUR'",
        "to_number(price) > `10`",
        "paid",
        "paid == `true`",
        "total != `null`",
        "currency == lines[0].sku",
        "missing == 'EUR'",
        "lines[?sku == 'A-17']",
        "total >",
    ],
)
def test_nothing_is_said_of_what_may_be_meant(expression: str) -> None:
    assert hints(expression, PAYLOAD) == []


def test_double_quotes_are_explained_without_a_payload_too() -> None:
    assert hints('currency == "EUR"') == ["\"EUR\" in double quotes is the name of a field, not a text: write 'EUR'."]
