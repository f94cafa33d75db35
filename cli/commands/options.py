"""Options and questions that several commands have."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.errors import INSTALL_EMBEDDED, UserError
from cli.terminal import say

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


PORT = click.IntRange(1, 65535)


WAITS_FOR = ("account", "platform", "rate_limit", "media", "answer", "person", "operator", "pause")


FOLDER = click.Path(path_type=Path, file_okay=False)


def port_option(option: str, default: int, what: str) -> Callable[[Decorated], Decorated]:
    """Return an option for a port."""
    return click.option(option, type=PORT, default=default, show_default=True, help=f"Port of {what}.")


def data_dir_option(command: Decorated) -> Decorated:
    """Add the option for the stack that a command acts on."""
    text = "Act on the running development stack in this folder, not on the services in the environment."
    return click.option("--data-dir", type=FOLDER, default=None, help=text)(command)


def workspace_option(command: Decorated) -> Decorated:
    """Add the option for the workspace that a command acts on."""
    text = "Name or id of the workspace. With --data-dir, the default is that of the stack."
    return click.option("--workspace", default=None, help=text)(command)


def as_json_option(command: Decorated) -> Decorated:
    """Add the option for output that programs read."""
    return click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each line.")(command)


@contextmanager
def explaining_missing_packages() -> Iterator[None]:
    """Explain how to install a package that a command needs and does not find."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: {INSTALL_EMBEDDED}.") from error


def ask(question: str, *, yes: bool, otherwise: str, what: str) -> None:
    """Return if a person agrees, or has agreed by --yes. Raises UserError."""
    if not yes and not sys.stdin.isatty():
        raise UserError(f"{otherwise} Add --yes to {what}.")
    if not yes and not click.confirm(question, err=True):
        raise UserError(otherwise)


def print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, or as a JSON object each."""
    from cli.reports import as_table

    for line in [json.dumps(row, ensure_ascii=False) for row in rows] if as_json else as_table(rows):
        say(line)
