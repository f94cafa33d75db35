import ssl

import httpcore
import httpx
import pytest

from platforms.http.addresses import AllowedHosts
from platforms.http.guard import AddressForbidden, GuardedBackend, GuardedTransport
from tests.media.hostile import JPEG, PUBLIC, PUBLIC_V6, HostileServer, Internet, answer


async def test_only_the_public_ones_of_mixed_addresses_are_connected_to(internet: Internet) -> None:
    internet.knows("mixed.test", ["10.0.0.1", PUBLIC_V6, "127.0.0.1", PUBLIC])
    internet.unreachable = {PUBLIC_V6}
    backend = GuardedBackend(AllowedHosts([]), names=internet, network=internet)
    stream = await backend.connect_tcp("mixed.test", 80, timeout=5)
    await stream.aclose()
    assert internet.connected == [PUBLIC_V6, PUBLIC]


async def test_the_last_failure_is_reported_when_no_address_answers(internet: Internet) -> None:
    internet.knows("down.test", [PUBLIC_V6, PUBLIC])
    internet.unreachable = {PUBLIC_V6, PUBLIC}
    backend = GuardedBackend(AllowedHosts([]), names=internet, network=internet)
    with pytest.raises(httpcore.ConnectError):
        await backend.connect_tcp("down.test", 80)


async def test_unix_sockets_are_refused(internet: Internet) -> None:
    with pytest.raises(AddressForbidden):
        await GuardedBackend(AllowedHosts([])).connect_unix_socket("/run/docker.sock")


async def test_an_httpx_client_is_guarded_with_the_real_resolver_and_sockets(server: HostileServer) -> None:
    server.routes["/a"] = answer(JPEG)
    async with httpx.AsyncClient(transport=GuardedTransport(AllowedHosts([])), trust_env=False) as client:
        for host in ("localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "2130706433"):
            with pytest.raises(AddressForbidden):
                await client.get(f"http://{host}:{server.port}/a")
    assert server.requests == []
    allowed = AllowedHosts([f"localhost:{server.port}"])
    async with httpx.AsyncClient(transport=GuardedTransport(allowed), trust_env=False) as client:
        assert (await client.get(f"http://localhost:{server.port}/a")).content == JPEG


async def test_the_name_in_the_certificate_is_still_the_urls(internet: Internet) -> None:
    seen: list[str | None] = []

    class Stream(httpcore.AsyncMockStream):
        async def start_tls(
            self,
            ssl_context: ssl.SSLContext,
            server_hostname: str | None = None,
            timeout: float | None = None,  # noqa: ASYNC109
        ) -> httpcore.AsyncNetworkStream:
            seen.append(server_hostname)
            assert ssl_context.verify_mode is ssl.CERT_REQUIRED
            return self

        def get_extra_info(self, info: str) -> None:
            return None

    class Network(Internet):
        async def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
            self.connected.append(host)
            return Stream([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])

    network = Network(HostileServer())
    network.knows("cdn.test", [PUBLIC])
    transport = GuardedTransport(AllowedHosts([]), names=network, network=network)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        await client.get("https://cdn.test/a.jpg")
    assert (network.connected, seen) == ([PUBLIC], ["cdn.test"])
