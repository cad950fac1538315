"""Which IP addresses a delivery may be sent to: everything public, and the private nets an operator has opened.

The table is our own because ``ipaddress.is_global`` answers another question (is it routable, not where does the
packet end up) and changes with patch releases: on Python 3.11 it is true of multicast, 6to4, NAT64 and site-local.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

METADATA = "a cloud's metadata address"
"""The one denial that HOOKYARD_ALLOW_NETS never lifts."""

_METADATA_ADDRESSES = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # nearly every cloud
        "fd00:ec2::254",  # AWS over IPv6
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod credentials
        "fd00:ec2::23",  # AWS EKS pod credentials over IPv6
        "fd20:ce::254",  # Google Cloud over IPv6
        "168.63.129.16",  # Azure wire server
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
    )
)

# The words complete the sentence "This address is …". Blocks do not overlap: the look-up is a bisection.
_DENIED: dict[str, str] = {
    "0.0.0.0/8": "unspecified",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "private (shared by a carrier)",
    "127.0.0.0/8": "this machine's own (loopback)",
    "168.63.129.16/32": METADATA,
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "reserved for documentation",
    "192.31.196.0/24": "reserved for protocols (AS112)",
    "192.52.193.0/24": "reserved for protocols (AMT)",
    "192.88.99.0/24": "reserved for protocols (6to4 relay)",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved for protocols (AS112)",
    "198.18.0.0/15": "reserved for benchmarks",
    "198.51.100.0/24": "reserved for documentation",
    "203.0.113.0/24": "reserved for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/96": "an IPv4 address in disguise",
    "::ffff:0:0/96": "an IPv4 address in disguise",
    "::ffff:0:0:0/96": "an IPv4 address in disguise",
    "64:ff9b::/96": "an IPv4 address in disguise (NAT64)",
    "64:ff9b:1::/48": "an IPv4 address in disguise (NAT64)",
    "100::/64": "a black hole (discard-only)",
    "100:0:0:1::/64": "reserved (dummy prefix)",
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "reserved for documentation",
    "2002::/16": "an IPv4 address in disguise (6to4)",
    "2620:4f:8000::/48": "reserved for protocols (AS112)",
    "3fff::/20": "reserved for documentation",
    "5f00::/16": "reserved for segment routing",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "private (site-local)",
    "ff00::/8": "multicast",
}

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
# Dialling an unspecified address reaches this machine too, so a wide net does not open it either.
_THIS_MACHINE = (*_LOOPBACK, ip_network("0.0.0.0/8"), ip_network("::/128"))

# Prefixes that carry an IPv4 destination: the bits to shift it down by, and the mask it is stored under.
_TRANSLATED: tuple[tuple[Network, int, int], ...] = (
    (ip_network("::/96"), 0, 0),
    (ip_network("::ffff:0:0:0/96"), 0, 0),
    (ip_network("64:ff9b::/96"), 0, 0),
    (ip_network("64:ff9b:1::/48"), 0, 0),
    (ip_network("2002::/16"), 80, 0),
    (ip_network("2001::/32"), 0, 0xFFFFFFFF),  # Teredo stores its client inverted (RFC 4380, section 4)
)


@dataclass(frozen=True, slots=True)
class _Block:
    """One row of the table as numbers: *first* and *last* belong to it."""

    first: int
    last: int
    reason: str


def _blocks(version: int) -> tuple[_Block, ...]:
    """Return the rows of one IP version in ascending order."""
    rows = ((ip_network(cidr), reason) for cidr, reason in _DENIED.items())
    blocks = (
        _Block(int(net.network_address), int(net.broadcast_address), reason)
        for net, reason in rows
        if net.version == version
    )
    return tuple(sorted(blocks, key=lambda block: block.first))


_BLOCKS = {version: _blocks(version) for version in (4, 6)}
_FIRSTS = {version: [block.first for block in blocks] for version, blocks in _BLOCKS.items()}


def unwrapped(address: str | Address) -> Address:
    """Parse *address* and return it, a v4-mapped one as the IPv4 address it means.

    Raises ValueError for anything but a strict literal: no leading zeros, no short or hexadecimal forms.
    """
    parsed = ip_address(address)
    if isinstance(parsed, IPv6Address) and not parsed.scope_id:
        return parsed.ipv4_mapped or parsed
    return parsed


def is_literal(host: str) -> bool:
    """Return whether *host* is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _reason(address: Address) -> str | None:
    """Look *address* up in the table, then ask the standard library, which knows a few reserved blocks more."""
    if address.is_loopback:
        return "this machine's own (loopback)"
    if address.is_unspecified:
        return "unspecified"
    number = int(address)
    row = bisect_right(_FIRSTS[address.version], number) - 1
    if row >= 0 and number <= _BLOCKS[address.version][row].last:
        return _BLOCKS[address.version][row].reason
    flags = (address.is_private, address.is_reserved, address.is_link_local, address.is_multicast)
    return "reserved" if any(flags) or not address.is_global else None


def _within(inner: Network, outer: Network) -> bool:
    """Say whether *inner* lies wholly in *outer*; nets of two IP versions never do."""
    return inner.version == outer.version and inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def _destinations(address: Address) -> Iterator[IPv4Address]:
    """Give the IPv4 address that a translation prefix carries, if *address* is in one."""
    if address in _THIS_MACHINE[1] or address in _THIS_MACHINE[3]:
        return  # ::1 and :: lie in ::/96, but are addresses of their own
    for net, shift, mask in _TRANSLATED:
        if address in net:
            yield IPv4Address((int(address) >> shift & 0xFFFFFFFF) ^ mask)


@dataclass(frozen=True)
class AddressPolicy:
    """The address rules of one installation; *allow_nets* are the nets of HOOKYARD_ALLOW_NETS.

    A net opens what lies in it, with three limits. Loopback (and the unspecified addresses, which reach this machine
    as well) is opened only by a net that lies within it, so ``0.0.0.0/0`` does not. An opened translation prefix such
    as NAT64 opens only what the IPv4 address inside it may be. Metadata addresses are never opened.
    """

    allow_nets: tuple[Network, ...] = ()

    @property
    def allows_loopback(self) -> bool:
        """Whether a loopback net is listed."""
        return any(_within(net, loopback) for net in self.allow_nets for loopback in _LOOPBACK)

    def denial(self, address: str | Address) -> str | None:
        """Return None when *address* may be dialled, else why not, in words that complete "This address is …"."""
        try:
            ip = unwrapped(address)
        except ValueError:
            return "not an IP address"
        if isinstance(ip, IPv6Address) and ip.scope_id is not None:
            return "tied to one network interface (a zone)"
        if ip in _METADATA_ADDRESSES:
            return METADATA
        reason = _reason(ip)
        if reason is None:
            return None
        if not any(self._opens(net, ip) for net in self.allow_nets):
            return reason
        return next(filter(None, map(self.denial, _destinations(ip))), None)

    def _opens(self, net: Network, address: Address) -> bool:
        """Say whether the listed *net* opens *address*."""
        return address in net and all(_within(net, own) for own in _THIS_MACHINE if address in own)
