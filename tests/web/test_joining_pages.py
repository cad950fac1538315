"""Accepting an invitation in the browser."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from console.services.people import invitations

PASSWORD = "lantern moss by the river"


@pytest.fixture
def invited(work: Any, ada: Any) -> Any:
    """Invite somebody, and give the path of the link."""

    def invite(email: str = "ann@example.com") -> tuple[str, str]:
        made = invitations.invite(work, organization=ada.organization, email=email, role="viewer")
        return f"/join?token={made.secret}", made.secret

    return invite


def test_a_new_person_makes_an_account_and_is_inside(client: Any, invited: Any) -> None:
    path, token = invited()
    assert "invites ann@example.com as viewer" in client.see(path).get_text()

    answer = client.submit("/join/new", {"token": token, "full_name": "Ann", "password": PASSWORD})

    assert answer.location == "/o/acme/"
    assert "You are a member of" in client.see("/o/acme/").get_text()


def test_a_bad_password_keeps_the_form_and_the_link(client: Any, invited: Any) -> None:
    path, token = invited()

    answer = client.submit("/join/new", {"token": token, "full_name": "Ann", "password": "short"})

    assert answer.status_code == 422
    assert 'id="password-error-1"' in answer.text
    assert 'value="Ann"' in answer.text
    assert client.get(path).status_code == 200


def test_somebody_with_an_account_signs_in_and_joins(client: Any, invited: Any, mallory: Any) -> None:
    path, token = invited(mallory.user.email)
    sign_in = client.see(path).select_one("a.button")["href"]
    assert quote(path, safe="/") in sign_in.replace("%3D", "=").replace("%3d", "=") or "next=" in sign_in

    answer = client.submit(sign_in, {"login": mallory.user.email, "password": "correct horse battery"})
    assert answer.location == path
    answer = client.submit("/join", {"token": token})

    assert answer.location == "/o/acme/"
    assert client.get("/o/acme/hooks").status_code == 200


def test_joining_without_signing_in_leads_to_sign_in(client: Any, invited: Any) -> None:
    _, token = invited()

    assert client.submit("/join", {"token": token}).location.startswith("/login?next=")


@pytest.mark.parametrize("path", ["/join", "/join?token=guessed"])
def test_a_link_that_does_not_work_says_so(client: Any, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 403
    assert "This link does not work" in answer.text


def test_a_used_link_opens_nothing(client: Any, invited: Any, signed_in: Any, mallory: Any) -> None:
    path, token = invited()
    client.submit("/join/new", {"token": token, "password": PASSWORD})

    assert client.get(path).status_code == 403
    assert client.submit("/join/new", {"token": token, "password": PASSWORD}).status_code == 403
    assert signed_in(mallory).submit("/join", {"token": token}).status_code == 403
