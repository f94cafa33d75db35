import ast
import errno
import io
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
from cli.errors import UserError
from cli.main import main
from cli.terminal import say
from tests.sources import syntax_nodes

PACKAGE = Path(cli.__file__).parent
HOSTILE = "Bad \x1b]0;title\x07\x9b2Jword\u202e\r."
SHOWN = "Bad \\u001b]0;title\\u0007\\u009b2Jword\\u202e\\r."


def test_control_characters_are_escaped_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{HOSTILE}\nsecond line")
    assert capsys.readouterr().out == f"{SHOWN}\nsecond line\n"


class FailingStream(io.StringIO):
    """A stdout that cannot be written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, _: str) -> int:
        raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(("number", "message"), [(errno.ENOSPC, "No space left on device"), (errno.EPIPE, None)])
def test_output_that_cannot_be_written_is_no_failure_of_the_database(
    monkeypatch: pytest.MonkeyPatch, number: int, message: str | None
) -> None:
    async def accounts(*_: object) -> list[dict[str, str]]:
        return [{"username": "x"}]

    monkeypatch.setattr("cli.accounts.describe_accounts", accounts)
    monkeypatch.setattr("cli.terminal.click.echo", lambda text, **_: FailingStream(number).write(text))
    result = CliRunner().invoke(main, ["accounts", "list", "--workspace", "w"])
    # A reader that has ended, as `head` does, is told nothing.
    expected = f"Error: The output cannot be written: {message}\n" if message else ""
    assert (result.exit_code, result.stderr) == (1, expected)


def test_an_error_that_repeats_a_platforms_words_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError(f"The platform says: {HOSTILE}")

    monkeypatch.setattr("cli.accounts.describe_accounts", fail)
    result = CliRunner().invoke(main, ["accounts", "list", "--workspace", "w"])
    assert result.exit_code == 1
    assert result.stderr == f"Error: The platform says: {SHOWN}\n"


def test_account_names_are_printed_as_safe_json(monkeypatch: pytest.MonkeyPatch) -> None:
    async def accounts(*_: object) -> list[dict[str, str]]:
        return [{"username": "ä\x9b2J\u202e"}]

    monkeypatch.setattr("cli.accounts.describe_accounts", accounts)
    result = CliRunner().invoke(main, ["accounts", "list", "--workspace", "w"])
    assert result.stdout == '{"username": "ä\\u009b2J\\u202e"}\n'


def test_commands_print_by_one_function() -> None:
    others = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "terminal.py"
        for node in syntax_nodes(path.read_text())
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"print", "click.echo", "click.secho", "sys.stdout.write"}
    ]
    assert others == []
