"""The web server: Gunicorn with workers of our own, on a socket that somebody else has bound.

``python -P -m console.cli.serve FD PROCESSES THREADS``. Not the ``gunicorn`` command on wsgi.py: a stray module of that
name, in the working directory or anywhere on the path, would be served instead of ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from console import garbage
from console.cli.incoming import LARGEST_LINE
from console.cli.web_worker import WebWorker
from console.lines import LineFormatter

DRAIN_S = 4  # `hookyard up` as a whole has 10 s to stop
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  Gunicorn's own files there are private


class LineLogger(Logger):  # type: ignore[misc]  # Gunicorn ships no types
    """Gives Gunicorn's lines the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Set up as Gunicorn does, but for the form."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(LineFormatter())


class WebServer(BaseApplication):  # type: ignore[misc]  # as above
    """Gunicorn, configured here and nowhere else: no file and no environment variable of its own is read."""

    def __init__(self, *, descriptor: int, processes: int, threads: int) -> None:
        self.options = {
            "bind": f"fd://{descriptor}",
            "workers": processes,
            "threads": threads,
            "worker_class": WebWorker,
            "worker_tmp_dir": str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None,
            "timeout": 60,
            "graceful_timeout": DRAIN_S,
            "limit_request_line": LARGEST_LINE,
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
        self.proxy_hops = settings.proxy_hops
        logs.configure(settings.log_level)
        app = create_app(settings, threads=self.cfg.threads)
        warming.warm_meanwhile(app)
        return app


def main() -> None:
    """Serve until told to stop."""
    descriptor, processes, threads = (int(word) for word in sys.argv[1:4])
    WebServer(descriptor=descriptor, processes=processes, threads=threads).run()


if __name__ == "__main__":
    main()
