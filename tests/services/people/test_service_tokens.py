"""Tokens of the organization, tokens that tokens create, and what happens to a person's tokens when they leave."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from console.core.errors import Forbidden, Unauthenticated
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.core.token_rights import TokenStatus
from console.models import AuditEntry, Token
from console.services.people import members, token_use, tokens
from console.services.people.tokens import Issued
from console.services.work import Work

pytestmark = pytest.mark.both_databases
PUBLISH = [Permission.EVENTS_PUBLISH]
MANAGE = [Permission.TOKENS_MANAGE, Permission.EVENTS_PUBLISH]


def issue(work: Work, person: Any, permissions: list[Permission] = PUBLISH, **others: Any) -> Issued:
    return tokens.issue(work, user=person.user, organization=person.organization, permissions=permissions, **others)


def status(work: Work, issued: Issued) -> TokenStatus:
    work.session.expire_all()
    return tokens.status_of(work, issued.token)


def leave(work: Work, person: Any, **others: Any) -> None:
    number = person.organization.number
    membership = members.get_member(work, organization_number=number, user_id=person.user.id)
    members.remove_member(work, membership=membership, **others)


def actions(work: Work) -> list[tuple[str, str | None]]:
    entries = select(AuditEntry).where(AuditEntry.object_type == "token").order_by(AuditEntry.number)
    return [(one.action, one.object_name) for one in work.session.scalars(entries)]


def test_a_service_token_works_when_its_creator_has_left(work: Work, ada: Any, ed: Any) -> None:
    issued = issue(work, ed, is_service=True, name="shop")

    leave(work, ed)

    principal = token_use.authenticate(work, issued.text)
    assert principal.user is None
    assert principal.permissions == set(PUBLISH)
    assert principal.organization.slug == "acme"


def test_a_service_token_may_do_no_more_than_its_creator_at_that_time(work: Work, ed: Any) -> None:
    with pytest.raises(Forbidden):
        issue(work, ed, [Permission.TOKENS_MANAGE], is_service=True)


def test_a_service_token_keeps_its_permissions_when_the_role_of_its_creator_is_lowered(work: Work, ed: Any) -> None:
    issued = issue(work, ed, is_service=True)
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)

    members.change_role(work, membership=membership, role="viewer")

    assert token_use.authenticate(work, issued.text).permissions == set(PUBLISH)


def test_a_service_token_of_a_member_of_staff_is_no_staff(work: Work, ada: Any) -> None:
    with work.transaction():
        ada.user.is_staff = True

    assert not token_use.authenticate(work, issue(work, ada, is_service=True).text).is_staff


def test_a_service_token_records_who_created_it(work: Work, as_person: Any, ada: Any) -> None:
    acting = as_person(ada)

    assert issue(acting, ada, is_service=True).token.created_by == "ada@example.com"


# --- tokens that tokens create --------------------------------------------------------------------------------------


def test_a_token_expires_no_later_than_the_one_that_created_it(work: Work, ada: Any, clock: Any) -> None:
    parent = issue(work, ada, MANAGE, expires_in_days=10)
    end = clock.now() + timedelta(days=10)

    forever = issue(work, ada, parent_number=parent.token.number)
    longer = issue(work, ada, parent_number=parent.token.number, expires_in_days=11, is_service=True)
    shorter = issue(work, ada, parent_number=parent.token.number, expires_in_days=9)

    assert [one.token.expires_at for one in (forever, longer)] == [end, end]
    assert shorter.token.expires_at == end - timedelta(days=1)


def test_a_token_gives_no_permission_that_it_does_not_have_although_its_user_does(work: Work, ada: Any) -> None:
    parent = issue(work, ada, MANAGE)

    for permission in (Permission.WEBHOOKS_VIEW, Permission.ADMIN):
        with pytest.raises(Forbidden):
            issue(work, ada, [permission], parent_number=parent.token.number)


def test_a_token_whose_user_may_less_now_gives_only_that(work: Work, ed: Any) -> None:
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)
    parent = issue(work, ed, PUBLISH)
    members.change_role(work, membership=membership, role="viewer")

    with pytest.raises(Forbidden):
        issue(work, ed, PUBLISH, parent_number=parent.token.number, is_service=True)


def test_revoking_a_token_revokes_all_that_it_created_and_that_they_created(work: Work, ada: Any) -> None:
    root = issue(work, ada, MANAGE, name="root")
    child = issue(work, ada, MANAGE, parent_number=root.token.number, is_service=True, name="child")
    grandchild = tokens.issue(
        work, organization=ada.organization, permissions=PUBLISH, parent_number=child.token.number, name="grandchild"
    )
    other = issue(work, ada, name="other")

    assert [one.name for one in tokens.depending_on(work, token=root.token)] == ["child", "grandchild"]
    tokens.revoke(work, token=root.token)

    assert grandchild.token.is_service
    for ended in (root, child, grandchild):
        with pytest.raises(Unauthenticated):
            token_use.authenticate(work, ended.text)
    assert status(work, other) is TokenStatus.VALID
    assert actions(work)[-3:] == [("token.revoked", name) for name in ("root", "child", "grandchild")]


def test_a_revoked_or_expired_token_creates_none(work: Work, ada: Any, clock: Any) -> None:
    revoked, expired = issue(work, ada, MANAGE), issue(work, ada, MANAGE, expires_in_days=1)
    tokens.revoke(work, token=revoked.token)
    clock.advance(days=1)

    for parent in (revoked, expired):
        with pytest.raises(Unauthenticated):
            issue(work, ada, parent_number=parent.token.number)


# --- leaving --------------------------------------------------------------------------------------------------------


def test_the_tokens_of_who_leaves_are_handed_over_or_end(work: Work, ada: Any, ed: Any) -> None:
    production, laptop = issue(work, ed, name="production"), issue(work, ed, name="laptop")
    adas = issue(work, ada)

    leave(work, ed, handed_over=[production.token.id, adas.token.id])

    assert token_use.authenticate(work, production.text).is_service
    assert status(work, laptop) is TokenStatus.REVOKED
    assert not tokens.get(work, organization_number=ada.organization.number, token_id=adas.token.id).is_service
    assert actions(work)[-2:] == [("token.handed_over", "production"), ("token.revoked", "laptop")]


def test_a_token_that_is_handed_over_may_do_what_it_could_do_then(work: Work, ed: Any, ada: Any) -> None:
    full = issue(work, ada, [Permission.ADMIN])
    with work.transaction():
        full.token.user_number = ed.user.number  # as if Ed had been an admin once

    leave(work, ed, handed_over=[full.token.id])

    assert token_use.authenticate(work, full.text).permissions == ROLE_PERMISSIONS[Role.EDITOR]


def test_a_token_that_may_do_nothing_any_more_ends_although_it_is_chosen(work: Work, ada: Any, vi: Any) -> None:
    issued = issue(work, ada, PUBLISH)
    with work.transaction():
        issued.token.user_number = vi.user.number

    leave(work, vi, handed_over=[issued.token.id])

    assert status(work, issued) is TokenStatus.REVOKED


@pytest.mark.parametrize("kept", ["parent and child", "child", "parent"])
def test_what_a_leavers_token_created_is_chosen_by_itself(work: Work, ada: Any, ed: Any, kept: str) -> None:
    parent = issue(work, ed, name="parent")
    child = issue(work, ed, parent_number=parent.token.number, is_service=True, name="child")
    number = ada.organization.number
    listed = tokens.of_leaver(work, user_number=ed.user.number, organization_number=number)

    leave(work, ed, handed_over=[one.id for one in listed if one.name in kept])

    assert [one.name for one in listed] == ["parent", "child"]
    assert (status(work, parent) is TokenStatus.VALID) is ("parent" in kept)
    assert (status(work, child) is TokenStatus.VALID) is ("child" in kept)
    assert child.token.parent_number == (None if kept == "child" else parent.token.number)


def test_a_token_whose_owner_is_no_member_is_not_valid(work: Work, ada: Any, ed: Any) -> None:
    issued = issue(work, ed)
    with work.transaction():
        membership = members.get_member(work, organization_number=ada.organization.number, user_id=ed.user.id)
        work.session.delete(membership)  # as versions before this one did it

    assert status(work, issued) is TokenStatus.OWNER_LEFT
    assert tokens.permissions_of(issued.token) == frozenset()


def test_a_token_shows_what_is_left_of_it_when_the_role_of_its_owner_is_lowered(work: Work, ed: Any) -> None:
    issued = issue(work, ed, [Permission.EVENTS_PUBLISH, Permission.EVENTS_VIEW])
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)

    members.change_role(work, membership=membership, role="viewer")

    assert tokens.effective(issued.token) == ["EVENTS:VIEW"]


def test_tokens_that_end_soon_or_ended_lately_are_named_soonest_first(
    work: Work, ada: Any, ed: Any, clock: Any
) -> None:
    for name, days in (("gone", 1), ("lately", 20), ("soon", 40), ("later", 50)):
        issue(work, ada, name=name, expires_in_days=days)
    issue(work, ed, name="ed's", expires_in_days=41)
    revoked = issue(work, ada, name="revoked", expires_in_days=40)
    tokens.revoke(work, token=revoked.token)
    clock.advance(days=33)

    number = ada.organization.number
    found = tokens.ending(work, organization_number=number)
    eds = tokens.ending(work, organization_number=number, user_number=ed.user.number)

    assert [one.name for one in found] == ["lately", "soon", "ed's"]
    assert [one.name for one in eds] == ["ed's"]


def test_service_tokens_can_be_listed_apart(work: Work, ada: Any) -> None:
    issue(work, ada, name="mine")
    issue(work, ada, name="ours", is_service=True)
    number = ada.organization.number

    assert [one.name for one in tokens.find(work, organization_number=number, is_service=True)] == ["ours"]
    assert [one.name for one in tokens.find(work, organization_number=number, is_service=False)] == ["mine"]
    assert len(tokens.find(work, organization_number=number)) == 2
    assert work.session.scalar(select(Token).where(Token.name == "ours")).user is None
