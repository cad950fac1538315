"""What URL a hook may have: the bad targets by code, the good ones, what an operator opens, and our own bins."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from console.core import targets
from console.core.addresses import AddressPolicy
from console.core.errors import Refused
from console.core.targets import Target, TargetPolicy, check_url, display_host

DEFAULT = TargetPolicy()
BASE_URL = "http://127.0.0.1:8000"
BIN = f"{BASE_URL}/in/AbCdEfGhIjKlMnOpQr_-19"

BAD_TARGETS: dict[str, list[object]] = {
    "address_denied": [
        "http://127.0.0.1/",
        "http://127.0.0.1:6379/",
        "http://127.0.0.1./",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.0.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://168.63.129.16/",
        "http://192.0.0.192/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::1]:8080/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::FFFF:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b::169.254.169.254]/",
        "http://[2001:0:7f00:1::]/",
        "http://[2002:7f00:1::]/",
        "http://[fc00::1]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[3fff::1]/",
    ],
    "host_name": [
        "http://localhost/",
        "http://LocalHost/",
        "http://localhost./",
        "http://foo.localhost/",
        "http://localhost.localdomain/",
        "http://redis:6379/",
        "http://kubernetes.default.svc/",
        "http://metadata.google.internal/",
        "http://printer.local/",
        "http://internal/",
        "http://router.home.arpa/",
        "http://1.0.0.127.in-addr.arpa/",
        "http://1.ip6.arpa/",
        "http://example.onion/",
    ],
    "host_numeric": [
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.01/",
        "http://017700000001/",
        "http://4294967296/",
        "http://256.256.256.256/",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://0x/",
        "http://example.0X7f/",
        "http://169.254.43518/",
        "http://1.2.3.4.5/",
        "http://10.0.0.256./",
        "http://example.1-0/",
        "http://example.-com/",
        "http://\N{DEVANAGARI DIGIT ONE}\N{DEVANAGARI DIGIT TWO}.0.0.1/",
    ],
    "host_idna": [
        "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
        "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
        "http://loc\u00adalhost/",
        "http://\u0661\u0662\u0667.0.0.1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127\u30020\u30020\u30021/",
        "http://exa\u200bmple.com/",
        "http://exa\u202emple.com/",
        "http://\ud800.com/",
        "http://xn--a/",
        "http://xn--.com/",
        "http://a.XN--A.com/",
        "http://b\u00fccher..example/",
        "http://\u06f1\u06f2\u06f7.\u06f0.\u06f0.\u06f1/",
        "http://example.xn--dmb./",
    ],
    "url_userinfo": [
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://example.com%2f@127.0.0.1/",
        "http://user:password@example.com/",
        "http://@example.com/",
    ],
    "url_fragment": [
        "http://example.com#@127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://example.com/#",
        "http://example.com/?a#b",
    ],
    "host_zone": ["http://[fe80::1%25eth0]/", "http://[fe80::1%1]:80/", "http://[fe80::1%1"],
    "host_chars": [
        "http://example.com%40127.0.0.1/",
        "http://127.0.0.1%00.example.com/",
        "http://[::1]%41/",
    ],
    "url_control": [
        "http://example.com/\r\nX-Injected:1",
        "http://example.com/\t",
        "http://exam\nple.com/",
        "http://example.com/\x00",
        "http://example.com/\x7f",
        "http://example.com/\x85",
    ],
    "url_space": [
        " http://127.0.0.1/",
        "http://example.com/a b",
        "http://example.com/ ",
        "http://example.com\u3000/",
        "http://example.com/\u2028",
    ],
    "url_port": [
        "http://127.0.0.1:0/",
        "http://example.com:65536/",
        "http://example.com:443:80/",
        "http://example.com:080/",
        "http://example.com:/",
        "http://example.com:+80/",
        "http://example.com:\uff18\uff10/",
        "http://example.com:99999999/",
        "http://[::1]:/",
        "http://[2606:4700::1111]:x/",
    ],
    "url_host": [
        "http:///127.0.0.1/",
        "http:127.0.0.1/",
        "http:/example.com/",
        "http://?x",
        "http://[::1/",
        "http://::1/",
        "http://:80/",
        "http://[127.0.0.1]/",
        "http://[example.com]/",
        "http://[]/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[[::1]]/",
        "http://[1::2::3]/",
        "http://a..com/",
        "http://a.com../",
        "http://./",
        "http://-a.com/",
        "http://a-.com/",
        "http://a_b.com/",
        "http://exa$mple.com/",
        f"http://{'a' * 64}.com/",
        f"http://{'a.' * 126}com/",
    ],
    "url_scheme": [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
        "ftp://example.com/",
        "javascript:alert(1)",
        "//example.com/",
        "example.com/hook",
        "example.com:8443/hook",
        "://example.com/",
    ],
    "url_length": ["", f"https://example.com/{'a' * 2029}", None, 5, b"https://example.com/", ["https://example.com/"]],
    "url_ambiguous": [
        "http://example.com\\@127.0.0.1/",
        "http:\\\\example.com/",
        "http://example.com/%",
        "http://example.com/?x=%zz",
        "http://example.com/%1",
        "http://example.com/caf\u00e9",
    ],
    "port_denied": [
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:1023/",
        "http://example.com:6379/",
        "https://8.8.8.8:9200/",
    ],
}

GOOD_TARGETS = {
    "https://example.com/h?x=%0d%0a": ("https", "example.com", 443, "/h?x=%0d%0a"),
    "https://EXAMPLE.com:8443/": ("https", "example.com", 8443, "/"),
    "HTTPS://example.com": ("https", "example.com", 443, "/"),
    "https://example.com?a=1": ("https", "example.com", 443, "/?a=1"),
    "http://example.com:80/": ("http", "example.com", 80, "/"),
    "http://example.com:443/": ("http", "example.com", 443, "/"),
    "https://fa\u00df.de/": ("https", "xn--fa-hia.de", 443, "/"),
    "https://M\u00fcller.example/": ("https", "xn--mller-kva.example", 443, "/"),
    "https://1.1.1.1/": ("https", "1.1.1.1", 443, "/"),
    "https://1.1.1.1./": ("https", "1.1.1.1", 443, "/"),
    "https://[2606:4700::1111]/": ("https", "2606:4700::1111", 443, "/"),
    "https://[2606:4700:0:0::1111]:8443/": ("https", "2606:4700::1111", 8443, "/"),
    "https://xn--pple-43d.com/": ("https", "xn--pple-43d.com", 443, "/"),
    "https://[::ffff:8.8.8.8]/": ("https", "::ffff:8.8.8.8", 443, "/"),
    "http://hooks.example.co.uk:3000/": ("http", "hooks.example.co.uk", 3000, "/"),
    "https://example.com./x": ("https", "example.com", 443, "/x"),
    "https://127.0.0.1.nip.io/": ("https", "127.0.0.1.nip.io", 443, "/"),
    "https://notlocalhost.example/": ("https", "notlocalhost.example", 443, "/"),
    "https://mylocal.notlocal/": ("https", "mylocal.notlocal", 443, "/"),
    "https://r3---sn-x.example.com/": ("https", "r3---sn-x.example.com", 443, "/"),
    "https://example.com//a/../b;c=d@e:f?g|h": ("https", "example.com", 443, "//a/../b;c=d@e:f?g|h"),
}

REFUSALS = [(code, url) for code, urls in BAD_TARGETS.items() for url in urls]


def opened(*cidrs: str, base_url: str = "", allow_http: bool = True) -> TargetPolicy:
    addresses = AddressPolicy(tuple(ip_network(cidr) for cidr in cidrs))
    return TargetPolicy(addresses=addresses, base_url=base_url, allow_http=allow_http)


def refusal(url: object, *, policy: TargetPolicy = DEFAULT) -> Refused:
    with pytest.raises(Refused) as caught:
        check_url(url, policy=policy)
    return caught.value


@pytest.mark.parametrize(("code", "url"), REFUSALS, ids=[f"{code}-{url!r:.60}" for code, url in REFUSALS])
def test_a_bad_target_is_refused_by_the_first_rule_it_breaks(code: str, url: object) -> None:
    refused = refusal(url)

    assert refused.code == code
    assert refused.message[0].isupper()
    assert refused.message.endswith(".")


@pytest.mark.parametrize("url", GOOD_TARGETS)
def test_a_good_target_is_kept_as_sent_and_read_into_its_parts(url: str) -> None:
    target = check_url(url, policy=DEFAULT)

    assert (target.scheme, target.host, target.port, target.path) == GOOD_TARGETS[url]
    assert target.url == url
    assert not target.is_bin


@pytest.mark.parametrize("url", GOOD_TARGETS)
def test_the_canonical_form_is_a_target_of_its_own_and_its_own_canonical_form(url: str) -> None:
    target = check_url(url, policy=DEFAULT)
    again = check_url(target.canonical, policy=DEFAULT)

    assert again.canonical == target.canonical
    assert (again.scheme, again.host, again.port, again.path) == (target.scheme, target.host, target.port, target.path)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTP://Example.COM:80", "http://example.com/"),
        ("https://example.com.:443/x?y", "https://example.com/x?y"),
        ("https://example.com:80/", "https://example.com:80/"),
        ("https://[2606:4700:0::1111]:443/", "https://[2606:4700::1111]/"),
        ("https://fa\u00df.de:8443/", "https://xn--fa-hia.de:8443/"),
        ("https://[::ffff:808:808]/", "https://[::ffff:8.8.8.8]/"),
    ],
)
def test_the_canonical_form_has_one_spelling(url: str, canonical: str) -> None:
    assert check_url(url, policy=DEFAULT).canonical == canonical


def test_a_url_of_2048_characters_is_still_accepted() -> None:
    url = "https://example.com/".ljust(2048, "a")

    assert check_url(url, policy=DEFAULT).url == url


def test_checking_makes_no_connection_and_asks_no_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def recorder(name: str) -> object:
        def record(*_args: object, **_kwargs: object) -> None:
            calls.append(name)
            raise OSError(name)

        return record

    monkeypatch.setattr(socket.socket, "connect", recorder("connect"))
    monkeypatch.setattr(socket.socket, "connect_ex", recorder("connect_ex"))
    monkeypatch.setattr(socket, "getaddrinfo", recorder("getaddrinfo"))
    monkeypatch.setattr(socket, "gethostbyname", recorder("gethostbyname"))
    targets._check.cache_clear()

    for _, url in REFUSALS:
        refusal(url)
    for url in GOOD_TARGETS:
        check_url(url, policy=DEFAULT)

    assert calls == []


def test_http_is_refused_where_an_operator_asked_for_https_only() -> None:
    policy = TargetPolicy(allow_http=False)

    assert refusal("http://example.com/", policy=policy).code == "url_scheme"
    assert "HOOKYARD_ALLOW_HTTP" in refusal("http://example.com/", policy=policy).message
    assert check_url("https://example.com/", policy=policy).port == 443


def test_a_denied_address_names_the_way_out_and_metadata_has_none() -> None:
    assert refusal("http://10.0.0.1/").message == (
        "This address is private; an operator may add it to HOOKYARD_ALLOW_NETS."
    )
    assert "never allowed" in refusal("http://169.254.169.254/").message


# What an operator may open


def test_a_listed_net_opens_its_literal_addresses() -> None:
    policy = opened("10.0.0.0/8")

    assert check_url("http://10.1.2.3:8080/", policy=policy).host == "10.1.2.3"
    assert check_url("http://[::ffff:10.1.2.3]:8080/", policy=policy).host == "::ffff:10.1.2.3"
    assert refusal("http://192.168.0.1/", policy=policy).code == "address_denied"
    assert refusal("http://127.0.0.1/", policy=policy).code == "address_denied"


def test_with_any_net_listed_inner_names_are_left_to_their_addresses() -> None:
    policy = opened("10.0.0.0/8")

    assert check_url("http://receiver:8080/", policy=policy).host == "receiver"
    assert check_url("http://api.default.svc/", policy=policy).host == "api.default.svc"


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST.", "foo.localhost", "localhost.localdomain"])
def test_localhost_is_a_target_only_with_a_loopback_net(name: str) -> None:
    url = f"http://{name}:8080/"

    assert refusal(url, policy=opened("10.0.0.0/8", "0.0.0.0/0")).code == "host_name"
    assert check_url(url, policy=opened("127.0.0.0/8")).port == 8080
    assert check_url(url, policy=opened("::1/128")).port == 8080


def test_a_listed_net_opens_no_port_and_no_number_spelling() -> None:
    policy = opened("127.0.0.0/8")

    assert refusal("http://127.0.0.1:6379/", policy=policy).code == "port_denied"
    assert refusal("http://redis:6379/", policy=policy).code == "port_denied"
    assert refusal("http://127.1/", policy=policy).code == "host_numeric"
    assert refusal("http://2130706433/", policy=policy).code == "host_numeric"


# Ourselves and our bins


def test_a_bin_of_our_own_receiver_is_a_target_although_its_address_is_loopback() -> None:
    target = check_url(BIN, policy=TargetPolicy(base_url=BASE_URL))

    assert target.is_bin
    assert target == Target(BIN, BIN, "http", "127.0.0.1", 8000, "/in/AbCdEfGhIjKlMnOpQr_-19", is_bin=True)


@pytest.mark.parametrize("base_url", ["http://localhost:8000/", "http://hookyard:81", "https://hooks.example.com/yard"])
def test_a_bin_is_recognised_under_any_base_url(base_url: str) -> None:
    url = f"{base_url.rstrip('/')}/in/{'a' * 22}"

    assert check_url(url, policy=TargetPolicy(base_url=base_url)).is_bin


@pytest.mark.parametrize(
    "url",
    [
        f"{BIN}/",
        f"{BIN}?x=1",
        f"{BIN}a",
        BIN[:-1],
        f"{BASE_URL}/in/",
        f"{BASE_URL}/x{BIN.removeprefix(BASE_URL)}",
        f"{BASE_URL}/in/../admin/aaaaaaaaaaaaa",
        f"{BASE_URL}/in/{'.' * 22}",
        BIN.replace("8000", "8001"),
        BIN.replace("127.0.0.1", "127.0.0.2"),
        BIN.replace("http:", "HTTP:"),
    ],
)
def test_what_only_resembles_a_bin_gets_no_exception(url: str) -> None:
    assert refusal(url, policy=TargetPolicy(base_url=BASE_URL)).code == "address_denied"


def test_a_line_break_after_a_bin_is_still_a_control_character() -> None:
    assert refusal(f"{BIN}\n", policy=TargetPolicy(base_url=BASE_URL)).code == "url_control"


def test_a_bin_is_no_exception_to_https_only() -> None:
    assert refusal(BIN, policy=TargetPolicy(base_url=BASE_URL, allow_http=False)).code == "url_scheme"


def test_without_a_base_url_there_is_no_bin() -> None:
    assert refusal(BIN).code == "address_denied"


@pytest.mark.parametrize("path", ["/", "/api/v1/events", "/in/short"])
def test_our_own_host_and_port_are_refused(path: str) -> None:
    policy = TargetPolicy(base_url="https://Hooks.Example.com")

    assert refusal(f"https://hooks.example.com{path}", policy=policy).code == "self_target"
    assert refusal(f"https://hooks.example.com.:443{path}", policy=policy).code == "self_target"
    assert check_url(f"https://hooks.example.com:8443{path}", policy=policy).port == 8443


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_no_spelling_of_loopback_hides_a_delivery_loop(host: str) -> None:
    policy = opened("127.0.0.0/8", "::1/128", base_url="http://127.0.0.1:8000")

    assert refusal(f"http://{host}:8000/", policy=policy).code == "self_target"
    assert check_url(f"http://{host}:8001/", policy=policy).port == 8001


def test_a_malformed_base_url_is_refused_when_the_policy_is_built() -> None:
    with pytest.raises(Refused):
        TargetPolicy(base_url="localhost:8000")


def test_equal_policies_are_one_key_and_different_ones_do_not_share_verdicts() -> None:
    assert TargetPolicy(base_url=BASE_URL) == TargetPolicy(base_url=BASE_URL)
    assert check_url("http://10.0.0.1/", policy=opened("10.0.0.0/8")).host == "10.0.0.1"
    assert refusal("http://10.0.0.1/", policy=DEFAULT).code == "address_denied"


# The second net, and the words for people


@pytest.mark.parametrize(
    ("canonical", "host", "port"),
    [
        ("http://example.com/", "example.org", 80),
        ("http://example.com:8080/", "example.com", 80),
        ("http://[::1/", "::1", 80),
        ("http://example.com:99999/", "example.com", 80),
    ],
)
def test_a_reading_that_other_parsers_do_not_share_is_refused(canonical: str, host: str, port: int) -> None:
    with pytest.raises(Refused) as caught:
        targets._check_parsers(canonical, scheme="http", host=host, port=port)

    assert caught.value.code == "url_ambiguous"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("example.com", "example.com"),
        ("xn--fa-hia.de", "fa\u00df.de"),
        ("www.xn--mller-kva.example", "www.m\u00fcller.example"),
        ("8.8.8.8", "8.8.8.8"),
        ("2606:4700::1111", "2606:4700::1111"),
        ("xn--a", "xn--a"),
        ("", ""),
    ],
)
def test_a_host_is_shown_to_people_in_unicode(host: str, shown: str) -> None:
    assert display_host(host) == shown


@pytest.mark.parametrize(
    ("host", "address"),
    [("2130706433", "127.0.0.1"), ("127.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("0300.0250.1.1", "192.168.1.1")],
)
def test_an_address_in_disguise_is_named_and_no_way_round(host: str, address: str) -> None:
    with pytest.raises(Refused) as caught:
        check_url(f"http://{host}/", policy=TargetPolicy())

    assert caught.value.message.startswith(f"This is {address} in disguise, which is refused too")


def test_a_public_address_in_disguise_is_written_out() -> None:
    with pytest.raises(Refused, match=r"write four numbers from 0 to 255: 1\.1\.1\.1\."):
        check_url("http://16843009/", policy=TargetPolicy())
