"""Strangers who hold connections, wait or guess: a publisher and a person beside them are not disturbed."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from time import monotonic

import pytest
import requests

from benchmarks.percentiles import p95
from tests.up.stage import HOOKYARD, Launch, Up, Wait

LIMIT_S = 0.3
SLOWER = 3
"""Times the usual: below that nobody is called disturbed on a machine that is busy with other things."""
POST = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
LARGE = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
STRANGERS = {
    "half a head": (200, POST + b"X-A: "),
    "half a body": (200, POST + b"Content-Length: 100000\r\n\r\n{"),
    "half a chunk": (200, POST + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n{"),
    "nothing": (200, b""),
    "no reading": (100, LARGE * 8),
    "junk": (200, b"GARBAGE \x00\xff\r\n\r\n" + LARGE * 20),
}


@pytest.fixture(scope="module")
def up(launch_for_all: Launch) -> Up:
    """A product behind a proxy, so that a test may say who asks."""
    up = launch_for_all(proxy_hops="1")
    up.sign_up()
    return up


@pytest.fixture(scope="module")
def web(up: Up, tmp_path_factory: pytest.TempPathFactory, wait_until_session: Wait) -> Iterator[str]:
    """The URL of ``hookyard web`` on the same data, with nobody in front of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = up.environment | {"HOOKYARD_DATA": str(up.data), "HOOKYARD_BASE_URL": url, "HOOKYARD_PROXY_HOPS": "0"}
    command = [*HOOKYARD, "web", "--port", str(port), "--processes", "1"]
    with (tmp_path_factory.mktemp("web") / "errors.txt").open("wb") as errors:
        process = subprocess.Popen(command, env=environment, stderr=errors)
    wait_until_session(lambda: is_awake(url), seconds=60)
    yield url
    process.terminate()
    assert process.wait(20) == 0


def is_awake(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False


def sign_in(url: str) -> requests.Session:
    browser = requests.Session()
    page = browser.get(f"{url}/login", timeout=20)
    form = {"login": "ada", "password": "correct horse battery", "csrf_token": csrf_token(page.text)}
    browser.post(f"{url}/login", data=form, headers={"Referer": f"{url}/login"}, timeout=20).raise_for_status()
    return browser


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found
    return found[1]


def times_of(ask: Callable[[], requests.Response], *, ending: threading.Event) -> list[float]:
    """Ask twenty times a second until *ending*; return how long each answer took."""
    times = []
    while not ending.wait(0.05):
        begun = monotonic()
        assert ask().status_code in {200, 202}
        times.append(monotonic() - begun)
    return times


@contextmanager
def undisturbed(url: str, token: str) -> Iterator[Callable[[], None]]:
    """Measure without strangers; then yield what checks that it takes no longer beside those that came inside."""
    with sign_in(url) as browser:
        usual = measured(url, token, browser, seconds=2)
        limits = [max(LIMIT_S, SLOWER * one) for one in usual]

        def check() -> None:
            taken = measured(url, token, browser, seconds=4)
            assert all(one < limit for one, limit in zip(taken, limits, strict=True)), (usual, taken)

        yield check


def measured(url: str, token: str, browser: requests.Session, *, seconds: float) -> tuple[float, float]:
    """Publish and open pages for a while; return p95 of either, in seconds."""
    ending = threading.Event()
    event = {"type": "order.paid", "payload": {"order": 4711}}
    with requests.Session() as publisher, ThreadPoolExecutor(2) as pool:
        publisher.headers["Authorization"] = f"Bearer {token}"
        asks = (
            partial(publisher.post, f"{url}/api/v1/events", json=event, timeout=20),
            partial(browser.get, f"{url}/o/acme/hooks", timeout=20, allow_redirects=False),
        )
        running = [pool.submit(times_of, ask, ending=ending) for ask in asks]
        ending.wait(seconds)
        ending.set()
        publishing, reading = (p95(one.result()) for one in running)
    return publishing, reading


@contextmanager
def strangers(url: str, *, count: int, opening: bytes) -> Iterator[None]:
    """Hold so many connections, each of which sends another byte every second; who is hung up on comes again."""
    ending = threading.Event()
    host, port = url.removeprefix("http://").split(":")

    def connect() -> socket.socket:
        connection = socket.create_connection((host, int(port)), timeout=20)
        with suppress(OSError):
            connection.sendall(opening)
        connection.setblocking(False)  # noqa: FBT003  the function has no other form
        return connection

    def trickle(held: list[socket.socket]) -> None:
        while not ending.wait(1.0):
            for index, connection in enumerate(held):
                try:
                    connection.send(b"a")
                except BlockingIOError:
                    continue
                except OSError:
                    connection.close()
                    held[index] = connect()

    with ThreadPoolExecutor(1) as pool:
        held = [connect() for _ in range(count)]
        trickling = pool.submit(trickle, held)
        try:
            yield
        finally:
            ending.set()
            trickling.result()
            for connection in held:
                connection.close()


@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("served_by", ["up", "web"])
def test_strangers_with_slow_or_broken_requests_disturb_nobody(
    up: Up, web: str, served_by: str, kind: str, wait_until: Wait
) -> None:
    url = up.url if served_by == "up" else web
    count, opening = STRANGERS[kind]
    with undisturbed(url, up.token) as check, strangers(url, count=count, opening=opening):
        wait_until(lambda: requests.get(f"{url}/healthz", timeout=20).elapsed.total_seconds() < LIMIT_S, seconds=60)

        check()


def test_callers_who_wait_for_tests_leave_threads_to_the_others(up: Up, receiver_that_hangs: str) -> None:
    hook = up.post("/hooks", {"url": receiver_that_hangs, "event_types": ["order.slow"]})
    ending = threading.Event()

    def test(_index: int) -> set[int]:
        statuses = set()
        while not ending.is_set():
            answer = requests.post(
                f"{up.url}/api/v1/hooks/{hook['id']}/test?wait=3",
                json={},
                headers={"Authorization": f"Bearer {up.token}"},
                timeout=30,
            )
            statuses.add(answer.status_code)
            ending.wait(0.5)
        return statuses

    with undisturbed(up.url, up.token) as check, ThreadPoolExecutor(18) as pool:
        running = [pool.submit(test, index) for index in range(18)]
        try:
            check()
        finally:
            ending.set()
        statuses = set().union(*(one.result() for one in running))

    assert 202 in statuses
    assert statuses <= {202, 429}


@pytest.fixture
def receiver_that_hangs() -> Iterator[str]:
    """The URL of somebody who accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"


def test_a_flood_of_wrong_passwords_disturbs_nobody_who_is_signed_in(up: Up) -> None:
    guessing = requests.Session()
    token = csrf_token(guessing.get(f"{up.url}/login", timeout=20).text)
    addresses = cycle(f"198.51.{number}.7" for number in range(64))

    def guess(address: str) -> requests.Response:
        return requests.post(
            f"{up.url}/login",
            data={"login": f"nobody-{address}", "password": "not the password", "csrf_token": token},
            headers={"Referer": f"{up.url}/login", "X-Forwarded-For": address},
            cookies=guessing.cookies.get_dict(),
            timeout=30,
        )

    with undisturbed(up.url, up.token) as check, guessing, ThreadPoolExecutor(64) as pool:
        guesses = [pool.submit(guess, next(addresses)) for _ in range(3 * 64)]
        check()
        answers = [one.result() for one in guesses]

    assert {answer.status_code for answer in answers} == {422, 503}
    refused = [answer for answer in answers if answer.status_code == 503]
    assert all(answer.headers["Retry-After"] == "3" for answer in refused)
    assert "Too many people are signing in at this moment" in refused[0].text
