"""Where `hookyard up` puts things: the lock, the socket of Valkey, the port, the data directory."""

from __future__ import annotations

import os
import select
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from console.cli import lock, valkey
from console.cli.listener import PortError, Question, is_awake, listen, reachable, url_of
from console.cli.plan import Part
from console.cli.supervisor import Running


def test_the_socket_of_valkey_lies_in_the_data_directory(tmp_path: Path) -> None:
    assert valkey.socket_of(Path("/var/lib/hookyard")) == Path("/var/lib/hookyard/valkey/valkey.sock")


def test_a_path_too_long_for_a_socket_moves_it_to_the_temporary_directory() -> None:
    data = Path("/" + "long/" * 30)

    moved = valkey.socket_of(data)

    assert len(os.fsencode(moved)) <= valkey.LONGEST_SOCKET_PATH
    assert moved == valkey.socket_of(data)
    assert moved != valkey.socket_of(data / "other")


def test_only_this_account_can_enter_the_folders_of_valkey(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir(mode=0o755)

    valkey.make_folders(tmp_path)

    assert stat.S_IMODE((tmp_path / "valkey").stat().st_mode) == 0o700


def test_a_folder_that_is_a_link_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "valkey").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(valkey.ValkeyError, match="belongs to another account"):
        valkey.make_folders(tmp_path)


@pytest.mark.parametrize("name", ["plain", "with space", "ümlaut"])
def test_valkey_serves_on_its_socket_alone_keeps_a_log_and_evicts_nothing(tmp_path: Path, name: str) -> None:
    data = tmp_path / name
    valkey.make_folders(data)
    running = Running(Part("Valkey", valkey.command(data)))

    running.start(now=time.monotonic())
    try:
        deadline = time.monotonic() + 10
        while not is_awake(str(valkey.socket_of(data))):
            assert time.monotonic() < deadline
            assert running.is_alive
        with redis.Redis.from_url(valkey.url_of(data)) as client:
            told = client.config_get("port", "appendonly", "maxmemory-policy", "save")
    finally:
        assert running.process
        running.process.terminate()
        running.process.wait(5)

    assert told == {"port": "0", "appendonly": "yes", "maxmemory-policy": "noeviction", "save": ""}


def test_nobody_is_awake_behind_a_missing_socket(tmp_path: Path) -> None:
    assert not is_awake(str(tmp_path / "valkey.sock"))


def test_a_data_directory_is_taken_once(tmp_path: Path) -> None:
    held = lock.take(tmp_path)

    with pytest.raises(lock.DirectoryTakenError, match="Another `hookyard up` uses"):
        lock.take(tmp_path)
    for descriptor in held:
        os.close(descriptor)
    for descriptor in lock.take(tmp_path):
        os.close(descriptor)


def test_taking_waits_for_the_parts_of_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    own, parts = lock.take(tmp_path)
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=(parts,))
    os.close(own)
    os.close(parts)

    for descriptor in lock.take(tmp_path):
        os.close(descriptor)

    assert orphan.poll() is not None


def test_taking_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "ORPHANS_END_WITHIN_S", 0.1)
    own, parts = lock.take(tmp_path)
    os.close(own)

    with pytest.raises(lock.DirectoryTakenError, match="Processes of an earlier"):
        lock.take(tmp_path)

    os.close(parts)


def test_a_port_in_use_is_told_with_the_way_out() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(PortError, match=r"is in use: .* --port"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_a_name_that_is_no_address_is_told() -> None:
    with pytest.raises(PortError, match="is no address to listen on"):
        listen("999.999.0.1", 0)


def test_an_address_of_another_host_is_told() -> None:
    with pytest.raises(PortError, match="cannot be listened on"):
        listen("192.0.2.1", 0)


def test_the_printed_url_of_a_server_on_all_addresses_is_one_that_works() -> None:
    with listen("0.0.0.0", 0) as listener:  # noqa: S104  what is tested
        assert url_of(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_url_has_brackets() -> None:
    try:
        listener = listen("::1", 0)
    except PortError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        assert url_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "is_ok"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 Busy\r\n\r\n", False), (b"SSH-2.0\r\n", False), (b"", False)],
)
def test_only_a_200_counts_as_an_answer(answer: bytes, is_ok: bool) -> None:  # noqa: FBT001  a table's column
    with listen("127.0.0.1", 0) as listener:
        question = Question(reachable(listener), path="/healthz", host="hooks.example.com")
        connection, _ = listener.accept()
        with connection:
            asked = connection.recv(4096)
            connection.sendall(answer)

        assert select.select([question], [], [], 5)[0]
        assert asked.startswith(b"GET /healthz HTTP/1.1\r\nHost: hooks.example.com\r\n")
        assert question.is_ok() == is_ok
