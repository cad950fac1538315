"""The supervisor of ``hookyard up``: starts the parts, restarts what dies, ends everything in order.

It is a program of its own: ``up`` prepares with all libraries at hand and then replaces itself by this module
(``exec``), which needs the standard library alone and a fraction of the memory. The plan comes through a pipe.
One thread: the kernel's parent-death signal belongs to the thread that forked.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from console.cli.listener import Question, is_awake
from console.cli.plan import Part, Plan
from console.lines import line, write

READY_WITHIN_S = 60.0
CHECK_EVERY_S = 1.0
SOUND_AFTER_S = 10.0
"""A part that ran this long is taken to be sound: its next death starts the back-off anew."""
BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
HOPELESS_DEATHS = 4
DRAIN_S = 4.5
"""After a first SIGTERM, deliveries in flight have this long to finish; a second one interrupts and releases them."""
INSIST_S = 1.5
LAST_S = 1.0
PR_SET_PDEATHSIG = 1
_OWN_PID = os.getpid()


def log(event: str, *, level: str = "info", **fields: object) -> None:
    """Write what happens to the parts."""
    write(line(event, level=level, logger="supervisor", **fields))


def _complain(sentence: str) -> None:
    write(f"Error: {sentence}")


def _die_with_parent() -> None:
    """Ask the kernel for a SIGTERM when the supervisor is gone, however it went (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != _OWN_PID:  # it went before we asked
            os._exit(1)


@dataclass(slots=True)
class Running:
    """A part and its present process; *due* is the monotonic time of its next start while it has none."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = 0.0

    def start(self, *, now: float) -> None:
        """Start the process, in a session of its own so that a terminal's Ctrl-C reaches the supervisor only."""
        self.process = subprocess.Popen(  # noqa: S603  our own commands
            self.part.command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            pass_fds=self.part.pass_fds,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509  this process has one thread
        )
        self.started = now
        log("part started", part=self.part.name, pid=self.process.pid)

    def tend(self, *, now: float) -> None:
        """Notice a death, and start again when it is time."""
        if self.process is not None and self.process.poll() is not None:
            self._bury(self.process, now=now)
        if self.process is None and self.due <= now:
            self.start(now=now)

    def _bury(self, process: subprocess.Popen[bytes], *, now: float) -> None:
        if now - self.started >= SOUND_AFTER_S:
            self.deaths = 0
        delay = BACK_OFF_S[min(self.deaths, len(BACK_OFF_S) - 1)]
        self.deaths += 1
        self.process, self.due = None, now + delay
        log(
            "part ended",
            level="warning",
            part=self.part.name,
            pid=process.pid,
            code=process.returncode,
            restart_in_s=delay,
        )

    def send(self, number: int) -> None:
        """Send a signal if there is a process to receive it."""
        if self.is_alive and self.process is not None:
            self.process.send_signal(number)

    @property
    def is_alive(self) -> bool:
        """Whether it has a process that runs."""
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class Supervisor:
    """Keeps the parts of a plan running until it is told to stop."""

    plan: Plan
    stops: int = 0  # how many signals have asked for the end
    store: list[Running] = field(init=False)
    others: list[Running] = field(init=False)
    _wake: int = field(init=False, default=-1)
    _question: Question | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.store = [Running(self.plan.store)] if self.plan.store else []
        self.others = [Running(part) for part in self.plan.parts]

    def run(self) -> int:
        """Start everything, supervise until SIGINT, SIGTERM or SIGHUP, stop everything; return the exit code."""
        self._listen_for_signals()
        try:
            if not (self._start_store() and self._start_others()):
                return 0 if self.stops else 1
            for line in self.plan.announcements:
                print(line, flush=True)  # noqa: T201  what standard output is for
            while not self.stops:
                self._wait(self._tend(self.store + self.others))
            return 0
        finally:
            self._stop()

    def _listen_for_signals(self) -> None:
        """Let signals that ask for the end count, and let these and a child's death end a wait at once."""
        self._wake, writing = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

        def stop(_number: int, _frame: object) -> None:
            self.stops += 1

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def _wait(self, seconds: float) -> bool:
        """Wait for a signal, a death or the answer to the question asked; say whether it was the answer."""
        awaited = [self._wake] if self._question is None else [self._wake, self._question.fileno()]
        ready, _, _ = select.select(awaited, [], [], max(0.0, seconds))
        if self._wake in ready:
            os.read(self._wake, 4096)
        return any(descriptor != self._wake for descriptor in ready)

    def _tend(self, some: Sequence[Running]) -> float:
        """Bury the dead, start what is due; give the seconds until there is something to do again."""
        now = time.monotonic()
        for running in some:
            running.tend(now=now)
        return min([CHECK_EVERY_S, *(running.due - now for running in some if running.process is None)])

    def _start_store(self) -> bool:
        """Start Valkey, if the plan has one, and wait until it is awake."""
        return not self.store or self._until(lambda: is_awake(self.plan.store_socket), self.store, pause_s=0.02)

    def _start_others(self) -> bool:
        """Start all other parts and wait until pages are answered."""
        try:
            return self._until(self._is_answered, self.store + self.others, pause_s=0.0)
        finally:
            if self._question is not None:
                self._question.close()
                self._question = None

    def _is_answered(self) -> bool:
        """Ask for /healthz unless asked already, and wait a little for the answer."""
        if self._question is None:
            try:
                self._question = Question(self.plan.address, path="/healthz", host=self.plan.host)
            except OSError:
                self._wait(0.1)
                return False
        if not self._wait(0.5):
            return False
        question, self._question = self._question, None
        if not question.is_ok():
            self._wait(0.1)
            return False
        return True

    def _until(self, condition: Callable[[], bool], some: Sequence[Running], *, pause_s: float) -> bool:
        """Tend *some* until *condition* holds; False, with a sentence, when it cannot or a signal came first."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not self.stops:
            self._tend(some)
            hopeless = next((one.part for one in some if one.part.is_vital and one.deaths >= HOPELESS_DEATHS), None)
            if hopeless is not None:
                _complain(f"The {hopeless.name} does not start. {hopeless.hint}")
                return False
            if condition():
                return True
            if time.monotonic() > deadline:
                _complain(f"Nothing was answered within {READY_WITHIN_S:.0f} s.")
                return False
            self._wait(pause_s)
        return False

    def _stop(self) -> None:
        """End everything, Valkey last: each is asked, asked again, and ended."""
        log("stopping")
        self._end(self.others, patience=(DRAIN_S, INSIST_S))
        self._end(self.store, patience=(LAST_S,))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # all is done; one more signal must not make it look like a death
        log("stopped")

    def _end(self, some: Sequence[Running], *, patience: Sequence[float]) -> None:
        for seconds in patience:
            for running in some:
                running.send(signal.SIGTERM)
            if self._are_gone(some, seconds=seconds):
                return
        for running in some:
            running.send(signal.SIGKILL)
        self._are_gone(some, seconds=LAST_S)

    def _are_gone(self, some: Sequence[Running], *, seconds: float) -> bool:
        """Wait until none of *some* runs; give up early when a further signal asks to hurry."""
        hurry = max(self.stops, 1)
        deadline = time.monotonic() + seconds
        while any(running.is_alive for running in some):
            if time.monotonic() >= deadline or self.stops > hurry:
                return False
            self._wait(min(0.2, deadline - time.monotonic()))
        return True


def replace_this_process(plan: Plan, *, keep_fds: Sequence[int]) -> None:
    """Turn this process into the supervisor of *plan*, handing over *keep_fds*; it does not return."""
    reading, writing = os.pipe()
    os.write(writing, plan.to_json())
    os.close(writing)
    for descriptor in (reading, *keep_fds):
        os.set_inheritable(descriptor, True)  # noqa: FBT003  the function has no other form
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "console.cli.supervisor", str(reading)])  # noqa: S606


def main() -> None:
    """Read the plan from the file descriptor named on the command line, and run it."""
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        plan = Plan.from_json(pipe.read())
    sys.exit(Supervisor(plan).run())


if __name__ == "__main__":
    main()
