"""The session on each dialect's page works when it is pasted, on the running product."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dialects.live_stage import Product, running
from tests.receiver import Receiver

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]
PAGES = Path(__file__).resolve().parents[2] / "docs" / "dialects"
Paste = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, wait_until_session: Callable[..., None]) -> Iterator[Product]:
    with running(tmp_path_factory.mktemp("sessions"), wait_until_session) as product:
        yield product


@pytest.fixture
def paste(product: Product, receiver: Receiver) -> Paste:
    """Paste the session of a page, with values of ours for its variables; give the lines that it prints."""
    values = {"HOOKYARD": product.url, "TOKEN": product.token, "CALLBACK": receiver.url, "ORGANIZER": "acme"}

    def run(page: str) -> list[str]:
        section = (PAGES / f"{page}.md").read_text().partition("\n## A session\n")[2].partition("\n## ")[0]
        variables, session = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        own = re.sub(r"^(\w+)=.*$", lambda found: f"{found[1]}={values[found[1]]}", variables, flags=re.MULTILINE)
        done = subprocess.run(["bash", "-euc", own + session], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return [line for line in done.stdout.splitlines() if line.strip()]

    return run


def test_waldur(paste: Paste) -> None:
    read, patched, listed, *head = paste("waldur")

    assert json.loads(read)["event_groups"] == ["ssh"]
    assert json.loads(patched)["event_types"] == ["customer_update_succeeded"]
    assert listed == f"[{patched}]"
    assert "X-Result-Count: 1" in head


def test_web_v1(paste: Paste, receiver: Receiver) -> None:
    listed, read, updated, *codes = paste("web_v1")

    assert isinstance(json.loads(listed), list)
    assert json.loads(read)["events"] == ["package.created", "shipment.*"]
    assert json.loads(updated)["description"] == "Everything about packages"
    assert codes == ["200", "200"]
    assert [json.loads(receipt.body)["type"] for receipt in receiver.receipts] == ["webhook.test"]


def test_pretix(paste: Paste, receiver: Receiver, wait_until: Callable[..., None]) -> None:
    source, *rest = map(json.loads, paste("pretix"))
    new, read, patched, listed, enabled, published = rest

    assert source["slug"] == "democon"
    assert new == read
    assert patched == enabled == new | {"comment": "Orders of the conference"}
    assert listed["results"] == [patched]
    assert published["deliveries"] == 1
    wait_until(lambda: receiver.receipts)
    assert json.loads(receiver.receipts[0].body)["code"] == "ABC23"


def test_oms(paste: Paste, receiver: Receiver, wait_until: Callable[..., None]) -> None:
    registry, published, listed, resent, patched, deleted = paste("oms")

    assert json.loads(registry)[0] == "package.created"
    assert (published, resent, deleted) == ("202", "200", "204")
    assert json.loads(listed)["count"] == 1
    assert json.loads(patched)["is_active"] is False
    wait_until(lambda: len(receiver.receipts) == 2)
    assert len({receipt.body for receipt in receiver.receipts}) == 1
