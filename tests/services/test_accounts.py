from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from console.core.catalogue import all_packaged
from console.core.errors import Conflict, Invalid, NotFound, TooMany, Unauthenticated
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.models import User
from console.services import accounts, audit, catalogue, passwords, sign_in
from console.services.work import Work

pytestmark = pytest.mark.both_databases

PASSWORD = "correct horse battery"
NEW_PASSWORD = "a quite different one"


def _user(work: Work, name: Any = "grace", slug: Any = "acme", role: Any = "admin") -> Any:
    return accounts.create_user(
        work,
        username=name,
        email=f"{name}@example.com",
        password=PASSWORD,
        organization_slug=slug,
        role=role,
    )


def _set_up(work: Work, secret: Any, email: Any = "ada@example.com", slug: Any = "acme") -> Any:
    return accounts.set_up(
        work,
        secret=secret,
        organization_name="Acme Corporation",
        organization_slug=slug,
        email=email,
        full_name="Ada Lovelace",
        password=PASSWORD,
    )


# --- organizations --------------------------------------------------------------------------------------------------


def test_a_new_organization_has_the_packaged_catalogue(work: Work) -> None:
    organization = accounts.create_organization(work, slug="acme", name="Acme")

    names = {one.name for one in catalogue.all_of(work, organization_number=organization.number)}

    assert names == {packaged.name for packaged in all_packaged()}


def test_an_organization_without_a_name_is_called_by_its_slug(work: Work) -> None:
    assert accounts.create_organization(work, slug="acme").name == "acme"


@pytest.mark.parametrize("slug", ["", "Acme", "acme corp", "-acme", "acme-", "ämter", "a" * 51, "a/b", "acme\n"])
def test_a_slug_is_short_and_plain(work: Work, slug: Any) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.create_organization(work, slug=slug)

    assert caught.value.fields[0].pointer == "/organization_slug"


def test_a_slug_is_given_once(work: Work) -> None:
    accounts.create_organization(work, slug="acme")

    with pytest.raises(Conflict):
        accounts.create_organization(work, slug="acme")

    assert len(accounts.organizations(work)) == 1


def test_an_unknown_organization_is_not_found(work: Work) -> None:
    with pytest.raises(NotFound):
        accounts.get_organization(work, slug="nowhere")


# --- people ---------------------------------------------------------------------------------------------------------


def test_creating_a_user_makes_a_missing_organization(work: Work) -> None:
    user = _user(work, slug="brand-new")

    membership = accounts.memberships_of(work, user=user)[0]
    assert membership.organization.slug == "brand-new"
    assert membership.role == "admin"
    assert catalogue.groups(work, organization_number=membership.organization_number)


def test_names_are_stored_in_lower_case(work: Work) -> None:
    user = accounts.create_user(
        work,
        username=" Grace ",
        email="Grace@Example.COM",
        full_name=" Grace Hopper ",
        password=PASSWORD,
        organization_slug="acme",
        role="viewer",
    )

    assert (user.username, user.email, user.full_name) == ("grace", "grace@example.com", "Grace Hopper")


@pytest.mark.parametrize(
    ("username", "email"),
    [("GRACE", "other@example.com"), ("other", "GRACE@example.com"), ("grace@example.com", "other@example.com")],
)
def test_a_name_that_signs_somebody_in_is_nobody_elses(work: Work, username: Any, email: Any) -> None:
    _user(work, "grace")

    with pytest.raises(Conflict) as caught:
        accounts.create_user(
            work, username=username, email=email, password=PASSWORD, organization_slug="acme", role="viewer"
        )

    assert caught.value.code == "user_exists"


def test_every_wrong_field_is_named_at_once(work: Work) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.create_user(
            work, username="no spaces", email="nobody", password="short", organization_slug="ACME", role="king"
        )

    pointers = [field.pointer for field in caught.value.fields]
    assert pointers == ["/username", "/email", "/password", "/organization_slug", "/role"]


@pytest.mark.parametrize("length", [11, 1025])
def test_a_password_has_12_to_1024_characters(work: Work, length: Any) -> None:
    with pytest.raises(Invalid):
        accounts.create_user(
            work,
            username="grace",
            email="grace@example.com",
            password="x" * length,
            organization_slug="acme",
            role="viewer",
        )


def test_a_password_is_stored_as_a_scrypt_hash(work: Work) -> None:
    user = _user(work)

    assert user.password_hash.startswith(f"{passwords.METHOD}$")
    assert PASSWORD not in user.password_hash


def test_two_who_take_the_same_name_at_once_do_not_both_get_it(work: Work, engine: Any) -> None:
    results = []

    def take() -> Any:
        with Session(engine, expire_on_commit=False) as session:
            try:
                results.append(_user(replace(work, session=session)))
            except Conflict as error:
                results.append(error)

    threads = [threading.Thread(target=take) for _ in range(3)]
    accounts.create_organization(work, slug="acme")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(isinstance(result, Conflict) for result in results) == [False, True, True]
    assert accounts.user_count(work) == 1


def test_an_organization_is_renamed_and_keeps_its_slug(work: Work, ada: Any) -> None:
    accounts.rename_organization(work, organization=ada.organization, name=" Acme Corporation ")

    assert (ada.organization.slug, ada.organization.name) == ("acme", "Acme Corporation")
    with pytest.raises(Invalid):
        accounts.rename_organization(work, organization=ada.organization, name=" ")


def test_a_person_is_found_by_either_name(work: Work, ada: Any) -> None:
    assert accounts.get_user(work, login="ADA@example.com") is accounts.get_user(work, login="ada")
    assert accounts.get_user_by_number(work, number=ada.user.number) is accounts.get_user(work, login="ada")
    with pytest.raises(NotFound):
        accounts.get_user(work, login="nobody")
    with pytest.raises(NotFound):
        accounts.get_user_by_number(work, number=10_000)


# --- passwords ------------------------------------------------------------------------------------------------------


def test_changing_the_password_ends_the_other_sessions(work: Work, ada: Any) -> None:
    here = sign_in.start_session(work, user=ada.user, ip="192.0.2.1", user_agent="here")
    there = sign_in.start_session(work, user=ada.user, ip="192.0.2.2", user_agent="there")
    keep = sign_in.load_session(work, here)

    accounts.change_password(work, user=ada.user, current=PASSWORD, new=NEW_PASSWORD, keep=keep)

    assert sign_in.load_session(work, here) is not None
    assert sign_in.load_session(work, there) is None
    assert sign_in.why_ended(work, there) == "The password of your account was changed."
    assert sign_in.authenticate(work, login="ada", password=NEW_PASSWORD, ip=None).number == ada.user.number


def test_the_present_password_is_asked_for(work: Work, ada: Any) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.change_password(work, user=ada.user, current="not this one", new=NEW_PASSWORD)

    assert caught.value.fields[0].pointer == "/current"
    assert passwords.is_password(PASSWORD, password_hash=ada.user.password_hash)


def test_guessing_the_present_password_is_slowed_down(work: Work, ada: Any) -> None:
    for _ in range(5):
        with pytest.raises(Invalid):
            accounts.change_password(work, user=ada.user, current="not this one", new=NEW_PASSWORD)

    with pytest.raises(TooMany):
        accounts.change_password(work, user=ada.user, current=PASSWORD, new=NEW_PASSWORD)


def test_an_operator_sets_a_password_without_the_old_one(work: Work, ada: Any) -> None:
    secret = sign_in.start_session(work, user=ada.user, ip=None, user_agent=None)

    accounts.set_password(work, user=ada.user, new=NEW_PASSWORD)

    assert passwords.is_password(NEW_PASSWORD, password_hash=ada.user.password_hash)
    assert sign_in.load_session(work, secret) is None


# --- roles ----------------------------------------------------------------------------------------------------------


def test_members_are_listed_newest_first(work: Work, ada: Any, ed: Any, vi: Any, mallory: Any) -> None:
    members = accounts.members(work, organization_number=ada.organization.number)

    assert [member.user.username for member in members] == ["vi", "ed", "ada"]
    assert accounts.members(work, organization_number=ada.organization.number, before=members[1].number) == members[2:]


def test_a_role_is_a_set_of_permissions(work: Work, ed: Any, mallory: Any) -> None:
    number = ed.organization.number

    assert accounts.role_of(work, user=ed.user, organization_number=number) is Role.EDITOR
    assert accounts.permissions_of(work, user=ed.user, organization_number=number) == ROLE_PERMISSIONS[Role.EDITOR]
    assert accounts.role_of(work, user=mallory.user, organization_number=number) is None
    assert accounts.permissions_of(work, user=mallory.user, organization_number=number) == frozenset()


def test_staff_are_admins_everywhere(work: Work, ada: Any, mallory: Any) -> None:
    with work.transaction():
        mallory.user.is_staff = True

    held = accounts.permissions_of(work, user=mallory.user, organization_number=ada.organization.number)

    assert held == frozenset(Permission)


def test_people_enter_their_organizations_and_staff_all(work: Work, ada: Any, mallory: Any) -> None:
    def slugs() -> list[str]:
        return [one.slug for one in accounts.organizations_of(work, user=ada.user)]

    assert slugs() == ["acme"]

    ada.user.is_staff = True
    assert slugs() == ["acme", "elsewhere"]


def test_a_change_of_role_ends_the_members_sessions(work: Work, ada: Any, ed: Any) -> None:
    secret = sign_in.start_session(work, user=ed.user, ip=None, user_agent=None)
    membership = accounts.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)

    accounts.change_role(work, membership=membership, role="admin")

    assert accounts.role_of(work, user=ed.user, organization_number=ed.organization.number) is Role.ADMIN
    assert sign_in.load_session(work, secret) is None


def test_the_last_admin_cannot_go(work: Work, ada: Any, ed: Any) -> None:
    membership = accounts.get_member(work, organization_number=ada.organization.number, user_id=ada.user.id)

    with pytest.raises(Conflict):
        accounts.change_role(work, membership=membership, role="viewer")
    with pytest.raises(Conflict):
        accounts.remove_member(work, membership=membership)

    assert accounts.role_of(work, user=ada.user, organization_number=ada.organization.number) is Role.ADMIN


def test_a_member_of_another_organization_is_not_found(work: Work, ada: Any, mallory: Any) -> None:
    with pytest.raises(NotFound):
        accounts.get_member(work, organization_number=ada.organization.number, user_id=mallory.user.id)


# --- the first set-up -----------------------------------------------------------------------------------------------


def test_the_first_admin_is_made_with_a_one_time_link(work: Work) -> None:
    assert accounts.setup_is_needed(work)
    secret = accounts.create_setup_link(work)

    user = _set_up(work, secret)

    membership = accounts.memberships_of(work, user=user)[0]
    assert (user.username, user.email, user.is_staff) == ("ada", "ada@example.com", True)
    assert (membership.organization.name, membership.role) == ("Acme Corporation", "admin")
    assert not accounts.setup_is_needed(work)


def test_a_setup_link_works_once(work: Work) -> None:
    secret = accounts.create_setup_link(work)
    _set_up(work, secret)

    with pytest.raises(Unauthenticated) as caught:
        _set_up(work, secret, email="eve@example.com", slug="evil")

    assert caught.value.code == "setup_link_used"
    assert accounts.user_count(work) == 1


def test_a_setup_link_lives_24_hours(work: Work, clock: Any) -> None:
    secret = accounts.create_setup_link(work)
    clock.advance(hours=24)

    with pytest.raises(Unauthenticated) as caught:
        _set_up(work, secret)

    assert caught.value.code == "setup_link_expired"


def test_a_new_setup_link_ends_the_earlier_ones(work: Work) -> None:
    first = accounts.create_setup_link(work)
    second = accounts.create_setup_link(work)

    with pytest.raises(Unauthenticated):
        accounts.check_setup_link(work, secret=first)
    accounts.check_setup_link(work, secret=second)


def test_a_setup_secret_that_was_never_made_is_unknown(work: Work) -> None:
    accounts.create_setup_link(work)

    with pytest.raises(Unauthenticated) as caught:
        accounts.check_setup_link(work, secret="x" * 43)

    assert caught.value.code == "setup_link_unknown"


def test_a_setup_that_is_refused_leaves_the_link_and_nothing_else(work: Work) -> None:
    _user(work, "grace", slug="taken")
    secret = accounts.create_setup_link(work)

    with pytest.raises(Conflict):
        _set_up(work, secret, slug="taken")
    with pytest.raises(Conflict):
        _set_up(work, secret, email="grace@example.com", slug="free")

    assert [one.slug for one in accounts.organizations(work)] == ["taken"]
    _set_up(work, secret, slug="free")


def test_a_user_name_that_is_taken_gets_a_number(work: Work) -> None:
    _user(work, "ada", slug="elsewhere")

    user = _set_up(work, accounts.create_setup_link(work), email="ada@example.org")

    assert user.username == "ada2"


def test_what_happens_to_accounts_is_in_the_audit_log(work: Work, ada: Any, ed: Any) -> None:
    membership = accounts.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)
    accounts.change_role(work, membership=membership, role="viewer")

    entries = audit.find(work, organization_number=ada.organization.number)

    assert entries[0].action == "member.role_changed"
    assert entries[0].changes == {"role": ["editor", "viewer"]}
    assert [entry.action for entry in entries[1:]] == ["user.created", "user.created", "organization.created"]


def test_no_hash_stands_in_the_audit_log(work: Work, ada: Any) -> None:
    accounts.change_password(work, user=ada.user, current=PASSWORD, new=NEW_PASSWORD)

    text = repr([entry.changes for entry in audit.find(work, organization_number=ada.organization.number)])

    assert "scrypt" not in text
    assert work.session.get(User, ada.user.number) is not None
