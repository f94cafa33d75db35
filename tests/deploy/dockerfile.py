"""The commands of the Dockerfile, read from the file and run in a folder; no Docker is available in the tests."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_INSTRUCTION = re.compile(r"^(?P<word>[A-Z]+) (?P<text>(?:.*\\\n)*.*)$", re.MULTILINE)
# Folders of the image, which begin a word of a command.
_FOLDERS = re.compile(r"(?<![\w./-])/(?=(?:opt|dist|src|srv|work|nonexistent)\b)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction of the Dockerfile, on one line."""

    word: str
    text: str


def stages() -> list[list[Instruction]]:
    """Return the instructions of each stage of the Dockerfile."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    instructions = [
        Instruction(match["word"], match["text"].replace("\\\n", "")) for match in _INSTRUCTION.finditer(text)
    ]
    first = [index for index, instruction in enumerate(instructions) if instruction.word == "FROM"]
    return [instructions[begin + 1 : end] for begin, end in zip(first, [*first[1:], None], strict=True)]


def environment(stage: list[Instruction]) -> dict[str, str]:
    """Return what the ENV instructions of a stage set."""
    pairs = [pair for instruction in stage if instruction.word == "ENV" for pair in instruction.text.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def words(stage: list[Instruction], word: str) -> list[str]:
    """Return the command of the last CMD, ENTRYPOINT or HEALTHCHECK of a stage, which is a list of words."""
    text = next(instruction.text for instruction in reversed(stage) if instruction.word == word)
    command: list[str] = json.loads(text[text.index("[") :])
    return command


class Image:
    """A folder in place of an image's file system; `python` is the environment in place of the base image's Python."""

    def __init__(self, root: Path, python: Path) -> None:
        self.root = root
        self.python = python
        self.variables: dict[str, str] = {}
        self.workdir = root

    def inside(self, text: str) -> str:
        """Replace the image's folders by those below the root."""
        return _FOLDERS.sub(f"{self.root}/", text)

    def build(self, stage: list[Instruction], earlier: "Image | None" = None) -> None:
        """Carry out every instruction of a stage that changes files. Raises CalledProcessError."""
        for instruction in stage:
            match instruction.word:
                case "ENV":
                    self.variables |= {name: self.inside(value) for name, value in environment([instruction]).items()}
                case "WORKDIR":
                    self.workdir = Path(self.inside(instruction.text))
                    self.workdir.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(instruction.text, earlier)
                case "RUN":
                    self.run(instruction.text)

    def run(self, command: str) -> None:
        """Run a shell's command in the working folder. Raises CalledProcessError."""
        path = f"{self.python / 'bin'}:{os.environ['PATH']}"
        variables = {"PATH": path, "HOME": os.environ["HOME"], **self._mirror()}
        users = f"--prefix {self.root} "
        text = re.sub(r"\b((?:group|user)add) ", rf"\1 {users}", self.inside(command))
        subprocess.run(["sh", "-ec", text], cwd=self.workdir, env=variables | self.variables, check=True)

    @staticmethod
    def _mirror() -> dict[str, str]:
        """Return the settings of this machine's access to PyPI."""
        return {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "HTTP"))}

    def _copy(self, text: str, earlier: "Image | None") -> None:
        options = re.findall(r"--from=\S+ ", text)
        *sources, target = text.removeprefix("".join(options)).split()
        if options:
            assert earlier
            shutil.copytree(earlier.inside(sources[0]), self.inside(target), symlinks=True)
            return
        sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
        for source in sent if sources == ["."] else sources:
            assert source in sent
            path = self.workdir / source
            path.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, path, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, path)
