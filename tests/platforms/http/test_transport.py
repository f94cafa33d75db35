"""Requests to correct and faulty servers, on both event loops."""

import asyncio
import contextlib
import os
import socket
import socketserver
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from platforms.http.transport import Transport
from tests.media.hostile import self_signed
from tests.platforms.http.loops import Run

Serve = Callable[[socket.socket, int], None]
Speech = tuple[str, ssl.SSLContext | None, ssl.SSLContext | None]

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


@contextmanager
def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[int]]]:
    """Serve connections in threads; yields the port, and a list that holds a number for each connection."""
    connections: list[int] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connections.append(len(connections) + 1)
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                if tls is None:
                    serve(self.request, connections[-1])
                    return
                with tls.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False) as secure:
                    secure.do_handshake()
                    serve(secure, connections[-1])

    class Server(socketserver.ThreadingTCPServer):
        request_queue_size = 128
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address[1], connections
        finally:
            # Without it, the thread would ask the closed socket again and again, for as long as the process lives.
            server.shutdown()


def ask(connection: socket.socket) -> bytes:
    """Read a request's head; empty if the client has closed."""
    read = b""
    while b"\r\n\r\n" not in read and (piece := connection.recv(65536)):
        read += piece
    return read


def forward(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until either end has closed."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)


def answers(connection: socket.socket, _: int) -> None:
    while ask(connection):
        connection.sendall(FINE)


def answers_once(connection: socket.socket, _: int) -> None:
    ask(connection)
    connection.sendall(FINE)


def test_a_connection_is_used_again(run: Run) -> None:
    async def scenario(port: int) -> list[str]:
        async with httpx.AsyncClient(transport=Transport()) as client:
            return [(await client.post(f"http://127.0.0.1:{port}/", json={})).text for _ in range(3)]

    with serving(answers) as (port, connections):
        assert run(scenario(port)) == ["fine"] * 3
    assert len(connections) == 1


@pytest.fixture(params=["http", "https"])
def speak(request: pytest.FixtureRequest, tmp_path: Path) -> Speech:
    """Return a scheme, the server's TLS context and a client's that trusts it."""
    if request.param == "http":
        return "http", None, None
    server = self_signed(tmp_path, "localhost")
    return "https", server, ssl.create_default_context(cafile=tmp_path / "server.pem")


@pytest.mark.parametrize("noticed", [True, False])
def test_a_connection_that_the_server_has_closed_is_not_written_to(run: Run, speak: Speech, noticed: bool) -> None:
    """Otherwise a post would be unconfirmed each time that a server closes an idle connection."""
    scheme, tls, trusting = speak

    async def scenario(port: int) -> list[str]:
        async with httpx.AsyncClient(transport=Transport(context=trusting)) as client:
            answers = []
            for _ in range(3):
                answers.append((await client.post(f"{scheme}://localhost:{port}/")).text)
                await asyncio.sleep(0.05 if noticed else 0)
                # The close arrives while no task of this event loop can read it.
                time.sleep(0 if noticed else 0.05)  # noqa: ASYNC251
            return answers

    with serving(answers_once, tls) as (port, connections):
        assert run(scenario(port)) == ["fine"] * 3
    assert len(connections) == 3


EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"


def filling(size: int) -> bytes:
    """Return a response of this length, including its head."""
    head = "HTTP/1.1 200 OK\r\nContent-Length: {:06}\r\n\r\n"
    body = size - len(head.format(0))
    return head.format(body).encode() + b"=" * body


@pytest.mark.parametrize(
    ("answer", "pause_s"),
    [
        (FINE, 0.0),
        (FINE, 0.02),
        (CHUNKED, 0.0),
        # A response that fills the read buffer of httpcore, of anyio or of the event loop to the last byte, or exceeds
        # it.
        (filling(64 * 1024), 0.0),
        (filling(256 * 1024), 0.0),
        (filling(300_000), 0.0),
    ],
)
def test_bytes_behind_an_answer_are_no_answer_to_the_next_account(
    run: Run, speak: Speech, answer: bytes, pause_s: float
) -> None:
    """Two accounts share the pool; the first one's server sends more than the response to its request."""
    scheme, tls, trusting = speak
    evil_sent = threading.Semaphore(0)

    def talks(connection: socket.socket, _: int) -> None:
        while ask(connection):
            if pause_s:
                connection.sendall(answer)
                time.sleep(pause_s)
                connection.sendall(EVIL)
            else:
                connection.sendall(answer + EVIL)
            evil_sent.release()

    async def scenario(port: int) -> list[str]:
        async with httpx.AsyncClient(transport=Transport(context=trusting)) as client:
            answers = []
            for account in range(4):
                headers = {"Authorization": f"Bearer {account}"}
                answers.append((await client.get(f"{scheme}://localhost:{port}/", headers=headers)).text)
                # Bytes that come after the next request are the answer to it, as far as anyone can tell.
                await asyncio.to_thread(evil_sent.acquire)
                await asyncio.sleep(pause_s)
            return answers

    body = "fine" if b"fine" in answer else "========="
    with serving(talks, tls) as (port, connections):
        assert [received[:9] for received in run(scenario(port))] == [body[:9]] * 4
    assert len(connections) == 4


def drops(connection: socket.socket, _: int) -> None:
    ask(connection)


def resets(connection: socket.socket, _: int) -> None:
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def breaks_off(connection: socket.socket, _: int) -> None:
    ask(connection)
    connection.sendall(FINE[:-2])


def is_silent(connection: socket.socket, _: int) -> None:
    ask(connection)
    time.sleep(1)


@pytest.mark.parametrize(
    ("serve", "error"),
    [
        (drops, httpx.RemoteProtocolError),
        (resets, httpx.ReadError),
        (breaks_off, httpx.RemoteProtocolError),
        (is_silent, httpx.ReadTimeout),
    ],
)
def test_a_lost_answer_has_its_own_error(run: Run, serve: Serve, error: type[Exception]) -> None:
    async def scenario(port: int) -> None:
        timeout = httpx.Timeout(20, read=0.2 if error is httpx.ReadTimeout else 20)
        async with httpx.AsyncClient(transport=Transport(), timeout=timeout) as client:
            with pytest.raises(error):
                await client.post(f"http://127.0.0.1:{port}/", json={})

    with serving(serve) as (port, _):
        run(scenario(port))


def test_a_write_times_out(run: Run) -> None:
    async def scenario(port: int) -> None:
        async with httpx.AsyncClient(transport=Transport(), timeout=httpx.Timeout(20, write=0.3)) as client:
            with pytest.raises(httpx.WriteTimeout):
                await client.post(f"http://127.0.0.1:{port}/", content=bytes(64 * 2**20))

    over = threading.Event()

    def takes_nothing(_connection: socket.socket, _number: int) -> None:
        over.wait(20)

    with serving(takes_nothing) as (port, _):
        run(scenario(port))
        over.set()


def test_reading_slowly_slows_the_server_down(run: Run) -> None:
    size = 32 * 2**20
    sent = [0]

    def pours(connection: socket.socket, _: int) -> None:
        ask(connection)
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // 2**16):
            connection.sendall(bytes(2**16))
            sent[0] += 2**16

    async def scenario(port: int) -> int:
        async with (
            httpx.AsyncClient(transport=Transport()) as client,
            client.stream("GET", f"http://127.0.0.1:{port}/") as response,
        ):
            await asyncio.sleep(0.3)
            assert sent[0] < size
            return sum([len(piece) async for piece in response.aiter_raw()])

    with serving(pours) as (port, _):
        assert run(scenario(port)) == size


def test_a_refused_connection_and_an_unknown_host_are_connect_errors(run: Run) -> None:
    async def scenario(port: int) -> None:
        async with httpx.AsyncClient(transport=Transport()) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{port}/")
            with pytest.raises(httpx.ConnectError):
                await client.get("http://no-such-host.invalid/")

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        run(scenario(unused.getsockname()[1]))


class TestTls:
    @pytest.fixture
    def server(self, tmp_path: Path) -> ssl.SSLContext:
        return self_signed(tmp_path, "localhost")

    def test_a_server_with_a_trusted_certificate_is_called(
        self, run: Run, server: ssl.SSLContext, tmp_path: Path
    ) -> None:
        async def scenario(port: int) -> list[str]:
            transport = Transport(context=ssl.create_default_context(cafile=tmp_path / "server.pem"))
            async with httpx.AsyncClient(transport=transport) as client:
                return [(await client.post(f"https://localhost:{port}/", json={})).text for _ in range(3)]

        with serving(answers, server) as (port, connections):
            assert run(scenario(port)) == ["fine"] * 3
        assert len(connections) == 1

    def test_plaintext_before_the_handshake_is_never_an_answer(
        self, run: Run, server: ssl.SSLContext, tmp_path: Path, thorough: bool
    ) -> None:
        """An attacker on the path writes a response once the connection is accepted, and forwards everything else."""
        forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
        asked = 1000 if thorough else 200

        async def ask_once(client: httpx.AsyncClient, port: int) -> str:
            try:
                return (await client.get(f"https://localhost:{port}/")).text
            except (httpx.ConnectError, httpx.ReadError):
                # Bytes that arrive after the handshake are no TLS record.
                return "refused"

        async def scenario(port: int) -> Counter[str]:
            transport = Transport(context=ssl.create_default_context(cafile=tmp_path / "server.pem"))
            async with httpx.AsyncClient(transport=transport) as client:
                answers: list[str] = []
                for _ in range(asked // 10):
                    answers += await asyncio.gather(*(ask_once(client, port) for _ in range(10)))
                return Counter(answers)

        with serving(answers, server) as (real, _):

            def injects(connection: socket.socket, number: int) -> None:
                # Some of it arrives before the client begins the handshake, some of it during the handshake.
                time.sleep(number % 3 * 0.0005)
                connection.sendall(forged)
                with socket.create_connection(("127.0.0.1", real)) as upstream:
                    threading.Thread(target=forward, args=(upstream, connection), daemon=True).start()
                    forward(connection, upstream)

            with serving(injects) as (port, connections):
                assert run(scenario(port)) == {"refused": asked}
            assert len(connections) == asked

    @pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfo"], ids=["head", "body"])
    def test_plaintext_after_the_handshake_ends_the_exchange(
        self, run: Run, server: ssl.SSLContext, tmp_path: Path, begin: bytes
    ) -> None:
        def breaks_tls(connection: socket.socket, _: int) -> None:
            ask(connection)
            connection.sendall(begin)
            with socket.socket(fileno=os.dup(connection.fileno())) as below:
                below.sendall(b"forged forged forged forged")

        async def scenario(port: int) -> None:
            transport = Transport(context=ssl.create_default_context(cafile=tmp_path / "server.pem"))
            async with httpx.AsyncClient(transport=transport) as client:
                with pytest.raises(httpx.ReadError, match="no longer TLS"):
                    await client.get(f"https://localhost:{port}/")

        with serving(breaks_tls, server) as (port, _):
            run(scenario(port))

    def test_a_server_without_a_trusted_certificate_is_refused(self, run: Run, server: ssl.SSLContext) -> None:
        async def scenario(port: int) -> None:
            async with httpx.AsyncClient(transport=Transport()) as client:
                with pytest.raises(httpx.ConnectError) as caught:
                    await client.get(f"https://localhost:{port}/")
            causes: list[BaseException | None] = [caught.value]
            while causes[-1] is not None:
                causes.append(causes[-1].__cause__ or causes[-1].__context__)
            assert any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes)

        with serving(answers, server) as (port, _):
            run(scenario(port))

    @pytest.mark.parametrize("serve", [lambda _connection, _number: None, resets])
    def test_a_server_without_tls_is_unreachable(self, run: Run, serve: Serve) -> None:
        async def scenario(port: int) -> None:
            async with httpx.AsyncClient(transport=Transport()) as client:
                with pytest.raises(httpx.ConnectError):
                    await client.get(f"https://localhost:{port}/")

        with serving(serve) as (port, _):
            run(scenario(port))

    def test_a_tls_handshake_times_out(self, run: Run) -> None:
        async def scenario(port: int) -> None:
            async with httpx.AsyncClient(transport=Transport(), timeout=0.2) as client:
                with pytest.raises(httpx.ConnectTimeout):
                    await client.get(f"https://localhost:{port}/")

        with serving(is_silent) as (port, _):
            run(scenario(port))
