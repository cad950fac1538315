from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]
PASSWORD = "correct horse battery"
ADA = (
    "users",
    "create",
    "--username",
    "ada",
    "--email",
    "ada@example.com",
    "--organization",
    "acme",
    "--password-stdin",
)


def test_an_organization_is_made_and_listed(installed: Run) -> None:
    made = installed("organizations", "create", "acme", "--name", "Acme Ltd")

    listed = installed("organizations", "list")

    assert made.output == "Made the organization acme.\n"
    assert listed.output == "acme\tAcme Ltd\n"


def test_an_organization_that_exists_is_refused_in_a_sentence(installed: Run) -> None:
    installed("organizations", "create", "acme")

    again = installed("organizations", "create", "acme")

    assert again.exit_code == 1
    assert again.stderr == "Error: There is an organization acme already.\n"


def test_the_apis_of_an_organization_are_listed_and_switched(installed: Run) -> None:
    installed("organizations", "create", "acme")

    listed = installed("organizations", "apis", "acme")
    switched = installed(
        "organizations", "apis", "acme", "--enable", "waldur", "--enable", "pretix", "--disable", "oms"
    )
    both = installed("organizations", "apis", "acme", "--enable", "oms", "--disable", "oms")

    assert listed.output == "waldur\tautomatic\nweb_v1\tautomatic\npretix\tautomatic\noms\tautomatic\n"
    assert switched.output == "waldur\ton\nweb_v1\tautomatic\npretix\ton\noms\toff\n"
    assert both.exit_code == 2
    assert "Either enable or disable oms." in both.stderr


def test_making_a_user_makes_the_missing_organization(installed: Run) -> None:
    made = installed(*ADA, "--role", "admin", stdin=f"{PASSWORD}\n")

    assert made.output == "Made the user ada, admin in acme.\n"
    assert installed("organizations", "list").output == "acme\tacme\n"


def test_every_wrong_field_of_a_user_is_named(installed: Run) -> None:
    made = installed(*ADA[:4], "--email", "nowhere", *ADA[6:], "--role", "admin", stdin="short\n")

    assert made.exit_code == 1
    assert "email: " in made.stderr
    assert "password: " in made.stderr


def test_without_a_terminal_the_password_must_be_piped_in(installed: Run) -> None:
    made = installed(*ADA[:-1], "--role", "admin")

    assert made.exit_code == 2
    assert "give --password-stdin and pipe it in" in made.stderr


def test_a_role_that_does_not_exist_is_refused_with_those_that_do(installed: Run) -> None:
    made = installed(*ADA, "--role", "owner", stdin=PASSWORD)

    assert made.exit_code == 2
    assert "'viewer', 'editor', 'admin'" in made.stderr


def test_a_password_can_be_set_anew(installed: Run) -> None:
    installed(*ADA, "--role", "admin", stdin=f"{PASSWORD}\n")

    changed = installed("users", "set-password", "ada@example.com", "--password-stdin", stdin="another long password\n")

    assert changed.output == "Set the password of ada.\n"


def test_a_quiet_token_is_printed_alone(installed: Run) -> None:
    installed(*ADA, "--role", "admin", stdin=f"{PASSWORD}\n")

    made = installed(
        "tokens", "create", "--user", "ada", "--organization", "acme", "--permission", "EVENTS:PUBLISH", "--quiet"
    )

    assert made.output.startswith("hy_")
    assert len(made.output.split()) == 1


def test_a_token_for_more_than_the_role_allows_is_refused(installed: Run) -> None:
    installed(*ADA, "--role", "viewer", stdin=f"{PASSWORD}\n")

    made = installed("tokens", "create", "--user", "ada", "--organization", "acme", "--permission", "ADMIN")

    assert made.exit_code == 1
    assert "ada does not have the permission ADMIN in acme" in made.stderr


def test_a_token_for_nobody_says_how_to_make_a_user(installed: Run) -> None:
    installed("organizations", "create", "acme")

    made = installed("tokens", "create", "--user", "ada", "--organization", "acme", "--permission", "ADMIN")

    assert made.stderr == "Error: There is no user ada: make one with `hookyard users create`.\n"


def test_a_token_for_an_unknown_organization_names_those_there_are(installed: Run) -> None:
    installed(*ADA, "--role", "admin", stdin=f"{PASSWORD}\n")

    made = installed("tokens", "create", "--user", "ada", "--organization", "acne", "--permission", "ADMIN")

    assert made.stderr == "Error: There is no organization acne; there are: acme.\n"


SERVICE = ("tokens", "create", "--service", "--organization", "acme", "--permission", "EVENTS:PUBLISH")


def test_a_service_token_needs_no_user(installed: Run) -> None:
    installed("organizations", "create", "acme")

    made = installed(*SERVICE, "--name", "shop", "--quiet")
    listed = installed("tokens", "list", "--organization", "acme").output.rstrip("\n").split("\t")

    assert made.output.startswith("hy_")
    assert listed == [
        made.output[:11],
        "shop",
        "service",
        "EVENTS:PUBLISH",
        "never used",
        "never ends",
        "valid",
    ]


@pytest.mark.parametrize("owner", [(), ("--service", "--user", "ada")])
def test_a_token_is_of_one_person_or_of_the_organization(installed: Run, owner: tuple[str, ...]) -> None:
    made = installed("tokens", "create", *owner, "--organization", "acme", "--permission", "EVENTS:PUBLISH")

    assert made.exit_code == 2
    assert "--user LOGIN for a person, or --service for the organization" in made.stderr


def test_a_listed_name_cannot_forge_a_line_or_a_field(installed: Run) -> None:
    installed("organizations", "create", "acme")
    installed(*SERVICE, "--name", "shop\tvalid\nhy_12345678\x1b[31m")

    [line] = installed("tokens", "list", "--organization", "acme").output.splitlines()

    assert len(line.split("\t")) == 7
    assert "\x1b" not in line


def test_a_token_is_revoked_by_how_it_begins(installed: Run) -> None:
    installed("organizations", "create", "acme")
    prefix = installed(*SERVICE, "--name", "shop", "--quiet").output[:11]

    revoked = installed("tokens", "revoke", prefix, "--organization", "acme")
    again = installed("tokens", "revoke", prefix, "--organization", "acme")

    assert revoked.output == f"Revoked shop ({prefix}…).\n"
    assert installed("tokens", "list", "--organization", "acme").output == ""
    assert again.exit_code == 1
    assert f"No token of acme begins with {prefix}" in again.stderr


def test_a_lost_second_factor_is_turned_off_by_the_operator(installed: Run) -> None:
    installed(*ADA, "--role", "admin", stdin=f"{PASSWORD}\n")

    reset = installed("users", "reset-two-factor", "ada@example.com")

    assert reset.output == "ada signs in with the password alone now.\n"
    assert "There is no user bob" in installed("users", "reset-two-factor", "bob").stderr


def test_a_user_is_deactivated_and_activated(installed: Run) -> None:
    installed(*ADA, "--role", "admin", "--staff", stdin=f"{PASSWORD}\n")
    grace = ("--username", "grace", "--email", "grace@example.com", "--organization", "acme", "--role", "editor")
    installed("users", "create", *grace, "--password-stdin", stdin=f"{PASSWORD}\n")
    token = ("--user", "grace", "--organization", "acme", "--permission", "EVENTS:VIEW", "--name", "the shop")
    text = installed("tokens", "create", *token, "--quiet").output.strip()

    off, on = installed("users", "deactivate", "grace@example.com"), installed("users", "activate", "grace")

    assert off.output == f"grace can no longer sign in.\nRevoked in acme: the shop ({text[:11]}…).\n"
    assert on.output == "grace can sign in again.\n"


def test_the_tokens_of_a_deactivated_user_are_kept_for_the_organization_when_asked(installed: Run) -> None:
    installed(*ADA, "--role", "admin", "--staff", stdin=f"{PASSWORD}\n")
    grace = ("--username", "grace", "--email", "grace@example.com", "--organization", "acme", "--role", "editor")
    installed("users", "create", *grace, "--password-stdin", stdin=f"{PASSWORD}\n")
    token = ("--user", "grace", "--organization", "acme", "--permission", "EVENTS:VIEW", "--name", "the shop")
    text = installed("tokens", "create", *token, "--quiet").output.strip()

    off = installed("users", "deactivate", "grace", "--keep-tokens")

    assert off.output == f"grace can no longer sign in.\nKept for acme: the shop ({text[:11]}…).\n"
    [line] = [
        line for line in installed("tokens", "list", "--organization", "acme").output.splitlines() if text[:11] in line
    ]
    assert "valid" in line


def test_users_are_listed_with_what_they_are_and_where(installed: Run) -> None:
    installed(*ADA, "--role", "admin", "--staff", stdin=f"{PASSWORD}\n")
    grace = ("--username", "grace", "--email", "grace@example.com", "--organization", "globex", "--role", "editor")
    installed("users", "create", *grace, "--password-stdin", stdin=f"{PASSWORD}\n")
    installed("users", "deactivate", "grace", "--even-last-admin")

    everybody, some = installed("users", "list"), installed("users", "list", "--organization", "acme")

    ada = "ada\tada@example.com\tactive\tstaff\tacme:admin\n"
    assert everybody.output == f"{ada}grace\tgrace@example.com\tdeactivated\t-\tglobex:editor\n"
    assert some.output == ada
    assert "There is no organization nowhere" in installed("users", "list", "--organization", "nowhere").stderr


def test_staff_is_made_and_ended_but_for_the_last(installed: Run) -> None:
    installed(*ADA, "--role", "admin", "--staff", stdin=f"{PASSWORD}\n")
    grace = ("--username", "grace", "--email", "grace@example.com", "--organization", "acme", "--role", "admin")
    installed("users", "create", *grace, "--password-stdin", stdin=f"{PASSWORD}\n")

    last = installed("users", "set-staff", "ada", "--off")
    made, ended = installed("users", "set-staff", "grace"), installed("users", "set-staff", "ada", "--off")

    assert last.exit_code == 1
    assert last.stderr == (
        "Error: ada@example.com is the only member of staff who can sign in; make somebody else staff first.\n"
    )
    assert (made.output, ended.output) == ("grace is now staff.\n", "ada is no longer staff.\n")


def test_the_only_admin_is_deactivated_when_the_operator_insists(installed: Run) -> None:
    installed(*ADA, "--role", "admin", stdin=f"{PASSWORD}\n")

    refused, done = (
        installed("users", "deactivate", "ada"),
        installed("users", "deactivate", "ada", "--even-last-admin"),
    )

    assert refused.stderr == "Error: ada@example.com is the only admin of acme; make somebody else admin first.\n"
    assert done.exit_code == 0
