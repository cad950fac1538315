"""What is hidden in logs and on pages, and what is made visible."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.redact import MASK, mask_headers, redact_text, redact_url, visible

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "hy_ab12CD34_Zx9wVu8tSr7qPo6nMl5kJi4hGf3eDc2bA1Zx9wVu8tS_1a2b3c"


def test_every_header_keeps_its_name_and_only_listed_ones_their_value() -> None:
    headers = {
        "Content-Type": "application/json",
        "Authorization": "Bearer x",
        "X-Shop": "7",
        "webhook-signature": "v1,x",
    }

    assert mask_headers(headers) == (
        ("Content-Type", "application/json"),
        ("Authorization", MASK),
        ("X-Shop", MASK),
        ("webhook-signature", MASK),
    )


def test_repeated_headers_of_a_response_stay_in_order() -> None:
    pairs = [("Set-Cookie", "a=1"), ("SERVER", "nginx"), ("set-cookie", "b=2")]

    assert mask_headers(pairs) == (("Set-Cookie", MASK), ("SERVER", "nginx"), ("set-cookie", MASK))


def test_people_who_may_edit_hooks_see_unknown_values_and_no_secret_ones() -> None:
    pairs = [("Set-Cookie", "a=1"), ("X-Trace", "t1"), ("X-Session", "s"), ("Server", "nginx")]

    assert mask_headers(pairs, shows_unknown=True) == (
        ("Set-Cookie", MASK),
        ("X-Trace", "t1"),
        ("X-Session", MASK),
        ("Server", "nginx"),
    )


def test_a_shown_value_is_redacted_all_the_same() -> None:
    assert mask_headers([("Location", "https://u:p@example.com/x?token=5#f")]) == (
        ("Location", f"https://example.com/x?token={MASK}"),
    )
    assert mask_headers([("User-Agent", f"curl {SECRET}")]) == (("User-Agent", f"curl whsec_{MASK}"),)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/hook", "https://example.com/hook"),
        ("https://example.com/hook?token=5&b=&c", f"https://example.com/hook?token={MASK}&b={MASK}&{MASK}"),
        ("https://example.com/hook?", "https://example.com/hook?"),
        ("https://example.com/?a=1&&b=2", f"https://example.com/?a={MASK}&&b={MASK}"),
        ("https://user:pass@example.com/", "https://example.com/"),
        ("https://a@b@example.com:8443/?x=y=z", f"https://example.com:8443/?x={MASK}"),
        ("//user@example.com/", "//example.com/"),
        ("/next@home?x=1", f"/next@home?x={MASK}"),
        ("https://example.com/#access_token=5", "https://example.com/"),
        (f"https://example.com/{SECRET}?x", f"https://example.com/whsec_{MASK}?{MASK}"),
        (f"https://example.com/?{TOKEN}&x=1", f"https://example.com/?{MASK}&x={MASK}"),
        (f"https://example.com/?{TOKEN}.=1", f"https://example.com/?hy_{MASK}.={MASK}"),
        ("", ""),
        ("no url at all", "no url at all"),
    ],
)
def test_a_url_is_shown_without_credentials_query_values_and_fragment(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"secret {SECRET}, old whsec_b2xk=", f"secret whsec_{MASK}, old whsec_{MASK}"),
        (f"token={TOKEN}.", f"token=hy_{MASK}."),
        (f"glued{TOKEN} glued{SECRET}", f"gluedhy_{MASK} gluedwhsec_{MASK}"),
        ("why_not_this whence", "why_not_this whence"),
        ("Authorization: Bearer abc", f"Authorization: {MASK}"),
        ("authorization=Basic dTpw\nnext line", f"authorization={MASK}\nnext line"),
        ("{'Authorization': 'Token abc', 'X': '1'}", f"{{'Authorization': '{MASK}', 'X': '1'}}"),
        ('{"Authorization":"Token abc","X":"1"}', f'{{"Authorization":"{MASK}","X":"1"}}'),
        ("[('Authorization', 'Token abc'), ('X', '1')]", f"[('Authorization', '{MASK}'), ('X', '1')]"),
        ("Proxy-Authorization: x", f"Proxy-Authorization: {MASK}"),
        ("Cookie: a=1; b=2\r\nX: 1", f"Cookie: {MASK}\r\nX: 1"),
        ("Set-Cookie: a=1", f"Set-Cookie: {MASK}"),
        ("Authorization:", "Authorization:"),
        ("the authorization, as asked", "the authorization, as asked"),
        ("sent Bearer eyJhbGciOi.J9.x-1 there", f"sent Bearer {MASK} there"),
        ("a token of appreciation, basic understanding", "a token of appreciation, basic understanding"),
        ("GET https://u:p@example.com/a?k=v failed", f"GET https://example.com/a?k={MASK} failed"),
        ("retries exceeded with url: /hook?k=v (Caused", f"retries exceeded with url: /hook?{MASK} (Caused"),
        ("nothing to hide: 5 of 7", "nothing to hide: 5 of 7"),
        ("", ""),
    ],
)
def test_a_text_is_shown_without_secrets(text: str, shown: str) -> None:
    assert redact_text(text) == shown


@given(before=st.text(max_size=40), after=st.text(max_size=40), secret=st.sampled_from([SECRET, TOKEN]))
def test_no_secret_of_ours_survives_in_any_text(before: str, after: str, secret: str) -> None:
    assert secret not in redact_text(f"{before} {secret} {after}")
    assert secret not in redact_url(f"{before} {secret} {after}")


@pytest.mark.parametrize(
    "piece", ["token ", "authorization: ", "cookie", "hy_", "https://", "?", "@", "//a", " url: /", "a"]
)
def test_a_long_hostile_text_is_redacted_in_a_moment(piece: str) -> None:
    text = piece * (65_536 // len(piece))
    began = time.perf_counter()

    redact_text(text)
    redact_url(text)

    assert time.perf_counter() - began < 1


def test_directions_controls_and_zero_width_characters_are_written_out() -> None:
    assert visible("a\u202egpj.exe") == "a⟨U+202E⟩gpj.exe"
    assert visible("\x00\x1b[31m\x7f\x85") == "⟨U+0000⟩⟨U+001B⟩[31m⟨U+007F⟩⟨U+0085⟩"
    assert visible("a\u200bb\u200dc\ufeffd\u2060e\u00adf") == "a⟨U+200B⟩b⟨U+200D⟩c⟨U+FEFF⟩d⟨U+2060⟩e⟨U+00AD⟩f"
    assert visible("\u2066x\u2069\u061c\u2028") == "⟨U+2066⟩x⟨U+2069⟩⟨U+061C⟩⟨U+2028⟩"
    assert visible("\U000e0041") == "⟨U+E0041⟩"
    assert visible("\ud800") == "⟨U+D800⟩"


def test_line_feed_tab_and_ordinary_text_of_any_script_stay() -> None:
    text = "one\n\ttwo \u00e9\u00df \u4f60\u597d \u0645\u0631\u062d\u0628\u0627 \U0001f600\ufe0f <b>&amp;"

    assert visible(text) == text
    assert visible("a\r\nb") == "a⟨U+000D⟩\nb"


@given(st.text())
def test_what_is_made_visible_can_be_encoded_and_stays_as_it_is(text: str) -> None:
    once = visible(text)

    assert visible(once) == once
    assert once.encode().decode() == once


@pytest.mark.parametrize(
    "name",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family
        "\U0001f3f3\ufe0f\u200d\U0001f308",  # a rainbow flag
        "\U0001f469\U0001f3fd\u200d\U0001f4bb",  # with a colour of skin
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Devanagari
    ],
)
def test_joiners_stay_where_a_script_or_a_picture_needs_them(name: str) -> None:
    assert visible(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("pay\u200dpal", "pay⟨U+200D⟩pal"),
        ("\U0001f468\u200dadmin", "\U0001f468⟨U+200D⟩admin"),
        ("\U0001f468\u200d\u200d\U0001f469", "\U0001f468⟨U+200D⟩⟨U+200D⟩\U0001f469"),
        ("\U0001f468\u202e\U0001f469", "\U0001f468⟨U+202E⟩\U0001f469"),
        ("a\U000e0067\U000e007f", "a⟨U+E0067⟩⟨U+E007F⟩"),
    ],
)
def test_joiners_and_tags_elsewhere_are_written_out(name: str, shown: str) -> None:
    assert visible(name) == shown
