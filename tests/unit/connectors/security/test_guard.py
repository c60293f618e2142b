"""The guard: what is dialled is what was judged, in every notation that an attacker could pick."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from connectors.errors import ConnectFailed
from connectors.security.guard import (
    NEVER_ADVICE,
    embedded_ipv4,
    is_judged_behind_proxy,
    never_allowed,
    refusal,
    resolve,
)

ALWAYS_REFUSED = [
    ("169.254.169.254", "metadata"),
    ("169.254.0.1", "link-local"),
    ("169.254.170.2", "link-local"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::254%1", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fe80::1", "link-local"),
    ("fe80::1%1", "link-local"),
    ("fe80::a9fe:a9fe", "link-local"),
    ("febf:ffff::1", "link-local"),
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("ff02::1", "multicast"),
    ("255.255.255.255", "broadcast"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:a9fe:a9fe", "metadata"),
    ("::169.254.169.254", "metadata"),
    ("::ffff:0:169.254.169.254", "metadata"),
    ("::ffff:0.0.0.0", "unspecified"),
    ("::ffff:224.0.0.1", "multicast"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b:1::169.254.169.254", "metadata"),
    ("64:ff9b:1:a9fe:00a9:fe00::", "metadata"),  # /48
    ("64:ff9b:1:a9fe:ffa9:fe00::", "metadata"),  # /48, whatever octet 8 holds
    ("64:ff9b:1:00a9:00fe:a9fe::", "metadata"),  # /56
    ("64:ff9b:1:0:00a9:fea9:fe00:0", "metadata"),  # /64
    ("2002:a9fe:a9fe::", "metadata"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:0:0::1", "unspecified"),
    ("2001:0:4136:e378:8000:63bf:5601:5601", "metadata"),  # Teredo client, bits inverted
    ("2001:db8::5efe:169.254.169.254", "metadata"),  # ISATAP
    ("2001:db8::200:5efe:169.254.169.254", "metadata"),
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.0.9",
    "100.64.0.1",
    "198.18.0.1",
    "240.0.0.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "fd00::5efe:8.8.8.8",
    "2600::5efe:10.0.0.1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("10.20.3.4", False),
        ("::ffff:10.20.3.4", False),
        ("10.21.0.1", True),
        ("127.0.0.1", True),
        ("fd00:1::5", False),
        ("fd00:2::5", True),
        ("169.254.169.254", True),
        ("fd00:ec2::254", True),
        ("8.8.8.8", False),
    ],
)
def test_an_administrator_may_allow_some_networks(text: str, refused: bool) -> None:
    networks = ("10.20.0.0/16", "fd00:1::/32", "169.254.0.0/16", "fd00:ec2::/32")
    assert (refusal(ip_address(text), allow_private=networks) is not None) is refused


@pytest.mark.parametrize("allow_private", [True, False])
@pytest.mark.parametrize(("text", "why"), ALWAYS_REFUSED)
def test_is_never_dialled(text: str, why: str, allow_private: bool) -> None:
    reason = refusal(ip_address(text), allow_private=allow_private)
    assert reason is not None
    assert why in reason


@pytest.mark.parametrize("text", PRIVATE)
def test_private_needs_the_flag(text: str) -> None:
    assert refusal(ip_address(text), allow_private=False) == "a private address"
    assert refusal(ip_address(text), allow_private=True) is None


@pytest.mark.parametrize(
    "text",
    ["64:ff9b:1:c000:2:2100::", "64:ff9b:1:c0:0:221::", "64:ff9b:1:0:c0:2:2100:0", "64:ff9b:1::192.0.2.33"],
    ids=["/48", "/56", "/64", "/96"],
)
def test_the_ipv4_address_of_each_prefix_is_found_to_its_last_bit(text: str) -> None:
    """RFC 6052, 2.4, with the local prefix."""
    assert ip_address("192.0.2.33") in embedded_ipv4(ip_address(text))


def test_only_the_two_identifiers_of_isatap_hold_an_address() -> None:
    for word in ("5efe", "200:5efe"):
        assert embedded_ipv4(ip_address(f"2606:4700::{word}:10.0.0.1")) == (ip_address("10.0.0.1"),)
    for word in ("5eff", "200:5eff", "5efd", "201:5efe"):
        assert embedded_ipv4(ip_address(f"2606:4700::{word}:10.0.0.1")) == ()


@pytest.mark.parametrize("text", PUBLIC)
def test_public_passes_without_the_flag(text: str) -> None:
    assert refusal(ip_address(text), allow_private=False) is None


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::1]",
        "::1",
        "[::ffff:127.0.0.1]",
    ],
)
def test_every_spelling_of_loopback_is_private(spelling: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        resolve(spelling, 80, allow_private=False)
    assert caught.value.code == "address_blocked"
    assert "administrator" in caught.value.advice
    assert resolve(spelling, 80, allow_private=True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (
            "http://169.254.169.254/v1",
            "the address '169.254.169.254' is a cloud metadata address; no setting allows",
        ),
        ("ws://0xa9fea9fe:8080", "the address '0xa9fea9fe' is 169.254.169.254: a cloud metadata address;"),
        ("https://[::ffff:169.254.169.254]", "a cloud metadata address"),
        ("http://[fe80::1]:80/", "the address 'fe80::1' is a link-local address"),
        ("http://0.0.0.0:8000", "an unspecified address"),
        ("grpc://224.0.0.1:50051", "a multicast address"),
        ("http://127.0.0.1:8000", ""),
        ("http://10.0.0.1", ""),
        ("http://[::1]:8000", ""),
        ("http://169.254.169.254.example", ""),
        ("https://api.example", ""),
    ],
)
def test_what_no_setting_allows_is_certain_only_of_an_address(url: str, says: str) -> None:
    found = never_allowed(url)
    assert says in found and bool(found) is bool(says)


@pytest.mark.parametrize(
    "spelling",
    [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[::ffff:a9fe:a9fe]",
        "0",
        "0.0.0.0",
        "[::]",
        "[fe80::1%25lo]",
        "[fe80::1%lo]",
    ],
)
def test_every_spelling_of_a_forbidden_address_fails(spelling: str) -> None:
    with pytest.raises(ConnectFailed) as caught:
        resolve(spelling, 80, allow_private=True)
    assert caught.value.code in {"address_blocked", "dns_failed"}
    assert caught.value.advice


@pytest.mark.parametrize("text", ["169.254.169.254", "169.254.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255"])
def test_nobody_is_told_to_allow_what_is_never_allowed(text: str) -> None:
    for allow_private in (False, True):
        with pytest.raises(ConnectFailed) as caught:
            resolve(text, 80, allow_private=allow_private)
        assert (caught.value.code, caught.value.advice) == ("address_blocked", NEVER_ADVICE)


@pytest.mark.parametrize("allow_private", [True, False, ("10.0.0.0/8",)])
def test_behind_a_proxy_an_address_is_always_judged_and_a_name_unless_all_is_allowed(
    allow_private: bool | tuple[str, ...],
) -> None:
    for address in ("127.0.0.1", "0x7f000001", "[::1]", "169.254.169.254"):
        assert is_judged_behind_proxy(address, allow_private)
    assert is_judged_behind_proxy("chat.internal", allow_private) is (allow_private is not True)
