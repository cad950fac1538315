"""The test operation of web/v1, and what webhooks get: a real worker beside the app, receivers on sockets."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, update

from console.api.dialects.web_v1 import trial
from console.core.outcomes import Outcome
from console.core.signing import Verification, verify
from console.models import Attempt, Delivery, Event, Hook
from console.services.work import Work
from console.settings import Settings
from tests.apps import app_of, others_waiting
from tests.dialects.web_v1_stage import Caller, Colleague, refusal
from tests.receiver import Receiver

SECRET = "a secret of ours"


@pytest.fixture
def ada_api(settings: Settings, work: Work, token_of: Callable[..., str], ada) -> Iterator[Caller]:
    """Ada calls an app that has a worker beside it."""
    token = token_of(ada)
    work.session.commit()
    with Colleague(settings) as colleague, app_of(settings, ring=colleague) as app:
        yield Caller(app.test_client(), token, session=work.session)


def rows(work: Work, query: Any) -> list[Any]:
    found = list(work.session.scalars(query, execution_options={"populate_existing": True}))
    work.session.commit()
    return found


def test_of(api: Caller, webhook: dict[str, Any]) -> Any:
    return api.call("POST", f"/test/{webhook['id']}")


test_of.__test__ = False  # type: ignore[attr-defined]  # no test, for all its name


@pytest.mark.both_databases
def test_a_test_is_one_request_and_one_delivery_in_the_log(ada_api: Caller, work: Work, receiver: Receiver) -> None:
    other = ada_api.make(callbackUrl=f"{receiver.url}/other", events=["*"])
    webhook = ada_api.make(callbackUrl=receiver.url, headers={"X-Shop": "7"}, secret=SECRET)

    answer = test_of(ada_api, webhook)

    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Type" not in answer.headers
    (receipt,) = receiver.receipts
    body = json.loads(receipt.body)
    assert list(body) == ["type", "timestamp", "data"]
    assert (body["type"], body["data"]) == ("webhook.test", {"message": f"Test of webhook {webhook['id']}"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body["timestamp"])
    assert (receipt.path, receipt.headers["content-type"]) == ("/hook", "application/json")
    assert receipt.headers["x-shop"] == "7"
    check_signature(receipt)

    (delivery,) = rows(work, select(Delivery))
    assert (delivery.state, delivery.event_type, delivery.is_test) == ("delivered", "webhook.test", True)
    assert (str(delivery.id), delivery.url) == (receipt.id, receiver.url)
    assert len(rows(work, select(Attempt))) == len(rows(work, select(Event))) == 1
    assert ada_api.read(other["id"]) == other


def check_signature(receipt: Any) -> None:
    verdict = verify(
        message_id=receipt.headers["webhook-id"],
        timestamp=receipt.headers["webhook-timestamp"],
        body=receipt.body,
        signature_header=receipt.headers["webhook-signature"],
        secret=SECRET,
        now=int(receipt.headers["webhook-timestamp"]),
    )
    assert verdict is Verification.VALID


def failure(ada_api: Caller, work: Work, url: str) -> str:
    """Test a webhook at *url*, which must fail in one attempt; give the cause."""
    status, message = refusal(test_of(ada_api, ada_api.make(callbackUrl=url)))
    assert status == 400
    (delivery,) = rows(work, select(Delivery))
    assert (delivery.state, delivery.attempt_count, delivery.next_attempt_at) == ("failed", 1, None)
    assert message.startswith("Webhook test failed: ")
    return message.removeprefix("Webhook test failed: ")


@pytest.mark.parametrize("status", [301, 404, 410, 429, 500, 503])
def test_an_answer_that_is_no_success_is_named(ada_api: Caller, work: Work, receiver: Receiver, status: int) -> None:
    receiver.answer = (status, {"Location": "/elsewhere", "Retry-After": "1"}, b"")

    assert failure(ada_api, work, receiver.url) == f"receiver answered {status}"
    assert len(receiver.receipts) == 1


def test_a_port_where_nobody_listens_is_named(ada_api: Caller, work: Work) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert failure(ada_api, work, f"http://127.0.0.1:{port}/") == "connection refused"


def test_a_receiver_without_tls_is_named(ada_api: Caller, work: Work, receiver: Receiver) -> None:
    assert failure(ada_api, work, receiver.url.replace("http:", "https:")) == "TLS error"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(b"SSH-2.0-server\r\n", "the answer was not HTTP"), (b"", "receiver closed the connection without an answer")],
)
def test_what_is_no_answer_is_named(ada_api: Caller, work: Work, answer: bytes, cause: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer_once, args=(server, answer), daemon=True).start()
        port = server.getsockname()[1]

        assert failure(ada_api, work, f"http://127.0.0.1:{port}/") == cause


def answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)


@pytest.mark.parametrize(
    ("resolved", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "host name could not be resolved"),
        (socket.gaierror(socket.EAI_AGAIN, "later"), "host name could not be resolved"),
        ("10.1.2.3", "This address is not allowed."),
    ],
)
def test_a_name_that_leads_nowhere_is_named(
    ada_api: Caller, work: Work, monkeypatch: pytest.MonkeyPatch, resolved: OSError | str, cause: str
) -> None:
    def getaddrinfo(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if isinstance(resolved, OSError):
            raise resolved
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (resolved, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    assert failure(ada_api, work, "https://receiver.example.com/") == cause


def test_a_receiver_that_is_too_slow_is_named_with_the_time_it_had(
    ada_api: Caller, work: Work, receiver: Receiver
) -> None:
    webhook = ada_api.make(callbackUrl=receiver.url)
    work.session.execute(update(Hook).values(timeout_s=1, version=Hook.version + 1))
    work.session.commit()
    receiver.gate.clear()

    assert refusal(test_of(ada_api, webhook)) == (400, "Webhook test failed: timed out after 1 s")
    assert len(receiver.receipts) == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words(outcome: Outcome) -> None:
    words = trial.cause(Attempt(outcome=outcome, duration_ms=5004.2), timeout_s=15)

    assert words == {Outcome.TIMEOUT: "timed out after 15 s", Outcome.CONNECT_TIMEOUT: "timed out after 5 s"}.get(
        outcome, words
    )
    assert words


@pytest.mark.slow
def test_a_test_that_no_worker_takes_up_is_canceled_and_says_so(
    settings: Settings, work: Work, token_of: Callable[..., str], ada, receiver: Receiver
) -> None:
    token = token_of(ada)
    with app_of(Settings(**(settings.model_dump() | {"timeout": 1}))) as app:
        api = Caller(app.test_client(), token, session=work.session)
        answer = test_of(api, api.make(callbackUrl=receiver.url))

    assert refusal(answer) == (400, "Webhook test failed: no outcome after 6 s")
    assert [delivery.state for delivery in rows(work, select(Delivery))] == ["canceled"]
    assert receiver.receipts == []


def test_a_webhook_that_is_deleted_meanwhile_ends_its_test(
    settings: Settings, work: Work, token_of: Callable[..., str], ada, wait_until
) -> None:
    answers: list[Any] = []
    token = token_of(ada)
    with app_of(settings) as app:
        api = Caller(app.test_client(), token, session=work.session)
        webhook = api.make()
        waiting = Thread(target=lambda: answers.append(test_of(Caller(app.test_client(), token), webhook)))
        waiting.start()
        wait_until(lambda: rows(work, select(Delivery)))
        api.call("DELETE", f"/{webhook['id']}")
        waiting.join(10)

    assert refusal(answers[0]) == (400, "Webhook test failed: it was canceled")


def test_an_event_is_delivered_to_the_webhooks_that_name_it(ada_api: Caller, receiver: Receiver, wait_until) -> None:
    ada_api.make(callbackUrl=receiver.url, events=["package.*"], secret=SECRET, headers={"X-Shop": "7"})
    ada_api.make(callbackUrl=f"{receiver.url}/2", events=["shipment.created"])

    published = ada_api.client.post(
        "/api/v1/events",
        data='{"type": "package.created", "payload": {"pk": 1.0}}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {ada_api.token}"},
    )

    wait_until(lambda: receiver.receipts)
    (receipt,) = receiver.receipts
    body = json.loads(receipt.body)
    assert (body["type"], body["data"], receipt.headers["x-shop"]) == ("package.created", {"pk": 1.0}, "7")
    assert b'"data":{"pk": 1.0}}' in receipt.body
    check_signature(receipt)
    assert published.get_json()["deliveries"] == 1


def test_a_test_that_cannot_be_waited_for_is_not_sent(ada_api: Caller, work: Work, receiver: Receiver) -> None:
    webhook = ada_api.make(callbackUrl=receiver.url)

    with others_waiting(ada_api.client.application):
        answer = test_of(ada_api, webhook)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "was not sent" in refusal(answer)[1]
    assert rows(work, select(Delivery)) == []
