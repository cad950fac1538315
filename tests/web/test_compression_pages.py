"""Files are compressed for whoever takes that, pages when no other site asked for them."""

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
        assert len(answer.data) <= 8.5 * 1024


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


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_page_that_a_person_or_a_page_of_ours_asks_for_comes_compressed(signed_in, ada, site: str) -> None:
    browser = signed_in(ada)

    plain, packed = (browser.get("/o/acme/hooks/new", headers=more) for more in ({}, {**GZIP, "Sec-Fetch-Site": site}))

    assert packed.headers["Content-Encoding"] == "gzip"
    assert {"Accept-Encoding", "Sec-Fetch-Site"} <= set(packed.vary.as_set(preserve_casing=True))
    assert len(packed.data) == int(packed.headers["Content-Length"]) < len(plain.data) / 3
    assert gzip.decompress(packed.data).decode().endswith("</html>")


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_other_sites_cannot_learn_from_lengths(signed_in, ada, site: str | None) -> None:
    headers = GZIP | ({"Sec-Fetch-Site": site} if site else {})

    answer = signed_in(ada).get("/o/acme/hooks/new", headers=headers)

    assert "Content-Encoding" not in answer.headers
    assert answer.text.endswith("</html>")


def test_parts_of_pages_and_refusals_are_whole_when_compressed(signed_in, ada) -> None:
    browser, asked = signed_in(ada), {**GZIP, "Sec-Fetch-Site": "same-origin"}

    part = browser.get("/o/acme/hooks", headers={**asked, "HX-Request": "true"})
    refused = browser.get("/o/acme/nowhere", headers=asked)

    for answer in (part, refused):
        text = gzip.decompress(answer.data) if "Content-Encoding" in answer.headers else answer.data
        assert text.strip().endswith(b">")
    assert refused.status_code == 404


@pytest.mark.parametrize(
    "path", ["hooks/new", "hooks/{hook}/edit", "hooks/{hook}/explain", "events/types", "deliveries"]
)
def test_the_longest_pages_leave_room_in_the_budget_of_a_first_visit(signed_in, ada, scene, path) -> None:
    # 100 KiB, of which scripts, style and icons take 32.
    hook = scene.hook()
    for _ in range(60):
        scene.publish()

    answer = signed_in(ada).get(f"/o/acme/{path.format(hook=hook.id)}", headers={**GZIP, "Sec-Fetch-Site": "none"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.data) <= 24 * 1024


def test_pages_come_without_the_indentation_of_their_templates(signed_in, ada) -> None:
    assert "\n " not in signed_in(ada).get("/o/acme/hooks").text
