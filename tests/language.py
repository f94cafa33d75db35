"""A checker of the rules for sentences and names in CONTRIBUTING.md: `uv run python -m tests.language [path …]`."""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = [
    each.name
    for each in sorted(ROOT.iterdir())
    if each.is_dir() and any(each.glob("*.py")) and not each.name.startswith(".")
]
_CONFIGURATION = [".ci", ".env.example", "Dockerfile", "deploy", "docker-compose.yml", "mkdocs.yml", "pyproject.toml"]
PARTS = [*PACKAGES, "docs", "worker.py", *_CONFIGURATION, *sorted(each.name for each in ROOT.glob("*.md"))]
_READ = {".py", ".sql", ".md", ".yml", ".yaml", ".toml", ".html", ".sh", ".example"}

# Banned words, and what to write instead.
BANNED = {
    "whoever": "name the subject: the caller, the client, the operator",
    "anew": "again",
    "shall": "must, or the present tense",
    "that which": "name the subject",
    "so far as": "if, or as far as",
    "nobody": "name the subject: no client, no worker, nothing",
    "none of": "no … is",
    "at hand": "available, or nothing",
    "told": "reported, known, notified",
    "twin": "fake platform; duplicate",
    "fate": "run state",
    "desk": "step context",
    "mend": "correct, fix, repair",
    "vouch": "trust",
    "in vain": "without effect",
    "just now": "now, or at the moment",
    "became of": "the outcome of",
    "go(?:es)? on": "continue",
}
# Words that are banned in modules only, because documents may need them for what they usually mean.
BANNED_IN_CODE = {
    "hears?": "receive, learn, or is notified",
    r"(?:a|the|its|each|every|another|their) networks?(?! (?:of /64|backend|error|namespace|security))": "platform",
}
# Words that are banned in sentences of tests only: the product's have other senses ("Tell the operator").
BANNED_IN_TESTS = {
    "tell": "report, distinguish, or know",
    "somebody|someone|anybody|anyone": "name the subject: another person, no client",
    "land": "publish, or arrive",
    "look(?:s|ed|ing)? for": "search, or confirm",
}
# Words that no name has as a part.
BANNED_IN_NAMES = {
    "anew": "again",
    "desk": "context",
    "fate": "state",
    "judge": "decide",
    "lane": "bucket",
    "mend": "correct",
    "nobody": "no",
    "shall": "must",
    "told": "reported",
    "twin": "duplicate",
    "vouched": "trusted",
    "whoever": "caller",
    "wish": "request",
    "wished": "requested",
    "look": "check",
    "looks": "checks",
    "lives": "lifetime",
    "landed": "published",
    "patience": "timeout",
}
# Parts of names in tests only: modules call `file.tell()`.
BANNED_IN_NAMES_OF_TESTS = {
    "tell": "report",
    "tells": "reports",
    "telling": "reporting",
    "looked": "checked",
    "looking": "checking",
    "lands": "is published",
    "somebody": "another person",
    "vain": "effect",
}
# A test's name is a sentence: it names its subject.
_RIDDLE = re.compile(r"^test_(?:what_|that_which_|who_|.*_go(?:es)?_on(?:_|$))")
# Two words, "look up", are one that is not banned.
_LOOK_UP = re.compile(r"look(?:ed)?_up")
# The docstring of a class opens with a noun phrase, not with a verb or a question word.
QUESTIONS = {"What", "How", "Where", "Which", "Whether", "Whose", "Who", "When", "There"}
VERBS = {
    *(
        "Ask",
        "Answer",
        "Be",
        "Behave",
        "Break",
        "Count",
        "Deliver",
        "Describe",
        "Do",
        "Fetch",
        "Find",
        "Forget",
        "Give",
    ),
    *(
        "Guard",
        "Hand",
        "Have",
        "Hear",
        "Hold",
        "Keep",
        "Know",
        "Leave",
        "Let",
        "Look",
        "Make",
        "Map",
        "Measure",
        "Name",
    ),
    *("Note", "Play", "Publish", "Put", "Read", "Refuse", "Remember", "Return", "Run", "Say", "Send", "Serve", "Show"),
    *("Sleep", "Speak", "Stand", "Stop", "Store", "Take", "Tell", "Try", "Turn", "Upload", "Wait", "Watch", "Write"),
}
# A sentence names its subject: not "What the caller asks for is kept." A heading or a question may begin so, and so may
# the phrase that describes an attribute.
_CLAUSE_AS_SUBJECT = re.compile(r"(?:^\s*(?:#|--|-|\||\d+\.)?\s*|[^.][.;] )What (?!.*\?)")
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
    source, in_tests = path.read_text(), path.suffix == ".py" and path.is_relative_to(ROOT / "tests")
    banned_here = BANNED | (BANNED_IN_CODE if path.suffix == ".py" else {}) | (BANNED_IN_TESTS if in_tests else {})
    if path.suffix == ".py":
        yield from _definitions(path, ast.parse(source))
        # Strings of tests are the texts of posts and of servers, except for the messages of assertions.
        texts = [*_texts(source, strings=not in_tests), *(_messages(source) if in_tests else ())]
    else:
        texts = list(enumerate(source.splitlines(), 1))
    for number, text in texts:
        if _CLAUSE_AS_SUBJECT.search(text) and not (path.suffix == ".md" and text.startswith("#")):
            yield Complaint(path, number, '"What …" is no subject: name what the sentence is about')
        for banned, instead in banned_here.items():
            if found := re.search(rf"\b(?:{banned})(?:s|ed|ing)?\b", text, re.IGNORECASE):
                yield Complaint(path, number, f'"{found[0].lower()}": {instead}')
    if path.suffix == ".py":
        yield from _names(path, source, BANNED_IN_NAMES | (BANNED_IN_NAMES_OF_TESTS if in_tests else {}))


def _definitions(path: Path, tree: ast.Module) -> Iterator[Complaint]:
    if (doc := ast.get_docstring(tree)) and doc.split()[0] in QUESTIONS:
        yield Complaint(path, 1, f'a module: "{doc.split()[0]} …" is no noun phrase')
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (doc := ast.get_docstring(node)):
            opening = doc.split()[0].rstrip(".,:;")
            if opening in VERBS | QUESTIONS:
                yield Complaint(path, node.lineno, f'class {node.name}: "{opening} …" is no noun phrase')
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and len(node.name) > LONGEST_NAME:
            yield Complaint(path, node.lineno, f"{node.name} has {len(node.name)} letters, {LONGEST_NAME} are allowed")


def _names(path: Path, source: str, banned: dict[str, str]) -> Iterator[Complaint]:
    """Yield each name with a banned part once, at its first line."""
    seen = set[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.NAME or token.string in seen:
            continue
        seen.add(token.string)
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", token.string).lower()
        for part in _LOOK_UP.sub("", snake).split("_"):
            if part in banned:
                yield Complaint(path, token.start[0], f"{token.string}: say {banned[part]}")
        if _RIDDLE.search(snake):
            yield Complaint(path, token.start[0], f"{token.string}: name the subject and the behaviour")


def _texts(source: str, *, strings: bool) -> Iterator[tuple[int, str]]:
    """Yield comments, docstrings and, if asked for, other strings of several words, with their lines."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        shown = token.type == tokenize.STRING and " " in token.string
        if token.type == tokenize.COMMENT or (shown and (strings or token.string.startswith('"""'))):
            for offset, text in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, text


def _messages(source: str) -> Iterator[tuple[int, str]]:
    """Yield the messages of assertions with their lines, as sentences: with a capital letter."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.msg:
            for part in ast.walk(node.msg):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value[:1].upper() + part.value[1:]


def files(*paths: str) -> list[Path]:
    """Return the modules and other text files under these paths; of the whole repository if none is given."""
    roots = [ROOT / path for path in paths or PARTS]
    found = {file for root in roots for file in ([root] if root.is_file() else root.rglob("*"))}
    kept = {file for file in found if file.suffix in _READ or file.name == "Dockerfile" or file.parent.name == ".ci"}
    return sorted(kept - {Path(__file__)})


if __name__ == "__main__":
    found = [complaint for file in files(*sys.argv[1:]) for complaint in complaints(file)]
    for each in found:
        sys.stdout.write(f"{each}\n")
    sys.stdout.write(f"{len(found)} in all\n")
    sys.exit(bool(found))
