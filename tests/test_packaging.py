"""What people install: the wheel, made from the source distribution, in an empty environment, far from the checkout.

It needs a package index: ``pytest -m packaging`` asks for it, as ``.ci/run`` does; ``pytest`` alone leaves it out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from tests.documents import ROOT, block_with
from tests.up.shell import Shell

pytestmark = [pytest.mark.packaging, pytest.mark.slow, pytest.mark.timeout(600)]

READY = "Hookyard is ready at "
PASSWORD = "correct horse battery"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def run(*command: object, **options: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return str(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    """The wheel, made of the source distribution, as installers make it.

    The backend is in a folder of its own: an environment for it would take longer than its work.
    """
    tools = folder / "tools"
    run(*PIP, "install", "--quiet", "--no-compile", "--target", tools, *requirements_of_the_build())
    hatchling = {"env": {**os.environ, "PYTHONPATH": str(tools)}}
    build = [sys.executable, "-P", "-m", "hatchling", "build", "--directory", folder / "dist"]
    run(*build, "--target", "sdist", cwd=ROOT, **hatchling)
    (source,) = (folder / "dist").glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder / "source", filter="data")
    (unpacked,) = (folder / "source").iterdir()
    run(*build, "--target", "wheel", cwd=unpacked, **hatchling)
    (built,) = (folder / "dist").glob("*.whl")
    return built


def requirements_of_the_build() -> list[str]:
    return list(tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"])


@pytest.fixture(scope="module")
def bin_folder(folder: Path, wheel: Path) -> Path:
    """The programs of an environment that holds the wheel and what it needs, nothing else."""
    run(sys.executable, "-m", "venv", "--without-pip", folder / "empty")
    python = folder / "empty" / "bin" / "python"
    run(*PIP, "--python", python, "install", "--quiet", "--no-compile", wheel)
    # What is imported is compiled now, once, and not by all processes of the product at the same time.
    run(python, "-P", "-c", "import console.app, console.cli.up, workers.runtime, workers.receiver", env=clean(folder))
    return folder / "empty" / "bin"


def clean(home: Path) -> dict[str, str]:
    """Give an environment with no setting, no home and no path that leads to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOOKYARD_", "PYTHON"))}
    return {**kept, "HOME": str(home), "HOOKYARD_ALLOW_NETS": "127.0.0.0/8"}


@dataclass(frozen=True)
class Place:
    """Where commands of the installed product are run: a project of the user's own, with modules named like ours."""

    folder: Path
    bin_folder: Path

    def run(self, *words: str, **options: object) -> str:
        """Run ``hookyard WORDS…``; give what it printed."""
        return run(self.bin_folder / "hookyard", *words, env=clean(self.folder), cwd=self.folder, **options)

    @contextmanager
    def running(self, *words: str, **options: Any) -> Iterator[IO[str]]:
        """Run ``hookyard WORDS…`` meanwhile; give its standard output."""
        command = [self.bin_folder / "hookyard", *words]
        options |= {"env": clean(self.folder), "cwd": self.folder}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
            assert process.stdout
            try:
                yield process.stdout
            finally:
                process.terminate()
        assert process.returncode == 0


@pytest.fixture(scope="module")
def place(bin_folder: Path, folder: Path) -> Place:
    here = folder / "project"
    here.mkdir()
    for name in ("wsgi.py", "console.py", "workers.py"):
        (here / name).write_text("raise SystemExit('the working directory was imported')")
    return Place(here, bin_folder)


@dataclass(frozen=True)
class Product:
    """A ``hookyard up`` that runs; its data lies where it does by default, and ada is its admin."""

    url: str
    setup_url: str
    token: str


@pytest.fixture(scope="module")
def product(place: Place) -> Iterator[Product]:
    errors = place.folder / "errors.txt"
    with errors.open("w") as stderr, place.running("up", "--port", "0", stderr=stderr) as output:
        lines = [output.readline().strip(), output.readline().strip()]
        assert lines[0].startswith(READY), errors.read_text()[-4000:]
        setup_url = lines[1].split(" at ", 1)[1]
        assert requests.get(setup_url, timeout=10).ok
        who = ("--username", "ada", "--email", "ada@example.com", "--organization", "acme", "--role", "admin")
        place.run("users", "create", *who, "--password-stdin", input=f"{PASSWORD}\n")
        whose = ("--user", "ada", "--organization", "acme", "--permission", "ADMIN")
        yield Product(lines[0].removeprefix(READY), setup_url, place.run("tokens", "create", *whose, "--quiet").strip())


def test_the_source_distribution_holds_what_the_wheel_is_made_of(wheel: Path) -> None:
    (source,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        held = {name.split("/", 1)[-1] for name in archive.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "wsgi.py", "console/__init__.py", "templates/base.html"} <= held


def test_the_wheel_holds_code_templates_static_files_and_migrations(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())

    assert {"wsgi.py", "workers/__main__.py", "console/templates/base.html"} <= held
    assert any(name.startswith("console/static/vendor/htmx.org@2.0.11/") for name in held)
    assert any(name.startswith("console/migrations/versions/") for name in held)
    assert not [name for name in held if name.startswith(("tests/", "templates/", "static/", "benchmarks/"))]


def test_the_environment_needs_nothing_else(bin_folder: Path) -> None:
    run(*PIP, "--python", bin_folder / "python", "check")


def test_the_schema_is_made_from_an_unrelated_directory(bin_folder: Path, tmp_path: Path) -> None:
    said = Place(tmp_path, bin_folder).run("db", "upgrade")

    assert said.startswith("The database went from nothing to ")
    assert (tmp_path / ".local/share/hookyard/hookyard.sqlite3").exists()


def test_stray_modules_in_the_working_directory_are_not_imported(product: Product) -> None:
    assert requests.get(f"{product.url}/healthz", timeout=10).json() == {"status": "ok"}


def test_pages_fragments_and_files_are_served(product: Product) -> None:
    with requests.Session() as browser:
        form = browser.get(f"{product.url}/login", timeout=10).text
        token = form.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
        entered = {"csrf_token": token, "login": "ada", "password": PASSWORD}
        login = f"{product.url}/login"
        assert browser.post(login, data=entered, timeout=10, headers={"Referer": login}).ok
        whole = browser.get(f"{product.url}/o/acme/deliveries", timeout=10)
        fragment = browser.get(f"{product.url}/o/acme/deliveries", headers={"HX-Request": "true"}, timeout=10)
    assert [whole.status_code, fragment.status_code] == [200, 200]
    assert "<html" in whole.text
    assert "<h1" in whole.text
    assert "<html" not in fragment.text
    assert "htmx.min.js" in whole.text
    script = requests.get(f"{product.url}/static/vendor/htmx.org@2.0.11/htmx.min.js", timeout=10)
    assert script.status_code == 200


def test_an_event_is_delivered_to_the_local_receiver(product: Product, place: Place) -> None:
    with place.running("receiver", "--port", "0") as output:
        target = output.readline().removeprefix("Receiving at ").strip()
        made = requests.post(
            f"{product.url}/api/v1/hooks",
            json={"name": "test", "url": f"{target}/hook", "all_events": True},
            headers={"Authorization": f"Bearer {product.token}"},
            timeout=10,
        )
        assert made.status_code == 201, made.text

        place.run("publish", "order.paid", "--data", json.dumps({"order": 17}))

        assert output.readline().startswith("#1 POST /hook ")


# --- the documents, pasted where packages are refused outside of an environment --------------------------------------


@pytest.fixture
def reader(tmp_path: Path) -> Shell:
    """A copy of the checkout, and a pip that refuses outside of an environment, as Debian's and Homebrew's do."""
    kept = shutil.ignore_patterns(".*_cache", ".git", ".venv", "venv", "__pycache__", "*.egg-info", "hookyard-data")
    shutil.copytree(ROOT, tmp_path, ignore=kept, dirs_exist_ok=True)
    stock = tmp_path / "stock"  # Python as it comes with the system, without this environment's programs
    stock.mkdir()
    (stock / "python3").symlink_to(Path(sys.base_exec_prefix) / "bin" / "python3")
    return Shell(tmp_path, {"PIP_REQUIRE_VIRTUALENV": "1", "PYTHONDONTWRITEBYTECODE": ""}, programs=stock)


def test_the_stock_python_refuses_packages(reader: Shell) -> None:
    said = reader.paste("python3 -m pip install --no-index nothing 2>&1 || true")

    assert "Could not find an activated virtualenv (required)" in said


@pytest.mark.parametrize("document", ["README.md", "docs/getting-started.md"])
def test_installing_and_starting_work_as_pasted(reader: Shell, document: str) -> None:
    with reader.running(block_with(document, "pip install . && hookyard up")) as process:
        url = reader.line_of(process, READY)

        assert requests.get(f"{url}/healthz", timeout=10).json() == {"status": "ok"}


def test_the_suite_runs_as_pasted(reader: Shell) -> None:
    block = block_with("README.md", "pip install '.[test]' && pytest")

    said = reader.paste(f"{block.rstrip()} -n 0 tests/core/test_guessing.py\n")

    assert " passed" in said
