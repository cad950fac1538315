"""The first steps of the documents, pasted into a shell; only addresses are replaced.

What installs from a package index is in tests/test_packaging.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.documents import block_with
from tests.up.shell import Shell
from tests.up.stage import READY, Launch, Up

README, START = "README.md", "docs/getting-started.md"


@pytest.fixture(scope="module")
def product(launch_for_all: Launch) -> Up:
    up = launch_for_all()
    up.sign_up()
    return up


@pytest.fixture
def shell(product: Up, tmp_path: Path) -> Shell:
    """The shell of somebody who started Hookyard with another data directory."""
    return Shell(tmp_path, {"HOOKYARD_DATA": str(product.data)})


@pytest.mark.parametrize("document", [README, START])
def test_starting_so_that_hooks_may_point_at_this_machine(document: str, tmp_path: Path) -> None:
    block = block_with(document, "HOOKYARD_ALLOW_NETS")

    here = Shell(tmp_path)
    with here.running(block) as process:
        url = here.line_of(process, READY)

        assert requests.get(f"{url}/healthz", timeout=10).ok


def test_publishing_from_the_shell(shell: Shell) -> None:
    assert shell.paste(block_with(START, "hookyard publish")).startswith("Published order.paid as ")


def test_publishing_with_curl(product: Up, shell: Shell) -> None:
    shell.settings["HOOKYARD_TOKEN"] = product.token

    answer = shell.paste(block_with(README, "curl").replace("http://127.0.0.1:8000", product.url))

    assert '"type":"order.paid"' in answer


def test_publishing_from_a_program(product: Up, shell: Shell) -> None:
    program = block_with(START, "import requests", "python").replace("http://127.0.0.1:8000", product.url)
    (shell.folder / "publish.py").write_text(f"token = {product.token!r}\n{program}\nprint(answer.json())\n")

    assert "order.paid" in shell.paste("python publish.py")


@pytest.mark.parametrize("document", [README, START])
def test_starting_the_local_receiver(document: str, shell: Shell) -> None:
    environment = shell.folder / ".venv" / "bin"
    environment.mkdir(parents=True)
    (environment / "activate").touch()  # the environment that the reader made is the one of the tests here

    with shell.running(block_with(document, "hookyard receiver")) as process:
        url = shell.line_of(process, "Receiving at ")

        assert requests.post(url, json={}, timeout=10).ok
