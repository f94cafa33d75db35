import pytest

from platforms.http.addresses import AllowedHosts


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
