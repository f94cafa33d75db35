"""The public address of the machine itself, which its firewall does not protect from it."""

import subprocess
import sys
from ipaddress import ip_network

import pytest

from platforms.http.addresses import AllowedHosts, is_own
from platforms.http.guard import AddressForbidden, GuardedBackend, PortForbidden
from tests.media.hostile import PUBLIC, PUBLIC_V6, Internet
from tests.platforms.http.own_machine import NO_NAMESPACE


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
