"""How the URL of a hook is read: rows 1 to 11 of the target rules, which know nothing of the installation.

The first row that fails names the code. The rows are stricter than the usual parsers, because ``getaddrinfo`` dials
number spellings that no comparison of text sees, and because parsers disagree about odd authorities. What is right in
here but may still not be sent to (inner names, private addresses, ports) is decided in ``targets``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import NoReturn

import idna

from console.core.addresses import Address
from console.core.errors import Refused

MAX_URL_LENGTH = 2048
DEFAULT_PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})

_HIGHEST_PORT = 65535
_LONGEST_HOST = 253

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SPACE = re.compile(r"\s")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PRINTABLE = re.compile(r"[!-~]*")
_AUTHORITY = re.compile(r"//([^/?]*)")
_OPEN_BRACKET = re.compile(r"[^\]%]*\[[^\]%]*%")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?", re.DOTALL)
_UNBRACKETED = re.compile(r"([^\[\]:]+)(?::(.*))?", re.DOTALL)
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart: *host* in lower-case A-labels or a literal without brackets, which *address* then holds.

    *path* is the request target with its query, "/" when empty.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None

    @property
    def destination(self) -> str:
        """Where connections go: host and port, the same for every URL of one server."""
        return f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host

    @property
    def canonical(self) -> str:
        """The URL with everything in its one spelling; the scheme's own port is left out."""
        host = self._bracketed
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def read_url(url: str, *, allow_http: bool) -> Place:
    """Take *url* apart, or raise Refused with the code of the first row it breaks."""
    _check_characters(url)
    before_fragment, fragment, _ = url.partition("#")
    scheme, _, rest = before_fragment.partition(":")
    found = _AUTHORITY.match(rest)
    path = rest[found.end() :] if found else rest
    _check_path(url, path=path)
    scheme = _checked_scheme(scheme, allow_http=allow_http)
    authority = _checked_authority(found[1] if found else "", has_fragment=bool(fragment))
    host_text, port_text = _split_authority(authority)
    port = _checked_port(port_text, scheme=scheme)
    host, address = _literal(host_text) if isinstance(host_text, IPv6Address) else _checked_host(host_text)
    return Place(scheme, host, port, path if path.startswith("/") else f"/{path}", address)


def _refuse(code: str, message: str) -> NoReturn:
    raise Refused(message, code=code)


def _check_characters(url: str) -> None:
    """Row 1: the characters of the whole URL."""
    if not url:
        _refuse("url_length", "Enter a URL, such as https://example.com/hook.")
    if len(url) > MAX_URL_LENGTH:
        _refuse("url_length", f"A URL has at most {MAX_URL_LENGTH} characters; shorten it.")
    if _CONTROL.search(url):
        _refuse("url_control", "The URL contains a control character; remove it.")
    if _SPACE.search(url):
        _refuse("url_space", "The URL contains white space; remove it, or write a space in the path as %20.")


def _check_path(url: str, *, path: str) -> None:
    """Row 2: nothing that two programs read in two ways."""
    if "\\" in url:
        _refuse("url_ambiguous", "The URL contains a backslash; use / instead, or %5C for a real one.")
    if _BARE_PERCENT.search(path):
        _refuse("url_ambiguous", "A % in path or query needs two hexadecimal digits after it; write % itself as %25.")
    if not _PRINTABLE.fullmatch(path):
        _refuse("url_ambiguous", "Path and query take ASCII only; percent-encode every other character.")


def _checked_scheme(scheme: str, *, allow_http: bool) -> str:
    """Row 3: https, or http where it is allowed."""
    lowered = scheme.lower()
    if lowered not in DEFAULT_PORTS:
        _refuse("url_scheme", "The URL must start with https:// or http://.")
    if lowered == "http" and not allow_http:
        _refuse("url_scheme", "This installation sends to https only; an operator may set HOOKYARD_ALLOW_HTTP.")
    return lowered


def _checked_authority(text: str, *, has_fragment: bool) -> str:
    """Rows 4 to 6: what stands between ``//`` and the path is not empty, and is a host and a port only."""
    if not text:
        _refuse("url_host", "The URL has no host; write it as https://example.com/hook.")
    if "@" in text:
        _refuse("url_userinfo", "A user name or password in the URL is refused; use an Authorization header instead.")
    if has_fragment:
        _refuse("url_fragment", "Remove the # and what follows it; it is never sent to a server.")
    if _OPEN_BRACKET.match(text):
        _refuse("host_zone", "An IPv6 address with a zone (%) is refused; use a public address or a name.")
    if "%" in text:
        _refuse("host_chars", "A % in the host is refused; write the host name itself.")
    return text


def _split_authority(text: str) -> tuple[str | IPv6Address, str | None]:
    """Row 7: return the host, parsed when it stands in brackets, and the text of the port, None without one."""
    if bracketed := _BRACKETED.fullmatch(text):
        try:
            return IPv6Address(bracketed[1]), bracketed[2]
        except ValueError:
            _refuse("url_host", "Brackets hold an IPv6 address, and this is none; write a name without brackets.")
    if plain := _UNBRACKETED.fullmatch(text):
        return plain[1], plain[2]
    _refuse("url_host", "The host cannot be read; write a name, an IPv4 address, or an IPv6 address in brackets.")


def _checked_port(text: str | None, *, scheme: str) -> int:
    """Row 8: the port as a number, the scheme's own when *text* is None."""
    if text is None:
        return DEFAULT_PORTS[scheme]
    if not _PORT.fullmatch(text) or int(text) > _HIGHEST_PORT:
        _refuse("url_port", f"The port is a number from 1 to {_HIGHEST_PORT} without leading zeros; or leave it out.")
    return int(text)


def _literal(address: IPv6Address) -> tuple[str, IPv6Address]:
    """Return the one spelling of *address* (RFC 5952); Python versions differ in how they write a v4-mapped one."""
    mapped = address.ipv4_mapped
    return f"::ffff:{mapped}" if mapped else str(address), address


def _checked_host(text: str) -> tuple[str, IPv4Address | None]:
    """Rows 9 to 11: return the canonical host, and its address when it is a dotted quad."""
    host = _a_labels(text.translate(_ASCII_LOWER)).removesuffix(".")
    last = host.rpartition(".")[2]
    if _NUMERIC_LABEL.fullmatch(last):
        try:
            return host, IPv4Address(host)
        except ValueError:
            _refuse("host_numeric", _numeric_words(host))
    if last and not "a" <= last[0] <= "z":
        _refuse("host_numeric", "The last part of a host name starts with a letter, and this one does not.")
    if len(host) > _LONGEST_HOST or not _HOST_NAME.fullmatch(host):
        _refuse(
            "url_host",
            "The host name is malformed; write parts of 1 to 63 letters, digits and inner hyphens, joined by dots, "
            f"at most {_LONGEST_HOST} characters in all.",
        )
    return host, None


def _numeric_words(host: str) -> str:
    """Say how an address is written, and that one which is not public is refused in its plain form too."""
    words = "This is no IP address in its plain form; write four numbers from 0 to 255."
    address = _disguised(host)
    if address is None:
        return words
    if address.is_global:
        return f"{words[:-1]}: {address}."
    return f"This is {address} in disguise, which is refused too, unless HOOKYARD_ALLOW_NETS lists it."


def _disguised(host: str) -> IPv4Address | None:
    """Read a host as ``inet_aton`` does: one to four numbers in any base, the last of which fills what is left."""
    try:
        *firsts, last = (_number(part) for part in host.split("."))
        high = sum(number << 8 * (3 - place) for place, number in enumerate(firsts))
        is_one = len(firsts) < 4 and max(firsts, default=0) < 256  # noqa: PLR2004 four bytes
        return IPv4Address(high + last) if is_one else None
    except ValueError:
        return None


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text, 16)
    return int(text, 8 if text.startswith("0") else 10)


def _a_labels(host: str) -> str:
    """Row 9: return *host* in ASCII by strict IDNA 2008 (RFC 5891), without the mappings of UTS 46.

    IDNA allows a label of nothing but another script's digits; as the last one it only makes a name look like an
    IP address, so it is refused as well.
    """
    if host.isascii() and "xn--" not in host:
        return host
    try:
        if not host.isascii():
            host = idna.encode(host, strict=True).decode("ascii")
        labels = host.removesuffix(".").split(".")
        words = [idna.ulabel(label) if label.startswith("xn--") else label for label in labels]
    except ValueError:
        _refuse("host_idna", "The host is no valid international domain name; look for look-alike characters.")
    if words[-1].isdecimal() and not words[-1].isascii():
        _refuse("host_idna", "The host name ends in digits of another script; write an IP address in plain digits.")
    return host
