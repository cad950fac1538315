"""What is hidden before anything is logged or shown, and how hostile text is made plain to read.

Secrets are masked by what they are (the shape of a token, the place in a header), so that a text from anywhere, such
as the message of a library's exception, can be passed through ``redact_text`` whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from console.core.headers import HARMLESS_HEADERS, is_sensitive

MASK = "••••••"

# "why_not" is no token, unless what follows has the whole shape of one.
_TOKEN = re.compile(r"(whsec_|(?<![A-Za-z0-9])hy_|hy_(?=[A-Za-z0-9]{8}_[A-Za-z0-9_-]{40}))[A-Za-z0-9+/=_-]+")
# A header as HTTP, Python, JSON or a shell write it; the value goes on to the quote that opened it, or the line's end.
_SECRET_HEADER = re.compile(
    r"""\b((?:proxy-)?authorization|(?:set-)?cookie)(["']\s{0,3},\s{0,3}|["']?\s{0,3}[:=]\s{0,3})("[^"\r\n]*|'[^'\r\n]*|[^\r\n]*)""",
    re.IGNORECASE,
)
_CREDENTIAL = re.compile(r"\b(bearer|basic|token)(\s{1,3})(?=[^\s,;\"']*[0-9_=.-])[^\s,;\"']{12,}", re.IGNORECASE)
_URL = re.compile(r"\bhttps?://[^\s\"'<>]+", re.IGNORECASE)
_USERINFO = re.compile(r"^([^/?#]*//)[^/?#]*@")
# Requests and urllib3 name a target by path alone: "Max retries exceeded with url: /hook?token=…".
_PATH_QUERY = re.compile(r"(\burl: /[^\s?]*\?)[^\s]+")
# What each of the above needs to find anything. Nearly no text has any of it, and one look is quicker than six.
_SIGNS = re.compile(r"://|url: /|authorization|cookie|bearer|basic|token|whsec_|hy_", re.IGNORECASE)

# Control characters but line feed and tab; directions (UAX 9); zero-width and invisible ones; separators; surrogates.
# A zero-width joiner or non-joiner is part of a word or picture between the characters that it is made for: emoji, and
# the Arabic and Indic scripts (RFC 5892, appendix A.1 and A.2). So are the marks of a region after the black flag.
_JOINED = "[\u0600-\u0dff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
_INVISIBLE = re.compile(
    f"(?<={_JOINED})[\u200c\u200d](?={_JOINED})"
    "|(?<=\U0001f3f4)[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f"
    "|(?P<shown>[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff])"
)


def mask_headers(
    headers: Mapping[str, str] | Iterable[tuple[str, str]], *, shows_unknown: bool = False
) -> tuple[tuple[str, str], ...]:
    """Return the pairs with every name, in order and repeated ones too, and only the values that may be shown.

    Values of ``HARMLESS_HEADERS`` are shown. With *shows_unknown*, which is for people who may edit hooks, others are
    too, unless their name speaks of a secret.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, _shown(name, value=value, shows_unknown=shows_unknown)) for name, value in pairs)


def redact_url(url: str) -> str:
    """Return *url* without user name, password, query values and fragment; any text is taken, however malformed."""
    before_query, question, query = url.partition("#")[0].partition("?")
    shown = _USERINFO.sub(r"\1", before_query)
    return _without_tokens(shown) + question + "&".join(map(_masked_field, query.split("&")))


def redact_text(text: str) -> str:
    """Return *text* without our secrets and tokens, credentials, cookies, and the queries of URLs in it."""
    if not _SIGNS.search(text):
        return text
    text = _URL.sub(lambda found: redact_url(found[0]), text)
    text = _PATH_QUERY.sub(rf"\1{MASK}", text)
    text = _SECRET_HEADER.sub(_masked_header, text)
    text = _CREDENTIAL.sub(rf"\1\2{MASK}", text)
    return _without_tokens(text)


def visible(text: str) -> str:
    """Return *text* with each control, direction and zero-width character written out, such as ⟨U+202E⟩.

    Line feed and tab stay, and joiners within emoji and the scripts that need them. A reader then sees what is there,
    not what the characters make of it.
    """
    return _INVISIBLE.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩" if found["shown"] else found[0], text)


def _without_tokens(text: str) -> str:
    return _TOKEN.sub(rf"\1{MASK}", text)


def _shown(name: str, *, value: str, shows_unknown: bool) -> str:
    lowered = name.lower()
    if lowered not in HARMLESS_HEADERS and (not shows_unknown or is_sensitive(name)):
        return MASK
    return redact_url(value) if lowered == "location" else redact_text(value)


def _masked_field(field: str) -> str:
    """Keep the name of one field of a query; a field without ``=`` may be the secret itself."""
    name, equals, _ = field.partition("=")
    if not equals:
        return field and MASK
    return f"{_without_tokens(name)}={MASK}"


def _masked_header(found: re.Match[str]) -> str:
    """Mask the value, and keep the quote that opened it."""
    name, between, value = found.groups()
    quote = value[:1] if value[:1] in {'"', "'"} else ""
    return f"{name}{between}{quote}{MASK}" if value else found[0]
