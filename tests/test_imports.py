"""Only the sender's rooms may reach the network by themselves; everything else goes through the sender."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.core import targets
from workers import sender

ROOMS = [Path(targets.__file__).parents[1], Path(sender.__file__).parent]

NETWORK = ("requests", "urllib3", "urllib.request", "http.client", "socket", "ssl")

ALLOWED: dict[str, set[str]] = {
    "console/cli/connections.py": {"socket"},  # those that the web server accepts
    "console/cli/web_worker.py": {"socket"},
    "console/cli/listener.py": {"socket"},  # the web server's own socket, and whether it is answered
    "console/web/hooks/resolving.py": {"socket"},  # asks the DNS whether a name is known, and connects to nothing
    "console/core/targets.py": {"urllib3.exceptions", "urllib3.util"},  # it parses, and connects to nothing
    "workers/adapter.py": {"requests", "ssl"},
    "workers/certificates.py": {"ssl"},  # of the fault server
    "workers/failures.py": {"requests", "socket", "ssl"},
    "workers/fault_server.py": {"socket", "ssl"},
    "workers/guard.py": {"socket", "ssl", "urllib3"},
    "workers/resolver.py": {"socket"},
    "workers/wire.py": {"socket", "ssl"},
}


def _imported(tree: ast.AST) -> Iterator[str]:
    """Give every dotted name that is imported, also by text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in {"import_module", "__import__"}:
                yield str(node.args[0].value)


def _is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def _forbidden(source: str, *, allowed: set[str]) -> list[str]:
    names = [name for name in _imported(ast.parse(source)) if any(_is_within(name, package) for package in NETWORK)]
    return [name for name in names if not any(_is_within(name, package) for package in allowed)]


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """The source of each module, by its path from the project's root."""
    return {
        path.relative_to(room.parent).as_posix(): path.read_text("utf-8")
        for room in ROOMS
        for path in room.rglob("*.py")
    }


def test_only_the_sender_reaches_the_network(sources: dict[str, str]) -> None:
    assert ALLOWED.keys() <= sources.keys()
    found = {path: _forbidden(source, allowed=ALLOWED.get(path, set())) for path, source in sources.items()}

    assert {path: names for path, names in found.items() if names} == {}


def test_the_queues_own_webhook_is_not_used(sources: dict[str, str]) -> None:
    """RQ can call a URL when a job ends: with urlopen, which follows redirects to anywhere."""
    found = [(path, name) for path, source in sources.items() for name in _imported(ast.parse(source))]

    assert [one for one in found if one[1] == "rq.Webhook" or _is_within(one[1], "rq.webhook")] == []


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "import http.client as c",
        "from http import client",
        "from urllib import request",
        "from urllib.request import urlopen",
        "def f():\n    from requests.adapters import HTTPAdapter",
        "importlib.import_module('urllib3')",
        "__import__('ssl')",
    ],
)
def test_the_rule_sees_an_import_in_any_form(source: str) -> None:
    assert _forbidden(source, allowed=set())


@pytest.mark.parametrize(
    "source", ["from http import HTTPStatus", "import urllib.parse", "from urllib.parse import urlsplit"]
)
def test_the_rule_lets_harmless_neighbours_pass(source: str) -> None:
    assert not _forbidden(source, allowed=set())
