"""How retry policies are read, and what is wrong with those that are not."""

from __future__ import annotations

import pytest

from console.core.errors import Invalid, Refused
from console.core.retry_reading import parse_retry, parse_schedule


def errors_of(value: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        parse_retry(value)
    return [(error.pointer, error.code) for error in caught.value.fields]


@pytest.mark.parametrize(
    "text", ["", ",", "10,", "-1", "1e3", "nan", "inf", "ten", "2592001", "10;20", "\uff11", ",".join(["1"] * 51)]
)
def test_a_schedule_that_is_no_list_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_schedule(text)
    assert caught.value.code == "retry_schedule"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], [("/retry", "invalid")]),
        ("fixed", [("/retry", "invalid")]),
        ({}, [("/retry/kind", "invalid")]),
        ({"kind": None}, [("/retry/kind", "invalid")]),
        ({"kind": ["fixed"]}, [("/retry/kind", "invalid")]),
        ({"kind": "bogus", "x": 1}, [("/retry/kind", "invalid")]),
        ({"kind": "fixed"}, [("/retry/seconds", "required")]),
        ({"kind": "fixed", "seconds": None}, [("/retry/seconds", "required")]),
        ({"kind": "fixed", "seconds": -1}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": "60"}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": True}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": 2_592_001}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": 10**400}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": float("nan")}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": float("inf")}, [("/retry/seconds", "invalid")]),
        ({"kind": "fixed", "seconds": 1, "attempts": 0}, [("/retry/attempts", "invalid")]),
        ({"kind": "fixed", "seconds": 1, "attempts": 51}, [("/retry/attempts", "invalid")]),
        ({"kind": "fixed", "seconds": 1, "attempts": 1.5}, [("/retry/attempts", "invalid")]),
        ({"kind": "fixed", "seconds": 1, "jitter": 0.51}, [("/retry/jitter", "invalid")]),
        ({"kind": "fixed", "seconds": 1, "expires_after": 0}, [("/retry/expires_after", "invalid")]),
        ({"kind": "fixed", "seconds": 1, "base": 2}, [("/retry/base", "unknown_field")]),
        ({"kind": "fixed", "seconds": 1, "a/b~c": 2}, [("/retry/a~1b~0c", "unknown_field")]),
        ({"kind": "linear"}, [("/retry/base", "required")]),
        ({"kind": "linear", "base": 1, "start": -1}, [("/retry/start", "invalid")]),
        ({"kind": "linear", "base": 1, "limit": []}, [("/retry/limit", "invalid")]),
        ({"kind": "exponential", "base": 2, "factor": -1}, [("/retry/factor", "invalid")]),
        ({"kind": "random"}, [("/retry/min", "required"), ("/retry/max", "required")]),
        ({"kind": "random", "max": 3, "min": 4}, [("/retry/max", "invalid")]),
        ({"kind": "random", "min": 1.5, "max": 3}, [("/retry/min", "invalid")]),
        ({"kind": "list"}, [("/retry/delays", "invalid")]),
        ({"kind": "list", "delays": []}, [("/retry/delays", "invalid")]),
        ({"kind": "list", "delays": {"0": 1}}, [("/retry/delays", "invalid")]),
        ({"kind": "list", "delays": [1] * 51}, [("/retry/delays", "invalid")]),
        ({"kind": "list", "delays": [1, -1, 2, "3"]}, [("/retry/delays/1", "invalid"), ("/retry/delays/3", "invalid")]),
        ({"kind": "schedule", "delays": [1]}, [("/retry/delays", "unknown_field")]),
        (
            {"bogus": 1, "kind": "fixed", "jitter": 9, "attempts": "x"},
            [
                ("/retry/bogus", "unknown_field"),
                ("/retry/jitter", "invalid"),
                ("/retry/attempts", "invalid"),
                ("/retry/seconds", "required"),
            ],
        ),
    ],
)
def test_every_bad_field_is_named_in_the_order_of_the_input(value: object, expected: list[tuple[str, str]]) -> None:
    assert errors_of(value) == expected


def test_the_messages_say_what_was_expected() -> None:
    with pytest.raises(Invalid, match=r"seconds is a number from 0 to 2592000\."):
        parse_retry({"kind": "fixed", "seconds": "x"})
    with pytest.raises(Invalid, match=r"attempts is a whole number from 1 to 50\."):
        parse_retry({"kind": "fixed", "seconds": 1, "attempts": 99})
