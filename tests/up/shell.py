"""A reader's shell, into which the recipes of the documents are pasted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ANY_PORT = """hookyard() {
  case $1 in up|receiver) command hookyard "$@" --port 0 ;; *) command hookyard "$@" ;; esac
}
"""
"""Stands before every script: the ports of the documents may be taken on the machine that runs the tests."""


END_TOGETHER = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
"""Stands before what runs: when a command fails, what was started before it would keep the output open."""


@dataclass
class Shell:
    """Where a reader pastes: a folder that is also the home, with this version of Hookyard on the path."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    programs: Path = Path(sys.executable).parent
    tools: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """What commands see: no setting but those given."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOOKYARD_", "PG"))}
        path = [str(self.programs), *([self.tools] if self.tools else []), os.environ["PATH"]]
        return {**kept, "PATH": os.pathsep.join(path), "HOME": str(self.folder), **self.settings}

    def paste(self, script: str) -> str:
        """Run *script* in bash, stopping at the first command that fails; return what it printed."""
        done = subprocess.run(
            ["bash", "-euc", ANY_PORT + script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=540,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, script: str) -> Iterator[subprocess.Popen[str]]:
        """Run *script* meanwhile; then end all that it started, and wait for it."""
        errors = (self.folder / "errors.txt").open("w")
        with (
            errors,
            subprocess.Popen(
                ["bash", "-euc", END_TOGETHER + ANY_PORT + script],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):  # the script failed, and all that it started has ended
                    os.killpg(process.pid, signal.SIGTERM)
                process.communicate(timeout=60)  # until the last process that could still write has ended

    def line_of(self, process: subprocess.Popen[str], start: str) -> str:
        """Return what follows *start* in the next line of its output that begins so."""
        assert process.stdout
        seen = []
        for line in process.stdout:
            if line.startswith(start):
                return line.removeprefix(start).strip()
            seen.append(line)
        raise AssertionError(
            f"No line begins with {start!r}:\n{''.join(seen)}\n{(self.folder / 'errors.txt').read_text()}"
        )


def free_port() -> int:
    """Return a port of this machine that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
