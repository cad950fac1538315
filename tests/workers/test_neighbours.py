"""Whose process has ended: a living worker must never be taken for dead, or what it holds is sent twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from workers import neighbours

APART = ["unshare", "--mount", "--pid", "--fork"]
HIDDEN = """
import os, subprocess
from workers import neighbours
def be(account):
    os.setgid(account)
    os.setuid(account)
subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc"], check=True)
theirs = subprocess.Popen(["sleep", "60"], preexec_fn=lambda: be(65533))
be(65534)
print(os.path.exists(f"/proc/{theirs.pid}"), neighbours.ended({1: theirs.pid, 2: 4_000_000}))
"""
MOVED = """
import os
from workers import neighbours
print(neighbours.pid_space(), neighbours.ended({1: os.getpid()}))
"""


def may_stand_apart() -> bool:
    """Return whether namespaces may be made here: not by everybody, nor in every container."""
    if os.geteuid() or not shutil.which("unshare"):
        return False
    mount = ["mount", "-t", "proc", "proc", "/proc"]
    return subprocess.run([*APART, *mount], capture_output=True, check=False).returncode == 0


def apart(script: str) -> str:
    """Run *script* in a PID namespace of its own; return what it prints."""
    command = [*APART, "--kill-child", sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.strip()


def test_a_process_has_ended_once_it_is_a_zombie_or_gone() -> None:
    living, zombie, gone = (subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in "abc")
    for one in (zombie, gone):
        one.kill()
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    gone.wait(10)

    assert neighbours.ended({1: living.pid, 2: zombie.pid, 3: gone.pid}) == [2, 3]
    for one in (living, zombie):
        one.kill()
    for one in (living, zombie, gone):
        one.communicate()


@pytest.mark.skipif(not may_stand_apart(), reason="no namespaces may be made here")
def test_a_living_process_that_proc_hides_from_other_accounts_has_not_ended() -> None:
    assert apart(HIDDEN) == "False [2]"


@pytest.mark.skipif(not may_stand_apart(), reason="no namespaces may be made here")
def test_nobody_is_a_neighbour_where_proc_shows_another_container() -> None:
    assert apart(MOVED) == "None []"
