"""Programs from npm: installed in a folder of the user's cache, and run."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click

_WITHIN_S = 300


def install_packages(packages: Mapping[str, str]) -> Path:
    """Return a folder with packages of npm, by their exact versions. Raises click.ClickException."""
    manifest = json.dumps({"private": True, "type": "module", "dependencies": dict(packages)}, indent=1)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "socialsyncer-clients"
    folder = cache / hashlib.sha256(manifest.encode()).hexdigest()[:16]
    if not (folder / "complete").exists():
        # First a folder of this process alone: another process may install the same packages.
        temporary = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        (temporary / "package.json").write_text(manifest)
        run_program(temporary, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
        (temporary / "complete").touch()
        try:
            temporary.rename(folder)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def run_program(folder: Path, *command: str) -> str:
    """Return what a program printed. Raises click.ClickException with its output if it fails or is missing."""
    try:
        ran = subprocess.run(
            command, cwd=folder, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True,
            timeout=_WITHIN_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise click.ClickException(f"{command[0]} is not installed, which comes with Node.js.") from None
    if ran.returncode:
        raise click.ClickException(f"{' '.join(command)} has failed:\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}")
    return ran.stdout
