"""A checker of the rules for sentences and names in CONTRIBUTING.md: `uv run python -m tests.language [path …]`."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.sources import syntax_nodes

ROOT = Path(__file__).parents[1]
PACKAGES = [folder.name for folder in sorted(ROOT.iterdir()) if any(folder.glob("*.py")) and folder.name[0] != "."]
_CONFIGURATION = [".ci", ".env.example", "Dockerfile", "deploy", "docker-compose.yml", "mkdocs.yml", "pyproject.toml"]
PARTS = [*PACKAGES, "docs", "worker.py", *_CONFIGURATION, *sorted(page.name for page in ROOT.glob("*.md"))]
_READ = {".py", ".sql", ".md", ".yml", ".yaml", ".toml", ".html", ".sh", ".example"}

# Words that readers of technical English must look up, or that hide who does something, and what to write instead.
BANNED = {
    "anew": "again",
    "shall": "must, or the present tense",
    "whoever|nobody": "name the subject: the caller, another worker, no client",
    "none of": "no … is",
    "that which": "name the subject",
    "so far as": "if, or as far as",
    "at hand": "available, or nothing",
    "in vain": "without effect",
    "became of": "the outcome of",
    "go(?:es)? on": "continue",
}
# Names of things are nouns: these say that something happened to a thing, and not which thing it is.
BANNED_NAMES = {"each", "found", "given", "kept", "made", "said", "wanted"}
# A function's name says what it returns or does: `row_of` is `read_row`, or the noun.
_FUNCTION = re.compile(r"^(?:\w+_)?of$")
# A test's name is a sentence: it names its subject.
_RIDDLE = re.compile(r"^test_(?:what_|that_which_|who_)")
# The docstring of a module or class opens with a noun phrase, not with a question word or, for a class, a verb.
QUESTIONS = {"What", "How", "Where", "Which", "Whether", "Whose", "Who", "When", "There"}
VERBS = {
    *("Be", "Check", "Describe", "Do", "Find", "Get", "Give", "Guard", "Have", "Hold", "Keep", "Know", "Let", "Make"),
    *("Publish", "Read", "Refuse", "Return", "Run", "Say", "Send", "Serve", "Store", "Take", "Try", "Wait", "Write"),
}
# A sentence names its subject: not "What the caller asks for is kept." A heading or a question may begin so, and so may
# the phrase that describes an attribute.
_CLAUSE_AS_SUBJECT = re.compile(r"(?:^\s*(?:#|--|-|\||\d+\.)?\s*|[^.][.;] )What (?!.*\?)")
# No rule of sentences complains of a text without these words.
_SUSPECT = re.compile(rf"What |(?i:\b(?:{'|'.join(BANNED)})\b)")
LONGEST_NAME = 90


@dataclass(frozen=True)
class Complaint:
    """A sentence or a name that breaks a rule."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def complaints(path: Path) -> Iterator[Complaint]:
    """Yield the broken rules of a Python module or another text file, in the order of lines for each rule."""
    source, in_tests = path.read_text(), path.is_relative_to(ROOT / "tests")
    if path.suffix == ".py":
        tree = syntax_nodes(source)
        yield from _definitions(path, tree)
        yield from _names(path, tree)
        # Strings of tests are the texts of posts and of servers, except for the messages of assertions.
        texts = [*_texts(source, strings=not in_tests), *(_messages(tree) if in_tests else ())]
    else:
        texts = list(enumerate(source.splitlines(), 1))
    for number, text in texts:
        if not _SUSPECT.search(text):
            continue
        if _CLAUSE_AS_SUBJECT.search(text) and not (path.suffix == ".md" and text.startswith("#")):
            yield Complaint(path, number, '"What …" is no subject: name what the sentence is about')
        for banned, instead in BANNED.items():
            if match := re.search(rf"\b(?:{banned})\b", text, re.IGNORECASE):
                yield Complaint(path, number, f'"{match[0].lower()}": {instead}')


def _definitions(path: Path, tree: list[ast.AST]) -> Iterator[Complaint]:
    for node in tree:
        if isinstance(node, ast.Module) and (doc := ast.get_docstring(node)) and doc.split()[0] in QUESTIONS:
            yield Complaint(path, 1, f'a module: "{doc.split()[0]} …" is no noun phrase')
        if isinstance(node, ast.ClassDef) and (doc := ast.get_docstring(node)):
            opening = doc.split()[0].rstrip(".,:;")
            if opening in VERBS | QUESTIONS:
                yield Complaint(path, node.lineno, f'class {node.name}: "{opening} …" is no noun phrase')
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if len(node.name) > LONGEST_NAME:
                yield Complaint(path, node.lineno, f"{node.name} has {len(node.name)} letters, of {LONGEST_NAME}")
            if _RIDDLE.search(node.name):
                yield Complaint(path, node.lineno, f"{node.name}: name the subject and the behaviour")


def _names(path: Path, tree: list[ast.AST]) -> Iterator[Complaint]:
    """Yield the names of variables, parameters, attributes and functions that are not nouns."""
    for node in tree:
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                is_bad = name.strip("_") in BANNED_NAMES
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                is_bad = name.strip("_") in BANNED_NAMES or _FUNCTION.match(name) is not None
            case _:
                continue
        if is_bad:
            yield Complaint(path, node.lineno, f"{name}: name the thing that it is")


def _texts(source: str, *, strings: bool) -> Iterator[tuple[int, str]]:
    """Yield comments, docstrings and, if asked for, other strings of several words, with their lines.

    To divide a source into tokens takes longer than to parse it, so it is done only if a rule may complain.
    """
    if not _SUSPECT.search(source):
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        shown = token.type == tokenize.STRING and " " in token.string
        if token.type == tokenize.COMMENT or (shown and (strings or token.string.startswith('"""'))):
            for offset, text in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, text


def _messages(tree: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the messages of assertions with their lines, as sentences: with a capital letter."""
    for node in tree:
        if isinstance(node, ast.Assert) and node.msg:
            for part in ast.walk(node.msg):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value[:1].upper() + part.value[1:]


def files(*paths: str) -> list[Path]:
    """Return the modules and other text files under these paths; of the whole repository if none is named."""
    roots = [ROOT / path for path in paths or PARTS]
    under = {file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))}
    texts = {file for file in under if file.suffix in _READ or file.name == "Dockerfile" or file.parent.name == ".ci"}
    return sorted(texts - {Path(__file__)})


if __name__ == "__main__":
    broken = [complaint for file in files(*sys.argv[1:]) for complaint in complaints(file)]
    for complaint in broken:
        sys.stdout.write(f"{complaint}\n")
    sys.stdout.write(f"{len(broken)} in all\n")
    sys.exit(bool(broken))
