"""The platforms' own documents of their APIs. They are not ours to distribute: tests skip without them."""

from pathlib import Path

SPECS = Path(__file__).parents[3] / "shared" / "specs"
