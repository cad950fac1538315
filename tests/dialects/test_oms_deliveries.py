"""What a webhook of oms gets, from a real worker: the request, its signatures and credentials, and callbacks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from console.core import signing
from console.core.errors import Invalid
from console.models import Delivery, Hook
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.keys import KeyRing
from console.services.work import Work
from tests.dialects.drf_stage import row_of
from tests.dialects.oms_stage import (
    PACKAGE,
    PUBLISH,
    RESEND,
    at_present,
    deliver,
    events_of,
    make,
    make_native,
    path_of,
    publish,
    sent,
)
from tests.engine import attempts, delivery
from tests.receiver import Receipt, Receiver

SECRET = "größe-and-a-key"
BASIC = {"auth": {"auth_type": "basic", "username": "erp", "password": "hünter2"}}


def signature_of(receipt: Receipt, secret: str) -> str:
    return "sha256=" + hmac.new(secret.encode(), receipt.body, hashlib.sha256).hexdigest()


# --- the request ----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_the_receiver_can_verify_the_signature_over_the_raw_body(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receipt = sent(ada_api, work, receiver, secret_key=SECRET)

    [event] = events_of(ada_api)
    assert receipt.headers["x-whisperer-signature"] == signature_of(receipt, SECRET)
    assert receipt.headers["x-whisperer-event"] == "package.created"
    assert receipt.headers["content-type"] == "application/json"
    assert receipt.body == json.dumps(event["request_payload"]).encode()
    assert receipt.id == event["uuid"]
    assert (event["delivered"], event["response_content"], event["response_http_status"]) == (True, "ok", 200)
    assert (event["retry_count"], len(event["request_datetimes"])) == (1, 1)


def test_standard_webhooks_sign_with_the_secret_key_as_well(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receipt = sent(ada_api, work, receiver, secret_key=SECRET)

    assert receipt.headers["webhook-signature"] == signing.sign(
        message_id=receipt.id,
        timestamp=int(receipt.headers["webhook-timestamp"]),
        body=receipt.body,
        secrets=[SECRET],
    )


def test_without_a_secret_key_there_is_no_signature_of_oms(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receipt = sent(ada_api, work, receiver)

    assert "x-whisperer-signature" not in receipt.headers
    assert "authorization" not in receipt.headers
    assert receipt.headers["webhook-signature"].startswith("v1,")


def test_after_a_rotation_the_newest_secret_signs(ada_api: Any, work: Work, receiver: Receiver) -> None:
    made = make(ada_api, target_url=receiver.url, secret_key=SECRET)
    new = hook_secrets.rotate(at_present(work), hook=row_of(work, made)).secret
    publish(ada_api, made)

    deliver(work)

    [receipt] = receiver.receipts
    assert receipt.headers["x-whisperer-signature"] == signature_of(receipt, new)
    assert len(receipt.headers["webhook-signature"].split()) == 2


def test_a_hook_made_elsewhere_with_the_format_of_oms_signs_with_its_secret(
    ada: Any, work: Work, receiver: Receiver
) -> None:
    hook = make_native(work, ada, url=receiver.url, payload_format="oms", retry=None)
    [(_, secret)] = hook_secrets.secrets_of(work, hook)
    draft = EventDraft(type="package.created", payload=b"{}")
    publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    deliver(work)

    [receipt] = receiver.receipts
    assert receipt.headers["x-whisperer-signature"] == signature_of(receipt, secret)


def test_basic_credentials_are_sent_and_masked_in_the_log(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receipt = sent(ada_api, work, receiver, config=BASIC, secret_key=SECRET)

    [event] = events_of(ada_api)
    logged = dict(attempts(work, event["id"])[0].request_headers or [])
    assert base64.b64decode(receipt.headers["authorization"].removeprefix("Basic ")).decode() == "erp:hünter2"
    assert logged["Authorization"] == logged["X-Whisperer-Signature"] == "••••••"
    assert logged["X-Whisperer-Event"] == "package.created"


def test_a_hooks_own_headers_override_those_of_oms(ada_api: Any, work: Work, receiver: Receiver) -> None:
    own = {
        "authorization": "Bearer abc",
        "X-WHISPERER-EVENT": "mine",
        "content-type": "application/vnd.acme+json",
        "X-Whisperer-Signature": "none",
        "X-Shop": "acme",
    }

    receipt = sent(ada_api, work, receiver, config=BASIC, secret_key=SECRET, additional_headers=own)

    assert {name.lower(): value for name, value in own.items()}.items() <= receipt.headers.items()


def store_headers(work: Work, hook: Hook, headers: dict[str, str]) -> None:
    """Keep headers with a hook that the rules of today would not let in."""
    hook.sealed_headers = work.keys.seal(json.dumps(headers))
    hook.version += 1
    work.session.commit()


@pytest.mark.parametrize(
    "name",
    [
        "webhook-id",
        "Webhook-Signature",
        "WEBHOOK-TIMESTAMP",
        "Host",
        "Transfer-Encoding",
        "X-Original-URL",
        "X_Client_IP",
    ],
)
def test_a_stored_header_that_is_not_allowed_is_left_out(
    ada_api: Any, work: Work, receiver: Receiver, name: str
) -> None:
    made = make(ada_api, target_url=receiver.url)
    store_headers(work, row_of(work, made), {name: "not ours", "X-Shop": "acme"})
    publish(ada_api, made)

    deliver(work)

    [receipt] = receiver.receipts
    [event] = events_of(ada_api)
    assert event["delivered"] is True
    assert "not ours" not in receipt.headers.values()
    assert receipt.headers["x-shop"] == "acme"


@pytest.mark.parametrize(("payload_format", "expected"), [("oms", "text/json"), ("standard", "application/json")])
def test_only_the_format_of_oms_lets_a_hook_say_what_is_sent(
    ada: Any, work: Work, receiver: Receiver, payload_format: str, expected: str
) -> None:
    hook = make_native(work, ada, url=receiver.url, payload_format="oms", headers={"Content-Type": "text/json"})
    hooks.change(work, hook=hook, draft=HookDraft(payload_format=payload_format))
    draft = EventDraft(type="package.created", payload=b"{}")
    publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    deliver(work)

    [receipt] = receiver.receipts
    assert receipt.headers["content-type"] == expected


def test_a_content_type_is_a_header_of_the_format_of_oms_alone(ada: Any, work: Work) -> None:
    headers = {"Content-Type": "text/json"}
    standard = make_native(work, ada)

    with pytest.raises(Invalid):
        hooks.change(work, hook=standard, draft=HookDraft(headers=headers))
    with pytest.raises(Invalid):
        make_native(work, ada, headers=headers)
    hooks.change(work, hook=standard, draft=HookDraft(headers=headers, payload_format="oms"))
    with pytest.raises(Invalid):
        hooks.change(work, hook=standard, draft=HookDraft(headers=headers, payload_format="standard"))


def test_credentials_whose_key_is_gone_are_our_fault(ada_api: Any, work: Work, receiver: Receiver) -> None:
    made = make(ada_api, target_url=receiver.url)
    hook = row_of(work, made)
    sealed = KeyRing(["another key that nobody has any more"]).seal('{"auth_type": "basic"}').decode()
    hook.dialect_data = {"oms": {**hook.dialect_data["oms"], "sealed_auth": sealed}}
    hook.version += 1
    work.session.commit()
    ada_api.post(PUBLISH, json={"hook": made["id"], "instance": PACKAGE})

    deliver(work)

    [row] = work.session.scalars(select(Delivery))
    assert (receiver.receipts, row.last_outcome, row.chain_failures) == ([], "system_error", 0)
    assert ada_api.get(path_of(made)).status_code == 503


# --- again ----------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_an_event_is_retried_until_its_receiver_answers(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receiver.answer = (500, {}, b"broken")
    publish(ada_api, make(ada_api, target_url=receiver.url, secret_key=SECRET))
    seen = []

    for _ in range(2):
        deliver(work)
        [event] = events_of(ada_api)
        seen.append((event["retry_count"], event["response_content"], event["delivered"]))
    receiver.answer = (200, {"Content-Type": "application/json"}, b'{"accepted": [1]}')
    deliver(work)

    [event] = events_of(ada_api)
    assert seen == [(1, "broken", False), (2, "broken", False)]
    assert (event["delivered"], event["retry_count"], event["response_content"]) == (True, 3, {"accepted": [1]})
    assert event["request_datetimes"] == sorted(event["request_datetimes"], reverse=True)
    assert (
        len({(receipt.id, receipt.body, receipt.headers["x-whisperer-signature"]) for receipt in receiver.receipts})
        == 1
    )


def test_a_fixed_countdown_waits_from_the_end_of_the_attempt(ada_api: Any, work: Work, receiver: Receiver) -> None:
    receiver.answer = (500, {}, b"")
    publish(ada_api, make(ada_api, target_url=receiver.url))

    deliver(work)

    [event] = events_of(ada_api)
    [attempt] = attempts(work, event["id"])
    ended_at = attempt.started_at + timedelta(milliseconds=attempt.duration_ms or 0)
    assert delivery(work, event["id"]).next_attempt_at == ended_at + timedelta(seconds=1)


@pytest.mark.both_databases
def test_a_resent_event_has_the_same_uuid_and_body(ada_api: Any, work: Work, receiver: Receiver) -> None:
    sent(ada_api, work, receiver)
    [before] = events_of(ada_api)

    answer = ada_api.post(RESEND, json={"event": before["uuid"]})
    deliver(work)

    [after] = events_of(ada_api)
    first, second = receiver.receipts
    assert answer.status_code == 200
    assert (first.body, first.id) == (second.body, second.id)
    assert (after["uuid"], after["retry_count"]) == (before["uuid"], 2)


def test_a_resent_event_reaches_an_inactive_webhook(ada_api: Any, work: Work, receiver: Receiver) -> None:
    made = make(ada_api, target_url=receiver.url)
    publish(ada_api, made)
    ada_api.delete(path_of(made))
    deliver(work)
    [event] = events_of(ada_api)
    assert receiver.receipts == []

    ada_api.post(RESEND, json={"event": event["uuid"]})
    deliver(work)

    assert len(receiver.receipts) == 1
    assert events_of(ada_api)[0]["delivered"] is True
