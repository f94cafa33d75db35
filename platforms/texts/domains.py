"""The names of top-level domains, by which a text's addresses are known that have no scheme."""

from importlib.resources import files

TLDS = frozenset(files(__package__).joinpath("tlds.txt").read_text(encoding="utf-8").split())
"""The root zone's names (data.iana.org/TLD, in Unicode), and names that have left it but that X still accepts as
top-level domains. No available package has these, so the list is our own data."""
