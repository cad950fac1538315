"""The web server: Gunicorn with threads, on a socket that somebody else has bound.

``python -P -m console.cli.serve FD PROCESSES THREADS``. Not the ``gunicorn`` command on wsgi.py: a stray module of that
name, in the working directory or anywhere on the path, would be served instead of ours.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from console import garbage
from console.lines import LineFormatter

DRAIN_S = 4  # `hookyard up` as a whole has 10 s to stop
KEEP_ALIVE_S = 15
LINGER_MS = 10
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  Gunicorn's own files there are private


class LineLogger(Logger):  # type: ignore[misc]  # Gunicorn ships no types
    """Gives Gunicorn's lines the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Set up as Gunicorn does, but for the form."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(LineFormatter())


class LingeringWorker(ThreadWorker):  # type: ignore[misc]  # as above
    """A thread that has answered waits a moment for the next request of its connection before it lets go of it.

    Handing every kept-alive connection back to the poller costs a third of a small request's time. At most half of
    the threads linger, so that there is always one for who comes next.
    """

    def init_process(self) -> None:
        """Count who may linger."""
        self._lingering = BoundedSemaphore(max(1, self.cfg.threads // 2))
        super().init_process()

    def handle(self, conn: TConn) -> Any:
        """Answer requests of *conn* while they come; then give what Gunicorn wants to know."""
        kept = super().handle(conn)
        while kept is True and self._has_more(conn):
            kept = super().handle(conn)
        return kept

    def _has_more(self, conn: TConn) -> bool:
        """Say whether a request has come, or comes within moments."""
        if not self.alive or conn.is_http2:
            return False
        if conn.parser.unreader.buf.getvalue():
            return True
        if not self._lingering.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(conn.sock, select.POLLIN)
            return bool(poll.poll(LINGER_MS))
        finally:
            self._lingering.release()


class WebServer(BaseApplication):  # type: ignore[misc]  # as above
    """Gunicorn, configured here and nowhere else: no file and no environment variable of its own is read."""

    def __init__(self, *, descriptor: int, processes: int, threads: int) -> None:
        self.options = {
            "bind": f"fd://{descriptor}",
            "workers": processes,
            "threads": threads,
            "worker_class": LingeringWorker,
            "worker_tmp_dir": str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None,
            "timeout": 60,
            "graceful_timeout": DRAIN_S,
            "keepalive": KEEP_ALIVE_S,
            "limit_request_line": 8190,
            "forwarded_allow_ips": "",  # the app itself trusts HOOKYARD_PROXY_HOPS proxies, and nobody else
            "logger_class": LineLogger,
            "control_socket_disable": True,
            "proc_name": "hookyard-web",
        }
        super().__init__()

    def load_config(self) -> None:
        """Take our options; Gunicorn validates them."""
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Import the application in the forked process: the parent stays small, and engines do not survive a fork."""
        garbage.collect_seldom()
        from console import logs, warming  # noqa: PLC0415  see above
        from console.app import create_app  # noqa: PLC0415  see above
        from console.settings import load_settings  # noqa: PLC0415  see above

        settings = load_settings()
        logs.configure(settings.log_level)
        app = create_app(settings)
        warming.warm_meanwhile(app)
        return app


def main() -> None:
    """Serve until told to stop."""
    descriptor, processes, threads = (int(word) for word in sys.argv[1:4])
    WebServer(descriptor=descriptor, processes=processes, threads=threads).run()


if __name__ == "__main__":
    main()
