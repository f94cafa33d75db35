"""docs/commands.md has every command, and every command that a document names has the options that it is given."""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from cli.main import main
from tests.docs.test_documents import DOCUMENTS

ROOT = Path(__file__).parents[2]
OPTION = re.compile(r"--[a-z][a-z-]+")


def commands(group: click.Group = main, *names: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


COMMANDS = dict(commands())
NAMED = re.compile(rf"(?:socialsyncer |`|operator )({'|'.join(sorted(COMMANDS, reverse=True))})\b([^`|&;\n]*)")


def test_every_command_is_listed() -> None:
    rows = [line for line in (ROOT / "docs/commands.md").read_text().splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name, _ in NAMED.findall(row.replace("\\|", "/").split(" | ")[0])}
    assert set(COMMANDS) - listed == set()


def test_a_command_has_the_options_that_a_document_gives_it() -> None:
    unknown = {
        f"{document}: {name} {option}"
        for document in DOCUMENTS
        for name, rest in NAMED.findall(document.read_text().replace("\\|", "/"))
        for option in OPTION.findall(rest)
        if option not in {"--help", *(opt for parameter in COMMANDS[name].params for opt in parameter.opts)}
    }
    assert unknown == set()
