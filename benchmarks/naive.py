"""One RQ job per delivery, with a requests session: ``python -m benchmarks.naive REDIS_URL simple|forking``."""

from __future__ import annotations

import sys

import requests
from redis import Redis
from rq import Queue, SimpleWorker, Worker

QUEUE = "naive"
_session = requests.Session()


def deliver(url: str, body: str, headers: dict[str, str]) -> None:
    """Send one delivery; the job is done when the answer is there."""
    _session.post(url, data=body.encode(), headers=headers, timeout=15).raise_for_status()


def enqueue(redis_url: str, *, count: int, url: str, body: str, headers: dict[str, str]) -> None:
    """Put so many jobs in the queue."""
    queue = Queue(QUEUE, connection=Redis.from_url(redis_url))
    prepared = [Queue.prepare_data(deliver, args=(url, body, headers), result_ttl=0, timeout=60) for _ in range(count)]
    for start in range(0, count, 500):
        with queue.connection.pipeline() as pipeline:
            queue.enqueue_many(prepared[start : start + 500], pipeline=pipeline)
            pipeline.execute()


def work(redis_url: str, *, kind: str) -> None:
    """Work until the queue is empty."""
    worker = Worker if kind == "forking" else SimpleWorker
    worker([QUEUE], connection=Redis.from_url(redis_url), log_job_description=False).work(
        burst=True, logging_level="WARNING"
    )


if __name__ == "__main__":
    work(sys.argv[1], kind=sys.argv[2])
