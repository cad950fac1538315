"""What people install: the wheel, made from the source distribution, in an empty environment, far from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parent.parent
READY = "Hookyard is ready at "
PASSWORD = "correct horse battery"
Wait = Callable[..., None]


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
    """The wheel; ``python -m build`` makes the source distribution first and the wheel from that."""
    run(sys.executable, "-m", "venv", folder / "builder")
    python = folder / "builder" / "bin" / "python"
    tried = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "build"], capture_output=True, text=True, check=False
    )
    if tried.returncode and not os.environ.get("CI"):
        pytest.skip("no package index can be reached, so nothing can be installed into an empty environment")
    assert tried.returncode == 0, tried.stderr
    run(python, "-m", "build", "--outdir", folder / "dist", ROOT)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(folder: Path, wheel: Path) -> Path:
    """The programs of an environment that holds the wheel and what it needs, nothing else."""
    run(sys.executable, "-m", "venv", folder / "empty")
    run(folder / "empty" / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    return folder / "empty" / "bin"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No setting, no home, no path that leads to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOOKYARD_", "PYTHON"))}
    return {**kept, "HOME": str(tmp_path), "HOOKYARD_ALLOW_NETS": "127.0.0.0/8"}


@pytest.fixture
def product(bin_folder: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[list[str]]:
    """The lines that ``hookyard up`` printed, while it runs; its data lies where it does by default."""
    errors = tmp_path / "errors.txt"
    command = [bin_folder / "hookyard", "up", "--port", "0"]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout
        try:
            lines = [process.stdout.readline().strip(), process.stdout.readline().strip()]
            assert lines[0].startswith(READY), errors.read_text()[-4000:]
            yield lines
        finally:
            process.terminate()
    assert process.returncode == 0


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
    run(bin_folder / "python", "-m", "pip", "check")


def test_the_schema_is_made_from_an_unrelated_directory(
    bin_folder: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    said = run(bin_folder / "hookyard", "db", "upgrade", env=environment, cwd=tmp_path)

    assert said.startswith("The database went from nothing to ")
    assert (tmp_path / ".local/share/hookyard/hookyard.sqlite3").exists()


def test_a_stray_wsgi_module_in_the_working_directory_is_not_served(product: list[str], tmp_path: Path) -> None:
    assert requests.get(f"{product[0].removeprefix(READY)}/healthz", timeout=10).json() == {"status": "ok"}


@pytest.fixture(autouse=True)
def stray_modules(tmp_path: Path) -> None:
    """A project of the user's own, with names like ours, where the commands are run."""
    for name in ("wsgi.py", "console.py", "workers.py"):
        (tmp_path / name).write_text("raise SystemExit('the working directory was imported')")


def test_pages_fragments_and_files_are_served(
    product: list[str], bin_folder: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    url = product[0].removeprefix(READY)
    page = requests.get(product[1].split(" at ", 1)[1], timeout=10)
    assert page.status_code == 200
    assert "<h1" in page.text
    assert "htmx.min.js" in page.text
    assert requests.get(f"{url}/static/vendor/htmx.org@2.0.11/htmx.min.js", timeout=10).status_code == 200

    make_ada(bin_folder / "hookyard", environment, tmp_path)
    with requests.Session() as browser:
        form = browser.get(f"{url}/login", timeout=10).text
        token = form.split('name="csrf_token"', 1)[1].split('value="', 1)[1].split('"', 1)[0]
        entered = {"csrf_token": token, "login": "ada", "password": PASSWORD}
        assert browser.post(f"{url}/login", data=entered, timeout=10, headers={"Referer": f"{url}/login"}).ok
        whole = browser.get(f"{url}/o/acme/deliveries", timeout=10)
        fragment = browser.get(f"{url}/o/acme/deliveries", headers={"HX-Request": "true"}, timeout=10)
    assert [whole.status_code, fragment.status_code] == [200, 200]
    assert "<html" in whole.text
    assert "<html" not in fragment.text


def make_ada(hookyard: Path, environment: dict[str, str], folder: Path) -> None:
    who = ("--username", "ada", "--email", "ada@example.com", "--organization", "acme", "--role", "admin")
    run(hookyard, "users", "create", *who, "--password-stdin", input=f"{PASSWORD}\n", env=environment, cwd=folder)


def test_an_event_is_delivered_to_the_local_receiver(
    product: list[str], bin_folder: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    url = product[0].removeprefix(READY)
    hookyard = bin_folder / "hookyard"
    settings = {"env": environment, "cwd": tmp_path}
    make_ada(hookyard, environment, tmp_path)
    token = run(
        hookyard,
        "tokens",
        "create",
        "--user",
        "ada",
        "--organization",
        "acme",
        "--permission",
        "ADMIN",
        "--quiet",
        **settings,
    ).strip()
    receiver = subprocess.Popen(
        [hookyard, "receiver", "--port", "0"], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    )
    assert receiver.stdout
    try:
        target = receiver.stdout.readline().removeprefix("Receiving at ").strip()
        made = requests.post(
            f"{url}/api/v1/hooks",
            json={"name": "test", "url": f"{target}/hook", "all_events": True},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        assert made.status_code == 201, made.text

        run(hookyard, "publish", "order.paid", "--data", json.dumps({"order": 17}), **settings)

        assert receiver.stdout.readline().startswith("#1 POST /hook ")
    finally:
        receiver.terminate()
        receiver.wait(10)
        receiver.stdout.close()
