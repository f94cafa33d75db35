"""Servers of the internet, including malicious ones, on one loopback port."""

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:2800:220:1:248:1893:25c8:1946"


def jpeg(width: int = 64, height: int = 48) -> bytes:
    """Return a small photo."""
    out = BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(out, "JPEG")
    return out.getvalue()


JPEG = jpeg()
MP4_HEAD = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Answer:
    """Answer with a body whose Content-Length may lie."""

    async def write(writer: asyncio.StreamWriter) -> None:
        size = len(body) if length is None else length
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", "Connection: close", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return write


def redirect(location: str, status: str = "302 Found") -> Answer:
    """Redirect the client to another address."""
    return answer(b"", f"Location: {location}", status=status)


def endless(head: bytes, piece: bytes = bytes(64 * 1024), pause: float = 0) -> Answer:
    """Send a body without end, after a plausible beginning."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return write


def slow(body: bytes, may_end: asyncio.Event, *, has_length: bool = True) -> Answer:
    """Send the beginning of a body, and the rest once the test allows it."""

    async def write(writer: asyncio.StreamWriter) -> None:
        length = f"Content-Length: {len(body)}\r\n" if has_length else ""
        writer.write(f"HTTP/1.1 200 OK\r\n{length}Connection: close\r\n\r\n".encode() + body[:64])
        await writer.drain()
        await may_end.wait()
        writer.write(body[64:])
        await writer.drain()

    return write


def generated(pieces: Sequence[bytes]) -> Answer:
    """Send a body that is never joined in memory."""

    async def write(writer: asyncio.StreamWriter) -> None:
        length = sum(len(piece) for piece in pieces)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n".encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return write


def bomb(mebibytes: int, head: bytes = JPEG) -> Answer:
    """Send a file's beginning and then zeros, compressed to a thousandth."""
    return answer(gzip_bomb(mebibytes, head), "Content-Encoding: gzip")


def gzip_bomb(mebibytes: int, head: bytes = b"") -> bytes:
    """Return a head and zeros as gzip without its end, which no reader may get to."""
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    # Nothing refers across a full flush, so that one packed mebibyte can be repeated.
    return packed + (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)) * mebibytes


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            await writer.wait_closed()


async def drops(writer: asyncio.StreamWriter) -> None:
    """Close the connection without a response."""


def self_signed(folder: Path, name: str) -> ssl.SSLContext:
    """Return a TLS server's context with a certificate that it gave itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(secret + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


TLS_HANDSHAKE = b"\x16"
"""The first bytes of a client that expects TLS from a plaintext server: it would wait for the server's hello."""


@dataclass
class HostileServer:
    """A server that answers by path and records its requests."""

    routes: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        try:
            if (first := await reader.readexactly(1)) == TLS_HANDSHAKE:
                return
            head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            path = head.split(" ", 2)[1].partition("?")[0]
            await self.routes.get(path, answer(b"gone", status="404 Not Found"))(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["HostileServer"]:
        """Listen on a free port of 127.0.0.1."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self


class Internet(httpcore.AsyncNetworkBackend):
    """A resolver with a table of names, which connects every address to the hostile server and records connections.

    A name with several answers gives one after the other: that is DNS rebinding.
    """

    def __init__(self, server: HostileServer) -> None:
        self._server = server
        self._real = httpcore.AnyIOBackend()
        self.names: dict[str, list[Sequence[str]]] = {}
        self.unreachable: set[str] = set()
        self.connected: list[str] = []

    def knows(self, name: str, *answers: Sequence[str]) -> None:
        """Set the answers of a name; the last one is repeated."""
        self.names[name] = list(answers)

    def forget(self, host: str) -> None:
        """Resolve every name again at each connection, without a cache."""

    async def resolve(self, host: str) -> Sequence[str]:
        """Answer as a resolver does; a name outside the table is an address or does not exist."""
        answers = self.names.get(host)
        if answers is None:
            return [str(info[4][0]) for info in socket.getaddrinfo(host, 0, flags=socket.AI_NUMERICHOST)]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the hostile server instead."""
        self.connected.append(host)
        if host in self.unreachable:
            raise httpcore.ConnectError("no route")
        return await self._real.connect_tcp("127.0.0.1", self._server.port, timeout)
