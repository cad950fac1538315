from __future__ import annotations

from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session

from console.core.errors import Conflict, Unauthenticated
from console.models import SetupLink, User
from console.services.organizations import organizations
from console.services.people import accounts, first_setup, invitations, members
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
    organizations.create(work, slug="taken")
    secret = first_setup.create_link(work)

    with pytest.raises(Conflict):
        _set_up(work, secret, slug="taken")

    assert [one.slug for one in organizations.find(work)] == ["taken"]
    _set_up(work, secret, slug="free")


# --- the right to set up ends with the first user -------------------------------------------------------------------


def test_no_link_is_made_once_somebody_has_an_account(work: Work) -> None:
    _somebody(work, "ada", slug="acme")

    assert first_setup.create_link(work) is None
    assert work.session.scalars(select(SetupLink)).all() == []


def test_the_first_user_ends_the_link_that_was_printed_before(work: Work) -> None:
    secret = first_setup.create_link(work)
    _somebody(work, "grace", slug="acme")

    for act in (lambda: first_setup.check_link(work, secret=secret), lambda: _set_up(work, secret, slug="evil")):
        with pytest.raises(Unauthenticated) as caught:
            act()
        assert caught.value.code == "setup_over"
    assert [one.slug for one in organizations.find(work)] == ["acme"]
    link = work.session.scalars(select(SetupLink)).one()
    assert link.expires_at <= work.now()


def test_a_first_user_by_an_invitation_ends_the_link_too(work: Work) -> None:
    organization = organizations.create(work, slug="acme")
    secret = first_setup.create_link(work)
    invited = invitations.invite(work, organization=organization, email="ann@example.com", role="admin")
    invitations.accept_as_new(work, secret=invited.secret, full_name="", password="lantern moss by the river")

    with pytest.raises(Unauthenticated):
        _set_up(work, secret, slug="evil")


@pytest.mark.parametrize("rival", ["another use of the link", "users create"])
def test_of_two_who_make_the_first_user_at_once_only_one_gets_the_right_of_the_link(
    work: Work, engine: Engine, rival: str
) -> None:
    """Both pass the first look at the link; both are let go at the moment of the transaction."""
    secret = first_setup.create_link(work)
    work.session.commit()
    ready, outcomes = Barrier(2), []

    def use(slug: str) -> None:
        with Session(engine, expire_on_commit=False) as session:
            mine = replace(work, session=session)
            first_setup.check_link(mine, secret=secret)
            session.commit()
            ready.wait(10)
            try:
                _set_up(mine, secret, email=f"{slug}@example.com", slug=slug)
                outcomes.append(f"link: {slug}")
            except Unauthenticated as error:
                outcomes.append(error.code)

    def create() -> None:
        with Session(engine, expire_on_commit=False) as session:
            ready.wait(10)
            _somebody(replace(work, session=session), "grace", slug="two")
            outcomes.append("command")

    threads = [
        Thread(target=use, args=("one",)),
        Thread(target=use, args=("two",)) if rival == "another use of the link" else Thread(target=create),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    work.session.expire_all()
    staff = work.session.scalars(select(User).where(User.is_staff)).all()
    assert len(outcomes) == 2, outcomes
    if rival == "users create":  # an operator may always add somebody
        assert (len(staff) == 1) is any(one.startswith("link") for one in outcomes)
        assert "command" in outcomes
    else:
        assert len(staff) == 1
        assert min(one.split(":")[0] for one in outcomes) == "link"
        assert {"setup_over", "setup_link_used"} & set(outcomes)


def test_a_user_made_between_the_look_at_the_link_and_its_use_ends_it(work: Work, engine: Engine) -> None:
    secret = first_setup.create_link(work)
    work.session.commit()

    def hash_while_a_command_is_quicker(*_arguments: Any, **_options: Any) -> None:
        with Session(engine, expire_on_commit=False) as session:
            _somebody(replace(work, session=session), "grace", slug="acme")

    event.listen(work.session, "after_commit", hash_while_a_command_is_quicker, once=True)
    with pytest.raises(Unauthenticated) as caught:
        _set_up(work, secret, slug="evil")

    assert caught.value.code == "setup_over"
    assert [one.username for one in work.session.scalars(select(User))] == ["grace"]
