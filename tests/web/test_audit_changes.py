"""The audit log's changes are told in the words of the forms."""

from __future__ import annotations

import pytest

from console.services import audit
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import defaults
from console.services.organizations.defaults import Choice

AUDIT = "/o/acme/settings/audit"


def newest_changes(browser, about: str) -> list[str]:
    """Give the changes of the newest entry, each as its words."""
    row = browser.see(f"{AUDIT}?about={about}").select("tbody tr")[0]
    return [" ".join(one.get_text(" ", strip=True).split()) for one in row.select("[data-change]")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"timeout": 5}, "Timeout default → 5 s"),
        ({"sources": []}, "Sources any → only events without one"),
        (
            {"retry": {"kind": "fixed", "seconds": 10, "attempts": 3}},
            "Retries default → The same wait every time, 3 attempts over 20 s",
        ),
        ({"rate_limit": {"count": 100, "seconds": 60}}, "Rate limit none → 100 requests in 1 min"),
        ({"content_type": "form"}, "Content type JSON → Form fields"),
        ({"payload_format": "pretix"}, "Payload format Standard Webhooks → pretix"),
        ({"filter": "order"}, "Only when the payload satisfies none → order"),
        ({"event_types": ["a.b", "c.*"]}, "Event types order.paid → a.b, c.*"),
        ({"headers": {"X-Key": "canary"}}, "Headers changed"),
        ({"max_in_flight": 3}, "Requests at a time 16 → 3"),
        ({"name": "<b>"}, "Name Shop → <b>"),
    ],
)
def test_a_changed_field_is_called_as_in_the_form_with_its_value_before_and_after(
    signed_in, ada, make_hook, work, fields, words
) -> None:
    hook = make_hook()
    hooks.change(work, hook=hook, draft=HookDraft(**fields))

    assert newest_changes(signed_in(ada), "hook") == [words]


def test_switching_off_says_off_and_why(signed_in, ada, make_hook, as_person) -> None:
    hooks.disable(as_person(ada), hook=make_hook())

    assert "Switch on → off" in newest_changes(signed_in(ada), "hook")


def test_what_was_made_has_nothing_before_it_and_no_empty_fields(signed_in, ada, make_hook) -> None:
    make_hook()

    changes = newest_changes(signed_in(ada), "hook")

    assert "Name Shop" in changes
    assert "Event types order.paid" in changes
    assert not [one for one in changes if "→" in one or "none" in one or "{" in one]


def test_the_defaults_of_an_organization_have_their_units(signed_in, ada, work) -> None:
    choice = Choice(retry_schedule="10,60", timeout_s=7, retention_days=7, largest_payload=65536)
    defaults.change(work, organization=ada.organization, choice=choice)

    assert newest_changes(signed_in(ada), "organization") == [
        "Retry schedule default → 10, 60 s",
        "Timeout default → 7 s",
        "Retention default → 7 days",
        "Largest payload default → 64 KiB",
    ]


def test_a_token_says_when_it_expires_as_people_read_it(signed_in, ada) -> None:
    browser = signed_in(ada)
    browser.submit("/o/acme/settings/tokens", {"name": "CI", "preset": "publish", "expires_in_days": "90"})

    (expires,) = [one for one in newest_changes(browser, "token") if one.startswith("Expires")]

    assert "T" not in expires.removeprefix("Expires")
    assert "+00:00" not in expires


def test_what_an_older_version_wrote_otherwise_is_said_as_it_is(signed_in, ada, make_hook, work) -> None:
    hook = make_hook()
    audit.record_of_hook(
        work, hook=hook, action="hook.updated", changes={"rate_limit": [None, 7], "was_new": [1, {"a": 1}]}
    )
    work.session.commit()

    assert newest_changes(signed_in(ada), "hook") == ["Rate limit none → 7", 'Was new 1 → {"a": 1}']
