from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.orm import Session

from console.core.errors import NotFound, TooLarge, TooMany
from console.core.redact import MASK
from console.core.signing import sign
from console.services.bins import bins, catching
from console.services.hooks import hook_secrets, hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.keys import KeyRing
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def _bin(work: Work, person: Any, **fields: Any) -> Any:
    return bins.create(work, organization=person.organization, name="Try me", **fields)


def _catch(work, bin_, headers=(), body=b"{}", **more):
    return catching.catch(
        work, key=bin_.key, method=more.pop("method", "POST"), path="/in/x", headers=list(headers), body=body, **more
    )


def _delivery(work: Work, person: Any) -> Any:
    """Make a hook and a delivery of it; give the delivery's id, the hook, and its secret."""
    made = hooks.create(
        work,
        organization_number=person.organization.number,
        author_number=person.user.number,
        draft=HookDraft(url="https://example.com/hook", all_events=True),
    )
    delivery = hook_tests.send(work, hook=made.hook)
    return str(delivery.id), made.hook, made.secret


def _signed(delivery_id: Any, secret: Any, clock: Any, body: Any = b"{}", age_s: Any = 0) -> Any:
    stamp = int(clock.now().timestamp()) - age_s
    return [
        ("webhook-id", delivery_id),
        ("webhook-timestamp", str(stamp)),
        ("webhook-signature", sign(message_id=delivery_id, timestamp=stamp, body=body, secrets=[secret])),
    ]


def _only(work: Work, bin_: Any) -> Any:
    return bins.requests_of(work, bin_number=bin_.number)[0]


# --- answering -------------------------------------------------------------------------------------------------------


def test_a_bin_answers_as_it_was_told_and_as_plain_text(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada, answer_status=429, answer_body="later", retry_after_s=7, delay_ms=250)

    answer = _catch(work, bin_, body=b"<script>alert(1)</script>")

    assert (answer.status, answer.body, answer.delay_ms) == (429, "later", 250)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Retry-After"] == "7"


def test_the_next_requests_fail_as_often_as_told(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada, fail_next=2)

    assert [_catch(work, bin_).status for _ in range(4)] == [500, 500, 200, 200]
    recorded = [one.answered_status for one in bins.requests_of(work, bin_number=bin_.number)]
    assert recorded == [200, 200, 500, 500]


def test_requests_at_the_same_moment_share_the_failures_exactly(work: Work, ada: Any, engine: Any) -> None:
    bin_ = _bin(work, ada, fail_next=4)
    statuses = []

    def catch() -> Any:
        with Session(engine, expire_on_commit=False) as session:
            statuses.append(_catch(replace(work, session=session), bin_).status)

    threads = [threading.Thread(target=catch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] * 4 + [500] * 4


# --- recording -------------------------------------------------------------------------------------------------------


def test_a_request_is_recorded_as_it_came(work: Work, ada: Any, clock: Any) -> None:
    bin_ = _bin(work, ada)

    _catch(work, bin_, [("X-Thing", "a"), ("X-Thing", "b")], b"\x00\xff raw", method="PUT")

    request = _only(work, bin_)
    assert (request.method, request.path, request.body) == ("PUT", "/in/x", b"\x00\xff raw")
    assert request.headers == [["X-Thing", "a"], ["X-Thing", "b"]]
    assert request.received_at == clock.now()
    assert request.verification == "unsigned"


def test_secrets_in_headers_are_not_stored(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada)

    _catch(work, bin_, [("Authorization", "Bearer marker"), ("Cookie", "marker"), ("X-Api-Key", "marker")])

    assert _only(work, bin_).headers == [["Authorization", MASK], ["Cookie", MASK], ["X-Api-Key", MASK]]


def test_hostile_text_is_recorded_harmlessly(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada)

    catching.catch(
        work,
        key=bin_.key,
        method="M\x00" + "X" * 100,
        path="/in/\ud800\x00" + "p" * 5000,
        headers=[("X\x00", "\udcff")],
        body=b"",
    )

    request = _only(work, bin_)
    assert len(request.path) == 2048
    assert "\x00" not in request.path + request.method


def test_a_body_over_256_kib_is_refused(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada)
    _catch(work, bin_, body=b"x" * catching.LARGEST_BODY)

    with pytest.raises(TooLarge):
        _catch(work, bin_, body=b"x" * (catching.LARGEST_BODY + 1))


def test_a_bin_takes_twenty_requests_a_second(work: Work, ada: Any, clock: Any) -> None:
    bin_, other = _bin(work, ada), _bin(work, ada)
    for _ in range(20):
        _catch(work, bin_)

    with pytest.raises(TooMany):
        _catch(work, bin_)
    _catch(work, other)

    clock.advance(seconds=1)
    _catch(work, bin_)


def test_the_last_two_hundred_requests_are_kept(work: Work, ada: Any, clock: Any) -> None:
    bin_ = _bin(work, ada)
    for number in range(205):
        clock.advance(seconds=1)
        _catch(work, bin_, body=str(number).encode())

    kept = bins.requests_of(work, bin_number=bin_.number, limit=500)

    assert len(kept) == 200
    assert (kept[0].body, kept[-1].body) == (b"204", b"5")


def test_new_requests_are_read_from_a_cursor_on(work: Work, ada: Any) -> None:
    bin_ = _bin(work, ada)
    for _ in range(4):
        _catch(work, bin_)
    seen = bins.requests_of(work, bin_number=bin_.number)

    assert bins.requests_of(work, bin_number=bin_.number, after=seen[0].number) == []
    assert bins.requests_of(work, bin_number=bin_.number, after=seen[2].number) == seen[:2]
    assert bins.requests_of(work, bin_number=bin_.number, before=seen[1].number, limit=1) == [seen[2]]
    assert bins.get_request(work, bin_number=bin_.number, number=seen[0].number) is seen[0]
    with pytest.raises(NotFound):
        bins.get_request(work, bin_number=bin_.number + 1, number=seen[0].number)


# --- what the signature says -----------------------------------------------------------------------------------------


def test_a_delivery_of_the_organization_is_verified(work: Work, ada: Any, clock: Any) -> None:
    bin_ = _bin(work, ada)
    delivery_id, hook, secret = _delivery(work, ada)

    _catch(work, bin_, _signed(delivery_id, secret, clock, age_s=2))

    request = _only(work, bin_)
    assert (request.verification, request.webhook_id, request.skew_s) == ("valid", delivery_id, 2.0)
    assert request.verified_with == str(hook.secrets[0].number)
    behind = bins.delivery_behind(work, organization_number=ada.organization.number, request=request)
    assert str(behind.id) == delivery_id


def test_during_a_rotation_the_older_secret_verifies_too(work: Work, ada: Any, clock: Any) -> None:
    bin_ = _bin(work, ada)
    delivery_id, hook, old_secret = _delivery(work, ada)
    old_number = hook.secrets[0].number
    hook_secrets.rotate(work, hook=hook)

    _catch(work, bin_, _signed(delivery_id, old_secret, clock))

    assert (_only(work, bin_).verification, _only(work, bin_).verified_with) == ("valid", str(old_number))


@pytest.mark.parametrize(
    ("change", "verification"),
    [
        (lambda headers: [*headers[:2], ("webhook-signature", "v1,AAAA")], "no_match"),
        (lambda headers: [*headers[:2], ("webhook-signature", "nonsense")], "malformed"),
        (lambda headers: [headers[0], ("webhook-timestamp", "soon"), headers[2]], "malformed"),
        (lambda headers: [("webhook-id", "not-a-uuid"), *headers[1:]], "unknown"),
        (lambda headers: [("webhook-id", "019a9b1e-7c00-7000-8000-000000000001"), *headers[1:]], "unknown"),
        (lambda headers: headers[:2], "unsigned"),
        (lambda _headers: [], "unsigned"),
    ],
)
def test_a_signature_that_does_not_hold_is_named(
    work: Work, ada: Any, clock: Any, change: Any, verification: Any
) -> None:
    bin_ = _bin(work, ada)
    delivery_id, _, secret = _delivery(work, ada)

    _catch(work, bin_, change(_signed(delivery_id, secret, clock)))

    assert _only(work, bin_).verification == verification
    assert _only(work, bin_).verified_with is None


@pytest.mark.parametrize(("age_s", "verification"), [(301, "too_old"), (-301, "too_new"), (300, "valid")])
def test_a_timestamp_is_held_against_the_clock(work: Work, ada: Any, clock: Any, age_s: Any, verification: Any) -> None:
    bin_ = _bin(work, ada)
    delivery_id, _, secret = _delivery(work, ada)

    _catch(work, bin_, _signed(delivery_id, secret, clock, age_s=age_s))

    assert _only(work, bin_).verification == verification
    assert _only(work, bin_).skew_s == age_s


def test_another_organizations_delivery_is_unknown(work: Work, ada: Any, mallory: Any, clock: Any) -> None:
    bin_ = _bin(work, mallory)
    delivery_id, _, secret = _delivery(work, ada)

    _catch(work, bin_, _signed(delivery_id, secret, clock))

    request = _only(work, bin_)
    assert request.verification == "unknown"
    assert bins.delivery_behind(work, organization_number=mallory.organization.number, request=request) is None


def test_secrets_that_cannot_be_read_leave_the_signature_unknown(work: Work, ada: Any, clock: Any) -> None:
    bin_ = _bin(work, ada)
    delivery_id, _, secret = _delivery(work, ada)
    without_key = replace(work, keys=KeyRing(["some other key entirely"]))

    _catch(without_key, bin_, _signed(delivery_id, secret, clock))

    assert _only(work, bin_).verification == "unknown"


def test_a_repeated_webhook_id_is_a_duplicate_of_the_first(work: Work, ada: Any) -> None:
    bin_, other = _bin(work, ada), _bin(work, ada)
    for bin_caught, webhook_id in ((other, "a"), (bin_, "a"), (bin_, "b"), (bin_, "a"), (bin_, "a")):
        _catch(work, bin_caught, [("webhook-id", webhook_id)])
    _catch(work, bin_)

    requests = bins.requests_of(work, bin_number=bin_.number)
    numbers = [request.number for request in requests]

    duplicates = bins.duplicates_among(work, bin_number=bin_.number, requests=requests)

    assert duplicates == {numbers[1]: numbers[4], numbers[2]: numbers[4]}
