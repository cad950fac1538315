from __future__ import annotations

from typing import Any

import pytest

from console.core.errors import Conflict, NotFound
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.services.people import members, sign_in
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def test_members_are_listed_newest_first(work: Work, ada: Any, ed: Any, vi: Any, mallory: Any) -> None:
    found = members.members(work, organization_number=ada.organization.number)

    assert [member.user.username for member in found] == ["vi", "ed", "ada"]
    assert members.members(work, organization_number=ada.organization.number, before=found[1].number) == found[2:]


def test_a_role_is_a_set_of_permissions(work: Work, ed: Any, mallory: Any) -> None:
    number = ed.organization.number

    assert members.role_of(work, user=ed.user, organization_number=number) is Role.EDITOR
    assert members.permissions_of(work, user=ed.user, organization_number=number) == ROLE_PERMISSIONS[Role.EDITOR]
    assert members.role_of(work, user=mallory.user, organization_number=number) is None
    assert members.permissions_of(work, user=mallory.user, organization_number=number) == frozenset()


def test_staff_are_admins_everywhere(work: Work, ada: Any, mallory: Any) -> None:
    with work.transaction():
        mallory.user.is_staff = True

    held = members.permissions_of(work, user=mallory.user, organization_number=ada.organization.number)

    assert held == frozenset(Permission)


def test_people_enter_their_organizations_and_staff_all(work: Work, ada: Any, mallory: Any) -> None:
    def slugs() -> list[str]:
        return [one.slug for one in members.organizations_of(work, user=ada.user)]

    assert slugs() == ["acme"]

    ada.user.is_staff = True
    assert slugs() == ["acme", "elsewhere"]


def test_a_change_of_role_ends_the_members_sessions(work: Work, ada: Any, ed: Any) -> None:
    secret = sign_in.start_session(work, user=ed.user, ip=None, user_agent=None)
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)

    members.change_role(work, membership=membership, role="admin")

    assert members.role_of(work, user=ed.user, organization_number=ed.organization.number) is Role.ADMIN
    assert sign_in.load_session(work, secret) is None


def test_the_last_admin_cannot_go(work: Work, ada: Any, ed: Any) -> None:
    membership = members.get_member(work, organization_number=ada.organization.number, user_id=ada.user.id)

    with pytest.raises(Conflict):
        members.change_role(work, membership=membership, role="viewer")
    with pytest.raises(Conflict):
        members.remove_member(work, membership=membership)

    assert members.role_of(work, user=ada.user, organization_number=ada.organization.number) is Role.ADMIN


def test_a_member_of_another_organization_is_not_found(work: Work, ada: Any, mallory: Any) -> None:
    with pytest.raises(NotFound):
        members.get_member(work, organization_number=ada.organization.number, user_id=mallory.user.id)
