"""The first steps of the documents, pasted into a shell; only addresses are replaced.

What installs from a package index is in tests/test_packaging.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from bs4 import BeautifulSoup

from console.core.permissions import Permission
from console.models import Membership
from console.services.bins import bins
from console.services.organizations import closing, organizations
from console.services.people import accounts, tokens
from tests.documents import block_with
from tests.up.shell import Shell
from tests.up.stage import READY, Launch, Up

README, START = "README.md", "docs/getting-started.md"


@pytest.fixture(scope="module")
def product(launch_for_all: Launch) -> Up:
    up = launch_for_all()
    up.sign_up()
    with up.work() as work, work.transaction():
        accounts.get_user(work, login="ada").is_staff = True  # as the first admin is who used the set-up link
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


# --- what the console shows -----------------------------------------------------------------------------------------


@pytest.fixture
def browser(product: Up) -> Iterator[requests.Session]:
    """Ada, signed in; she is staff, as the first admin is."""
    with requests.Session() as session:
        form = BeautifulSoup(session.get(f"{product.url}/login", timeout=20).text, "html.parser")
        entered = {"login": "ada", "password": "correct horse battery", "csrf_token": token_in(form)}
        login = f"{product.url}/login"
        assert session.post(login, data=entered, headers={"Referer": login}, timeout=20).ok
        yield session


def token_in(page: BeautifulSoup) -> str:
    return str(page.select_one("[name=csrf_token]")["value"])  # type: ignore[index]


def commands_on(page: BeautifulSoup) -> list[str]:
    """Return the commands that a page shows and offers to copy."""
    texts = [str(button["data-copy"]) for button in page.select("main [data-copy]")]
    return [text for text in texts if text.startswith(("curl ", "hookyard ", "HOOKYARD_"))]


@pytest.fixture
def empty(product: Up) -> Iterator[tuple[str, str]]:
    """A second organization of Ada's, as its slug and a token; other tests rely on one alone, so it is closed again."""
    with product.work() as work:
        organization = organizations.create(work, slug="empty", name="Empty")
        ada = accounts.get_user(work, login="ada")
        with work.transaction():
            work.session.add(Membership(user=ada, organization=organization, role="admin", created_at=work.now()))
        issued = tokens.issue(
            work, user=ada, organization=organization, permissions=[Permission.ADMIN], name="snippets"
        )
        given = organization.slug, issued.text
    yield given
    with product.work() as work:
        closing.close(work, organization=organizations.get(work, slug="empty"), slug="empty")


def test_the_commands_of_an_empty_dashboard_publish(
    product: Up, shell: Shell, browser: requests.Session, empty: tuple[str, str]
) -> None:
    slug, token = empty
    page = BeautifulSoup(browser.get(f"{product.url}/o/{slug}/", timeout=20).text, "html.parser")
    del shell.settings["HOOKYARD_DATA"]
    shell.settings["HOOKYARD_TOKEN"] = token

    curl, command = commands_on(page)

    assert '"type":"order.paid"' in shell.paste(curl)
    assert shell.paste(command).startswith("Published order.paid as ")


def test_the_command_beside_a_new_token_publishes(product: Up, shell: Shell, browser: requests.Session) -> None:
    address = f"{product.url}/o/acme/settings/tokens"
    form = BeautifulSoup(browser.get(address, timeout=20).text, "html.parser").select_one("main form:has([name=name])")
    assert form
    entered = {
        field["name"]: field.get("value", "on")
        for field in form.select("input[name]:not([type=checkbox], [type=radio]), input:checked")
    }
    entered |= {select["name"]: select.select("option")[0]["value"] for select in form.select("select")}
    made = browser.post(
        f"{product.url}{form.get('action') or '/o/acme/settings/tokens'}",
        data=entered | {"name": "snippet", "permissions": "EVENTS:PUBLISH"},
        headers={"Referer": address},
        timeout=20,
    )

    [curl] = commands_on(BeautifulSoup(made.text, "html.parser"))

    assert '"type":"order.paid"' in shell.paste(curl)


def test_the_command_of_an_empty_bin_reaches_it(product: Up, shell: Shell, browser: requests.Session) -> None:
    with product.work() as work:
        made = bins.create(work, organization=organizations.get(work, slug="acme"), name="Tried by hand")
        bin_url = f"{product.url}/o/acme/bins/{made.id}"
    page = BeautifulSoup(browser.get(bin_url, timeout=20).text, "html.parser")

    [curl] = commands_on(page)

    shell.paste(curl)
    assert "hello" in browser.get(bin_url, timeout=20).text


def test_the_first_request_of_the_api_reference_works(product: Up, shell: Shell, browser: requests.Session) -> None:
    page = BeautifulSoup(browser.get(f"{product.url}/docs/api", timeout=20).text, "html.parser")

    [curl] = commands_on(page)

    assert '"type":"order.paid"' in shell.paste(curl.replace("hy_…", product.token))
