"""The event types that come with Hookyard."""

from __future__ import annotations

from typing import Any

import pytest

from console.core.catalogue import (
    HOOKYARD,
    OMS,
    PRETIX,
    WALDUR,
    all_packaged,
    packaged,
    packaged_groups,
    packaged_names,
    pretix_kind,
    with_wildcards,
)
from console.core.patterns import check_catalogue_name


def test_the_four_families_are_complete() -> None:
    assert len(packaged(WALDUR)) == 388
    assert len(packaged_groups(WALDUR)) == 27
    assert len(packaged(PRETIX)) == 47
    assert len(packaged(OMS)) == 11
    assert "hook.disabled" in packaged_names(HOOKYARD)


def test_no_name_is_packaged_twice_and_each_may_stand_in_a_catalogue() -> None:
    names = [packaged_type.name for packaged_type in all_packaged()]

    for name in names:
        check_catalogue_name(name)
    assert len(names) == len(set(names))


def test_every_packaged_type_has_a_sentence_and_a_sample() -> None:
    for packaged_type in all_packaged():
        assert packaged_type.description[0].isupper(), packaged_type.name
        assert packaged_type.description.endswith("."), packaged_type.name
        assert packaged_type.sample, packaged_type.name


def test_waldurs_groups_keep_their_types() -> None:
    groups = packaged_groups(WALDUR)

    assert groups["ssh"] == ("ssh_key_creation_succeeded", "ssh_key_deletion_succeeded")
    assert "openstack_port_created" in groups["openstack_resources"]


@pytest.mark.parametrize(
    ("action_type", "kind"),
    [
        ("pretix.event.order.paid", "order"),
        ("pretix.event.order.changed.item", "order"),
        ("pretix.event.order.changed", "event"),
        ("pretix.event.item.changed", "item"),
        ("pretix.event.item.variation.added", "item"),
        ("pretix.giftcards.transaction.payment", "giftcard_transaction"),
        ("pretix.event.checkin.reverted", "checkin"),
        ("plugin.thing.done", "event"),
    ],
)
def test_a_pretix_type_has_the_kind_of_the_narrowest_name(action_type: Any, kind: Any) -> None:
    assert pretix_kind(action_type) == kind


def test_a_name_stands_under_itself_and_the_wildcards_above_it() -> None:
    assert with_wildcards("a.b.c") == ("a.b.c", "a.b.*", "a.*")
    assert with_wildcards("a") == ("a",)
