"""Several workers from one parent: it imports everything once and forks, so that they share the memory of their code.

The parent has one thread, opens nothing and works on nothing; a worker opens its database and Redis after the fork, as
a worker that runs alone does. A worker that dies is forked again. When the parent dies, however it does, the kernel
asks its workers to end (Linux), and whoever keeps the parent running starts all of them again.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from types import FrameType

import structlog

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SOUND_AFTER_S = 10.0
BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
PR_SET_PDEATHSIG = 1
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Post:
    """A place in the crew: its lane, who holds it, and when its next holder is due."""

    lane: str
    pid: int = 0
    started_at: float = 0.0
    deaths: int = 0
    due_at: float = 0.0


@dataclass(slots=True)
class Crew:
    """The workers of *lanes*, one each; *work* runs one of them until it ends and gives its exit code."""

    lanes: Sequence[str]
    work: Callable[[str], int]
    _posts: list[_Post] = field(init=False)
    _is_ending: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._posts = [_Post(lane) for lane in self.lanes]

    def run(self) -> int:
        """Keep a worker at each post until SIGINT or SIGTERM, pass that on, and wait for all of them."""
        gc.collect()
        gc.freeze()  # a collection would write to every object, and so unshare its memory
        signal.pthread_sigmask(signal.SIG_BLOCK, {*SIGNALS, signal.SIGCHLD})
        while True:
            self._bury()
            if self._is_ending and not any(post.pid for post in self._posts):
                return 0
            self._fill()
            self._take(signal.sigtimedwait({*SIGNALS, signal.SIGCHLD}, self._pause_s()))

    def _bury(self) -> None:
        """Note who has died."""
        for post in self._posts:
            if not post.pid:
                continue
            pid, status = os.waitpid(post.pid, os.WNOHANG)
            if not pid:
                continue
            now = monotonic()
            post.deaths = 0 if now - post.started_at >= SOUND_AFTER_S else post.deaths
            delay_s = BACK_OFF_S[min(post.deaths, len(BACK_OFF_S) - 1)]
            post.pid, post.due_at, post.deaths = 0, now + delay_s, post.deaths + 1
            if not self._is_ending:
                code = os.waitstatus_to_exitcode(status)
                _log.warning("worker ended", lane=post.lane, pid=pid, code=code, restart_in_s=delay_s)

    def _fill(self) -> None:
        """Fork a worker for each post that is free and due."""
        for post in self._posts:
            if post.pid or self._is_ending or post.due_at > monotonic():
                continue
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                self._become(post.lane, parent=parent)
            post.pid, post.started_at = pid, monotonic()

    def _become(self, lane: str, *, parent: int) -> None:
        """Be a worker; does not return."""
        code = 1
        try:
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            for number in SIGNALS:
                signal.signal(number, _end_at_once)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {*SIGNALS, signal.SIGCHLD})
            if os.getppid() == parent:  # else it went before we asked to be told
                code = self.work(lane)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 nothing of the parent's may run in its copy
            _log.exception("worker failed", lane=lane)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _pause_s(self) -> float:
        """Say how long there is nothing to do but to wait for a signal."""
        dues = [post.due_at - monotonic() for post in self._posts if not post.pid and not self._is_ending]
        return max(0.0, min(dues, default=3600.0))

    def _take(self, told: signal.struct_siginfo | None) -> None:
        """Pass a signal that asks for the end on to everybody; a second one makes them hurry."""
        if told is None or told.si_signo == signal.SIGCHLD:
            return
        self._is_ending = True
        for post in self._posts:
            if post.pid:
                os.kill(post.pid, signal.SIGTERM)


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    """End a worker that has not begun yet."""
    raise SystemExit(0)
