"""Invitations: a link that makes somebody a member."""

from __future__ import annotations

from typing import Any

import pytest

from console.core.errors import Conflict, Invalid, NotFound, Unauthenticated
from console.services import audit
from console.services.people import invitations, members, sign_in
from console.services.work import Work

pytestmark = pytest.mark.both_databases

PASSWORD = "lantern moss by the river"


def _invite(work: Work, ada: Any, email: str = "Ann@Example.com", role: str = "editor") -> invitations.Invited:
    return invitations.invite(work, organization=ada.organization, email=email, role=role)


def _code(work: Work, secret: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        invitations.look_up(work, secret=secret)
    return caught.value.code


def test_a_new_person_makes_an_account_and_is_a_member(work: Work, ada: Any) -> None:
    made = _invite(work, ada)

    user = invitations.accept_as_new(work, secret=made.secret, full_name=" Ann ", password=PASSWORD)

    assert (user.email, user.username, user.full_name) == ("ann@example.com", "ann", "Ann")
    assert members.role_of(work, user=user, organization_number=ada.organization.number) == "editor"
    assert sign_in.authenticate(work, login="ann@example.com", password=PASSWORD, ip=None).user.number == user.number


def test_somebody_with_an_account_joins_with_it(work: Work, ada: Any, mallory: Any) -> None:
    made = _invite(work, ada, mallory.user.email, "viewer")
    assert invitations.has_account(work, invitation=made.invitation)

    membership = invitations.accept(work, secret=made.secret, user=mallory.user)

    assert (membership.organization.slug, membership.role) == ("acme", "viewer")


def test_a_link_works_once(work: Work, ada: Any, mallory: Any) -> None:
    made = _invite(work, ada)
    invitations.accept_as_new(work, secret=made.secret, full_name="", password=PASSWORD)

    assert _code(work, made.secret) == "invitation_ended"
    with pytest.raises(Unauthenticated):
        invitations.accept(work, secret=made.secret, user=mallory.user)


def test_a_link_works_for_seven_days(work: Work, ada: Any, clock: Any) -> None:
    made = _invite(work, ada)
    clock.advance(days=6, hours=23)
    assert invitations.look_up(work, secret=made.secret).email == "ann@example.com"

    clock.advance(hours=1)

    assert _code(work, made.secret) == "invitation_expired"
    assert invitations.waiting(work, organization_number=ada.organization.number) == []


def test_a_link_that_was_withdrawn_works_no_more(work: Work, ada: Any) -> None:
    made = _invite(work, ada)

    invitations.withdraw(work, organization_number=ada.organization.number, invitation_id=made.invitation.id)

    assert _code(work, made.secret) == "invitation_ended"


def test_inviting_somebody_again_ends_the_earlier_link(work: Work, ada: Any) -> None:
    first, second = _invite(work, ada), _invite(work, ada, role="viewer")

    assert _code(work, first.secret) == "invitation_ended"
    assert invitations.waiting(work, organization_number=ada.organization.number) == [second.invitation]


def test_a_guessed_link_is_none(work: Work, ada: Any) -> None:
    _invite(work, ada)

    assert _code(work, "guessed") == "invitation_unknown"


@pytest.mark.parametrize(
    ("email", "role", "field"), [("nonsense", "viewer", "/email"), ("ann@example.com", "king", "/role")]
)
def test_what_cannot_be_invited_is_refused_with_its_field(
    work: Work, ada: Any, email: str, role: str, field: str
) -> None:
    with pytest.raises(Invalid) as caught:
        _invite(work, ada, email, role)
    assert caught.value.fields[0].pointer == field


def test_a_member_is_neither_invited_nor_added_twice(work: Work, ada: Any, ed: Any) -> None:
    with pytest.raises(Conflict):
        _invite(work, ada, ed.user.email)
    made = _invite(work, ada)

    with pytest.raises(Conflict):
        invitations.accept(work, secret=made.secret, user=ed.user)
    assert invitations.look_up(work, secret=made.secret), "the link is not used up by a refusal"


def test_another_organization_cannot_withdraw_it(work: Work, ada: Any, mallory: Any) -> None:
    made = _invite(work, ada)

    with pytest.raises(NotFound):
        invitations.withdraw(work, organization_number=mallory.organization.number, invitation_id=made.invitation.id)
    assert _code(work, made.secret + "x") == "invitation_unknown"


def test_a_short_password_leaves_the_link_usable(work: Work, ada: Any) -> None:
    made = _invite(work, ada)

    with pytest.raises(Invalid):
        invitations.accept_as_new(work, secret=made.secret, full_name="", password="short")

    assert invitations.look_up(work, secret=made.secret)


def test_the_audit_log_tells_who_invited_and_who_came(work: Work, ada: Any, mallory: Any) -> None:
    made = _invite(work, ada)
    invitations.accept(work, secret=made.secret, user=mallory.user)

    entries = audit.find(work, organization_number=ada.organization.number, limit=2)

    assert [(entry.action, entry.object_name) for entry in entries] == [
        ("member.joined", mallory.user.email),
        ("member.invited", "ann@example.com"),
    ]
    assert made.secret not in str([entry.changes for entry in entries])


@pytest.mark.parametrize("loss", ["switched off", "no admin any more", "removed"])
def test_who_may_no_longer_invite_leaves_no_link_behind(
    work: Work, ada: Any, ed: Any, as_person: Any, loss: str
) -> None:
    membership = members.get_member(work, organization_number=ada.organization.number, user_id=ed.user.id)
    members.change_role(work, membership=membership, role="admin")
    made = _invite(as_person(ed), ada)
    assert invitations.look_up(work, secret=made.secret).email == "ann@example.com"

    if loss == "switched off":
        with work.transaction():
            ed.user.is_active = False
    elif loss == "removed":
        members.remove_member(work, membership=membership)
    else:
        members.change_role(work, membership=membership, role="editor")

    assert _code(work, made.secret) == "invitation_ended"
    assert invitations.waiting(work, organization_number=ada.organization.number) == []
    with pytest.raises(Unauthenticated):
        invitations.accept_as_new(work, secret=made.secret, full_name="", password=PASSWORD)


def test_staff_may_invite_where_they_are_no_member(work: Work, ada: Any, mallory: Any, as_person: Any) -> None:
    with work.transaction():
        mallory.user.is_staff = True

    made = _invite(as_person(mallory), ada)

    assert invitations.look_up(work, secret=made.secret).email == "ann@example.com"
