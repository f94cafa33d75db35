"""An empty npm project with the TypeScript client as it is built, and the programs of the tests beside it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from clients.building.npm import install_packages, run_program
from clients.building.typescript import PACKAGES

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(__file__).parent / "programs"
_TSCONFIG = {
    "compilerOptions": {
        "strict": True,
        "noUncheckedIndexedAccess": True,
        "exactOptionalPropertyTypes": True,
        "target": "es2022",
        "module": "nodenext",
        "moduleResolution": "nodenext",
        "types": ["node"],
        "lib": ["es2022", "dom", "dom.iterable"],
        "skipLibCheck": False,
    },
    "include": ["*.ts"],
}


def make_project(folder: Path, programs: Mapping[str, str]) -> Path:
    """Build the package by the command that its users run, install it in a new project, and compile the programs.

    Skips the test without npm or the packages that build it.
    """
    try:
        packages = install_packages(PACKAGES)
    except click.ClickException as error:
        pytest.skip(f"npm or its packages cannot be had here: {error.message[-300:]}")
    command = [sys.executable, "-m", "clients.build", "typescript", "--out", str(folder / "dist")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr
    project = folder / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
    options = ("--offline", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    run_program(project, "npm", "install", *options, built.stdout.strip())
    assert [path.name for path in (project / "node_modules").iterdir() if path.name[0] != "."] == [
        "socialsyncer-client"
    ]
    (project / "node_modules/@types").symlink_to(packages / "node_modules/@types")
    (project / "tsconfig.json").write_text(json.dumps(_TSCONFIG))
    for name, text in programs.items():
        (project / f"{name}.ts").write_text(text)
    for program in PROGRAMS.glob("*.ts"):
        shutil.copy(program, project)
    run_program(project, str(packages / "node_modules/.bin/tsc"))
    return project
