"""The command `socialsyncer-mcp`."""

from __future__ import annotations

import argparse
import sys

from mcp.server.transport_security import TransportSecuritySettings
from socialsyncer_client import AsyncClient

from socialsyncer_mcp.server import make_server

HOST = "127.0.0.1"
"""Every program that reaches the server acts with its key, so other machines must not reach it."""
LARGEST_BODY = 1024 * 1024
"""A request of the API is no larger."""


def main() -> None:
    """Serve MCP over stdio, or over HTTP on this machine."""
    parser = argparse.ArgumentParser(
        prog="socialsyncer-mcp",
        description="An MCP server for SocialSyncer at SOCIALSYNCER_API_URL, with the key in SOCIALSYNCER_API_KEY.",
    )
    parser.add_argument("--http", type=int, metavar="PORT", help=f"serve http://{HOST}:PORT/mcp instead of stdio")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME",
        help="a Host header that a proxy in front of it sends, for example mcp.example.com",
    )  # fmt: skip
    parser.add_argument("--allow-http", action="store_true", help="send the key over http to another machine")
    options = parser.parse_args()
    try:
        api = AsyncClient(allow_http=options.allow_http)
    except ValueError as error:
        sys.exit(str(error))
    server = make_server(api)
    if options.http is None:
        server.run("stdio")
        return
    server.run(
        "streamable-http",
        host=HOST,
        port=options.http,
        stateless_http=True,
        json_response=True,
        max_request_body_size=LARGEST_BODY,
        transport_security=security(options.http, options.allow_host),
    )


def security(port: int, hosts: list[str]) -> TransportSecuritySettings:
    """Return the accepted Host and Origin headers. Otherwise a page in a browser could call the server."""
    own = [f"{HOST}:{port}", f"localhost:{port}"]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*own, *hosts],
        allowed_origins=[*(f"http://{name}" for name in own), *(f"https://{name}" for name in hosts)],
    )


if __name__ == "__main__":
    main()
