"""What URL a hook may have, at random: addresses in every spelling, and 100,000 URLs made of nasty pieces.

The judge of the second is the C library: what it reads as a number is an address, however it is spelled.
"""

from __future__ import annotations

import random
import re
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import pytest
import ssrfguard
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from console.core.addresses import Address, AddressPolicy
from console.core.errors import Refused
from console.core.targets import Target, TargetPolicy, check_url

DEFAULT = TargetPolicy()
FUZZED_URLS = 100_000
BATCHES = 8
CODES = frozenset(
    """
    url_length url_control url_space url_ambiguous url_scheme url_host url_userinfo url_fragment host_zone host_chars
    url_port host_idna host_numeric host_name address_denied port_denied self_target
    """.split()  # noqa: SIM905 - a table to read against the page
)


def verdict(url: str) -> Target | str:
    """Return the target, or the code of the refusal."""
    try:
        return check_url(url, policy=DEFAULT)
    except Refused as refused:
        return refused.code


# Addresses in every spelling


def dotted(address: IPv4Address) -> str:
    return str(address)


def compressed(address: IPv6Address) -> str:
    return f"[{address.compressed}]"


def exploded(address: IPv6Address) -> str:
    return f"[{address.exploded.upper()}]"


def mixed(address: IPv6Address) -> str:
    """Write the last 32 bits as a dotted quad (RFC 4291, section 2.2)."""
    return f"[{address.exploded[:30]}{IPv4Address(int(address) & 0xFFFFFFFF)}]"


def mapped(address: IPv4Address) -> str:
    return f"[::ffff:{address}]"


def mapped_hex(address: IPv4Address) -> str:
    return f"[::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}]"


def one_number(base: str) -> Callable[[IPv4Address], str]:
    return lambda address: _number(int(address), base=base)


def short(parts: int, *, base: str) -> Callable[[IPv4Address], str]:
    """Return the spelling in which the last of *parts* numbers takes all bytes that are left."""

    def spell(address: IPv4Address) -> str:
        head = list(address.packed[: parts - 1])
        tail = int.from_bytes(address.packed[parts - 1 :])
        return ".".join(_number(number, base=base) for number in [*head, tail])

    return spell


def _number(number: int, *, base: str) -> str:
    return {"decimal": f"{number}", "hex": f"0x{number:x}", "HEX": f"0X{number:X}", "octal": f"0{number:o}"}[base]


def in_digits_of(zero: str) -> Callable[[IPv4Address], str]:
    """Return the spelling in the decimal digits of another script."""
    return lambda address: re.sub(r"\d", lambda digit: chr(ord(zero) + int(digit[0])), str(address))


def wrapped(prefix: str, suffix: str = "") -> Callable[[IPv4Address], str]:
    return lambda address: f"[{prefix}{int(address) >> 16:x}:{int(address) & 0xFFFF:x}{suffix}]"


PLAIN_V4 = [dotted, mapped, mapped_hex, lambda address: f"{address}."]
PLAIN_V6 = [compressed, exploded, mixed]
OTHER_V4: list[Callable[[IPv4Address], str]] = [
    *(one_number(base) for base in ("decimal", "hex", "HEX", "octal")),
    *(short(parts, base=base) for parts in (2, 3) for base in ("decimal", "hex", "octal")),
    *(short(4, base=base) for base in ("hex", "HEX", "octal")),
    *(in_digits_of(zero) for zero in "\uff10\u0660\u06f0\u0966\u09e6\U0001d7ce"),
    *(wrapped(prefix) for prefix in ("::", "::ffff:0:", "64:ff9b::", "64:ff9b:1::")),
    wrapped("2002:", "::"),
    lambda address: str(address).replace(".", "\u3002"),
    lambda address: str(address).replace(".", "\uff0e"),
    lambda address: f"[{address}]",
    lambda address: f"{address}.0",
    lambda address: f"00{address}",
    lambda address: f"{address}%00",
    lambda address: f"{address}..",
    lambda address: f"{address.packed[0]}.{address}",
]


@given(address=st.ip_addresses(v=4), spell=st.sampled_from(PLAIN_V4))
def test_an_ipv4_address_in_a_plain_spelling_is_accepted_exactly_when_it_may_be_dialled(
    address: IPv4Address, spell: Callable[[IPv4Address], str]
) -> None:
    _accepted_exactly_when_allowed(address, host=spell(address))


@given(address=st.ip_addresses(v=6), spell=st.sampled_from(PLAIN_V6))
def test_an_ipv6_address_in_a_plain_spelling_is_accepted_exactly_when_it_may_be_dialled(
    address: IPv6Address, spell: Callable[[IPv6Address], str]
) -> None:
    _accepted_exactly_when_allowed(address, host=spell(address))


def _accepted_exactly_when_allowed(address: Address, *, host: str) -> None:
    found = verdict(f"https://{host}/")

    if AddressPolicy().denial(address):
        assert found == "address_denied"
    else:
        assert isinstance(found, Target)
        assert AddressPolicy().denial(found.host) is None


@given(address=st.ip_addresses(v=4), spell=st.sampled_from(OTHER_V4))
def test_an_address_in_any_other_spelling_is_refused_even_when_it_is_public(
    address: IPv4Address, spell: Callable[[IPv4Address], str]
) -> None:
    assert isinstance(verdict(f"http://{spell(address)}/"), str)


# URLs of nasty pieces

HOSTS = """
127.0.0.1 127.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1 10.0.0.1 169.254.169.254 192.168.1.1 0 0.0.0.0 8.8.8.8 1.1.1.1
[::1] [::] [::ffff:127.0.0.1] [::ffff:8.8.8.8] [2606:4700::1111] [fe80::1%25eth0] [64:ff9b::7f00:1] ::1 [127.0.0.1] []
localhost localhost. foo.localhost redis metadata.google.internal kubernetes.default.svc x.local example.com a.b.c.d.e
EXAMPLE.com. xn--pple-43d.com xn--a xn--fa-hia.de fa\u00df.de b\u00fccher.example \u2460\u2461\u2466.0.0.1 \uff11.\uff11
127.0.0.1.nip.io example.1 example.0x1 1-0 a_b.com -a.com a-.com a..com 0x 0x.0x 09.09.09.09 1e3 1.2.3.4.5
""".split()  # noqa: SIM905 - a list to read at a glance
PIECES = [
    *HOSTS,
    *"0179afx.-:[]%@#/?\\\u3002\u00ad\u200b\u0661\u06f1",
    "0x",
    "00",
    "..",
    "--",
    "::",
    "%00",
    "%2e",
    "//",
]
SCHEMES = ["http", "https", "HTTP", "hTTps", "file", "ftp", "http+unix", "", "\u212attp"]
SEPARATORS = ["://", "://", "://", "://", "://", "://", ":", ":/", ":///", ":\\\\", "//", "://@", "://a@", "://[", ""]
PORTS = ["", "", "", "", ":80", ":443", ":8080", ":0", ":080", ":22", ":6379", ":65536", ":", ":8a", ":80:80"]
PATHS = ["", "/", "/x", "?a=1", "/%0d", "/%", "#f", "/\u00e9", "/\r\n", "/ ", "\\x", "/@127.0.0.1", "//127.0.0.1/"]


BASES = ("decimal", "hex", "HEX", "octal")


def numbers(rng: random.Random) -> str:
    return ".".join(_number(rng.getrandbits(8), base=rng.choice(BASES)) for _ in range(rng.randint(1, 5)))


def other_spelling(rng: random.Random) -> str:
    return rng.choice(OTHER_V4)(IPv4Address(rng.getrandbits(32)))


def plain_address(rng: random.Random) -> str:
    return str(IPv4Address(rng.getrandbits(32)))


def bracketed(rng: random.Random) -> str:
    first = rng.choice((0, 0x2000, 0xFC00, 0xFE80)) | rng.getrandbits(12)
    groups = [first, *(rng.getrandbits(16) for _ in range(rng.randint(5, 7)))]
    return f"[{':'.join(f'{group:x}' for group in groups)}{rng.choice(['', '::'])}]"


def noise(rng: random.Random) -> str:
    return "".join(chr(rng.choice((rng.randint(33, 126), rng.randint(33, 0x2FFF)))) for _ in range(rng.randint(1, 6)))


def name(rng: random.Random) -> str:
    label = "".join(rng.choices("abcxyz0179-\u00e4\u06f1\u0967", k=rng.randint(1, 6)))
    return f"{label}.{rng.choice(HOSTS)}"


def pieces(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(1, 4)))


def known(rng: random.Random) -> str:
    return rng.choice(HOSTS)


MAKERS = (numbers, other_spelling, plain_address, bracketed, noise, name, pieces, known)


def random_url(rng: random.Random) -> str:
    scheme = rng.choice(SCHEMES) if rng.random() < 0.2 else "http"
    separator = rng.choice(SEPARATORS) if rng.random() < 0.2 else "://"
    port = rng.choice(PORTS) if rng.random() < 0.3 else ""
    path = rng.choice(PATHS) if rng.random() < 0.3 else "/"
    return f"{scheme}{separator}{rng.choice(MAKERS)(rng)}{port}{path}"


def numeric_reading(host: str) -> Address | None:
    """Return the address that the C library dials for *host* without asking DNS."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return ip_address(found[0][4][0])


@pytest.mark.parametrize("seed", range(BATCHES))
def test_no_fuzzed_url_is_accepted_that_dials_a_number_in_disguise_or_a_private_address(seed: int) -> None:
    rng = random.Random(seed)
    codes: Counter[str] = Counter()

    for _ in range(FUZZED_URLS // BATCHES):
        url = random_url(rng)
        found = verdict(url)
        if isinstance(found, str):
            codes[found] += 1
            continue
        codes["accepted"] += 1
        dialled = numeric_reading(found.host)
        if dialled is None:
            assert re.fullmatch(r"[a-z0-9.-]+\.[a-z][a-z0-9-]*", found.host), url
            assert not found.host.endswith((".localhost", ".local", ".internal", ".svc")), url
        else:
            assert dialled == ip_address(found.host), url
            assert not ssrfguard.DEFAULT_DENIED.classify(dialled).blocked, url
        standard, other = urlsplit(found.canonical), parse_url(found.canonical)
        default = {"http": 80, "https": 443}[found.scheme]
        assert (standard.scheme, standard.hostname, standard.port or default) == (found.scheme, found.host, found.port)
        assert other.scheme == found.scheme
        assert (other.host or "").strip("[]") == found.host
        assert (other.port or default) == found.port

    assert set(codes) - {"accepted"} <= CODES
    assert codes["accepted"] > FUZZED_URLS / BATCHES / 20, "the fuzz is no test when hardly anything is accepted"
    assert len(codes) >= 14, "the fuzz meets nearly every rule"
