"""Our own programs without the time that importing takes: forked, as ``hookyard up`` forks its workers.

Half a second of a processor for each of two hundred processes is a minute of the suite. Everything else is as if the
program had been started by itself: its own session, environment, arguments, exit code and death.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from typing import IO, Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["console.app", "console.cli.serve", "workers.runtime", "workers.crew", "tests.forked"])


class Forked:
    """A process, to be handled like one of ``subprocess``."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        stderr: IO[bytes] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Run *command*, as ``console.cli.commands`` gives it, leading a session of its own."""
        self.args = command
        module, *arguments = command[command.index("-m") + 1 :]
        descriptors = {number: DupFd(number) for number in pass_fds}
        errors = DupFd(stderr.fileno()) if stderr else None
        self._process = _CONTEXT.Process(target=_run, args=(module, arguments, dict(env), descriptors, errors))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, the negated number of the signal that killed it, or None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Say the same."""
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait until it has ended; raise TimeoutExpired."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it by force."""
        self.send_signal(signal.SIGKILL)


def _run(
    module: str, arguments: list[str], environment: Mapping[str, str], descriptors: Mapping[int, Any], errors: Any
) -> None:
    """Be the program from here on."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    handed = {wanted: given.detach() for wanted, given in descriptors.items()}
    for wanted, given in handed.items():
        if given != wanted:
            os.dup2(given, wanted)
            os.close(given)
    if errors is not None:
        os.dup2(errors.detach(), sys.stderr.fileno())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
