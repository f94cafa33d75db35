"""The output of commands, which keeps control characters in foreign texts from the terminal."""

import click

from cli.errors import UserError
from domain.printable import make_printable


def say(text: str = "", *, error: bool = False, bold: bool = False) -> None:
    """Print a text to stdout, or to stderr as an `error`. Control characters other than line ends are written out.

    Raises UserError if it cannot be written, as on a full disk; BrokenPipeError if its reader ended, as `head` does.
    """
    shown = make_printable(text, keep="\n")
    try:
        click.echo(click.style(shown, bold=True) if bold else shown, err=error)
    except BrokenPipeError:
        raise
    except OSError as failure:
        # A command would take it for a failure of the database's connection.
        raise UserError(f"The output cannot be written: {failure.strerror}") from failure
