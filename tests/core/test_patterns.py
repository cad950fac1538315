"""Event types, wildcards by segment, and which hooks an event reaches."""

from __future__ import annotations

import re
import time
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.errors import Refused
from console.core.patterns import (
    Subscription,
    check_catalogue_name,
    check_event_type,
    check_pattern,
    is_pattern,
    matches,
)

segments = st.sampled_from(["a", "b", "c"])
event_types = st.lists(segments, min_size=1, max_size=5).map(".".join)
patterns = st.lists(segments | st.just("*"), min_size=1, max_size=5).map(".".join)
subscriptions = st.builds(
    lambda all_events, names, groups, sources: Subscription.of(
        names, all_events=all_events, groups=groups, sources=sources
    ),
    st.booleans(),
    st.lists(patterns, max_size=4),
    st.lists(st.sampled_from(["g", "h"]), max_size=2),
    st.none() | st.lists(st.sampled_from(["s", "t"]), max_size=2),
)
groups_of_a_type = st.lists(st.sampled_from(["g", "h"]), max_size=2)
sources = st.sampled_from([None, "s", "t"])


def reason(
    subscription: Subscription, event_type: str, *, groups: Collection[str] = (), source: str | None = None
) -> object:
    return subscription.reason_against(event_type=event_type, groups=groups, source=source)


def as_regex(pattern: str) -> str:
    """The rule written down a second time: safe here, where the patterns are the test's own."""
    parts = pattern.split(".")
    inner = [r"[^.]+" if part == "*" else re.escape(part) for part in parts]
    last = ".+" if parts[-1] == "*" else inner[-1]
    return r"\.".join([*inner[:-1], last])


@pytest.mark.parametrize(
    ("pattern", "event_type", "expected"),
    [
        ("order.paid", "order.paid", True),
        ("order.paid", "order.paid.twice", False),
        ("order.paid", "order", False),
        ("order.*", "order.paid", True),
        ("order.*", "order.refund.done", True),
        ("order.*", "order", False),
        ("order.*", "orders.paid", False),
        ("order.*", "preorder.paid", False),
        ("*", "order", True),
        ("*", "order.paid", True),
        ("*.paid", "order.paid", True),
        ("*.paid", "shop.order.paid", False),
        ("*.*", "order.paid", True),
        ("*.*", "order.refund.done", True),
        ("*.*", "order", False),
        ("shop.*.paid", "shop.order.paid", True),
        ("shop.*.paid", "shop.order.item.paid", False),
        ("shop.*.paid", "shop.paid", False),
        ("shop.*.paid.*", "shop.order.paid.now.really", True),
        ("a.b.*", "a.b.*", True),
        ("Order.*", "order.paid", False),
        ("order.*", "order.", False),
        ("o*.paid", "order.paid", False),
        ("order_paid", "orderxpaid", False),
    ],
)
def test_a_last_star_covers_one_part_or_more_and_an_inner_one_exactly_one(
    pattern: str, event_type: str, *, expected: bool
) -> None:
    assert matches(pattern, event_type) is expected


@given(patterns, event_types)
def test_matching_agrees_with_the_rule_written_as_a_regular_expression(pattern: str, event_type: str) -> None:
    assert matches(pattern, event_type) == bool(re.fullmatch(as_regex(pattern), event_type))


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "order",
        "order.paid",
        "ssh_key_creation_succeeded",
        "webhook.test",
        "pretix.event.order.placed.require_approval",
        "shop:order-paid",
        "a/b@c+d.e",
        "x" * 200,
        "9",
        "_",
    ],
)
def test_an_event_type_is_parts_of_letters_digits_and_a_few_signs(name: str) -> None:
    check_event_type(name)
    check_catalogue_name(name)
    check_pattern(name)
    assert not is_pattern(name)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "event_type_length"),
        ("x" * 201, "event_type_length"),
        ("a" * 1_000_000, "event_type_length"),
        (".", "event_type_form"),
        ("order.", "event_type_form"),
        (".paid", "event_type_form"),
        ("order..paid", "event_type_form"),
        ("order paid", "event_type_form"),
        ("order.paid\n", "event_type_form"),
        ("ordér", "event_type_form"),
        ("order.\u0661", "event_type_form"),
        ("<b>", "event_type_form"),
        ("a\x00b", "event_type_form"),
        ("ord*", "event_type_form"),
        ("order.**", "event_type_form"),
        ("a#b", "event_type_form"),
        ("/lead", "event_type_form"),
        ("//dbl", "event_type_form"),
        ("a//b", "event_type_form"),
        ("end/", "event_type_form"),
        ("a/./b", "event_type_form"),
        ("..", "event_type_form"),
        ("%2F", "event_type_form"),
        ("order.paid ", "event_type_form"),
        ("order\x7f", "event_type_form"),
    ],
)
def test_anything_else_is_no_event_type_and_no_pattern(name: str, code: str) -> None:
    for check in (check_event_type, check_catalogue_name, check_pattern):
        with pytest.raises(Refused) as caught:
            check(name)
        assert caught.value.code == code


@pytest.mark.parametrize("pattern", ["*", "order.*", "*.paid", "a.*.c", "*.*", "pretix.event.item.*"])
def test_a_star_may_stand_for_any_whole_part_of_a_pattern(pattern: str) -> None:
    check_pattern(pattern)
    assert is_pattern(pattern)
    with pytest.raises(Refused, match="event type"):
        check_event_type(pattern)


def test_the_catalogue_may_hold_names_that_end_in_a_star() -> None:
    check_catalogue_name("pretix.event.item.*")


@pytest.mark.parametrize("name", ["*", ".*", "*.paid", "a.*.c", "a.*.*"])
def test_the_catalogue_holds_no_other_wildcards(name: str) -> None:
    with pytest.raises(Refused):
        check_catalogue_name(name)


def test_an_empty_subscription_receives_nothing() -> None:
    assert reason(Subscription(), "order.paid") == "type"
    assert reason(Subscription(), "order.paid", groups=["orders"]) == "type"


def test_all_events_means_every_type() -> None:
    assert reason(Subscription(all_events=True), "anything.at.all") is None


def test_a_group_takes_every_type_that_is_in_it() -> None:
    subscription = Subscription.of(groups=["orders"])

    assert reason(subscription, "order.paid", groups=["users", "orders"]) is None
    assert reason(subscription, "order.paid", groups=["users"]) == "type"
    assert reason(subscription, "order.paid") == "type"


@pytest.mark.parametrize(
    ("event_type", "wanted"),
    [
        ("pretix.event.order.changed.item", True),
        ("pretix.event.order.changed.item.price", True),
        ("pretix.event.order.changed", False),
        ("pretix.event.order.changedx.item", False),
        ("pretix.event.order.paid", True),
        ("pretix.event.order.paid.twice", False),
    ],
)
def test_names_that_end_in_a_star_are_found_by_cutting_the_last_part_again_and_again(
    event_type: str, *, wanted: bool
) -> None:
    subscription = Subscription(names=frozenset({"pretix.event.order.changed.*", "pretix.event.order.paid"}))

    assert (reason(subscription, event_type) is None) is wanted


@pytest.mark.parametrize(
    ("chosen", "source", "expected"),
    [
        (None, None, None),
        (None, "shop", None),
        (["shop"], "shop", None),
        (["shop"], "fair", "source"),
        (["shop"], None, None),
        ([], "shop", "source"),
        ([], None, None),
    ],
)
def test_an_event_without_a_source_reaches_every_hook_that_wants_its_type(
    chosen: list[str] | None, source: str | None, expected: str | None
) -> None:
    assert reason(Subscription.of(["order.paid"], sources=chosen), "order.paid", source=source) == expected


def test_the_type_is_named_first_when_neither_type_nor_source_is_wanted() -> None:
    assert reason(Subscription.of(["a"], sources=[]), "b", source="shop") == "type"


def test_only_wildcards_with_an_inner_star_are_compared_one_by_one() -> None:
    subscription = Subscription.of(["a.*", "*", "b", "*.c", "a.*.c", "*.c"])

    assert subscription.names == {"a.*", "*", "b"}
    assert subscription.patterns == ("*.c", "a.*.c")


@given(st.lists(patterns, max_size=5), event_types)
def test_a_subscription_wants_what_any_of_its_patterns_matches(names: list[str], event_type: str) -> None:
    wanted = any(matches(name, event_type) for name in names)

    assert (reason(Subscription.of(names), event_type) is None) == wanted


def fastest(act: object, *, times: int = 5) -> float:
    assert callable(act)
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        durations.append(time.perf_counter() - began)
    return min(durations)


@pytest.mark.parametrize("name", ["a" * 100_000, "a." * 50_000, "a.b." * 25_000 + "c", "." * 100_000])
def test_two_hundred_patterns_and_a_name_of_100_000_characters_take_less_than_5_ms(name: str) -> None:
    wildcards = [".".join(["*", "a"] * (n % 50) + ["*"]) for n in range(100)] + [f"a.*.b.{n}.*" for n in range(100)]
    subscription = Subscription.of(wildcards)

    assert fastest(lambda: [matches(wildcard, name) for wildcard in wildcards]) < 0.005
    assert fastest(lambda: reason(subscription, name)) < 0.005
