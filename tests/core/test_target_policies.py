"""What an operator allows and forbids beyond the rules: nets, plain http, bins of our own receiver, our own address."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from console.core.addresses import AddressPolicy
from console.core.errors import Refused
from console.core.targets import Target, TargetPolicy, check_url

DEFAULT = TargetPolicy()
BASE_URL = "http://127.0.0.1:8000"
BIN = f"{BASE_URL}/in/AbCdEfGhIjKlMnOpQr_-19"


def opened(*cidrs: str, base_url: str = "", allow_http: bool = True) -> TargetPolicy:
    addresses = AddressPolicy(tuple(ip_network(cidr) for cidr in cidrs))
    return TargetPolicy(addresses=addresses, base_url=base_url, allow_http=allow_http)


def refusal(url: object, *, policy: TargetPolicy = DEFAULT) -> Refused:
    with pytest.raises(Refused) as caught:
        check_url(url, policy=policy)
    return caught.value


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


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.9.1",
        "localhost",
        "LOCALHOST.",
        "foo.localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",  # noqa: S104 a target, and refused
        "[::]",
    ],
)
def test_no_spelling_of_this_machine_hides_a_delivery_loop(base_url: str, host: str) -> None:
    policy = opened("127.0.0.0/8", "::1/128", "::ffff:127.0.0.0/104", "0.0.0.0/8", "::/128", base_url=base_url)

    assert refusal(f"http://{host}:8000/", policy=policy).code == "self_target"
    assert check_url(f"http://{host}:8001/", policy=policy).port == 8001


def test_a_mapped_address_of_our_own_is_ourselves() -> None:
    policy = opened("10.0.0.0/8", base_url="http://10.0.0.7:8000")

    assert refusal("http://[::ffff:10.0.0.7]:8000/", policy=policy).code == "self_target"
    assert check_url("http://[::ffff:10.0.0.8]:8000/", policy=policy).host == "::ffff:10.0.0.8"


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
