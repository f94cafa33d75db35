"""Untrusted addresses: which are public, allowed or this machine's own."""

import subprocess
import sys
from ipaddress import ip_network

import pytest

from platforms.http.addresses import AllowedHosts, is_own, is_plain_host, is_public
from platforms.http.guard import AddressForbidden, GuardedBackend, PortForbidden
from tests.media.hostile import PUBLIC, PUBLIC_V6, Internet
from tests.platforms.http.own_machine import NO_NAMESPACE


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "1.1.1.1",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "2606:2800:220:1:248:1893:25c8:1946",
        "2a00:1450:4001:82a::200e",
        "64:ff9b::5db8:d822",
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:93.184.216.34",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::5db8:d822",
        "100::1",
        "2001:0:5db8:d822::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:5db8:d822::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:2800:220:1::1%eth0",
        "fec0::1",
        "ff02::1",
        "not an address",
    ],
)
def test_other_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["cdn.test", "xn--bcher-kva.example", "1.2.3.4", "::1", "a-b_c.d.", "0x.com", "1.com"])
def test_usual_spellings_are_plain(host: str) -> None:
    assert is_plain_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "1.2.3.4.",
        "fe80::1%lo",
        "::zz",
        "a.0x1",
        "",
        ".",
    ],
)
def test_odd_spellings_of_addresses_are_refused(host: str) -> None:
    assert not is_plain_host(host)


@pytest.mark.parametrize(
    ("entries", "host", "port", "allowed"),
    [
        (["LocalHost:2583"], "localhost", 2583, True),
        (["localhost:2583"], "localhost", 2584, False),
        (["10.0.0.7:443"], "10.0.0.7", 443, True),
        (["10.0.0.7:443"], "10.0.0.71", 443, False),
        (["[FD00::7]:8080"], "fd00::7", 8080, True),
        (["[::1]:8080"], "::1", 80, False),
        (["example.test:80"], "sub.example.test", 80, False),
        (["nas.lan:80", "nas.lan:443"], "nas.lan", 443, True),
        (["nas.lan:0443"], "nas.lan", 443, True),
        (["127.0.0.1:*"], "127.0.0.1", 8088, True),
        (["127.0.0.1:*"], "127.0.0.2", 8088, False),
        (["[::1]:*"], "::1", 1, True),
        ([], "localhost", 80, False),
    ],
)
def test_a_host_is_allowed_at_the_named_port_only(entries: list[str], host: str, port: int, allowed: bool) -> None:
    assert AllowedHosts(entries).allows(host, port) is allowed


@pytest.mark.parametrize(
    "entry",
    [
        "localhost",
        "10.0.0.7",
        "::1",
        "[::1]",
        "nas.lan:",
        "nas.lan:0",
        "nas.lan:**",
        "*",
        "nas.lan:65536",
        "nas.lan:http",
        ":80",
        "http://nas.lan:80",
        "nas.lan:80/",
        "user@nas.lan:80",
        "a b:80",
        "nas.lan:80:90",
        "[nas.lan]:80",
    ],
)
def test_an_entry_without_a_port_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"is not host:port; write for example nas\.lan:8443"):
        AllowedHosts(["good.test:80", entry])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has namespaces")
def test_no_connection_reaches_the_own_machine() -> None:
    """An open and a closed port are refused with the same words, and nothing arrives at the open one."""
    program = [sys.executable, "-m", "tests.platforms.http.own_machine"]
    run = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    if run.returncode == NO_NAMESPACE:
        pytest.skip("this machine allows no namespaces")
    refused = "AddressForbidden PortForbidden AddressForbidden AddressForbidden connected 0"
    assert run.stdout.splitlines() == [refused, refused], run.stderr


@pytest.mark.parametrize(("address", "own"), [("127.0.0.1", True), ("::1", True), (PUBLIC, False), (PUBLIC_V6, False)])
def test_own_addresses_are_known_without_a_connection(address: str, own: bool) -> None:
    assert is_own(address) is own


@pytest.mark.parametrize("port", [1, 22, 25, 81, 445, 1023])
async def test_ports_of_other_services_are_closed(internet: Internet, port: int) -> None:
    with pytest.raises(PortForbidden, match=f"port {port} "):
        await GuardedBackend(AllowedHosts([]), names=internet, network=internet).connect_tcp("cdn.test", port)
    allowed = GuardedBackend(AllowedHosts([f"cdn.test:{port}"]), names=internet, network=internet)
    await (await allowed.connect_tcp("cdn.test", port)).aclose()
    assert internet.connected == [PUBLIC]


@pytest.mark.parametrize("port", [80, 443, 1024, 3000, 8443, 65535])
async def test_ports_of_public_servers_are_open(internet: Internet, port: int) -> None:
    await (
        await GuardedBackend(AllowedHosts([]), names=internet, network=internet).connect_tcp("cdn.test", port)
    ).aclose()
    assert internet.connected == [PUBLIC]


@pytest.mark.parametrize(
    ("address", "network"),
    [(PUBLIC, "93.184.216.0/24"), (PUBLIC_V6, "2606:2800::/32"), ("64:ff9b::5db8:d822", "93.184.216.34/32")],
)
async def test_the_operator_can_forbid_networks(internet: Internet, address: str, network: str) -> None:
    internet.knows("intern.test", [address])
    forbidden = [ip_network("198.51.100.0/24"), ip_network(network)]
    closed = GuardedBackend(AllowedHosts([]), names=internet, network=internet, forbidden=forbidden)
    with pytest.raises(AddressForbidden):
        await closed.connect_tcp("intern.test", 443)
    assert internet.connected == []
    hosts = AllowedHosts(["intern.test:443"])
    allowed = GuardedBackend(hosts, names=internet, network=internet, forbidden=forbidden)
    await (await allowed.connect_tcp("intern.test", 443)).aclose()
