from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from console.core.errors import Conflict, Invalid, NotFound, TooMany
from console.models import User
from console.services import audit
from console.services.event_types import catalogue
from console.services.organizations import organizations
from console.services.people import accounts, members, passwords, sign_in
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


def test_creating_a_user_makes_a_missing_organization(work: Work) -> None:
    user = _user(work, slug="brand-new")

    membership = members.memberships_of(work, user=user)[0]
    assert membership.organization.slug == "brand-new"
    assert membership.role == "admin"
    assert catalogue.groups(work, organization_number=membership.organization_number)


@pytest.mark.parametrize("name", ["admin@other.test", "admin\uff20other.test", "@"])
def test_a_name_that_could_be_an_address_is_refused(work: Work, name: str) -> None:
    with pytest.raises(Invalid) as caught:
        accounts.create_user(
            work,
            username="eve",
            email="eve@example.com",
            full_name=name,
            password=PASSWORD,
            organization_slug="acme",
            role="viewer",
        )

    assert [(one.pointer, one.code) for one in caught.value.fields] == [("/full_name", "name")]


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
    organizations.create(work, slug="acme")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(isinstance(result, Conflict) for result in results) == [False, True, True]
    assert len(work.session.scalars(select(User)).all()) == 1


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
    assert sign_in.authenticate(work, login="ada", password=NEW_PASSWORD, ip=None).user.number == ada.user.number


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


def test_what_happens_to_accounts_is_in_the_audit_log(work: Work, ada: Any, ed: Any) -> None:
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)
    members.change_role(work, membership=membership, role="viewer")

    entries = audit.find(work, organization_number=ada.organization.number)

    assert entries[0].action == "member.role_changed"
    assert entries[0].changes == {"role": ["editor", "viewer"]}
    assert [entry.action for entry in entries[1:]] == ["user.created", "user.created", "organization.created"]


def test_no_hash_stands_in_the_audit_log(work: Work, ada: Any) -> None:
    accounts.change_password(work, user=ada.user, current=PASSWORD, new=NEW_PASSWORD)

    text = repr([entry.changes for entry in audit.find(work, organization_number=ada.organization.number)])

    assert "scrypt" not in text
    assert work.session.get(User, ada.user.number) is not None
