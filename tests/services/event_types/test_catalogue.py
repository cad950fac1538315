from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.core.errors import Conflict, Invalid, NotFound
from console.models import Event
from console.services.event_types import catalogue
from console.services.figures import type_hours
from console.services.organizations import organizations
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def _create(work: Work, person: Any, name: Any = "shop.sale", **fields: Any) -> Any:
    return catalogue.create(work, organization_number=person.organization.number, name=name, **fields)


def _happened(work: Work, person: Any, event_type: str, *, is_test: bool = False) -> Any:
    with work.transaction():
        work.session.add(
            Event(
                id=work.new_id(),
                organization_number=person.organization.number,
                type=event_type,
                occurred_at=work.now(),
                created_at=work.now(),
                request_sha256=b"",
                payload=b"{}",
                payload_sha256=b"",
                is_test=is_test,
            )
        )


# --- installing -----------------------------------------------------------------------------------------------------


def test_installing_again_adds_nothing_and_changes_nothing(work: Work, ada: Any) -> None:
    event_type = catalogue.get(work, organization_number=ada.organization.number, name="package.created")
    catalogue.change(work, event_type=event_type, fields={"description": "Our own words."})

    assert catalogue.install_everywhere(work) == 0

    work.session.expire_all()
    again = catalogue.get(work, organization_number=ada.organization.number, name="package.created")
    assert again.description == "Our own words."


def test_an_upgrade_adds_what_is_missing_everywhere(work: Work, ada: Any, mallory: Any) -> None:
    with work.transaction():
        for person in (ada, mallory):
            work.session.delete(
                catalogue.get(work, organization_number=person.organization.number, name="package.created")
            )

    assert catalogue.install_everywhere(work) == 2


# --- reading --------------------------------------------------------------------------------------------------------


def test_types_are_listed_newest_first_in_pages(work: Work, ada: Any) -> None:
    for name in ("a.one", "a.two", "a.three"):
        _create(work, ada, name)

    first = catalogue.find(work, organization_number=ada.organization.number, limit=2)
    second = catalogue.find(work, organization_number=ada.organization.number, before=first[-1].number, limit=1)

    assert [one.name for one in first + second] == ["a.three", "a.two", "a.one"]


def test_types_are_found_by_words_group_and_origin(work: Work, ada: Any, switch_on: Any) -> None:
    switch_on(ada)
    _create(work, ada, "a.one", groups=["mine"], description="100% sure")

    def names(**wanted: Any) -> Any:
        found = catalogue.find(work, organization_number=ada.organization.number, limit=500, **wanted)
        return {one.name for one in found}

    assert names(q="SSH_key") == {"ssh_key_creation_succeeded", "ssh_key_deletion_succeeded"}
    assert names(q="100%") == {"a.one"}
    assert names(group="mine") == {"a.one"}
    assert names(group="ssh") == {"ssh_key_creation_succeeded", "ssh_key_deletion_succeeded"}
    assert names(group="ss") == set()
    assert names(is_builtin=False) == {"a.one"}
    assert catalogue.own_names(work, organization_number=ada.organization.number) == ["a.one"]


def test_groups_come_with_their_size(work: Work, ada: Any, switch_on: Any) -> None:
    switch_on(ada)
    _create(work, ada, "a.one", groups=["ssh", "mine"])

    sizes = {group.name: group.types for group in catalogue.groups(work, organization_number=ada.organization.number)}

    assert (sizes["ssh"], sizes["mine"], sizes["pretix"], sizes["oms"]) == (3, 1, 47, 11)
    assert "mine" in catalogue.group_names(work, organization_number=ada.organization.number)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("ssh_key_creation_succeeded", ("ssh", "users")),
        ("pretix.event.order.changed.item", ("pretix",)),
        ("pretix.event.order.paid.late", ()),
        ("never.heard.of", ()),
        ("matrix_password_generated", ()),
    ],
)
def test_the_groups_of_a_name_are_its_own_or_those_of_the_wildcard_above(
    work: Work, ada: Any, name: Any, groups: Any
) -> None:
    assert catalogue.groups_of(work, organization_number=ada.organization.number, name=name) == groups


def test_a_type_by_its_own_name_wins_over_the_wildcard_above(work: Work, ada: Any) -> None:
    _create(work, ada, "pretix.event.item.added", groups=["products"], sample={"item": 1})

    number = ada.organization.number
    assert catalogue.groups_of(work, organization_number=number, name="pretix.event.item.added") == ("products",)
    assert catalogue.sample_of(work, organization_number=number, name="pretix.event.item.added") == {"item": 1}
    assert catalogue.sample_of(work, organization_number=number, name="pretix.event.item.gone")["item"] == 12
    assert catalogue.sample_of(work, organization_number=number, name="never.heard.of") is None


def test_types_seen_but_not_in_the_catalogue_are_listed(work: Work, ada: Any, mallory: Any, switch_on: Any) -> None:
    switch_on(ada)
    _happened(work, ada, "z.unknown")
    _happened(work, ada, "a.unknown")
    _happened(work, ada, "a.unknown")
    _happened(work, ada, "package.created")
    _happened(work, ada, "pretix.event.item.changed")
    _happened(work, ada, "tried.out", is_test=True)
    _happened(work, mallory, "not.ours")

    number = ada.organization.number
    seen = type_hours.last_seen(work, organization_number=number)

    known = catalogue.names(work, organization_number=number)
    assert catalogue.unknown_of(seen, known=known) == ["a.unknown", "z.unknown"]


# --- writing --------------------------------------------------------------------------------------------------------


def test_an_organization_adds_a_type_of_its_own(work: Work, ada: Any, clock: Any) -> None:
    schema = {"type": "object", "required": ["total"]}

    event_type = _create(
        work, ada, groups=["shop"], description="Something was sold.", sample={"total": "1.00"}, schema=schema
    )

    assert catalogue.get(work, organization_number=ada.organization.number, name="shop.sale") is event_type
    assert (event_type.groups, event_type.sample, event_type.schema) == (["shop"], {"total": "1.00"}, schema)
    assert not event_type.is_builtin
    assert event_type.created_at == clock.now()


def test_a_name_stands_in_a_catalogue_once(work: Work, ada: Any, mallory: Any) -> None:
    _create(work, ada)
    _create(work, mallory)

    with pytest.raises(Conflict):
        _create(work, ada)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "no spaces"}, "/name"),
        ({"name": ""}, "/name"),
        ({"groups": ["fine", "not,fine"]}, "/groups/1"),
        ({"groups": [f"group {number}" for number in range(21)]}, "/groups"),
        ({"description": "x" * 2001}, "/description"),
        ({"sample": "x" * 300_000}, "/sample"),
        ({"schema": ["not", "an", "object"]}, "/schema"),
    ],
)
def test_a_wrong_field_is_named(work: Work, ada: Any, fields: Any, pointer: Any) -> None:
    with pytest.raises(Invalid) as caught:
        _create(work, ada, **fields)

    assert [field.pointer for field in caught.value.fields] == [pointer]


def test_a_type_is_changed_but_for_its_name(work: Work, ada: Any, clock: Any) -> None:
    event_type = _create(work, ada)
    clock.advance(minutes=1)

    catalogue.change(work, event_type=event_type, fields={"groups": ["shop"], "sample": [1, 2]})

    assert (event_type.groups, event_type.sample) == (["shop"], [1, 2])
    assert event_type.modified_at == event_type.created_at + timedelta(minutes=1)
    with pytest.raises(TypeError):
        catalogue.change(work, event_type=event_type, fields={"name": "other"})


def test_an_own_type_can_be_deleted_a_packaged_one_cannot(work: Work, ada: Any) -> None:
    own = _create(work, ada)
    builtin = catalogue.get(work, organization_number=ada.organization.number, name="package.created")

    catalogue.delete(work, event_type=own)

    with pytest.raises(NotFound):
        catalogue.get(work, organization_number=ada.organization.number, name="shop.sale")
    with pytest.raises(Conflict):
        catalogue.delete(work, event_type=builtin)


def test_a_second_organization_starts_with_the_same_catalogue(work: Work, ada: Any) -> None:
    other = organizations.create(work, slug="other")

    theirs = catalogue.names(work, organization_number=other.number)
    assert theirs == catalogue.names(work, organization_number=ada.organization.number)
