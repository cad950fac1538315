"""Static files: compressed for whoever takes that."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest

from console.paths import STATIC

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.mark.parametrize("name", ["icons.svg", "console.js", "vendor/htmx.org@2.0.11/htmx.min.js"])
def test_styles_and_scripts_come_compressed_and_whole(client: Any, name: str) -> None:
    with client.get(f"/static/{name}", headers=GZIP) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in answer.vary
        assert gzip.decompress(answer.data) == (STATIC / name).read_bytes()
        assert len(answer.data) < (STATIC / name).stat().st_size / 2


def test_the_style_comes_without_what_a_browser_skips(client: Any) -> None:
    with client.get("/static/console.css", headers=GZIP) as answer:
        sent = gzip.decompress(answer.data).decode()

    written = re.sub(r"/\*.*?\*/", "", (STATIC / "console.css").read_text(), flags=re.DOTALL)
    assert "/*" not in sent
    assert "  " not in sent
    assert words_of(sent) == words_of(written)


def test_the_style_keeps_to_its_budget(client: Any) -> None:
    with client.get("/static/console.css", headers=GZIP) as answer:
        assert len(answer.data) <= 8 * 1024


def words_of(style: str) -> list[str]:
    """Everything between the signs that end a rule, a declaration or a value, spaces within it kept."""
    return [
        word for word in (" ".join(part.split()) for part in re.split(r"([{},:;])", style)) if word not in {"", ";"}
    ]


def test_who_cannot_unpack_gets_the_file_as_it_is(client: Any) -> None:
    with client.get("/static/console.css", headers={"Accept-Encoding": "gzip;q=0"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert answer.data == (STATIC / "console.css").read_bytes()


def test_a_copy_that_is_still_good_is_not_sent_again(client: Any) -> None:
    with client.get("/static/console.css", headers=GZIP) as first, client.get("/static/console.css") as plain:
        assert first.headers["ETag"] != plain.headers["ETag"]
    for known in (first, plain):
        headers = {"If-None-Match": known.headers["ETag"]} | (GZIP if known is first else {})
        with client.get("/static/console.css", headers=headers) as again:
            assert (again.status_code, again.data) == (304, b"")


def test_a_file_that_is_not_there_is_not_found(client: Any) -> None:
    assert client.get("/static/../settings.py", headers=GZIP).status_code == 404
    assert client.get("/static/none.css", headers=GZIP).status_code == 404
