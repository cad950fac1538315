"""What URL a hook may have: one check for the form, the JSON API, the dialects, the shell, and again at every send.

Sixteen rows are looked at in order and the first that fails names the code: ``urls`` reads the URL by rows 1 to 11,
here are rows 12 to 16. The URL is kept exactly as sent; what is compared and dialled is its canonical form. Nothing
here opens a connection or asks DNS: a name is judged again by its addresses whenever a delivery connects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn
from urllib.parse import urlsplit

import idna
from urllib3.util import parse_url

from console.core.addresses import METADATA, AddressPolicy, unwrapped
from console.core.errors import Refused
from console.core.urls import DEFAULT_PORTS, Place, read_url

DENIED_PORTS = frozenset({2375, 2376, 2379, 3306, 5432, 5672, 6379, 8500, 9042, 9200, 9300, 11211, 27017, 50070})
"""Ports of databases, queues and control planes, to which an HTTP request can do harm."""

_LOWEST_FREE_PORT = 1024
_LOOPBACK_NAME = re.compile(r"(?:.*\.)?localhost|localhost\.localdomain")
_INNER_NAME = re.compile(r"(?:.*\.)?(?:localdomain|local|svc|internal|home\.arpa|in-addr\.arpa|ip6\.arpa|onion)")


@dataclass(frozen=True)
class TargetPolicy:
    """The target rules of one installation; build it once, it is read at every send.

    *base_url* is where this installation is reached, "" when unknown; a malformed one raises Refused here.
    """

    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    allow_http: bool = True
    base_url: str = ""
    _own: tuple[str, int] | None = field(init=False, repr=False, compare=False, default=None)
    _bin: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        """Take the base URL apart once."""
        if self.base_url:
            place = read_url(self.base_url, allow_http=True)
            bin_url = re.escape(self.base_url.rstrip("/")) + "/in/[A-Za-z0-9_-]{22}"
            object.__setattr__(self, "_own", (_one_spelling(place.host), place.port))
            object.__setattr__(self, "_bin", re.compile(bin_url))

    def is_bin(self, url: str) -> bool:
        """Say whether *url* is a bin of the built-in receiver: base URL, ``/in/``, 22 characters, nothing after."""
        return self._bin is not None and self._bin.fullmatch(url) is not None

    def is_own(self, host: str, *, port: int) -> bool:
        """Say whether canonical *host* and *port* are this installation itself."""
        return (_one_spelling(host), port) == self._own


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be sent to.

    *url* is exactly as given. *host* is lower-case, in A-labels, or a literal without brackets; *path* is the request
    target with its query, "/" when empty. *is_bin* marks a bin of our own receiver: being an address of the base URL
    takes the place of its address check.
    """

    url: str
    canonical: str
    scheme: str
    host: str
    port: int
    path: str
    is_bin: bool


def check_url(url: object, *, policy: TargetPolicy) -> Target:
    """Return the target that *url* names, or raise Refused with the code of the first row it breaks."""
    if not isinstance(url, str):
        _refuse("url_length", "The URL must be a text, such as https://example.com/hook.")
    return _check(url, policy)


def display_host(host: str) -> str:
    """Return the Unicode form of a canonical *host* for people; a literal, or what does not decode, as it is."""
    try:
        return ".".join(idna.ulabel(label) if label.startswith("xn--") else label for label in host.split("."))
    except ValueError:
        return host


@lru_cache(maxsize=2048)
def _check(url: str, policy: TargetPolicy) -> Target:
    """Do the work of check_url, once for a URL under a policy: both are frozen, and nothing else has a say."""
    place = read_url(url, allow_http=policy.allow_http)
    is_bin = policy.is_bin(url)
    if not is_bin:
        _check_host(place, addresses=policy.addresses)
        _check_port(place, policy=policy)
    canonical = place.canonical
    _check_parsers(canonical, scheme=place.scheme, host=place.host, port=place.port)
    return Target(url, canonical, place.scheme, place.host, place.port, place.path, is_bin)


def is_loopback(host: str) -> bool:
    """Say whether canonical *host* is this machine itself, so that what is sent to it passes nobody."""
    if _LOOPBACK_NAME.fullmatch(host):
        return True
    try:
        return unwrapped(host).is_loopback
    except ValueError:
        return False


def _refuse(code: str, message: str) -> NoReturn:
    raise Refused(message, code=code)


def _check_host(place: Place, *, addresses: AddressPolicy) -> None:
    """Rows 12 and 13: no inner name, and no address that may not be dialled.

    Where an operator has opened nets, a name is judged by its addresses alone, at every send.
    """
    if place.address is not None:
        reason = addresses.denial(place.address)
        if reason == METADATA:
            _refuse("address_denied", f"This address is {reason}, which is never allowed; use your receiver's own.")
        if reason:
            _refuse("address_denied", f"This address is {reason}; an operator may add it to HOOKYARD_ALLOW_NETS.")
    elif _LOOPBACK_NAME.fullmatch(place.host):
        if not addresses.allows_loopback:
            _refuse("host_name", "This name means the machine itself; an operator may list it in HOOKYARD_ALLOW_NETS.")
    elif not addresses.allow_nets and ("." not in place.host or _INNER_NAME.fullmatch(place.host)):
        _refuse("host_name", "This is an inner name; use a public one, or an operator may set HOOKYARD_ALLOW_NETS.")


def _check_port(place: Place, *, policy: TargetPolicy) -> None:
    """Rows 14 and 15: a port where HTTP is at home, and not our own."""
    port = place.port
    if (port < _LOWEST_FREE_PORT and port not in DEFAULT_PORTS.values()) or port in DENIED_PORTS:
        _refuse("port_denied", f"Port {port} is refused; use 80, 443 or a high one that no database or queue uses.")
    if policy.is_own(place.host, port=port):
        _refuse("self_target", "This is Hookyard itself, events would go in a circle; use a bin or your own receiver.")


def _one_spelling(host: str) -> str:
    """Return one spelling for all that reach the same machine, so that none hides a delivery loop.

    A v4-mapped address is the IPv4 address it means; loopback, its names and unspecified addresses are this machine.
    """
    if _LOOPBACK_NAME.fullmatch(host):
        return "localhost"
    try:
        address = unwrapped(host)
    except ValueError:
        return host
    return "localhost" if address.is_loopback or address.is_unspecified else str(address)


def _check_parsers(canonical: str, *, scheme: str, host: str, port: int) -> None:
    """Row 16, the second net: the parsers of the standard library and of urllib3 must read what we read."""
    default = DEFAULT_PORTS[scheme]
    try:
        standard, other = urlsplit(canonical), parse_url(canonical)
        readings = {
            (standard.scheme, standard.hostname, standard.port or default),
            (other.scheme, (other.host or "").strip("[]"), other.port or default),
        }
    except ValueError:  # urllib3's LocationParseError is one
        readings = set()
    if readings != {(scheme, host, port)}:
        _refuse("url_ambiguous", "Programs read this URL in different ways; write it in its plain form.")
