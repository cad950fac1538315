"""Which addresses may be dialled: the published table, what an operator may open, and two other people's tables."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
import ssrfguard
from AntiSSRF import IPAddressRanges  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given
from hypothesis import strategies as st

from console.core.addresses import METADATA, Address, AddressPolicy, Network, unwrapped

PUBLIC_ONLY = AddressPolicy()

# The documented table, as docs/security.md lists it; written out again so that a slip in the code is seen.
DENIED_NETS = tuple(
    ip_network(cidr)
    for cidr in """
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.31.196.0/24 192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24
    203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32
    ::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16
    2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8
    """.split()  # noqa: SIM905 - a table to read against the page
)


def policy(*cidrs: str) -> AddressPolicy:
    return AddressPolicy(tuple(ip_network(cidr) for cidr in cidrs))


def is_denied_by_the_rules(address: Address) -> bool:
    """Read the documented rules slowly: unwrap, the standard library's flags, the table."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return (
        address.is_private
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or not address.is_global
        or any(address in net for net in DENIED_NETS)
    )


def edges(net: Network) -> list[Address]:
    """Return the first and last address of *net* and their outer neighbours."""
    first, last = int(net.network_address), int(net.broadcast_address)
    top = 2**net.max_prefixlen - 1
    kind = type(net.network_address)
    return [kind(number) for number in (first - 1, first, last, last + 1) if 0 <= number <= top]


def probes() -> list[Address]:
    """Return the edges of every block in anybody's table, and addresses in and around them at random."""
    rng = random.Random(20)
    nets = [*DENIED_NETS, *(block.network for block in ssrfguard.DEFAULT_DENIED.blocks)]
    nets += [ip_network(cidr) for cidr in IPAddressRanges.recommended_latest]
    found = [edge for net in nets for edge in edges(net)]
    for net in nets:
        kind = type(net.network_address)
        found += [kind(int(net.network_address) + rng.randrange(net.num_addresses)) for _ in range(20)]
    found += [IPv4Address(rng.getrandbits(32)) for _ in range(2000)]
    found += [IPv6Address(rng.getrandbits(128)) for _ in range(1000)]
    found += [IPv6Address(0x2 << 124 | rng.getrandbits(124)) for _ in range(1000)]
    return found


PROBES = probes()


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "2001:200::1"])
def test_a_public_address_may_be_dialled(address: str) -> None:
    assert PUBLIC_ONLY.denial(address) is None
    assert PUBLIC_ONLY.denial(ip_address(address)) is None


@pytest.mark.parametrize("net", DENIED_NETS, ids=str)
def test_a_listed_block_is_denied_from_its_first_to_its_last_address(net: Network) -> None:
    assert PUBLIC_ONLY.denial(net.network_address)
    assert PUBLIC_ONLY.denial(net.broadcast_address)


def test_the_verdict_is_that_of_the_documented_rules_at_every_edge_and_at_random() -> None:
    for address in PROBES:
        assert bool(PUBLIC_ONLY.denial(address)) == is_denied_by_the_rules(address), address


@given(st.ip_addresses())
def test_the_verdict_is_that_of_the_documented_rules_for_any_address(address: Address) -> None:
    assert bool(PUBLIC_ONLY.denial(address)) == is_denied_by_the_rules(address)
    assert PUBLIC_ONLY.denial(str(address)) == PUBLIC_ONLY.denial(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_judged_as_the_ipv4_address_it_means(address: IPv4Address) -> None:
    assert PUBLIC_ONLY.denial(f"::ffff:{address}") == PUBLIC_ONLY.denial(address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1", "this machine's own (loopback)"),
        ("::1", "this machine's own (loopback)"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 - an address to refuse, none to bind
        ("10.1.2.3", "private"),
        ("::ffff:10.1.2.3", "private"),
        ("169.254.169.254", METADATA),
        ("168.63.129.16", METADATA),
        ("64:ff9b::a00:1", "an IPv4 address in disguise (NAT64)"),
        ("4000::1", "reserved"),
        ("fe80::1%eth0", "tied to one network interface (a zone)"),
        ("::ffff:8.8.8.8%1", "tied to one network interface (a zone)"),
        ("127.1", "not an IP address"),
        ("010.0.0.1", "not an IP address"),
        ("example.com", "not an IP address"),
        ("", "not an IP address"),
    ],
)
def test_a_denial_completes_the_sentence_this_address_is(address: str, words: str) -> None:
    assert PUBLIC_ONLY.denial(address) == words


def test_a_zone_is_denied_even_on_a_public_address() -> None:
    assert PUBLIC_ONLY.denial(IPv6Address("2606:4700::1111%1")) == "tied to one network interface (a zone)"


def test_unwrapping_keeps_everything_but_mapped_addresses() -> None:
    assert unwrapped("::ffff:1.2.3.4") == IPv4Address("1.2.3.4")
    assert unwrapped("::1.2.3.4") == IPv6Address("::1.2.3.4")
    assert unwrapped("1.2.3.4") == IPv4Address("1.2.3.4")


# What an operator may open


def test_a_listed_net_opens_its_own_addresses_only() -> None:
    opened = policy("10.0.0.0/8", "fd12::/16")

    assert opened.denial("10.255.0.1") is None
    assert opened.denial("::ffff:10.255.0.1") is None
    assert opened.denial("fd12::5") is None
    assert opened.denial("192.168.0.1") == "private"
    assert opened.denial("fd13::5") == "private"
    assert opened.denial("127.0.0.1") == "this machine's own (loopback)"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"])  # noqa: S104 - refused, not bound
def test_a_net_as_wide_as_the_world_does_not_open_this_machine(address: str) -> None:
    assert policy("0.0.0.0/0", "::/0", "::/96").denial(address)


def test_loopback_is_open_when_it_is_listed_itself() -> None:
    assert policy("127.0.0.0/8").denial("127.0.0.1") is None
    assert policy("127.0.0.1/32").denial("127.0.0.2")
    assert policy("127.0.0.0/8").denial("::1")
    assert policy("::1/128").denial("::1") is None


@pytest.mark.parametrize(
    ("cidrs", "listed"),
    [
        ((), False),
        (("10.0.0.0/8",), False),
        (("0.0.0.0/0",), False),
        (("10.0.0.0/8", "127.0.0.1/32"), True),
        (("::1/128",), True),
    ],
)
def test_a_policy_knows_whether_loopback_is_listed(cidrs: tuple[str, ...], listed: bool) -> None:  # noqa: FBT001 - a table
    assert policy(*cidrs).allows_loopback is listed


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "168.63.129.16",
        "100.100.100.200",
        "169.254.170.2",
        "192.0.0.192",
    ],
)
def test_a_metadata_address_is_never_opened(address: str) -> None:
    everything = policy("0.0.0.0/0", "::/0", "169.254.169.254/32", "fd00:ec2::254/128", "168.63.129.16/32")

    assert everything.denial(address) == METADATA


@pytest.mark.parametrize(
    "template",
    ["64:ff9b::{hex}", "64:ff9b:1::{hex}", "2002:{hex}::1", "::{hex}", "::ffff:0:{hex}", "2001:0:1:1::{inverted}"],
)
def test_an_opened_translation_prefix_is_judged_by_the_address_inside(template: str) -> None:
    def wrapped(text: str) -> str:
        number = int(IPv4Address(text))
        plain, inverted = f"{number:08x}", f"{number ^ 0xFFFFFFFF:08x}"
        return template.format(hex=f"{plain[:4]}:{plain[4:]}", inverted=f"{inverted[:4]}:{inverted[4:]}")

    opened = policy("::/0")

    assert opened.denial(wrapped("8.8.8.8")) is None
    assert opened.denial(wrapped("10.0.0.1")) == "private"
    assert opened.denial(wrapped("169.254.169.254")) == METADATA
    assert PUBLIC_ONLY.denial(wrapped("8.8.8.8"))


# Other people's tables


def test_ours_refuses_all_that_microsoft_antissrf_refuses() -> None:
    theirs = [ip_network(cidr) for cidr in IPAddressRanges.recommended_latest]

    for address in PROBES:
        if any(unwrapped(address) in net for net in theirs):
            assert PUBLIC_ONLY.denial(address), address


def test_ours_refuses_all_that_ssrfguard_refuses() -> None:
    for address in PROBES:
        if ssrfguard.DEFAULT_DENIED.classify(address).blocked:
            assert PUBLIC_ONLY.denial(address), address


def test_what_ours_refuses_beyond_microsoft_antissrf_is_known_by_name() -> None:
    theirs = [ip_network(cidr) for cidr in IPAddressRanges.recommended_latest]
    beyond = {str(net) for net in DENIED_NETS if not any(_lies_in(net, other) for other in theirs)}

    # v4-compatible addresses, and the wrapper of mapped ones (both judge the address inside)
    assert beyond == {"::/96", str(ip_network("::ffff:0:0/96"))}


def test_what_ours_refuses_beyond_ssrfguard_is_known_by_name() -> None:
    beyond = {
        block.name
        for block in ssrfguard.DEFAULT_DENIED.blocks
        if block.reach is not ssrfguard.Reach.DENIED and PUBLIC_ONLY.denial(block.network.network_address)
    }

    assert beyond == {
        # Globally reachable by the registry, but no receiver of webhooks lives there.
        "Port Control Protocol Anycast",
        "Traversal Using Relays around NAT Anycast",
        "DNS-SD Service Registration Protocol Anycast",
        "AS112-v4",
        "AS112-v6",
        "Direct Delegation AS112 Service",
        "AMT",
        "ORCHIDv2",
        "Drone Remote ID Protocol Entity Tags (DETs) Prefix",
        # They look at the address inside; we refuse the wrapper, which no public name needs.
        "IPv4-Compatible (deprecated)",
        "IPv4-IPv6 Translation",
        "TEREDO",
        "6to4",
        # Both look at the address inside; the first one inside is 0.0.0.0.
        "IPv4-mapped Address",
    }
    # Not in their table at all: Azure's wire server, and every IPv6 block that is not handed out.
    assert not ssrfguard.DEFAULT_DENIED.classify("168.63.129.16").blocked
    assert not ssrfguard.DEFAULT_DENIED.classify("4000::1").blocked


def _lies_in(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.network_address in outer and inner.broadcast_address in outer
