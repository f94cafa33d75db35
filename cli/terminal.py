"""The output of commands, which keeps control characters in foreign texts from the terminal."""

import click

from domain.printable import make_printable


def say(text: str = "", *, error: bool = False, bold: bool = False) -> None:
    """Print a text to stdout, or to stderr as an `error`. Control characters other than line ends are written out."""
    shown = make_printable(text, keep="\n")
    click.echo(click.style(shown, bold=True) if bold else shown, err=error)
