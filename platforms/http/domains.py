"""The hosts that belong to a domain."""

from collections.abc import Collection


def is_within(host: str, domains: Collection[str]) -> bool:
    """Return whether a host is one of the domains or a subdomain of one."""
    host = host.lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
