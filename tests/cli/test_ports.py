import socket
from collections.abc import Iterator

import pytest

from cli.errors import UserError
from cli.stack.ports import PortRequest, free_port, is_free, require_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_free_and_a_taken_one_is_not(taken: int) -> None:
    assert is_free(free_port())
    assert not is_free(taken)


def test_a_server_on_all_addresses_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert not is_free(listener.getsockname()[1])


def test_released_port_is_free_despite_lingering_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = listener.accept()
            accepted.close()
    assert is_free(port)


def test_a_taken_port_is_one_sentence_that_names_the_option(taken: int) -> None:
    with pytest.raises(UserError) as raised:
        require_free([PortRequest("--ui-port", free_port()), PortRequest("--api-port", taken)])
    assert raised.value.format_message() == f"Port {taken} is in use: choose another one with --api-port PORT."


def test_the_same_port_twice_is_one_sentence_that_names_both_options() -> None:
    port = free_port()
    with pytest.raises(UserError) as raised:
        require_free([PortRequest("--api-port", port), PortRequest("--ui-port", port)])
    assert raised.value.format_message().startswith(f"--api-port and --ui-port are both {port}")
