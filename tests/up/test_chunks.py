"""Publishers that send a body in chunks, as HTTP clients do that do not know its length beforehand."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import requests

from tests.up.stage import Launch, Up, Wait
from workers.fault_server import FaultServer

MIB = 1024 * 1024
PIECES = (b'{"type": "order.paid", ', b'"payload": {"total": 19.90', b"}}")


@pytest.fixture(scope="module")
def up(launch_for_all: Launch) -> Up:
    up = launch_for_all(workers="1")
    up.sign_up()
    return up


def publish(up: Up, pieces: Iterable[bytes], *, path: str = "events") -> requests.Response:
    headers = {"Authorization": f"Bearer {up.token}", "Content-Type": "application/json"}
    return requests.post(f"{up.url}/api/v1/{path}", data=iter(pieces), headers=headers, timeout=60)


def test_an_event_in_chunks_is_delivered_as_the_bytes_that_were_sent(
    up: Up, receiver: FaultServer, wait_until: Wait
) -> None:
    up.hook_to(receiver, "order.paid")

    assert publish(up, PIECES).status_code == 202

    wait_until(lambda: receiver.receipts)
    assert b'{"total": 19.90}' in receiver.receipts[0].body


def test_a_batch_in_chunks_may_be_as_large_as_one_in_a_piece(up: Up) -> None:
    event = b'{"type": "nobody.listens", "payload": "%s"}' % (b"a" * 200_000)
    pieces = [b'{"events": [', *[event, b","] * 19, event, b"]}"]

    answer = publish(up, pieces, path="events/batch")

    assert answer.status_code == 202, answer.text
    assert len(answer.json()["events"]) == 20


def test_chunks_over_the_limit_of_a_path_are_refused(up: Up) -> None:
    refused = publish(up, [b" " * 65536] * 17)

    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
