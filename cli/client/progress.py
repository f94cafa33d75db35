"""Progress of long work, shown on a terminal only."""

import sys
from typing import Any

import click


def progress_bar(length: int, label: str) -> "click._termui_impl.ProgressBar[Any]":
    """Return a bar to be used as a context; `update(steps)` moves it. It is on stderr, and hidden off a terminal."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())
