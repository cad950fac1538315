from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from console.core.redact import MASK
from console.models import AuditEntry
from console.services import audit
from console.services.audit import AuditFilter
from console.services.work import Actor, Work

pytestmark = pytest.mark.both_databases


def _record(work: Work, action: Any = "hook.updated", changes: Any = None, **more: Any) -> Any:
    with work.transaction():
        return audit.record(work, action=action, changes=changes, **more)


def test_an_entry_says_who_when_from_where_and_what(work: Work, ada: Any, clock: Any) -> None:
    acting = replace(work, actor=Actor("ada@example.com", ada.user.number, "192.0.2.1"))

    entry = _record(
        acting,
        organization_number=ada.organization.number,
        object_type="hook",
        object_id="7",
        object_name="Warehouse",
        changes={"name": ["Depot", "Warehouse"]},
    )

    assert (entry.actor, entry.user_number, entry.ip) == ("ada@example.com", ada.user.number, "192.0.2.1")
    assert (entry.at, entry.action) == (clock.now(), "hook.updated")
    assert (entry.object_type, entry.object_id, entry.object_name) == ("hook", "7", "Warehouse")
    assert entry.changes == {"name": ["Depot", "Warehouse"]}


def test_an_entry_comes_and_goes_with_the_callers_transaction(work: Work) -> None:
    def change_and_fail() -> Any:
        with work.transaction():
            audit.record(work, action="hook.updated")
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError):
        change_and_fail()

    assert work.session.scalar(select(func.count()).select_from(AuditEntry)) == 0


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"secret": [None, "whsec_abc"]}, {"secret": [None, MASK]}),
        ({"password": ["old", "new"]}, {"password": [MASK, MASK]}),
        ({"secrets": [2, 1]}, {"secrets": [2, 1]}),
        (
            {"headers": [{}, {"Authorization": "Bearer x", "Accept": "a/b"}]},
            {"headers": [{}, {"Authorization": MASK, "Accept": "a/b"}]},
        ),
        ({"sealed_headers": [None, b"gAAAA"]}, {"sealed_headers": [None, MASK]}),
        (
            {"url": ["http://a.example/?key=1", "http://b.example/"]},
            {"url": [f"http://a.example/?key={MASK}", "http://b.example/"]},
        ),
        ({"description": [None, "use whsec_AbCdEf123 here"]}, {"description": [None, f"use whsec_{MASK} here"]}),
        ({"event_types": [["a.b"], ["a.b", "c.*"]]}, {"event_types": [["a.b"], ["a.b", "c.*"]]}),
        ({"is_active": [True, False]}, {"is_active": [True, False]}),
    ],
)
def test_secrets_are_left_out_of_changes(work: Work, changes: Any, shown: Any) -> None:
    assert _record(work, changes=changes).changes == shown


def test_a_long_text_is_cut(work: Work) -> None:
    entry = _record(work, changes={"sample": [None, "x" * 100_000]})

    assert len(entry.changes["sample"][1]) == audit.LONGEST_TEXT


def test_entries_are_listed_newest_first_in_pages(work: Work, ada: Any) -> None:
    for number in range(5):
        _record(work, organization_number=ada.organization.number, object_name=str(number))

    first = audit.find(work, organization_number=ada.organization.number, limit=2)
    second = audit.find(work, organization_number=ada.organization.number, before=first[-1].number, limit=2)

    assert [entry.object_name for entry in first + second] == ["4", "3", "2", "1"]


def test_an_organization_sees_its_own_entries_only(work: Work, ada: Any, mallory: Any) -> None:
    _record(work, action="hook.deleted", organization_number=ada.organization.number)

    entries = audit.find(work, organization_number=mallory.organization.number)

    assert "hook.deleted" not in [entry.action for entry in entries]


def test_entries_are_filtered_by_person_action_object_and_time(work: Work, ada: Any, clock: Any) -> None:
    number = ada.organization.number
    acting = replace(work, actor=Actor("ada", ada.user.number))
    _record(acting, action="hook.updated", organization_number=number, object_type="hook", object_id="1")
    clock.advance(hours=1)
    _record(work, action="hook.deleted", organization_number=number, object_type="hook", object_id="2")
    _record(work, action="hookish.thing", organization_number=number)

    def actions(**wanted: Any) -> Any:
        entries = audit.find(work, organization_number=number, wanted=AuditFilter(**wanted))
        return [entry.action for entry in entries]

    assert actions(user_number=ada.user.number) == ["hook.updated"]
    assert actions(action="hook.deleted") == ["hook.deleted"]
    assert actions(action="hook") == ["hook.deleted", "hook.updated"]
    assert actions(object_type="hook", object_id="1") == ["hook.updated"]
    assert actions(since=clock.now()) == ["hookish.thing", "hook.deleted"]
    assert actions(action="hook", until=clock.now()) == ["hook.updated"]
