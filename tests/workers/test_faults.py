from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from console.core.errors import Refused
from workers.fault_server import FaultServer, Receipt
from workers.faults import FAULTS, fault_named

Play = Callable[..., FaultServer]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_every_fault_says_in_one_sentence_what_it_does(fault: Any) -> None:
    assert fault.description[0].isupper()
    assert fault.description.endswith(".")
    assert ". " not in fault.description


def test_an_unknown_fault_is_refused_with_the_known_names() -> None:
    with pytest.raises(Refused, match="never-answers") as refused:
        fault_named("no-such-thing")

    assert refused.value.code == "fault_unknown"


@pytest.mark.parametrize("name", ["slow:long", "status:x", "fail-next:many", "ok:1"])
def test_an_argument_that_a_fault_cannot_take_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        fault_named(name)

    assert refused.value.code == "fault_argument"


def test_harmless_faults_answer_every_request_of_a_connection() -> None:
    harmless = [fault for fault in FAULTS.values() if fault.is_harmless]

    assert len(harmless) >= 10
    assert {fault.scope for fault in harmless} == {"request"}


def test_the_server_keeps_a_receipt_of_every_request(play_fault: Play, attempt: Any) -> None:
    heard: list[Receipt] = []
    server = play_fault("fail-next:1", on_receipt=heard.append)

    outcomes = [attempt(server, headers={"webhook-id": f"msg_{n}"}, body=b"x" * n).outcome for n in range(3)]

    assert outcomes == ["server_error", "ok", "ok"]
    assert [receipt.header("Webhook-Id") for receipt in server.receipts] == ["msg_0", "msg_1", "msg_2"]
    assert [(receipt.number, receipt.method, receipt.path, receipt.body) for receipt in heard] == [
        (1, "POST", "/hook", b""),
        (2, "POST", "/hook", b"x"),
        (3, "POST", "/hook", b"xx"),
    ]


def test_a_closed_server_refuses_connections(play_fault: Play, attempt: Any) -> None:
    server = play_fault("ok")

    server.close()

    assert server.wait(0)
    assert attempt(server).outcome == "connection_refused"
