"""What Hookyard is measured beside, all against the same receiver and with the same body.

One RQ job per delivery, on SimpleWorkers and on RQ's forking worker; a loop of ``requests`` in one process; and
libcurl's multi interface, which does nothing but send: no database, no retry, no log.
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec

import requests

from benchmarks import naive

HEADERS = {"webhook-id": "0" * 36, "webhook-timestamp": "0", "Content-Type": "application/json"}
IN_FLIGHT, OK = 32, 200


def measure(*, redis_url: str, port: int, body: str, count: int, workers: int) -> dict[str, float | str]:
    """Give deliveries a second of each; a text says why one was left out. The slow ones send a part of *count*."""
    url = f"http://127.0.0.1:{port}/rival"
    return {
        "rq_simple": _queued(redis_url, url, body, count=count, workers=workers, kind="simple"),
        "rq_forking": _queued(redis_url, url, body, count=max(count // 10, 50), workers=workers, kind="forking"),
        "requests_loop": _loop(url, body, count=count),
        "pycurl_multi": _curl(url, body, count=count * 5) if find_spec("pycurl") else "pycurl is not installed",
    }


def _queued(redis_url: str, url: str, body: str, *, count: int, workers: int, kind: str) -> float:
    """Deliver with one RQ job each; the start-up of the workers is left out."""
    command = [sys.executable, "-m", "benchmarks.naive", redis_url, kind]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # warms the file cache up
    idle = time.monotonic()
    subprocess.run([sys.executable, "-c", "import benchmarks.naive"], check=True)
    start_up = time.monotonic() - idle
    naive.enqueue(redis_url, count=count, url=url, body=body, headers=HEADERS)
    begun = time.monotonic()
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(workers)]
    for process in processes:
        process.wait(600)
    return round(count / max(time.monotonic() - begun - start_up, 0.001), 1)


def _loop(url: str, body: str, *, count: int) -> float:
    begun = time.monotonic()
    with requests.Session() as session:
        for _ in range(count):
            session.post(url, data=body.encode(), headers=HEADERS, timeout=15).raise_for_status()
    return round(count / (time.monotonic() - begun), 1)


def _curl(url: str, body: str, *, count: int) -> float:
    import pycurl  # noqa: PLC0415 an extra of the measurements alone

    multi = pycurl.CurlMulti()
    left = count
    curls = []  # a handle that nobody holds is closed, and takes its request along
    begun = time.monotonic()
    for _ in range(min(IN_FLIGHT, count)):
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in HEADERS.items()])
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.WRITEFUNCTION, lambda _data: None)
        curls.append(curl)
        multi.add_handle(curl)
        left -= 1
    under_way = min(IN_FLIGHT, count)
    while under_way:
        multi.perform()
        _queued_messages, done, failed = multi.info_read()
        if failed:
            raise SystemExit(f"pycurl: {failed[0][2]}")
        for curl in done:
            if curl.getinfo(pycurl.RESPONSE_CODE) != OK:
                raise SystemExit(f"pycurl: answered {curl.getinfo(pycurl.RESPONSE_CODE)}")
            multi.remove_handle(curl)
            under_way -= 1
            if left:
                multi.add_handle(curl)
                left, under_way = left - 1, under_way + 1
        if not done:
            multi.select(1.0)
    return round(count / (time.monotonic() - begun), 1)
