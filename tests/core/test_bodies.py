from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib

import pytest

from console.core.bodies import display_body

TEXT = "Grüße"


def test_a_plain_body_is_shown_as_utf_8() -> None:
    shown = display_body([("Content-Type", "text/plain")], TEXT.encode())

    assert (shown.text, shown.is_text, shown.note) == (TEXT, True, None)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252", '"UTF-16"'])
def test_the_charset_of_the_content_type_is_honoured(charset: str) -> None:
    body = TEXT.encode(charset.strip('"'))

    assert display_body([("content-type", f"text/plain; charset={charset}")], body).text == TEXT


@pytest.mark.parametrize("parameter", [";a=b", "; charset*1=a", ';a="'])
def test_a_content_type_that_is_very_long_takes_no_time(parameter: str) -> None:
    content_type = "text/plain; charset=iso-8859-1" + parameter * (256 * 1024 // len(parameter))
    begun = time.process_time()

    for _ in range(20):
        display_body([("Content-Type", content_type)], b"x")

    assert time.process_time() - begun < 1


@pytest.mark.parametrize("charset", ["rot13", "zip", "punycode", "idna", "unicode_escape", "no-such", '"', "\x00", "é"])
def test_a_charset_that_is_none_is_taken_for_utf_8(charset: str) -> None:
    assert display_body([("Content-Type", f"text/html; charset={charset}")], TEXT.encode()).text == TEXT


def test_bytes_that_are_no_text_are_replaced_and_said_so() -> None:
    shown = display_body([], b"a long enough text, a\xffb")

    assert (shown.text, shown.is_text) == ("a long enough text, a\ufffdb", True)
    assert shown.note == "Some bytes are not valid UTF-8 and are shown as \ufffd."


def test_a_replacement_character_that_the_receiver_sent_is_not_taken_for_replaced_bytes() -> None:
    assert display_body([], "a long enough text \ufffd".encode()).note is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_believed_before_the_headers_and_not_shown(encoding: str) -> None:
    shown = display_body([("Content-Type", "text/plain; charset=iso-8859-1")], TEXT.encode(encoding))

    assert (shown.text, shown.note) == (TEXT, None)


def test_the_last_character_of_a_cut_body_may_be_incomplete() -> None:
    cut = TEXT.encode()[:-2]  # within "ß"

    assert display_body([], cut, is_cut=True).note is None
    assert display_body([], cut, is_cut=False).note is not None
    assert display_body([], "ü".encode() * 40_000 + b"!").note is None


def test_mostly_control_characters_are_no_text() -> None:
    assert not display_body([], bytes(range(256))).is_text


def test_a_nul_tells_that_it_is_no_text() -> None:
    assert not display_body([], b"\x00\x01").is_text


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT.encode(), mtime=0)),
        ("X-GZIP", gzip.compress(TEXT.encode(), mtime=0)),
        ("deflate", zlib.compress(TEXT.encode())),
        ("deflate", zlib.compress(TEXT.encode(), wbits=-15)),
        ("identity", TEXT.encode()),
    ],
)
def test_a_packed_body_is_unpacked(coding: str, body: bytes) -> None:
    shown = display_body([("Content-Encoding", coding)], body)

    assert (shown.text, shown.note) == (TEXT, None)


def test_what_came_of_a_cut_packed_body_is_shown() -> None:
    packed = gzip.compress(bytes(range(256)) * 100)

    assert display_body([("Content-Encoding", "gzip")], packed[: len(packed) // 2]).text


def test_a_bomb_is_unpacked_to_64_kib() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    tracemalloc.start()

    shown = display_body([("Content-Encoding", "gzip")], bomb)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(shown.text) == 64 * 1024
    assert shown.note == "Only the first 64 KiB of the unpacked body are shown."
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize(("coding", "claim"), [("gzip", "claims to be gzip"), ("br", "encoded as 'br'")])
def test_a_body_that_cannot_be_unpacked_is_shown_as_it_came(coding: str, claim: str) -> None:
    shown = display_body([("Content-Encoding", coding)], b"plain")

    assert shown.text == "plain"
    assert claim in (shown.note or "")


def test_an_empty_body_is_empty_whatever_its_headers_claim() -> None:
    assert display_body([("Content-Encoding", "br"), ("Content-Type", "")], b"").text == ""
