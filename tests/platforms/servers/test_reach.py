"""Accounts may name any server, including an address that is not a server."""

from functools import partial

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.http.guard import GuardedTransport
from platforms.http.wire import Wire
from platforms.mastodon.rules import FLAGSHIP, MastodonCredentials
from platforms.registry import platforms
from platforms.servers.outgoing import Outgoing
from platforms.servers.reach import FORBIDDEN, Reach, Servers, to_named_servers
from tests.media.hostile import PUBLIC, HostileServer, Internet, answer, redirect


def credentials(instance: str) -> MastodonCredentials:
    return MastodonCredentials.model_validate({"instance": instance, "accessToken": "secret"})


@pytest.mark.parametrize(
    "instance",
    [
        "http://127.0.0.1",
        "https://127.0.0.1",
        "https://[::1]",
        "https://localhost",
        "https://169.254.169.254",
        "https://metadata.google.internal",
        "https://10.0.0.7:8080",
        "https://2130706433",
        "https://0x7f000001",
        "https://[::ffff:127.0.0.1]",
        "https://rebinding.test",
        "http://social.test",
    ],
)
async def test_a_hostile_instance_is_never_called(instance: str) -> None:
    async with HostileServer().running() as server:
        internet = Internet(server)
        internet.knows("localhost", ["127.0.0.1", "::1"])
        internet.knows("metadata.google.internal", ["169.254.169.254"])
        internet.knows("rebinding.test", ["127.0.0.1"])
        internet.knows("social.test", [PUBLIC])
        transport = partial(GuardedTransport, names=internet, network=internet)
        url = Servers().reach(platforms()["mastodon"], credentials(instance)).url
        async with httpx.AsyncClient(transport=to_named_servers([], transport)) as client:
            with pytest.raises(PlatformError) as caught:
                await client.get(f"{url}/api/v1/accounts/verify_credentials", headers={"Authorization": "secret"})
        assert (caught.value.kind, caught.value.code) == (ErrorKind.REJECTED, FORBIDDEN)
        assert "secret" not in caught.value.message
        assert internet.connected == []
        assert server.requests == []


async def test_the_operator_can_allow_a_host_with_plain_http() -> None:
    async with HostileServer().running() as server:
        server.routes["/a"] = answer(b"{}")
        async with httpx.AsyncClient(transport=to_named_servers([f"127.0.0.1:{server.port}"])) as client:
            assert (await client.get(f"http://127.0.0.1:{server.port}/a")).status_code == httpx.codes.OK


async def test_only_the_port_that_is_allowed_is_open() -> None:
    async with HostileServer().running() as server:
        async with httpx.AsyncClient(transport=to_named_servers([f"127.0.0.1:{server.port + 1}"])) as client:
            with pytest.raises(PlatformError):
                await client.get(f"http://127.0.0.1:{server.port}/a")
        assert server.requests == []


async def test_a_redirect_is_not_followed() -> None:
    async with HostileServer().running() as server:
        server.routes["/a"] = redirect("http://169.254.169.254/latest/meta-data/")
        async with httpx.AsyncClient(transport=to_named_servers([f"127.0.0.1:{server.port}"])) as client:
            assert (await client.get(f"http://127.0.0.1:{server.port}/a")).status_code == httpx.codes.FOUND


SANDBOX = "http://127.0.0.1:9"
LOCAL = "http://localhost:3000"


@pytest.mark.parametrize(
    ("servers", "instance", "reached"),
    [
        (Servers(), "https://social.test", Reach("https://social.test", named=True, is_trusted=False)),
        (Servers(), FLAGSHIP, Reach(FLAGSHIP, named=False)),
        (Servers({"mastodon": SANDBOX}), "https://social.test", Reach(SANDBOX, named=False)),
        (Servers({"mastodon": SANDBOX}, None, ["localhost:3000"]), LOCAL, Reach(SANDBOX, named=False)),
        (Servers(None, SANDBOX), "https://social.test", Reach(f"{SANDBOX}/mastodon", named=False, is_trusted=False)),
        # Both addresses are refused when they are called.
        (Servers(None, SANDBOX), LOCAL, Reach(LOCAL, named=True, is_trusted=False)),
        (Servers(None, SANDBOX, ["localhost:3001"]), LOCAL, Reach(LOCAL, named=True, is_trusted=False)),
        (Servers(None, SANDBOX, ["localhost:3000"]), LOCAL, Reach(LOCAL, named=True, is_trusted=False)),
    ],
)
def test_servers_set_by_the_operator_are_trusted_and_those_of_accounts_are_not(
    servers: Servers, instance: str, reached: Reach
) -> None:
    assert servers.reach(platforms()["mastodon"], credentials(instance)) == reached


@pytest.mark.parametrize(
    ("servers", "instance", "is_played"),
    [
        (Servers(None, SANDBOX), "https://social.test", True),
        (Servers(None, SANDBOX), FLAGSHIP, True),
        (Servers(None, SANDBOX, ["social.test:443"]), "https://social.test", False),
        (Servers(None, SANDBOX), LOCAL, False),
        (Servers({"mastodon": "http://127.0.0.1:8"}, SANDBOX), FLAGSHIP, False),
        (Servers(), FLAGSHIP, False),
    ],
)
def test_sandbox_plays_the_servers_that_are_not_reached_elsewhere(
    servers: Servers, instance: str, is_played: bool
) -> None:
    assert servers.is_played(platforms()["mastodon"], credentials(instance)) is is_played


PLC, INDEX = "https://plc.directory", "https://public.api.bsky.app"
OWN = {"identifier": "ann.test", "password": "secret", "service": "https://pds.test"}


@pytest.mark.parametrize(
    ("servers", "elsewhere"),
    [
        (Servers(), {}),
        (Servers({PLC: "http://localhost:2582"}), {PLC: "http://localhost:2582"}),
        (Servers({PLC: "http://localhost:2582"}, SANDBOX, ["pds.test:443"]), {PLC: "http://localhost:2582"}),
        (Servers(None, SANDBOX), {PLC: f"{SANDBOX}/bluesky", INDEX: f"{SANDBOX}/bluesky"}),
        (Servers(None, SANDBOX, ["pds.test:443"]), {}),
    ],
)
def test_directory_and_index_are_the_real_ones_unless_a_sandbox_plays_the_server(
    servers: Servers, elsewhere: dict[str, str]
) -> None:
    bluesky = platforms()["bluesky"]
    reached = servers.reach(bluesky, bluesky.credentials.model_validate(OWN))
    assert (reached.is_trusted, reached.elsewhere) == (False, elsewhere)


def test_operators_directory_is_asked_for_accounts_that_are_not_known_yet() -> None:
    bluesky = platforms()["bluesky"]
    played = f"{SANDBOX}/bluesky"
    lookup = bluesky.credentials.model_validate({**OWN, "service": INDEX})
    servers = Servers({PLC: "http://localhost:2582"}, SANDBOX, ["pds.test:443"])
    reached = servers.reach(bluesky, lookup)
    assert (reached.url, reached.elsewhere) == (played, {PLC: "http://localhost:2582", INDEX: played})
    account = bluesky.credentials.model_validate({**OWN, "service": "https://other.test"})
    assert servers.reach(bluesky, account).elsewhere == {PLC: played, INDEX: played}


def wire_to(servers: Servers, transport: httpx.AsyncBaseTransport, service: str) -> Wire:
    bluesky = platforms()["bluesky"]
    reached = servers.reach(bluesky, bluesky.credentials.model_validate({**OWN, "service": service}))
    return Wire(transport, reached.url, "Test", bluesky.read_error, elsewhere=reached.elsewhere)


async def test_further_host_of_the_operator_needs_no_other_setting() -> None:
    async with HostileServer().running() as server:
        server.routes["/did:plc:abc"] = answer(b"{}")
        directory = f"http://127.0.0.1:{server.port}"
        servers = Servers({PLC: directory})
        async with Outgoing(servers).to_named_servers() as transport:
            wire = wire_to(servers, transport, "https://pds.test")
            assert (await wire.send("GET", f"{wire.host(PLC)}/did:plc:abc")).status_code == httpx.codes.OK
            # An account that names the directory as its server gets nothing from it.
            wire = wire_to(servers, transport, directory)
            for path in ("/did:plc:abc", f"{directory}/did:plc:abc", f"{wire.host(PLC)}/did:plc:abc"):
                with pytest.raises(PlatformError) as caught:
                    await wire.send("GET", path)
                assert caught.value.code == FORBIDDEN
                assert f"not called: 127.0.0.1:{server.port} is named with http" in caught.value.message
        assert len(server.requests) == 1


async def test_refusal_names_host_and_port() -> None:
    async with Outgoing(Servers()).to_named_servers() as transport:
        with pytest.raises(PlatformError) as caught:
            await wire_to(Servers(), transport, "https://localhost:8443").send("GET", "/xrpc/any")
    assert "not called: localhost:8443 is not on the public internet" in caught.value.message


def test_the_platforms_own_server_is_trusted() -> None:
    bluesky = platforms()["bluesky"]
    assert Servers().reach(bluesky, bluesky.credentials.model_validate({**OWN, "service": bluesky.base_url})).is_trusted
    assert Servers({"bluesky": SANDBOX}).reach(bluesky, bluesky.credentials.model_validate(OWN)).is_trusted
