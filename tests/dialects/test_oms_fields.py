"""The fields of a webhook of oms: which values are taken, and in which words others are refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects.drf_stage import URL
from tests.dialects.oms_stage import (
    LEAST,
    NULL,
    REQUIRED,
    H,
    make,
    path_of,
)

NOT_A_DICTIONARY = ['Expected a dictionary of items but got type "str".']
WRONG = [
    ({"target_url": None}, {"target_url": NULL}),
    ({"target_url": ""}, {"target_url": ["This field may not be blank."]}),
    ({"target_url": "ftp://example.com/"}, {"target_url": ["Enter a valid URL."]}),
    ({"target_url": "any text"}, {"target_url": ["Enter a valid URL."]}),
    ({"target_url": "https://10.0.0.1/"}, {"target_url": ["This address is not allowed."]}),
    (
        {"target_url": f"https://example.com/{'x' * 255}"},
        {"target_url": ["Ensure this field has no more than 255 characters."]},
    ),
    ({"is_active": "maybe"}, {"is_active": ["Must be a valid boolean."]}),
    ({"is_active": None}, {"is_active": NULL}),
    ({"secret_key": "x" * 125}, {"secret_key": ["Ensure this field has no more than 124 characters."]}),
    ({"secret_key": True}, {"secret_key": ["Not a valid string."]}),
    ({"event_type": "nope"}, {"event_type": ['"nope" is not a valid choice.']}),
    ({"event_type": "package.*"}, {"event_type": ['"package.*" is not a valid choice.']}),
    ({"event_type": "Package.Created"}, {"event_type": ['"Package.Created" is not a valid choice.']}),
    ({"event_type": None}, {"event_type": NULL}),
    ({"event_type": "x" * 125}, {"event_type": ["Ensure this field has no more than 124 characters."]}),
    ({"callback": "os.system"}, {"callback": ['"os.system" is not a valid choice.']}),
    ({"callback": "x" * 65}, {"callback": ["Ensure this field has no more than 64 characters."]}),
    ({"additional_headers": None}, {"additional_headers": NULL}),
    ({"additional_headers": "X-A"}, {"additional_headers": NOT_A_DICTIONARY}),
    ({"additional_headers": {"X-A": True}}, {"additional_headers": {"X-A": ["Not a valid string."]}}),
    ({"additional_headers": {"X-A": None}}, {"additional_headers": {"X-A": NULL}}),
    ({"additional_headers": {"Host": "x"}}, {"additional_headers": ["Host may not be set."]}),
    ({"additional_headers": {"content-length": "1"}}, {"additional_headers": ["content-length may not be set."]}),
    ({"additional_headers": {"Transfer-Encoding": "x"}}, {"additional_headers": ["Transfer-Encoding may not be set."]}),
    ({"additional_headers": {"Connection": "x"}}, {"additional_headers": ["Connection may not be set."]}),
    ({"additional_headers": {"Webhook-Id": "x"}}, {"additional_headers": ["Webhook-Id may not be set."]}),
    ({"config": None}, {"config": NULL}),
    ({"config": "x"}, {"config": NOT_A_DICTIONARY}),
    ({"config": []}, {"config": ['Expected a dictionary of items but got type "list".']}),
]


@pytest.mark.parametrize(("fields", "errors"), WRONG)
def test_a_wrong_field_is_named(ada_api: Any, fields: dict[str, Any], errors: dict[str, Any]) -> None:
    answer = ada_api.post(H, json=LEAST | fields)

    assert (answer.status_code, answer.get_json()) == (400, errors)


def _kwargs(errors: Any) -> dict[str, Any]:
    return {"kwargs": errors}


NO_DICTIONARY = {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}
COUNTDOWNS: list[tuple[Any, Any]] = [
    (None, NULL),
    ("x", NO_DICTIONARY),
    ({}, {"choice": REQUIRED, "kwargs": REQUIRED}),
    ({"choice": "bogus", "kwargs": {}}, {"choice": ['"bogus" is not a valid choice.']}),
    ({"choice": "fixed", "kwargs": "x"}, _kwargs(NO_DICTIONARY)),
    ({"choice": "fixed", "kwargs": {}}, _kwargs({"seconds": REQUIRED})),
    (
        {"choice": "fixed", "kwargs": {"seconds": -1}},
        _kwargs({"seconds": ["Ensure this value is greater than or equal to 0."]}),
    ),
    ({"choice": "fixed", "kwargs": {"seconds": "x"}}, _kwargs({"seconds": ["A valid integer is required."]})),
    (
        {"choice": "random", "kwargs": {"min_value": 5, "max_value": 5}},
        _kwargs({"non_field_errors": ["'max_value' must be greater than 'min_value'."]}),
    ),
]


@pytest.mark.parametrize(("countdown", "errors"), COUNTDOWNS)
def test_a_wrong_countdown_is_explained_where_it_is_wrong(ada_api: Any, countdown: Any, errors: Any) -> None:
    answer = ada_api.post(H, json=LEAST | {"retry_countdown_config": countdown})

    assert (answer.status_code, answer.get_json()) == (400, {"retry_countdown_config": errors})


POSTED = [
    ({"choice": "fixed", "kwargs": {"seconds": "60", "more": 1}}, {"choice": "fixed", "kwargs": {"seconds": 60}}),
    ({"choice": "exponential", "kwargs": {"base": 2}}, None),
    ({"choice": "exponential", "kwargs": {"factor": 3, "base": 2, "limit": None}}, None),
    ({"choice": "linear", "kwargs": {"base": 10, "limit": 100}}, None),
    ({"choice": "random", "kwargs": {"min_value": 1, "max_value": 9}}, None),
    ({"choice": "fixed", "kwargs": {"seconds": 10**30}}, None),
]


@pytest.mark.parametrize(("posted", "shown"), POSTED)
def test_a_countdown_comes_back_as_it_was_posted(ada_api: Any, posted: Any, shown: Any) -> None:
    made = make(ada_api, retry_countdown_config=posted)

    assert made["retry_countdown_config"] == (shown or posted)
    assert ada_api.get(path_of(made)).get_json() == made


def test_all_wrong_fields_are_named_together_in_the_order_of_the_answer(ada_api: Any) -> None:
    wrong = {"config": 1, "callback": "x", "event_type": "x", "is_active": 5, "retry_countdown_config": 1}

    answer = ada_api.post(H, json=wrong)

    named = ["retry_countdown_config", "target_url", "is_active", "event_type", "callback", "config"]
    assert (answer.status_code, list(answer.get_json())) == (400, named)


def test_strings_are_trimmed_and_empty_ones_are_null(ada_api: Any) -> None:
    made = make(ada_api, target_url=f"  {URL} ", secret_key="  ", callback="", event_type=" package.created ")

    assert (made["target_url"], made["secret_key"], made["callback"]) == (URL, None, None)
