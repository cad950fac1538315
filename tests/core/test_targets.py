"""What URL a hook may have: the bad targets by code, the good ones, what an operator opens, and our own bins."""

from __future__ import annotations

import socket

import pytest

from console.core import targets
from console.core.errors import Refused
from console.core.targets import TargetPolicy, check_url, display_host

DEFAULT = TargetPolicy()
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
