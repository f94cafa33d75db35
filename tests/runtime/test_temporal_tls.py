"""Temporal is reached with TLS, a client's certificate or an API key by Temporal's own variables."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.testing import WorkflowEnvironment

from runtime.temporal import open_client
from store.secrets.secret_values import SECRETS
from tests.certificates import Authority


@asynccontextmanager
async def tls_before(address: str, authority: Authority, *, asks_for_certificate: bool) -> AsyncIterator[str]:
    """Serve TLS before Temporal's development server, which has none; yield the address."""
    own = authority.sign("server", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    context.set_alpn_protocols(["h2"])
    if asks_for_certificate:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED
    host, _, port = address.rpartition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(host, int(port))
        await asyncio.gather(forward(reader, to_server), forward(from_server, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(autouse=True)
def no_file_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)


async def reaches_temporal(address: str) -> bool:
    """Return whether a client of a process can use the server by the environment."""
    client = await open_client(address=address, attempts=1)
    answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return bool(answer.namespace_info.name == client.namespace)


async def test_a_client_shows_its_certificate(
    temporal: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    client = authority.sign("worker")
    target = str(temporal.client.service_client.config.target_host).replace("localhost", "127.0.0.1")
    async with tls_before(target, authority, asks_for_certificate=True) as address:
        monkeypatch.setenv("TEMPORAL_TLS", "true")
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(authority.file))
        with pytest.raises(RuntimeError):
            await reaches_temporal(address)
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(client.certificate))
        monkeypatch.setenv("TEMPORAL_TLS_CLIENT_KEY_PATH", str(client.key))
        assert await reaches_temporal(address)
        folder = tmp_path / "other"
        folder.mkdir()
        monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(Authority(folder).file))
        with pytest.raises(RuntimeError):
            await reaches_temporal(address)


async def test_an_api_key_is_sent_encrypted_and_masked(
    temporal: WorkflowEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    target = str(temporal.client.service_client.config.target_host).replace("localhost", "127.0.0.1")
    monkeypatch.setenv("TEMPORAL_API_KEY", "key-of-the-namespace-0123456789")
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", str(authority.file))
    async with tls_before(target, authority, asks_for_certificate=False) as address:
        assert await reaches_temporal(address)
        client = await open_client(address=address, attempts=1)
        assert client.service_client.config.api_key == "key-of-the-namespace-0123456789"
    assert "key-of-the-namespace" not in SECRETS.mask("refused key-of-the-namespace-0123456789")
    with pytest.raises(RuntimeError):
        # The key switches TLS on, so it is not sent to a server without.
        await reaches_temporal(target)
