from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from console.core.errors import Conflict, Unauthenticated
from console.models import User
from console.services.organizations import organizations
from console.services.people import accounts, first_setup, members
from console.services.work import Work

pytestmark = pytest.mark.both_databases


PASSWORD = "correct horse battery"


def _set_up(work: Work, secret: Any, email: Any = "ada@example.com", slug: Any = "acme") -> Any:
    return first_setup.set_up(
        work,
        secret=secret,
        organization_name="Acme Corporation",
        organization_slug=slug,
        email=email,
        full_name="Ada Lovelace",
        password=PASSWORD,
    )


def _somebody(work: Work, name: str, *, slug: str) -> None:
    accounts.create_user(
        work, username=name, email=f"{name}@example.com", password=PASSWORD, organization_slug=slug, role="admin"
    )


def test_the_first_admin_is_made_with_a_one_time_link(work: Work) -> None:
    assert first_setup.is_needed(work)
    secret = first_setup.create_link(work)

    user = _set_up(work, secret)

    membership = members.memberships_of(work, user=user)[0]
    assert (user.username, user.email, user.is_staff) == ("ada", "ada@example.com", True)
    assert (membership.organization.name, membership.role) == ("Acme Corporation", "admin")
    assert not first_setup.is_needed(work)


def test_a_setup_link_works_once(work: Work) -> None:
    secret = first_setup.create_link(work)
    _set_up(work, secret)

    with pytest.raises(Unauthenticated) as caught:
        _set_up(work, secret, email="eve@example.com", slug="evil")

    assert caught.value.code == "setup_link_used"
    assert len(work.session.scalars(select(User)).all()) == 1


def test_a_setup_link_lives_24_hours(work: Work, clock: Any) -> None:
    secret = first_setup.create_link(work)
    clock.advance(hours=24)

    with pytest.raises(Unauthenticated) as caught:
        _set_up(work, secret)

    assert caught.value.code == "setup_link_expired"


def test_a_new_setup_link_ends_the_earlier_ones(work: Work) -> None:
    first = first_setup.create_link(work)
    second = first_setup.create_link(work)

    with pytest.raises(Unauthenticated):
        first_setup.check_link(work, secret=first)
    first_setup.check_link(work, secret=second)


def test_a_setup_secret_that_was_never_made_is_unknown(work: Work) -> None:
    first_setup.create_link(work)

    with pytest.raises(Unauthenticated) as caught:
        first_setup.check_link(work, secret="x" * 43)

    assert caught.value.code == "setup_link_unknown"


def test_a_setup_that_is_refused_leaves_the_link_and_nothing_else(work: Work) -> None:
    _somebody(work, "grace", slug="taken")
    secret = first_setup.create_link(work)

    with pytest.raises(Conflict):
        _set_up(work, secret, slug="taken")
    with pytest.raises(Conflict):
        _set_up(work, secret, email="grace@example.com", slug="free")

    assert [one.slug for one in organizations.find(work)] == ["taken"]
    _set_up(work, secret, slug="free")


def test_a_user_name_that_is_taken_gets_a_number(work: Work) -> None:
    _somebody(work, "ada", slug="elsewhere")

    user = _set_up(work, first_setup.create_link(work), email="ada@example.org")

    assert user.username == "ada2"
