"""The state machine's words are typed in the domain only: a mistyped one would match no row without an error."""

import ast
from pathlib import Path

import pytest

from domain.attempts import AttemptState, AttemptStep, RevisionState
from domain.post import PostStatus, TargetStatus
from tests.sources import syntax_nodes

ROOT = Path(__file__).parents[2]
WORDS = {str(word) for words in (AttemptState, AttemptStep, RevisionState, PostStatus, TargetStatus) for word in words}
NAMES = {"state", "status", "step"}


def words_in(file: Path) -> set[str]:
    """Return the words that are compared, searched for or written as a state, status or step."""
    operands: list[ast.AST] = []
    for node in syntax_nodes(file.read_text()):
        match node:
            case ast.Compare(left=left, comparators=others):
                # A constant on the left is a key, for example in `"key" in mapping`.
                operands += others if isinstance(left, ast.Constant) else [left, *others]
            case ast.Call(func=ast.Attribute(attr="in_" | "not_in"), args=args):
                operands += args
            case ast.Call(func=ast.Attribute(attr="note"), args=args):
                operands += args[1:2]
            case ast.Call(func=ast.Name(id="AttemptResult" | "finished_step"), args=args):
                operands += args[:2]
            case ast.keyword(arg=name, value=value) if name in NAMES:
                operands.append(value)
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=value) if name in NAMES:
                operands.append(value)
    nodes = (constant for node in operands for constant in ([node, *getattr(node, "elts", [])]))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and node.value in WORDS}


@pytest.mark.parametrize("package", ["store", "accounts", "activities", "api"])
def test_states_are_not_typed_as_strings(package: str) -> None:
    files = [file for file in (ROOT / package).rglob("*.py") if "migrations" not in file.parts]
    typed_words = {(str(file.relative_to(ROOT)), word) for file in files for word in words_in(file)}
    assert typed_words == set()
