"""Say what a person can do about a failure, in a sentence instead of a traceback."""

import click


class UserError(click.ClickException):
    """An expected failure: click prints its message after "Error:" and exits with 1."""
