"""Which hosts belong to a network."""

from collections.abc import Collection


def is_within(host: str, domains: Collection[str]) -> bool:
    """Tell whether a host is one of the domains or lies below one."""
    host = host.lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
