"""Signatures, checked against two libraries that receivers use: ours must be theirs, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from console.core.errors import Refused
from console.core.signing import Verification, check_secret, new_secret, secret_key_bytes, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIME = 1614265330
BODY = b'{"test": 2432232314}'

secrets = st.binary(min_size=24, max_size=64).map(new_secret)
bodies = st.text(st.characters(codec="utf-8")).map(str.encode)
times = st.integers(1, 4_000_000_000)
ids = st.uuids().map(str)


def svix_webhook(secret: str):
    from svix.webhooks import Webhook  # not above: it comes with hundreds of models

    return Webhook(secret)


def checked(
    *,
    header: str,
    secret: str = SECRET,
    now: int = TIME,
    timestamp: int | str = TIME,
    body: bytes = BODY,
    message_id: str = ID,
) -> Verification:
    return verify(
        message_id=message_id, timestamp=timestamp, body=body, signature_header=header, secret=secret, now=now
    )


def signed(*, secret: str = SECRET) -> str:
    return sign(message_id=ID, timestamp=TIME, body=BODY, secrets=[secret])


def test_the_example_of_the_specification_is_signed_as_there() -> None:
    assert signed() == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(ids, times, bodies, secrets)
def test_we_sign_as_standardwebhooks_does(message_id: str, timestamp: int, body: bytes, secret: str) -> None:
    theirs = standardwebhooks.Webhook(secret).sign(
        msg_id=message_id, timestamp=datetime.fromtimestamp(timestamp, tz=UTC), data=body.decode()
    )

    assert sign(message_id=message_id, timestamp=timestamp, body=body, secrets=[secret]) == theirs


@given(ids, times, bodies, secrets)
def test_we_sign_as_svix_does(message_id: str, timestamp: int, body: bytes, secret: str) -> None:
    theirs = svix_webhook(secret).sign(
        msg_id=message_id, timestamp=datetime.fromtimestamp(timestamp, tz=UTC), data=body.decode()
    )

    assert sign(message_id=message_id, timestamp=timestamp, body=body, secrets=[secret]) == theirs


@given(ids, bodies, secrets, secrets)
def test_during_a_rotation_receivers_with_either_secret_accept(
    message_id: str, body: bytes, newer: str, older: str
) -> None:
    now = int(datetime.now(tz=UTC).timestamp())
    payload = b'{"data":' + base64.b64encode(body).join((b'"', b'"')) + b"}"
    header = sign(message_id=message_id, timestamp=now, body=payload, secrets=[newer, older])
    headers = {"webhook-id": message_id, "webhook-timestamp": str(now), "webhook-signature": header}

    assert len(header.split(" ")) == 2
    for secret in (newer, older):
        standardwebhooks.Webhook(secret).verify(payload, headers)  # raises when it does not match
        svix_webhook(secret).verify(payload, headers)
        verdict = verify(
            message_id=message_id, timestamp=now, body=payload, signature_header=header, secret=secret, now=now
        )
        assert verdict is Verification.VALID


@given(ids, bodies, secrets, secrets)
def test_another_secret_does_not_match(message_id: str, body: bytes, ours: str, another: str) -> None:
    header = sign(message_id=message_id, timestamp=TIME, body=body, secrets=[ours])

    verdict = checked(header=header, message_id=message_id, body=body, secret=another)

    assert (verdict is Verification.VALID) == (ours == another)


@given(st.binary(), st.text(st.characters(codec="utf-8"), min_size=1))
def test_any_body_and_any_text_as_secret_can_be_signed_and_verified(body: bytes, secret: str) -> None:
    header = sign(message_id=ID, timestamp=TIME, body=body, secrets=[secret])

    assert checked(header=header, body=body, secret=secret) is Verification.VALID


def test_a_secret_without_the_prefix_is_its_own_key() -> None:
    digest = hmac.new("größe".encode(), b".".join((ID.encode(), str(TIME).encode(), BODY)), hashlib.sha256).digest()

    assert signed(secret="größe") == "v1," + base64.b64encode(digest).decode()


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", "whsec_abc", "hello"])
def test_a_secret_that_encodes_nothing_is_its_own_key(secret: str) -> None:
    assert secret_key_bytes(secret) == secret.encode()


def test_a_new_secret_is_the_prefix_and_base64() -> None:
    assert new_secret(bytes(24)) == "whsec_" + "A" * 32
    assert secret_key_bytes(new_secret(bytes(range(32)))) == bytes(range(32))


@pytest.mark.parametrize("size", [0, 23, 65])
def test_a_new_secret_is_never_too_short_or_too_long(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        new_secret(bytes(size))


@pytest.mark.parametrize("secret", [SECRET, new_secret(bytes(64)), "correct horse battery staple", "é", "x" * 255])
def test_a_chosen_secret_may_be_base64_after_the_prefix_or_any_text(secret: str) -> None:
    check_secret(secret)


@pytest.mark.parametrize(
    "secret", ["", "x" * 256, "a\nb", "a\x00", "whsec_", "whsec_abc", "whsec_AAAA", "whsec_" + "A" * 88, "whsec_ü"]
)
def test_a_chosen_secret_that_receivers_would_read_differently_is_refused(secret: str) -> None:
    with pytest.raises(Refused) as caught:
        check_secret(secret)
    assert caught.value.code == "secret_invalid"


@pytest.mark.parametrize("mark", ["whsk_", "WHSK_", " whsk_", "\twhsk_", "whpk_", "Whpk_", "  whpk_"])
def test_a_key_for_ed25519_is_no_secret_for_hmac_however_it_is_written(mark: str) -> None:
    with pytest.raises(Refused) as caught:
        check_secret(f"{mark}MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert caught.value.code == "secret_invalid"
    if "\t" not in mark:
        assert "only whsec_ secrets are accepted" in caught.value.message
        assert ("public key" in caught.value.message) == ("pk_" in mark)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (0, Verification.VALID),
        (300, Verification.VALID),
        (-300, Verification.VALID),
        (301, Verification.TOO_OLD),
        (-301, Verification.TOO_NEW),
    ],
)
def test_a_request_is_fresh_for_five_minutes_either_way(offset: int, expected: Verification) -> None:
    assert checked(header=signed(), now=TIME + offset) is expected


def test_the_timestamp_may_be_the_text_of_the_header() -> None:
    assert checked(header=signed(), timestamp=str(TIME)) is Verification.VALID


@pytest.mark.parametrize("timestamp", ["", "now", "-5", "1.5", " 1614265330", "\u0661", "9" * 16, -5])
def test_a_timestamp_that_is_no_number_is_malformed(timestamp: int | str) -> None:
    assert checked(header=signed(), timestamp=timestamp) is Verification.MALFORMED


@pytest.mark.parametrize("header", ["", " ", "v1", "v1,", "hello", "v1;abc", "v1,ü", "v1,\ud800", "1,abc"])
def test_a_header_in_which_nothing_looks_like_a_signature_is_malformed(header: str) -> None:
    assert checked(header=header) is Verification.MALFORMED


@pytest.mark.parametrize("header", ["v2,abc", "v1a,abc=", "v1,abc="])
def test_signatures_of_other_versions_and_of_nothing_do_not_match(header: str) -> None:
    assert checked(header=header) is Verification.NO_MATCH


def test_one_matching_signature_among_others_is_enough() -> None:
    assert checked(header=f"v1a,xyz {signed(secret='other')} junk {signed()}") is Verification.VALID


@pytest.mark.parametrize(
    "changed", [{"body": BODY + b" "}, {"message_id": "msg_2"}, {"timestamp": TIME + 1}, {"timestamp": f"0{TIME}"}]
)
def test_id_timestamp_and_body_are_all_signed(changed: dict[str, object]) -> None:
    assert checked(header=signed(), **changed) is Verification.NO_MATCH  # type: ignore[arg-type]
