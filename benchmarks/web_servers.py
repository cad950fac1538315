"""Which web server stands strangers best, and what does a request cost on each? One app, one database, one process.

Beside Hookyard's own: Gunicorn, Granian, Waitress and Cheroot, each with as many threads and its limits opened wide.
The strangers hold half a head, half a body (a byte a second), read a large answer slowly, send junk, or just connect.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Self

import psutil
import requests

from benchmarks.percentiles import p95
from benchmarks.product import PASSWORD, Product
from benchmarks.publisher import Publisher
from console.cli import commands, valkey

THREADS = 16
PUBLISHERS = 16
EVENT = json.dumps({"type": "order.paid", "payload": {"order": 4711, "total": "99.90"}}).encode()
LARGE_ANSWERS = 48
"""So many of them, 80 KB each, are more than the sockets of both sides hold."""
OVERSIZED_MIB = 200
WITHIN_S = 5.0
"""What is not answered by then is taken as never answered."""
STARTS = {
    "gunicorn": """
from gunicorn.app.base import BaseApplication
class Server(BaseApplication):
    def load_config(self):
        for name, value in {"bind": f"fd://{FD}", "threads": THREADS, "worker_class": "gthread", "keepalive": 15,
                            "control_socket_disable": True}.items():
            self.cfg.set(name, value)
    def load(self):
        from wsgi import app
        return app
Server().run()
""",
    "waitress": """
import socket, waitress
from wsgi import app
waitress.serve(app, sockets=[socket.socket(fileno=FD)], threads=THREADS, connection_limit=2000, asyncore_use_poll=True)
""",
    "cheroot": """
import socket
from cheroot.wsgi import Server
from wsgi import app
listener = socket.socket(fileno=FD)
server = Server(listener.getsockname(), app, numthreads=THREADS, request_queue_size=512)
listener.close()
server.start()
""",
    "granian": """
import socket
from granian import Granian
listener = socket.socket(fileno=FD)
host, port = listener.getsockname()
listener.close()
options = {"blocking_threads": THREADS, "backpressure": 2000, "log_enabled": False}
Granian("wsgi:app", host, port, interface="wsgi", **options).serve()
""",
}


class Served(Product):
    """An installation of SQLite, Valkey and one web server process; no workers."""

    def __init__(self, server: str, folder: Path) -> None:
        data = folder / "data"
        data.mkdir(parents=True)
        valkey.make_folders(data)
        super().__init__(data, {"HOOKYARD_REDIS_URL": valkey.url_of(data)})
        self.command("db", "upgrade")
        self._log = (folder / "log").open("ab")
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.environment["HOOKYARD_BASE_URL"] = self.url
            self._valkey = self._start(valkey.command(data))
            self.web = self._start(_command(server, listener.fileno()), listener.fileno())
        deadline = time.monotonic() + 30
        while not self.is_awake():
            if time.monotonic() > deadline or self.web.poll() is not None:
                raise SystemExit(f"{server} did not start: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def _start(self, command: Sequence[str], *descriptors: int) -> subprocess.Popen[bytes]:
        root = {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        return subprocess.Popen(
            command, env=self.environment | root, stdout=self._log, stderr=self._log, pass_fds=descriptors
        )

    def is_awake(self) -> bool:
        """Say whether it answers."""
        with suppress(requests.RequestException):
            return requests.get(f"{self.url}/healthz", timeout=2).ok
        return False

    def sign_in(self) -> dict[str, str]:
        """Sign in as the admin; give the cookies."""
        with requests.Session() as browser:
            token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(f"{self.url}/login").text)
            form = {"login": "ada", "password": PASSWORD, "csrf_token": token[1] if token else ""}
            browser.post(f"{self.url}/login", data=form, headers={"Referer": f"{self.url}/login"}).raise_for_status()
            return dict(browser.cookies)

    def usage(self) -> tuple[float, float]:
        """Give the processor seconds and the memory in MiB of the web server with its children."""
        root = psutil.Process(self.web.pid)
        family = [root, *root.children(recursive=True)]
        cpu = sum(sum(one.cpu_times()[:2]) for one in family)
        return cpu, sum(one.memory_full_info().pss for one in family) / 2**20

    def stop(self) -> int:
        """Stop the web server, then Valkey."""
        self.web.terminate()
        try:
            code = self.web.wait(15)
        except subprocess.TimeoutExpired:
            self.web.kill()
            code = self.web.wait(5)
        self._valkey.terminate()
        self._valkey.wait(10)
        self._log.close()
        self.session.close()
        return code


def _command(server: str, descriptor: int) -> Sequence[str]:
    if server == "hookyard":
        return commands.serve(descriptor, processes=1, threads=THREADS)
    text = STARTS[server].replace("FD", str(descriptor)).replace("THREADS", str(THREADS))
    return [sys.executable, "-c", text]


def rates(product: Served, *, seconds: float) -> dict[str, float]:
    """Measure empty requests and publishes of 16 kept-alive connections: how many a second, and server ms for one."""
    figures = {}
    token = product.session.headers["Authorization"]
    host = product.url.partition("://")[2]
    ask = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    head = f"POST /api/v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token!s}\r\nContent-Type: application/json"
    publish = f"{head}\r\nContent-Length: {len(EVENT)}\r\n\r\n".encode() + EVENT
    for name, request in {"healthz": ask, "publish": publish}.items():
        _repeat(product, request, seconds=0.5)
        before, _ = product.usage()
        begun = time.perf_counter()
        count = _repeat(product, request, seconds=seconds)
        figures[f"{name}_per_s"] = round(count / (time.perf_counter() - begun))
        figures[f"{name}_server_ms"] = round((product.usage()[0] - before) / count * 1000, 3)
    return figures


def _repeat(product: Served, request: bytes, *, seconds: float) -> int:
    end = time.perf_counter() + seconds

    def ask(_index: int) -> int:
        publisher, count = Publisher(product), 0
        while time.perf_counter() < end:
            try:
                publisher.send(request)
            except (SystemExit, OSError):  # the server keeps connections alive for so many requests only
                publisher = Publisher(product)
            count += 1
        publisher.close()
        return count

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        return sum(pool.map(ask, range(PUBLISHERS)))


class Healthy:
    """A publisher and a person beside it, each asking twenty times a second; what took too long counts as WITHIN_S."""

    def __init__(self, product: Served, *, cookies: dict[str, str]) -> None:
        self.times: dict[str, list[float]] = {"publisher": [], "page": []}
        self._product, self._cookies, self._ending = product, cookies, Event()
        self._threads = [Thread(target=self._run, args=(ask,)) for ask in (self._publish, self._open)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, ask: Callable[[requests.Session], None]) -> None:
        session = requests.Session()
        while not self._ending.wait(0.05):
            ask(session)
        session.close()

    def _publish(self, session: requests.Session) -> None:
        headers = {**self._product.session.headers, "Content-Type": "application/json"}
        self._time(
            "publisher",
            lambda: session.post(f"{self._product.url}/api/v1/events", data=EVENT, headers=headers, timeout=WITHIN_S),
        )

    def _open(self, session: requests.Session) -> None:
        self._time(
            "page",
            lambda: session.get(
                f"{self._product.url}/o/acme/hooks", cookies=self._cookies, timeout=WITHIN_S, allow_redirects=False
            ),
        )

    def _time(self, name: str, ask: Callable[[], requests.Response]) -> None:
        begun = time.perf_counter()
        took = WITHIN_S
        with suppress(requests.RequestException):
            if ask().status_code in (200, 202):
                took = time.perf_counter() - begun
        self.times[name].append(took)


@contextmanager
def _strangers(product: Served, kind: str, count: int) -> Iterator[None]:
    """Hold so many connections of a kind, trickling now and then."""
    host, _, port = product.url.partition("://")[2].partition(":")
    ending = Event()
    large = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    opening = {
        "half_head": b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nX-A: ",
        "half_body": b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100000\r\n\r\n{",
        "slow_reader": large * LARGE_ANSWERS,
        "junk": b"GARBAGE \x00\xff\r\n\r\n" + b"GET / HTTP/1.1\r\n\r\n" * 50,
        "flood": b"",
    }[kind]

    def hold(_index: int) -> None:
        while not ending.is_set():
            with suppress(OSError), socket.socket() as connection:
                if kind == "slow_reader":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.settimeout(5)
                connection.connect((host, int(port)))
                connection.sendall(opening)
                while not ending.wait(1.0):
                    if kind in ("half_head", "half_body"):
                        connection.sendall(b"a")
                    elif kind == "slow_reader":
                        connection.recv(64)
                    else:
                        break
            ending.wait(0.2)

    threads = [Thread(target=hold, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join(10)


SETTLE_S = {"slow_reader": 8.0}
KINDS = {"half_head": 200, "half_body": 200, "slow_reader": 100, "junk": 50, "flood": 200}


def disturbed(product: Served, *, seconds: float) -> dict[str, float]:
    """Give the p95 of the publisher and of the page, in ms, alone and beside each kind of strangers."""
    cookies = product.sign_in()
    figures = {}
    for kind, count in {"alone": 0, **KINDS}.items():
        with _strangers(product, kind, count) if count else nullcontext():
            time.sleep(SETTLE_S.get(kind, 1.0))  # the strangers' own requests are answered first
            with Healthy(product, cookies=cookies) as healthy:
                time.sleep(seconds)
        figures |= {f"{kind}_{name}_p95_ms": round(p95(times) * 1000) for name, times in healthy.times.items()}
    return figures


def oversized(product: Served) -> float:
    """Give the MiB that the server grows by for a body of OVERSIZED_MIB MiB, which no path takes."""
    _, before = product.usage()
    host, _, port = product.url.partition("://")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=WITHIN_S) as connection, suppress(OSError):
        head = f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {OVERSIZED_MIB * 2**20 + 1}\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(OVERSIZED_MIB):
            connection.sendall(bytes(2**20))
            return round(product.usage()[1] - before)
    return round(product.usage()[1] - before)


def main(arguments: Sequence[str]) -> int:
    """Measure the servers that the command line names, in turn, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks web_servers", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("servers", nargs="*", default=["hookyard", *STARTS], help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=5, help="how long each (default: %(default)s)")
    parser.add_argument("--only", choices=("rates", "strangers"), help="leave the other out")
    options = parser.parse_args(arguments)
    for server in options.servers:
        folder = Path(tempfile.mkdtemp(prefix="hookyard-web-"))
        figures: dict[str, float | str] = {"server": server}
        with Served(server, folder) as product:
            product.sign_up()
            figures["memory_fresh_mib"] = round(product.usage()[1])
            if options.only != "strangers":
                figures |= rates(product, seconds=options.seconds)
            if options.only != "rates":
                figures |= disturbed(product, seconds=options.seconds)
                figures["oversized_mib"] = oversized(product)
            figures["memory_mib"] = round(product.usage()[1])
            begun = time.monotonic()
        figures["stops_in_s"] = round(time.monotonic() - begun, 1)
        print(json.dumps(figures, indent=2), flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    return 0
