"""RQ's part in a worker process: a worker for one lane, which runs our own jobs and nothing else, and its Redis."""

from __future__ import annotations

import logging
import signal
from threading import Event
from types import FrameType
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.exceptions import InvalidJobOperation, NoSuchJobError, StopRequested
from rq.job import Job
from rq.registry import BaseRegistry, FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now
from rq.worker import WorkerStatus

from console.ring import CONNECT_TIMEOUT_S
from workers.drain import Drain
from workers.jobs import JOBS
from workers.replaying import Replaying

WORKER_TTL_S = 60
MAINTENANCE_S = 60
MONITORING_S = 10
HEALTH_CHECK_S = 30
LONGEST_WAIT_S = 2.0
_log = structlog.get_logger(__name__)


class UnknownJob(Exception):
    """A job names a function that is not ours to run; nothing was imported."""


class RegisteredJob(Job):
    """A job that runs one of ``JOBS`` and nothing else, calls nobody back and notifies nobody.

    RQ imports whatever dotted path a job names (3.0.0, with JSON too): who can write to Redis could run anything.
    """

    @property
    def func(self) -> Any:
        """Give the function of that name; raise UnknownJob."""
        name = self.func_name
        if name not in JOBS or self.instance is not None:
            raise UnknownJob(f"{name!r} is no job of Hookyard.")
        return JOBS[name]

    success_callback = failure_callback = stopped_callback = property(lambda _self: None)

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Send none: RQ's are unguarded requests that follow redirects."""


class LaneWorker(SimpleWorker):
    """RQ's worker for one lane: runs jobs in this process, stops gracefully, takes no commands through Redis."""

    job_class = RegisteredJob
    max_connection_wait_time = LONGEST_WAIT_S

    def __init__(
        self, lane: str, *, connection: redis.Redis, drain: Drain, replaying: Replaying, ending: Event
    ) -> None:
        self._drain = drain
        self._replaying = replaying
        self._ending = ending
        super().__init__(
            [lane],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_S,
            maintenance_interval=MAINTENANCE_S,
            job_monitoring_interval=MONITORING_S,
            log_job_description=False,
        )

    def subscribe(self) -> None:
        """Listen to no commands: who reaches Redis could stop workers, and the thread outlives a lost connection."""

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log why a job could not be brought to its end; that Redis forgot it meanwhile is no fault of the job's."""
        if isinstance(exc_info[1], (InvalidJobOperation, NoSuchJobError)):
            _log.warning("redis was emptied while a job ran; nothing is lost", lane=job.origin)
        else:
            super().handle_exception(job, *exc_info)

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]  # RQ annotates little
        if self._ending.is_set():  # a signal came while the process was being set up
            self._stop_requested = True

    def request_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 a signal handler's signature
        """Finish what is in flight; a second signal does not even wait for that."""
        self._shutdown_requested_date = rq_now()
        self._stop_requested = True
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.request_force_stop)
        self._drain.stop()
        self._replaying.stop()
        if self.get_state() != WorkerStatus.BUSY:
            raise StopRequested

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 as above
        """Leave what is in flight to be sent again."""
        self._drain.hurry()

    @property
    def is_stopped(self) -> bool:
        """Whether a signal asked it to end."""
        return bool(self._stop_requested)


def without_traceback(record: logging.LogRecord) -> bool:
    """Let RQ say in one line that it lost Redis: where in RQ that was tells an operator nothing."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, redis.RedisError):
        record.msg, record.args = f"{record.getMessage()} {type(error).__name__}: {error}", None
        record.exc_info = None
    return True


def connect(url: str) -> redis.Redis:
    """Open the client that RQ works with.

    The time limit is the one that RQ wants for its own waiting. RQ sets it for connections made later only, and one
    made before with redis-py's default of a few seconds (8.x) ends every idle wait with an error.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=WORKER_TTL_S,
        **({} if url.startswith("unix:") else {"socket_keepalive": True}),
        health_check_interval=HEALTH_CHECK_S,
        retry=Retry(NoBackoff(), 0),
    )


def remove_unreadable(queue: Queue) -> int:
    """Delete jobs that cannot be read or are none of ours: RQ dies of an unreadable one at every start (3.0.0)."""
    connection = queue.connection
    ids = {*queue.get_job_ids(), *queue.intermediate_queue.get_job_ids()}
    for registry in (StartedJobRegistry, FailedJobRegistry):
        ids.update(map(_job_id, _entries(registry(queue.name, connection=connection))))
    removed = 0
    for job_id in ids:
        try:
            is_known = RegisteredJob.fetch(job_id, connection=connection, serializer=JSONSerializer).func_name in JOBS
        except redis.RedisError:
            raise
        except Exception:  # noqa: BLE001 whatever is wrong with it, it cannot be read
            is_known = False
        if not is_known:
            _remove(queue, job_id)
            removed += 1
    if removed:
        _log.warning("removed jobs that cannot be run", lane=queue.name, jobs=removed)
    return removed


def _entries(registry: BaseRegistry) -> list[bytes]:
    """Give what a registry lists: ids of jobs or, while they run, of their executions (``JOB:EXECUTION``)."""
    entries: Any = registry.connection.zrange(registry.key, 0, -1)
    return list(entries)


def _job_id(entry: bytes) -> str:
    return entry.decode().split(":")[0]


def _remove(queue: Queue, job_id: str) -> None:
    connection = queue.connection
    connection.lrem(queue.key, 0, job_id)
    connection.lrem(queue.intermediate_queue_key, 0, job_id)
    for registry in (StartedJobRegistry, FailedJobRegistry):
        listed = registry(queue.name, connection=connection)
        for entry in _entries(listed):
            if _job_id(entry) == job_id:
                connection.zrem(listed.key, entry)
    connection.delete(RegisteredJob.key_for(job_id))
