"""Several hosts on one machine: a network namespace for each, on one switch, whose cables can be pulled.

Only Linux has these; making them takes root's rights and iproute2's ``ip``. A thread may move to a host with ``enter``:
the sockets that it opens from then on, and the threads and processes that it starts, are that host's.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

PREFIX = "10.77.0"
RANGE = f"{PREFIX}.0/24"
NEEDS = "This needs Linux, root's rights and iproute2's `ip`, to make network namespaces."
_NEW_NETWORK = 0x40000000
_HERE = Path("/proc/thread-self/ns/net")
_NAMED = 'hostname "$0" && exec "$@"'


class Network:
    """Hosts by *names*, each with an address of its own on one switch; raises SystemExit where there can be none."""

    def __init__(self, names: Sequence[str]) -> None:
        if not shutil.which("ip") or not _HERE.exists() or os.geteuid() != 0:
            raise SystemExit(NEEDS)
        self._first = os.open(_HERE, os.O_RDONLY)
        self._made: list[str] = []
        self.addresses = {name: f"{PREFIX}.{number}" for number, name in enumerate(names, start=10)}

    def __enter__(self) -> Self:
        try:
            self._add("switch")
            _ip("-n", self._space("switch"), "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._space("switch"), "link", "set", "bridge", "up")
            for name, address in self.addresses.items():
                self._add(name)
                self._wire(name, address)
        except subprocess.CalledProcessError as error:
            self._remove()
            raise SystemExit(f"{NEEDS} `ip` said: {error.stderr.strip()}") from error
        return self

    def __exit__(self, *_: object) -> None:
        _join(self._first)
        self._remove()

    def enter(self, name: str) -> None:
        """Move the calling thread to a host."""
        place = os.open(Path("/run/netns") / self._space(name), os.O_RDONLY)
        try:
            _join(place)
        finally:
            os.close(place)

    def command(self, name: str, words: Sequence[str]) -> tuple[str, ...]:
        """Give the command line that runs *words* on a host, under the host's name."""
        inside = ("unshare", "--uts", "sh", "-c", _NAMED, name, *words)
        return ("ip", "netns", "exec", self._space(name), *inside)

    def cut(self, name: str) -> None:
        """Pull a host's cable out of the switch: nothing is refused, nothing arrives."""
        _ip("-n", self._space("switch"), "link", "set", name, "down")

    def mend(self, name: str) -> None:
        """Put the cable back."""
        _ip("-n", self._space("switch"), "link", "set", name, "up")

    def _space(self, name: str) -> str:
        return f"hookyard-{os.getpid()}-{name}"

    def _add(self, name: str) -> None:
        _ip("netns", "add", self._space(name))
        self._made.append(name)
        _ip("-n", self._space(name), "link", "set", "lo", "up")

    def _wire(self, name: str, address: str) -> None:
        space, switch = self._space(name), self._space("switch")
        _ip("-n", switch, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("-n", switch, "link", "set", name, "master", "bridge", "up")
        _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")

    def _remove(self) -> None:
        while self._made:
            subprocess.run(("ip", "netns", "delete", self._space(self._made.pop())), check=False, timeout=30)
        os.close(self._first)


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True, text=True, timeout=30)


def _join(place: int) -> None:
    """Move this thread to the namespace behind a descriptor; Python has no function for it before 3.12."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(place, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")
